-- What each workspace has cost this month so far, and on the same days of the month before.

{% set this_day = today | literal ~ '::DATE' %}

with
-- days that are over and have landed, also those without cost
days as (
    select connection, starting_at::DATE as day
    from ({{ buckets_of_width(ref('cost_buckets'), ['workspace_id'], '1d') }})
    where
        starting_at::DATE < {{ this_day }}
        and starting_at::DATE >= date_trunc('month', {{ this_day }}) - interval 1 month
),

reach as (
    select
        connection,
        max(day) filter (where day >= date_trunc('month', {{ this_day }})) as through_day
    from days
    group by connection
),

dated as (
    select
        days.connection,
        days.day,
        reach.through_day,
        days.day >= date_trunc('month', {{ this_day }}) as is_of_month,
        days.day < date_trunc('month', {{ this_day }})
        and day(days.day) <= coalesce(day(reach.through_day), 0) as is_of_month_before
    from days
    join reach using (connection)
),

reports as (
    select
        connection,
        max(through_day) as through_day,
        count(*) filter (where is_of_month) as days,
        count(*) filter (where is_of_month_before) as days_before
    from dated
    group by connection
),

spend as (
    select
        costs.connection,
        costs.workspace_id,
        costs.workspace_name,
        {{ total_usd(
            'case when is_of_month then costs.amount end',
            'case when is_of_month then costs.currency end'
        ) }} as spend_usd,
        {{ total_usd(
            'case when is_of_month_before then costs.amount end',
            'case when is_of_month_before then costs.currency end'
        ) }} as spend_before_usd
    from dated
    join {{ ref('cost_by_day_and_workspace') }} as costs using (connection, day)
    group by all
)

select
    spend.connection,
    spend.workspace_id,
    spend.workspace_name,
    date_trunc('month', {{ this_day }})::DATE as month,
    reports.through_day,
    reports.days,
    reports.days_before,
    spend.spend_usd,
    spend.spend_before_usd,
    spend.spend_usd - spend.spend_before_usd as change_usd,
    {{ ratio_of_amounts('spend.spend_usd - spend.spend_before_usd', 'spend.spend_before_usd') }}
        as change_share
from spend
join reports using (connection)
order by spend.connection, spend.workspace_id
