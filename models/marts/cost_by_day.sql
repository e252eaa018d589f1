-- Cost by UTC day and currency. A day that was fetched and had no cost has zero US dollars.

with
buckets as (
    {{ buckets_of_width(ref('cost_buckets'), [], '1d') }}
),

costs as (
    select
        buckets.connection,
        buckets.starting_at::DATE as day,
        coalesce(results.currency, 'USD') as currency,
        coalesce(sum(results.amount), 0)::DECIMAL(38, 15) as amount
    from buckets
    left join {{ ref('cost_results') }} as results using (connection, request, starting_at)
    group by all
)

select
    connection,
    day,
    currency,
    amount,
    {{ in_usd('amount', 'currency') }} as amount_usd
from costs
order by connection, day, currency
