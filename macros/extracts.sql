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
