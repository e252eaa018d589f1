"""The project's blueprints beside Port's, and the mappings beside both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading import log
from lading.errors import Problem, ServerError
from lading.pipeline.steps import Blocked

if TYPE_CHECKING:
    from lading.pipeline.context import Context, Work
    from lading.port.blueprint_plan import BlueprintPlan

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PortBlueprints:
    """How blueprints stand.

    Attributes:
        asked: whether Port was asked; else only the project's files are known.
        plans: one for each blueprint of the project.
        held: what Port has, by name.
        extend: whether additions are made.
        problems: blueprints that are nowhere to be had.
        lacking: resources that send what their blueprint does not have.
    """

    asked: bool
    plans: tuple[BlueprintPlan, ...]
    held: Mapping[str, Body]
    extend: bool
    problems: tuple[Problem, ...] = ()
    lacking: tuple[Blocked, ...] = ()

    @property
    def absent(self) -> tuple[str, ...]:
        """The project's blueprints that Port does not have."""
        return tuple(each.name for each in self.plans if self.asked and each.held is None)

    @property
    def to_do(self) -> int:
        """How many of Port's blueprints would be made or get more."""
        return sum(
            each.held is None or (self.extend and bool(each.additions))
            for each in self.plans
            if self.asked
        )

    def bodies(self) -> Mapping[str, Body]:
        """All that are known, as they will be."""
        from lading.port.blueprint_needs import body_after

        return {**self.held, **{each.name: body_after(each, self.extend) for each in self.plans}}


def look_at_blueprints(work: Work, *, extend: bool) -> PortBlueprints:
    """Compare the project's blueprints with Port's, and what the mappings send with both."""
    from lading.port.blueprint_files import read_blueprints
    from lading.port.blueprint_plan import blueprint_plans, names_to_ask, not_to_be_had

    context = work.context
    declared = read_blueprints(context.project.blueprints)
    made_by = _blueprints_by_resource(context)
    needed = frozenset(name for names in made_by.values() for name in names)
    held = ask_for_blueprints(work, names_to_ask(declared, needed))
    plans = blueprint_plans(declared, held or {})
    asked = held is not None
    lacking = tuple(_lacking(context, made_by, plans, held or {}, extend))
    problems = tuple(not_to_be_had(plans, held, needed, extend)) if held is not None else ()
    return PortBlueprints(asked, plans, held or {}, extend, problems, lacking)


def ask_for_blueprints(work: Work, names: Collection[str]) -> Mapping[str, Body] | None:
    """Those of some blueprints that Port has; None if it was not to be asked. Each is asked for
    once in a run."""
    from lading.port.blueprints import held_blueprints

    known = work.held_blueprints
    new = set(names) - known.keys()
    client = work.port_if_known()
    if client is None:
        return None
    try:
        found = held_blueprints(client, new)
    except ServerError as error:
        log.warning("blueprints_unknown", f"Port's blueprints can't be read: {error.message}")
        return None
    known.update({name: found.get(name) for name in new})
    return {name: body for name in names if (body := known[name]) is not None}


def _blueprints_by_resource(context: Context) -> Mapping[str, frozenset[str]]:
    """What the resources' mappings name, or, where that is an expression, what it gave."""
    with context.database.reading() as connection:
        rows = connection.execute(
            "SELECT DISTINCT resource, blueprint FROM lading.entities"
        ).fetchall()
    found: dict[str, set[str]] = defaultdict(set)
    for resource, blueprint in rows:
        found[resource].add(blueprint)
    for each in context.resources:
        if each.blueprint:
            found[each.name].add(each.blueprint)
    return {name: frozenset(names) for name, names in found.items()}


def _lacking(
    context: Context,
    made_by: Mapping[str, frozenset[str]],
    plans: tuple[BlueprintPlan, ...],
    held: Mapping[str, Body],
    extend: bool,
) -> Iterator[Blocked]:
    from lading.port.blueprint_needs import missing_properties, sent_by

    for resource in context.resources:
        sent = sent_by(resource, made_by.get(resource.name, ()))
        if problems := missing_properties(sent, plans, held, extend):
            yield Blocked(resource.name, "its blueprint lacks what it sends", problems)
