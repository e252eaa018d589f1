"""The project's blueprints as its files have them, and an order in which Port can take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError

if TYPE_CHECKING:
    from lading.project.documents import Document

FOLDER = "mappings/blueprints"
# What a blueprint says about others; it can only be said once those are there.
LINKS = (
    "relations",
    "mirrorProperties",
    "calculationProperties",
    "aggregationProperties",
    "ownership",
    "teamInheritance",
)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A blueprint of the project, as Port wants it."""

    identifier: str
    body: Mapping[str, Any]
    document: Document

    @property
    def place(self) -> Place:
        return self.document.place("identifier")

    def targets(self) -> Iterator[tuple[str, Place]]:
        """The blueprints that it points to, and where it says so."""
        for key in ("relations", "aggregationProperties"):
            for name, link in self.body.get(key, {}).items():
                if isinstance(link, Mapping) and isinstance(link.get("target"), str):
                    yield link["target"], self.document.place(key, name, "target")


@dataclass(frozen=True, slots=True)
class Step:
    """One call that makes blueprints: create one with this body, or add links to a bare one."""

    blueprint: Blueprint
    body: Mapping[str, Any]
    creates: bool


def read_blueprints(documents: Iterable[Document]) -> Mapping[str, Blueprint]:
    """The project's blueprints by identifier.

    Raises:
        UserError: two files hold the same one.
    """
    found: dict[str, Blueprint] = {}
    problems: list[Problem] = []
    for document in documents:
        blueprint = Blueprint(str(document.data["identifier"]), document.data, document)
        first = found.setdefault(blueprint.identifier, blueprint)
        if first is not blueprint:
            message = f"the blueprint '{blueprint.identifier}' is in {first.document.file} as well"
            problems.append(Problem(message, blueprint.place, "keep one of the two files"))
    if problems:
        raise UserError(problems=problems)
    return found


def steps(absent: Mapping[str, Blueprint]) -> Iterator[Step]:
    """An order of calls that makes them all: what is pointed to first. In a ring, one is made
    bare, and gets its links at the end. Pure."""
    left = dict(absent)
    bare: list[Blueprint] = []
    while left:
        ready = [each for each in left.values() if not _waits_for(each, left)]
        for blueprint in ready:
            yield Step(blueprint, blueprint.body, creates=True)
        if not ready:
            blueprint = next(iter(left.values()))
            yield Step(blueprint, _without_links(blueprint.body), creates=True)
            bare.append(blueprint)
            ready = [blueprint]
        for blueprint in ready:
            del left[blueprint.identifier]
    for blueprint in bare:
        links = {key: value for key, value in blueprint.body.items() if key in LINKS}
        yield Step(blueprint, links, creates=False)


def _waits_for(blueprint: Blueprint, left: Mapping[str, Blueprint]) -> bool:
    return any(target in left for target, _ in blueprint.targets())


def _without_links(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in body.items() if key not in LINKS}
