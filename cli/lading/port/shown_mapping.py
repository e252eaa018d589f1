"""The mapping that Port is shown: that of all files in one, in Port's own format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.project.documents import Document

# What Port's format does not have.
OURS = frozenset({"retention", "sendRawDataExamples"})
OURS_OF_RESOURCES = frozenset({"name", "onDuplicate", "retention"})
# What a mapping says that says nothing. Each is always written out: Port shows them so.
DEFAULTS: Mapping[str, Any] = {
    "deleteDependentEntities": True,
    "createMissingRelatedEntities": True,
    "enableMergeEntity": True,
    "entityDeletionThreshold": 0.9,
}


def shown_mapping(documents: Iterable[Document]) -> Mapping[str, Any]:
    """The resources of all mapping files in their order, and their settings; of files that
    contradict each other in one, the last counts."""
    found: dict[str, Any] = {**DEFAULTS, "resources": []}
    for document in documents:
        found |= {
            key: value
            for key, value in document.data.items()
            if key not in OURS and key != "resources"
        }
        found["resources"] += [_resource(each) for each in document.data.get("resources") or ()]
    return found


def _resource(written: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in written.items() if key not in OURS_OF_RESOURCES}


def wants_examples(documents: Iterable[Document]) -> bool:
    """Whether rows may be shown: unless any file says that they may not."""
    return all(document.data.get("sendRawDataExamples", True) for document in documents)
