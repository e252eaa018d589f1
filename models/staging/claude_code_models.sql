-- Tokens and estimated cost (in cents) by model, for each record of the Claude Code report.

with
decoded as (
    select
        connection,
        starting_at,
        ordinal,
        day,
        organization_id,
        actor_type,
        actor_email,
        actor_api_key_name,
        unnest(model_breakdown) as model_breakdown
    from {{ ref('claude_code_records') }}
)

select
    connection,
    starting_at,
    ordinal,
    day,
    organization_id,
    actor_type,
    actor_email,
    actor_api_key_name,
    {{ json_text_or_null('model_breakdown.model') }} as model,
    {{ json_integer('model_breakdown.tokens.input') }} as input_tokens,
    {{ json_integer('model_breakdown.tokens.output') }} as output_tokens,
    {{ json_integer('model_breakdown.tokens.cache_read') }} as cache_read_tokens,
    {{ json_integer('model_breakdown.tokens.cache_creation') }} as cache_creation_tokens,
    {{ exact_amount('model_breakdown.estimated_cost.amount') }} as estimated_cost,
    {{ json_text('model_breakdown.estimated_cost.currency') }} as currency
from decoded
