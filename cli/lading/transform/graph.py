"""The graph: every model, what it reads, and the order that they can be made in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING

from lading.errors import Place, Problem
from lading.transform.files import model_files
from lading.transform.kept import KeptModels
from lading.transform.model import Model
from lading.transform.properties import read_properties

if TYPE_CHECKING:
    from lading.project.cache import Cache
    from lading.project.model import Project
    from lading.transform.compiling import Compiler


@dataclass(frozen=True)
class Graph:
    """All models by name; each comes after those that it reads."""

    models: Mapping[str, Model]
    run_started_at: str
    make_compiler: Callable[[], Compiler] = field(repr=False, compare=False)

    @cached_property
    def compiler(self) -> Compiler:
        """What compiled them, or would have."""
        return self.make_compiler()

    def locate(self, name: str, offset: int) -> tuple[Place, str | None]:
        """Where the character at `offset` of a model's SQL was written, and a hint when it
        comes out of a macro."""
        return self.compiler.renderer.origin(self.compiler.wish(name), offset)

    def streams(self, name: str) -> frozenset[str]:
        """The streams that a model's content comes from, by whatever way."""
        return frozenset(
            source.stream
            for each in self.ancestors([name])
            for source in self.models[each].sources
            if not source.is_file
        )

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """These models and all that they read, by whatever way."""
        return _reached(names, {name: model.depends_on for name, model in self.models.items()})


def load_graph(
    project: Project, run_started_at: datetime, cache: Cache | None = None
) -> tuple[Graph, tuple[Problem, ...]]:
    """Compile all models of a project; with it, everything that is wrong with any of them.

    `run_started_at` is aware. Models with an error, in a cycle, or reading one of these, are
    not in the graph. What `cache` has of a model without a finding is not compiled again.
    """
    moment = utc_text(run_started_at)
    files, problems = model_files(project)
    properties, more = read_properties(project, files)
    found = [*problems, *more]

    @lru_cache
    def make_compiler() -> Compiler:
        from lading.transform.compiling import Compiler

        return Compiler(project, files, properties, moment)

    kept = KeptModels(cache, project, files, moment)
    if not kept.macros_are_fine:
        found += make_compiler().renderer.problems
        kept.note_macros(make_compiler().renderer.problems)
    models: dict[str, Model] = {}
    for name in files:
        model = kept.get(name)
        if model is None:
            model, more = make_compiler().compile(name)
            found.extend(more)
            if model is not None and not more:
                kept.put(model)
        if model is not None:
            models[name] = model
    order, cycles = _ordered({name: model.depends_on for name, model in models.items()})
    found.extend(_cycle(make_compiler(), cycle) for cycle in cycles)
    ordered = MappingProxyType({name: models[name] for name in order})
    return Graph(ordered, moment, make_compiler), tuple(sorted(dict.fromkeys(found), key=_by_place))


def utc_text(moment: datetime) -> str:
    """A moment as models get it: `YYYY-MM-DDTHH:MM:SSZ`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _reached(names: Iterable[str], ways: Mapping[str, Iterable[str]]) -> frozenset[str]:
    found = set(names)
    waiting = list(found)
    while waiting:
        new = set(ways[waiting.pop()]) - found
        found |= new
        waiting.extend(new)
    return frozenset(found)


def _ordered(edges: Mapping[str, Iterable[str]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """The models that can be made, each after what it reads, by name where there is a choice;
    and the cycles, each beginning with its first name in the alphabet."""
    left = {name: set(reads) for name, reads in edges.items()}
    cycles: list[tuple[str, ...]] = []
    while True:
        left = _without_dead_ends(left)
        sorter = TopologicalSorter({name: sorted(reads) for name, reads in left.items()})
        try:
            sorter.prepare()
        except CycleError as error:
            # graphlib goes from what is read to its reader; people think the other way.
            cycle = _from_first(tuple(reversed(error.args[1][1:])))
            cycles.append(cycle)
            left = {name: reads for name, reads in left.items() if name not in cycle}
        else:
            return list(_sorted_names(sorter)), cycles


def _without_dead_ends(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The models all of whose ancestors are there."""
    left = dict(edges)
    while dead := [name for name, reads in left.items() if not reads <= left.keys()]:
        for name in dead:
            del left[name]
    return left


def _sorted_names(sorter: TopologicalSorter[str]) -> Iterable[str]:
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield from ready
        sorter.done(*ready)


def _from_first(cycle: tuple[str, ...]) -> tuple[str, ...]:
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def _cycle(compiler: Compiler, cycle: tuple[str, ...]) -> Problem:
    first, second = cycle[0], cycle[1] if len(cycle) > 1 else cycle[0]
    way = " -> ".join((*cycle, first))
    place = compiler.place(first, second)
    return Problem(f"models read each other in a circle: {way}", place, "take one of the refs out")


def _by_place(problem: Problem) -> tuple[str, int]:
    place = problem.place or Place("")
    return place.file, place.line or 0
