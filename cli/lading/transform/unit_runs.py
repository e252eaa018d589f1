"""Running the unit tests of models, in the empty copy of the project's database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from lading.errors import Place, UserError, nearest
from lading.project.exact import json_of
from lading.transform.json_text import json_text
from lading.transform.names import quoted
from lading.transform.skeleton import Columns, Skeleton, declaration, described
from lading.transform.statements import explained
from lading.transform.unit_diffs import Row, compare, diff_lines
from lading.transform.unit_tests import Given, Rows, UnitTest, column_problems
from lading.transform.unit_values import InexactError, plain_text, sql_value

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

    from lading.errors import Problem

Outcome = Literal["pass", "fail", "error"]
Typed = Sequence[tuple[str, "DuckDBPyType"]]
NESTED = frozenset({"struct", "map", "list", "array"})
VIEWS = """
SELECT view_name FROM duckdb_views()
WHERE schema_name = 'lading' AND database_name = current_database()
"""


@dataclass(frozen=True, slots=True)
class UnitTestResult:
    """How a test went: of one that failed, the differing rows in `lines`; of an error, where."""

    test: UnitTest
    outcome: Outcome
    seconds: float
    message: str = ""
    lines: tuple[str, ...] = ()
    place: Place | None = None
    hint: str | None = None


def unit_test_problems(skeleton: Skeleton, tests: tuple[UnitTest, ...]) -> tuple[Problem, ...]:
    """The columns of the tests' rows that are not there, of all tests."""
    relations = sorted({given.relation for test in tests for given in test.given})
    columns = {each: found for each in relations if (found := _columns(skeleton, each))}
    return column_problems(tests, columns, skeleton.bound.columns)


def run_unit_test(skeleton: Skeleton, test: UnitTest) -> UnitTestResult:
    """Run one test. The copy is empty again afterwards; it takes one test at a time."""
    import duckdb

    started = perf_counter()
    connection = skeleton.connection
    connection.execute("BEGIN TRANSACTION")
    try:
        for given in test.given:
            _fill(skeleton, given)
        message, lines = _compared(connection, test)
        outcome: Outcome = "fail" if message else "pass"
        return UnitTestResult(test, outcome, perf_counter() - started, message, lines, test.place)
    except UserError as error:
        seconds = perf_counter() - started
        place = error.place or test.place
        return UnitTestResult(test, "error", seconds, error.message, (), place, error.hint)
    except duckdb.Error as error:
        message = f"{test.model} can't be made of the given rows: {explained(error, test.sql)[0]}"
        return UnitTestResult(test, "error", perf_counter() - started, message, (), test.place)
    finally:
        # Some errors have ended the transaction already.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")


def _columns(skeleton: Skeleton, relation: str) -> Columns | None:
    import duckdb

    try:
        return described(skeleton.connection, f"FROM {relation}")
    except duckdb.Error:
        return None


def _typed(connection: DuckDBPyConnection, columns: Columns) -> Typed:
    return [(name, connection.sqltype(kind)) for name, kind in columns]


def _fill(skeleton: Skeleton, given: Given) -> None:
    """Put rows into an input, as a table of the same columns without constraints: a test gives
    those columns alone that matter."""
    connection = skeleton.connection
    columns = _columns(skeleton, given.relation)
    if columns is None:
        message = f"the columns of {given.input} can't be known from its SQL alone"
        raise UserError(message, place=given.place)
    if not given.rows.rows:
        return
    types = _types(given.rows, _typed(connection, columns), given.input)
    _make_room(connection, given.relation)
    connection.execute(f"CREATE OR REPLACE TABLE {given.relation} ({declaration(columns)})")
    cells = _cells(given.rows, types)
    names = ", ".join(quoted(name) for name, _ in types)
    values = ", ".join(f"({', '.join(row)})" for row in cells)
    if not types:  # rows without a single column
        names, values = quoted(columns[0][0]), ", ".join(["(NULL)"] * len(cells))
    _checked(
        connection, f"INSERT INTO {given.relation} ({names}) VALUES {values}", given.rows, types
    )


def _make_room(connection: DuckDBPyConnection, relation: str) -> None:
    """Take away a view of this package's books: no table replaces a view."""
    schema, _, name = relation.partition(".")
    if schema == "lading" and (name,) in connection.execute(VIEWS).fetchall():
        connection.execute(f"DROP VIEW {relation}")


def _types(rows: Rows, columns: Typed, name: str) -> Typed:
    """The columns that rows have, with their types."""
    known = {column.casefold(): (column, kind) for column, kind in columns}
    for number, row in enumerate(rows.rows):
        for key in map(str, row):
            if key.casefold() not in known:
                hint = nearest(key, (column for column, _ in columns))
                place = rows.key_place(number, key)
                raise UserError(f"{name} has no column '{key}'", place=place, hint=hint)
    return [known[column.casefold()] for column in rows.columns]


def _value(row: Mapping[str, Any], column: str) -> tuple[str, Any]:
    """A column's value in a row, and the column as the row writes it."""
    for key, value in row.items():
        if str(key).casefold() == column.casefold():
            return str(key), value
    return column, None


