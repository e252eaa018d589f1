-- Which closed days came back different, and by how much: the last ones first (--var top=20).
select
    restated_at,
    stream,
    starting_at::DATE as day,
    field,
    before,
    after,
    moved
from {{ ref('restatements') }}
order by restated_at desc, stream, starting_at, field
limit {{ var('top', 20) | literal }}::INTEGER
