"""What the models know of a report's records: the structs that they decode them with.

A model says so where it decodes: `from_json(payload, '{…}')`. The struct of the values of a map,
which another model decodes, is known if it is called as the map's field is: of `"tools":
"MAP(VARCHAR, JSON)"` by `from_json(entry.value, '{…}') as tools`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.project.cache import entry_key

if TYPE_CHECKING:
    from sqlglot import exp

    from lading.project.cache import Cache
    from lading.transform.graph import Graph

# What stands for any key of a map, and for any element of a list.
ANY_KEY, ELEMENT = "*", "[]"
# The columns of the raw tables that are JSON.
PAYLOAD, REQUEST = "payload", "request"


@dataclass(frozen=True, slots=True)
class Decoding:
    """One `from_json`: which column it reads, its struct, and what the result is called."""

    column: str
    struct: Any
    alias: str


def known_fields(graph: Graph, stream: str, cache: Cache) -> dict[str, Any] | None:
    """The fields of a stream's payloads that models decode, as nested keys with `*` for any key and
    `[]` for any element; a value of {} is not looked into. None if no model decodes them.

    What a model decodes is kept in `cache` by its SQL.
    """
    models = [
        (model, _decodings(model.sql, cache))
        for name, model in graph.models.items()
        if not model.is_resource and "from_json" in model.sql and stream in graph.streams(name)
    ]
    maps = {
        each.alias: each.struct
        for _, decodings in models
        for each in decodings
        if each.column not in {PAYLOAD, REQUEST}
    }
    known: dict[str, Any] | None = None
    for model, decodings in models:
        if any(source.stream == stream and not source.is_file for source in model.sources):
            for each in decodings:
                if each.column == PAYLOAD:
                    known = _united(known or {}, _fields(each.struct, maps))
    return known


def _decodings(sql: str, cache: Cache) -> tuple[Decoding, ...]:
    key = entry_key(sql)
    found = cache.get("decodings", key, tuple[Decoding, ...])
    if found is None:
        found = _read_decodings(sql)
        cache.put("decodings", key, found)
    return found


def _read_decodings(sql: str) -> tuple[Decoding, ...]:
    from sqlglot import parse_one
    from sqlglot.errors import SqlglotError

    try:
        return tuple(_decodings_in(parse_one(sql, dialect="duckdb")))
    except SqlglotError:
        return ()


def _decodings_in(query: exp.Expr) -> Iterator[Decoding]:
    from sqlglot import exp

    for call in query.find_all(exp.FromJson):
        arguments = list(call.iter_expressions())
        struct = _struct(arguments[1]) if len(arguments) > 1 else None
        if isinstance(arguments[0], exp.Column) and struct is not None:
            alias = call.find_ancestor(exp.Alias)
            yield Decoding(arguments[0].name, struct, alias.alias if alias else "")


def _struct(argument: exp.Expr) -> Any:
    try:
        return json.loads(argument.name)
    except ValueError:
        return None


def _fields(struct: Any, maps: dict[str, Any], name: str = "") -> dict[str, Any]:
    if isinstance(struct, dict):
        return {key: _fields(child, maps, key) for key, child in struct.items()}
    if isinstance(struct, list) and struct:
        return {ELEMENT: _fields(struct[0], maps, name)}
    if isinstance(struct, str) and struct.upper().startswith("MAP("):
        return {ANY_KEY: _fields(maps.get(name, ""), {})}
    return {}


def _united(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What either knows. Where one does not look into a value and the other does, the fields that
    are looked at are the known ones."""
    keys = {**one, **other}
    return {key: _united(one.get(key, {}), other.get(key, {})) for key in keys}
