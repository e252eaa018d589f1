-- The buckets of the usage report that have landed, also the empty ones.

with
landed as (
    select
        connection,
        request,
        from_json(request, '{"bucket_width": "VARCHAR", "group_by": ["VARCHAR"]}') as asked,
        starting_at,
        ending_at,
        extracted_at
    from {{ source('claude_platform', 'usage_messages') }}
)

select
    connection,
    request,
    asked.bucket_width as bucket_width,
    asked.group_by as group_by,
    starting_at,
    ending_at,
    extracted_at
from landed
