"""The streams that `sources/*.yml` declare: endpoints as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from lading.errors import Place, Problem, nearest
from lading.project.documents import Document
from lading.project.model import Project

Width = Literal["1d", "1h", "1m"]
WIDTHS: Mapping[str, timedelta] = {
    "1d": timedelta(days=1),
    "1h": timedelta(hours=1),
    "1m": timedelta(minutes=1),
}
LOOKBACK = "3d"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far behind a stream may be before that is a warning, and before it is an error."""

    warn_after: timedelta | None
    error_after: timedelta | None


@dataclass(frozen=True, slots=True)
class Stream:
    """An endpoint of one connection.

    A `window` stream is a time range of buckets followed by a cursor; a `day` stream is one
    chain of pages for each UTC day. `page_sizes` are the most buckets (by width) or records
    (under "1d") that one page may have. `control_totals` are the paths, below a bucket's
    results, of the figures whose sums must not depend on the grouping; `values` are the known
    values of fields, by such paths too (of a `day` stream, by paths of its records).
    """

    connection: str
    name: str
    path: str
    iterate: Literal["window", "day"]
    widths: tuple[str, ...]
    dimensions: tuple[str, ...]
    most_dimensions: int
    page_sizes: Mapping[str, int]
    beta: Mapping[str, str]
    has_current_period: bool
    lookback: timedelta
    place: Place
    control_totals: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    freshness: Limits | None = None


def read_streams(project: Project) -> tuple[Stream, ...]:
    """All streams of the project, in the order of the files."""
    return tuple(
        _stream(document, at, source["connection"], stream)
        for document in project.sources
        for number, source in enumerate(document.data["sources"])
        for index, stream in enumerate(source["streams"])
        for at in [("sources", number, "streams", index)]
    )


def check_streams(project: Project) -> Iterator[Problem]:
    """What the schema of sources can't see: dimensions and widths that don't fit together."""
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            for index, stream in enumerate(source["streams"]):
                yield from _check(document, ("sources", number, "streams", index), stream)


def _check(
    document: Document, at: tuple[str | int, ...], stream: Mapping[str, Any]
) -> Iterator[Problem]:
    params = stream.get("params", {})
    widths = params.get("bucket_width", [])
    dimensions = params.get("group_by", {}).get("values", [])
    sizes = stream["page_size"]
    if stream["iterate"] == "window" and not widths:
        hint = "add params: bucket_width: [1d]"
        yield Problem("a window stream needs its bucket widths", document.place(*at), hint)
    if stream["iterate"] == "day" and (params or isinstance(sizes, dict)):
        place = document.place(*at, "iterate")
        message = "a day stream has no bucket widths and no group_by; page_size is one number"
        yield Problem(message, place)
    if stream.get("control_totals") and not dimensions:
        message = "control totals compare grouped figures, and this stream has no group_by"
        yield Problem(message, document.key_place(*at, "control_totals"))
    limits = _limits(stream.get("freshness", {}))
    if limits.warn_after and limits.error_after and limits.warn_after > limits.error_after:
        place = document.place(*at, "freshness", "warn_after")
        yield Problem("warn_after is longer than error_after: nobody would be warned", place)
    if isinstance(sizes, dict):
        for width in widths:
            if width not in sizes:
                place = document.place(*at, "page_size")
                yield Problem(f"page_size says nothing of the width {width}", place)
    for dimension in stream.get("beta", {}):
        if dimension not in dimensions:
            place = document.key_place(*at, "beta", dimension)
            yield Problem(f"unknown dimension '{dimension}'", place, nearest(dimension, dimensions))


def _stream(
    document: Document, at: tuple[str | int, ...], connection: str, stream: Mapping[str, Any]
) -> Stream:
    params = stream.get("params", {})
    group_by = params.get("group_by", {"max": 0, "values": []})
    widths = tuple(params.get("bucket_width", ()))
    size = stream["page_size"]
    return Stream(
        connection=connection,
        name=stream["name"],
        path=stream["path"],
        iterate=stream["iterate"],
        widths=widths,
        dimensions=tuple(group_by["values"]),
        most_dimensions=group_by["max"],
        page_sizes=size if isinstance(size, dict) else dict.fromkeys(widths or ("1d",), size),
        beta=stream.get("beta", {}),
        has_current_period=stream.get("current_period", "included") == "included",
        lookback=_span(stream.get("lookback", LOOKBACK)),
        place=document.place(*at),
        control_totals=tuple(stream.get("control_totals", ())),
        values={name: tuple(known) for name, known in stream.get("values", {}).items()},
        freshness=_limits(stream["freshness"]) if "freshness" in stream else None,
    )


def _limits(freshness: Mapping[str, str]) -> Limits:
    warn, error = (freshness.get(each) for each in ("warn_after", "error_after"))
    return Limits(_span(warn) if warn else None, _span(error) if error else None)


def _span(text: str) -> timedelta:
    number = int(text[:-1])
    return timedelta(days=number) if text.endswith("d") else timedelta(hours=number)
