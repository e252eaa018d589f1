"""Closed days: up to which day what landed is final, and when the next one becomes so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lading.extract.plan import (
    CONTROL_TOTALS,
    Extract,
    Landed,
    Period,
    floor,
    midnight,
)
from lading.extract.streams import SNAPSHOT, WIDTHS

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closing:
    """How far a report is final: all its days before `closed_up_to` are closed, in each of its
    extracts; None if its first one is not. `next_day` is the first that is not, and a sync at
    `next_closes_at` or later closes it. All are midnights, aware and UTC."""

    connection: str
    stream: str
    closed_up_to: datetime | None
    next_day: datetime
    next_closes_at: datetime


def closings(extracts: Iterable[Extract], closed: Landed, now: datetime) -> tuple[Closing, ...]:
    """How far the streams of these extracts are closed; of several extracts of a stream the one
    that is furthest behind counts. Lists have no days, those for comparison alone do not count,
    and those that begin after `now` have none yet."""
    by_stream: dict[tuple[str, str], list[Extract]] = {}
    for extract in extracts:
        if extract.width != SNAPSHOT and extract.serves != (CONTROL_TOTALS,):
            by_stream.setdefault(extract.key[:2], []).append(extract)
    begun = ([extract for extract in those if extract.start <= now] for those in by_stream.values())
    return tuple(_closing(those, closed) for those in begun if those)


def _closing(extracts: Sequence[Extract], closed: Landed) -> Closing:
    stream = extracts[0].stream
    first = min(midnight(extract.start) for extract in extracts)
    day = min(midnight(_first_open(extract, closed.get(extract.key, ()))) for extract in extracts)
    return Closing(
        stream.connection,
        stream.name,
        day if day > first else None,
        day,
        _ceiling(day + DAY + stream.lookback),
    )


def _first_open(extract: Extract, closed: Iterable[Period]) -> datetime:
    """The start of the first slice of an extract that is not closed."""
    moment = floor(extract.start, WIDTHS[extract.width])
    for period in sorted(closed):
        if period.starting_at > moment:
            break
        moment = max(moment, period.ending_at)
    return moment


def _ceiling(moment: datetime) -> datetime:
    """The first midnight at which slices that end before the lookback are closed."""
    return midnight(moment + DAY - timedelta.resolution)
