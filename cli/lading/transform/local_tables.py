"""The tables that files of the project are read into.

A column has the type that its source declares, and a value that does not fit it exactly is an
error: nothing is rounded, cut or guessed. A column without a declared type keeps the type that the
file itself gives it: a Parquet file's own, VARCHAR of a CSV, and of JSON what `local_text` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lading.errors import Place, UserError, nearest
from lading.transform.literals import literal
from lading.transform.local_text import Content, Row, csv_content, json_content
from lading.transform.names import quoted
from lading.transform.statements import explained
from lading.transform.words import FILES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

    from lading.transform.local_files import FileColumn, LocalFile

ROWS_AT_ONCE = 10_000
LONGEST_VALUE = 60
TIMESTAMP, TIMESTAMPTZ = "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"
INTEGERS = frozenset(
    f"{sign}{size}" for sign in ("", "u") for size in
    ("tinyint", "smallint", "integer", "bigint", "hugeint")
)  # fmt: skip
NESTED = frozenset({"struct", "map", "list", "array", "union", "variant"})
DAY = r"\d{4}-\d\d?-\d\d?"
CLOCK = r"\d\d?:\d\d(:\d\d(\.\d{0,DIGITS}0*)?)?"
UTC = r"( ?(Z|[-+]00(:?00)?))"
OFFSET = r"( ?(Z|[-+]\d\d(:?\d\d)?))"
DIGITS = {"timestamp_s": 0, "timestamp_ms": 3, "timestamp": 6, "timestamp_ns": 9}
# What text may look like, of types to which DuckDB casts text also if something of it gets lost.
PATTERNS = {
    "date": DAY,
    "time": CLOCK.replace("DIGITS", "6"),
    "timestamp with time zone": f"{DAY}[ T]{CLOCK}{OFFSET}".replace("DIGITS", "6"),
    **{
        name: f"{DAY}([ T]{CLOCK}{UTC}?)?".replace("DIGITS", str(digits))
        for name, digits in DIGITS.items()
    },
    **dict.fromkeys(INTEGERS, r"[-+]?\d+(\.0*)?"),
}
GLOB = re.compile(r"([*?\[])")


@dataclass(frozen=True, slots=True)
class Reading:
    """A column of a file: the type it has there, and the type it is to have."""

    name: str
    there: str
    type: DuckDBPyType
    declared: FileColumn | None
    is_text: bool

    @property
    def sql_type(self) -> str:
        return str(self.type)

    @property
    def changes_zone(self) -> bool:
        """Whether moments get a zone, or lose it: by way of UTC, whatever the session's is."""
        return {self.there, self.sql_type} == {TIMESTAMP, TIMESTAMPTZ} and not self.is_text


def load(connection: DuckDBPyConnection, file: LocalFile) -> int:
    """Make the file's table anew, within the transaction that is under way; gives the number of
    rows. After an error that transaction has to be rolled back.

    Raises:
        UserError: the file can't be read, or a value does not fit its column.
    """
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {FILES}")
    if file.format == "parquet":
        return _load_parquet(connection, file)
    content = _content(connection, file)
    readings = _readings(connection, file, content.types)
    made = ", ".join(f"{quoted(each.name)} {each.sql_type}" for each in readings)
    connection.execute(f"CREATE OR REPLACE TABLE {file.relation} ({made})")
    count = 0
    for rows in _portions(content):
        _insert(connection, file, readings, rows)
        count += len(rows)
    return count


def columns(connection: DuckDBPyConnection, file: LocalFile) -> tuple[tuple[str, str], ...]:
    """The columns of the file's table, in their order, with their types.

    Raises:
        UserError: the file can't be read.
    """
    readings = _readings(connection, file, _types(connection, file))
    return tuple((each.name, each.sql_type) for each in readings)


def empty_select(connection: DuckDBPyConnection, file: LocalFile) -> str:
    """A SELECT with the columns and types of the file's table, and no rows.

    Raises:
        UserError: the file can't be read.
    """
    made = ", ".join(
        f"CAST(NULL AS {type_}) AS {quoted(name)}" for name, type_ in columns(connection, file)
    )
    return f"SELECT {made} WHERE false"


def _types(connection: DuckDBPyConnection, file: LocalFile) -> Mapping[str, str]:
    """The types that the file's columns have by themselves."""
    if file.format == "parquet":
        return _parquet_types(connection, file)
    return _content(connection, file).types


def _content(connection: DuckDBPyConnection, file: LocalFile) -> Content:
    if file.format == "csv":
        return csv_content(file)
    declared = {
        column.name.casefold(): str(_type(connection, column.data_type, column))
        for column in file.columns
        if column.data_type
    }
    content = json_content(file, declared)
    if content.types:
        return content
    if not file.columns:
        message = f"{file.file} is empty, so nobody knows its columns"
        raise UserError(message, place=file.place, hint="declare its columns")
    return Content({column.name: "VARCHAR" for column in file.columns}, ())


def _readings(
    connection: DuckDBPyConnection, file: LocalFile, types: Mapping[str, str]
) -> list[Reading]:
    described = {column.name.casefold(): column for column in file.columns}
    _check_there(file, types)
    readings = []
    for name, there in types.items():
        column = described.get(name.casefold())
        given = column.data_type if column and column.data_type else None
        type_ = _type(connection, given or there, column)
        if given and type_.id in NESTED and file.format != "parquet":
            message = f"a column of a {file.format.upper()} file can't be {given}"
            hint = "declare it as JSON, and take it apart in a model"
            raise UserError(message, place=column.place if column else file.place, hint=hint)
        is_text = file.format != "parquet" or there == "VARCHAR"
        readings.append(Reading(name, there, type_, column, is_text))
    return readings


