"""Rows on stdout: as a table, as CSV, as JSON; every value in full, and every digit of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from lading.commands.options import Option

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000
FORMATS = ("table", "csv", "json", "markdown")

output_option = click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(FORMATS),
    default="table",
    help="How the rows are printed [table].",
)


def print_rows(cursor: DuckDBPyConnection, output: str, stream: TextIO) -> None:
    """Print what a query gave, row by row but for a table, whose columns need all of them.

    Raises:
        UserError: two columns have one name, and a JSON object has one of them.
    """
    columns = [column[0] for column in cursor.description or ()]
    print_records(columns, fetched(cursor), output, stream)


def print_records(
    columns: Sequence[str], rows: Iterable[Sequence[object]], output: str, stream: TextIO
) -> None:
    """Print rows of any source.

    Raises:
        UserError: two columns have one name, and a JSON object has one of them.
    """
    from lading.errors import UserError

    if output == "json" and len(set(columns)) < len(columns):
        twice = next(each for each in columns if columns.count(each) > 1)
        message = f"two columns are called '{twice}', and a JSON object has one of them"
        raise UserError(message, hint="name them apart with AS")
    PRINTERS[output](columns, rows, stream)


def fetched(cursor: DuckDBPyConnection) -> Iterator[Sequence[object]]:
    """The rows of a query as they come."""
    while rows := cursor.fetchmany(BATCH):
        yield from rows


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO) -> None:
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


def _print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO) -> None:
    import csv

    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(value) for value in row] for row in rows)


def _print_json(columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO) -> None:
    import msgspec

    encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
    separator = "["
    for row in rows:
        record = {name: _timed(value) for name, value in zip(columns, row, strict=True)}
        stream.write(f"{separator}{encode(record).decode()}")
        separator = ",\n "
    stream.write("[]\n" if separator == "[" else "]\n")


def _print_markdown(
    columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO
) -> None:
    from lading.commands import markdown

    # Numbers are texts by then, as the others print them.
    texts = [[_plain(value) for value in row] for row in rows]
    stream.write(f"{markdown.table(columns, texts)}\n")


PRINTERS = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
    "markdown": _print_markdown,
}


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
