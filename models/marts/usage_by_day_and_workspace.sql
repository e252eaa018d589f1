-- Tokens and web searches by UTC day and workspace; the workspace without an id is `default`.

with
buckets as (
    {{ buckets_of_days(ref('usage_buckets'), ['workspace_id']) }}
)

select
    buckets.connection,
    buckets.starting_at::DATE as day,
    coalesce(results.workspace_id, 'default') as workspace_id,
    {{ usage_sums('results') }}
from buckets
join {{ ref('usage_results') }} as results using (connection, request, starting_at)
group by all
order by connection, day, workspace_id
