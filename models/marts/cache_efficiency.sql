-- How much of the input came from the cache, by UTC day and model.

with
tokens as (
    select
        connection,
        day,
        model,
        uncached_input_tokens,
        cache_creation_5m_input_tokens + cache_creation_1h_input_tokens
            as cache_creation_input_tokens,
        cache_read_input_tokens
    from {{ ref('usage_by_day_and_model') }}
),

inputs as (
    select
        *,
        uncached_input_tokens + cache_creation_input_tokens + cache_read_input_tokens
            as input_tokens
    from tokens
)

select
    connection,
    day,
    model,
    input_tokens,
    uncached_input_tokens,
    cache_creation_input_tokens,
    cache_read_input_tokens,
    {{ ratio('cache_read_input_tokens', 'input_tokens') }} as cache_read_share,
    {{ ratio('cache_creation_input_tokens', 'input_tokens') }} as cache_creation_share,
    {{ ratio('cache_read_input_tokens', 'cache_creation_input_tokens') }} as cache_reads_per_write
from inputs
order by connection, day, model
