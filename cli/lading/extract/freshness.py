"""Freshness: how far what landed is behind what the reports have by now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from lading.extract.plan import CONTROL_TOTALS, Extract
from lading.extract.streams import WIDTHS
from lading.project.spans import Limits, judged, span_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

State = Literal["ok", "warn", "error", "never"]

# The moment up to which each extract has landed: the end of its newest period, or the moment at
# which a period that was not over, or a list, was asked for. A bucket that the report did not have
# is none.
LANDED_UP_TO = """
SELECT s.connection, s.stream, s.request::VARCHAR, max(least(s.ending_at, r.started_at))
FROM lading.slices AS s JOIN lading.runs AS r USING (run_id)
WHERE s.records > 0 OR s.request ->> '$.bucket_width' IS NULL
GROUP BY ALL
"""

UpTo = Mapping[tuple[str, str, str], datetime]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stream stands. It has landed up to the moment `up_to`, and for the time `behind`
    newer figures could have been had; both are None if one of its extracts never landed."""

    connection: str
    stream: str
    state: State
    up_to: datetime | None
    behind: timedelta | None
    limits: Limits | None

    @property
    def failed(self) -> bool:
        """Whether it is an error: too far behind, or nothing there where an error is asked for."""
        strict = self.limits is not None and self.limits.error_after is not None
        return self.state == "error" or (self.state == "never" and strict)

    def __str__(self) -> str:
        if self.up_to is None or self.behind is None:
            return "not all that is asked for has ever landed"
        limits = self.limits or Limits(None, None)
        limit = {"warn": limits.warn_after, "error": limits.error_after}.get(self.state)
        over = f", more than {span_text(limit)}" if limit is not None else ""
        return f"up to {self.up_to:%Y-%m-%d %H:%M}, {span_text(self.behind)} behind{over}"


def freshness(extracts: Iterable[Extract], up_to: UpTo, now: datetime) -> tuple[Standing, ...]:
    """How the streams of these extracts stand at the moment `now`; of several extracts of a stream
    the one that is furthest behind counts. Those for comparison alone do not."""
    by_stream: dict[tuple[str, str], list[Extract]] = {}
    for extract in extracts:
        if extract.serves != (CONTROL_TOTALS,):
            by_stream.setdefault(extract.key[:2], []).append(extract)
    return tuple(_standing(those, up_to, now) for those in by_stream.values())


def _standing(extracts: Sequence[Extract], up_to: UpTo, now: datetime) -> Standing:
    stream = extracts[0].stream
    known = list(_known(extracts, up_to, now))
    if len(known) < len(extracts):
        return Standing(stream.connection, stream.name, "never", None, None, stream.freshness)
    behind = max(late for _, late in known)
    oldest = min(moment for moment, _ in known)
    state = judged(behind, stream.freshness)
    return Standing(stream.connection, stream.name, state, oldest, behind, stream.freshness)


def _known(
    extracts: Iterable[Extract], up_to: UpTo, now: datetime
) -> Iterator[tuple[datetime, timedelta]]:
    for extract in extracts:
        if (moment := up_to.get(extract.key)) is not None:
            yield moment, behind(extract, moment, now)


def behind(extract: Extract, up_to: datetime, now: datetime) -> timedelta:
    """For how long there could have been more than what landed up to that moment.

    Of a report that has the period which is not over, from then on; of one that has only what is
    over, from the end of the next period on.
    """
    waits = timedelta(0) if extract.stream.has_current_period else WIDTHS[extract.width]
    return max(now - up_to - waits, timedelta(0))


def landed_up_to(connection: DuckDBPyConnection) -> UpTo:
    """The moments up to which extracts have landed, by their keys; never is not there."""
    return {
        (name, stream, request): moment.replace(tzinfo=UTC)
        for name, stream, request, moment in connection.execute(LANDED_UP_TO).fetchall()
    }
