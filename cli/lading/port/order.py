"""In which order entities are written, so that what they relate to is there before them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# For each blueprint its relations: the blueprint that each points to.
Relations = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """When the entities of a blueprint are written.

    phase  entities of a lower one are written before; 0 is the first
    ring   those of its relations that lead back to it, and that its entities can't have before
           all of the ring are there
    """

    phase: int
    ring: frozenset[str] = frozenset()


def relations_of(blueprints: Mapping[str, Mapping[str, Any]]) -> Relations:
    """The relations of blueprints' bodies."""
    return {
        name: {
            relation: str(link["target"])
            for relation, link in (body.get("relations") or {}).items()
            if isinstance(link, Mapping) and "target" in link
        }
        for name, body in blueprints.items()
    }


def places(blueprints: Iterable[str], relations: Relations) -> Mapping[str, Place]:
    """The place of each blueprint: after all that it points to, but for what points back."""
    names = sorted(set(blueprints))
    reach = {name: _reach(name, relations) for name in names}
    rings = {
        name: frozenset(
            relation
            for relation, target in relations.get(name, {}).items()
            if target == name or name in _reach(target, relations)
        )
        for name in names
    }
    phases: dict[str, int] = {}
    # Who reaches fewer, itself included, is written first; those of one ring reach the same.
    for name in sorted(names, key=lambda each: len(reach[each] | {each})):
        before = (
            phases[other]
            for other in reach[name] & phases.keys()
            if name not in reach[other] and other != name
        )
        phases[name] = max(before, default=-1) + 1
    return {name: Place(phases[name], rings[name]) for name in names}


def _reach(name: str, relations: Relations) -> frozenset[str]:
    """All blueprints that its relations lead to, directly or by others."""
    found: set[str] = set()
    left = [name]
    while left:
        for target in relations.get(left.pop(), {}).values():
            if target not in found:
                found.add(target)
                left.append(target)
    return frozenset(found)
