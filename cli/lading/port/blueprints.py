"""Blueprints in Port: made when they are missing there, given what they lack when that is asked
for, and never changed otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lading import log
from lading.errors import RefusedError, UserError
from lading.port.blueprint_files import Step, read_blueprints, steps
from lading.port.blueprint_plan import (
    Addition,
    BlueprintPlan,
    blueprint_plans,
    compared,
    names_to_ask,
    not_to_be_had,
    patch,
)

if TYPE_CHECKING:
    from lading.port.client import PortClient
    from lading.project.documents import Document


@dataclass(frozen=True, slots=True)
class Applied:
    """What was made in Port: blueprints, and what others were given, by blueprint."""

    created: tuple[str, ...] = ()
    added: Mapping[str, tuple[Addition, ...]] = field(default_factory=dict)


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
    held = held_blueprints(client, names_to_ask(declared, needed))
    plans = blueprint_plans(declared, held)
    if problems := tuple(not_to_be_had(plans, held, needed)):
        raise UserError(problems=problems)
    return apply_blueprints(client, plans, before=before).created


def apply_blueprints(
    client: PortClient,
    plans: Sequence[BlueprintPlan],
    *,
    extend: bool = False,
    before: Callable[[Sequence[str]], None] = lambda absent: None,
) -> Applied:
    """Make the blueprints that Port lacks and, with `extend`, the additions to the others.

    `before` is told which are to be made before the first of them is. What is pointed to comes
    first. Additions are worked out anew from what Port holds at that moment: what someone changes
    there after the plan was made stays.

    Raises:
        ServerError: Port refused one, or was not to be had; those before it are made.
    """
    absent = tuple(each.name for each in plans if each.held is None)
    before(absent)
    work = _Work(client, extend)
    for step in steps({each.name: each.blueprint for each in plans if _to_do(each, extend)}):
        if step.blueprint.identifier in absent:
            work.make(step)
        else:
            work.extend(step)
    return Applied(tuple(work.made), work.added)


def _to_do(plan: BlueprintPlan, extend: bool) -> bool:
    return plan.held is None or (extend and bool(plan.additions))


@dataclass(slots=True)
class _Work:
    """The calls, and what came of them. `theirs` were made by someone else meanwhile."""

    client: PortClient
    extends: bool
    made: list[str] = field(default_factory=list)
    theirs: set[str] = field(default_factory=set)
    added: dict[str, tuple[Addition, ...]] = field(default_factory=dict)

    def make(self, step: Step) -> None:
        name = step.blueprint.identifier
        if name in self.theirs:
            self.extend(step)
        elif not step.creates:
            self.client.change_blueprint(name, step.body)
        elif self.client.create_blueprint(step.body):
            self.made.append(name)
            log.info("blueprint", f"made the blueprint {name} in Port", blueprint=name)
        else:
            self.theirs.add(name)
            self.extend(step)

    def extend(self, step: Step) -> None:
        """Make the additions below the keys of the step's body."""
        if not self.extends:
            return
        name = step.blueprint.identifier
        held = _whole(name, self.client.blueprint(name))
        additions = _of_step(step, compared(step.blueprint, held))
        if not additions:
            return
        self.client.change_blueprint(name, patch(held, additions))
        self.added[name] = (*self.added.get(name, ()), *additions)
        for each in additions:
            said = f"added the {each.kind} {each.name} to the blueprint {name} in Port"
            log.info("blueprint_extended", said, blueprint=name, path=each.path)


def _of_step(step: Step, plan: BlueprintPlan) -> tuple[Addition, ...]:
    return tuple(each for each in plan.additions if each.section[0] in step.body)


def _whole(name: str, held: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Port's body, if it is one that a patch can be made of without losing anything."""
    if held is None:
        raise RefusedError(f"the blueprint {name} was in Port when the plan was made, and is gone")
    schema = held.get("schema")
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise RefusedError(f"Port's answer about the blueprint {name} has no properties in it")
    return held
