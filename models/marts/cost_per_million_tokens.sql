-- What a million tokens of each model have cost, of the days that both reports have whole.

with
usage_days as (
    {{ finest_buckets(ref('usage_buckets'), ['model']) }}
),

cost_days as (
    {{ buckets_of_width(ref('cost_buckets'), ['description'], '1d') }}
),

days as (
    select connection, starting_at::DATE as day
    from usage_days
    where is_whole_day

    intersect

    select connection, starting_at::DATE as day
    from cost_days
),

-- tokens of the priority tier are not on the bill
tokens as (
    select
        results.connection,
        results.starting_at::DATE as day,
        coalesce(results.model, 'unknown') as model,
        results.uncached_input_tokens
        + results.cache_creation_5m_input_tokens
        + results.cache_creation_1h_input_tokens
        + results.cache_read_input_tokens as input_tokens,
        results.output_tokens,
        list_contains(results.group_by, 'service_tier') as is_by_service_tier
    from usage_days
    join {{ ref('usage_results') }} as results using (connection, request, starting_at)
    where coalesce(results.service_tier, 'unknown') not like 'priority%'
),

costs as (
    select
        results.connection,
        results.starting_at::DATE as day,
        coalesce(results.model, 'unknown') as model,
        results.token_type,
        results.amount,
        results.currency
    from cost_days
    join {{ ref('cost_results') }} as results using (connection, request, starting_at)
    where results.cost_type = 'tokens'
),

parts as (
    from tokens
    union all by name
    from costs
),

sums as (
    select
        connection,
        model,
        min(day) as first_day,
        max(day) as last_day,
        count(distinct day) as days,
        coalesce(sum(input_tokens), 0)::BIGINT as input_tokens,
        coalesce(sum(output_tokens), 0)::BIGINT as output_tokens,
        {{ total_usd(
            "case when token_type like '%input_tokens' then amount end",
            "case when token_type like '%input_tokens' then currency end"
        ) }} as input_cost_usd,
        {{ total_usd(
            "case when token_type = 'output_tokens' then amount end",
            "case when token_type = 'output_tokens' then currency end"
        ) }} as output_cost_usd,
        {{ total_usd('amount', 'currency') }} as cost_usd,
        bool_and(is_by_service_tier) as is_without_priority_tier
    from parts
    semi join days using (connection, day)
    group by connection, model
)

select
    connection,
    model,
    first_day,
    last_day,
    days,
    input_tokens,
    output_tokens,
    input_tokens + output_tokens as tokens,
    input_cost_usd,
    output_cost_usd,
    cost_usd,
    {{ price_of_million('input_cost_usd', 'input_tokens') }} as usd_per_million_input_tokens,
    {{ price_of_million('output_cost_usd', 'output_tokens') }} as usd_per_million_output_tokens,
    {{ price_of_million('cost_usd', '(input_tokens + output_tokens)') }}
        as usd_per_million_tokens,
    is_without_priority_tier
from sums
order by connection, model
