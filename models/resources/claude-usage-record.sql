-- The usage report, a row for each bucket, rolled up to the selector's `groupBy`. As in the API,
-- `speed` is not there at all where it is not asked for.

{% set dimensions = [
    'account_id',
    'api_key_id',
    'context_window',
    'inference_geo',
    'model',
    'service_account_id',
    'service_tier',
    'workspace_id'
] + (['speed'] if 'speed' in selector.groupBy else []) %}
{% set grouped = dimensions | select('in', selector.groupBy) | list %}

with
buckets as (
    select *
    from ({{ buckets_of_width(ref('usage_buckets'), grouped, selector.bucketWidth) }})
    where ending_at > {{ selector.startingDate | literal }}::TIMESTAMP
),

sums as (
    select
        buckets.connection,
        buckets.starting_at,
        {% for dimension in grouped -%}
        results.{{ dimension }},
        {% endfor -%}
        sum(results.uncached_input_tokens)::BIGINT as uncached_input_tokens,
        sum(results.cache_creation_1h_input_tokens)::BIGINT as cache_creation_1h_input_tokens,
        sum(results.cache_creation_5m_input_tokens)::BIGINT as cache_creation_5m_input_tokens,
        sum(results.cache_read_input_tokens)::BIGINT as cache_read_input_tokens,
        sum(results.output_tokens)::BIGINT as output_tokens,
        sum(results.web_search_requests)::BIGINT as web_search_requests
    from buckets
    join {{ ref('usage_results') }} as results using (connection, request, starting_at)
    group by all
),

shaped as (
    select
        connection,
        starting_at,
        list(
            {
                'uncached_input_tokens': uncached_input_tokens,
                'cache_creation': {
                    'ephemeral_1h_input_tokens': cache_creation_1h_input_tokens,
                    'ephemeral_5m_input_tokens': cache_creation_5m_input_tokens
                },
                'cache_read_input_tokens': cache_read_input_tokens,
                'output_tokens': output_tokens,
                'server_tool_use': {'web_search_requests': web_search_requests},
                {% for dimension in dimensions -%}
                '{{ dimension }}': {{ dimension if dimension in grouped else 'NULL::VARCHAR' }}
                {{- ',' if not loop.last }}
                {% endfor -%}
            }
            {% if grouped %}order by {{ grouped | join(', ') }}{% endif %}
        ) as results
    from sums
    group by all
)

select
    buckets.connection,
    strftime(buckets.starting_at, '%Y-%m-%dT%H:%M:%SZ') as starting_at,
    strftime(buckets.ending_at, '%Y-%m-%dT%H:%M:%SZ') as ending_at,
    coalesce(shaped.results, []) as results
from buckets
left join shaped using (connection, starting_at)
order by buckets.connection, buckets.starting_at
