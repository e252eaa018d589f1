{#
    The counters of the usage report, summed over a group: whole numbers under their own names.

    `results`  what the results are called, say 'results' of `ref('usage_results') as results`
#}
{% macro usage_sums(results) -%}
    sum({{ results }}.uncached_input_tokens)::BIGINT as uncached_input_tokens,
    sum({{ results }}.cache_creation_5m_input_tokens)::BIGINT as cache_creation_5m_input_tokens,
    sum({{ results }}.cache_creation_1h_input_tokens)::BIGINT as cache_creation_1h_input_tokens,
    sum({{ results }}.cache_read_input_tokens)::BIGINT as cache_read_input_tokens,
    sum({{ results }}.output_tokens)::BIGINT as output_tokens,
    sum({{ results }}.web_search_requests)::BIGINT as web_search_requests
{%- endmacro %}
