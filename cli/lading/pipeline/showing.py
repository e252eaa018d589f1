"""The rows that a node's SQL gives now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lading.errors import DatabaseError, Place, UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context

OPENING = "FROM (\n"


@contextmanager
def showing(
    context: Context, *, node: str | None, inline: str | None, limit: int
) -> Iterator[DuckDBPyConnection]:
    """A cursor with the first rows of a node, or of a query.

    Raises:
        UserError: there is no such node, or it has no rows.
        DatabaseError: what DuckDB said, with the place in the model's file.
    """
    import duckdb

    from lading.pipeline.compiled import INLINE, compiled_inline
    from lading.transform.statements import explained, positions_in_errors

    file, sql = (INLINE, compiled_inline(context, inline)) if inline else _sql(context, str(node))
    query = f"{OPENING}{sql}\n) LIMIT {limit}"
    with context.database.reading() as connection, positions_in_errors(connection):
        try:
            yield connection.execute(query)
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            message, offset = explained(error, query)
            place, hint = Place(file), None
            model = next((e for e in context.graph.models.values() if e.file == file), None)
            if model is not None and offset is not None:
                place, hint = context.graph.locate(model.name, offset - len(OPENING))
            raise DatabaseError(message, place=place, hint=hint) from error


def _sql(context: Context, node: str) -> tuple[str, str]:
    from lading.pipeline.compiled import compiled_of
    from lading.pipeline.nodes import nodes_of
    from lading.transform.selection import select

    nodes = nodes_of(context)
    ids = [each for each in select(nodes, [node]) if nodes[each].resource_type != "source"]
    found = [each for each in compiled_of(context, ids) if each[0].endswith(".sql")]
    if len(found) != 1:
        names = ", ".join(nodes[each].name for each in ids[:5])
        hint = f"it means {names}" if names else "`lading query` shows what has landed"
        raise UserError(f"'{node}' is not one model", hint=hint)
    return found[0]
