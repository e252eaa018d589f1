-- Tokens and web searches by UTC day. A day that was fetched and had no usage has zeros.

with
buckets as (
    {{ buckets_of_days(ref('usage_buckets'), []) }}
)

select
    buckets.connection,
    buckets.starting_at::DATE as day,
    coalesce(sum(results.uncached_input_tokens), 0)::BIGINT as uncached_input_tokens,
    coalesce(sum(results.cache_creation_5m_input_tokens), 0)::BIGINT
        as cache_creation_5m_input_tokens,
    coalesce(sum(results.cache_creation_1h_input_tokens), 0)::BIGINT
        as cache_creation_1h_input_tokens,
    coalesce(sum(results.cache_read_input_tokens), 0)::BIGINT as cache_read_input_tokens,
    coalesce(sum(results.output_tokens), 0)::BIGINT as output_tokens,
    coalesce(sum(results.web_search_requests), 0)::BIGINT as web_search_requests
from buckets
left join {{ ref('usage_results') }} as results using (connection, request, starting_at)
group by all
order by connection, day
