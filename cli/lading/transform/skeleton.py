"""An empty copy of a project's database, in memory, with the columns of every model.

Models are bound in it, in the graph's order: that finds the columns and functions that are not
there, and what types do not go together, before anything is made. The project's own database is
not opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from lading.errors import Place, Problem, nearest
from lading.transform.bind_messages import taken_apart
from lading.transform.names import quoted
from lading.transform.statements import explained, read_statement
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.project.model import Project
    from lading.transform.graph import Graph
    from lading.transform.model import Model
    from lading.transform.properties import Column

Columns = tuple[tuple[str, str], ...]

CONFIG = {"threads": "1", "errors_as_json": "true", "autoinstall_known_extensions": "false"}
# DuckDB's name for the database that a connection to memory begins with.
MEMORY = "memory"
# Schemas that hold only what this package puts there, whatever else the database holds.
OURS = frozenset({"raw", "raw_history", "lading"})
OPENING = "DESCRIBE SELECT * FROM (\n"
CLOSING = "\n)"
NAMED = re.compile(r"""["'](\w+)["']""")


@dataclass(frozen=True, slots=True)
class Bound:
    """Each model's columns with their DuckDB types, in order, and what is wrong with the others.

    A model that reads one without columns here has none either; neither has one whose columns
    are known only when it is made (a PIVOT over whatever values there are, a file that is not
    there yet).
    """

    columns: Mapping[str, Columns]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A connection to the empty copy: a table for each stream and each bound model that is made
    in the database, and this package's own books."""

    connection: DuckDBPyConnection
    bound: Bound


@contextmanager
def skeleton(
    project: Project, graph: Graph, extra: Mapping[str, str] | None = None
) -> Iterator[Skeleton]:
    """The empty copy with all models bound in it, as long as it is needed. `extra` are relations
    beside the streams: the SQL of a query that has their columns, by `schema.name` as SQL."""
    import duckdb

    with duckdb.connect(":memory:", config=CONFIG) as connection:  # type: ignore[arg-type]
        _furnish(connection, project, graph, extra or {})
        yield Skeleton(connection, _bound(connection, graph))


def _furnish(
    connection: DuckDBPyConnection, project: Project, graph: Graph, extra: Mapping[str, str]
) -> None:
    catalog = project.target.database.stem
    if catalog.casefold() != MEMORY:
        connection.execute(f"ATTACH ':memory:' AS {quoted(catalog)}")
        connection.execute(f"USE {quoted(catalog)}")
    prepare(connection, _streams(project, graph))
    schemas = {model.schema for model in graph.models.values() if not model.is_resource}
    schemas |= {relation.partition(".")[0].strip('"') for relation in extra}
    connection.execute(
        ";".join(f"CREATE SCHEMA IF NOT EXISTS {quoted(each)}" for each in sorted(schemas)) or ";"
    )
    for relation, sql in extra.items():
        connection.execute(f"CREATE TABLE {relation} AS\n{sql}\nWITH NO DATA")


def _streams(project: Project, graph: Graph) -> Iterator[str]:
    for document in project.sources:
        for source in document.data["sources"]:
            yield from (stream["name"] for stream in source.get("streams") or ())
    # Of a file of sources that can't be read, the models may know streams.
    for model in graph.models.values():
        yield from (each.stream for each in model.sources if each.relation.startswith("raw."))


def _bound(connection: DuckDBPyConnection, graph: Graph) -> Bound:
    import duckdb

    columns: dict[str, Columns] = {}
    problems: list[Problem] = []
    for name, model in graph.models.items():
        if not columns.keys() >= set(model.depends_on):
            continue
        try:
            found = described(connection, model.sql)
            if _is_known_beforehand(connection, model) and _has_table(connection, model, found):
                columns[name] = found
        except duckdb.IOException:
            continue  # a file that it reads is not there yet
        except duckdb.Error as error:
            problems.extend(_problems(graph, model, error))
    return Bound(MappingProxyType(columns), tuple(problems))


def described(connection: DuckDBPyConnection, sql: str) -> Columns:
    """The columns of a query and their types; it is not run."""
    rows = connection.execute(OPENING + sql + CLOSING).fetchall()
    return tuple((row[0], row[1]) for row in rows)


def _is_known_beforehand(connection: DuckDBPyConnection, model: Model) -> bool:
    """Whether the model has these columns whatever its rows are: a PIVOT that takes its columns
    from values is several statements to DuckDB."""
    import duckdb

    if "pivot" not in model.sql.casefold():
        return True
    statements = connection.extract_statements(OPENING + model.sql + CLOSING)
    return all(each.type is not duckdb.StatementType.MULTI for each in statements)


def _has_table(connection: DuckDBPyConnection, model: Model, columns: Columns) -> bool:
    """Give a model that is made in the database its empty table. There are types that a query
    has and no table can have."""
    import duckdb

    if model.is_resource:
        return True
    try:
        connection.execute(f"CREATE TABLE {model.relation} ({declaration(columns)})")
    except duckdb.Error:
        return False
    return True


def declaration(columns: Iterable[tuple[str, str]]) -> str:
    """Columns as `CREATE TABLE` takes them."""
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)


