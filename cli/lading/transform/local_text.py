"""CSV and JSON files as text, value by value, each with its line.

DuckDB's own readers are not used: its `read_json` takes numbers by way of DOUBLE, and its CSV
reader rounds what does not fit a type and drops the offset of a time. What is read here is exact,
and whether it fits a type is found out with the line at hand.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.errors import Place, UserError

if TYPE_CHECKING:
    from lading.transform.local_files import LocalFile

QUOTED = re.compile(r'"(?:[^"]|"")*"?')
WHITE = re.compile(r"[ \t\r\n]*")
WHOLE = re.compile(r"-?\d{1,18}")
# Half of a character beyond U+FFFF, which JSON can write alone and no text can hold.
HALF = re.compile("[\ud800-\udfff]")
DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Row:
    """A row's values as text, and the line that it begins at."""

    line: int
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The columns of a file with the types that their values have by themselves, and the rows,
    which can be gone through once."""

    types: Mapping[str, str]
    rows: Iterable[Row]


class Number(str):
    """A number of a JSON file, as it is written."""

    __slots__ = ()


def csv_content(file: LocalFile) -> Content:
    """A CSV file with a header; every column is text, and an empty field is NULL.

    The delimiter is that of `,` `;` tab and `|` that the header has most of.

    Raises:
        UserError: it is no such file; also while the rows are gone through.
    """
    records = _records(file)
    first = next(records, None)
    if first is None or not first[1]:
        raise _error(file, 1, "the first line has to name the columns")
    names = first[1]
    _check_names(file, names)
    return Content(dict.fromkeys(names, "VARCHAR"), _csv_rows(file, records, len(names)))


def _records(file: LocalFile) -> Iterator[tuple[int, list[str]]]:
    line = 1
    try:
        with file.path.open(encoding="utf-8-sig", newline="") as stream:
            header = QUOTED.sub("", stream.readline())
            stream.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for record in reader:
                yield line, record
                line = reader.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        raise _error(file, line, _unreadable(error)) from error


def _unreadable(error: Exception) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not CSV: {error}"


def _check_names(file: LocalFile, names: list[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise _error(file, 1, f"column {number} has no name")
        if name.casefold() in seen:
            raise _error(file, 1, f"there are two columns '{name}'")
        seen.add(name.casefold())


def _csv_rows(
    file: LocalFile, records: Iterator[tuple[int, list[str]]], width: int
) -> Iterator[Row]:
    for line, record in records:
        if not record:  # an empty line
            continue
        if len(record) != width:
            message = f"the header has {width} columns, and this row has {len(record)}"
            raise _error(file, line, message, 'put quotes around text that has a delimiter: "a, b"')
        yield Row(line, tuple(value or None for value in record))


def json_content(file: LocalFile, declared: Mapping[str, str]) -> Content:
    """A JSON file: a list of objects, or objects one after the other, a row each.

    By themselves, text is VARCHAR, whole numbers are BIGINT, true and false BOOLEAN, and whatever
    else there is in a column, such as numbers with a fraction, stays the JSON that is written.
    `declared` are the types of columns by their names in small letters.

    Raises:
        UserError: it is no such file.
    """
    objects = list(_objects(file))
    names = list(dict.fromkeys(name for _, each in objects for name in each))
    _check_names(file, names)
    types = {name: _type(each.get(name) for _, each in objects) for name in names}
    wanted = {name: declared.get(name.casefold(), types[name]) for name in names}
    writers = {name: _written if wanted[name] == "JSON" else _text for name in names}
    rows = [
        Row(line, tuple(_value(writers[name], each.get(name)) for name in names))
        for line, each in objects
    ]
    for row in rows:
        if any(value is not None and HALF.search(value) for value in row.values):
            raise _error(file, row.line, "there is half a character (\\ud800 to \\udfff)")
    return Content(types, rows)


def _objects(file: LocalFile) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = file.path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(file, 1, _unreadable(error)) from error
    line = 1
    last = 0
    try:
        for start, value in _elements(text):
            line += text.count("\n", last, start)
            last = start
            if not isinstance(value, dict):
                raise _error(file, line, "each row of JSON has to be an object: {…}")
            yield line, value
    except json.JSONDecodeError as error:
        raise _error(file, error.lineno, f"not JSON: {error.msg}") from error


def _elements(text: str) -> Iterator[tuple[int, Any]]:
    """The elements of a list, or what stands one after the other, with their positions."""
    start = _skip(text, 0)
    if not text.startswith("[", start):
        yield from _sequence(text, start)
        return
    at = _skip(text, start + 1)
    more = not text.startswith("]", at)
    while more:
        value, end = _decoded(text, at)
        yield at, value
        at = _skip(text, end)
        more = text.startswith(",", at)
        if more:
            at = _skip(text, at + 1)
    if not text.startswith("]", at):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    if (end := _skip(text, at + 1)) < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _sequence(text: str, at: int) -> Iterator[tuple[int, Any]]:
    while at < len(text):
        value, end = _decoded(text, at)
        yield at, value
        at = _skip(text, end)


def _decoded(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decoder().raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError(str(error), text, at) from error


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_float=Number,
        parse_int=Number,
        parse_constant=_refused,
        object_pairs_hook=_without_twins,
    )


def _skip(text: str, at: int) -> int:
    found = WHITE.match(text, at)
    return found.end() if found else at


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return made


def _type(values: Iterable[Any]) -> str:
    kinds = {_kind(value) for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else "JSON" if kinds else "VARCHAR"


def _kind(value: Any) -> str:
    if isinstance(value, Number):
        return "BIGINT" if WHOLE.fullmatch(value) else "JSON"
    if isinstance(value, bool):
        return "BOOLEAN"
    return "VARCHAR" if isinstance(value, str) else "JSON"


def _value(written: Callable[[Any], str], value: Any) -> str | None:
    return None if value is None else written(value)


def _text(value: Any) -> str:
    """A value as the text that is in it."""
    return str(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """A value as JSON, its numbers as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{_written(str(key))}:{_written(each)}" for key, each in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _error(file: LocalFile, line: int, message: str, hint: str | None = None) -> UserError:
    return UserError(message, place=Place(file.file, line), hint=hint)
