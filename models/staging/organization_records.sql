-- The organisation that the key belongs to, typed; and those that it belonged to before.

with
members as (
    {{ members_ever(source('claude_platform', 'organization'), 'organization') }}
),

decoded as (
    select
        connection,
        starting_at,
        vanished_at,
        from_json(payload, '{"id": "JSON", "type": "JSON", "name": "JSON"}') as member
    from members
)

select
    connection,
    {{ json_text('member.id') }} as organization_id,
    {{ json_text_or_null('member.name') }} as name,
    starting_at as last_seen_at,
    vanished_at
from decoded
