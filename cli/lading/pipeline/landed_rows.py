"""The rows that a mapping's resource reads, and what landed behind one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseError, UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.mapping.files import Resource
    from lading.pipeline.context import Context

SLICES = """
SELECT request::VARCHAR, starting_at, ending_at, records, fetched_at, run_id
FROM lading.slices
WHERE connection = $connection AND stream = $stream AND starting_at < $end AND ending_at > $start
    AND ($width IS NULL OR request ->> 'bucket_width' = $width)
    AND list_has_all((request -> 'group_by')::VARCHAR[], $dimensions::VARCHAR[]) IS NOT false
ORDER BY starting_at, fetched_at DESC, request::VARCHAR
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """What landed for a period in answer to one request: a bucket or a day. Times are UTC."""

    stream: str
    request: str
    starting_at: datetime
    ending_at: datetime
    records: int
    fetched_at: datetime
    run_id: str


def check_condition(
    context: Context, connection: DuckDBPyConnection, resource: Resource, where: str
) -> None:
    """See that a condition can be put to a resource's rows.

    Raises:
        UserError: it can't, although the rows can be read.
    """
    import duckdb

    sql = _sql(context, resource)
    try:
        connection.execute(f"EXPLAIN {sql}")
    except duckdb.Error:
        return  # that is said when the rows are read
    try:
        # Alone as well: what closes the parentheses around it is no condition.
        connection.extract_statements(f"SELECT 1 WHERE\n{where}")
        connection.execute(f"EXPLAIN {_filtered(sql, where)}")
    except duckdb.Error as error:
        raise _about_condition(resource, error) from error


def landed_rows(
    context: Context, connection: DuckDBPyConnection, resource: Resource, where: str | None
) -> Iterator[str]:
    """The rows of a resource's model as JSON texts, read as they are needed.

    Raises:
        UserError: the condition can't be put to one of them.
        DatabaseError: what DuckDB said, with the place in the model's file.
    """
    import duckdb

    from lading.transform.resources import rows

    if where is None:
        yield from context.rows(connection, resource)
        return
    try:
        for batch in rows(connection, _filtered(_sql(context, resource), where)):
            yield from batch
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        # If the model is at fault, it is told with its file and line.
        next(context.rows(connection, resource), None)
        raise _about_condition(resource, error) from error


def _sql(context: Context, resource: Resource) -> str:
    from lading.transform.resources import resource_sql

    return resource_sql(
        context.graph, context.project, resource.model, resource.selector, context.now
    )


def _filtered(sql: str, where: str) -> str:
    return f"SELECT * FROM (\n{sql}\n) AS row WHERE (\n{where}\n)"


def _about_condition(resource: Resource, error: Exception) -> UserError:
    said = str(error).strip().split("\n\nLINE", maxsplit=1)[0]
    hint = f"it is a condition on the rows of {resource.model}: `lading show {resource.name}`"
    return UserError(f"--where can't be put to the rows of {resource.name}: {said}", hint=hint)


def slices_behind(
    context: Context, connection: DuckDBPyConnection, resource: Resource, row: str
) -> tuple[Slice, ...]:
    """What landed for the period and the connection of a row in requests that tell all that the
    resource asks for, for each period the one fetched last first. Nothing for the row of a model
    that asks for no stream, or that has no period.
    """
    import duckdb

    kind = context.project.kinds.get(resource.kind)
    period = _period(json.loads(row))
    if kind is None or kind.asks is None or period is None:
        return ()
    asks, selector = kind.asks, resource.selector
    parameters: Mapping[str, Any] = {
        "connection": period.connection,
        "stream": asks.stream,
        "start": period.start,
        "end": period.end,
        "width": selector.get(asks.width) if asks.width else None,
        "dimensions": list(selector.get(asks.dimensions) or ()) if asks.dimensions else [],
    }
    try:
        found: Sequence[tuple[Any, ...]] = connection.execute(SLICES, parameters).fetchall()
    except duckdb.CatalogException as error:
        message = f"lading has not written to {context.database.path.name} yet"
        raise DatabaseError(message, hint="`lading sync` or `lading extract` does") from error
    return tuple(_slice(asks.stream, *each) for each in found)


@dataclass(frozen=True, slots=True)
class _Period:
    connection: str
    start: datetime
    end: datetime


def _period(row: Any) -> _Period | None:
    """Whose row it is and of when, if it says so as the rows of the reports do."""
    if not isinstance(row, dict) or not isinstance(row.get("connection"), str):
        return None
    start = _moment(row.get("starting_at")) or _moment(row.get("date"))
    if start is None:
        return None
    end = _moment(row.get("ending_at")) or start + timedelta(days=1)
    return _Period(row["connection"], start, end)


def _moment(written: Any) -> datetime | None:
    """A moment in UTC without its zone, as the database has them."""
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _slice(
    stream: str, request: str, start: datetime, end: datetime, records: int, at: datetime, run: str
) -> Slice:
    start, end, at = (each.replace(tzinfo=UTC) for each in (start, end, at))
    return Slice(stream, request, start, end, records, at, run)


@dataclass(frozen=True, slots=True)
class Records:
    """Records that somebody gives, the same for each resource."""

    records: Sequence[str]

    def rows(self, resource: Resource) -> Iterator[str]:
        return iter(self.records)

    def behind(self, resource: Resource, row: str) -> Sequence[Slice]:
        return ()


@dataclass(frozen=True, slots=True)
class Landed:
    """The rows of the resources' models, under a condition."""

    context: Context
    connection: DuckDBPyConnection
    where: str | None = None

    def rows(self, resource: Resource) -> Iterator[str]:
        return landed_rows(self.context, self.connection, resource, self.where)

    def behind(self, resource: Resource, row: str) -> Sequence[Slice]:
        return slices_behind(self.context, self.connection, resource, row)
