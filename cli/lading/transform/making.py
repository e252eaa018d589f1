"""What has to be made, and why: a plan out of the graph and of what stands in the database.

Pure: the same graph, tests and standing give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Literal

from lading.transform.digests import digest
from lading.transform.standing import Landed, Made, Standing
from lading.transform.words import FILES

if TYPE_CHECKING:
    from lading.transform.data_test import DataTest
    from lading.transform.graph import Graph
    from lading.transform.model import Model

# A model is made and tested, a file loaded and tested; of what is there, tests alone may be due.
Action = Literal["make", "test", "nothing"]


@dataclass(frozen=True, slots=True)
class Changed:
    """An input of which another version is there than the node was made of: a stream's slices
    since a moment can be counted."""

    name: str
    stream: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class DueTest:
    """A test, and what goes on record when it passes."""

    test: DataTest
    made: Made


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one node: `model` is None for a stream or a file.

    `because` are reasons in words and inputs that changed; `tests` are run before a model takes
    the place of the one that is there, and come with the versions of what they read. What goes on
    record with it is in `made`; `in_full` says that no row of an incremental model may stay.
    """

    node: str
    action: Action
    model: Model | None = None
    because: tuple[str | Changed, ...] = ()
    tests: tuple[DueTest, ...] = ()
    made: Made | None = None
    in_full: bool = True
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which nodes are to be made, and which tests run (None: all of those nodes); whether also
    those that are up to date (`force`), and incremental ones with all of their rows
    (`full_refresh`)."""

    nodes: frozenset[str]
    tests: frozenset[str] | None = None
    force: bool = False
    full_refresh: bool = False


def settings_of(model: Model) -> str:
    """A name for all settings that change what stands in the database."""
    config = model.config
    return digest(
        model.relation,
        model.materialized,
        config.unique_key,
        config.time_column,
        config.lookback,
        [(each.name, each.data_type) for each in model.columns] if config.contract else None,
    )


def test_digest(test: DataTest) -> str:
    """A name for all that decides how a test ends."""
    decides = (test.severity, test.warn_if, test.error_if, test.limit, test.store_failures)
    return digest(test.sql, *decides)


def order(graph: Graph, tests: Sequence[DataTest]) -> Mapping[str, tuple[str, ...]]:
    """Each node that is made or loaded, after what it waits for: what it reads, and what its tests
    read beside it, as far as that leads to no circle."""
    waits: dict[str, set[str]] = {
        model.id: {f"model.{each}" for each in model.depends_on} | {s.id for s in model.sources}
        for model in graph.models.values()
        if not model.is_resource
    }
    for each in (source for reads in list(waits.values()) for source in reads):
        waits.setdefault(each, set())
    for test in tests:
        for read in test.depends_on:
            waits.setdefault(read, set())
    for test in tests:
        # One that no model is named for waits for all that it reads, and keeps nothing waiting.
        for read in test.depends_on if test.attached_to in waits else ():
            if read != test.attached_to and test.attached_to not in _reached(waits, read):
                waits[test.attached_to].add(read)
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
    """The tests by the node where they are run: the last of those that they read."""
    position = {node: index for index, node in enumerate(order_of)}
    found: dict[str, list[DataTest]] = {}
    for test in tests:
        last = max(test.depends_on, key=lambda node: position[node], default="")
        found.setdefault(last, []).append(test)
    return {node: tuple(those) for node, those in found.items()}


class _Planning:
    """A plan as it grows, node by node."""

    def __init__(self, graph: Graph, standing: Standing, wanted: Wanted, run_id: str) -> None:
        self._graph = graph
        self._standing = standing
        self._wanted = wanted
        self._run_id = run_id
        self.versions: dict[str, str] = {}
        self._fresh: set[str] = set()
        self._logic: dict[str, str] = {}

    def step(self, node: str, waits: tuple[str, ...], tests: tuple[DataTest, ...]) -> Step:
        """What is to be done for a node; the nodes that it waits for have been asked for."""
        if node.startswith("model."):
            model = self._graph.models[node.removeprefix("model.")]
            return self._model(model, waits, tests)
        if node in self._standing.files:
            return self._file(node, tests)
        self.versions[node] = self._stream(node).version
        due = self._due(node, tests)
        return Step(node, "test" if due else "nothing", tests=due)

    def _model(self, model: Model, waits: tuple[str, ...], tests: tuple[DataTest, ...]) -> Step:
        node = model.id
        inputs = self._inputs(model)
        logic = digest(model.digest, [self._logic[f"model.{each}"] for each in model.depends_on])
        self._logic[node] = logic
        before = self._standing.made.get(node)
        reasons = self._reasons(model, inputs) if node in self._wanted.nodes else ()
        version = self._settle(node, before, is_made=bool(reasons))
        if model.materialized == "view":
            # What a view shows is as new as what it reads.
            self.versions[node] = digest(version, sorted(inputs.items()))
        due = self._due(node, tests, is_made=bool(reasons))
        return Step(
            node,
            "make" if reasons else "test" if due else "nothing",
            model,
            reasons,
            due,
            Made(
                model.digest, settings_of(model), logic, inputs, self._landed(model), version, "ok"
            ),
            before is None or before.logic != logic or self._wanted.full_refresh,
            waits,
        )

    def _file(self, node: str, tests: tuple[DataTest, ...]) -> Step:
        now = self._standing.files[node]
        before = self._standing.made.get(node)
        name = node.rpartition(".")[2]
        reasons: tuple[str, ...] = ()
        if node in self._wanted.nodes:
            if before is None:
                reasons = ("it is new",)
            elif (FILES, name.lower()) not in self._standing.relations:
                reasons = (f"{FILES}.{name} is not there",)
            elif before.digest != now:
                reasons = ("the file changed",)
            elif self._wanted.force:
                reasons = ("forced",)
        version = self._settle(node, before, is_made=bool(reasons))
        due = self._due(node, tests, is_made=bool(reasons))
        action: Action = "make" if reasons else "test" if due else "nothing"
        return Step(node, action, None, reasons, due, Made(now, "", "", {}, {}, version, "ok"))

    def _settle(self, node: str, before: Made | None, *, is_made: bool) -> str:
        """The version that a node has after its step."""
        if is_made:
            self._fresh.add(node)
            version = digest(self._run_id, node)
        else:
            version = before.version if before is not None else ""
        self.versions[node] = version
        return version

    def _due(
        self, node: str, tests: tuple[DataTest, ...], *, is_made: bool = False
    ) -> tuple[DueTest, ...]:
        """All tests of what is made; of what is there, those that were not passed as they are, on
        what they read."""
        wanted = self._wanted.nodes
        due = []
        for test in tests:
            chosen = self._wanted.tests
            if f"test.{test.name}" not in chosen if chosen is not None else node not in wanted:
                continue
            inputs = {read: self.versions.get(read, "") for read in test.depends_on}
            made = Made(test_digest(test), "", "", inputs, {}, "", "ok")
            before = self._standing.made.get(f"test.{test.name}")
            passed = before is not None and (before.digest, before.inputs) == (made.digest, inputs)
            if is_made or self._wanted.force or not passed:
                due.append(DueTest(test, made))
        return tuple(due)

    def _inputs(self, model: Model) -> dict[str, str]:
        inputs = {f"model.{each}": self.versions[f"model.{each}"] for each in model.depends_on}
        inputs |= {source.id: self.versions[source.id] for source in model.sources}
        inputs |= {name: self._standing.others.get(name, "") for name in model.others}
        return inputs

    def _reasons(self, model: Model, inputs: Mapping[str, str]) -> tuple[str | Changed, ...]:
        made = self._standing.made.get(model.id)
        kind = "view" if model.materialized == "view" else "table"
        there = self._standing.relations.get((model.schema.lower(), model.name.lower()))
        if made is None:
            return ("it is new",)
        if there != kind:
            return (f"it is a {there}" if there else f"{model.relation} is not there",)
        found: list[str | Changed] = []
        if made.digest != model.digest:
            found.append("its SQL changed")
        if made.settings != settings_of(model):
            found.append("its settings changed")
        found += [f"{self._label(each)} is made" for each in inputs if each in self._fresh]
        found += [
            self._changed(each, made)
            for each in inputs
            if each not in self._fresh and made.inputs.get(each) != inputs[each]
        ]
        if model.volatile:
            found.append(model.volatile)
        if not found and (self._wanted.force or self._refreshes(model)):
            found.append("forced" if self._wanted.force else "it is wanted in full")
        return tuple(found)

    def _refreshes(self, model: Model) -> bool:
        return self._wanted.full_refresh and model.config.is_incremental

    def _changed(self, each: str, made: Made) -> Changed:
        if each.startswith("source.") and each not in self._standing.files:
            stream = each.rpartition(".")[2]
            return Changed(f"raw.{stream}", stream, made.landed.get(stream, ""))
        return Changed(self._label(each))

    def _label(self, node: str) -> str:
        """A node as people know it: the name of its relation."""
        kind, _, name = node.partition(".")
        if kind == "model":
            return self._graph.models[name].relation
        return f"{FILES}.{name.rpartition('.')[2]}" if kind == "source" else node

    def _stream(self, node: str) -> Landed:
        return self._standing.streams.get(node.rpartition(".")[2], Landed("", "nothing"))

    def _landed(self, model: Model) -> dict[str, str]:
        streams = sorted(self._graph.streams(model.name))
        return {each: self._standing.streams.get(each, Landed("", "")).latest for each in streams}


def plan(
    graph: Graph,
    tests: Sequence[DataTest],
    standing: Standing,
    wanted: Wanted,
    run_id: str,
) -> tuple[Step, ...]:
    """A step for each wanted model and file, and for each node that a test is due at; each after
    those that it waits for."""
    order_of = order(graph, tests)
    at = anchored(order_of, tests)
    planning = _Planning(graph, standing, wanted, run_id)
    steps = [planning.step(node, waits, at.get(node, ())) for node, waits in order_of.items()]
    return tuple(
        each
        for each in steps
        if each.tests or (each.made is not None and each.node in wanted.nodes)
    )
