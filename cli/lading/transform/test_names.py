"""The names of data tests, as dbt gives them, each of them once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from lading.errors import Place, Problem

LONGEST_DETAIL = 40


@dataclass(frozen=True, slots=True)
class WantedName:
    """The name that a test would like to have; `detail` tells it from others that would like the
    same, and `is_given` if a person wrote the name down."""

    name: str
    place: Place
    detail: str = ""
    is_given: bool = True


def identifier(*parts: str) -> str:
    """A name made of several: letters, digits and _."""
    cleaned = (re.sub(r"[\W_]+", "_", part).strip("_") for part in parts)
    return "_".join(part for part in cleaned if part)


def detail(arguments: Mapping[str, Any]) -> str:
    """What the arguments of a test say, as a part of a name."""
    said = "_".join(_said(each) for each in arguments.values())
    return identifier(said)[:LONGEST_DETAIL].rstrip("_")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "_".join(map(_said, value.items()))
    return "_".join(map(_said, value)) if isinstance(value, list | tuple) else str(value)


def unique_names(wanted: Sequence[WantedName]) -> tuple[list[str], tuple[Problem, ...]]:
    """A name for each, all of them different even where capital and small letters are not; of two
    that persons gave, a problem."""
    given: dict[str, WantedName] = {}
    problems = []
    for each in wanted:
        if each.is_given:
            first = given.setdefault(each.name.casefold(), each)
            if first is not each:
                message = f"the test '{each.name}' is at {first.place} too"
                problems.append(Problem(message, each.place, "give one of them another name"))
    taken = set(given)
    names = []
    for each in wanted:
        free = (name for name in _ways(each) if name.casefold() not in taken)
        names.append(each.name if each.is_given else next(free))
        taken.add(names[-1].casefold())
    return names, tuple(problems)


def _ways(wanted: WantedName) -> Iterator[str]:
    yield wanted.name
    if wanted.detail:
        yield f"{wanted.name}_{wanted.detail}"
    yield from (f"{wanted.name}_{number}" for number in count(2))
