-- Cost at the finest grain that has landed, each amount once, with names.

with
buckets as (
    {{ finest_buckets(ref('cost_buckets'), []) }}
),

sums as (
    select
        results.connection,
        results.starting_at::DATE as day,
        buckets.group_by,
        {{ named_dimension('results', 'workspace_id', 'default') }} as workspace_id,
        results.description,
        results.cost_type,
        results.token_type,
        results.model,
        results.service_tier,
        results.context_window,
        results.inference_geo,
        results.currency,
        sum(results.amount)::DECIMAL(38, 15) as amount
    from buckets
    join {{ ref('cost_results') }} as results using (connection, request, starting_at)
    group by all
)

select
    sums.connection,
    sums.day,
    sums.group_by,
    sums.workspace_id,
    {{ workspace_name('workspaces', 'sums.workspace_id') }} as workspace_name,
    sums.description,
    sums.cost_type,
    sums.token_type,
    sums.model,
    sums.service_tier,
    sums.context_window,
    sums.inference_geo,
    sums.currency,
    sums.amount,
    {{ in_usd('sums.amount', 'sums.currency') }} as amount_usd
from sums
left join {{ names_of(ref('workspaces'), 'workspace_id') }} as workspaces
    using (connection, workspace_id)
order by sums.connection, sums.day, sums.workspace_id, sums.description