def _cells(rows: Rows, types: Typed, *, as_they_are: bool = False) -> list[list[str]]:
    """The rows as SQL. What a column can hold only rounded is an error, or `as_they_are` its text:
    then it equals no value of the column."""
    return [
        [_cell(rows, number, row, column, as_they_are=as_they_are) for column in types]
        for number, row in enumerate(rows.rows)
    ]


def _cell(
    rows: Rows,
    number: int,
    row: Mapping[str, Any],
    column: tuple[str, DuckDBPyType],
    *,
    as_they_are: bool,
) -> str:
    key, value = _value(row, column[0])
    try:
        cell = sql_value(value, column[1])
        return _readable(cell, column[1]) if as_they_are else cell
    except InexactError as error:
        if as_they_are:
            text = json_of(value) if isinstance(value, dict | list) else plain_text(value)
            return "'" + text.replace("'", "''") + "'"
        raise UserError(str(error), place=rows.place(number, key)) from error
    except ValueError as error:
        raise UserError(f"{key}: {error}", place=rows.place(number, key)) from error


def _checked(
    connection: DuckDBPyConnection, sql: str, rows: Rows, types: Typed
) -> list[tuple[Any, ...]]:
    """Run SQL with the cells of rows in it. If that fails, the first value that DuckDB does not
    take is told."""
    import duckdb

    try:
        return connection.execute(sql).fetchall()
    except duckdb.Error:
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        for number, row in enumerate(rows.rows):
            for column in types:
                _check(connection, rows, number, row, column)
        raise


def _check(
    connection: DuckDBPyConnection,
    rows: Rows,
    number: int,
    row: Mapping[str, Any],
    column: tuple[str, DuckDBPyType],
) -> None:
    import duckdb

    key, value = _value(row, column[0])
    try:
        with suppress(ValueError):
            connection.execute(f"SELECT {sql_value(value, column[1])}").fetchall()
    except duckdb.Error as error:
        written = json_of(value) if isinstance(value, dict | list) else f"'{plain_text(value)}'"
        is_json = str(column[1]) == "JSON"
        hint = (
            "text in a JSON column is JSON itself: '\"x\"'" if is_json else explained(error, "")[0]
        )
        message = f"{key}: {written} can't be read as {column[1]}"
        raise UserError(message, place=rows.place(number, key), hint=hint) from error


def _compared(connection: DuckDBPyConnection, test: UnitTest) -> tuple[str, tuple[str, ...]]:
    """What differs, in a line and in a table; nothing if all is as expected."""
    columns = _typed(connection, described(connection, test.sql))
    types = _types(test.expected, columns, test.model) if test.expected.rows else columns
    expected = _expected(connection, test.expected, types)
    given = _rows(connection, test.sql, types)
    found = compare(expected, given, ordered=test.ordered)
    if not found.pairs:
        return "", ()
    return found.summary, diff_lines([name for name, _ in types], found)


def _expected(connection: DuckDBPyConnection, rows: Rows, types: Typed) -> list[Row]:
    if not rows.rows or not types:
        return [()] * len(rows.rows)
    cells = _cells(rows, types, as_they_are=True)
    values = ", ".join(f"({', '.join(row)})" for row in cells)
    found = _checked(connection, f"VALUES {values}", rows, types)
    return [_canonical(row, types) for row in found]


def _rows(connection: DuckDBPyConnection, sql: str, types: Typed) -> list[Row]:
    cells = ", ".join(_readable(f"model.{quoted(name)}", kind) for name, kind in types)
    found = connection.execute(f"SELECT {cells or 'NULL'} FROM (\n{sql}\n) AS model").fetchall()
    return [_canonical(row, types) for row in found]


def _readable(value: str, kind: DuckDBPyType) -> str:
    """A value as text: what is nested as JSON, all else as DuckDB writes it, to the last digit."""
    if kind.id in NESTED or str(kind) == "JSON":
        return json_text(value, kind)
    return f"CAST({value} AS VARCHAR)"


def _canonical(row: tuple[Any, ...], types: Typed) -> Row:
    return tuple(_canonical_cell(cell, kind) for cell, (_, kind) in zip(row, types, strict=False))


def _canonical_cell(cell: str | None, kind: DuckDBPyType) -> str | None:
    if cell is None:
        return None
    if kind.id == "decimal":
        return _without_filling(cell)
    if kind.id in NESTED or str(kind) == "JSON":
        return _canonical_json(json.loads(cell, parse_float=Decimal, parse_int=Decimal))
    return cell


def _without_filling(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _canonical_json(value: Any) -> str | None:
    """JSON with its keys sorted and its numbers without zeros that only fill them up."""
    return None if value is None else "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        members = (
            f"{json.dumps(key, ensure_ascii=False)}: {''.join(_pieces(value[key]))}"
            for key in sorted(value)
        )
        yield f"{{{', '.join(members)}}}"
    elif isinstance(value, list):
        yield f"[{', '.join(''.join(_pieces(each)) for each in value)}]"
    elif isinstance(value, Decimal):
        yield _without_filling(f"{value:f}")
    else:
        yield json.dumps(value, ensure_ascii=False)
