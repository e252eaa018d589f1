"""Control totals: a grouped report must add up to the ungrouped one, bucket by bucket.

Nothing says that grouped answers are exhaustive, so both are fetched and compared: tokens to the
token, money to the last decimal. Late figures may have come between the two requests. So where
they differ both are fetched once more, and what differs then is a finding: it is on record, its
slices count as open, and so the next run asks for them and compares them again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lading import log
from lading.extract.checks import Check, Mismatch
from lading.extract.plan import Extract, Period, Plan, Request, page_span, pieces
from lading.extract.run import Extraction, Outcome
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

# How many figures of a stream are named; the table has all.
NAMED = 5

# The buckets that are over, on record in both views, and landed since they were last compared. A
# slice that is open and of an older run is out of date: its request failed.
COMPARED = """
CREATE OR REPLACE TEMP TABLE compared AS
WITH pairs AS (
    SELECT unnest(from_json($pairs, '[{
        "connection": "VARCHAR", "width": "VARCHAR", "grouped": "VARCHAR", "ungrouped": "VARCHAR"
    }]'), recursive := true)
),
last AS (
    SELECT connection, date_trunc('second', max(checked_at)) AS checked_at
    FROM lading.control_checks WHERE stream = $stream GROUP BY connection
)
SELECT p.connection, p.width, p.grouped, p.ungrouped, g.starting_at, g.ending_at
FROM pairs AS p
JOIN lading.slices AS g
    ON g.connection = p.connection AND g.stream = $stream AND g.request::VARCHAR = p.grouped
JOIN lading.slices AS u
    ON u.connection = p.connection AND u.stream = $stream AND u.request::VARCHAR = p.ungrouped
    AND u.starting_at = g.starting_at
LEFT JOIN last AS l ON l.connection = p.connection
WHERE g.ending_at <= $now
    AND (g.closed OR g.run_id = $run) AND (u.closed OR u.run_id = $run)
    AND ($run IN (g.run_id, u.run_id) OR l.checked_at IS NULL
        OR greatest(g.fetched_at, u.fetched_at) >= l.checked_at)
"""

# A figure that is missing, no whole number and no text of a number makes its sum NULL: a figure
# that can't be added up must not pass for none. No results at all are 0.
DIFFERING = """
CREATE OR REPLACE TEMP TABLE differing AS
WITH fields AS (
    SELECT unnest($fields) AS field, generate_subscripts($fields, 1) AS position
),
views AS (
    SELECT connection, grouped AS request, starting_at FROM compared
    UNION
    SELECT connection, ungrouped, starting_at FROM compared
),
results AS (
    SELECT v.connection, v.request, v.starting_at, unnest(
        CASE WHEN json_type(r.payload, '$.results') = 'ARRAY'
            THEN (r.payload -> '$.results')::JSON[] ELSE ['{{}}'::JSON] END
    ) AS result
    FROM views AS v
    JOIN raw."{stream}" AS r
        ON r.connection = v.connection AND r.request::VARCHAR = v.request
        AND r.starting_at = v.starting_at
),
found AS (
    SELECT connection, request, starting_at, field, result -> ('$.' || field) AS json
    FROM results CROSS JOIN fields
),
figures AS (
    SELECT connection, request, starting_at, field, CASE
        WHEN json_type(json) IN ('UBIGINT', 'BIGINT')
            THEN try_cast(json::VARCHAR AS BIGINT)::DECIMAL(38, 15)
        WHEN json_type(json) = 'VARCHAR'
            AND regexp_full_match(json ->> '$', '-?[0-9]{{1,18}}([.][0-9]{{1,15}}0*)?')
            THEN (json ->> '$')::DECIMAL(38, 15)
        END AS figure
    FROM found
),
sums AS (
    SELECT connection, request, starting_at, field,
        CASE WHEN count(figure) = count(*) THEN sum(figure) END AS total
    FROM figures GROUP BY ALL
),
totals AS (
    SELECT c.*, f.field, f.position,
        CASE WHEN g.field IS NULL THEN 0 ELSE g.total END AS grouped_total,
        CASE WHEN u.field IS NULL THEN 0 ELSE u.total END AS ungrouped_total
    FROM compared AS c
    CROSS JOIN fields AS f
    LEFT JOIN sums AS g
        ON g.connection = c.connection AND g.request = c.grouped
        AND g.starting_at = c.starting_at AND g.field = f.field
    LEFT JOIN sums AS u
        ON u.connection = c.connection AND u.request = c.ungrouped
        AND u.starting_at = c.starting_at AND u.field = f.field
)
FROM totals
WHERE grouped_total IS NULL OR ungrouped_total IS NULL OR grouped_total <> ungrouped_total
"""

COUNTS = """
SELECT
    (SELECT count(DISTINCT (width, starting_at)) FROM compared WHERE connection = $connection),
    (SELECT count(DISTINCT (width, starting_at)) FROM differing WHERE connection = $connection)
