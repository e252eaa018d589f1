"""Two versions of an entity, compared as Port would: key by key and by value. Pure.

Facts: Port's API reference. Null and not set are the same in Port; a key that is not sent keeps its
value where entities are merged; teams and relations are sets; Port's numbers are doubles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?")
TEXTS = ("title", "icon")
PARTS = ("properties", "relations")
NUMBERS = (int, float, Decimal)
# Two of one of these types that are equal are the same, whatever they are the value of.
PLAIN = frozenset((str, int, bool, Decimal))

Json = Mapping[str, Any]


class _Absent:
    """Stands for a key that is not there."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Terms:
    """How the entities of a blueprint are compared.

    moments  the properties that hold a moment: two ways to write one are no change
    merge    whether a key that the new version leaves out stays as it is
    held     whether the old version was read from Port, which keeps no null and no more of a
             number than a double has; else it is what was sent
    """

    moments: frozenset[str] = frozenset()
    merge: bool = True
    held: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One key that gets another value. `before` is None where nothing was known of it."""

    path: str
    before: Any
    after: Any


def moments_of(blueprint: Json) -> frozenset[str]:
    """The properties of a blueprint that hold a moment."""
    properties = blueprint.get("schema", {}).get("properties", {})
    return frozenset(
        name
        for name, each in properties.items()
        if isinstance(each, Mapping) and each.get("format") == "date-time"
    )


def changes(before: Any, after: Any, terms: Terms) -> tuple[Change, ...]:
    """What an upsert of the entity `after` changes of `before`; nothing if it changes nothing."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return tuple(_changes(before, after, terms))
    return () if same(before, after) else (Change("entity", before, after),)


def left_in_place(before: Any, after: Any, terms: Terms) -> Json | None:
    """The entity as Port has it once `after` was written onto `before`; None if that is no more
    than what is sent."""
    if not terms.merge or not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return None
    parts = {
        part: {**(before.get(part) or {}), **(after.get(part) or {})}
        for part in PARTS
        if (before.get(part) or {}).keys() - (after.get(part) or {}).keys()
    }
    if not parts and not before.keys() - after.keys():
        return None
    return {**before, **after, **parts}


def _changes(before: Json, after: Json, terms: Terms) -> Iterator[Change]:
    for key in TEXTS:
        yield from _change(key, before, after, key, terms)
    yield from _change("team", before, after, "team", terms)
    for part in PARTS:
        old, new = before.get(part) or {}, after.get(part) or {}
        names = new if terms.merge else {**old, **new}
        for name in names:
            # Nearly all are: of a whole catalog it is told in half of the time.
            if not _is_plainly_the_same(old.get(name), new.get(name)):
                yield from _change(name, old, new, f"{part}.{name}", terms)


def _change(key: str, old: Json, new: Json, path: str, terms: Terms) -> Iterator[Change]:
    one, other = old.get(key, ABSENT), new.get(key, ABSENT)
    if other is ABSENT and (terms.merge or one is ABSENT):
        return
    if not _equal(_known(one, terms), _known(other, terms), path, terms):
        yield Change(path, _plain(one), _plain(other))


def _is_plainly_the_same(one: Any, other: Any) -> bool:
    kind = type(one)
    return kind is type(other) and kind in PLAIN and bool(one == other)


def _known(value: Any, terms: Terms) -> Any:
    """What was sent says nothing of a key that it left out; in Port that is null."""
    return None if value is ABSENT and (terms.held or not terms.merge) else value


def _plain(value: Any) -> Any:
    return None if value is ABSENT else value


def _equal(one: Any, other: Any, path: str, terms: Terms) -> bool:
    part, _, name = path.partition(".")
    if part in {"team", "relations"} and not isinstance(other, Mapping):
        return bool(_as_set(one) == _as_set(other))
    if part == "properties" and name in terms.moments and _same_moment(one, other):
        return True
    return same(one, other, doubles=terms.held)


def _as_set(value: Any) -> Any:
    """One and a list of one are the same, and so are none and an empty list."""
    if value is ABSENT:
        return value
    if isinstance(value, list):
        return frozenset(map(repr, value))
    return frozenset() if value is None else frozenset((repr(value),))


def _same_moment(one: Any, other: Any) -> bool:
    moment = _moment(one)
    return moment is not None and moment == _moment(other)


def _moment(value: Any) -> datetime | None:
    if not (isinstance(value, str) and MOMENT.fullmatch(value)):
        return None
    try:
        found = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def same(one: Any, other: Any, *, doubles: bool = False) -> bool:
    """Whether two JSON values are the same by value, `1.0` and `1` included; with `doubles`,
    numbers that are the same double are, too."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, NUMBERS) and isinstance(other, NUMBERS):
        return one == other or (doubles and _double(one) == _double(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            same(one[key], other[key], doubles=doubles) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(*pair, doubles=doubles) for pair in zip(one, other, strict=True)
        )
    return type(one) is type(other) and bool(one == other)


def _double(number: int | float | Decimal) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None
