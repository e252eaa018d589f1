"""Somebody who wants to see how far a run is, and who may end it early."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Somebody who wants to see how far things are."""

    def start(self, name: str, total: int, unit: str = "") -> None:
        """Something of `total` steps begins; a step is called `unit`, in the plural."""

    def advance(self, name: str, steps: int = 1, rows: int = 0) -> None:
        """Some of its steps are done, and gave so many rows."""
