"""The project's blueprints: made in Port when they are missing there, never changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading import log
from lading.errors import Place, Problem, UserError

if TYPE_CHECKING:
    from lading.port.client import PortClient
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


def held_blueprints(client: PortClient, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Those of some blueprints that Port has, by identifier.

    Raises:
        ServerError: it can't be asked.
    """
    found = {name: client.blueprint(name) for name in sorted(names)}
    return {name: body for name, body in found.items() if body is not None}


def ensure_blueprints(
    client: PortClient,
    documents: Sequence[Document],
    needed: Collection[str],
    before: Callable[[Sequence[str]], None] = lambda absent: None,
) -> tuple[str, ...]:
    """Make those of the project's blueprints that Port lacks; gives their identifiers.

    `before` is told which they are before the first of them is made.

    Raises:
        UserError: one of `needed`, or one that a blueprint to be made points to, is neither in
            Port nor in the project. Nothing was made.
    """
    declared = read_blueprints(documents)
    held = {name for name in declared if client.blueprint(name) is not None}
    absent = {name: each for name, each in declared.items() if name not in held}
    problems = [
        *_not_to_be_had(client, declared, needed),
        *_pointing_nowhere(client, declared, absent.values()),
    ]
    if problems:
        raise UserError(problems=problems)
    before(tuple(absent))
    made: list[str] = []
    for step in steps(absent):
        _take(client, step, made)
    return tuple(made)


def _take(client: PortClient, step: Step, made: list[str]) -> None:
    name = step.blueprint.identifier
    if not step.creates:
        if name in made:
            client.change_blueprint(name, step.body)
    elif client.create_blueprint(step.body):
        made.append(name)
        log.info("blueprint", f"made the blueprint {name} in Port", blueprint=name)


def _not_to_be_had(
    client: PortClient, declared: Mapping[str, Blueprint], needed: Collection[str]
) -> Iterator[Problem]:
    for name in sorted(set(needed) - declared.keys()):
        if client.blueprint(name) is None:
            yield Problem(
                f"a mapping makes entities of the blueprint '{name}', which is neither in Port "
                "nor in the project",
                hint=f"add {FOLDER}/{name}.yml, make it in Port, or correct the mapping's "
                "`blueprint`",
            )


def _pointing_nowhere(
    client: PortClient, declared: Mapping[str, Blueprint], absent: Iterable[Blueprint]
) -> Iterator[Problem]:
    for blueprint in absent:
        for target, place in blueprint.targets():
            if target not in declared and client.blueprint(target) is None:
                message = f"the blueprint '{target}' is neither in Port nor in the project"
                yield Problem(message, place, hint=f"add {FOLDER}/{target}.yml")


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
