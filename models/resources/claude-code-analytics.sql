-- The Claude Code report, a row for each actor's day: what the API splits by terminal, customer
-- type, local and remote use is summed up.

{% set actor_day =
    'connection, day, organization_id, actor_type, actor_email, actor_api_key_name'
%}

{% set in_range %}
    {%- if selector.timeFrame is none -%}
        day >= {{ selector.startingDate | literal }}::DATE
    {%- else -%}
        day > {{ run_started_at | literal }}::TIMESTAMP::DATE - {{ selector.timeFrame | literal }}
    {%- endif -%}
{% endset %}

with
records as (
    select
        {{ actor_day }},
        min(date) as date,
        string_agg(distinct customer_type, ', ' order by customer_type) as customer_type,
        string_agg(distinct subscription_type, ', ' order by subscription_type)
            as subscription_type,
        string_agg(distinct terminal_type, ', ' order by terminal_type) as terminal_type,
        case
            when count(is_remote) = count(*) and count(distinct is_remote) = 1
                then any_value(is_remote)
        end as is_remote,
        {
            'num_sessions': sum(num_sessions)::BIGINT,
            'lines_of_code': {
                'added': sum(lines_added)::BIGINT,
                'removed': sum(lines_removed)::BIGINT
            },
            'commits_by_claude_code': sum(commits)::BIGINT,
            'pull_requests_by_claude_code': sum(pull_requests)::BIGINT
        } as core_metrics
    from {{ ref('claude_code_records') }}
    where {{ in_range }}
    group by {{ actor_day }}
),

tool_sums as (
    select
        {{ actor_day }},
        tool,
        sum(accepted)::BIGINT as accepted,
        sum(rejected)::BIGINT as rejected
    from {{ ref('claude_code_tools') }}
    where {{ in_range }}
    group by {{ actor_day }}, tool
),

tools as (
    select
        {{ actor_day }},
        map(
            list(tool order by tool),
            list({'accepted': accepted, 'rejected': rejected} order by tool)
        ) as tool_actions
    from tool_sums
    group by {{ actor_day }}
),

model_sums as (
    select
        {{ actor_day }},
        model,
        currency,
        sum(input_tokens)::BIGINT as input,
        sum(output_tokens)::BIGINT as output,
        sum(cache_read_tokens)::BIGINT as cache_read,
        sum(cache_creation_tokens)::BIGINT as cache_creation,
        sum(estimated_cost) as estimated_cost
    from {{ ref('claude_code_models') }}
    where {{ in_range }}
    group by {{ actor_day }}, model, currency
),

models as (
    select
        {{ actor_day }},
        list(
            {
                'model': model,
                'tokens': {
                    'input': input,
                    'output': output,
                    'cache_read': cache_read,
                    'cache_creation': cache_creation
                },
                'estimated_cost': {'currency': currency, 'amount': estimated_cost}
            }
            order by model, currency
        ) as model_breakdown,
        {{ total_usd('estimated_cost', 'currency') }} as estimated_cost_usd
    from model_sums
    group by {{ actor_day }}
),

-- stacked and not joined, for parts of the key may be NULL
parts as (
    select * from records
    union all by name
    select * from tools
    union all by name
    select * from models
)

select
    connection,
    any_value(date) as date,
    {
        'type': actor_type,
        'email_address': actor_email,
        'email': actor_email,
        'api_key_name': actor_api_key_name
    } as actor,
    organization_id,
    any_value(customer_type) as customer_type,
    any_value(subscription_type) as subscription_type,
    any_value(terminal_type) as terminal_type,
    any_value(is_remote) as is_remote,
    any_value(core_metrics) as core_metrics,
    coalesce(any_value(tool_actions), map {}) as tool_actions,
    coalesce(any_value(model_breakdown), []) as model_breakdown,
    case
        when any_value(model_breakdown) is null then 0
        else any_value(estimated_cost_usd)
    end as estimated_cost_usd
from parts
group by {{ actor_day }}
order by {{ actor_day }}
