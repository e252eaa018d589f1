"""The steps put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lading.extract.plan import EVERYTHING, Scope
from lading.pipeline.building import build
from lading.pipeline.delivery import push
from lading.pipeline.entities import map_entities
from lading.pipeline.planning import plan
from lading.pipeline.port_view import telling_port
from lading.pipeline.push_plans import PLAIN, PushPlan, Wish
from lading.pipeline.removing import incomplete_streams
from lading.pipeline.steps import (
    Blocked,
    blocked,
    extract,
    streams_that_differed_last,
    streams_that_failed_last,
)

if TYPE_CHECKING:
    from lading.extract.run import Extraction
    from lading.pipeline.context import Work
    from lading.pipeline.entities import Mapped
    from lading.pipeline.watching import Watcher
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


def plan_landed(work: Work, watcher: Watcher, wish: Wish = PLAIN) -> Planned:
    """Plan by what has landed; the last extraction of each stream says how far it can be
    trusted."""
    failed = streams_that_failed_last(work.context)
    return _plan(work, watcher, failed, streams_that_differed_last(work.context), wish, None)


def plan_sync(
    work: Work, watcher: Watcher, scope: Scope = EVERYTHING, wish: Wish = PLAIN
) -> tuple[Extraction, Planned]:
    """Extract and plan; what fails keeps back what depends on it, and no more."""
    done = extract(work, watcher, scope)
    planned = _plan(work, watcher, done.failed_streams, done.differing_streams, wish, scope)
    return done, planned


def _plan(
    work: Work,
    watcher: Watcher,
    failed_streams: Iterable[str],
    differing_streams: Iterable[str],
    wish: Wish,
    scope: Scope | None,
) -> Planned:
    """Build the models, run the mappings, and compare with what Port has."""
    nodes = build(work, watcher, name_passed=False)
    out = blocked(work.context, failed_streams, differing_streams, nodes)
    mapped = map_entities(work, watcher, [each.resource for each in out])
    work.incomplete |= bool(out)
    planned = plan(work, mapped, out, incomplete_streams(work.context, scope), wish)
    return Planned(nodes, (*out, *planned.blueprints.lacking), planned, mapped)


def sync(work: Work, watcher: Watcher, scope: Scope = EVERYTHING, wish: Wish = PLAIN) -> Synced:
    """Extract, build, map and push, and have Port show it."""
    with telling_port(work) as view:
        extraction, planned = plan_sync(work, watcher, scope, wish)
        view.planned(planned.mapped, planned.blocked, extraction)
        pushed = push(work, planned.plan, watcher)
        view.pushed(pushed.deleted)
    return Synced(extraction, planned, pushed)
