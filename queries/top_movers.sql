-- Which models' tokens rose or fell most: the last 7 days that are over against the 7 before
-- (--var days=7, --var top=10).
{% set days = var('days', 7) | literal ~ '::INTEGER' %}
with
sums as (
    select
        model,
        coalesce(sum(tokens) filter (where is_new), 0)::BIGINT as tokens,
        coalesce(sum(tokens) filter (where not is_new), 0)::BIGINT as tokens_before
    from (
        select
            model,
            uncached_input_tokens + cache_creation_5m_input_tokens
            + cache_creation_1h_input_tokens + cache_read_input_tokens + output_tokens as tokens,
            day >= {{ today | literal }}::DATE - {{ days }} as is_new
        from {{ ref('usage_by_day_and_model') }}
        where
            day >= {{ today | literal }}::DATE - 2 * {{ days }}
            and day < {{ today | literal }}::DATE
    )
    group by all
)

select
    model,
    tokens_before,
    tokens,
    tokens - tokens_before as change,
    {{ ratio('(tokens - tokens_before) * 100', 'tokens_before') }}::DECIMAL(18, 1) as percent
from sums
where tokens <> tokens_before
order by abs(change) desc, model
limit {{ var('top', 10) | literal }}::INTEGER
