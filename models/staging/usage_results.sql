-- The results of the usage report's buckets, as the API gives them.

with
buckets as (
    select
        connection,
        request,
        starting_at,
        ending_at,
        extracted_at,
        from_json(request, '{"bucket_width": "VARCHAR", "group_by": ["VARCHAR"]}') as asked,
        from_json(payload, '{
            "results": [{
                "account_id": "JSON",
                "api_key_id": "JSON",
                "context_window": "JSON",
                "inference_geo": "JSON",
                "model": "JSON",
                "service_account_id": "JSON",
                "service_tier": "JSON",
                "speed": "JSON",
                "workspace_id": "JSON",
                "uncached_input_tokens": "JSON",
                "cache_creation": {
                    "ephemeral_5m_input_tokens": "JSON",
                    "ephemeral_1h_input_tokens": "JSON"
                },
                "cache_read_input_tokens": "JSON",
                "output_tokens": "JSON",
                "server_tool_use": {"web_search_requests": "JSON"}
            }]
        }') as bucket
    from {{ source('claude_platform', 'usage_messages') }}
),

results as (
    select
        connection,
        request,
        asked.bucket_width as bucket_width,
        asked.group_by as group_by,
        starting_at,
        ending_at,
        extracted_at,
        unnest({{ json_list('bucket.results') }}) as result
    from buckets
)

select
    connection,
    request,
    bucket_width,
    group_by,
    starting_at,
    ending_at,
    extracted_at,
    {{ json_text_or_null('result.account_id') }} as account_id,
    {{ json_text_or_null('result.api_key_id') }} as api_key_id,
    {{ json_text_or_null('result.context_window') }} as context_window,
    {{ json_text_or_null('result.inference_geo') }} as inference_geo,
    {{ json_text_or_null('result.model') }} as model,
    {{ json_text_or_null('result.service_account_id') }} as service_account_id,
    {{ json_text_or_null('result.service_tier') }} as service_tier,
    {{ json_text_or_null('result.speed') }} as speed,
    {{ json_text_or_null('result.workspace_id') }} as workspace_id,
    {{ json_integer('result.uncached_input_tokens') }} as uncached_input_tokens,
    {{ json_integer('result.cache_creation.ephemeral_5m_input_tokens') }}
        as cache_creation_5m_input_tokens,
    {{ json_integer('result.cache_creation.ephemeral_1h_input_tokens') }}
        as cache_creation_1h_input_tokens,
    {{ json_integer('result.cache_read_input_tokens') }} as cache_read_input_tokens,
    {{ json_integer('result.output_tokens') }} as output_tokens,
    {{ json_integer('result.server_tool_use.web_search_requests') }} as web_search_requests
from results
