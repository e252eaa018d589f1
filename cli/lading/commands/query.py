"""`lading query`: SQL at the database."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from lading.commands.options import project_options

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000


@click.command("query")
@click.argument("sql", required=False)
@click.option("--file", "file", type=click.Path(), help="A file with SQL; - is stdin.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="How the rows are printed [table].",
)
@project_options
def command(sql: str | None, file: str | None, output: str, **options: Any) -> None:
    """Ask the database something, in SQL.

    SQL is the argument, a file (--file) or stdin. The database is opened read-only. JSON keeps
    every digit of a decimal; times are UTC.
    """
    from lading.commands.project import open_project

    text = _text(sql, file)
    context = open_project(options)
    with context.database.reading() as connection:
        columns, rows = _ask(connection, text)
        PRINTERS[output](columns, rows, sys.stdout)


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


def _ask(
    connection: DuckDBPyConnection, sql: str
) -> tuple[Sequence[str], Iterator[Sequence[object]]]:
    import duckdb

    from lading.errors import UserError

    try:
        cursor = connection.execute(sql)
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise UserError(str(error).strip(), hint=_hint(error)) from error
    except duckdb.InvalidInputException as error:
        if "read-only" not in str(error):
            raise
        message = "the database is open for reading only"
        raise UserError(message, hint="`lading query` changes nothing") from error
    columns = [column[0] for column in cursor.description or ()]
    return columns, _rows(cursor)


def _hint(error: Exception) -> str:
    if "Table with name" in str(error):
        return "`lading query 'SHOW ALL TABLES'` lists what there is"
    return "the SQL is DuckDB's"


def _rows(cursor: DuckDBPyConnection) -> Iterator[Sequence[object]]:
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def _print_table(columns: Sequence[str], rows: Iterator[Sequence[object]], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    numbers: set[int] = set()
    texts = []
    for row in rows:
        numbers |= {index for index, value in enumerate(row) if _is_number(value)}
        texts.append([_plain(value) for value in row])
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in numbers else "left", no_wrap=True)
    for text in texts:
        table.add_row(*text)
    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def _print_csv(columns: Sequence[str], rows: Iterator[Sequence[object]], stream: TextIO) -> None:
    import csv

    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(value) for value in row] for row in rows)


def _print_json(columns: Sequence[str], rows: Iterator[Sequence[object]], stream: TextIO) -> None:
    import msgspec

    encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
    separator = "["
    for row in rows:
        record = {name: _timed(value) for name, value in zip(columns, row, strict=True)}
        stream.write(f"{separator}{encode(record).decode()}")
        separator = ",\n "
    stream.write("[]\n" if separator == "[" else "]\n")


PRINTERS = {"table": _print_table, "csv": _print_csv, "json": _print_json}


def _is_number(value: object) -> bool:
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _timed(value: object) -> object:
    from datetime import datetime

    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    return value


def _plain(value: object) -> str:
    from decimal import Decimal

    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(value).decode()
    return str(value)
