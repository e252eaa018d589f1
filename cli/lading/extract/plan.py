"""The extraction plan: what to ask for, and why. A pure function; nothing here does I/O.

Askings that agree on stream and width share one extract with the union of their dimensions,
while that stays within what the endpoint takes; beyond it they are split, and each asking is
answered by exactly one extract. Of each extract's range only what is not closed is asked for.
Beside the grouped extracts of a stream with control totals goes the ungrouped one, to compare.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from lading.errors import Place, Problem, nearest
from lading.extract.groupings import Dimensions, fewest
from lading.extract.streams import SNAPSHOT, WIDTHS, Stream

Reason = Literal[
    "new",
    "gap",
    "lookback",
    "current",
    "recheck",
    "restated",
    "forced",
    "differed",
    "stale",
]

# What an extract serves that nobody asks for but the comparison with the grouped ones.
CONTROL_TOTALS = "control totals"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From `starting_at` (inclusive) to `ending_at` (exclusive), aware and UTC."""

    starting_at: datetime
    ending_at: datetime


# Periods by connection, stream and request.
Landed = Mapping[tuple[str, str, str], Sequence[Period]]


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody's need: a stream at a width, by dimensions, from `start` on; of one connection,
    or of each that has the stream."""

    stream: str
    width: str
    dimensions: Dimensions
    start: datetime
    by: str
    place: Place
    connection: str | None = None

    def is_of(self, stream: Stream) -> bool:
        """Whether this is the stream that is asked for."""
        return stream.name == self.stream and self.connection in {None, stream.connection}


@dataclass(frozen=True, slots=True)
class Extract:
    """One view of a stream: its width and grouping, from `start` on, and whom it serves."""

    stream: Stream
    width: str
    dimensions: tuple[str, ...]
    start: datetime
    serves: tuple[str, ...]

    @property
    def request(self) -> str:
        """What is asked, as readable JSON; equal for equal requests, whatever the range."""
        asked: dict[str, object] = {"path": self.stream.path}
        if self.stream.iterate == "window":
            asked |= {"bucket_width": self.width, "group_by": list(self.dimensions)}
        asked |= self.stream.query
        return json.dumps(asked)

    @property
    def key(self) -> tuple[str, str, str]:
        """Connection, stream and request: under this its slices are on record."""
        return self.stream.connection, self.stream.name, self.request


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person asks for beside what is open.

    `start` and `end` bound the range (a start before the askings' own reaches further back);
    `streams` names the only ones to fetch, all if empty; with `refresh` closed slices are asked
    for again as well, with `recheck` those that ended within that span before today. Without
    `control_totals` nothing is fetched for comparison alone, and nothing compared.
    """

    start: datetime | None = None
    end: datetime | None = None
    streams: frozenset[str] = frozenset()
    refresh: bool = False
    recheck: timedelta = timedelta(0)
    control_totals: bool = True


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Request:
    """A range of an extract that is asked for in one chain of pages. A snapshot's period is the
    moment that it is asked for: it begins and ends there."""

    extract: Extract
    period: Period
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """The extracts that answer all askings, and the requests that bring them up to date."""

    extracts: tuple[Extract, ...]
    requests: tuple[Request, ...]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole_list(stream: str, by: str, place: Place, connection: str | None = None) -> Asking:
    """Somebody's need for a snapshot stream."""
    return Asking(stream, SNAPSHOT, frozenset(), EPOCH, by, place, connection)


def plan(
    streams: Sequence[Stream],
    askings: Iterable[Asking],
    closed: Landed,
    now: datetime,
    scope: Scope = EVERYTHING,
    outdated: Landed = MappingProxyType({}),
) -> Plan:
    """The plan for the askings at the moment `now`, within a scope.

    `closed` are the periods of closed slices by an extract's key; a key that is there has been
    fetched before, at least in part; a snapshot's period begins at its moment. Those of them that
    are `outdated`, since another view of the same period was restated, are asked for again.
    """
    asked = tuple(askings)
    extracts = tuple(
        extract
        for stream in streams
        if not scope.streams or stream.name in scope.streams
        for width in sorted({each.width for each in asked if each.is_of(stream)})
        for extract in _with_totals(
            _extracts(
                stream,
                width,
                [each for each in asked if each.is_of(stream) and each.width == width],
            ),
            scope,
        )
    )
    requests = tuple(
        request
        for extract in extracts
        for request in _requests(
            extract, closed.get(extract.key), outdated.get(extract.key, ()), now, scope
        )
    )
    return Plan(extracts, requests)


