"""What is planned, on graphs that nobody thought of: each rule is worked out here a second time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.errors import Place
from lading.transform.config import Config
from lading.transform.data_test import DataTest
from lading.transform.graph import Graph
from lading.transform.making import Changed, Step, Wanted, plan
from lading.transform.model import Model
from lading.transform.ordering import needed, order
from lading.transform.standing import Landed, Standing
from lading.transform.words import SourceTable

STREAMS = ("usage", "cost")
FILE = "teams"
PATIENT = settings(deadline=None, max_examples=60)


def model(name: str, reads: Iterable[str] = (), **settings: Any) -> Model:
    """A model that reads others, and streams and files by `source.…`."""
    sources = [each.rpartition(".")[2] for each in reads if each.startswith("source.")]
    given: dict[str, Any] = {
        "name": name,
        "schema": "m",
        "file": f"models/m/{name}.sql",
        "is_resource": False,
        "config": Config("table"),
        "description": "",
        "columns": (),
        "depends_on": tuple(sorted(each for each in reads if not each.startswith("source."))),
        "sources": tuple(
            SourceTable("s", each, "files" if each == FILE else "raw") for each in sorted(sources)
        ),
        "others": (),
        "sql": f"select '{name}'",
        "incremental_sql": "",
        "digest": name,
        "volatile": "",
    }
    return Model(**{**given, **settings})


def data_test(name: str, reads: Iterable[str], attached_to: str = "", **settings: Any) -> DataTest:
    place = Place("models/m.yml")
    reads = tuple(sorted({*reads, *filter(None, [attached_to])}))
    return DataTest(name, "own", f"select {name!r}", reads, attached_to, "", place, **settings)


@dataclass
class Desk:
    """A graph with its tests, and a database that is no more than what is on record of it."""

    models: Sequence[Model]
    tests: Sequence[DataTest] = ()
    there: Standing = field(default_factory=Standing)
    runs: int = 0

    @property
    def graph(self) -> Graph:
        return Graph({each.name: each for each in self.models}, "", _no_compiler)

    @property
    def all(self) -> frozenset[str]:
        return frozenset(order(self.graph, self.tests))

    def plan(self, nodes: Iterable[str] | None = None, **ways: Any) -> tuple[Step, ...]:
        self.runs += 1
        wanted = Wanted(self.all if nodes is None else frozenset(nodes), **ways)
        return plan(self.graph, self.tests, self.there, wanted, f"run-{self.runs}")

    def carry_out(self, steps: Iterable[Step], failing: Collection[str] = ()) -> set[str]:
        """Put on record what was done; gives the nodes that failed or had to be skipped."""
        made, relations = dict(self.there.made), dict(self.there.relations)
        bad: set[str] = set()
        for step in steps:
            if step.node in failing or bad.intersection(step.needs):
                bad.add(step.node)
                continue
            if step.action == "make" and step.made is not None:
                made[step.node] = step.made
                kind = step.model.materialized if step.model is not None else "table"
                schema = "m" if step.model is not None else "files"
                name = step.node.rpartition(".")[2]
                relations[(schema, name)] = "view" if kind == "view" else "table"
            made |= {f"test.{due.test.name}": due.made for due in step.tests}
        self.there = replace(self.there, made=made, relations=relations)
        return bad

    def lands(self, stream: str) -> None:
        """Another slice lands."""
        before = self.there.streams.get(stream)
        number = int(before.version) + 1 if before else 1
        streams = {**self.there.streams, stream: Landed(f"2026-01-{number:02}", str(number))}
        self.there = replace(self.there, streams=streams)

    def rewrite(self, name: str, **changes: Any) -> None:
        """Change a model."""
        self.models = [
            replace(each, **{"digest": f"{each.digest}+", **changes}) if each.name == name else each
            for each in self.models
        ]


def _no_compiler() -> Any:
    raise AssertionError


@st.composite
def desks(draw: st.DrawFn, *, with_tests: bool = True) -> Desk:
    """Models that read earlier ones and streams, and tests on any of these."""
    count = draw(st.integers(1, 7))
    names = draw(st.permutations([f"m{number}" for number in range(count)]))
    sources = [f"source.s.{each}" for each in STREAMS]
    models = []
    for position, name in enumerate(names):
        reads = draw(st.sets(st.sampled_from([*names[:position], *sources]), max_size=3))
        kind: Literal["table", "view"] = draw(st.sampled_from(["table", "view"]))
        models.append(model(name, reads, config=Config(kind)))
    nodes = [*sources, *(each.id for each in models)]
    tests = []
    for number in range(draw(st.integers(0, 5)) if with_tests else 0):
        reads = draw(st.sets(st.sampled_from(nodes), min_size=1, max_size=3))
        attached = draw(st.sampled_from(["", *sorted(reads)]))
        severity = draw(st.sampled_from(["error", "warn"]))
        tests.append(data_test(f"t{number}", reads, attached, severity=severity))
    return Desk(models, tests)


def makes(steps: Iterable[Step]) -> set[str]:
    return {step.node for step in steps if step.action == "make"}


def runs(steps: Iterable[Step]) -> list[str]:
    return [due.test.name for step in steps for due in step.tests]


def below(desk: Desk, nodes: Iterable[str]) -> set[str]:
    """The models among the nodes, and all models that read any of them."""
    found = set(nodes)
    while True:
        more = {each.id for each in desk.models if found.intersection(_reads(each))} - found
        if not more:
            return {each for each in found if each.startswith("model.")}
        found |= more


def above(desk: Desk, nodes: Iterable[str]) -> set[str]:
    """The nodes and all that they read."""
    reads = {each.id: _reads(each) for each in desk.models}
    found: set[str] = set()
    left = list(nodes)
    while left:
        if (node := left.pop()) not in found:
            found.add(node)
            left += reads.get(node, ())
    return found


def _reads(each: Model) -> set[str]:
    return {f"model.{name}" for name in each.depends_on} | {source.id for source in each.sources}


def reached(steps: Iterable[Step], by: str) -> dict[str, set[str]]:
    """Of each step all that it waits for, or needs, by whatever way."""
    found: dict[str, set[str]] = {}
    for step in steps:
        direct = set(getattr(step, by))
        found[step.node] = direct.union(*(found.get(each, set()) for each in direct))
    return found


@PATIENT
@given(desks())
def test_all_is_made_once_in_an_empty_database_each_after_what_it_reads(desk: Desk) -> None:
    steps = desk.plan()
    nodes = [step.node for step in steps]
    assert len(nodes) == len(set(nodes))
    assert makes(steps) == {each.id for each in desk.models}
    assert sorted(runs(steps)) == sorted(each.name for each in desk.tests)
    position = {node: index for index, node in enumerate(nodes)}
    for each in desk.models:
        for read in each.depends_on:
            assert position[f"model.{read}"] < position[each.id]


@PATIENT
@given(desks())
def test_a_test_is_run_where_all_that_it_reads_is_done(desk: Desk) -> None:
    steps = desk.plan()
    there = {step.node for step in steps}
    done: set[str] = set()
    waits = reached(steps, "after")
    for step in steps:
        done.add(step.node)
        for due in step.tests:
            assert {read for read in due.test.depends_on if read in there} <= done
            others = {read for read in due.test.depends_on if read in there} - {step.node}
            assert others <= waits[step.node]


@PATIENT
@given(desks(), st.data())
def test_steps_wait_for_earlier_ones_alone_also_by_way_of_what_is_not_wanted(
    desk: Desk, data: st.DataObject
) -> None:
    nodes = data.draw(st.sets(st.sampled_from(sorted(desk.all))))
    steps = desk.plan(nodes)
    position = {step.node: index for index, step in enumerate(steps)}
    for step in steps:
        assert all(position[each] < position[step.node] for each in {*step.after, *step.needs})
    waits, needs = reached(steps, "after"), reached(steps, "needs")
    for step in steps:
        reads = (above(desk, [step.node]) - {step.node}) & position.keys()
        assert reads <= waits[step.node]
        assert reads <= needs[step.node]


@PATIENT
@given(desks(), st.data())
def test_what_is_made_is_what_changed_and_all_that_reads_it(
    desk: Desk, data: st.DataObject
) -> None:
    for stream in STREAMS:
        desk.lands(stream)
    desk.carry_out(desk.plan())
    names = sorted(each.name for each in desk.models)
    changed = data.draw(st.sets(st.sampled_from(names)))
    landed = data.draw(st.sets(st.sampled_from(STREAMS)))
    for name in changed:
        desk.rewrite(name)
    for stream in landed:
        desk.lands(stream)
    origins = {f"model.{name}" for name in changed} | {f"source.s.{each}" for each in landed}
    steps = desk.plan()
    moved = below(desk, origins) | {each for each in origins if each.startswith("source.")}
    assert makes(steps) == below(desk, origins)
    assert set(runs(steps)) == {
        each.name for each in desk.tests if moved.intersection(each.depends_on)
    }


@PATIENT
@given(desks())
def test_nothing_is_left_to_do_once_a_plan_was_carried_out(desk: Desk) -> None:
    desk.carry_out(desk.plan())
    steps = desk.plan()
    assert {step.action for step in steps} <= {"nothing"}
    assert runs(steps) == []
    assert {step.node for step in steps} == {each.id for each in desk.models}


@PATIENT
@given(desks(with_tests=False), st.data())
def test_after_a_failure_what_failed_and_what_needed_it_is_left_to_do(
    desk: Desk, data: st.DataObject
) -> None:
    failing = data.draw(st.sets(st.sampled_from([each.id for each in desk.models])))
    bad = desk.carry_out(desk.plan(), failing)
    assert bad == below(desk, failing)
    assert makes(desk.plan()) == bad


@PATIENT
@given(desks(), st.data())
def test_after_a_failure_no_test_is_taken_for_passed_that_was_not_run(
    desk: Desk, data: st.DataObject
) -> None:
    failing = data.draw(st.sets(st.sampled_from(sorted(desk.all))))
    steps = desk.plan()
    bad = desk.carry_out(steps, failing)
    left = [due.test.name for step in steps if step.node in bad for due in step.tests]
    assert set(left) <= set(runs(desk.plan()))


@PATIENT
@given(desks(with_tests=False), st.data())
def test_a_target_brings_what_it_reads_and_nothing_else(desk: Desk, data: st.DataObject) -> None:
    targets = data.draw(st.sets(st.sampled_from([each.id for each in desk.models]), min_size=1))
    nodes = needed(order(desk.graph, desk.tests), targets)
    assert nodes == above(desk, targets)
    assert makes(desk.plan(nodes)) == {each for each in nodes if each.startswith("model.")}


@PATIENT
@given(desks(), st.data())
def test_of_a_target_all_tests_can_be_run(desk: Desk, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from([each.id for each in desk.models]))
    nodes = needed(order(desk.graph, desk.tests), [target])
    assert above(desk, [target]) <= nodes
    for step in desk.plan(nodes):
        for due in step.tests:
            assert above(desk, due.test.depends_on) <= nodes


@PATIENT
@given(desks(), st.data())
def test_force_makes_all_that_is_wanted_and_nothing_else(desk: Desk, data: st.DataObject) -> None:
    desk.carry_out(desk.plan())
    nodes = data.draw(st.sets(st.sampled_from(sorted(desk.all))))
    steps = desk.plan(nodes, force=True)
    assert makes(steps) == {each for each in nodes if each.startswith("model.")}
    assert sorted(runs(desk.plan(force=True))) == sorted(each.name for each in desk.tests)


@PATIENT
@given(desks(), st.data())
def test_what_a_selection_left_out_is_made_later(desk: Desk, data: st.DataObject) -> None:
    desk.carry_out(desk.plan())
    desk.rewrite(desk.models[0].name)
    chosen = data.draw(st.sets(st.sampled_from(sorted(desk.all))))
    first = desk.plan(chosen)
    assert makes(first) <= chosen
    desk.carry_out(first)
    second = desk.plan()
    assert makes(first) | makes(second) >= below(desk, [desk.models[0].id])
    desk.carry_out(second)
    assert makes(desk.plan()) == set()


def _because(steps: Iterable[Step]) -> dict[str, tuple[str | Changed, ...]]:
    return {step.node.removeprefix("model."): step.because for step in steps if step.because}


@pytest.fixture
def chain() -> Desk:
    """Three models in a row on a stream, all of them made."""
    desk = Desk(
        [
            model("a", ["source.s.usage"], config=Config("view")),
            model("b", ["a"]),
            model("c", ["b"]),
        ]
    )
    desk.lands("usage")
    desk.carry_out(desk.plan())
    return desk


def test_each_reason_is_named(chain: Desk) -> None:
    chain.rewrite("b")
    assert _because(chain.plan()) == {"b": ("its SQL changed",), "c": ("m.b is made",)}
    chain.rewrite("c", digest="c", config=Config("view"))
    chain.lands("usage")
    chain.there = replace(chain.there, relations={("m", "a"): "view", ("m", "c"): "table"})
    assert _because(chain.plan()) == {
        "a": (Changed("raw.usage", "usage", "2026-01-01"),),
        "b": ("m.b is not there",),
        "c": ("it is a table",),
    }


def test_reasons_add_up(chain: Desk) -> None:
    chain.rewrite("b", volatile="it reads the clock", config=Config("table", contract=True))
    chain.rewrite("a")
    reasons = ("its SQL changed", "its settings changed", "m.a is made", "it reads the clock")
    assert _because(chain.plan())["b"] == reasons


def test_force_is_a_reason_only_where_there_is_no_other(chain: Desk) -> None:
    chain.rewrite("b")
    found = _because(chain.plan(force=True))
    assert found == {
        "a": ("forced",),
        "b": ("its SQL changed", "m.a is made"),
        "c": ("m.b is made",),
    }


def test_what_was_made_but_not_wanted_below_is_made_later(chain: Desk) -> None:
    chain.rewrite("a")
    chain.carry_out(chain.plan(["model.a"]))
    assert _because(chain.plan()) == {"b": (Changed("m.a"),), "c": ("m.b is made",)}


def test_a_view_is_as_new_as_what_it_reads(chain: Desk) -> None:
    chain.lands("usage")
    assert makes(chain.plan(["model.b", "model.c"])) == {"model.b", "model.c"}


def test_a_model_that_reads_the_clock_is_always_made(chain: Desk) -> None:
    chain.rewrite("b", volatile="it reads the clock")
    chain.carry_out(chain.plan())
    assert _because(chain.plan()) == {"b": ("it reads the clock",), "c": ("m.b is made",)}


INCREMENTAL = Config("incremental", time_column="day", lookback=timedelta(days=3))


@pytest.fixture
def incremental() -> Desk:
    """An incremental model on one that reads a stream, a file and another table, both made."""
    desk = Desk(
        [
            model("a", ["source.s.usage", f"source.s.{FILE}"], others=("main.budget",)),
            model("b", ["a"], config=INCREMENTAL),
        ],
        there=Standing(files={f"source.s.{FILE}": "1"}, others={"main.budget": "1"}),
    )
    desk.lands("usage")
    desk.carry_out(desk.plan())
    return desk


def _step(desk: Desk, **ways: Any) -> Step:
    (step,) = [each for each in desk.plan(**ways) if each.node == "model.b"]
    assert step.action == "make"
    return step


def _in_full(desk: Desk, **ways: Any) -> bool:
    return _step(desk, **ways).in_full


def test_new_slices_alone_leave_an_incremental_models_rows(incremental: Desk) -> None:
    incremental.lands("usage")
    assert not _in_full(incremental)
    assert _in_full(incremental, full_refresh=True)


def test_forced_it_is_made_as_ever(incremental: Desk) -> None:
    assert not _in_full(incremental, force=True)


@pytest.mark.parametrize("name", ["a", "b"])
def test_changed_sql_of_it_or_above_it_makes_it_in_full(name: str, incremental: Desk) -> None:
    incremental.rewrite(name)
    assert _in_full(incremental)


@pytest.mark.parametrize(
    "config",
    [
        replace(INCREMENTAL, lookback=timedelta(days=4)),
        replace(INCREMENTAL, time_column="month"),
        replace(INCREMENTAL, time_column=None, lookback=None, unique_key=("day",)),
    ],
)
def test_another_way_of_keeping_rows_makes_it_in_full(config: Config, incremental: Desk) -> None:
    incremental.rewrite("b", digest="b", config=config)
    assert _in_full(incremental)


def test_a_contract_does_not_touch_the_rows(incremental: Desk) -> None:
    incremental.rewrite("b", digest="b", config=replace(INCREMENTAL, contract=True))
    assert not _in_full(incremental)


def test_of_a_file_or_a_table_nobody_knows_which_rows_changed(incremental: Desk) -> None:
    before = incremental.there
    assert not _step(incremental, force=True).is_undated
    for changed in (
        replace(before, files={f"source.s.{FILE}": "2"}),
        replace(before, others={"main.budget": "2"}),
    ):
        incremental.there = changed
        step = _step(incremental)
        assert (step.in_full, step.is_undated) == (False, True)
        incremental.carry_out(incremental.plan())
        assert not _step(incremental, force=True).is_undated


def test_a_file_is_loaded_when_it_or_its_table_is_another() -> None:
    node = f"source.s.{FILE}"
    desk = Desk([model("a", [node])], there=Standing(files={node: "1"}))
    assert _because(desk.plan())[node] == ("it is new",)
    desk.carry_out(desk.plan())
    assert desk.plan(full_refresh=True)[0].action == "nothing"
    desk.there = replace(desk.there, files={node: "2"})
    assert _because(desk.plan()) == {node: ("the file changed",), "a": (f"files.{FILE} is made",)}
    desk.carry_out(desk.plan())
    desk.there = replace(desk.there, relations={("m", "a"): "table"})
    assert _because(desk.plan())[node] == (f"files.{FILE} is not there",)


def test_tests_alone_may_be_due(chain: Desk) -> None:
    chain.tests = [data_test("t", [], "model.b"), data_test("of_stream", ["source.s.usage"])]
    steps = chain.plan()
    assert makes(steps) == set()
    assert runs(steps) == ["of_stream", "t"]
    chain.carry_out(steps)
    assert runs(chain.plan()) == []
    chain.tests = [replace(chain.tests[0], error_if="> 5"), chain.tests[1]]
    assert runs(chain.plan()) == ["t"]


def test_two_tests_in_a_circle_are_each_run_at_the_later_node() -> None:
    tests = [data_test("up", ["model.b"], "model.a"), data_test("down", ["model.a"], "model.b")]
    desk = Desk([model("a"), model("b", ["a"])], tests)
    steps = {step.node: runs([step]) for step in desk.plan()}
    assert steps == {"model.a": [], "model.b": ["up", "down"]}


def test_what_a_gate_reads_must_not_have_failed_and_what_a_warning_reads_may() -> None:
    models = [model("a"), model("b"), model("c")]
    tests = [
        data_test("gate", ["model.b"], "model.a"),
        data_test("warning", ["model.b"], "model.c", severity="warn"),
    ]
    steps = {step.node: step for step in Desk(models, tests).plan()}
    assert (steps["model.a"].needs, steps["model.a"].after) == (("model.b",), ("model.b",))
    assert (steps["model.c"].needs, steps["model.c"].after) == ((), ("model.b",))


def test_a_test_that_reads_no_node_goes_along_with_whatever_is_done(chain: Desk) -> None:
    chain.tests = [data_test("t", [])]
    steps = chain.plan()
    assert [(step.node, step.action) for step in steps[-1:]] == [("test.t", "test")]
    chain.carry_out(steps)
    assert runs(chain.plan()) == []
    chain.lands("usage")
    last = chain.plan()[-1]
    assert runs([last]) == ["t"]
    assert set(last.after) == {"model.a", "model.b", "model.c"}
    assert runs(chain.plan(["model.a"])) == []
    assert runs(chain.plan(["model.a"], tests=frozenset({"test.t"}))) == ["t"]


def test_chosen_tests_are_run_and_no_others(chain: Desk) -> None:
    chain.tests = [data_test(f"t_{each}", [], f"model.{each}") for each in "abc"]
    steps = chain.plan(["model.b"], tests=frozenset({"test.t_b", "test.t_c"}))
    assert runs(steps) == ["t_b", "t_c"]


def test_resource_models_have_no_step() -> None:
    desk = Desk([model("a"), model("kind", ["a"], schema="resources", is_resource=True)])
    assert [step.node for step in desk.plan()] == ["model.a"]
