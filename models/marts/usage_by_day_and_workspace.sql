-- Tokens and web searches by UTC day and workspace; the workspace without an id is `default`.

with
buckets as (
    {{ buckets_of_days(ref('usage_buckets'), ['workspace_id']) }}
)

select
    buckets.connection,
    buckets.starting_at::DATE as day,
    coalesce(results.workspace_id, 'default') as workspace_id,
    sum(results.uncached_input_tokens)::BIGINT as uncached_input_tokens,
    sum(results.cache_creation_5m_input_tokens)::BIGINT as cache_creation_5m_input_tokens,
    sum(results.cache_creation_1h_input_tokens)::BIGINT as cache_creation_1h_input_tokens,
    sum(results.cache_read_input_tokens)::BIGINT as cache_read_input_tokens,
    sum(results.output_tokens)::BIGINT as output_tokens,
    sum(results.web_search_requests)::BIGINT as web_search_requests
from buckets
join {{ ref('usage_results') }} as results using (connection, request, starting_at)
group by all
order by connection, day, workspace_id
