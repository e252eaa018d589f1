-- What each model has cost in the last days that are over (--var days=30), and its share.
-- "not split" is cost that was fetched without descriptions: see group_by in sources/claude.yml.
with
costs as (
    select *
    from {{ ref('cost') }}
    where
        day >= {{ today | literal }}::DATE - {{ var('days', 30) | literal }}::INTEGER
        and day < {{ today | literal }}::DATE
),

spend as (
    select
        coalesce(model, cost_type, 'not split') as model,
        {{ total_usd('amount', 'currency') }} as exact_usd
    from costs
    group by all
)

select
    model,
    exact_usd::DECIMAL(18, 2) as spend_usd,
    {{ ratio_of_amounts('exact_usd * 100', 'sum(exact_usd) over ()') }}::DECIMAL(9, 1) as percent
from spend
order by exact_usd desc, model
