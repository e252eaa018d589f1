-- Tokens and web searches by UTC day and API key; `console` is use without a key.

with
buckets as (
    {{ buckets_of_days(ref('usage_buckets'), ['api_key_id']) }}
),

sums as (
    select
        buckets.connection,
        buckets.starting_at::DATE as day,
        coalesce(results.api_key_id, 'console') as api_key_id,
        {{ usage_sums('results') }}
    from buckets
    join {{ ref('usage_results') }} as results using (connection, request, starting_at)
    group by all
)

select
    sums.connection,
    sums.day,
    sums.api_key_id,
    coalesce(api_keys.name, case when sums.api_key_id = 'console' then 'Console' end)
        as api_key_name,
    sums.uncached_input_tokens,
    sums.cache_creation_5m_input_tokens,
    sums.cache_creation_1h_input_tokens,
    sums.cache_read_input_tokens,
    sums.output_tokens,
    sums.web_search_requests
from sums
left join {{ names_of(ref('api_keys'), 'api_key_id') }} as api_keys
    using (connection, api_key_id)
order by sums.connection, sums.day, sums.api_key_id
