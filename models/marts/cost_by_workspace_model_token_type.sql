-- Cost by UTC day, workspace, model and token type. What is not about tokens has neither model nor
-- token type; its kind is in cost_type.

with
costs as (
    select
        connection,
        day,
        workspace_id,
        cost_type,
        model,
        token_type,
        currency,
        sum(amount)::DECIMAL(38, 15) as amount
    from {{ ref('cost_by_description') }}
    group by all
)

select
    costs.connection,
    costs.day,
    costs.workspace_id,
    {{ workspace_name('workspaces', 'costs.workspace_id') }} as workspace_name,
    costs.cost_type,
    costs.model,
    costs.token_type,
    costs.currency,
    costs.amount,
    {{ in_usd('costs.amount', 'costs.currency') }} as amount_usd
from costs
left join {{ names_of(ref('workspaces'), 'workspace_id') }} as workspaces
    using (connection, workspace_id)
order by all
