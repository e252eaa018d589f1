-- Tokens and web searches at the finest grain that has landed, each figure once, with names.

{% set missing = {
    'workspace_id': 'default',
    'api_key_id': 'console',
    'account_id': 'none',
    'service_account_id': 'none',
    'model': 'unknown',
    'service_tier': 'unknown',
    'context_window': 'unknown',
    'inference_geo': 'unknown',
    'speed': 'unknown'
} %}

with
buckets as (
    {{ finest_buckets(ref('usage_buckets'), []) }}
),

sums as (
    select
        results.connection,
        results.starting_at,
        buckets.ending_at,
        buckets.group_by,
        {% for dimension, meaning in missing.items() -%}
        {{ named_dimension('results', dimension, meaning) }} as {{ dimension }},
        {% endfor -%}
        {{ usage_sums('results') }}
    from buckets
    join {{ ref('usage_results') }} as results using (connection, request, starting_at)
    group by all
)

select
    sums.connection,
    sums.starting_at::DATE as day,
    sums.starting_at,
    sums.ending_at,
    sums.group_by,
    sums.workspace_id,
    {{ workspace_name('workspaces', 'sums.workspace_id') }} as workspace_name,
    sums.api_key_id,
    coalesce(api_keys.name, case when sums.api_key_id = 'console' then 'Console' end)
        as api_key_name,
    sums.account_id,
    users.name as account_name,
    sums.service_account_id,
    sums.model,
    sums.service_tier,
    sums.context_window,
    sums.inference_geo,
    sums.speed,
    sums.uncached_input_tokens,
    sums.cache_creation_5m_input_tokens,
    sums.cache_creation_1h_input_tokens,
    sums.cache_read_input_tokens,
    sums.output_tokens,
    sums.web_search_requests
from sums
left join {{ names_of(ref('workspaces'), 'workspace_id') }} as workspaces
    using (connection, workspace_id)
left join {{ names_of(ref('api_keys'), 'api_key_id') }} as api_keys
    using (connection, api_key_id)
left join {{ names_of(ref('users'), 'user_id') }} as users
    on sums.connection = users.connection
    and sums.account_id = users.user_id
order by sums.connection, sums.starting_at, sums.workspace_id, sums.api_key_id, sums.model