def _problems(graph: Graph, model: Model, error: Exception) -> Iterator[Problem]:
    message, offset = explained(error, OPENING + model.sql + CLOSING)
    at = _offset(message, offset, model.sql)
    place, origin = (Place(model.file), None) if at is None else graph.locate(model.name, at)
    short, hint, is_near = taken_apart(message)
    severity: Literal["error", "warning"] = "error"
    if _names_others_tables(graph, model, error):
        # What people keep in the database beside the project can't be seen from here.
        if not is_near:
            return
        severity = "warning"
    yield Problem(short, place, "; ".join(filter(None, [hint, origin])) or None, severity)


def _offset(message: str, offset: int | None, sql: str) -> int | None:
    """Where in the model's SQL the error is; without DuckDB's word, where the name that it is
    about stands, if that is at one place alone."""
    if offset is not None:
        return min(max(offset - len(OPENING), 0), len(sql))
    name = NAMED.search(message)
    if name is None:
        return None
    found = [each.start() for each in re.finditer(rf"\b{name[1]}\b", sql, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None


def _names_others_tables(graph: Graph, model: Model, error: Exception) -> bool:
    import duckdb

    if not isinstance(error, duckdb.CatalogException):
        return False
    ours = OURS | {each.schema.casefold() for each in graph.models.values()} - {"main"}
    tables = read_statement(model.sql).tables
    return any(table.schema.casefold() not in ours for table in tables)


DifferenceKind = Literal["missing", "surplus", "type"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a model's columns are not those that its contract declares."""

    kind: DifferenceKind
    column: str
    message: str
    hint: str | None = None


def contract_problems(
    columns: Columns, declared: Sequence[Column], normalised: Callable[[str], str | None]
) -> tuple[Difference, ...]:
    """How a model's columns differ from the declared ones: first by what is declared, in its
    order, then what is there besides. A column that declares no type may have any.

    `normalised` gives a type as DuckDB writes it, None for one that it does not know. The order
    of the columns, and capital and small letters in their names, are no matter.
    """
    there = {name.casefold(): (name, kind) for name, kind in columns}
    wanted = {column.name.casefold() for column in declared}
    surplus = [name for key, (name, _) in there.items() if key not in wanted]
    found: list[Difference] = []
    for column in declared:
        if column.name.casefold() not in there:
            hint = nearest(column.name, surplus) if surplus else None
            message = f"the contract has a column '{column.name}', and the model has none"
            found.append(Difference("missing", column.name, message, hint))
        elif column.data_type is not None:
            kind = there[column.name.casefold()][1]
            found.extend(_of_another_type(column.name, column.data_type, kind, normalised))
    for name in surplus:
        message = f"the model has a column '{name}', and the contract has none"
        found.append(Difference("surplus", name, message, "declare it under columns:"))
    return tuple(found)


def _of_another_type(
    name: str, declared: str, found: str, normalised: Callable[[str], str | None]
) -> Iterator[Difference]:
    wanted = normalised(declared)
    if wanted is None:
        message = f"DuckDB has no type '{declared}' (of the column '{name}')"
        yield Difference("type", name, message, f"the model gives {found}")
    elif wanted != (normalised(found) or found):
        message = f"the column '{name}' is {found}, and its contract says {wanted}"
        hint = f"cast it in the model: {quoted(name)}::{wanted}"
        yield Difference("type", name, message, hint)


def type_names(connection: DuckDBPyConnection) -> Callable[[str], str | None]:
    """Gives types as DuckDB writes them, for `contract_problems`."""
    import duckdb

    known: dict[str, str | None] = {}

    def normalised(text: str) -> str | None:
        if text not in known:
            try:
                known[text] = str(connection.sqltype(text))
            except duckdb.Error:
                known[text] = None
        return known[text]

    return normalised
