"""Making the models in the database, each whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from lading.errors import Place
from lading.transform.graph import Graph
from lading.transform.model import Model
from lading.transform.names import quoted
from lading.transform.selection import selected
from lading.transform.statements import explained, positions_in_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Status = Literal["ok", "error", "skipped"]
Relations = dict[tuple[str, str], str]

RELATIONS = """
SELECT schema_name, table_name, 'table' FROM duckdb_tables()
WHERE database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view' FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal
"""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How one model went: `rows` of a table, the reason of an error or a skip in `message`."""

    model: Model
    status: Status
    seconds: float = 0.0
    rows: int | None = None
    message: str = ""
    place: Place | None = None
    hint: str | None = None


def build(
    graph: Graph,
    connection: DuckDBPyConnection,
    select: Iterable[str] | None = None,
    *,
    keep_going: bool = True,
    on_node: Callable[[NodeResult], None] | None = None,
) -> tuple[NodeResult, ...]:
    """Make the selected models in the graph's order.

    Each is replaced within a transaction of its own: one that fails leaves what was there, and
    what reads it is skipped (without `keep_going`, all that is left). Nothing else in the
    database is touched. `on_node` gets each result as it comes. `connection` is open for
    writing, with no transaction under way.

    Raises:
        UserError: the selection names no model; nothing was made.
    """
    models = selected(graph, select)
    results: dict[str, NodeResult] = {}
    with positions_in_errors(connection):
        there = _relations(connection)
        for model in models:
            reason = _reason_to_skip(model, results, keep_going=keep_going)
            if reason is not None:
                result = NodeResult(model, "skipped", message=reason)
            else:
                result = _make(graph, connection, model, there)
            results[model.name] = result
            if on_node is not None:
                on_node(result)
    return tuple(results.values())


def _relations(connection: DuckDBPyConnection) -> Relations:
    """What stands in the database, by schema and name in small letters: 'table' or 'view'."""
    rows = connection.execute(RELATIONS).fetchall()
    return {(schema.lower(), name.lower()): kind for schema, name, kind in rows}


def _reason_to_skip(
    model: Model, results: dict[str, NodeResult], *, keep_going: bool
) -> str | None:
    failed = [each.model.name for each in results.values() if each.status == "error"]
    if failed and not keep_going:
        return f"stopped after '{failed[0]}' failed"
    for name in model.depends_on:
        if (result := results.get(name)) is None or result.status == "ok":
            continue
        return f"'{name}' failed" if result.status == "error" else f"'{name}' was skipped"
    return None


def _make(
    graph: Graph, connection: DuckDBPyConnection, model: Model, there: Relations
) -> NodeResult:
    import duckdb

    started = perf_counter()
    opening = f"CREATE OR REPLACE {model.materialized.upper()} {model.relation} AS\n"
    key = model.schema.lower(), model.name.lower()
    try:
        rows = _replace(connection, model, there.get(key), opening)
    except duckdb.Error as error:
        return _failed(graph, model, error, opening, perf_counter() - started)
    return NodeResult(model, "ok", perf_counter() - started, rows)


def _replace(
    connection: DuckDBPyConnection, model: Model, there: str | None, opening: str
) -> int | None:
    """Put the model where an older one may stand; gives the number of a table's rows."""
    connection.execute("BEGIN TRANSACTION")
    try:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(model.schema)}")
        if there not in {None, model.materialized}:
            connection.execute(f"DROP {there} {model.relation}")
        answer = connection.execute(opening + model.sql).fetchall()
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    return int(answer[0][0]) if model.materialized == "table" else None


def _roll_back(connection: DuckDBPyConnection) -> None:
    import duckdb

    # Nothing is left to roll back when the commit itself failed.
    with suppress(duckdb.Error):
        connection.execute("ROLLBACK")


def _failed(
    graph: Graph, model: Model, error: Exception, opening: str, seconds: float
) -> NodeResult:
    message, offset = explained(error, opening + model.sql)
    place, hint = Place(model.file), None
    if offset is not None and offset >= len(opening):
        place, hint = graph.locate(model.name, offset - len(opening))
    return NodeResult(model, "error", seconds, None, message, place, hint)
