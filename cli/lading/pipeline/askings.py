"""From what mappings select to what has to be fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lading.extract.plan import Asking, midnight, whole_list

if TYPE_CHECKING:
    from lading.extract.streams import Stream
    from lading.mapping.files import Resource
    from lading.project.model import Asks, Project
    from lading.transform.graph import Graph


def askings_of(
    project: Project, streams: Sequence[Stream], resources: Sequence[Resource], now: datetime
) -> tuple[Asking, ...]:
    """What the resources ask for, in their order; models that no stream feeds ask nothing."""
    known = {stream.name: stream for stream in streams}
    found = []
    for resource in resources:
        kind = project.kinds.get(resource.kind)
        asks = kind.asks if kind else None
        if asks is not None and asks.stream in known:
            found.append(_asking(known[asks.stream], asks, resource, now))
    return tuple(found)


def askings_of_models(
    streams: Sequence[Stream], graph: Graph, resources: Sequence[Resource]
) -> tuple[Asking, ...]:
    """What models read of lists: those that are made, and those that the resources render."""
    used = {each.model for each in resources}
    return tuple(
        whole_list(stream.name, name, stream.place, stream.connection)
        for stream in streams
        if stream.iterate == "snapshot"
        for name, model in graph.models.items()
        if (not model.is_resource or name in used)
        and any(table.stream == stream.name and not table.is_file for table in model.sources)
    )


def _asking(stream: Stream, asks: Asks, resource: Resource, now: datetime) -> Asking:
    selector = resource.selector
    width = selector.get(asks.width) if asks.width else None
    dimensions = selector.get(asks.dimensions) if asks.dimensions else None
    return Asking(
        stream=stream.name,
        width=width or (stream.widths or ("1d",))[0],
        dimensions=frozenset(dimensions or ()),
        start=_start(asks, selector, now),
        by=resource.name,
        place=resource.place,
    )


def _start(asks: Asks, selector: Mapping[str, Any], now: datetime) -> datetime:
    """The moment from which on is asked: a date, a moment, or a number of days that ends today."""
    for field in asks.start:
        given = selector.get(field)
        if isinstance(given, str):
            moment = datetime.fromisoformat(given)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if given is not None:
            return midnight(now) - timedelta(days=int(given) - 1)
    return midnight(now)
