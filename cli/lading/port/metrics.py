"""Counters of a resync in the documents that Port's page on it is made of: one for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lading import __version__
from lading.project.model import TYPE

SyncState = Literal["pending", "syncing", "completed", "failed", "aborted"]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a document is about: a kind with its number in the mapping, or a phase of the whole."""

    kind: str
    index: int = 0
    blueprint: str = ""
    is_kind: bool = True

    @property
    def identifier(self) -> str:
        """Its name in a resync."""
        return f"{self.kind}-{self.index}" if self.is_kind else self.kind


RUNTIME = Subject("__runtime__", is_kind=False)
RECONCILIATION = Subject("__reconciliation__", is_kind=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a kind's rows. `not_…` counts what failed in a phase: requests that came to
    nothing, rows without an entity, entities that Port does not hold as they should be."""

    fetched: int = 0
    not_fetched: int = 0
    transformed: int = 0
    filtered: int = 0
    not_transformed: int = 0
    loaded: int = 0
    unchanged: int = 0
    not_loaded: int = 0


@dataclass(frozen=True, slots=True)
class Resync:
    """What all documents of one resync have in common."""

    event_id: str
    integration: str

    def of_kind(
        self, subject: Subject, state: SyncState, counts: Counts, seconds: float
    ) -> Document:
        """The document of a kind, `seconds` after the beginning."""
        phases = {
            "resync": _resync(state, seconds),
            "extract": _objects(raw_extracted=counts.fetched, failed=counts.not_fetched),
            "transform": _objects(
                transformed=counts.transformed,
                filtered_out=counts.filtered,
                failed=counts.not_transformed,
            ),
            "load": _objects(
                loaded=counts.loaded, skipped=counts.unchanged, failed=counts.not_loaded
            ),
        }
        return self._document(subject, state, phases)

    def of_runtime(self, state: SyncState, seconds: float) -> Document:
        """The document of the whole."""
        return self._document(RUNTIME, state, {"resync": _resync(state, seconds)})

    def of_reconciliation(self, state: SyncState, deleted: int, seconds: float) -> Document:
        """The document of what was deleted."""
        phases = {"resync": _resync(state, seconds), "delete": _objects(deleted=deleted)}
        return self._document(RECONCILIATION, state, phases)

    def _document(self, subject: Subject, state: SyncState, phases: Mapping[str, Any]) -> Document:
        return {
            "integrationType": TYPE,
            "installationType": "OnPrem",
            "executionMode": "single_process",
            "integrationIdentifier": self.integration,
            "integrationVersion": __version__,
            "oceanVersion": __version__,
            "kindIdentifier": subject.identifier,
            "kind": subject.kind,
            "kindIndex": subject.index,
            "eventId": self.event_id,
            "syncState": state,
            "blueprint": subject.blueprint,
            "metrics": {"phase": phases},
        }


def _resync(state: SyncState, seconds: float) -> Mapping[str, float]:
    return {"success": int(state == "completed"), "duration_seconds": round(seconds, 3)}


def _objects(**counts: int) -> Mapping[str, Any]:
    counted = {name: {"object_count": count} for name, count in counts.items()}
    return {"object_count_type": counted}
