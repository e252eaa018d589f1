-- How far each report has come, when it was last asked for, and what is missing of it.
with
reach as (
    select
        stream,
        request ->> '$.group_by' as grouped_by,
        max(ending_at) as landed_up_to,
        date_trunc('second', max(fetched_at)) as fetched_at
    from lading.slices
    group by all
),

gaps as (
    select
        stream,
        request ->> '$.group_by' as grouped_by,
        sum(slices)::BIGINT as missing_slices,
        string_agg(distinct state, ', ' order by state) as states
    from lading.missing_at({{ run_started_at | literal }}::TIMESTAMP)
    where state <> 'open'
    group by all
)

select
    reach.stream,
    reach.grouped_by,
    reach.landed_up_to,
    reach.fetched_at,
    greatest(
        0, date_diff('hour', reach.landed_up_to, {{ run_started_at | literal }}::TIMESTAMP)
    ) as hours_behind,
    coalesce(gaps.missing_slices, 0) as missing_slices,
    gaps.states
from reach
left join gaps
    on reach.stream = gaps.stream and reach.grouped_by is not distinct from gaps.grouped_by
order by hours_behind desc, reach.stream, reach.grouped_by
