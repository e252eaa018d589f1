-- The cost report as rows of the FinOps Open Cost and Usage Specification (FOCUS) 1.2.

{% set terms = ['service_tier', 'context_window', 'inference_geo'] %}
{% set token_columns = {
    'uncached_input_tokens': 'uncached_input_tokens',
    'cache_creation.ephemeral_5m_input_tokens': 'cache_creation_5m_input_tokens',
    'cache_creation.ephemeral_1h_input_tokens': 'cache_creation_1h_input_tokens',
    'cache_read_input_tokens': 'cache_read_input_tokens',
    'output_tokens': 'output_tokens'
} %}

with
usage_days as (
    {{ finest_buckets(ref('usage_buckets'), ['model', 'workspace_id']) }}
),

-- the terms of price that a day's whole usage is grouped by
grouped_days as (
    select
        connection,
        starting_at::DATE as day,
        {% for term in terms -%}
        bool_and(list_contains(group_by, '{{ term }}')) as by_{{ term }}{{ ',' if not loop.last }}
        {% endfor %}
    from usage_days
    where is_whole_day
    group by all
),

used as (
    select
        results.connection,
        results.starting_at::DATE as day,
        coalesce(results.workspace_id, 'default') as workspace_id,
        results.model,
        {% for term in terms -%}
        case when grouped_days.by_{{ term }} then results.{{ term }} end as {{ term }},
        {% endfor -%}
        {% for column in token_columns.values() -%}
        sum(results.{{ column }}) as {{ column }},
        {% endfor -%}
        sum(results.web_search_requests) as web_search_requests
    from usage_days
    join {{ ref('usage_results') }} as results using (connection, request, starting_at)
    join grouped_days
        on results.connection = grouped_days.connection
        and results.starting_at::DATE = grouped_days.day
    group by all
),

quantities as (
    select
        connection,
        day,
        workspace_id,
        model,
        {% for term in terms -%}
        {{ term }},
        {% endfor -%}
        unnest([
            {% for token_type, column in token_columns.items() -%}
            {'meter': '{{ token_type }}', 'quantity': {{ column }}}{{ ',' if not loop.last }}
            {% endfor %}
        ], recursive := true)
    from used

    union all by name

    select connection, day, workspace_id, 'web_search' as meter, sum(web_search_requests) as quantity
    from used
    group by all
),

-- a charge is told by the terms that both reports have
charges as (
    select
        costs.*,
        coalesce(costs.token_type, costs.cost_type, costs.description) as meter,
        {{ in_major_unit('costs.amount', 'costs.currency') }} as cost,
        {% for term in terms -%}
        case when grouped_days.by_{{ term }} then costs.{{ term }} end as used_{{ term }},
        {% endfor -%}
        grouped_days.by_service_tier
    from {{ ref('cost_by_description') }} as costs
    left join grouped_days using (connection, day)
),

-- what several charges share is not split
measured as (
    select
        charges.*,
        case
            when quantities.quantity > 0
                and count(*) over (
                    partition by
                        charges.connection,
                        charges.day,
                        charges.workspace_id,
                        charges.meter,
                        charges.model,
                        {% for term in terms -%}
                        charges.used_{{ term }}{{ ',' if not loop.last }}
                        {% endfor %}
                ) = 1
                then quantities.quantity::BIGINT
        end as quantity
    from charges
    left join quantities
        on charges.connection = quantities.connection
        and charges.day = quantities.day
        and charges.workspace_id = quantities.workspace_id
        and charges.meter = quantities.meter
        and charges.model is not distinct from quantities.model
        {% for term in terms -%}
        and charges.used_{{ term }} is not distinct from quantities.{{ term }}
        {% endfor %}
),

priced as (
    select
        *,
        {{ price_of_million('cost', 'quantity') }} as price,
        {{ price_of_million('cost', 'quantity') }} * quantity = cost * 1000000 as is_exact
    from measured
),

