-- The API keys that the organisation has or had, typed; of either version's shape.

with
members as (
    {{ members_ever(source('claude_platform', 'api_keys'), 'api_keys') }}
),

decoded as (
    select
        connection,
        starting_at,
        vanished_at,
        from_json(payload, '{
            "id": "JSON",
            "type": "JSON",
            "name": "JSON",
            "status": "JSON",
            "created_at": "JSON",
            "expires_at": "JSON",
            "created_by": {"id": "JSON", "type": "JSON"},
            "partial_key_hint": "JSON",
            "workspace_id": "JSON",
            "scope": {"type": "JSON", "workspace_id": "JSON"},
            "principal": {
                "id": "JSON",
                "type": "JSON",
                "user_id": "JSON",
                "service_account_id": "JSON"
            }
        }') as member,
        -- null there is the default workspace; the newer shape does not have it at all
        json_type(payload, '$.workspace_id') as workspace_id_type
    from members
),

typed as (
    select
        connection,
        {{ json_text('member.id') }} as api_key_id,
        {{ json_text_or_null('member.name') }} as name,
        {{ json_text_or_null('member.status') }} as status,
        {{ json_text_or_null('member.workspace_id') }} as older_workspace_id,
        {{ json_text_or_null('member.scope.type') }} as said_scope,
        {{ json_text_or_null('member.scope.workspace_id') }} as scope_workspace_id,
        workspace_id_type,
        {{ json_moment_or_null('member.created_at') }} as created_at,
        {{ json_moment_or_null('member.expires_at') }} as expires_at,
        {{ json_text_or_null('member.created_by.type') }} as created_by_type,
        {{ json_text_or_null('member.created_by.id') }} as created_by_id,
        {{ json_text_or_null('member.principal.type') }} as principal_type,
        coalesce(
            {{ json_text_or_null('member.principal.user_id') }},
            {{ json_text_or_null('member.principal.service_account_id') }},
            {{ json_text_or_null('member.principal.id') }}
        ) as principal_id,
        {{ json_text_or_null('member.partial_key_hint') }} as partial_key_hint,
        starting_at as last_seen_at,
        vanished_at
    from decoded
)

select
    connection,
    api_key_id,
    name,
    status,
    coalesce(said_scope, case when older_workspace_id is not null then 'workspace' end) as scope,
    coalesce(scope_workspace_id, older_workspace_id) as workspace_id,
    case
        when said_scope = 'organization' or older_workspace_id is not null then false
        when workspace_id_type = 'NULL' then true
    end as is_of_default_workspace,
    created_at,
    expires_at,
    created_by_type,
    created_by_id,
    principal_type,
    principal_id,
    partial_key_hint,
    last_seen_at,
    vanished_at
from typed
