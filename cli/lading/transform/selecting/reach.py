"""The ways through the graph of nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lading.transform.nodes import Node

Ways = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Edges:
    """Each node's `parents`, what it reads, and `children`, what reads it: by ids, in the order
    of the nodes. A test is a child of what it is declared on, too."""

    parents: Ways
    children: Ways


def edges(nodes: Mapping[str, Node]) -> Edges:
    """The edges between these nodes; what they read beyond them is left out."""
    parents = {name: _parents(node, nodes) for name, node in nodes.items()}
    children: dict[str, list[str]] = {name: [] for name in nodes}
    for name, read in parents.items():
        for parent in read:
            children[parent].append(name)
    return Edges(parents, children)


def _parents(node: Node, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    read = dict.fromkeys((*node.depends_on, node.attached_to))
    return tuple(name for name in read if name in nodes and name != node.id)


def reached(starts: Iterable[str], ways: Ways, steps: float = math.inf) -> set[str]:
    """The starts, and what is at most so many steps away. Each node is looked at once."""
    found = set(starts)
    border = found
    while border and steps > 0:
        border = {name for each in border for name in ways[each]} - found
        found |= border
        steps -= 1
    return found
