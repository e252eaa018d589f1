-- What became of the edits that a tool proposed, for each record of the Claude Code report.

with
tools as (
    select
        connection,
        starting_at,
        ordinal,
        day,
        organization_id,
        actor_type,
        actor_email,
        actor_api_key_name,
        unnest(map_entries(tool_actions)) as entry
    from {{ ref('claude_code_records') }}
),

decoded as (
    select
        * exclude (entry),
        entry.key as tool,
        case json_type(entry.value)
            when 'OBJECT' then from_json(entry.value, '{"accepted": "JSON", "rejected": "JSON"}')
            else {{ wrong_json('entry.value', 'an object', field='tool_actions[]') }}
        end as tool_actions
    from tools
)

select
    connection,
    starting_at,
    ordinal,
    day,
    organization_id,
    actor_type,
    actor_email,
    actor_api_key_name,
    tool,
    coalesce({{ json_integer_or_null('tool_actions.accepted') }}, 0) as accepted,
    coalesce({{ json_integer_or_null('tool_actions.rejected') }}, 0) as rejected
from decoded
