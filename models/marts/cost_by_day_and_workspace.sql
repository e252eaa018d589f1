-- Cost by UTC day, workspace and currency; the workspace without an id is `default`.

with
buckets as (
    {{ buckets_of_width(ref('cost_buckets'), ['workspace_id'], '1d') }}
),

costs as (
    select
        buckets.connection,
        buckets.starting_at::DATE as day,
        coalesce(results.workspace_id, 'default') as workspace_id,
        results.currency,
        sum(results.amount)::DECIMAL(38, 15) as amount
    from buckets
    join {{ ref('cost_results') }} as results using (connection, request, starting_at)
    group by all
)

select
    costs.connection,
    costs.day,
    costs.workspace_id,
    {{ workspace_name('workspaces', 'costs.workspace_id') }} as workspace_name,
    costs.currency,
    costs.amount,
    {{ in_usd('costs.amount', 'costs.currency') }} as amount_usd
from costs
left join {{ names_of(ref('workspaces'), 'workspace_id') }} as workspaces
    using (connection, workspace_id)
order by costs.connection, costs.day, costs.workspace_id, costs.currency
