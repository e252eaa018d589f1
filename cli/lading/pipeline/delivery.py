"""The plan carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lading.errors import LadingError, ServerError, UserError

if TYPE_CHECKING:
    from lading.pipeline.context import Context, Work
    from lading.pipeline.push_plans import PushPlan
    from lading.pipeline.watching import Watcher
    from lading.port.client import PortClient, UpsertSettings
    from lading.port.tally import PushResult


def push(work: Work, planned: PushPlan, watcher: Watcher) -> PushResult:
    """Make the blueprints that Port lacks, then send what the plan says. If a blueprint can't be
    had nothing is sent, and the result says why."""
    from lading.port.push import Way
    from lading.port.push import push as send

    context = work.context
    deletes = not planned.deletes_too_much
    to_do = sum(each.to_do if deletes else each.to_send for each in planned.counts)
    watcher.start("push", to_do, "entities")
    client = work.port_client()

    def note(result: PushResult) -> None:
        work.so_far.destination, work.so_far.pushed = planned.destination, result
        work.entities, work.refused = result.sent, sum(each.refused for each in result.blueprints)
        work.deleted = result.deleted

    try:
        _make_blueprints(context, planned, client)
    except (ServerError, UserError) as error:
        result = _nothing_sent(planned, error)
    else:
        result = send(
            context.database,
            work.run,
            client,
            Way(settings_by_resource(context), planned.resources, planned.places, deletes),
            lambda steps: watcher.advance("push", steps),
            note,
        )
    work.incomplete |= not result.ok
    note(result)
    return result


def _make_blueprints(context: Context, planned: PushPlan, client: PortClient) -> None:
    """Those that Port lacks, if anything is to be sent; and additions, if they are wanted."""
    from lading.pipeline.planning import forget_pushed_to
    from lading.port.blueprints import apply_blueprints, ensure_blueprints

    known = planned.blueprints
    needed = [each.blueprint for each in planned.counts if each.to_send]
    if known.asked and known.problems:
        raise UserError(problems=known.problems)
    if known.asked and (needed or known.extend):
        apply_blueprints(client, known.plans, extend=known.extend)
    elif needed:
        ensure_blueprints(
            client,
            context.project.blueprints,
            needed,
            # First: whatever happens next, what is gone is known to be gone.
            lambda absent: forget_pushed_to(context.database, planned.destination, absent),
        )


def _nothing_sent(planned: PushPlan, error: LadingError) -> PushResult:
    from lading.errors import RefusedError
    from lading.port.tally import Failure, PushCounts, PushResult

    counts = tuple(
        PushCounts(
            blueprint=each.blueprint,
            unchanged=each.unchanged,
            refused=each.refused,
            failed=each.to_do,
            conflicting=each.conflicting,
            kept=each.kept,
            left_out=each.left_out,
        )
        for each in planned.counts
    )
    said = error if isinstance(error, ServerError) else RefusedError(str(error))
    failures = tuple(
        Failure(each.blueprint, each.to_do, said) for each in planned.counts if each.to_do
    )
    return PushResult(counts, failures)


def settings_by_resource(context: Context) -> Mapping[str, UpsertSettings]:
    """How each resource's entities are written, as its mapping file says."""
    from lading.port.client import UpsertSettings

    return {
        resource.name: UpsertSettings(
            merge=mapping.settings.merge,
            create_missing_related_entities=mapping.settings.create_missing_related_entities,
            delete_dependents=mapping.settings.delete_dependent_entities,
        )
        for mapping in context.mappings
        for resource in mapping.resources
    }
