"""Closed slices that come back different.

What they were goes to raw_history, and by how much their figures moved to lading.restatements,
in the transaction that puts the new rows in place. An open slice is expected to change: that is
no restatement. Records are compared as JSON values: the order of records, of object keys
and of the rows in a record's lists does not count, nor do zeros at a fraction's end. Another
notation of a number (1e2 for 100) does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from lading import log
from lading.extract.plan import Landed, Period
from lading.extract.streams import WIDTHS
from lading.warehouse.runs import aware, naive
from lading.warehouse.tables import has_books

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.warehouse.database import Database

UNITS = {WIDTHS["1d"]: "day", WIDTHS["1h"]: "hour", WIDTHS["1m"]: "minute"}
# Words in the names of tokens and money; other figures are only counted.
TOLD = ("tokens", "amount")

RETURNED = """
CREATE OR REPLACE TEMP TABLE returned AS
SELECT row_number() OVER () AS slice, s.connection, s.stream, s.request, s.starting_at,
    s.ending_at, a.fetched_at, a.run_id
FROM lading.slices AS s
JOIN arrivals AS a ON a.connection = s.connection AND a.stream = s.stream
    AND a.request = s.request AND s.starting_at >= a.starting_at AND s.starting_at < a.ending_at
WHERE s.closed
"""

SUPERSEDED = """
CREATE OR REPLACE TEMP TABLE superseded AS
SELECT returned.slice, old.*
FROM returned JOIN {table} AS old USING (connection, request, starting_at)
"""

VERSIONS = """
CREATE OR REPLACE TEMP VIEW versions AS
SELECT slice, false AS is_new, payload FROM superseded
UNION ALL
SELECT slice, true, new.payload
FROM returned JOIN {table} AS new USING (connection, request, starting_at)
"""

# So many records are taken apart at once: each makes dozens of rows in memory.
RECORDS_AT_ONCE = 20_000

# Most slices come back as they were, to the byte.
CHANGED = """
CREATE OR REPLACE TEMP TABLE changed AS
SELECT slice, (sum(count(*)) OVER (ORDER BY slice) // $most)::BIGINT AS portion
FROM versions GROUP BY slice
HAVING list_sort(list(md5(payload)) FILTER (is_new))
    IS DISTINCT FROM list_sort(list(md5(payload)) FILTER (NOT is_new))
"""

# DuckDB reads JSON numbers as doubles, so they are made text first, digit by digit. All text gets
# a colon at its end and every number one before it: a text never passes for a number.
NORMAL = r"""
CREATE OR REPLACE TEMP TABLE normal AS
SELECT slice, is_new, json_normalize(regexp_replace(
    payload,
    '"((?:[^"\\]|\\.)*)"|(-?[0-9]+(?:[.][0-9]*[1-9])?)[.]?0*([eE][-+0-9]+)?',
    '"\1:\2\3"', 'g'
)::JSON) AS record
FROM versions SEMI JOIN (FROM changed WHERE portion = $portion) USING (slice)
"""

# A record that names a key twice is no map, and the order of its lists counts.
RESTATED = """
CREATE OR REPLACE TEMP TABLE restated AS
WITH canonical AS (
    SELECT slice, is_new, md5(coalesce(list_transform(
        map_entries(from_json(record, '"MAP(VARCHAR, JSON)"')),
        lambda member: {'key': member.key, 'value': CASE json_type(member.value)
            WHEN 'ARRAY' THEN list_sort(from_json(member.value, '["JSON"]')::VARCHAR[])::VARCHAR
            ELSE member.value::VARCHAR END}
    )::VARCHAR, record::VARCHAR)) AS record
    FROM normal
),
different AS (
    SELECT slice, count(*) FILTER (NOT is_new) AS records_before,
        count(*) FILTER (is_new) AS records_after
    FROM canonical GROUP BY slice
    HAVING list_sort(list(record) FILTER (is_new))
        IS DISTINCT FROM list_sort(list(record) FILTER (NOT is_new))
)
SELECT * FROM returned JOIN different USING (slice)
"""

HISTORY = """
INSERT INTO {history}
SELECT old.* EXCLUDE (slice), restated.fetched_at, restated.run_id
FROM superseded AS old JOIN restated USING (slice)
ORDER BY old.connection, old.request, old.starting_at, old.ordinal
"""

# Figures are numbers, and amounts: these the cost report writes as text. What adds up to 1e18 or
# more is none: numbers that are names may do so, and their sum is nobody's concern.
MOVED = """
INSERT INTO lading.restatements
WITH RECURSIVE nodes(slice, is_new, field, value) AS (
    SELECT slice, is_new, '', record FROM normal SEMI JOIN restated USING (slice)
    UNION ALL
    SELECT slice, is_new, field || coalesce('.' || left(member.key, -1), ''), member.value
    FROM (
        SELECT slice, is_new, field, unnest(CASE json_type(value)
            WHEN 'OBJECT' THEN map_entries(from_json(value, '"MAP(VARCHAR, JSON)"'))
            ELSE list_transform(
                from_json(value, '["JSON"]'), lambda item: {'key': NULL::VARCHAR, 'value': item}
            ) END) AS member
        FROM nodes WHERE json_type(value) IN ('OBJECT', 'ARRAY')
    )
),
figures AS (
    SELECT slice, is_new, regexp_replace(field, '^[.](results[.])?', '') AS field,
        TRY_CAST(CASE WHEN value ->> '$' NOT LIKE '%:' THEN substr(value ->> '$', 2)
            WHEN field LIKE '%amount' THEN left(value ->> '$', -1) END AS DECIMAL(38, 20)) AS figure
    FROM nodes WHERE json_type(value) = 'VARCHAR'
),
sums AS (
    SELECT slice, is_new, field, sum(trunc(figure)) AS whole, sum(figure - trunc(figure)) AS rest
    FROM figures WHERE figure IS NOT NULL GROUP BY slice, is_new, field
),
totals AS (
    SELECT slice, is_new, field, TRY(whole::DECIMAL(38, 20) + rest) AS total FROM sums
),
both_sums AS (
    SELECT slice, field,
        coalesce(any_value(total) FILTER (NOT is_new), 0)::DECIMAL(38, 20) AS before,
        coalesce(any_value(total) FILTER (is_new), 0)::DECIMAL(38, 20) AS after
    FROM totals GROUP BY slice, field HAVING bool_and(total IS NOT NULL)
),
moved AS (
    SELECT slice, list({'field': field, 'before': before, 'after': after} ORDER BY field) AS figures
    FROM both_sums WHERE before <> after
    GROUP BY slice
)
SELECT run_id, connection, stream, request, starting_at, ending_at, fetched_at,
    records_before, records_after, coalesce(figures, [])
FROM restated LEFT JOIN moved USING (slice)
ORDER BY connection, request, starting_at
"""

FOUND = """
WITH slices AS (SELECT * FROM lading.restatements WHERE {which}),
sums AS (
    SELECT run_id, connection, stream, request, figure.field AS field,
        sum(figure.after - figure.before) AS moved
    FROM (SELECT run_id, connection, stream, request, unnest(figures) AS figure FROM slices)
    GROUP BY run_id, connection, stream, request, field
),
moved AS (
    SELECT run_id, connection, stream, request, list((field, moved) ORDER BY field) AS figures
    FROM sums WHERE moved <> 0
    GROUP BY run_id, connection, stream, request
)
SELECT run_id, max(restated_at) AS found_at, min(starting_at), max(ending_at),
    connection, stream, request::VARCHAR, max(ending_at - starting_at), count(*),
    coalesce(any_value(moved.figures), [])
FROM slices LEFT JOIN moved USING (run_id, connection, stream, request)
GROUP BY run_id, connection, stream, request
ORDER BY max(found_at) OVER (PARTITION BY run_id) DESC, run_id DESC, connection, stream, request
"""


# What was fetched for this very reason tells nothing new of the other views.
OUTDATED = """
WITH found AS (
    FROM lading.restatements AS r
    WHERE NOT EXISTS (
        FROM lading.requests AS q
        WHERE q.run_id = r.run_id AND q.connection = r.connection AND q.stream = r.stream
            AND q.request::VARCHAR = r.request::VARCHAR AND q.reason = 'restated'
            AND q.starting_at <= r.starting_at AND q.ending_at > r.starting_at
    )
)
SELECT DISTINCT s.connection, s.stream, s.request::VARCHAR, s.starting_at, s.ending_at
FROM found AS r
JOIN lading.slices AS s ON s.connection = r.connection AND s.stream = r.stream
    AND s.request::VARCHAR <> r.request::VARCHAR
    AND s.starting_at < r.ending_at AND s.ending_at > r.starting_at
WHERE s.closed AND s.run_id <> r.run_id AND s.fetched_at < r.restated_at
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Restated:
    """What a run found restated of one request: how many slices, each of `length`, and by how
    much the sum of each figure moved; fields are named as in lading.restatements."""

    connection: str
    stream: str
    request: str
    length: timedelta
    slices: int
    moved: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Restatement:
    """What a run found restated of one request, when it did, and from the start of the first slice
    to the end of the last one. Moments are aware and UTC."""

    run_id: str
    restated_at: datetime
    starting_at: datetime
    ending_at: datetime
    restated: Restated


def put_aside(connection: DuckDBPyConnection, stream: str) -> bool:
    """Copy the rows of closed slices that are about to be replaced; False if there are none.

    To be called within landing's transaction, with its table of the stream's arrivals in place.
    """
    if not _made(connection, RETURNED):
        return False
    connection.execute(SUPERSEDED.format(table=f'raw."{stream}"'))
    return True


def keep_superseded(connection: DuckDBPyConnection, stream: str) -> None:
    """Put on record which of the slices that were put aside are no longer the same.

    To be called once the new rows are in place.
    """
    connection.execute(VERSIONS.format(table=f'raw."{stream}"'))
    connection.execute(CHANGED, {"most": RECORDS_AT_ONCE})
    portions = connection.execute("SELECT DISTINCT portion FROM changed ORDER BY ALL").fetchall()
    for (portion,) in portions:
        connection.execute(NORMAL, {"portion": portion})
        if _made(connection, RESTATED):
            connection.execute(HISTORY.format(history=f'raw_history."{stream}"'))
            connection.execute(MOVED)


def _made(connection: DuckDBPyConnection, step: str) -> int:
    return int(connection.execute(step).fetchall()[0][0])


def outdated_periods(connection: DuckDBPyConnection) -> Landed:
    """Closed periods that another view of the same stream has shown to be restated since."""
    periods: dict[tuple[str, str, str], list[Period]] = {}
    if has_books(connection, "restatements"):
        for name, stream, request, start, end in connection.execute(OUTDATED).fetchall():
            period = Period(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
            periods.setdefault((name, stream, request), []).append(period)
    return periods


def tell_restated(database: Database, run_id: str) -> tuple[Restated, ...]:
    """What landed restated of what the run fetched, a request each; says so in the log."""
    with database.reading() as connection:
        found = _found(connection, "run_id = $which", run_id)
    restated = tuple(each.restated for each in found)
    for each in restated:
        log.info(
            "restated",
            f"closed before, and different now: {in_words([each])}",
            connection=each.connection,
            stream=each.stream,
            request=each.request,
            slices=each.slices,
            moved={field: str(moved) for field, moved in each.moved},
        )
    return restated


def restated_since(connection: DuckDBPyConnection, moment: datetime) -> tuple[Restatement, ...]:
    """What was found restated from that moment on; the last run first, a request each."""
    if not has_books(connection, "restatements"):
        return ()
    return _found(connection, "restated_at >= $which", naive(moment))


def _found(connection: DuckDBPyConnection, which: str, value: object) -> tuple[Restatement, ...]:
    rows = connection.execute(FOUND.format(which=which), {"which": value}).fetchall()
    return tuple(
        Restatement(
            run_id,
            aware(at),
            aware(start),
            aware(end),
            Restated(name, stream, request, length, slices, tuple(moved)),
        )
        for run_id, at, start, end, name, stream, request, length, slices, moved in rows
    )


def in_words(restated: Sequence[Restated]) -> str:
    """`usage_messages 3 days (+1,204 output_tokens), cost_report 1 day (-12.34 amount)`.

    Requests of one stream are views of the same figures: they are never added up, and those
    that moved alike are told once.
    """
    told: dict[tuple[str, str], dict[str, list[str]]] = {}
    for each in restated:
        views = told.setdefault((each.connection, each.stream), {})
        views.setdefault(_extent(each), []).append(_grouping(each))
    several = len({connection for connection, _ in told}) > 1
    return ", ".join(
        f"{f'{connection}: ' if several else ''}{stream}"
        f"{groupings[0] if len(views) > 1 else ''} {extent}"
        for (connection, stream), views in told.items()
        for extent, groupings in views.items()
    )


def _grouping(restated: Restated) -> str:
    dimensions = json.loads(restated.request).get("group_by")
    return f" by {', '.join(dimensions)}" if dimensions else ""


def _extent(restated: Restated) -> str:
    unit = UNITS.get(restated.length, "slice")
    number = f"{restated.slices:,} {unit}{'' if restated.slices == 1 else 's'}"
    shown = [each for each in restated.moved if any(word in each[0] for word in TOLD)]
    figures = [f"{_plain(moved)} {field}" for field, moved in shown]
    if others := len(restated.moved) - len(shown):
        figures.append(f"{others} other figure{'' if others == 1 else 's'}")
    return f"{number} ({', '.join(figures)})" if figures else number


def _plain(moved: Decimal) -> str:
    return f"{moved:+,f}".rstrip("0").rstrip(".")
