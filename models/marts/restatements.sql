-- Closed slices that came back different, a row for each figure that moved.

with
moved as (
    select
        * exclude (figures),
        from_json(request, '{"bucket_width": "VARCHAR", "group_by": ["VARCHAR"]}') as asked,
        -- A slice whose sums are what they were has a row as well.
        unnest(coalesce(nullif(figures, []), [null])) as figure
    from lading.restatements
)

select
    connection,
    stream,
    request,
    asked.bucket_width as bucket_width,
    asked.group_by as group_by,
    starting_at,
    ending_at,
    restated_at,
    run_id,
    records_before,
    records_after,
    figure.field as field,
    figure.before as before,
    figure.after as after,
    figure.after - figure.before as moved
from moved
order by restated_at, connection, stream, request, starting_at, field
