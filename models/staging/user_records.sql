-- The people who belong or belonged to the organisation, typed.

with
members as (
    {{ members_ever(source('claude_platform', 'users'), 'users') }}
),

decoded as (
    select
        connection,
        starting_at,
        vanished_at,
        from_json(payload, '{
            "id": "JSON",
            "type": "JSON",
            "email": "JSON",
            "name": "JSON",
            "role": "JSON",
            "added_at": "JSON"
        }') as member
    from members
)

select
    connection,
    {{ json_text('member.id') }} as user_id,
    {{ json_text_or_null('member.email') }} as email,
    {{ json_text_or_null('member.name') }} as name,
    {{ json_text_or_null('member.role') }} as role,
    {{ json_moment_or_null('member.added_at') }} as added_at,
    starting_at as last_seen_at,
    vanished_at
from decoded