def _check_there(file: LocalFile, names: Mapping[str, str]) -> None:
    there = {name.casefold() for name in names}
    for column in file.columns:
        if column.name.casefold() not in there:
            message = f"{file.file} has no column '{column.name}'"
            raise UserError(message, place=column.place, hint=nearest(column.name, names))


def _type(connection: DuckDBPyConnection, text: str, column: FileColumn | None) -> DuckDBPyType:
    import duckdb

    try:
        return connection.sqltype(text)
    except duckdb.Error as error:
        message = f"there is no type '{text}'"
        hint = "write it as DuckDB does, such as BIGINT or DECIMAL(18, 2)"
        raise UserError(message, place=column.place if column else None, hint=hint) from error


def _portions(content: Content) -> Iterator[list[Row]]:
    rows = iter(content.rows)
    while portion := list(islice(rows, ROWS_AT_ONCE)):
        yield portion


def _insert(
    connection: DuckDBPyConnection, file: LocalFile, readings: Sequence[Reading], rows: list[Row]
) -> None:
    values = zip(*(row.values for row in rows), strict=True)
    given = [list(range(len(rows))), *(list(column) for column in values)]
    unnested = ", ".join(f"unnest(${n + 2}::VARCHAR[]) AS c{n}" for n in range(len(readings)))
    source = f"(SELECT unnest($1::BIGINT[]) AS row, {unnested})"
    texts = [f"c{number}" for number in range(len(readings))]
    misfit = _misfit(readings, texts)
    first = f"SELECT row, {misfit} AS misfit FROM {source} WHERE misfit IS NOT NULL ORDER BY row"
    if found := connection.execute(f"{first} LIMIT 1", given).fetchall():
        row, number = found[0]
        value = rows[row].values[number] or ""
        raise _unfitting(file, readings[number], value, rows[row].line)
    made = ", ".join(_cast(each, text) for each, text in zip(readings, texts, strict=True))
    connection.execute(f"INSERT INTO {file.relation} SELECT {made} FROM {source}", given)


def _misfit(readings: Sequence[Reading], values: Sequence[str]) -> str:
    """SQL: the number of the first column whose value does not fit its type; NULL if all do."""
    whens = [
        f"WHEN {value} IS NOT NULL AND NOT coalesce({_fits(each, value)}, false) THEN {number}"
        for number, (each, value) in enumerate(zip(readings, values, strict=True))
        if each.sql_type != each.there
    ]
    return f"CASE {' '.join(whens)} END" if whens else "NULL"


def _fits(reading: Reading, value: str) -> str:
    """SQL: whether the type can hold a value, and holds all of it."""
    cast = f"TRY_CAST({value} AS {reading.sql_type})"
    if reading.changes_zone:
        return "true"
    if not reading.is_text:
        return f"TRY_CAST({cast} AS {reading.there}) IS NOT DISTINCT FROM {value}"
    pattern = _pattern(reading.type)
    looks = f"regexp_full_match(trim({value}), {literal(pattern)}) AND " if pattern else ""
    return f"{looks}{cast} IS NOT NULL"


def _pattern(type_: DuckDBPyType) -> str | None:
    if type_.id == "decimal":
        scale = dict(type_.children)["scale"]
        return rf"[-+]?\d*(\.\d{{0,{scale}}}0*)?"
    return PATTERNS.get(type_.id)


def _cast(reading: Reading, value: str) -> str:
    if reading.changes_zone:
        return f"{value} AT TIME ZONE 'UTC'"
    return f"CAST({value} AS {reading.sql_type})"


def _unfitting(file: LocalFile, reading: Reading, value: str, line: int | None) -> UserError:
    shown = value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
    declared = reading.declared.place if reading.declared else file.place
    return UserError(
        f"'{shown}' does not fit the column '{reading.name}', which is {reading.sql_type}",
        place=Place(file.file, line),
        hint=f"its type is declared at {declared}; nothing is rounded or cut to make it fit",
    )


def _load_parquet(connection: DuckDBPyConnection, file: LocalFile) -> int:
    import duckdb

    readings = _readings(connection, file, _parquet_types(connection, file))
    names = [quoted(each.name) for each in readings]
    made = ", ".join(
        f"{_cast(each, name)} AS {name}" for each, name in zip(readings, names, strict=True)
    )
    try:
        _check_parquet(connection, file, readings, names)
        query = f"CREATE OR REPLACE TABLE {file.relation} AS SELECT {made} FROM {_parquet(file)}"
        ((count,),) = connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise _unread(file, error) from error
    return int(count)


def _check_parquet(
    connection: DuckDBPyConnection, file: LocalFile, readings: list[Reading], names: list[str]
) -> None:
    values = ", ".join(f"{name}::VARCHAR" for name in names)
    misfit = _misfit(readings, names)
    first = f"SELECT {misfit} AS misfit, [{values}] FROM {_parquet(file)} WHERE misfit IS NOT NULL"
    if found := connection.execute(f"{first} LIMIT 1").fetchall():
        number, row = found[0]
        raise _unfitting(file, readings[number], row[number], None)


def _parquet_types(connection: DuckDBPyConnection, file: LocalFile) -> dict[str, str]:
    import duckdb

    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {_parquet(file)}").fetchall()
    except duckdb.Error as error:
        raise _unread(file, error) from error
    return {name: type_ for name, type_, *_ in rows}


def _parquet(file: LocalFile) -> str:
    """SQL that reads this very file, whatever characters its path has."""
    path = GLOB.sub(r"[\1]", str(file.path))
    return f"read_parquet({literal(path)}, hive_partitioning = false)"


def _unread(file: LocalFile, error: Exception) -> UserError:
    message, _ = explained(error, "")
    return UserError(message.replace(str(file.path), file.file), place=Place(file.file))
