-- Names for workspaces, under the ids that the other marts have: `default` for the one that has no
-- id in any report.

with
-- the default workspace cannot be renamed or archived, and is as old as the organisation
marked as (
    select
        *,
        name is not distinct from 'Default'
        and archived_at is null
        and row_number() over (
            partition by connection, name, archived_at is null
            order by vanished_at is not null, created_at, workspace_id
        ) = 1 as is_default
    from {{ ref('workspace_records') }}
),

-- its row is there whether or not the list has it
defaults as (
    select distinct connection, 'Default' as name, true as is_default
    from (
        select connection from {{ ref('workspace_records') }}
        union all
        select connection from {{ ref('organization_records') }}
    )
    where connection not in (select connection from marked where is_default)
)

select
    connection,
    case when is_default then 'default' else workspace_id end as workspace_id,
    name,
    is_default,
    workspace_id as api_workspace_id,
    created_at,
    archived_at,
    workspace_geo,
    default_inference_geo,
    tags,
    last_seen_at,
    case when not is_default then vanished_at end as vanished_at
from (
    from marked
    union all by name
    from defaults
)
order by connection, workspace_id
