-- Claude Code's use by actor and UTC day: all terminals, all customer types, local and remote.

with
-- records, tools and models differ in grain, so they are stacked and summed once, not joined
parts as (
    select * exclude (tool_actions, model_breakdown)
    from {{ ref('claude_code_records') }}

    union all by name

    select *
    from {{ ref('claude_code_tools') }}

    union all by name

    select *
    from {{ ref('claude_code_models') }}
)

select
    connection,
    day,
    organization_id,
    actor_type,
    coalesce(actor_api_key_name, actor_email, 'unknown') as actor_name,
    actor_email,
    actor_api_key_name,
    sum(num_sessions)::BIGINT as num_sessions,
    sum(lines_added)::BIGINT as lines_added,
    sum(lines_removed)::BIGINT as lines_removed,
    sum(commits)::BIGINT as commits,
    sum(pull_requests)::BIGINT as pull_requests,
    coalesce(sum(accepted), 0)::BIGINT as tool_actions_accepted,
    coalesce(sum(rejected), 0)::BIGINT as tool_actions_rejected,
    coalesce(sum(input_tokens), 0)::BIGINT as input_tokens,
    coalesce(sum(output_tokens), 0)::BIGINT as output_tokens,
    coalesce(sum(cache_read_tokens), 0)::BIGINT as cache_read_tokens,
    coalesce(sum(cache_creation_tokens), 0)::BIGINT as cache_creation_tokens,
    {{ total_usd('estimated_cost', 'currency') }} as estimated_cost_usd
from parts
group by all
order by connection, day, organization_id, actor_name, actor_type
