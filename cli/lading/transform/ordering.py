"""In which order nodes are made and tests are run, and which of them wait for which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.transform.data_test import DataTest
    from lading.transform.graph import Graph


def order(graph: Graph, tests: Sequence[DataTest]) -> Mapping[str, tuple[str, ...]]:
    """Each node that is made or loaded, after what it waits for: what it reads, and what its tests
    read beside it, as far as that leads to no circle. Where a test is run waits for all that the
    test reads."""
    waits: dict[str, set[str]] = {node: set(reads) for node, reads in reads_of(graph).items()}
    for each in (source for reads in list(waits.values()) for source in reads):
        waits.setdefault(each, set())
    for test in tests:
        for read in test.depends_on:
            waits.setdefault(read, set())
    for test in tests:
        for read in test.depends_on if test.attached_to in waits else ():
            if read != test.attached_to and test.attached_to not in _reached(waits, read):
                waits[test.attached_to].add(read)
    # From a later one to earlier ones, which can't close a circle.
    for node, those in anchored(_sorted(waits), tests).items():
        if node:
            waits[node].update(read for test in those for read in test.depends_on)
            waits[node].discard(node)
    return _sorted(waits)


def reads_of(graph: Graph) -> Mapping[str, frozenset[str]]:
    """What each model that is made reads itself, by their ids."""
    return {
        model.id: frozenset(
            {*(f"model.{each}" for each in model.depends_on), *(each.id for each in model.sources)}
        )
        for model in graph.models.values()
        if not model.is_resource
    }


def _sorted(waits: Mapping[str, set[str]]) -> Mapping[str, tuple[str, ...]]:
    sorter = TopologicalSorter({node: sorted(reads) for node, reads in sorted(waits.items())})
    return {node: tuple(sorted(waits[node])) for node in sorter.static_order()}


def _reached(waits: Mapping[str, Iterable[str]], node: str) -> set[str]:
    found = {node}
    left = [node]
    while left:
        new = set(waits.get(left.pop(), ())) - found
        found |= new
        left.extend(new)
    return found


def needed(order_of: Mapping[str, tuple[str, ...]], targets: Iterable[str]) -> frozenset[str]:
    """The targets and all that they wait for."""
    found: set[str] = set()
    for target in targets:
        found |= _reached(order_of, target)
    return frozenset(found)


def anchored(
    order_of: Mapping[str, tuple[str, ...]], tests: Sequence[DataTest]
) -> Mapping[str, tuple[DataTest, ...]]:
    """The tests by the node where they are run: the last of those that they read, '' for those
    that read none."""
    position = {node: index for index, node in enumerate(order_of)}
    found: dict[str, list[DataTest]] = {}
    for test in tests:
        last = max(test.depends_on, key=lambda node: position[node], default="")
        found.setdefault(last, []).append(test)
    return {node: tuple(those) for node, those in found.items()}


def nearest(
    nodes: Iterable[str], further: Mapping[str, frozenset[str]], there: set[str]
) -> frozenset[str]:
    """Of each node itself, if it is there, or else what stands for it."""
    found = [frozenset({node}) if node in there else further[node] for node in nodes]
    return frozenset().union(*found)
