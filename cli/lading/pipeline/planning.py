"""The plan: what a push would do to Port, against the books or against Port itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lading import log
from lading.pipeline.plan_files import check_saved, hold_to
from lading.pipeline.port_blueprints import Body, PortBlueprints, look_at_blueprints
from lading.pipeline.push_plans import PLAIN, PushPlan, Wish, too_much
from lading.pipeline.removing import removals
from lading.port.order import places, relations_of
from lading.port.removals import Removals

if TYPE_CHECKING:
    from lading.mapping.files import Resource
    from lading.pipeline.context import Context, Work
    from lading.pipeline.entities import Mapped
    from lading.pipeline.steps import Blocked
    from lading.port.planning import Aim
    from lading.warehouse.database import Database

Bodies = Mapping[str, Body]


def plan(
    work: Work,
    mapped: Sequence[Mapped],
    blocked: Sequence[Blocked],
    incomplete: Mapping[str, str],
    wish: Wish = PLAIN,
) -> PushPlan:
    """Compare what the mappings give with what Port has; leaves `lading.plan` to query.

    incomplete  the streams whose records are not all there, and why: nothing of them is deleted

    Raises:
        ServerError: Port was to be read, and can't be.
    """
    from lading.port.destinations import destination
    from lading.port.journal import recover

    context = work.context
    recover(context.database)
    if wish.saved is not None:
        check_saved(context, wish.saved, destination(context.port), wish.tolerance)
    blueprints = look_at_blueprints(work, extend=wish.apply_blueprints)
    forget_pushed_to(context.database, destination(context.port), blueprints.absent)
    if wish.against == "port":
        _refresh(work, prune=wish.prune)
    blocked = (*blocked, *blueprints.lacking)
    bodies = blueprints.bodies()
    out = {each.resource for each in blocked}
    aim = _aim(
        context,
        destination(context.port),
        [each.resource for each in mapped if not each.failed and each.resource not in out],
        bodies,
        wish,
        removals(context, mapped, blocked, incomplete, relations_of(bodies), prune=wish.prune),
    )
    planned = _drawn_up(context, aim, wish, blueprints)
    _say_what_new_ones_lack(context, aim, planned, bodies)
    work.incomplete |= bool(planned.duplicates) or planned.deletes_too_much
    work.incomplete |= bool(blueprints.lacking) or bool(blueprints.problems)
    work.incomplete |= any(each.refused for each in planned.counts)
    _say(context, planned)
    return planned


def forget_pushed_to(database: Database, destination: str, blueprints: Sequence[str]) -> None:
    """A blueprint that is not in Port has no entities: what was pushed to an older one of its
    name went with it, and is to be sent again."""
    from lading.port.ledger import forget_pushed

    if not blueprints:
        return
    with database.writing() as connection:
        gone = forget_pushed(connection, destination, blueprints)
    if gone:
        names = ", ".join(blueprints)
        log.warning(
            "blueprint_was_gone",
            f"Port no longer had {names}; the {gone:,} entities pushed to it before go again",
        )


def _refresh(work: Work, *, prune: bool) -> None:
    from lading.port.held import refresh

    client = work.port_client()
    with work.context.database.reading() as connection:
        rows = connection.execute(
            "SELECT blueprint FROM lading.entities UNION SELECT blueprint FROM lading.pushed "
            "WHERE destination = ?",
            [client.destination],
        ).fetchall()
    named = {each.blueprint for each in work.context.resources if each.blueprint}
    blueprints = named | {blueprint for (blueprint,) in rows}
    refresh(work.context.database, work.run, client, blueprints, everywhere=prune)


def _aim(
    context: Context,
    destination: str,
    resources: Sequence[str],
    bodies: Bodies,
    wish: Wish,
    may_go: Removals,
) -> Aim:
    from lading.port.planning import Aim
    from lading.port.values import moments_of

    return Aim(
        destination=destination,
        resources=resources,
        merge={
            resource.name: mapping.settings.merge
            for mapping in context.mappings
            for resource in mapping.resources
        },
        moments={name: moments_of(body) for name, body in bodies.items()},
        basis={each.name: _basis(each, bodies) for each in context.resources},
        retry=wish.retry,
        removals=may_go,
    )


def _basis(resource: Resource, bodies: Bodies) -> str:
    """A digest of what decides on a refusal beside the entity: the mapping, and what the blueprint
    asks for."""
    body = bodies.get(resource.blueprint or "", {})
    asked = {key: body.get(key) for key in ("schema", "relations")}
    text = f"{resource.program.text}\0{json.dumps(asked, sort_keys=True, default=str)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _drawn_up(context: Context, aim: Aim, wish: Wish, blueprints: PortBlueprints) -> PushPlan:
    from lading.port.ledger import duplicates, keep_plan_view, plan_counts
    from lading.port.planning import draw_up
    from lading.port.removals import owned

    with context.database.writing() as connection:
        draw_up(connection, aim)
        keep_plan_view(connection, aim.destination)
        if wish.saved is not None:
            hold_to(connection, wish.saved, wish.tolerance, aim)
        counts = plan_counts(connection)
        return PushPlan(
            destination=aim.destination,
            resources=tuple(aim.resources),
            blueprints=blueprints,
            counts=counts,
            duplicates=duplicates(connection),
            against=wish.against,
            owned=owned(connection, aim.destination),
            threshold=min(
                (each.settings.entity_deletion_threshold for each in context.mappings), default=0.0
            ),
            places=places((each.blueprint for each in counts), aim.removals.relations),
        )


def _say_what_new_ones_lack(context: Context, aim: Aim, planned: PushPlan, bodies: Bodies) -> None:
    """Where entities are merged Port has the rest of those that are there; of new ones it has
    only what is sent."""
    from lading.port.blueprint_needs import required_and_unsent, sent_by

    grow = {each.blueprint for each in planned.counts if each.create}
    for resource in context.resources:
        if resource.name not in planned.resources or not aim.merge.get(resource.name, True):
            continue
        for sent in sent_by(resource):
            if sent.blueprint not in grow:
                continue
            for what in required_and_unsent(sent, bodies.get(sent.blueprint, {})):
                log.warning(
                    "required_and_unsent",
                    f"{resource.name} does not send the {what}, which the blueprint "
                    f"'{sent.blueprint}' requires: Port refuses an entity that is new",
                    resource=resource.name,
                    blueprint=sent.blueprint,
                )


def _say(context: Context, planned: PushPlan) -> None:
    from lading.pipeline.duplicates import tell

    for duplicate, said in zip(planned.duplicates, tell(context, planned.duplicates), strict=True):
        log.error("duplicate", said, blueprint=duplicate.blueprint, identifier=duplicate.identifier)
    if planned.deletes_too_much:
        log.error("deletes_too_much", too_much(planned), deletes=planned.deletes)
