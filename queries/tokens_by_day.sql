-- Tokens by UTC day, the last days first (--var days=30); the current day as far as it has come.
select
    day,
    uncached_input_tokens + cache_creation_5m_input_tokens
    + cache_creation_1h_input_tokens + cache_read_input_tokens as input_tokens,
    cache_read_input_tokens as of_it_from_cache,
    output_tokens,
    web_search_requests as web_searches
from {{ ref('usage_by_day') }}
where day > {{ today | literal }}::DATE - {{ var('days', 30) | literal }}::INTEGER
order by day desc