"""

NAMED_FIGURES = """
SELECT width, grouped, starting_at, field, grouped_total, ungrouped_total
FROM differing WHERE connection = $connection
ORDER BY width, starting_at, position, grouped LIMIT $most
"""

# All views of the buckets that differ in one of them; neighbouring buckets as one period.
PERIODS = """
WITH views AS (
    SELECT connection, width, grouped AS request, starting_at, ending_at FROM compared
    UNION
    SELECT connection, width, ungrouped, starting_at, ending_at FROM compared
),
islands AS (
    SELECT *, starting_at - (ending_at - starting_at) * row_number() OVER (
        PARTITION BY connection, request ORDER BY starting_at
    ) AS island
    FROM views
    WHERE (connection, width, starting_at) IN (
        SELECT (connection, width, starting_at) FROM differing
    )
)
SELECT connection, request, min(starting_at), max(ending_at)
FROM islands GROUP BY connection, request, island ORDER BY ALL
"""

KEEP = """
INSERT INTO lading.control_totals
SELECT $run, connection, $stream, grouped::JSON, starting_at, ending_at, field,
    grouped_total, ungrouped_total
FROM differing ORDER BY connection, width, starting_at, position
"""

REOPEN = """
UPDATE lading.slices AS s SET closed = false FROM differing AS d
WHERE s.connection = d.connection AND s.stream = $stream AND s.starting_at = d.starting_at
    AND s.request::VARCHAR IN (d.grouped, d.ungrouped)
"""


Fetch = Callable[[Plan], Extraction]
Pairs = dict[str, list[tuple[Extract, Extract]]]


def check_totals(
    plan: Plan, extraction: Extraction, fetch_again: Fetch, database: Database, run: Run
) -> Extraction:
    """Compare what has landed of the plan; what differs is fetched once more and compared again.

    Gives the extraction with its checks, and with what was fetched again.
    """
    pairs = pairs_of(plan)
    if not pairs:
        return extraction
    checks, periods = _compare(pairs, database, run, is_last=False)
    if periods:
        _say_again(checks)
        again = fetch_again(_again(pairs, periods))
        extraction = _joined(extraction, again)
        checks, _ = _compare(pairs, database, run, is_last=True)
    for check in checks:
        _say(check)
    return replace(extraction, checks=checks)


def streams_that_differ(connection: DuckDBPyConnection) -> frozenset[str]:
    """The streams of whose control totals some differed in the last run that asked for them."""
    rows = connection.execute(
        """
        SELECT DISTINCT stream FROM lading.control_totals
        WHERE (connection, stream, run_id) IN (
            SELECT (connection, stream, arg_max(run_id, rowid)) FROM lading.requests
            GROUP BY connection, stream
        )
        """
    ).fetchall()
    return frozenset(row[0] for row in rows)


def pairs_of(plan: Plan) -> Pairs:
    """By stream: each grouped extract with the ungrouped one of its connection and width."""
    alone = {_view(each): each for each in plan.extracts if not each.dimensions}
    pairs: Pairs = {}
    for extract in plan.extracts:
        other = alone.get(_view(extract))
        if extract.dimensions and other and extract.stream.control_totals:
            pairs.setdefault(extract.stream.name, []).append((extract, other))
    return pairs


def _view(extract: Extract) -> tuple[str, str, str]:
    return extract.stream.connection, extract.stream.name, extract.width


Periods = dict[tuple[str, str, str], list[Period]]


def _compare(
    pairs: Pairs, database: Database, run: Run, *, is_last: bool
) -> tuple[tuple[Check, ...], Periods]:
    """The checks of all streams, and the periods that differ, by an extract's key.

    Put on record if they are the last ones of the run: those that say so, or when all agree.
    """
    checks: list[Check] = []
    periods: Periods = {}
    with database.writing() as connection:
        connection.execute("BEGIN TRANSACTION")
        for stream, those in pairs.items():
            _compare_stream(connection, stream, those, run)
            names = sorted({grouped.stream.connection for grouped, _ in those})
            checks.extend(check_of(connection, name, stream, those) for name in names)
            for name, request, start, end in connection.execute(PERIODS).fetchall():
                period = Period(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
                periods.setdefault((name, stream, request), []).append(period)
            if is_last:
                connection.execute(KEEP, {"run": run.id, "stream": stream})
                connection.execute(REOPEN, {"stream": stream})
        if is_last or not periods:
            _put_on_record(connection, checks, run)
        connection.execute("COMMIT")
    return tuple(checks), periods


def _compare_stream(
    connection: DuckDBPyConnection, stream: str, pairs: Sequence[tuple[Extract, Extract]], run: Run
) -> None:
    compare(connection, COMPARED, stream, pairs, run=run.id, now=naive(run.started_at))


def compare(
    connection: DuckDBPyConnection,
    compared: str,
    stream: str,
    pairs: Sequence[tuple[Extract, Extract]],
    **given: object,
) -> None:
    """Make the tables `compared`, by a statement over $pairs, $stream and what is given, and
    `differing`."""
    described = [
        {
            "connection": grouped.stream.connection,
            "width": grouped.width,
            "grouped": grouped.request,
            "ungrouped": ungrouped.request,
        }
        for grouped, ungrouped in pairs
    ]
    connection.execute(compared, {"pairs": json.dumps(described), "stream": stream, **given})
    fields = list(pairs[0][0].stream.control_totals)
    connection.execute(DIFFERING.format(stream=stream), {"fields": fields})


def check_of(
    connection: DuckDBPyConnection,
    name: str,
    stream: str,
    pairs: Sequence[tuple[Extract, Extract]],
) -> Check:
    """What the tables `compared` and `differing` say of a connection's stream."""
    dimensions = {grouped.request: grouped.dimensions for grouped, _ in pairs}
    buckets, differing = connection.execute(COUNTS, {"connection": name}).fetchall()[0]
    rows = connection.execute(NAMED_FIGURES, {"connection": name, "most": NAMED}).fetchall()
    mismatches = tuple(
        Mismatch(name, stream, width, dimensions[request], start.replace(tzinfo=UTC), *figures)
        for width, request, start, *figures in rows
    )
    return Check(name, stream, buckets, differing, mismatches)


