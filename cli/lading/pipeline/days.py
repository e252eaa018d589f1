"""How many days of each stream there are to fetch, and how many of them have come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.extract.plan import Request

ONE = timedelta(days=1)


class Days:
    """The UTC days that requests are about. A day has come once all that was asked of it has, by
    whatever grouping and width; a list counts as the day of which it is."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._left = Counter((_stream(each), day) for each in requests for day in _days_of(each))

    @property
    def totals(self) -> Mapping[str, int]:
        """The number of days by stream, before any has come."""
        return Counter(stream for stream, _ in self._left)

    def arrived(self, request: Request) -> int:
        """How many days have come with an answer."""
        keys = [(_stream(request), day) for day in _days_of(request)]
        self._left.subtract(keys)
        return sum(self._left[key] == 0 for key in keys)


def _stream(request: Request) -> str:
    return request.extract.stream.name


def _days_of(request: Request) -> Iterator[date]:
    day, end = request.period.starting_at, request.period.ending_at
    yield day.date()
    day = day.replace(hour=0, minute=0, second=0, microsecond=0) + ONE
    while day < end:
        yield day.date()
        day += ONE
