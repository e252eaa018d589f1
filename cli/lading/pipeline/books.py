"""What the books say: past runs, how fresh things are, what is missing, what Port holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseError
from lading.extract.freshness import Standing, freshness, landed_up_to

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.plan import Plan
    from lading.pipeline.context import Context

RUNS = """
SELECT run_id, command, started_at, seconds, status, requests, failed, retries, records, bytes,
    entities, refused, error
FROM lading.run_totals ORDER BY started_at DESC, ended_at DESC NULLS FIRST, run_id DESC LIMIT $most
"""
MISSING = """
SELECT connection, stream, request::VARCHAR, starting_at, ending_at, slices, state, why
FROM lading.missing_at($now::TIMESTAMP)
ORDER BY state = 'open', connection, stream, request::VARCHAR, starting_at
"""
HELD = """
WITH pushed AS (
    SELECT destination, blueprint, count(*) AS entities, max(pushed_at) AS pushed_at
    FROM lading.pushed GROUP BY ALL
),
refused AS (
    SELECT destination, blueprint, count(*) AS refused, arg_max(message, refused_at) AS message
    FROM lading.refused GROUP BY ALL
)
SELECT destination, blueprint, coalesce(entities, 0), pushed_at, coalesce(refused, 0), message
FROM pushed FULL JOIN refused USING (destination, blueprint)
ORDER BY destination, blueprint
"""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run; `requests` counts ranges, `entities` those that Port took, None if none were sent."""

    id: str
    command: str
    started_at: datetime
    seconds: float | None
    status: str
    requests: int
    failed: int
    retries: int
    records: int
    bytes: int
    entities: int | None
    refused: int | None
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
class Held:
    """What Port holds of a blueprint by our books, and what it refuses: how many, and the reason
    that was given last."""

    destination: str
    blueprint: str
    entities: int
    pushed_at: datetime | None
    refused: int
    message: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it; the runs from the last one back, what is missing of what is asked for now."""

    runs: tuple[PastRun, ...]
    freshness: tuple[Standing, ...]
    missing: tuple[Missing, ...]
    held: tuple[Held, ...]


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
        held = connection.execute(HELD).fetchall()
        up_to = landed_up_to(connection)
    return Status(
        tuple(_past(*row) for row in runs),
        freshness(planned.extracts, up_to, context.now),
        tuple(_missing(widths[row[:3]], *row) for row in missing if row[:3] in widths),
        tuple(_held(*row) for row in held),
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
    return PastRun(id_, command, _aware(started_at), *rest)


def _held(
    destination: str, blueprint: str, entities: int, pushed_at: datetime | None, *rest: Any
) -> Held:
    return Held(destination, blueprint, entities, pushed_at and _aware(pushed_at), *rest)


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
    return Missing(connection, stream, width, asked, _aware(start), _aware(end), *rest)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