def _put_on_record(connection: DuckDBPyConnection, checks: Iterable[Check], run: Run) -> None:
    now = naive(datetime.now(UTC))
    rows: list[list[object]] = [
        [run.id, each.connection, each.stream, each.buckets, each.differing, now] for each in checks
    ]
    connection.executemany("INSERT INTO lading.control_checks VALUES (?, ?, ?, ?, ?, ?)", rows)


def _again(pairs: Pairs, periods: Periods) -> Plan:
    """All views of the buckets that differ, so that they are of the same moment once more; with
    what lies between them where that saves requests."""
    extracts = {each.key: each for those in pairs.values() for pair in those for each in pair}
    requests = tuple(
        Request(extract, piece, "differed")
        for key, extract in extracts.items()
        for period in _gathered(periods.get(key, ()), page_span(extract))
        for piece in pieces(extract, period)
    )
    return Plan(tuple(extracts.values()), requests)


def _gathered(periods: Iterable[Period], span: timedelta) -> Iterator[Period]:
    """Periods in their order, those together that fit into one of the length `span`."""
    gathered: Period | None = None
    for period in periods:
        if gathered and period.ending_at - gathered.starting_at <= span:
            gathered = Period(gathered.starting_at, period.ending_at)
            continue
        if gathered:
            yield gathered
        gathered = period
    if gathered:
        yield gathered


def _joined(first: Extraction, again: Extraction) -> Extraction:
    later = {each.extract.key: each for each in again.outcomes}
    return Extraction(
        tuple(_summed(each, later.get(each.extract.key)) for each in first.outcomes),
        first.http_requests + again.http_requests,
        first.retries + again.retries,
    )


def _summed(first: Outcome, again: Outcome | None) -> Outcome:
    if again is None:
        return first
    return Outcome(
        first.extract,
        first.requests + again.requests,
        first.landed + again.landed,
        first.records + again.records,
        first.size + again.size,
        (*first.failures, *again.failures),
        tuple(sorted({*first.left_out, *again.left_out})),
    )


def _say_again(checks: Iterable[Check]) -> None:
    for check in checks:
        if check.differing:
            log.info(
                "control_totals_again",
                f"{check.stream}: {check.differing:,} of {check.buckets:,} buckets differ grouped "
                "and ungrouped; fetching them once more",
                connection=check.connection,
                stream=check.stream,
            )


def _say(check: Check) -> None:
    say, verb = (log.error, "differ") if check.differing else (log.info, "agree")
    about = f"{check.differing:,} of {check.buckets:,}" if check.differing else f"{check.buckets:,}"
    say(
        "control_totals",
        f"control totals of {check.stream}: {about} buckets {verb}",
        connection=check.connection,
        stream=check.stream,
        buckets=check.buckets,
        differing=check.differing,
        figures=[str(each) for each in check.mismatches],
    )
