-- The records of the Claude Code report: an actor's day at one terminal, for one customer type,
-- local or remote.

with
decoded as (
    select
        connection,
        starting_at,
        ordinal,
        extracted_at,
        from_json(payload, '{
            "date": "JSON",
            "actor": {"type": "JSON", "email_address": "JSON", "api_key_name": "JSON"},
            "organization_id": "JSON",
            "customer_type": "JSON",
            "subscription_type": "JSON",
            "terminal_type": "JSON",
            "is_remote": "JSON",
            "core_metrics": {
                "num_sessions": "JSON",
                "lines_of_code": {"added": "JSON", "removed": "JSON"},
                "commits_by_claude_code": "JSON",
                "pull_requests_by_claude_code": "JSON"
            },
            "tool_actions": "MAP(VARCHAR, JSON)",
            "model_breakdown": [{
                "model": "JSON",
                "tokens": {
                    "input": "JSON",
                    "output": "JSON",
                    "cache_read": "JSON",
                    "cache_creation": "JSON"
                },
                "estimated_cost": {"amount": "DECIMAL(38, 25)", "currency": "JSON"}
            }]
        }') as record,
        json_type(payload, ['$.tool_actions', '$.model_breakdown']) as types,
        json_type(payload, '$.model_breakdown[*].estimated_cost.amount') as amount_types
    from {{ source('claude_platform', 'claude_code') }}
)

select
    connection,
    starting_at,
    ordinal,
    extracted_at,
    {{ json_day('record.date') }} as day,
    {{ json_text('record.date') }} as date,
    {{ json_text_or_null('record.organization_id') }} as organization_id,
    {{ json_text('record.actor.type') }} as actor_type,
    {{ json_text_or_null('record.actor.email_address') }} as actor_email,
    {{ json_text_or_null('record.actor.api_key_name') }} as actor_api_key_name,
    {{ json_text_or_null('record.customer_type') }} as customer_type,
    {{ json_text_or_null('record.subscription_type') }} as subscription_type,
    {{ json_text_or_null('record.terminal_type') }} as terminal_type,
    {{ json_boolean_or_null('record.is_remote') }} as is_remote,
    {{ json_integer('record.core_metrics.num_sessions') }} as num_sessions,
    {{ json_integer('record.core_metrics.lines_of_code.added') }} as lines_added,
    {{ json_integer('record.core_metrics.lines_of_code.removed') }} as lines_removed,
    {{ json_integer('record.core_metrics.commits_by_claude_code') }} as commits,
    {{ json_integer('record.core_metrics.pull_requests_by_claude_code') }} as pull_requests,
    case
        when coalesce(types[1], 'NULL') in ('OBJECT', 'NULL') then record.tool_actions
        else {{ wrong_json('types[1]', 'an object', field='record.tool_actions') }}
    end as tool_actions,
    case
        when coalesce(types[2], 'NULL') not in ('ARRAY', 'NULL')
            then {{ wrong_json('types[2]', 'a list', field='record.model_breakdown') }}
        when not list_has_all(['UBIGINT', 'BIGINT', 'DOUBLE'], amount_types)
            then {{ wrong_json('amount_types', 'numbers', field='estimated_cost.amount', record='record') }}
        else record.model_breakdown
    end as model_breakdown
from decoded
