"""A synthetic organisation that follows from a seed: the same figures on every machine.

Every day is made by itself, from the seed and its date. So any two organisations of one seed and
size agree on every day that both have, and a later clock never changes the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Self

from lading.sandbox.claude_code import ORGANIZATION_ID, CodeWork, make_code_work
from lading.sandbox.corrections import Correction
from lading.sandbox.cost import CostLine, make_cost_lines
from lading.sandbox.members import make_members
from lading.sandbox.usage import UsageEvent, make_usage_events

__all__ = ["CostLine", "Organisation", "UsageEvent"]

_DAYS_KEPT = 400
_CODE_DAYS_KEPT = 40  # records are big, and a day of them is asked for page by page


class Organisation:
    """What happened in an organisation, for the stand-in to report and for tests to add up.

    first_day, last_day  nothing happened outside; None: it goes on for ever
    workspaces           with the default one, which has no id
    """

    def __init__(
        self,
        seed: int = 7,
        first_day: date = date(2026, 1, 1),
        last_day: date | None = None,
        workspaces: int = 5,
        models: int = 4,
        developers: int = 12,
    ) -> None:
        self.id = ORGANIZATION_ID
        self.name = "Sandbox Corp"
        self.seed = seed
        self.first_day = first_day
        self.last_day = last_day
        self.members = make_members(workspaces, models, developers)
        self._remember({}, None)

    def corrected(self, day: date, correction: Correction) -> Self:
        """The same organisation as its reports tell of it once a day has been put right."""
        other = copy(self)
        other._remember({**self._corrections, day: correction}, self)
        return other

    def _remember(self, corrections: Mapping[date, Correction], before: Self | None) -> None:
        self._corrections = corrections
        self._before = before  # which has the other days at hand
        self._events = lru_cache(_DAYS_KEPT)(self._make_events)
        self._code_work = lru_cache(_CODE_DAYS_KEPT)(self._make_code_work)

    def is_idle(self, day: date) -> bool:
        """Whether nothing at all happened: outside of its time, and on every eleventh day."""
        outside = day < self.first_day or (self.last_day is not None and day > self.last_day)
        return outside or (day.toordinal() + self.seed) % 11 == 5

    def is_without_code(self, day: date) -> bool:
        """Whether nobody used Claude Code: idle days, and every ninth day."""
        return self.is_idle(day) or (day.toordinal() + self.seed) % 9 == 2

    def usage_events(self, day: date, until: datetime | None = None) -> tuple[UsageEvent, ...]:
        """The day's use of the Messages API, oldest first; `until`: up to that minute."""
        events = self._events(day)
        if until is None or (events and events[-1].minute <= until):
            return events
        return tuple(event for event in events if event.minute <= until)

    def cost_lines(self, day: date) -> tuple[CostLine, ...]:
        """The whole day's bill."""
        if self.is_idle(day) and not self._events(day):
            return ()
        return make_cost_lines(self.members, self.seed, day, self._events(day))

    def code_records(self, day: date, until: datetime | None = None) -> tuple[dict[str, Any], ...]:
        """The day's Claude Code records in the API's shape; `until`: as they stood then.

        The dictionaries are shared: do not change them.
        """
        work = self._code_work(day)
        if until is None:
            return tuple(one.record for one in work)
        seen = (one.seen_at(until) for one in work)
        return tuple(record for record in seen if record is not None)

    def _make_events(self, day: date) -> tuple[UsageEvent, ...]:
        if self._before is not None and day not in self._corrections:
            return self._before._events(day)
        busy = 0.3 if day.weekday() >= 5 else 1.0
        events = () if self.is_idle(day) else self._events_of(self.seed, day, busy)
        correction = self._corrections.get(day)
        if correction is None:
            return events
        return correction.of_events(events, self._events_of(self.seed + 1, day, busy))

    def _events_of(self, seed: int, day: date, busy: float) -> tuple[UsageEvent, ...]:
        return make_usage_events(self.members, seed, day, busy)

    def _make_code_work(self, day: date) -> tuple[CodeWork, ...]:
        if self._before is not None and day not in self._corrections:
            return self._before._code_work(day)
        active = 0.25 if day.weekday() >= 5 else 0.7
        work = () if self.is_without_code(day) else self._work_of(self.seed, day, active)
        correction = self._corrections.get(day)
        if correction is None:
            return work
        return correction.of_code_work(work, self._work_of(self.seed + 1, day, 1.0))

    def _work_of(self, seed: int, day: date, active: float) -> tuple[CodeWork, ...]:
        return make_code_work(self.members, seed, day, active)
