"""What has to be made, and why: a plan out of the graph and of what stands in the database.

Pure: the same graph, tests and standing give the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lading.transform.digests import digest
from lading.transform.ordering import anchored, nearest, order, reads_of
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
    """What is to be done for one node: `model` is None for a stream, a file, or a test that reads
    no node.

    `because` are reasons in words and inputs that changed; `tests` are run before a model takes
    the place of the one that is there, and come with the versions of what they read. What goes on
    record with it is in `made`; `in_full` says that no row of an incremental model may stay, and
    `is_undated` that something it comes from changed of which nobody knows since when.
    `after` are the steps that must be over before it, `needs` those that must not have failed.
    """

    node: str
    action: Action
    model: Model | None = None
    because: tuple[str | Changed, ...] = ()
    tests: tuple[DueTest, ...] = ()
    made: Made | None = None
    in_full: bool = True
    is_undated: bool = False
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


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

    def step(self, node: str, tests: tuple[DataTest, ...]) -> Step:
        """What is to be done for a node; the nodes that it waits for have been asked for."""
        if node.startswith("model."):
            model = self._graph.models[node.removeprefix("model.")]
            return self._model(model, tests)
        if node in self._standing.files:
            return self._file(node, tests)
        self.versions[node] = self._stream(node).version
        due = self._due(node, tests)
        return Step(node, "test" if due else "nothing", tests=due)

    def of_no_node(
        self, tests: Sequence[DataTest], *, are_wanted: bool, is_due: bool
    ) -> list[Step]:
        """Tests whose SQL names nothing that is known: they go along with whatever is done."""
        chosen = self._wanted.tests
        steps = []
        for test in tests:
            node = f"test.{test.name}"
            made = Made(test_digest(test), "", "", {}, {}, "", "ok")
            before = self._standing.made.get(node)
            if not (node in chosen if chosen is not None else are_wanted):
                continue
            if is_due or self._wanted.force or before is None or before.digest != made.digest:
                steps.append(Step(node, "test", tests=(DueTest(test, made),)))
        return steps

    def _model(self, model: Model, tests: tuple[DataTest, ...]) -> Step:
        node = model.id
        inputs = self._inputs(model)
        logic = self._logic[node] = self._logic_of(model)
        landed = self._landed(model)
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
            Made(model.digest, settings_of(model), logic, inputs, landed, version, "ok"),
            before is None or before.logic != logic or self._wanted.full_refresh,
            before is not None and _undated(before.landed) != _undated(landed),
        )

    def _logic_of(self, model: Model) -> str:
        """A name for a model's query, those of all that it comes from, and how they keep rows."""
        config = model.config
        return digest(
            model.digest,
            (config.unique_key, config.time_column, config.lookback),
            [self._logic[f"model.{each}"] for each in model.depends_on],
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
        """Up to when the streams have landed that a model comes from by whatever way; and of
        what comes in no slices, files and further tables, the versions, by names with a dot."""
        found: dict[str, str] = {}
        for each in self._graph.ancestors([model.name]):
            one = self._graph.models[each]
            for source in one.sources:
                if source.is_file:
                    found[source.id] = self._standing.files.get(source.id, "")
                else:
                    streams = self._standing.streams
                    found[source.stream] = streams.get(source.stream, Landed("", "")).latest
            found |= {other: self._standing.others.get(other, "") for other in one.others}
        return dict(sorted(found.items()))


def _undated(landed: Mapping[str, str]) -> dict[str, str]:
    return {name: version for name, version in landed.items() if "." in name}


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
    steps = [planning.step(node, at.get(node, ())) for node in order_of]
    steps = [
        each
        for each in steps
        if each.tests or (each.made is not None and each.node in wanted.nodes)
    ]
    steps += planning.of_no_node(
        at.get("", ()),
        are_wanted=wanted.nodes >= order_of.keys(),
        is_due=any(each.action != "nothing" for each in steps),
    )
    return tuple(_linked(steps, order_of, reads_of(graph)))


def _linked(
    steps: Sequence[Step],
    order_of: Mapping[str, tuple[str, ...]],
    reads: Mapping[str, frozenset[str]],
) -> Iterator[Step]:
    """The steps with those that each waits for, and those that it needs: also by way of nodes
    for which there is nothing to do."""
    there = {step.node for step in steps}
    waits: dict[str, frozenset[str]] = {}
    needs: dict[str, frozenset[str]] = {}
    for node, before in order_of.items():
        waits[node] = nearest(before, waits, there)
        needs[node] = nearest(reads.get(node, ()), needs, there)
    for step in steps:
        gates = {
            read
            for due in step.tests
            if due.test.severity == "error"
            for read in due.test.depends_on
            if read != step.node
        }
        after = waits.get(step.node, there - {step.node} if step.node not in order_of else ())
        needed_by = needs.get(step.node, frozenset()) | nearest(gates, needs, there)
        yield replace(step, needs=tuple(sorted(needed_by)), after=tuple(sorted(after)))
