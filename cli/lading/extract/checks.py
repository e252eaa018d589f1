"""What a comparison of grouped reports with ungrouped ones found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A figure of a bucket that is not the same grouped and ungrouped; None could not be added
    up. `dimensions` are those of the grouped extract."""

    connection: str
    stream: str
    width: str
    dimensions: tuple[str, ...]
    starting_at: datetime
    field: str
    grouped: Decimal | None
    ungrouped: Decimal | None

    def __str__(self) -> str:
        where = f"{self.stream} ({self.connection}) {self.width} {self.starting_at:%Y-%m-%dT%H:%MZ}"
        by = ", ".join(self.dimensions)
        grouped, ungrouped = _shown(self.grouped), _shown(self.ungrouped)
        return f"{where}: {self.field} is {grouped} by {by}, and {ungrouped} ungrouped"


@dataclass(frozen=True, slots=True)
class Check:
    """What the comparison of a connection's stream gave: how many buckets, how many of them
    differ, and the first figures that do."""

    connection: str
    stream: str
    buckets: int
    differing: int
    mismatches: tuple[Mismatch, ...]


def _shown(figure: Decimal | None) -> str:
    if figure is None:
        return "nothing that adds up"
    text = f"{figure:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
