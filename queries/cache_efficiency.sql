-- How much of each model's input came from the cache in the last days (--var days=30).
with
sums as (
    select
        model,
        sum(input_tokens)::BIGINT as input_tokens,
        sum(cache_read_input_tokens)::BIGINT as from_cache,
        sum(cache_creation_input_tokens)::BIGINT as into_cache
    from {{ ref('cache_efficiency') }}
    where day > {{ today | literal }}::DATE - {{ var('days', 30) | literal }}::INTEGER
    group by all
)

select
    model,
    input_tokens,
    from_cache,
    into_cache,
    {{ ratio('from_cache * 100', 'input_tokens') }}::DECIMAL(9, 1) as percent_from_cache,
    {{ ratio('from_cache', 'into_cache') }}::DECIMAL(18, 1) as reads_per_write
from sums
order by input_tokens desc, model
