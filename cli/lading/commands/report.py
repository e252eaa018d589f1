"""The summaries that commands end with, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lading.commands.output import complain, count, remark, say, table

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.steps import Blocked
    from lading.pipeline.sync import Planned, Synced
    from lading.port.tally import PushResult
    from lading.transform.materialise import NodeResult

SHOWN = 10


def show_extraction(extraction: Extraction) -> None:
    """What was fetched for each extract."""
    if not extraction.outcomes:
        say("Nothing to fetch: no mapping asks for a report.")
        return
    say(f"Fetched with {count(extraction.http_requests, 'request')}:")
    rows = [
        (
            each.extract.stream.name,
            each.extract.width,
            ", ".join(each.extract.dimensions) or "-",
            each.requests,
            each.records,
            len(each.failures),
        )
        for each in extraction.outcomes
    ]
    say(table(["stream", "width", "grouped by", "ranges", "records", "failed"], rows))
    for outcome in extraction.outcomes:
        tried = [each for each in outcome.failures if each.tried]
        for failure in tried[:1]:
            message = f"{outcome.extract.stream.name}: {failure.error}"
            complain(message, code="extract_failed", hint=failure.hint)


def show_build(nodes: Sequence[NodeResult]) -> None:
    """How many models were made."""
    made = sum(each.status == "ok" for each in nodes)
    failed = sum(each.status == "error" for each in nodes)
    skipped = sum(each.status == "skipped" for each in nodes)
    say(f"Built {count(made, 'model')}; {failed} failed, {skipped} skipped.")


def show_plan(planned: Planned) -> None:
    """What a push would do, for each blueprint."""
    _show_blocked(planned.blocked)
    counts = planned.plan.counts
    rows = [
        (each.blueprint, each.create, each.change, each.unchanged, each.conflicting)
        for each in counts
    ]
    say(table(["blueprint", "create", "change", "unchanged", "conflicting"], rows))
    create = sum(each.create for each in counts)
    change = sum(each.change for each in counts)
    unchanged = sum(each.unchanged for each in counts)
    say(f"Plan: {create:,} to create, {change:,} to change, {unchanged:,} unchanged.")


def show_pushed(planned: Planned, result: PushResult) -> None:
    """What Port took and what it refused, with its reasons."""
    _show_blocked(planned.blocked)
    say(f"Pushed to Port ({planned.plan.destination}):")
    rows = [
        (
            each.blueprint,
            each.created,
            each.changed,
            each.unchanged,
            each.refused,
            each.failed,
            each.conflicting,
        )
        for each in result.blueprints
    ]
    headings = ["blueprint", "created", "changed", "unchanged", "refused", "failed", "conflicting"]
    say(table(headings, rows))
    for failure in result.failures[:SHOWN]:
        complain(str(failure), code="push_failed")
    if len(result.failures) > SHOWN:
        more = len(result.failures) - SHOWN
        remark(f"and {more:,} more: lading query 'FROM lading.refused'")


def show_sync(synced: Synced) -> None:
    """What each step did."""
    show_extraction(synced.extraction)
    show_build(synced.planned.nodes)
    show_pushed(synced.planned, synced.pushed)


def _show_blocked(blocked: Sequence[Blocked]) -> None:
    for each in blocked:
        complain(f"{each.resource} is not pushed: {each.why}", code="blocked")
