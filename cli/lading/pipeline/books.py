"""What the books say: past runs, how fresh and how final things are, what is missing, what was
restated, what Port holds and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseError
from lading.extract.closing import Closing, closings
from lading.extract.freshness import Standing, freshness, landed_up_to
from lading.extract.landing import closed_periods
from lading.extract.restatements import Restatement, restated_since
from lading.pipeline.standing_in_port import (
    Held,
    Refused,
    held_in_port,
    refused_by_port,
)
from lading.warehouse.runs import aware

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.plan import Plan
    from lading.pipeline.context import Context

# How far back restatements are told: as far as the reports are known to change.
RESTATED_WITHIN = timedelta(days=35)
# An older lading's view lacks the columns that were added since, until the next run makes it anew.
RUNS = """
SELECT run_id, command, started_at, seconds, status, exit_code, requests, failed, retries, records,
    bytes, entities, refused, deleted, error
FROM (
    SELECT NULL::INTEGER AS exit_code, NULL::BIGINT AS deleted WHERE false
    UNION ALL BY NAME FROM lading.run_totals
)
ORDER BY started_at DESC, ended_at DESC NULLS FIRST, run_id DESC LIMIT $most
"""
MISSING = """
SELECT connection, stream, request::VARCHAR, starting_at, ending_at, slices, state, why
FROM lading.missing_at($now::TIMESTAMP)
ORDER BY state = 'open', connection, stream, request::VARCHAR, starting_at
"""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run; `requests` counts ranges, `entities` those that Port took, `refused` and `deleted`
    what became of others: None if none were sent, or none to be deleted.

    One that has not ended, or that died, has no `seconds` and no `exit_code`.
    """

    id: str
    command: str
    started_at: datetime
    seconds: float | None
    status: str
    exit_code: int | None
    requests: int
    failed: int
    retries: int
    records: int
    bytes: int
    entities: int | None
    refused: int | None
    deleted: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Neighbouring slices of an extract that are not there, or not for good, and why: `failed`,
    `differs`, `gap`, `not asked` or `open`."""

    connection: str
    stream: str
    width: str
    request: dict[str, Any]
    starting_at: datetime
    ending_at: datetime
    slices: int
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Status:
    """All of it at the moment `now`; the runs and the restatements from the last one back, what is
    missing of what is asked for now."""

    now: datetime
    runs: tuple[PastRun, ...]
    freshness: tuple[Standing, ...]
    closing: tuple[Closing, ...]
    missing: tuple[Missing, ...]
    restatements: tuple[Restatement, ...]
    held: tuple[Held, ...]
    refused: tuple[Refused, ...]


def status(context: Context, most_runs: int) -> Status:
    """What the books say, at the context's moment.

    Raises:
        DatabaseError: there are no books yet.
    """
    planned = wanted(context)
    widths = {extract.key: extract.width for extract in planned.extracts}
    with reading_books(context) as connection:
        runs = connection.execute(RUNS, {"most": most_runs}).fetchall()
        missing = _rows(connection, MISSING, context.now)
        up_to, closed = landed_up_to(connection), closed_periods(connection)
        restatements = restated_since(connection, context.now - RESTATED_WITHIN)
        held, refused = held_in_port(context, connection), refused_by_port(connection)
    return Status(
        context.now,
        tuple(_past(*row) for row in runs),
        freshness(planned.extracts, up_to, context.now),
        closings(planned.extracts, closed, context.now),
        tuple(_missing(widths[row[:3]], *row) for row in missing if row[:3] in widths),
        restatements,
        held,
        refused,
    )


def wanted(context: Context) -> Plan:
    """The extracts that are asked for now, whatever has landed."""
    from lading.extract.plan import plan

    return plan(context.streams, context.askings, {}, context.now)


@contextmanager
def reading_books(context: Context) -> Iterator[DuckDBPyConnection]:
    """The database, read-only, if there are books in it.

    Raises:
        DatabaseError: there are none yet.
    """
    from lading.warehouse.tables import has_books

    with context.database.reading() as connection:
        if not has_books(connection):
            raise DatabaseError(
                f"lading has not written to {context.database.path.name} yet",
                hint="`lading sync` or `lading extract` does",
            )
        yield connection


def _rows(connection: DuckDBPyConnection, sql: str, now: datetime) -> list[tuple[Any, ...]]:
    from lading.warehouse.runs import naive

    return connection.execute(sql, {"now": naive(now)}).fetchall()


def _past(id_: str, command: str, started_at: datetime, *rest: Any) -> PastRun:
    return PastRun(id_, command, aware(started_at), *rest)


def _missing(
    width: str,
    connection: str,
    stream: str,
    request: str,
    start: datetime,
    end: datetime,
    *rest: Any,
) -> Missing:
    asked = json.loads(request)
    return Missing(connection, stream, width, asked, aware(start), aware(end), *rest)
