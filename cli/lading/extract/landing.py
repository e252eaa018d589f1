"""From the spool into the raw tables: whole slices and their bookkeeping, in one transaction.

DuckDB reads the files itself and keeps each record's text as it came, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING

from lading.errors import DatabaseError
from lading.extract import owners, snapshots
from lading.extract.plan import Landed, Period
from lading.extract.restatements import keep_superseded, put_aside
from lading.extract.spool import Arrival, Spool

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.warehouse.database import Database

# DuckDB's own default for the largest JSON object, in bytes; its buffers grow with it.
LARGEST_OBJECT = 16 * 1024 * 1024
# So many arrivals, or so many bytes, are worth opening the database for.
ARRIVALS_AT_ONCE = 256
BYTES_AT_ONCE = 32 * 1024 * 1024

ARRIVALS = """
CREATE OR REPLACE TEMP TABLE arrivals AS
SELECT a.* REPLACE (
    a.request::JSON AS request, a.starting_at::TIMESTAMP AS starting_at,
    a.ending_at::TIMESTAMP AS ending_at, a.closes_at::TIMESTAMP AS closes_at,
    a.asked_at::TIMESTAMP AS asked_at, a.fetched_at::TIMESTAMP AS fetched_at,
    a.left_out::TIMESTAMP[] AS left_out
), to_seconds(a.slice_seconds) AS slice
FROM (SELECT unnest(from_json($arrivals, '[{
    "request_id": "VARCHAR", "run_id": "VARCHAR", "connection": "VARCHAR", "stream": "VARCHAR",
    "request": "VARCHAR", "reason": "VARCHAR", "starting_at": "VARCHAR", "ending_at": "VARCHAR",
    "slice_seconds": "BIGINT", "in_buckets": "BOOLEAN", "closes_at": "VARCHAR",
    "asked_at": "VARCHAR", "fetched_at": "VARCHAR", "files": ["VARCHAR"], "records": "BIGINT",
    "size": "BIGINT", "retries": "BIGINT", "left_out": ["VARCHAR"], "organization": "VARCHAR",
    "first_number": "BIGINT"
}]')) AS a)
"""

# A bucket that is not in the answer stays as it was: its absence says nothing.
REPLACE = """
DELETE FROM {table} AS old USING arrivals AS a
WHERE old.connection = a.connection AND old.request = a.request {and_stream}
    AND old.starting_at >= a.starting_at AND old.starting_at < a.ending_at
    AND NOT (list_contains(a.left_out, old.starting_at) {and_landed})
"""

# A bucket says its own period, and has been seen to be the only one of it; a record of a day
# stream belongs to the day that was asked for. The files are read in the order in which they are
# named: nothing is sorted or kept on the way, so that memory does not grow with the records.
INSERT = """
INSERT INTO {table}
SELECT a.connection, a.request,
    CASE WHEN a.in_buckets THEN (r.payload ->> '$.starting_at')::TIMESTAMP ELSE a.starting_at END,
    CASE WHEN a.in_buckets THEN (r.payload ->> '$.ending_at')::TIMESTAMP ELSE a.ending_at END,
    CASE WHEN a.in_buckets THEN 0 ELSE r.number - a.first_number END,
    r.payload, a.fetched_at, a.run_id
FROM (
    SELECT json AS payload, filename, row_number() OVER () - 1 AS number
    FROM read_json_objects($files, format = 'unstructured', filename = true,
        maximum_object_size = $largest)
) AS r
JOIN (SELECT request_id, unnest(files) AS filename FROM arrivals) AS f USING (filename)
JOIN arrivals AS a USING (request_id)
"""

# A slice without records has landed as well: the report says that there was nothing. A bucket
# that never was there is no such slice, and open.
SLICES = """
INSERT INTO lading.slices
WITH expected AS (
    SELECT request_id, unnest(generate_series(starting_at, ending_at - slice, slice)) AS starting_at
    FROM arrivals
),
counted AS (
    SELECT a.request_id, new.starting_at, count(*) AS records
    FROM {table} AS new JOIN arrivals AS a
        ON new.connection = a.connection AND new.request = a.request
        AND new.starting_at >= a.starting_at AND new.starting_at < a.ending_at
    GROUP BY a.request_id, new.starting_at
)
SELECT a.connection, a.stream, a.request, e.starting_at, e.starting_at + a.slice,
    coalesce(c.records, 0),
    e.starting_at + a.slice <= a.closes_at AND NOT list_contains(a.left_out, e.starting_at),
    a.fetched_at, a.run_id
FROM expected AS e
JOIN arrivals AS a USING (request_id)
LEFT JOIN counted AS c ON c.request_id = e.request_id AND c.starting_at = e.starting_at
WHERE c.records IS NULL OR NOT list_contains(a.left_out, e.starting_at)
ORDER BY a.request, e.starting_at
"""

REQUESTS = """
INSERT INTO lading.requests
SELECT request_id, run_id, connection, stream, request, starting_at, ending_at, reason,
    'landed', len(files), records, size, retries, asked_at, fetched_at, NULL
FROM arrivals
"""

# A commit goes into the file itself: by way of the log everything would be written twice, since the
# database is closed right after. As it does, DuckDB would merge neighbouring row groups that are
# not full: of a backfill's, that takes longer than landing them and a gigabyte of memory. So only
# what a small landing leaves is merged, and within bounds.
SETTINGS = """
SET checkpoint_threshold = '1KB';
SET max_vacuum_tasks = {merges};
SET memory_limit = '{memory}B';
"""
SMALL = 4 * 1024 * 1024
MEMORY = 256 * 1024 * 1024

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

    All of them or none: whole slices are replaced, and their bookkeeping with them; of closed ones
    that came back different the old rows stay in raw_history. What is on record already (its files
    could not be removed before its run died) is left alone.

    Raises:
        DatabaseError: the spool's files do not hold the records that were put there.
    """
    connection.execute(_settings(arrivals))
    connection.execute("BEGIN TRANSACTION")
    try:
        new = _not_on_record(connection, arrivals)
        landed = sum(
            _land_stream(connection, stream, [each for each in new if each.stream == stream])
            for stream in sorted({each.stream for each in new if not each.is_list})
        )
        lists = sorted((each for each in new if each.is_list), key=_asked_at)
        landed += sum(_land_snapshot(connection, each) for each in lists)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return landed


def _settings(arrivals: Sequence[Arrival]) -> str:
    merges = 1 if sum(each.size for each in arrivals) < SMALL else 0
    # DuckDB reads each file by buffers of several times the largest object.
    memory = MEMORY + 8 * max(0, _largest_object(arrivals) - LARGEST_OBJECT)
    return SETTINGS.format(merges=merges, memory=memory)


def _largest_object(arrivals: Sequence[Arrival]) -> int:
    return max(LARGEST_OBJECT, 2 * max((each.largest for each in arrivals), default=0))


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
    ordered = sorted(arrivals, key=lambda each: (each.connection, each.request, each.starting_at))
    connection.execute(ARRIVALS, {"arrivals": json.dumps(list(_described(ordered)))})
    table = f'raw."{stream}"'
    had_closed = put_aside(connection, stream)
    connection.execute(REPLACE.format(table=table, and_stream="", and_landed=""))
    arrived = _insert(connection, table, ordered)
    if had_closed:
        keep_superseded(connection, stream)
    slices = {"and_stream": "AND old.stream = a.stream", "and_landed": "AND old.records > 0"}
    connection.execute(REPLACE.format(table="lading.slices", **slices))
    connection.execute(SLICES.format(table=table))
    connection.execute(REQUESTS)
    connection.execute(owners.NOTE)
    return arrived


def _land_snapshot(connection: DuckDBPyConnection, arrival: Arrival) -> int:
    """Put a list in the place of the one before; what it no longer has is kept as vanished."""
    table = f'raw."{arrival.stream}"'
    connection.execute(ARRIVALS, {"arrivals": json.dumps(list(_described([arrival])))})
    connection.execute(snapshots.SET_ASIDE.format(table=table))
    arrived = _insert(connection, table, [arrival])
    for statement in snapshots.REPLACE:
        connection.execute(statement.format(table=table))
    connection.execute(REQUESTS)
    connection.execute(owners.NOTE)
    return arrived


def _asked_at(arrival: Arrival) -> tuple[str, str]:
    return arrival.starting_at, arrival.request_id


def _described(arrivals: Iterable[Arrival]) -> Iterator[dict[str, object]]:
    first = 0
    for each in arrivals:
        yield {**asdict(each), "in_buckets": _in_buckets(each), "first_number": first}
        first += each.records


def _insert(connection: DuckDBPyConnection, table: str, arrivals: Sequence[Arrival]) -> int:
    files = [file for each in arrivals for file in each.files]
    given = {"files": files, "largest": _largest_object(arrivals)}
    arrived = int(connection.execute(INSERT.format(table=table), given).fetchall()[0][0])
    expected = sum(each.records for each in arrivals)
    if arrived != expected:
        name = arrivals[0].stream
        raise DatabaseError(f"{name}: {expected} records were received and {arrived} are there")
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


class Gathering:
    """Arrivals gathered until they are worth opening the database for."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool
        self._arrivals: list[Arrival] = []
        self._size = 0

    def add(self, arrival: Arrival) -> None:
        """One more; lands what there is if that is enough."""
        self._arrivals.append(arrival)
        self._size += arrival.size
        if len(self._arrivals) >= ARRIVALS_AT_ONCE or self._size >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Land what there is."""
        if not self._arrivals:
            return
        # Taken out first: if landing fails they stay in the spool and are not tried again here.
        arrivals, self._arrivals, self._size = self._arrivals, [], 0
        with self._database.writing() as connection:
            land(connection, arrivals)
        self._spool.landed(arrivals)
