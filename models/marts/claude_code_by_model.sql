-- Claude Code's tokens and estimated cost by model and UTC day, of all actors.

select
    connection,
    day,
    organization_id,
    coalesce(model, 'unknown') as model,
    count(distinct (actor_type, actor_email, actor_api_key_name)) as actors,
    sum(input_tokens)::BIGINT as input_tokens,
    sum(output_tokens)::BIGINT as output_tokens,
    sum(cache_read_tokens)::BIGINT as cache_read_tokens,
    sum(cache_creation_tokens)::BIGINT as cache_creation_tokens,
    {{ total_usd('estimated_cost', 'currency') }} as estimated_cost_usd
from {{ ref('claude_code_models') }}
group by all
order by connection, day, organization_id, model
