-- The cost report, a row for each day, its results summed up.

with
buckets as (
    select *
    from ({{ buckets_of_width(ref('cost_buckets'), [], selector.bucketWidth) }})
    where ending_at > {{ selector.startingDate | literal }}::TIMESTAMP
),

sums as (
    select
        buckets.connection,
        buckets.starting_at,
        results.currency,
        sum(results.amount) as amount
    from buckets
    join {{ ref('cost_results') }} as results using (connection, request, starting_at)
    group by all
),

shaped as (
    select
        connection,
        starting_at,
        list(
            {
                'amount': {{ plain_text('amount') }},
                'currency': currency,
                'context_window': NULL::VARCHAR,
                'cost_type': NULL::VARCHAR,
                'description': NULL::VARCHAR,
                'inference_geo': NULL::VARCHAR,
                'model': NULL::VARCHAR,
                'service_tier': NULL::VARCHAR,
                'token_type': NULL::VARCHAR,
                'workspace_id': NULL::VARCHAR,
                'amount_usd': {{ in_usd('amount', 'currency') }}
            }
            order by currency
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
