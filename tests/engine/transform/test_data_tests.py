"""The files of data_test_cases/: models, their tests, and how these go. A new case needs no Python.

A case has the SQL of the `model` m, as it needs that of other `models`, both of the folder marts,
`data_tests` and `columns` of m, `files` by their names, `variables`, and statements that make
`tables`. What it expects is any of: `problems`, all of them, as a person reads them; and by the
tests' names: `results`, the outcomes of all tests, and after it the sample; `message` of the only
one or `messages`, `places` and `hints` of some; `reads`, what some depend on; `known`, other things
that are known of some.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.engine.building import build

from lading.transform import test_runs
from lading.transform.data_test import DataTest
from lading.transform.data_tests import compile_tests, location
from lading.transform.graph import Graph, load_graph
from lading.transform.statements import positions_in_errors, read_statement

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb
    from tests.engine.transform.conftest import MakeProject

CASES = Path(__file__).parent / "data_test_cases"
KEYS = {
    "title", "model", "models", "data_tests", "columns", "files", "variables", "tables",
    "problems", "results", "message", "messages", "places", "hints", "reads", "known",
}  # fmt: skip

Results = dict[str, test_runs.TestResult]


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['title']}")
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load_all(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_case(
    case: dict[str, Any], project: MakeProject, now: datetime, database: duckdb.DuckDBPyConnection
) -> None:
    assert case.keys() <= KEYS
    read = project(files(case), case.get("variables"))
    graph, unexpected = load_graph(read, now)
    tests, problems = compile_tests(read, graph)

    assert [str(each) for each in (*unexpected, *problems)] == case.get("problems", [])
    if "results" in case:
        check_compiled(tests, case)
        check_results(run(graph, tests, database, case), case)


def files(case: dict[str, Any]) -> dict[str, str]:
    models = {"m": case.get("model", "select 1 as id"), **case.get("models", {})}
    entry: dict[str, Any] = {"name": "m"}
    entry |= {key: case[key] for key in ("data_tests", "columns") if key in case}
    return {
        **{f"models/marts/{name}.sql": sql for name, sql in models.items()},
        "models/marts/m.yml": yaml.safe_dump(
            {"models": [entry]}, allow_unicode=True, sort_keys=False
        ),
        **case.get("files", {}),
    }


def run(
    graph: Graph,
    tests: tuple[DataTest, ...],
    database: duckdb.DuckDBPyConnection,
    case: dict[str, Any],
) -> Results:
    for statement in case.get("tables", []):
        database.execute(statement)
    made = build(graph, database)
    assert {each.status for each in made} == {"ok"}
    with positions_in_errors(database):
        return {
            test.name: test_runs.run_test(
                database, test, partial(location, graph.compiler.renderer)
            )
            for test in tests
        }


def check_compiled(tests: tuple[DataTest, ...], case: dict[str, Any]) -> None:
    by_name = {test.name: test for test in tests}
    for test in tests:
        assert read_statement(test.sql).faults == ()
    for name, read in case.get("reads", {}).items():
        assert list(by_name[name].depends_on) == read
    for name, known in case.get("known", {}).items():
        assert {key: plain(getattr(by_name[name], key)) for key in known} == known


def check_results(results: Results, case: dict[str, Any]) -> None:
    assert {name: each.outcome for name, each in results.items()} == {
        name: expected[0] for name, expected in case["results"].items()
    }
    for name, (_, *sample) in case["results"].items():
        if sample:
            assert [[*row] for row in results[name].sample] == sample[0]
    for name, message in case.get("messages", {}).items():
        assert results[name].message == message
    for name, place in case.get("places", {}).items():
        assert str(results[name].place) == place
    for name, hint in case.get("hints", {}).items():
        assert results[name].hint == hint
    if "message" in case:
        (result,) = results.values()
        assert case["message"] in result.message


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
