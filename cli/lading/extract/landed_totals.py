"""Control totals of all that has landed, compared without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.extract.totals import check_of, compare, pairs_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.checks import Check
    from lading.extract.plan import Plan

# Late figures may have come between the two requests, unless both are final or of one run, and the
# bucket was over then.
COMPARED = """
CREATE OR REPLACE TEMP TABLE compared AS
WITH pairs AS (
    SELECT unnest(from_json($pairs, '[{
        "connection": "VARCHAR", "width": "VARCHAR", "grouped": "VARCHAR", "ungrouped": "VARCHAR"
    }]'), recursive := true)
)
SELECT p.connection, p.width, p.grouped, p.ungrouped, g.starting_at, g.ending_at
FROM pairs AS p
JOIN lading.slices AS g
    ON g.connection = p.connection AND g.stream = $stream AND g.request::VARCHAR = p.grouped
JOIN lading.slices AS u
    ON u.connection = p.connection AND u.stream = $stream AND u.request::VARCHAR = p.ungrouped
    AND u.starting_at = g.starting_at
JOIN lading.runs AS r ON r.run_id = g.run_id
WHERE (g.closed AND u.closed) OR (g.run_id = u.run_id AND g.ending_at <= r.started_at)
"""


def compare_landed(connection: DuckDBPyConnection, plan: Plan, stream: str) -> tuple[Check, ...]:
    """A stream's checks, one for each connection: of the buckets that are over and on record in
    both views. Nothing is put on record; the database may be open for reading alone."""
    pairs = pairs_of(plan).get(stream, [])
    if not pairs:
        return ()
    compare(connection, COMPARED, stream, pairs)
    names = sorted({grouped.stream.connection for grouped, _ in pairs})
    return tuple(check_of(connection, name, stream, pairs) for name in names)
