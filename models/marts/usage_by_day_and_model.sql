-- Tokens and web searches by UTC day and model.

with
buckets as (
    {{ buckets_of_days(ref('usage_buckets'), ['model']) }}
)

select
    buckets.connection,
    buckets.starting_at::DATE as day,
    coalesce(results.model, 'unknown') as model,
    {{ usage_sums('results') }}
from buckets
join {{ ref('usage_results') }} as results using (connection, request, starting_at)
group by all
order by connection, day, model
