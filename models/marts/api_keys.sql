-- Names for API keys, and the workspaces that they belong to.

select
    keys.connection,
    keys.api_key_id,
    keys.name,
    keys.status,
    keys.scope,
    case
        when keys.is_of_default_workspace then 'default'
        else coalesce(workspaces.workspace_id, keys.workspace_id)
    end as workspace_id,
    keys.created_at,
    keys.expires_at,
    keys.created_by_type,
    keys.created_by_id,
    users.name as created_by_name,
    keys.principal_type,
    keys.principal_id,
    keys.partial_key_hint,
    keys.last_seen_at,
    keys.vanished_at
from {{ ref('api_key_records') }} as keys
left join {{ ref('workspaces') }} as workspaces
    on keys.connection = workspaces.connection
    and keys.workspace_id = workspaces.api_workspace_id
left join {{ ref('user_records') }} as users
    on keys.connection = users.connection
    and keys.created_by_id = users.user_id
order by keys.connection, keys.api_key_id
