"""Why several rows give the same entity: the two rows, what differs, and the likely cause.

An entity's row is not kept. It is read again here, and mapped again: only a row that gives the very
entity is shown as its row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseError, MappingError, UserError
from lading.mapping.outline import read_outline
from lading.mapping.paths import ELEMENT, read_paths

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.mapping.files import Resource
    from lading.mapping.workers import Workers
    from lading.pipeline.context import Context
    from lading.port.ledger import Duplicate, Occurrence

# Top-level fields that say when a row is of, the first that is there.
MOMENTS = ("starting_at", "date", "day", "hour", "month", "week")
SHOWN = 4
MOST_CHARACTERS = 60

Path = tuple[str, ...]
Row = Mapping[str, Any]
Rows = Mapping[tuple[str, int], Row]


@dataclass(frozen=True, slots=True)
class Reads:
    """What a resource's identifier reads of a row, and what it was grouped by."""

    paths: tuple[Path, ...]
    grouped: tuple[str, ...]
    width: str | None

    def reads(self, path: Path) -> bool:
        """Whether the identifier depends on what is there."""
        return any(path[: len(each)] == each for each in self.paths)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The dimensions that it does not depend on."""
        steps = {step for path in self.paths for step in path}
        is_any = any(path == () or path[-1] == ELEMENT for path in self.paths)
        return () if is_any else tuple(each for each in self.grouped if each not in steps)


def tell(context: Context, duplicates: Sequence[Duplicate]) -> Iterator[str]:
    """Each of them in words."""
    if not duplicates:
        return
    resources = {each.name: each for each in context.resources}
    rows = _rows(context, resources, duplicates)
    for each in duplicates:
        yield _told(context, resources, each, rows)


def _told(
    context: Context, resources: Mapping[str, Resource], duplicate: Duplicate, rows: Rows
) -> str:
    pair = (duplicate.first, duplicate.second)
    first, second = (rows.get((each.resource, each.position)) for each in pair)
    places = [_place(each, row) for each, row in zip(pair, (first, second), strict=True)]
    if places[0] == places[1]:
        places[1] = "another part of the same row"
    said = (
        f"{duplicate.blueprint} '{duplicate.identifier}' comes from {duplicate.rows} rows that "
        f"differ, and is not pushed: {places[0]} and {places[1]} differ in "
        f"{_differences(duplicate.first.entity, duplicate.second.entity)}"
    )
    causes = list(_causes(context, resources, duplicate, first, second))
    return f"{said}. Likely cause: {'; '.join(causes)}" if causes else said


def _place(occurrence: Occurrence, row: Row | None) -> str:
    said = f"{occurrence.resource} row {occurrence.position}"
    moment = next((key for key in MOMENTS if row and key in row), None)
    return f"{said} ({moment} {row[moment]})" if row and moment else said


def _differences(one: str, other: str) -> str:
    first, second = (_flat(json.loads(text, parse_float=str)) for text in (one, other))
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    shown = [f"{name} ({_short(first, name)} / {_short(second, name)})" for name in names[:SHOWN]]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*shown, *more])


def _flat(entity: Any) -> dict[str, Any]:
    """Title, icon, team, and each property and relation by its path."""
    found: dict[str, Any] = {}
    for key, value in entity.items() if isinstance(entity, dict) else ():
        if key in {"properties", "relations"} and isinstance(value, dict):
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    return found


def _short(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "not there"
    text = json.dumps(values[name], ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _causes(
    context: Context,
    resources: Mapping[str, Resource],
    duplicate: Duplicate,
    first: Row | None,
    second: Row | None,
) -> Iterator[str]:
    one, other = duplicate.first, duplicate.second
    if one.resource != other.resource:
        yield "two resources give the same identifier: put what tells them apart into it"
        return
    reads = _reads(context, resources[one.resource])
    if reads.left_out:
        names = ", ".join(reads.left_out)
        yield f"selector.groupBy has {names}, and the identifier leaves that out"
    if first is None or second is None or one.position == other.position:
        return
    before, after = _leaves(first), _leaves(second)
    differing = [path for path in before if path in after and before[path] != after[path]]
    cut = [
        path for path in differing if reads.reads(path) and before[path][:10] == after[path][:10]
    ]
    for path in cut:
        width = f": bucketWidth {reads.width} is finer than a day" if reads.width else ""
        yield f"the identifier has only the day of {'.'.join(path)}{width}"
    unread = [".".join(path) for path in differing if not reads.reads(path)]
    if unread and not reads.left_out and not cut:
        yield f"the rows differ in {', '.join(unread[:SHOWN])}, and the identifier leaves that out"


def _leaves(row: Row, before: Path = ()) -> dict[Path, str]:
    """The texts of a row that may tell it from another one, by their paths; no lists."""
    found: dict[Path, str] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= _leaves(value, (*before, key))
        elif isinstance(value, str) or value is None:
            found[(*before, key)] = value or ""
    return found


def _reads(context: Context, resource: Resource) -> Reads:
    (document,) = (each for each in context.project.mappings if each.file == resource.file)
    written = document.data["resources"][resource.index]
    outline = read_outline(written, ("resources", resource.index))
    identifier = outline.value("identifier")
    items = outline.split.items.text if outline.split else None
    name = outline.split.name if outline.split else "item"
    kind = context.project.kinds.get(resource.kind)
    asks = kind.asks if kind else None
    by = resource.selector.get(asks.dimensions) if asks and asks.dimensions else None
    width = resource.selector.get(asks.width) if asks and asks.width else None
    paths = read_paths(identifier.text, items, name) if identifier else ((),)
    return Reads(paths, tuple(by or ()), None if width == "1d" else width)


def _rows(
    context: Context, resources: Mapping[str, Resource], duplicates: Sequence[Duplicate]
) -> Rows:
    """The rows of the entities, by resource and position, as far as they can be had again."""
    wanted: dict[str, list[Occurrence]] = {}
    for each in duplicates:
        for occurrence in (each.first, each.second):
            wanted.setdefault(occurrence.resource, []).append(occurrence)
    found: dict[tuple[str, int], Row] = {}
    try:
        with context.database.reading() as connection:
            for name, occurrences in wanted.items():
                resource = resources[name]
                texts = _texts(context, connection, resource, occurrences)
                found |= _proven(resource, occurrences, texts, context.jq)
    except (DatabaseError, MappingError, UserError):
        return found
    return found


def _texts(
    context: Context,
    connection: DuckDBPyConnection,
    resource: Resource,
    occurrences: Sequence[Occurrence],
) -> Mapping[int, str]:
    """The rows at the positions of the occurrences."""
    positions = {each.position for each in occurrences}
    found: dict[int, str] = {}
    for number, text in enumerate(context.rows(connection, resource)):
        if number in positions:
            found[number] = text
            if len(found) == len(positions):
                break
    return found


def _proven(
    resource: Resource,
    occurrences: Sequence[Occurrence],
    texts: Mapping[int, str],
    workers: Workers,
) -> dict[tuple[str, int], Row]:
    """Those rows that give the very entities."""
    from lading.mapping.evaluate import Mapped, evaluate

    wanted = {(each.position, each.entity) for each in occurrences}
    positions = list(texts)
    made = evaluate(resource, texts.values(), workers)
    return {
        (resource.name, positions[each.position]): json.loads(texts[positions[each.position]])
        for each in made
        if isinstance(each, Mapped) and (positions[each.position], each.entity.text) in wanted
    }
