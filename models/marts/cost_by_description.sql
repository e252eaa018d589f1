-- Cost by UTC day, workspace and description, which tells model, token type and kind of cost; the
-- workspace without an id is `default`.

with
buckets as (
    {{ buckets_of_width(ref('cost_buckets'), ['description', 'workspace_id'], '1d') }}
),

costs as (
    select
        buckets.connection,
        buckets.starting_at::DATE as day,
        coalesce(results.workspace_id, 'default') as workspace_id,
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
    *,
    {{ in_usd('amount', 'currency') }} as amount_usd
from costs
order by all
