"""What checks look for, and what they found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.errors import Place

Outcome = Literal["pass", "warn", "fail", "error", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `details` are the first things that are not as they should be."""

    outcome: Outcome
    said: str = ""
    details: tuple[str, ...] = ()
    hint: str | None = None
    place: Place | None = None
    failures: int = 0
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; it looks into a database, which it does not change. `node` is the
    id of what it is about: its own, or that of a source."""

    name: str
    node: str
    look: Callable[[DuckDBPyConnection], Finding]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check that has been run, from `started_at` (UTC) on."""

    name: str
    node: str
    finding: Finding
    seconds: float
    started_at: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether it did not hold, or could not be run."""
        return self.finding.outcome in {"fail", "error"}