-- Tokens of the priority tier are not on the bill. Where they may be among the used ones, only a
-- price without a remainder shows that they are not.
billed as (
    select
        * exclude (quantity, price),
        case when by_service_tier or is_exact or meter = 'web_search' then quantity end as quantity,
        case when is_exact then price end as price,
        case when meter = 'web_search' then 1000 else 1000000 end as unit_size,
        case when meter = 'web_search' then 'Requests' else 'Tokens' end as unit,
        coalesce(model || '/', '') || meter as sku
    from priced
),

organizations as (
    select
        connection,
        max_by(organization_id, last_seen_at) as organization_id,
        max_by(name, last_seen_at) as name
    from {{ ref('organization_records') }}
    group by connection
),

workspaces as (
    select
        connection,
        workspace_id,
        max(name) as name,
        nullif(max(tags::VARCHAR), '{}')::JSON as tags
    from {{ ref('workspaces') }}
    group by connection, workspace_id
)

select
    billed.cost as BilledCost,
    coalesce(organizations.organization_id, billed.connection) as BillingAccountId,
    organizations.name as BillingAccountName,
    'Organization' as BillingAccountType,
    billed.currency as BillingCurrency,
    date_trunc('month', billed.day)::TIMESTAMP + interval 1 month as BillingPeriodEnd,
    date_trunc('month', billed.day)::TIMESTAMP as BillingPeriodStart,
    'Usage' as ChargeCategory,
    NULL::VARCHAR as ChargeClass,
    billed.description as ChargeDescription,
    'Usage-Based' as ChargeFrequency,
    billed.day::TIMESTAMP + interval 1 day as ChargePeriodEnd,
    billed.day::TIMESTAMP as ChargePeriodStart,
    billed.quantity::DECIMAL(38, 0) as ConsumedQuantity,
    case when billed.quantity is not null then billed.unit end as ConsumedUnit,
    billed.cost as ContractedCost,
    (billed.price * billed.unit_size * 0.000001)::DECIMAL(38, 12) as ContractedUnitPrice,
    billed.cost as EffectiveCost,
    'Anthropic' as InvoiceIssuerName,
    billed.cost as ListCost,
    (billed.price * billed.unit_size * 0.000001)::DECIMAL(38, 12) as ListUnitPrice,
    'Standard' as PricingCategory,
    case billed.unit_size
        when 1000 then billed.quantity * 0.001
        else billed.quantity * 0.000001
    end::DECIMAL(38, 6) as PricingQuantity,
    case when billed.quantity is not null then billed.unit_size || ' ' || billed.unit end
        as PricingUnit,
    'Anthropic' as ProviderName,
    'Anthropic' as PublisherName,
    case when billed.inference_geo not in ('global', 'not_available') then billed.inference_geo end
        as RegionId,
    case
        when billed.inference_geo not in ('global', 'not_available')
            then upper(billed.inference_geo)
    end as RegionName,
    'AI and Machine Learning' as ServiceCategory,
    'Claude API' as ServiceName,
    'Generative AI' as ServiceSubcategory,
    billed.sku as SkuId,
    billed.meter as SkuMeter,
    -- a patch leaves out what is null
    nullif(
        json_merge_patch(
            '{}',
            json_object(
                'x_ContextWindow', billed.context_window,
                'x_InferenceGeo', billed.inference_geo,
                'x_Model', billed.model,
                'x_ServiceTier', billed.service_tier
            )
        )::VARCHAR,
        '{}'
    )::JSON as SkuPriceDetails,
    billed.description as SkuPriceId,
    billed.workspace_id as SubAccountId,
    coalesce(
        {{ workspace_name('workspaces', 'billed.workspace_id') }},
        billed.workspace_id
    ) as SubAccountName,
    'Workspace' as SubAccountType,
    workspaces.tags as Tags,
    billed.connection as x_Connection,
    billed.context_window as x_ContextWindow,
    billed.cost_type as x_CostType,
    billed.inference_geo as x_InferenceGeo,
    billed.model as x_Model,
    billed.service_tier as x_ServiceTier,
    billed.token_type as x_TokenType
from billed
left join organizations using (connection)
left join workspaces using (connection, workspace_id)
order by BillingAccountId, ChargePeriodStart, SubAccountId, ChargeDescription, BillingCurrency
