"""What of Port's entities may be deleted: what every step of this run says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lading.extract.plan import Scope
from lading.port.removals import Removals, Window

if TYPE_CHECKING:
    from lading.mapping.files import Resource
    from lading.pipeline.context import Context
    from lading.pipeline.entities import Mapped
    from lading.pipeline.steps import Blocked
    from lading.port.order import Relations


def incomplete_streams(context: Context, scope: Scope | None) -> Mapping[str, str]:
    """The streams whose records are not all there as far as the mappings ask for them, and why.

    `scope` is what this run has fetched, None if it fetches nothing and takes what there is.
    """
    from lading.pipeline.steps import plan_extraction

    found: dict[str, str] = {}
    # What is fetched for comparison alone is not what mappings ask for.
    for request in plan_extraction(context, Scope(control_totals=False)).requests:
        if request.reason in {"new", "gap"}:
            found[request.extract.stream.name] = "not all of it has landed yet"
    for stream in context.streams:
        if scope is not None and (why := _left_out(stream.name, scope)):
            found[stream.name] = why
    return found


def _left_out(stream: str, scope: Scope) -> str | None:
    if scope.streams and stream not in scope.streams:
        return "it was not fetched in this run"
    if scope.start is not None or scope.end is not None:
        return "only a part of its range was fetched in this run"
    return None


def removals(
    context: Context,
    mapped: Sequence[Mapped],
    blocked: Sequence[Blocked],
    incomplete: Mapping[str, str],
    relations: Relations,
    *,
    prune: bool,
) -> Removals:
    """What may be deleted, and why the rest stays."""
    resources = context.resources
    kept = dict(_kept(context, mapped, blocked, incomplete))
    starts = {asking.by: asking.start for asking in context.askings}
    windows = {
        each.name: Window(_period(context, each), starts[each.name])
        for each in resources
        if each.retention == "keep" and each.name in starts
    }
    blueprints = {each.name: each.blueprint for each in resources}
    unknown = {each.resource for each in mapped if each.failed} | {
        each.resource for each in blocked
    }
    return Removals(blueprints, kept, frozenset(unknown), windows, prune, relations)


def _kept(
    context: Context,
    mapped: Sequence[Mapped],
    blocked: Sequence[Blocked],
    incomplete: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    for resource in context.resources:
        for stream in sorted(context.graph.streams(resource.model) & incomplete.keys()):
            yield resource.name, f"{stream}: {incomplete[stream]}"
    for each in mapped:
        if each.failed:
            yield each.resource, f"its mapping failed: {each.failed}"
        elif each.faulty:
            yield each.resource, f"the query of {each.faulty:,} of its rows failed"
        elif each.lost:
            yield each.resource, f"{each.lost:,} of its rows gave no entity"
    for out in blocked:
        yield out.resource, out.why


def _period(context: Context, resource: Resource) -> str | None:
    """The property that has the beginning of the period that a row is of."""
    kind = context.project.kinds.get(resource.kind)
    key = kind.asks.period if kind is not None and kind.asks is not None else None
    return resource.copies.get(key) if key else None
