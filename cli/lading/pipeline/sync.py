"""The steps put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lading.extract.plan import EVERYTHING, Scope
from lading.pipeline.building import build
from lading.pipeline.delivery import PushPlan, plan, push
from lading.pipeline.entities import map_entities
from lading.pipeline.port_view import telling_port
from lading.pipeline.steps import Blocked, blocked, extract

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.context import Watcher, Work
    from lading.pipeline.entities import Mapped
    from lading.port.tally import PushResult
    from lading.transform.build import NodeResult


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be pushed, and what is not since something before it failed."""

    nodes: tuple[NodeResult, ...]
    blocked: tuple[Blocked, ...]
    plan: PushPlan
    mapped: tuple[Mapped, ...]


@dataclass(frozen=True, slots=True)
class Synced:
    """What a whole sync did, step by step."""

    extraction: Extraction
    planned: Planned
    pushed: PushResult


def plan_push(
    work: Work, watcher: Watcher, failed_streams: Iterable[str], differing_streams: Iterable[str]
) -> Planned:
    """Build the models, run the mappings, and compare with what Port took."""
    nodes = build(work, watcher, name_passed=False)
    out = blocked(work.context, failed_streams, differing_streams, nodes)
    mapped = map_entities(work, watcher, [each.resource for each in out])
    work.incomplete |= bool(out)
    return Planned(nodes, out, plan(work, mapped), mapped)


def sync(work: Work, watcher: Watcher, scope: Scope = EVERYTHING) -> Synced:
    """Extract, build, map and push; what fails keeps back what depends on it, and no more."""
    with telling_port(work) as view:
        extraction = extract(work, watcher, scope)
        planned = plan_push(work, watcher, extraction.failed_streams, extraction.differing_streams)
        view.planned(planned.mapped, planned.blocked, extraction)
        pushed = push(work, planned.plan, watcher)
        view.pushed()
    return Synced(extraction, planned, pushed)
