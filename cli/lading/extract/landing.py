"""From the spool into the raw tables: whole slices and their bookkeeping, in one transaction.

DuckDB reads the files itself and keeps each record's text as it came, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING

from lading.errors import DatabaseError
from lading.extract.plan import Landed, Period
from lading.extract.spool import Arrival

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's own default for the largest JSON object, in bytes; its buffers grow with it.
LARGEST_OBJECT = 16 * 1024 * 1024

ARRIVALS = """
CREATE OR REPLACE TEMP TABLE arrivals AS
SELECT a.* REPLACE (
    a.request::JSON AS request, a.starting_at::TIMESTAMP AS starting_at,
    a.ending_at::TIMESTAMP AS ending_at, a.closes_at::TIMESTAMP AS closes_at,
    a.asked_at::TIMESTAMP AS asked_at, a.fetched_at::TIMESTAMP AS fetched_at
), to_seconds(a.slice_seconds) AS slice
FROM (SELECT unnest(from_json($arrivals, '[{
    "request_id": "VARCHAR", "run_id": "VARCHAR", "connection": "VARCHAR", "stream": "VARCHAR",
    "request": "VARCHAR", "reason": "VARCHAR", "starting_at": "VARCHAR", "ending_at": "VARCHAR",
    "slice_seconds": "BIGINT", "in_buckets": "BOOLEAN", "closes_at": "VARCHAR",
    "asked_at": "VARCHAR", "fetched_at": "VARCHAR", "files": ["VARCHAR"], "records": "BIGINT",
    "size": "BIGINT"
}]')) AS a)
"""

# A bucket says its own period; a record of a day stream belongs to the day that was asked for.
RECORDS = """
CREATE OR REPLACE TEMP TABLE arrived AS
SELECT a.request_id, a.connection, a.request, a.fetched_at, a.run_id, r.arrival, r.payload,
    CASE WHEN a.in_buckets THEN (r.payload ->> '$.starting_at')::TIMESTAMP ELSE a.starting_at END
        AS starting_at,
    CASE WHEN a.in_buckets THEN (r.payload ->> '$.ending_at')::TIMESTAMP ELSE a.ending_at END
        AS ending_at
FROM (
    SELECT json AS payload, filename, row_number() OVER () AS arrival
    FROM read_json_objects($files, format = 'unstructured', filename = true,
        maximum_object_size = $largest)
) AS r
JOIN (SELECT request_id, unnest(files) AS filename FROM arrivals) AS f USING (filename)
JOIN arrivals AS a USING (request_id)
"""

REPLACE = """
DELETE FROM {table} AS old USING arrivals AS a
WHERE old.connection = a.connection AND old.request = a.request {and_stream}
    AND old.starting_at >= a.starting_at AND old.starting_at < a.ending_at
"""

INSERT = """
INSERT INTO {table}
SELECT connection, request, starting_at, ending_at,
    row_number() OVER (PARTITION BY connection, request, starting_at ORDER BY arrival) - 1,
    payload, fetched_at, run_id
FROM arrived
ORDER BY connection, request, starting_at, arrival
"""

# A slice without records has landed as well: the report says that there was nothing. A bucket
# that is not there says nothing: such a slice is never closed.
SLICES = """
INSERT INTO lading.slices
WITH expected AS (
    SELECT request_id, unnest(generate_series(starting_at, ending_at - slice, slice)) AS starting_at
    FROM arrivals
),
counted AS (
    SELECT request_id, starting_at, count(*) AS records
    FROM arrived GROUP BY request_id, starting_at
)
SELECT a.connection, a.stream, a.request, e.starting_at, e.starting_at + a.slice,
    coalesce(c.records, 0),
    e.starting_at + a.slice <= a.closes_at AND (c.records IS NOT NULL OR NOT a.in_buckets),
    a.fetched_at, a.run_id
FROM expected AS e
JOIN arrivals AS a USING (request_id)
LEFT JOIN counted AS c ON c.request_id = e.request_id AND c.starting_at = e.starting_at
ORDER BY a.request, e.starting_at
"""

REQUESTS = """
INSERT INTO lading.requests
SELECT request_id, run_id, connection, stream, request, starting_at, ending_at, reason,
    'landed', len(files), records, size, asked_at, fetched_at, NULL
FROM arrivals
"""

# Neighbouring closed slices as one period, so that a year of minutes is a handful of rows.
CLOSED = """
WITH broken AS (
    SELECT *,
        starting_at IS DISTINCT FROM lag(ending_at) OVER by_time
        OR closed IS DISTINCT FROM lag(closed) OVER by_time AS starts_island
    FROM lading.slices
    WINDOW by_time AS (PARTITION BY connection, stream, request ORDER BY starting_at)
),
islands AS (
    SELECT *, count(*) FILTER (starts_island) OVER (
        PARTITION BY connection, stream, request ORDER BY starting_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island
    FROM broken
)
SELECT connection, stream, request::VARCHAR, min(starting_at), max(ending_at), bool_and(closed)
FROM islands
GROUP BY connection, stream, request, island
ORDER BY ALL
"""


def land(connection: DuckDBPyConnection, arrivals: Sequence[Arrival]) -> int:
    """Put arrivals into the database; gives the number of their records.

    All of them or none: whole slices are replaced, and their bookkeeping with them. What is on
    record already (its files could not be removed before its run died) is left alone.

    Raises:
        DatabaseError: the spool's files do not hold the records that were put there.
    """
    connection.execute("BEGIN TRANSACTION")
    try:
        new = _not_on_record(connection, arrivals)
        landed = sum(
            _land_stream(connection, stream, [each for each in new if each.stream == stream])
            for stream in sorted({each.stream for each in new})
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return landed


def _not_on_record(
    connection: DuckDBPyConnection, arrivals: Sequence[Arrival]
) -> tuple[Arrival, ...]:
    known = connection.execute(
        "SELECT request_id FROM lading.requests WHERE list_contains(?, request_id)",
        [[each.request_id for each in arrivals]],
    ).fetchall()
    ids = {row[0] for row in known}
    return tuple(each for each in arrivals if each.request_id not in ids)


def _land_stream(connection: DuckDBPyConnection, stream: str, arrivals: Sequence[Arrival]) -> int:
    described = [{**asdict(each), "in_buckets": _in_buckets(each)} for each in arrivals]
    connection.execute(ARRIVALS, {"arrivals": json.dumps(described)})
    files = [file for each in arrivals for file in each.files]
    largest = max(LARGEST_OBJECT, 2 * max(each.largest for each in arrivals))
    connection.execute(RECORDS, {"files": files, "largest": largest})
    expected = sum(each.records for each in arrivals)
    arrived = int(connection.execute("SELECT count(*) FROM arrived").fetchall()[0][0])
    if arrived != expected:
        raise DatabaseError(f"{stream}: {expected} records were received and {arrived} are there")
    table = f'raw."{stream}"'
    connection.execute(REPLACE.format(table=table, and_stream=""))
    connection.execute(INSERT.format(table=table))
    slices = REPLACE.format(table="lading.slices", and_stream="AND old.stream = a.stream")
    connection.execute(slices)
    connection.execute(SLICES)
    connection.execute(REQUESTS)
    return arrived


def _in_buckets(arrival: Arrival) -> bool:
    return "bucket_width" in json.loads(arrival.request)


def closed_periods(connection: DuckDBPyConnection) -> Landed:
    """The closed periods by connection, stream and request; whatever has landed has a key."""
    periods: dict[tuple[str, str, str], list[Period]] = {}
    for name, stream, request, start, end, closed in connection.execute(CLOSED).fetchall():
        known = periods.setdefault((name, stream, request), [])
        if closed:
            known.append(Period(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)))
    return periods


def put_failures_on_record(
    connection: DuckDBPyConnection, failures: Iterable[Sequence[object]]
) -> None:
    """Requests that came to nothing, as rows of lading.requests."""
    rows = [list(each) for each in failures]
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"INSERT INTO lading.requests VALUES ({marks})", rows)
