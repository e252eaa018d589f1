{#
    Which extract answers for a bucket.

    The same use may have landed several times, in views of other groupings. They must never be
    added up. So for each connection and bucket these macros pick ONE request: of those whose
    `group_by` has every dimension in `dimensions`, the one that was extracted last (of several
    that were extracted at the same moment, the first by its text). A bucket that is empty in that
    extract is picked as well.

    `buckets`     a staging model with a row for each landed bucket, say `ref('usage_buckets')`
    `dimensions`  a list of dimensions; every request has those of []
    `width`       '1d', '1h' or '1m'

    Both give connection, request, starting_at and ending_at, a row for each bucket. Join results
    by the first three.
#}

{# The buckets of one width. #}
{% macro buckets_of_width(buckets, dimensions, width) -%}
    select connection, request, starting_at, ending_at
    from {{ buckets }}
    where
        bucket_width = {{ width | literal }}
        and list_has_all(group_by, {{ dimensions | literal }}::VARCHAR[])
    qualify
        row_number() over (
            partition by connection, starting_at
            order by extracted_at desc, request
        ) = 1
{%- endmacro %}

{#
    The buckets that make up days, of one width for each connection and day: of the width that has
    seen most of the day (until it was extracted), of several that have seen as much the one
    extracted last, then the widest. A width counts if its buckets follow from midnight on without
    a gap.
#}
{% macro buckets_of_days(buckets, dimensions) -%}
    with
    freshest as (
        select
            connection,
            request,
            bucket_width,
            starting_at,
            ending_at,
            extracted_at,
            starting_at::DATE as day,
            epoch(ending_at - starting_at) as seconds
        from {{ buckets }}
        where list_has_all(group_by, {{ dimensions | literal }}::VARCHAR[])
        qualify
            row_number() over (
                partition by connection, bucket_width, starting_at
                order by extracted_at desc, request
            ) = 1
    ),

    widths as (
        select
            connection,
            day,
            bucket_width,
            sum(epoch(least(ending_at, extracted_at) - starting_at)) as seconds_seen,
            min(extracted_at) as extracted_at,
            max(seconds) as seconds_wide
        from freshest
        group by connection, day, bucket_width
        having sum(seconds) = epoch(max(ending_at) - day::TIMESTAMP)
    ),

    best as (
        select connection, day, bucket_width
        from widths
        qualify
            row_number() over (
                partition by connection, day
                order by seconds_seen desc, extracted_at desc, seconds_wide desc
            ) = 1
    )

    select connection, request, starting_at, ending_at
    from freshest
    join best using (connection, day, bucket_width)
{%- endmacro %}

{#
    The buckets of the finest extract that has one, so that each figure counts once. Of the extracts
    whose `group_by` has every dimension in `dimensions`:

    1. For each bucket the one that knew most of it: how long after the bucket's end it was
       fetched, up to three days, which is when a bucket is final. Extracts of one run knew as
       much. So one that is no longer fetched gives way for the days that it did not see out, and
       keeps those that it did.
    2. Of these the one with most dimensions; of several with as many the first by its text, the
       same for each day.
    3. For each hour the minutes or the hour, and for each day these or the day: what covers
       most, what knew most, what has most dimensions, the narrower.

    A day with gaps has the buckets that are there. Gives connection, request, starting_at,
    ending_at, bucket_width, group_by, and is_whole_day: whether the day's buckets follow from
    midnight to midnight without a gap and each was fetched after its end.
#}
{% macro finest_buckets(buckets, dimensions) -%}
    with
    fetched as (
        select
            *,
            least(
                max(extracted_at) over (partition by connection, run_id),
                ending_at + interval 3 days
            ) as known_until
        from {{ buckets }}
        where list_has_all(group_by, {{ dimensions | literal }}::VARCHAR[])
    ),

    finest as (
        select *, bucket_width = '1d' as is_day, starting_at::DATE as day
        from fetched
        qualify
            row_number() over (
                partition by connection, bucket_width, starting_at
                order by known_until desc, len(group_by) desc, request
            ) = 1
    ),

    of_hours as ({{ _widths_that_cover_most('finest', "is_day, date_trunc('hour', starting_at)") }}),

    of_days as ({{ _widths_that_cover_most('of_hours', 'day') }})

    select
        connection,
        request,
        starting_at,
        ending_at,
        bucket_width,
        group_by,
        bool_and(known_until >= ending_at) over whole_day
        and sum(epoch(ending_at - starting_at)) over whole_day = 86400 as is_whole_day
    from of_days
    window whole_day as (partition by connection, day)
{%- endmacro %}

{# Days and what is narrower are told apart by is_day; within an hour, hours and minutes. #}
{% macro _widths_that_cover_most(buckets, period) -%}
    {%- set width = 'is_day' if period == 'day' else 'bucket_width' -%}
    select * exclude (covers, knows, dimensions, seconds)
    from (
        select
            *,
            sum(epoch(least(ending_at, known_until) - starting_at)) over one as covers,
            min(greatest(epoch(known_until - ending_at), 0)) over one as knows,
            min(len(group_by)) over one as dimensions,
            max(epoch(ending_at - starting_at)) over one as seconds
        from {{ buckets }}
        window one as (partition by connection, {{ period }}, {{ width }})
    )
    qualify
        rank() over (
            partition by connection, {{ period }}
            order by covers desc, knows desc, dimensions desc, seconds, {{ width }}
        ) = 1
{%- endmacro %}

{# What has landed of a report in buckets, a row for each bucket, also for the empty ones. #}
{% macro landed_buckets(report) -%}
    with
    landed as (
        select
            connection,
            request,
            from_json(request, '{"bucket_width": "VARCHAR", "group_by": ["VARCHAR"]}') as asked,
            starting_at,
            ending_at,
            extracted_at,
            run_id
        from {{ report }}
    )

    select
        connection,
        request,
        asked.bucket_width as bucket_width,
        asked.group_by as group_by,
        starting_at,
        ending_at,
        extracted_at,
        run_id
    from landed
{%- endmacro %}
