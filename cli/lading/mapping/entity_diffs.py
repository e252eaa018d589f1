"""Entities that are expected beside those that are there, and a text that shows where they
differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lading.project.exact import json_of

EXPECTED, GIVEN, CHANGED = "-", "+", "~"
MOST_LINES = 40
WIDEST = 200

Json = Mapping[str, Any]


class _Absent:
    """Stands for a field that is not there."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether all is as expected, in a sentence; the differences as lines, none if there are
    none."""

    summary: str
    lines: tuple[str, ...]


def compared(expected: Sequence[Json], given: Sequence[Json], *, whole: bool) -> Compared:
    """Entities with their partners. Unless they are compared as a `whole`, only those fields,
    properties and relations count that are expected."""
    partners = _partners(expected, given)
    missing = [each for at, each in enumerate(expected) if at not in partners]
    surplus = [each for at, each in enumerate(given) if at not in partners.values()]
    changed = {
        other: list(_changes(expected[at], given[other], "", named_alone=not whole))
        for at, other in partners.items()
    }
    lines = [
        *(f"{EXPECTED} {_shown(each)}" for each in missing),
        *(f"{GIVEN} {_shown(each)}" for each in surplus),
        *(f"{CHANGED} {_name(given[at], at)}  {each}" for at in changed for each in changed[at]),
    ]
    counts = (
        (len(missing), "missing"),
        (len(surplus), "not expected"),
        (sum(map(bool, changed.values())), "different"),
    )
    said = [f"{_entities(number)} {what}" for number, what in counts if number]
    if list(changed) != sorted(changed):
        said.append("the entities come in another order")
        lines.append(f"order: {', '.join(_name(each, at) for at, each in enumerate(given))}")
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"… and {len(lines) - MOST_LINES} lines more"]
    return Compared(", ".join(said), tuple(lines))


def _entities(number: int) -> str:
    return f"{number} {'entity' if number == 1 else 'entities'}"


def _partners(expected: Sequence[Json], given: Sequence[Json]) -> dict[int, int]:
    """The number of an expected entity to that of the given one it is compared with: the next that
    has its identifier, and as many that are left on both sides, in their order."""
    free = list(range(len(given)))
    found: dict[int, int] = {}
    for at, entity in enumerate(expected):
        same = (each for each in free if _is_same(entity, given[each]))
        if (partner := next(same, None)) is not None:
            found[at] = partner
            free.remove(partner)
    left = [at for at in range(len(expected)) if at not in found]
    if len(left) == len(free):
        found.update(zip(left, free, strict=True))
    return dict(sorted(found.items()))


def _is_same(expected: Json, given: Json) -> bool:
    keys = [key for key in ("identifier", "blueprint") if key in expected]
    return "identifier" in keys and not any(
        list(_changes(expected[key], given.get(key), key, named_alone=False)) for key in keys
    )


def _changes(expected: Any, given: Any, path: str, *, named_alone: bool) -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        for key in expected if named_alone else {**expected, **given}:
            inner = f"{path}.{key}" if path else str(key)
            deeper = named_alone and inner in {"properties", "relations"}
            yield from _changes(
                expected.get(key, ABSENT), given.get(key, ABSENT), inner, named_alone=deeper
            )
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for at, (one, other) in enumerate(zip(expected, given, strict=True)):
            yield from _changes(one, other, f"{path}[{at}]", named_alone=False)
    elif not _equal(expected, given):
        yield f"{path}: {_shown(expected)} -> {_shown(given)}"


def _equal(one: Any, other: Any) -> bool:
    """Numbers by their value, and truth values are no numbers."""
    numbers = (int, Decimal)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, numbers) and isinstance(other, numbers):
        return one == other
    return type(one) is type(other) and bool(one == other)


def _name(entity: Json, at: int) -> str:
    identifier = entity.get("identifier")
    return identifier if isinstance(identifier, str) else f"[{at}]"


def _shown(value: Any) -> str:
    text = "(nothing)" if value is ABSENT else json_of(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
