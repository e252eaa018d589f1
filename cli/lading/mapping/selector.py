"""The keys of a mapping's `selector` against what its kind declares."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from lading.errors import Problem, nearest
from lading.mapping.expressions import KeyPath
from lading.project.documents import Document
from lading.project.model import Field, FieldType, Kind

# A value as the models get it, or what it must be instead.
Read = tuple[Any, str | None]

# A century; more is a slip of the pen.
MOST_DAYS = 36_500
# Port's own key, for variables that expressions there may read.
EXPORTED = "exportEnvVariables"
TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
DATE = "%Y-%m-%d"
FORMS = {
    "timestamp": "a moment in UTC, written YYYY-MM-DDTHH:MM:SSZ",
    "date": "a date, written YYYY-MM-DD",
    "days": "a number of days above 0",
    "text": "a text",
}


def read_selector(
    document: Document, at: KeyPath, kind: Kind, now: datetime
) -> tuple[Mapping[str, Any], tuple[Problem, ...]]:
    """The selector with every field of its kind (None for one without a value), `query` left
    out, and what is wrong with it. `at` leads to the resource, `now` is aware."""
    written = _at(document.data, at).get("selector", {})
    problems = list(_query(document, at, written))
    values: dict[str, Any] = {name: _default(field) for name, field in kind.fields.items()}
    for key, value in ((str(key), value) for key, value in written.items()):
        if key == "query":
            continue
        if key == EXPORTED and key not in kind.fields:
            problems.append(_without_effect(document, at))
            continue
        if key not in kind.fields:
            problems.append(_unknown(document, at, key, kind))
            continue
        values[key], wanted = _READERS[kind.fields[key].type](value, kind.fields[key])
        if wanted:
            message = f"selector.{key} must be {wanted}, not {_shown(value)}"
            problems.append(Problem(message, document.place(*at, "selector", key)))
        else:
            problems.extend(_future(document, at, key, values[key], kind, now))
    problems.extend(_missing(document, at, written, kind))
    return MappingProxyType(values), tuple(problems)


def _at(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _query(document: Document, at: KeyPath, written: Mapping[str, Any]) -> Iterator[Problem]:
    query = written.get("query", "true")
    if not isinstance(query, str):
        place = document.place(*at, "selector", "query")
        hint = "write query: 'true'" if query is True else "put it in quotes"
        yield Problem(f"selector.query must be a text with JQ, not {_shown(query)}", place, hint)


def _without_effect(document: Document, at: KeyPath) -> Problem:
    place = document.key_place(*at, "selector", EXPORTED)
    message = f"selector.{EXPORTED} has no effect: no expression sees the environment here"
    return Problem(message, place, severity="warning")


def _unknown(document: Document, at: KeyPath, key: str, kind: Kind) -> Problem:
    place = document.key_place(*at, "selector", key)
    hint = nearest(key, ("query", *kind.fields))
    return Problem(f"the kind '{kind.name}' has no selector key '{key}'", place, hint)


def _missing(
    document: Document, at: KeyPath, written: Mapping[str, Any], kind: Kind
) -> Iterator[Problem]:
    place = document.key_place(*at, "selector")
    for name, field in kind.fields.items():
        if field.required and name not in written:
            yield Problem(f"selector.{name} is missing", place, f"it is {_wanted(field)}")
    for group in kind.exactly_one_of:
        given = [name for name in group if name in written]
        if len(given) != 1:
            names = " and ".join(f"selector.{name}" for name in group)
            found = f"{' and '.join(given)} are" if given else "none is"
            yield Problem(f"exactly one of {names} must be given, {found} there", place)


def _future(
    document: Document, at: KeyPath, key: str, value: str, kind: Kind, now: datetime
) -> Iterator[Problem]:
    if kind.asks is None or key not in kind.asks.start:
        return
    form = {"timestamp": TIMESTAMP, "date": DATE}.get(kind.fields[key].type)
    if form and datetime.strptime(value, form).replace(tzinfo=UTC) > now:
        message = f"selector.{key} is in the future ({value}): nothing is fetched until then"
        place = document.place(*at, "selector", key)
        yield Problem(message, place, severity="warning")


def _default(field: Field) -> Any:
    return tuple(field.default) if isinstance(field.default, list) else field.default


def _wanted(field: Field) -> str:
    if field.type == "choice":
        return f"one of {', '.join(field.values)}"
    if field.type == "choices":
        return f"a list of some of {', '.join(field.values)}"
    return FORMS[field.type]


def _moment(form: str, pattern: str) -> Callable[[Any, Field], Read]:
    def read(value: Any, field: Field) -> Read:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            return value, _wanted(field)
        try:
            datetime.strptime(value, form).replace(tzinfo=UTC)
        except ValueError:
            return value, "a day and time that exist"
        return value, None

    return read


def _days(value: Any, field: Field) -> Read:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= MOST_DAYS:
        return value, _wanted(field)
    return math.ceil(value), None


def _choice(value: Any, field: Field) -> Read:
    return value, None if value in field.values else _wanted(field)


def _choices(value: Any, field: Field) -> Read:
    if not isinstance(value, list) or any(each not in field.values for each in value):
        return value, _wanted(field)
    return tuple(dict.fromkeys(value)), None


def _text(value: Any, field: Field) -> Read:
    return value, None if isinstance(value, str) else _wanted(field)


_READERS: Mapping[FieldType, Callable[[Any, Field], Read]] = {
    "timestamp": _moment(TIMESTAMP, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "date": _moment(DATE, r"\d{4}-\d\d-\d\d"),
    "days": _days,
    "choice": _choice,
    "choices": _choices,
    "text": _text,
}


def _shown(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)
