"""What mappings send and blueprints lack: told once, before Port refuses each entity for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest
from lading.port.blueprint_plan import (
    NAMED_ALIKE,
    PROPERTIES,
    RELATIONS,
    SECTIONS,
    BlueprintPlan,
    patch,
    section_of,
)

if TYPE_CHECKING:
    from lading.mapping.files import Resource

Section = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """The names that a resource sends to one blueprint, and where its file has them, if known."""

    resource: str
    blueprint: str
    properties: Mapping[str, Place | None]
    relations: Mapping[str, Place | None]


def sent_by(resource: Resource, blueprints: Iterable[str] = ()) -> Iterator[Sent]:
    """What a resource sends; `blueprints` are those of its entities where an expression gives
    them, and are not looked at where one is written out."""
    for name in (resource.blueprint,) if resource.blueprint else sorted(set(blueprints)):
        yield Sent(resource.name, name, resource.sends.properties, resource.sends.relations)


def missing_properties(
    sent: Iterable[Sent],
    plans: Sequence[BlueprintPlan],
    held: Mapping[str, Mapping[str, Any] | None],
    extend: bool = False,
) -> tuple[Problem, ...]:
    """An error for each property and relation that is sent to a blueprint that will not have it
    once the plans are carried out, `extend` saying whether additions are. `held` is what Port has,
    for blueprints that the project does not.

    Nothing is said of blueprints that are in neither.
    """
    planned = {each.name: each for each in plans}
    found: list[Problem] = []
    for each in sent:
        plan = planned.get(each.blueprint)
        body = held.get(each.blueprint) if plan is None else body_after(plan, extend)
        if body is not None:
            found += _Look(each, body, plan).problems()
    return tuple(found)


def required_and_unsent(sent: Sent, body: Mapping[str, Any]) -> Iterator[str]:
    """The properties and relations that a blueprint requires and a resource does not send, as
    what they are and their name."""
    required = (body.get("schema") or {}).get("required") or ()
    yield from (f"property '{name}'" for name in required if name not in sent.properties)
    for name, relation in section_of(body, RELATIONS).items():
        if relation.get("required") and name not in sent.relations:
            yield f"relation '{name}'"


def body_after(plan: BlueprintPlan, extend: bool = False) -> Mapping[str, Any]:
    """The blueprint as Port has it once the plan is carried out."""
    if plan.held is None:
        return plan.blueprint.body
    return {**plan.held, **patch(plan.held, plan.additions)} if extend else plan.held


@dataclass(frozen=True, slots=True)
class _Look:
    """At what a resource sends, beside the blueprint's body as it will be."""

    sent: Sent
    body: Mapping[str, Any]
    plan: BlueprintPlan | None

    def problems(self) -> Iterator[Problem]:
        for section, names in (
            (PROPERTIES, self.sent.properties),
            (RELATIONS, self.sent.relations),
        ):
            known = section_of(self.body, section)
            for name, place in names.items():
                if name not in known:
                    what, hint = self._about(section, name)
                    said = f"{self.sent.resource} sends the {SECTIONS[section]} '{name}', {what}"
                    yield Problem(said, place, hint)

    def _about(self, section: Section, name: str) -> tuple[str, str]:
        """What is wrong with it, and what to do."""
        other = next((each for each in SECTIONS if name in section_of(self.body, each)), None)
        if other is None:
            what = f"which the blueprint '{self.sent.blueprint}' {self._lacks}"
            return what, self._hint(section, name)
        what = f"which is a {SECTIONS[other]} of the blueprint '{self.sent.blueprint}'"
        if other in NAMED_ALIKE and other != PROPERTIES:
            return f"{what}: Port works it out, and takes no value", "take it out of the mapping"
        key = other[-1]
        return what, f"move it to `{key}` of the mapping, or give it another name"

    @property
    def _lacks(self) -> str:
        new = self.plan is not None and self.plan.held is None
        return "lacks" if new else "lacks in Port"

    def _hint(self, section: Section, name: str) -> str:
        plan = self.plan
        if plan is None:
            return self._or_correct("the blueprint in Port", section, name)
        for each in plan.additions:
            if (each.section, each.name) == (section, name):
                return f"--apply-blueprints adds it, as {each.place} has it"
        path = ".".join((*section, name))
        for difference in plan.differences:
            if difference.path == path:
                return f"{difference.place} has it, but {difference.why}: add it in Port"
        return self._or_correct(plan.file, section, name)

    def _or_correct(self, where: str, section: Section, name: str) -> str:
        near = nearest(name, section_of(self.body, section))
        more = f"; {near}" if near.startswith("did you mean") else ""
        return f"add it to {where}, or correct the mapping{more}"
