"""Spans of time as files write them and people say them, and the limits that freshness has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

SPAN = re.compile(r"([0-9]{1,4})([dh])")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far behind something may be before that is a warning, and before it is an error."""

    warn_after: timedelta | None
    error_after: timedelta | None

    @property
    def never_warn(self) -> bool:
        """Whether it is an error before it is a warning."""
        return bool(self.warn_after and self.error_after and self.warn_after > self.error_after)


def read_limits(freshness: Mapping[str, str]) -> Limits:
    """What stands under `freshness:`."""
    warn, error = (freshness.get(each) for each in ("warn_after", "error_after"))
    return Limits(read_span(warn) if warn else None, read_span(error) if error else None)


def read_span(text: str) -> timedelta:
    """A span such as `3d` or `12h`.

    Raises:
        ValueError: it is none.
    """
    found = SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no span of time")
    number = int(found[1])
    return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)


def judged(behind: timedelta, limits: Limits | None) -> Literal["ok", "warn", "error"]:
    """What limits make of it; a limit that is just reached is not exceeded."""
    if limits is not None and limits.error_after is not None and behind > limits.error_after:
        return "error"
    if limits is not None and limits.warn_after is not None and behind > limits.warn_after:
        return "warn"
    return "ok"


def span_text(span: timedelta) -> str:
    """A span as people say it, in its two largest units: `3d 4h`, `5h 20m`, `12m`."""
    minutes = int(span.total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m"
