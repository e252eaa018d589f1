-- The workspaces that the organisation has or had, typed.

with
members as (
    {{ members_ever(source('claude_platform', 'workspaces'), 'workspaces') }}
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
            "created_at": "JSON",
            "archived_at": "JSON",
            "display_color": "JSON",
            "compartment_id": "JSON",
            "user_profile_id": "JSON",
            "external_key_id": "JSON",
            "tags": "JSON",
            "data_residency": {
                "workspace_geo": "JSON",
                "default_inference_geo": "JSON",
                "allowed_inference_geos": "JSON"
            }
        }') as member
    from members
)

select
    connection,
    {{ json_text('member.id') }} as workspace_id,
    {{ json_text_or_null('member.name') }} as name,
    {{ json_moment_or_null('member.created_at') }} as created_at,
    {{ json_moment_or_null('member.archived_at') }} as archived_at,
    {{ json_text_or_null('member.display_color') }} as display_color,
    {{ json_text_or_null('member.external_key_id') }} as external_key_id,
    {{ json_text_or_null('member.data_residency.workspace_geo') }} as workspace_geo,
    {{ json_text_or_null('member.data_residency.default_inference_geo') }} as default_inference_geo,
    member.data_residency.allowed_inference_geos as allowed_inference_geos,
    member.tags as tags,
    starting_at as last_seen_at,
    vanished_at
from decoded
