"""The streams that `sources/*.yml` declare: endpoints as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from lading.errors import Place, Problem, nearest
from lading.project.documents import Document
from lading.project.model import Project
from lading.project.spans import Limits, read_limits, read_span

Width = Literal["1d", "1h", "1m"]
WIDTHS: Mapping[str, timedelta] = {
    "1d": timedelta(days=1),
    "1h": timedelta(hours=1),
    "1m": timedelta(minutes=1),
}
LOOKBACK = "3d"
# What stands where other streams have a width: a list has no periods, and is asked for whole.
SNAPSHOT = "snapshot"
MAX_AGE = "1d"
# What a stream says that only makes sense with periods, or only with a whole list.
OF_PERIODS = ("params", "beta", "current_period", "lookback", "control_totals")
OF_LISTS = ("query", "max_age")


@dataclass(frozen=True, slots=True)
class Stream:
    """An endpoint of one connection.

    A `window` stream is a time range of buckets followed by a cursor; a `day` stream is one
    chain of pages for each UTC day; a `snapshot` stream is a list as it is at the moment, asked
    for with `query` and again when the last one is `max_age` old. `page_sizes` are the most
    buckets (by width), records (under "1d") or members (under "snapshot") that one page may have;
    a snapshot without any is a single object. `control_totals` are the paths, below a bucket's
    results, of the figures whose sums must not depend on the grouping; `values` are the known
    values of fields, by such paths too (of other streams than `window`, by paths of records).
    """

    connection: str
    name: str
    path: str
    iterate: Literal["window", "day", "snapshot"]
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
    query: Mapping[str, str] = field(default_factory=dict)
    max_age: timedelta = timedelta(days=1)


def read_streams(project: Project) -> tuple[Stream, ...]:
    """All streams of the project, in the order of the files."""
    return tuple(
        _stream(document, at, source.get("connection", ""), stream)
        for document in project.sources
        for number, source in enumerate(document.data["sources"])
        for index, stream in enumerate(source.get("streams", ()))
        for at in [("sources", number, "streams", index)]
    )


def check_streams(project: Project) -> Iterator[Problem]:
    """What the schema of sources can't see: dimensions and widths that don't fit together."""
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            for index, stream in enumerate(source.get("streams", ())):
                yield from _check(document, ("sources", number, "streams", index), stream)


def _check(
    document: Document, at: tuple[str | int, ...], stream: Mapping[str, Any]
) -> Iterator[Problem]:
    if read_limits(stream.get("freshness", {})).never_warn:
        place = document.place(*at, "freshness", "warn_after")
        yield Problem("warn_after is longer than error_after: nobody would be warned", place)
    if stream["iterate"] == "snapshot":
        yield from _check_snapshot(document, at, stream)
        return
    for key in stream.keys() & set(OF_LISTS):
        yield Problem(f"{key} is for snapshot streams", document.key_place(*at, key))
    if "page_size" not in stream:
        yield Problem("a stream of periods needs its page_size", document.place(*at))
        return
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
    if isinstance(sizes, dict):
        for width in widths:
            if width not in sizes:
                place = document.place(*at, "page_size")
                yield Problem(f"page_size says nothing of the width {width}", place)
    for dimension in stream.get("beta", {}):
        if dimension not in dimensions:
            place = document.key_place(*at, "beta", dimension)
            yield Problem(f"unknown dimension '{dimension}'", place, nearest(dimension, dimensions))


def _check_snapshot(
    document: Document, at: tuple[str | int, ...], stream: Mapping[str, Any]
) -> Iterator[Problem]:
    for key in [each for each in OF_PERIODS if each in stream]:
        yield Problem(
            f"a snapshot has no periods, so it has no {key}", document.key_place(*at, key)
        )
    if isinstance(stream.get("page_size"), dict):
        place = document.place(*at, "page_size")
        yield Problem("the page_size of a snapshot is one number", place)


def _stream(
    document: Document, at: tuple[str | int, ...], connection: str, stream: Mapping[str, Any]
) -> Stream:
    params = stream.get("params", {})
    group_by = params.get("group_by", {"max": 0, "values": []})
    is_list = stream["iterate"] == "snapshot"
    widths = (SNAPSHOT,) if is_list else tuple(params.get("bucket_width", ()))
    return Stream(
        connection=connection,
        name=stream["name"],
        path=stream["path"],
        iterate=stream["iterate"],
        widths=widths,
        dimensions=tuple(group_by["values"]),
        most_dimensions=group_by["max"],
        page_sizes=_page_sizes(stream.get("page_size"), widths),
        beta=stream.get("beta", {}),
        has_current_period=stream.get("current_period", "included") == "included",
        lookback=read_span(stream.get("lookback", LOOKBACK)),
        place=document.place(*at),
        control_totals=tuple(stream.get("control_totals", ())),
        values={name: tuple(known) for name, known in stream.get("values", {}).items()},
        freshness=read_limits(stream["freshness"]) if "freshness" in stream else None,
        query={name: _as_text(value) for name, value in stream.get("query", {}).items()},
        max_age=read_span(stream.get("max_age", MAX_AGE)),
    )


def _page_sizes(size: int | Mapping[str, int] | None, widths: Iterable[str]) -> Mapping[str, int]:
    if size is None:
        return {}
    return dict.fromkeys(widths or ("1d",), size) if isinstance(size, int) else size


def _as_text(value: Any) -> str:
    """A value as a query string has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