def check_askings(streams: Sequence[Stream], askings: Iterable[Asking]) -> Iterator[Problem]:
    """Askings that no request can answer: unknown or too many dimensions, unknown widths."""
    asked = tuple(askings)
    for stream, asking in ((each, one) for each in streams for one in asked if one.is_of(each)):
        widths = stream.widths or ("1d",)
        if asking.width not in widths:
            message = f"{stream.name} has no buckets of {asking.width}, only {', '.join(widths)}"
            yield Problem(message, asking.place)
        for dimension in sorted(asking.dimensions - set(stream.dimensions)):
            hint = nearest(dimension, stream.dimensions)
            message = f"{stream.name} can't be grouped by '{dimension}'"
            yield Problem(message, asking.place, hint)
        if len(asking.dimensions) > stream.most_dimensions > 0:
            yield Problem(
                f"{stream.name} is grouped by {len(asking.dimensions)} dimensions, "
                f"and the API takes at most {stream.most_dimensions}",
                asking.place,
                "split the resource into several with fewer dimensions each",
            )


def _extracts(stream: Stream, width: str, askings: Sequence[Asking]) -> Iterator[Extract]:
    groupings = fewest({asking.dimensions for asking in askings}, stream.most_dimensions)
    served: dict[Dimensions, list[Asking]] = {grouping: [] for grouping in groupings}
    for asking in askings:
        first = next(each for each in groupings if asking.dimensions <= each)
        served[first].append(asking)
    for grouping, those in served.items():
        if those:
            start = min(asking.start for asking in those)
            names = tuple(asking.by for asking in those)
            yield Extract(stream, width, tuple(sorted(grouping)), start, names)


def _with_totals(extracts: Iterable[Extract], scope: Scope) -> tuple[Extract, ...]:
    """A stream's extracts of one width, and the ungrouped one that they are compared with."""
    found = tuple(extracts)
    stream, width = found[0].stream, found[0].width
    wanted = scope.control_totals and stream.control_totals
    if not wanted or not all(each.dimensions for each in found):
        return found
    start = min(each.start for each in found)
    return (*found, Extract(stream, width, (), start, (CONTROL_TOTALS,)))


def _requests(
    extract: Extract,
    done: Sequence[Period] | None,
    outdated: Sequence[Period],
    now: datetime,
    scope: Scope,
) -> Iterator[Request]:
    if extract.width == SNAPSHOT:
        reason = _reason_for_snapshot(extract, done, now, scope)
        if reason is not None:
            yield Request(extract, Period(now, now), reason)
        return
    whole = _within(period_of(extract, now), extract, scope)
    kept = _kept(extract, done or (), now, scope)
    current = [part for period in kept for part in _gaps(period, outdated)]
    for gap in _gaps(whole, current):
        for period in pieces(extract, gap):
            reason = _reason(extract, period, done, now, scope)
            if reason == "recheck" and any(_overlap(period, each) for each in outdated):
                reason = "restated"
            yield Request(extract, period, reason)


def _reason_for_snapshot(
    extract: Extract, landed: Sequence[Period] | None, now: datetime, scope: Scope
) -> Reason | None:
    """Why to ask for the whole list now; None if the last one is young enough, or if the scope
    is not about now."""
    if (scope.start and scope.start > now) or (scope.end and scope.end <= now):
        return None
    if landed is None:
        return "new"
    if scope.refresh:
        return "forced"
    # One of the future is from a clock that was wrong.
    ages = [now - each.starting_at for each in landed]
    fresh = any(timedelta(0) <= age < extract.stream.max_age for age in ages)
    return None if fresh else "stale"


