-- The results of the cost report's buckets, as the API gives them: amounts in cents.

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
                "workspace_id": "JSON",
                "description": "JSON",
                "cost_type": "JSON",
                "token_type": "JSON",
                "model": "JSON",
                "service_tier": "JSON",
                "context_window": "JSON",
                "inference_geo": "JSON",
                "currency": "JSON",
                "amount": "JSON"
            }]
        }') as bucket
    from {{ source('claude_platform', 'cost_report') }}
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
    {{ json_text_or_null('result.workspace_id') }} as workspace_id,
    {{ json_text_or_null('result.description') }} as description,
    {{ json_text_or_null('result.cost_type') }} as cost_type,
    {{ json_text_or_null('result.token_type') }} as token_type,
    {{ json_text_or_null('result.model') }} as model,
    {{ json_text_or_null('result.service_tier') }} as service_tier,
    {{ json_text_or_null('result.context_window') }} as context_window,
    {{ json_text_or_null('result.inference_geo') }} as inference_geo,
    {{ json_text('result.currency') }} as currency,
    {{ json_amount('result.amount') }} as amount
from results
