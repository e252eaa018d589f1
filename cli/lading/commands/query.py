"""`lading query`: SQL at the database."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from lading.commands.options import Option, database_options

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000


@click.command("query", short_help="Ask the database something, in SQL.")
@click.argument("sql", required=False)
@click.option("--file", "file", cls=Option, type=click.Path(), help="A file with SQL; - is stdin.")
@click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="How the rows are printed [table].",
)
@database_options
def command(sql: str | None, file: str | None, output: str, **options: Any) -> None:
    """Ask the database something, in SQL.

    SQL is the argument, a file (--file) or stdin. The database is opened read-only. CSV and JSON
    come row by row, and keep every digit of a decimal; times are UTC.
    """
    from lading.commands.project import open_database
    from lading.errors import UserError

    text = _text(sql, file)
    with open_database(options).reading() as connection:
        _check(connection, text)
        with _told():
            cursor = connection.execute(text)
            columns = [column[0] for column in cursor.description or ()]
            if output == "json" and len(set(columns)) < len(columns):
                twice = next(each for each in columns if columns.count(each) > 1)
                message = f"two columns are called '{twice}', and a JSON object has one of them"
                raise UserError(message, hint="name them apart with AS")
            PRINTERS[output](columns, _rows(cursor), sys.stdout)


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


def _rows(cursor: DuckDBPyConnection) -> Iterator[Sequence[object]]:
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def _print_table(columns: Sequence[str], rows: Iterator[Sequence[object]], stream: TextIO) -> None:
    """Every value on one line and in full, however wide: it is the values that people are after."""
    numbers: set[int] = set()
    texts = []
    for row in rows:
        numbers.update(index for index, value in enumerate(row) if _is_number(value))
        texts.append([_on_one_line(_plain(value)) for value in row])
    widths = [_width(column) for column in columns]
    for text in texts:
        widths = [max(width, _width(cell)) for width, cell in zip(widths, text, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (width - _width(cell)) + cell
            if index in numbers
            else cell + " " * (width - _width(cell))
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    click.echo(click.style(line(columns), bold=True), file=stream)
    stream.writelines(f"{line(text)}\n" for text in texts)


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else text.replace("\n", "\\n").replace("\r", "\\r")


def _width(text: str) -> int:
    """In columns of a terminal; letters of some scripts take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


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