def pieces(extract: Extract, period: Period) -> Iterator[Period]:
    """The period, cut into what one request of the extract covers."""
    start = period.starting_at
    while start < period.ending_at:
        end = min(start + page_span(extract), period.ending_at)
        yield Period(start, end)
        start = end


def _within(whole: Period, extract: Extract, scope: Scope) -> Period:
    """The range cut to the scope, in whole buckets."""
    width = WIDTHS[extract.width]
    start, end = whole.starting_at, whole.ending_at
    if scope.start is not None:
        start = floor(scope.start, width)
    if scope.end is not None:
        end = min(end, floor(scope.end - timedelta(microseconds=1), width) + width)
    return Period(start, max(start, end))


def _kept(
    extract: Extract, closed: Sequence[Period], now: datetime, scope: Scope
) -> Iterator[Period]:
    """The closed periods that are not asked for again, in whole buckets."""
    if scope.refresh:
        return
    until = None
    if scope.recheck:
        until = floor(midnight(now) - scope.recheck, WIDTHS[extract.width])
    for period in closed:
        if until is None or period.ending_at <= until:
            yield period
        elif period.starting_at < until:
            yield Period(period.starting_at, until)


def period_of(extract: Extract, now: datetime) -> Period:
    """The whole range of an extract at the moment `now`; empty if it starts in the future."""
    width = WIDTHS[extract.width]
    start = floor(extract.start, width)
    if extract.start > now:
        return Period(start, start)
    end = floor(now, width) + width if extract.stream.has_current_period else midnight(now)
    return Period(start, end)


def answered_by(extract: Extract, now: datetime) -> datetime:
    """Buckets that begin before it are in the report at the moment `now`.

    The one that `now` is in may not be there yet; nor, in a report of what is complete, the last
    one that is over.
    """
    width = WIDTHS[extract.width]
    current = floor(now, width)
    return current if extract.stream.has_current_period else current - width


def page_span(extract: Extract) -> timedelta:
    """How much of the range one request covers: a full page of buckets, or a day."""
    if extract.stream.iterate == "day":
        return WIDTHS["1d"]
    return WIDTHS[extract.width] * extract.stream.page_sizes[extract.width]


def slice_of(extract: Extract) -> timedelta:
    """The length of a slice: a bucket or a day; a snapshot's lasts until another one is due."""
    if extract.width == SNAPSHOT:
        return extract.stream.max_age
    return WIDTHS[extract.width]


def closes_at(stream: Stream, now: datetime) -> datetime:
    """Slices that ended by then are closed when they are fetched at `now`."""
    return midnight(now) - stream.lookback


def midnight(moment: datetime) -> datetime:
    """The start of the moment's UTC day."""
    return floor(moment, WIDTHS["1d"])


def floor(moment: datetime, width: timedelta) -> datetime:
    """The start of the bucket that the moment is in."""
    return moment - (moment - EPOCH) % width


def _gaps(whole: Period, closed: Sequence[Period]) -> Iterator[Period]:
    start = whole.starting_at
    for period in sorted(closed):
        if period.starting_at > start and start < whole.ending_at:
            yield Period(start, min(period.starting_at, whole.ending_at))
        start = max(start, period.ending_at)
    if start < whole.ending_at:
        yield Period(start, whole.ending_at)


def _reason(
    extract: Extract, period: Period, done: Sequence[Period] | None, now: datetime, scope: Scope
) -> Reason:
    if done is None:
        return "new"
    if any(_overlap(period, each) for each in done):
        return "forced" if scope.refresh else "recheck"
    if period.starting_at >= floor(now, WIDTHS[extract.width]):
        return "current"
    return "lookback" if period.starting_at >= closes_at(extract.stream, now) else "gap"


def _overlap(one: Period, other: Period) -> bool:
    return one.starting_at < other.ending_at and other.starting_at < one.ending_at
