"""Views of the books, for people who ask in SQL: `lading.run_totals` and `lading.missing`."""

from __future__ import annotations

# A slice is as long as its extract's buckets; a report of records has days. What a request that
# failed had covered counts until a later one has landed the slice; of those of one moment the one
# that was tried tells more than those that were not asked since it had failed. A list, whose
# requests begin and end at one moment, is missing from when another one is due.
VIEWS = """
-- Each run with its requests: how many, how many of them failed, pages, retries, records, bytes.
CREATE OR REPLACE VIEW lading.run_totals AS
SELECT r.run_id, r.command, r.started_at, r.ended_at, r.status,
    epoch(r.ended_at - r.started_at) AS seconds,
    coalesce(q.requests, 0) AS requests, coalesce(q.failed, 0) AS failed,
    coalesce(q.pages, 0) AS pages, coalesce(q.retries, 0) AS retries,
    coalesce(q.records, 0) AS records, coalesce(q.bytes, 0) AS bytes,
    r.entities, r.refused, r.deleted, r.exit_code, r.error
FROM lading.runs AS r
LEFT JOIN (
    SELECT run_id, count(*) AS requests, count(*) FILTER (status <> 'landed') AS failed,
        sum(pages)::BIGINT AS pages, sum(retries)::BIGINT AS retries,
        sum(records)::BIGINT AS records, sum(bytes)::BIGINT AS bytes
    FROM lading.requests GROUP BY run_id
) AS q USING (run_id);

CREATE OR REPLACE MACRO lading.missing_at(moment) AS TABLE
WITH
extracts AS (
    SELECT connection, stream, request::VARCHAR AS request,
        min(starting_at) AS first_at, max(ending_at) AS last_at, max(ended_at) AS last_asked_at,
        CASE request ->> '$.bucket_width'
            WHEN '1m' THEN INTERVAL 1 MINUTE WHEN '1h' THEN INTERVAL 1 HOUR ELSE INTERVAL 1 DAY
        END AS width,
        bool_and(starting_at = ending_at) AS is_list
    FROM lading.requests
    GROUP BY ALL
),
failures AS (
    SELECT connection, stream, request::VARCHAR AS request, starting_at, ending_at, ended_at, error,
        {'at': ended_at, 'tried': status = 'failed'} AS position
    FROM lading.requests WHERE status <> 'landed'
),
differing AS (
    SELECT connection, stream, run_id, starting_at,
        'control totals differ: ' || string_agg(DISTINCT field, ', ' ORDER BY field) AS why
    FROM lading.control_totals
    GROUP BY ALL
),
landed AS (
    SELECT connection, stream, request::VARCHAR AS request, starting_at, ending_at, records,
        closed, fetched_at, run_id
    FROM lading.slices
),
troubled AS (
    SELECT s.connection, s.stream, s.request, s.starting_at, s.ending_at,
        s.records = 0 AND s.request ->> '$.bucket_width' IS NOT NULL AS is_absent,
        arg_max(f.error, f.position) AS error, max(d.why) AS difference
    FROM landed AS s
    LEFT JOIN failures AS f
        ON f.connection = s.connection AND f.stream = s.stream AND f.request = s.request
        AND f.starting_at < s.ending_at AND f.ending_at > s.starting_at
        AND f.ended_at >= s.fetched_at
    LEFT JOIN differing AS d
        ON d.connection = s.connection AND d.stream = s.stream AND d.run_id = s.run_id
        AND d.starting_at = s.starting_at
    WHERE NOT s.closed
    GROUP BY s.connection, s.stream, s.request, s.starting_at, s.ending_at, is_absent
),
unclosed AS (
    SELECT connection, stream, request, starting_at, ending_at,
        CASE
            WHEN error IS NOT NULL THEN 'failed'
            WHEN difference IS NOT NULL THEN 'differs'
            WHEN is_absent THEN 'gap'
            ELSE 'open'
        END AS state,
        CASE
            WHEN error IS NOT NULL THEN error
            WHEN difference IS NOT NULL THEN difference
            WHEN is_absent THEN 'the report had no such bucket'
            ELSE 'asked for again until the lookback is over'
        END AS why
    FROM troubled
),
edges AS (
    SELECT connection, stream, request, starting_at, ending_at FROM landed
    UNION ALL
    SELECT connection, stream, request, first_at, first_at FROM extracts
    UNION ALL
    SELECT connection, stream, request, last_at, last_at FROM extracts
),
holes AS (
    SELECT connection, stream, request,
        max(ending_at) OVER (
            PARTITION BY connection, stream, request ORDER BY starting_at, ending_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS hole_at,
        starting_at AS hole_end
    FROM edges SEMI JOIN (FROM extracts WHERE NOT is_list) USING (connection, stream, request)
    QUALIFY hole_end > hole_at
),
gaps AS (
    SELECT h.connection, h.stream, h.request, h.hole_at, h.hole_end,
        CASE WHEN max(f.ended_at) IS NULL THEN 'gap' ELSE 'failed' END AS state,
        coalesce(arg_max(f.error, f.position), 'no run has landed it') AS why
    FROM holes AS h
    LEFT JOIN failures AS f
        ON f.connection = h.connection AND f.stream = h.stream AND f.request = h.request
        AND f.starting_at < h.hole_end AND f.ending_at > h.hole_at
    GROUP BY ALL
),
lists AS (
    FROM extracts WHERE is_list
    QUALIFY row_number() OVER (PARTITION BY connection, stream ORDER BY last_asked_at DESC) = 1
),
due AS (
    SELECT l.connection, l.stream, l.request, coalesce(s.ending_at, l.first_at) AS due_at,
        CASE WHEN max(f.ended_at) IS NOT NULL THEN 'failed' WHEN s.ending_at IS NULL THEN 'gap'
            ELSE 'open' END AS state,
        coalesce(arg_max(f.error, f.position), CASE WHEN s.ending_at IS NULL
            THEN 'no run has landed it' ELSE 'older than its max_age' END) AS why
    FROM lists AS l
    LEFT JOIN landed AS s
        ON s.connection = l.connection AND s.stream = l.stream AND s.request = l.request
    LEFT JOIN failures AS f
        ON f.connection = l.connection AND f.stream = l.stream AND f.request = l.request
        AND (s.fetched_at IS NULL OR f.ended_at >= s.fetched_at)
    WHERE s.ending_at IS NULL OR s.ending_at <= moment::TIMESTAMP
    GROUP BY l.connection, l.stream, l.request, l.first_at, s.ending_at
),
islands AS (
    SELECT u.*, e.width, u.starting_at - e.width * row_number() OVER (
        PARTITION BY u.connection, u.stream, u.request, state, why ORDER BY u.starting_at
    ) AS island
    FROM unclosed AS u
    JOIN extracts AS e USING (connection, stream, request)
),
periods AS (
    SELECT connection, stream, request, min(starting_at) AS starting_at,
        max(ending_at) AS ending_at, state, why
    FROM islands GROUP BY connection, stream, request, state, why, island
    UNION ALL
    FROM gaps
    UNION ALL
    SELECT connection, stream, request, due_at, moment::TIMESTAMP, state, why FROM due
    UNION ALL
    SELECT connection, stream, request, last_at, time_bucket(width, moment, last_at),
        'not asked', 'no run has asked for it since it was over'
    FROM extracts WHERE NOT is_list AND last_at + width <= moment
)
SELECT p.connection, p.stream, p.request::JSON AS request, p.starting_at, p.ending_at,
    p.state, p.why, CASE WHEN e.is_list THEN 1
        ELSE (epoch(p.ending_at - p.starting_at) / epoch(e.width))::BIGINT END AS slices,
    e.last_asked_at
FROM periods AS p
JOIN extracts AS e USING (connection, stream, request)
ORDER BY p.connection, p.stream, p.request::VARCHAR, p.starting_at;

-- Each period that should be there and is not, or may still change, and why: `failed`, `gap`,
-- `differs`, `not asked`, `open`.
CREATE OR REPLACE VIEW lading.missing AS
FROM lading.missing_at(make_timestamp(epoch_us(now())));
"""
