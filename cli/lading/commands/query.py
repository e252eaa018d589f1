"""`lading query`: SQL at the database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lading.commands.options import Option, database_options
from lading.commands.rows import output_option, print_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@click.command("query", short_help="Ask the database something, in SQL.")
@click.argument("sql", required=False)
@click.option("--file", "file", cls=Option, type=click.Path(), help="A file with SQL; - is stdin.")
@output_option
@database_options
def command(sql: str | None, file: str | None, output: str, **options: Any) -> None:
    """Ask the database something, in SQL.

    SQL is the argument, a file (--file) or stdin. The database is opened read-only. CSV and JSON
    come row by row, and keep every digit of a decimal; times are UTC.
    """
    from lading.commands.project import open_database

    text = _text(sql, file)
    with open_database(options).reading() as connection:
        _check(connection, text)
        with _told():
            print_rows(connection.execute(text), output, sys.stdout)


def _text(sql: str | None, file: str | None) -> str:
    if sql is not None and file is not None:
        raise click.UsageError("give the SQL as an argument or as --file, not both")
    if sql is not None and sql != "-":
        return sql
    if file is not None and file != "-":
        try:
            return Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"can't be read: {error}", param_hint="--file") from error
    if sys.stdin.isatty():
        raise click.UsageError("what shall be asked? give the SQL as an argument, or --file")
    return sys.stdin.read()


def _check(connection: DuckDBPyConnection, sql: str) -> None:
    from lading.errors import UserError

    with _told():
        statements = connection.extract_statements(sql)
    if not statements:
        raise UserError("there is no SQL in it", hint="`lading query 'SHOW ALL TABLES'` is a start")


@contextmanager
def _told() -> Iterator[None]:
    """What DuckDB says to somebody's SQL, also after its first rows, is about that SQL."""
    import duckdb

    from lading.errors import UserError

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
        raise UserError(said, hint=_hint(said)) from error


def _hint(said: str) -> str | None:
    if "Table with name" in said:
        return "`lading query 'SHOW ALL TABLES'` lists what there is"
    return None
