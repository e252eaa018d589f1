"""What the project's blueprints say that Port's do not: what can be added, what only differs.

Only what a file says is compared. Port fills in keys of its own, and people add properties in its
UI: neither is a difference. Values are compared as JSON has them: null is as good as absent, `1.0`
is `1`, and the order of keys, `enum` and `required` says nothing.

An addition is what no entity that is there can be hurt by: a property or a relation that is not
required, and what Port works out itself. Everything else is a difference, and left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lading.errors import Place, Problem
from lading.port.blueprint_files import FOLDER, Blueprint

Action = Literal["create", "extend", "unchanged", "differs"]
Body = Mapping[str, Any]
# Where in a blueprint's body the things stand that it may get more of, and what one of them is.
SECTIONS: Mapping[tuple[str, ...], str] = {
    ("schema", "properties"): "property",
    ("relations",): "relation",
    ("calculationProperties",): "calculation property",
    ("mirrorProperties",): "mirror property",
    ("aggregationProperties",): "aggregation property",
}
PROPERTIES, RELATIONS = ("schema", "properties"), ("relations",)
# Port gives a name among these once.
NAMED_ALIKE = tuple(section for section in SECTIONS if section != RELATIONS)
OWN_KEYS = ("title", "icon", "description", "ownership", "teamInheritance", "includeInGlobalSearch")
UNORDERED = frozenset(("enum", "required"))
# Inside a definition, false is what is meant where they do not stand.
FALSE_IF_ABSENT = frozenset(("required", "many", "colorized"))
# Inside a definition, a value and no settings: what Port has beside it counts.
WHOLE = "default"


@dataclass(frozen=True, slots=True)
class Addition:
    """Something that the project's blueprint has and Port's lacks, and that can be added."""

    section: tuple[str, ...]
    name: str
    definition: Body
    place: Place

    @property
    def kind(self) -> str:
        return SECTIONS[self.section]

    @property
    def path(self) -> str:
        return ".".join((*self.section, self.name))


@dataclass(frozen=True, slots=True)
class Difference:
    """What both say, and not alike; `why` an addition is none, if it is about one. None stands
    for what is absent."""

    path: str
    project: Any
    port: Any
    place: Place
    why: str | None = None


@dataclass(frozen=True, slots=True)
class BlueprintPlan:
    """A blueprint of the project beside Port's; `held` is Port's body, None if it has none.

    Additions can be made whatever differs, for each of them stands for itself.
    """

    blueprint: Blueprint
    held: Body | None
    additions: tuple[Addition, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def name(self) -> str:
        return self.blueprint.identifier

    @property
    def file(self) -> str:
        return self.blueprint.document.file

    @property
    def action(self) -> Action:
        if self.held is None:
            return "create"
        if self.differences:
            return "differs"
        return "extend" if self.additions else "unchanged"


def blueprint_plans(
    declared: Mapping[str, Blueprint], held: Mapping[str, Body | None]
) -> tuple[BlueprintPlan, ...]:
    """A plan for each of the project's blueprints; `held` is what Port has under each name."""
    return tuple(compared(each, held.get(name)) for name, each in sorted(declared.items()))


def compared(blueprint: Blueprint, held: Body | None) -> BlueprintPlan:
    """One of the project's blueprints beside what Port has under its name."""
    if held is None:
        return BlueprintPlan(blueprint, None)
    # What would reach Port: YAML's keys may be numbers, those of JSON are texts.
    body = json.loads(json.dumps(blueprint.body))
    additions, differences = _additions(blueprint, body, held)
    differences += _differences(blueprint, body, held)
    return BlueprintPlan(blueprint, held, tuple(additions), tuple(differences))


def section_of(body: Body, section: Sequence[str]) -> Body:
    """What a body has there, by name."""
    for key in section:
        body = body.get(key) or {}
    return {name: value for name, value in body.items() if value is not None}


def _additions(
    blueprint: Blueprint, body: Body, held: Body
) -> tuple[list[Addition], list[Difference]]:
    """What Port lacks: what of it can be added, and what can't."""
    additions: list[Addition] = []
    differences: list[Difference] = []
    # Relations before the mirror properties that go along them.
    for section in SECTIONS:
        there = section_of(held, section)
        for name, definition in section_of(body, section).items():
            if name in there:
                continue
            new = Addition(section, name, definition, blueprint.document.place(*section, name))
            why = _no_addition(new, body, held, additions)
            if why is None:
                additions.append(new)
            else:
                differences.append(Difference(new.path, definition, None, new.place, why))
    return additions, differences


def _no_addition(
    new: Addition, body: Body, held: Body, additions: Iterable[Addition]
) -> str | None:
    """Why something that Port lacks can't be added, if it can't."""
    if not isinstance(new.definition, Mapping):
        return "it is no object"
    if _is_required(new, body):
        return "it is required, which entities that are there do not meet"
    if new.section in NAMED_ALIKE:
        taken = (each for each in NAMED_ALIKE if new.name in section_of(held, each))
        if other := next(taken, None):
            return f"Port has a {SECTIONS[other]} of that name"
    if new.section == ("mirrorProperties",):
        along = str(new.definition.get("path")).split(".")[0]
        added = {each.name for each in additions if each.section == RELATIONS}
        if along not in added | section_of(held, RELATIONS).keys():
            return f"Port has no relation '{along}', along which it goes"
    return None


