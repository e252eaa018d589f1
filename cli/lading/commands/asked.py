"""Somebody's SQL put to the database, and what DuckDB says against it in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TextIO

from lading.commands.rows import fetched, print_records, print_rows
from lading.errors import Problem, UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

    from lading.pipeline.asking import Desk
    from lading.warehouse.database import Database

# What DuckDB's error says of the file that the SQL comes from.
Placed = Callable[[Exception], Problem]


def ask(
    database: Database, sql: str, output: str, stream: TextIO, placed: Placed | None = None
) -> None:
    """Print what SQL gives; the database is open for reading as long as it takes.

    Raises:
        UserError: there is no SQL, or DuckDB does not take it.
        DatabaseError: there is no database, or another process holds it.
    """
    with database.reading() as connection:
        _check(connection, sql)
        with _told(placed), _positions(connection) if placed else nullcontext():
            print_rows(connection.execute(sql), output, stream)


def answers(
    connection: DuckDBPyConnection, sql: str, placed: Placed | None = None
) -> Iterator[tuple[Sequence[str], Iterator[Sequence[object]]]]:
    """The columns and the rows of each statement that gives any; each is to be read before the
    next.

    Raises:
        UserError: there is no SQL, or DuckDB does not take it.
    """
    with _told(placed), _positions(connection) if placed else nullcontext():
        for statement in _check(connection, sql):
            cursor = connection.execute(statement)
            if cursor.description:
                yield [column[0] for column in cursor.description], fetched(cursor)


def print_questions(desk: Desk, output: str, stream: TextIO) -> None:
    """The questions that have names, and what each asks."""
    rows = [(each.name, each.description) for each in desk.questions.values()]
    if output != "table":
        print_records(["name", "description"], rows, output, stream)
        return
    from textwrap import wrap

    from lading.commands.output import screen_width

    widest = max((len(name) for name, _ in rows), default=0)
    for name, description in rows:
        lines = wrap(description, max(20, (screen_width() or 80) - widest - 2)) or [""]
        stream.write(f"{name:<{widest}}  {lines[0]}".rstrip() + "\n")
        stream.writelines(f"{'':<{widest}}  {line}\n" for line in lines[1:])


def _positions(connection: DuckDBPyConnection) -> AbstractContextManager[None]:
    from lading.transform.statements import positions_in_errors

    return positions_in_errors(connection)


def _check(connection: DuckDBPyConnection, sql: str) -> list[Statement]:
    with _told(None):
        statements = connection.extract_statements(sql)
    if not statements:
        raise UserError("there is no SQL in it", hint="`lading query 'SHOW ALL TABLES'` is a start")
    return statements


@contextmanager
def _told(placed: Placed | None) -> Iterator[None]:
    """What DuckDB says to somebody's SQL, also after its first rows, is about that SQL."""
    import duckdb

    try:
        yield
    except (
        duckdb.ProgrammingError,
        duckdb.DataError,
        duckdb.NotSupportedError,
        duckdb.IOException,
    ) as error:
        said = str(error).strip()
        if "read-only mode" in said:
            message = "the database is open for reading only"
            raise UserError(message, hint="`lading query` changes nothing") from error
        if placed is not None:
            raise UserError(problems=[placed(error)]) from error
        raise UserError(said, hint=_hint(said)) from error


def _hint(said: str) -> str | None:
    if "Table with name" in said:
        return "`lading query 'SHOW ALL TABLES'` lists what there is"
    return None
