"""What a project is made of, as selection, lists, the manifest and the runner speak of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ResourceType = Literal["source", "model", "test", "unit_test", "mapping", "mapping_test"]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph.

    Attributes:
        id: the resource type, a dot and the name; a source's name is `source.stream`.
        file: where it is declared, relative to the project.
        depends_on: the ids of what it reads, sorted.
        checksum: of what it is; another one means that it was modified.
        kinds: a mapping's kind; a resource model's kind and its aliases.
        test_type: generic, singular, unit or mapping, of tests; else ''.
        materialized: of models; else ''.
        attached_to: the id of the node that a test is declared on; else ''.
    """

    id: str
    name: str
    resource_type: ResourceType
    file: str
    depends_on: tuple[str, ...]
    checksum: str
    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    test_type: str = ""
    materialized: str = ""
    attached_to: str = ""
    description: str = ""