def _is_required(new: Addition, body: Body) -> bool:
    if new.section == PROPERTIES:
        return new.name in _required(body)
    return new.section == RELATIONS and bool(new.definition.get("required"))


def _required(body: Body) -> frozenset[str]:
    """The properties that a body requires."""
    return frozenset((body.get("schema") or {}).get("required") or ())


def _differences(blueprint: Blueprint, body: Body, held: Body) -> list[Difference]:
    found = [each for key in OWN_KEYS for each in _within((key,), body.get(key), held.get(key))]
    for section in SECTIONS:
        there = section_of(held, section)
        for name, definition in section_of(body, section).items():
            if name in there:
                found += _within((*section, name), definition, there[name], len(section) + 1)
    said = [
        Difference(".".join(path), project, port, blueprint.document.place(*path))
        for path, project, port in found
    ]
    return [*said, *_of_required(blueprint, body, held)]


def _of_required(blueprint: Blueprint, body: Body, held: Body) -> Iterator[Difference]:
    """Whether Port requires the properties that the file does, among those that the file names."""
    if (body.get("schema") or {}).get("required") is None:
        return
    wanted, theirs = _required(body), _required(held)
    lacking = section_of(body, PROPERTIES).keys() - section_of(held, PROPERTIES).keys()
    named = wanted | section_of(body, PROPERTIES).keys()
    if wanted - lacking != theirs & named:
        place = blueprint.document.place("schema", "required")
        yield Difference("schema.required", sorted(wanted), sorted(theirs), place)


def _within(
    path: tuple[str, ...], project: Any, port: Any, depth: int = 1
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Where Port says something else than the project does, below `path`, of which the first
    `depth` are no keys of a definition."""
    key = path[-1] if len(path) > depth else ""
    if isinstance(project, Mapping) and isinstance(port, Mapping) and key != WHOLE:
        for name, value in project.items():
            yield from _within((*path, name), value, port.get(name), depth)
    elif not _says(key, project, port):
        yield path, project, port


def _says(key: str, project: Any, port: Any) -> bool:
    """Whether Port says all that the project does under a key; "" is none."""
    if key != WHOLE and key not in UNORDERED:
        if isinstance(project, Mapping) and isinstance(port, Mapping):
            return all(_says(name, value, port.get(name)) for name, value in project.items())
        if isinstance(project, list) and isinstance(port, list):
            pairs = zip(project, port, strict=False)
            return len(project) == len(port) and all(_says("", *pair) for pair in pairs)
    if key in FALSE_IF_ABSENT:
        project, port = project or None, port or None
    return _text(key, project) == _text(key, port)


def _text(key: str, value: Any) -> str:
    """A value as a text that is the same for all that says the same."""
    plain = _plain(value)
    if plain in ({}, []):
        plain = None
    if key in UNORDERED and isinstance(plain, list):
        plain = sorted({json.dumps(each) for each in plain})
    return json.dumps(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = ((name, _plain(value[name])) for name in sorted(value))
        return {name: each for name, each in pairs if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def patch(held: Body, additions: Iterable[Addition]) -> Body:
    """The body of a PATCH that makes additions. It replaces whole keys of a blueprint, so all that
    Port has below them now is in it. Pure."""
    changes: dict[str, Any] = {}
    for each in additions:
        key = each.section[0]
        body = changes if key in changes else held
        now = {**section_of(body, each.section), each.name: each.definition}
        changes[key] = {**(body.get(key) or {}), "properties": now} if key == "schema" else now
    return changes


def names_to_ask(declared: Mapping[str, Blueprint], needed: Iterable[str]) -> frozenset[str]:
    """The blueprints that Port has to be asked for: the project's, those that mappings need, and
    those that the project's point to."""
    targets = (target for each in declared.values() for target, _ in each.targets())
    return frozenset((*declared, *needed, *targets))


def not_to_be_had(
    plans: Sequence[BlueprintPlan],
    held: Mapping[str, Body | None],
    needed: Iterable[str],
    extend: bool = False,
) -> Iterator[Problem]:
    """What keeps the plans from being carried out: blueprints that are neither in Port nor in the
    project, and that a mapping needs, or what is to be made points to. `held` has an entry for
    each of `names_to_ask`, if Port has it."""
    there = {name for name, body in held.items() if body is not None}
    there |= {each.name for each in plans}
    for name in sorted(set(needed) - there):
        yield Problem(
            f"a mapping makes entities of the blueprint '{name}', which is neither in Port "
            "nor in the project",
            hint=f"add {FOLDER}/{name}.yml, make it in Port, or correct the mapping's `blueprint`",
        )
    for plan in plans:
        for target, place in _pointed_to(plan, extend):
            if target not in there:
                message = f"the blueprint '{target}' is neither in Port nor in the project"
                yield Problem(message, place, hint=f"add {FOLDER}/{target}.yml")


def _pointed_to(plan: BlueprintPlan, extend: bool) -> Iterator[tuple[str, Place]]:
    """What carrying out a plan makes the blueprint point to, and where the file says so."""
    if plan.held is None:
        yield from plan.blueprint.targets()
        return
    for each in plan.additions if extend else ():
        target = each.definition.get("target")
        if isinstance(target, str):
            yield target, plan.blueprint.document.place(*each.section, each.name, "target")
