"""What mappings read: the rows of a model, rendered for a selector, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseError, Place, UserError, nearest
from lading.transform.graph import Graph, utc_text
from lading.transform.json_text import row_text
from lading.transform.render import Wish
from lading.transform.selectors import complete
from lading.transform.statements import (
    explained,
    positions_in_errors,
    read_statement,
)
from lading.waiting import hearing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.project.model import Project

ROW = "resource_row"


def resource_sql(
    graph: Graph,
    project: Project,
    model_name: str,
    selector: Mapping[str, Any],
    run_started_at: datetime,
) -> str:
    """The query that gives a model's rows for one selector.

    A resource model is rendered with the selector, in which fields that were left out have their
    kind's defaults. Any other model is read as it stands in the database.

    Raises:
        UserError: there is no such model, or the selector leads to SQL that can't be read.
    """
    model = graph.models.get(model_name)
    if model is None:
        raise UserError(f"there is no model '{model_name}'", hint=nearest(model_name, graph.models))
    if not model.is_resource:
        return f"SELECT * FROM {model.relation}"
    renderer = graph.compiler.renderer
    wish = _wish(graph, project, model_name, selector, run_started_at)
    sql = renderer.render(wish).sql
    statement = read_statement(sql)
    if faults := [fault for fault in statement.faults if fault.severity == "error"]:
        raise UserError(problems=[renderer.problem(wish, fault) for fault in faults])
    return statement.sql


def resource_rows(
    graph: Graph,
    project: Project,
    connection: DuckDBPyConnection,
    model_name: str,
    selector: Mapping[str, Any],
    run_started_at: datetime,
    batch: int = 1000,
) -> Iterator[list[str]]:
    """The `rows` of the query that `resource_sql` gives.

    Raises:
        UserError: as `resource_sql`.
        DatabaseError: what DuckDB said, with the place in the model's file.
    """
    import duckdb

    sql = resource_sql(graph, project, model_name, selector, run_started_at)
    try:
        yield from rows(connection, sql, batch)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        message, offset = _asked_again(connection, sql, error)
        place, hint = Place(graph.models[model_name].file), None
        if offset is not None and graph.models[model_name].is_resource:
            wish = _wish(graph, project, model_name, selector, run_started_at)
            place, hint = graph.compiler.renderer.origin(wish, offset)
        raise DatabaseError(message, place=place, hint=hint) from error


def rows(connection: DuckDBPyConnection, sql: str, batch: int = 1000) -> Iterator[list[str]]:
    """The rows of a query in their order, each as the text of a JSON object, `batch` at a time.

    They are read as they come, on a cursor of their own: the connection is free for other
    statements, and the memory does not grow with the rows. The cursor sees what is committed.
    `json_text` tells how each type is written.
    """
    cursor = connection.cursor()
    try:
        with hearing(cursor.interrupt):
            asked = cursor.sql(sql)
            columns = list(zip(asked.columns, asked.types, strict=True))
            text = row_text(columns, ROW)
            cursor.execute(f"SELECT {text} FROM (\n{sql}\n) AS {ROW}")
            while found := cursor.fetchmany(batch):
                yield [text for (text,) in found]
    finally:
        cursor.close()


def _wish(
    graph: Graph,
    project: Project,
    model_name: str,
    selector: Mapping[str, Any],
    run_started_at: datetime,
) -> Wish:
    whole = complete(project.kinds.get(model_name), selector)
    return Wish(graph.compiler.wish(model_name).model, utc_text(run_started_at), whole)


def _asked_again(
    connection: DuckDBPyConnection, sql: str, error: Exception
) -> tuple[str, int | None]:
    """The error, and where it is in the query, if that can be known before it runs."""
    import duckdb

    opening = "EXPLAIN "
    with connection.cursor() as cursor, positions_in_errors(cursor):
        try:
            cursor.execute(opening + sql)
        except duckdb.Error as again:
            message, offset = explained(again, opening + sql)
            return message, None if offset is None else max(offset - len(opening), 0)
    return explained(error, sql)
