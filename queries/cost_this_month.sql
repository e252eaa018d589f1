-- What this month has cost so far, day by day, and what it comes to if it goes on like this.
-- The current day is not in it: the report has days that are over.
with
month_days as (
    select
        day,
        amount_usd,
        row_number() over (order by day) as number
    from {{ ref('cost_by_day') }}
    where
        day >= date_trunc('month', {{ today | literal }}::DATE)
        and day < {{ today | literal }}::DATE
)

select
    day,
    amount_usd::DECIMAL(18, 2) as spend_usd,
    (sum(amount_usd) over (order by day))::DECIMAL(18, 2) as to_date_usd,
    {{ ratio_of_amounts(
        'sum(amount_usd) over (order by day) * day(last_day(day))', 'number'
    ) }}::DECIMAL(18, 2) as month_at_this_pace_usd
from month_days
order by day
