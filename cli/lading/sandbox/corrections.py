"""What a report tells otherwise of a day than it did before: the same day, put right later."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lading.sandbox.claude_code import CodeWork
from lading.sandbox.usage import UsageEvent

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Correction:
    """What is to be different about a day.

    more       output tokens (and, for Claude Code, lines added) that its last entry gains
    late       entries that were not reported before, with counts of their own
    withdrawn  of the day's first entries, how many are gone

    An entry is a use of the Messages API, and likewise a record of Claude Code.
    """

    more: int = 0
    late: int = 0
    withdrawn: int = 0

    def of_events(
        self, events: tuple[UsageEvent, ...], others: Sequence[UsageEvent]
    ) -> tuple[UsageEvent, ...]:
        """The day's use; the late of it is taken out of `others`."""
        grown = _last_changed(events, self._grown_event) if self.more else events
        kept = (*grown[self.withdrawn :], *others[: self.late])
        return tuple(sorted(kept, key=lambda event: event.minute))

    def of_code_work(
        self, work: tuple[CodeWork, ...], others: Sequence[CodeWork]
    ) -> tuple[CodeWork, ...]:
        """The day's Claude Code records; the late of them are taken out of `others`."""
        grown = _last_changed(work, self._grown_work) if self.more else work
        kept = (*grown[self.withdrawn :], *others[: self.late])
        return tuple(sorted(kept, key=lambda one: one.begins))

    def _grown_event(self, event: UsageEvent) -> UsageEvent:
        return replace(event, output_tokens=event.output_tokens + self.more)

    def _grown_work(self, work: CodeWork) -> CodeWork:
        record = deepcopy(work.record)
        record["core_metrics"]["lines_of_code"]["added"] += self.more
        for share in record["model_breakdown"][:1]:
            share["tokens"]["output"] += self.more
        return replace(work, record=record)


def _last_changed(entries: tuple[One, ...], change: Any) -> tuple[One, ...]:
    return (*entries[:-1], *(change(one) for one in entries[-1:]))


def backwards(value: Any) -> Any:
    """The same JSON value otherwise written: keys, and the rows of lists, in reverse order."""
    if isinstance(value, dict):
        return {name: backwards(part) for name, part in reversed(value.items())}
    if isinstance(value, list):
        return [backwards(part) for part in reversed(value)]
    return value
