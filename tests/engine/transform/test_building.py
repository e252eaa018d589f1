"""Tests and contracts as gates, and several nodes at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.engine.building import build

from lading.transform.build import NodeResult
from lading.transform.data_tests import compile_tests
from lading.transform.graph import load_graph

if TYPE_CHECKING:
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from tests.engine.transform.conftest import MakeProject

TABLE = "{{ config(materialized='table') }} "


class Site:
    """A project of models with tests, and its database."""

    def __init__(self, project: MakeProject, database: DuckDBPyConnection, now: datetime) -> None:
        self._project = project
        self._now = now
        self.database = database
        self.files: dict[str, str] = {}

    def build(
        self, files: Mapping[str, str] | None = None, /, **ways: Any
    ) -> dict[str, NodeResult]:
        """Build with these files beside those that are there; results by the nodes' names."""
        self.files |= files or {}
        read = self._project(self.files)
        graph, problems = load_graph(read, self._now)
        tests, more = compile_tests(read, graph)
        assert [str(each) for each in (*problems, *more)] == []
        results = build(graph, self.database, tests=tests, **ways)
        return {each.node.partition(".")[2]: each for each in results}

    def rows(self, sql: str) -> list[Any]:
        return self.database.execute(f"{sql} ORDER BY ALL").fetchall()

    def made(self, relation: str) -> int:
        """The one number that a relation of one row shows."""
        return int(self.rows(f"SELECT x FROM {relation}")[0][0])

    def on_record(self, node: str) -> list[Any]:
        """What is on record of a node, but for when."""
        return self.rows(
            f"SELECT digest, inputs::VARCHAR, version, rows FROM lading.nodes WHERE node = '{node}'"
        )


@pytest.fixture
def site(project: MakeProject, database: DuckDBPyConnection, now: datetime) -> Site:
    return Site(project, database, now)


def statuses(results: Mapping[str, NodeResult]) -> dict[str, str]:
    return {name: each.status for name, each in results.items()}


def outcomes(result: NodeResult) -> dict[str, str]:
    return {each.test.name: each.outcome for each in result.tests}


def columns(*tests: str, model: str = "a") -> str:
    """Properties of a model with these tests on its column x."""
    return f"models: [{{name: {model}, columns: [{{name: x, data_tests: [{', '.join(tests)}]}}]}}]"


ONE = "{accepted_values: {values: [1]}}"
CHAIN = {
    "models/m/a.sql": f"{TABLE}select 1 as x",
    "models/m/b.sql": f"{TABLE}select x * 10 as x from {{{{ ref('a') }}}}",
    "models/m/c.sql": "select x from {{ ref('b') }}",
    "models/m/free.sql": "select 5 as x",
    "models/m/a.yml": columns(ONE),
}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_failing_test_leaves_the_last_good_one_and_what_is_on_record(
    kind: str, jobs: int, site: Site
) -> None:
    def a(x: int) -> dict[str, str]:
        return {"models/m/a.sql": f"{{{{ config(materialized='{kind}') }}}} select {x} as x"}

    site.build({**CHAIN, **a(1)})
    before = {node: site.on_record(node) for node in ("model.a", "test.accepted_values_a_x")}
    results = site.build(a(2), jobs=jobs)
    assert statuses(results) == {"a": "fail", "b": "skipped", "c": "skipped", "free": "up to date"}
    assert outcomes(results["a"]) == {"accepted_values_a_x": "fail"}
    assert results["a"].message == "accepted_values_a_x failed"
    assert results["a"].rows is None
    assert (results["b"].message, results["c"].message) == ("'a' failed", "'b' was skipped")
    assert (site.made("m.a"), site.made("m.c")) == (1, 10)
    assert {node: site.on_record(node) for node in before} == before
    assert before["model.a"]
    again = site.build(jobs=jobs)
    assert statuses(again) == statuses(results)
    assert statuses(site.build(a(1), jobs=jobs)) == dict.fromkeys(
        ["a", "b", "c", "free"], "up to date"
    )


def test_what_failed_at_first_is_not_there(site: Site) -> None:
    results = site.build({**CHAIN, "models/m/a.sql": f"{TABLE}select 2 as x"})
    assert statuses(results) == {"a": "fail", "b": "skipped", "c": "skipped", "free": "ok"}
    assert site.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'm'"
    ) == [("free",)]


def test_a_test_sees_the_new_rows_and_what_passes_goes_on(site: Site) -> None:
    site.build(CHAIN)
    results = site.build(
        {
            "models/m/a.sql": f"{TABLE}select 2 as x",
            "models/m/a.yml": columns(ONE.replace("1", "2")),
        }
    )
    assert statuses(results) == {"a": "ok", "b": "ok", "c": "ok", "free": "up to date"}
    assert site.made("m.c") == 20


def test_a_warning_lets_a_model_pass_and_is_said_once(site: Site) -> None:
    warning = "{accepted_values: {values: [9], config: {severity: warn}}}"
    results = site.build({**CHAIN, "models/m/a.yml": columns(warning)})
    assert statuses(results) == dict.fromkeys(["a", "b", "c", "free"], "ok")
    assert outcomes(results["a"]) == {"accepted_values_a_x": "warn"}
    assert all(each.step.tests == () for each in site.build().values())


def test_all_tests_of_a_model_are_run_though_one_failed(site: Site) -> None:
    tests = columns(
        "not_null",
        "{accepted_values: {values: [2]}}",
        "unique",
        "{expression: {expression: '> 1'}}",
    )
    results = site.build({**CHAIN, "models/m/a.yml": tests})
    assert outcomes(results["a"]) == {
        "not_null_a_x": "pass",
        "accepted_values_a_x": "fail",
        "unique_a_x": "pass",
        "expression_a_x": "fail",
    }
    assert site.on_record("test.not_null_a_x") == []


def test_a_new_test_of_what_is_up_to_date_is_run_alone(site: Site) -> None:
    site.build(CHAIN)
    before = site.on_record("model.a")
    results = site.build({"models/m/a.yml": columns(ONE, "not_null")})
    assert statuses(results) == {
        "a": "ok",
        "b": "up to date",
        "c": "up to date",
        "free": "up to date",
    }
    assert outcomes(results["a"]) == {"not_null_a_x": "pass"}
    assert (results["a"].step.action, results["a"].because) == ("test", ())
    assert site.on_record("model.a") == before
    assert statuses(site.build()) == dict.fromkeys(["a", "b", "c", "free"], "up to date")


def test_a_new_test_that_fails_blocks_what_is_below_until_it_passes(site: Site) -> None:
    site.build(CHAIN)
    bad = columns(ONE.replace("1", "2"))
    for _ in range(2):
        results = site.build({"models/m/a.yml": bad, "models/m/b.sql": f"{TABLE}select x from m.a"})
        assert statuses(results) == {
            "a": "fail", "b": "skipped", "c": "skipped", "free": "up to date",
        }  # fmt: skip
    assert site.made("m.b") == 10
    assert statuses(site.build({"models/m/a.yml": columns(ONE)}))["b"] == "ok"
    assert site.made("m.b") == 1


@pytest.mark.parametrize("jobs", [1, 4])
def test_failing_rows_survive_that_the_model_is_rolled_back(jobs: int, site: Site) -> None:
    stored = columns(
        "{accepted_values: {values: [1], config: {store_failures: true}}}",
        "{expression: {expression: '< 3', config: {store_failures: true, severity: warn}}}",
    )
    site.build({**CHAIN, "models/m/a.yml": stored})
    assert _stored(site) == []
    two = f"{TABLE}select x::smallint as x from (values (1), (2), (3), (3)) t(x)"
    results = site.build({"models/m/a.sql": two}, jobs=jobs)
    assert statuses(results)["a"] == "fail"
    assert [each.stored for each in results["a"].tests] == _stored(site)
    values, expression = _stored(site)
    assert values in results["a"].tests[0].message
    assert site.rows(f"FROM {values}") == [(2, 1), (3, 2)]
    assert site.rows(f"FROM {expression}") == [(3,), (3,)]
    assert site.made("m.a") == 1
    site.build({"models/m/a.sql": f"{TABLE}select 1 as x, 2 as y"}, jobs=jobs)
    assert _stored(site) == []


def _stored(site: Site) -> list[str]:
    tables = "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
    return [row[0] for row in site.rows(f"{tables} WHERE schema_name = 'lading_tests'")]


@pytest.mark.parametrize("jobs", [1, 4])
def test_an_error_in_a_test_fails_the_model_and_names_the_tests_place(
    jobs: int, site: Site
) -> None:
    site.build(CHAIN)
    wrong = columns("{expression: {expression: '> no_such_column'}}", "not_null")
    results = site.build(
        {"models/m/a.sql": f"{TABLE}select 2 as x", "models/m/a.yml": wrong}, jobs=jobs
    )
    assert statuses(results) == {"a": "fail", "b": "skipped", "c": "skipped", "free": "up to date"}
    (error,) = results["a"].tests
    assert (error.outcome, error.place and error.place.file) == ("error", "models/m/a.yml")
    assert "no_such_column" in error.message
    assert site.made("m.a") == 1
    assert statuses(site.build(CHAIN, jobs=jobs)) == dict.fromkeys(
        ["a", "b", "c", "free"], "up to date"
    )


RELATION = "{relationships: {to: ref('%s'), field: x}}"


def test_a_test_is_run_where_the_last_that_it_reads_is_made(site: Site) -> None:
    files = {
        "models/m/a.sql": f"{TABLE}select 1 as x",
        "models/m/z.sql": f"{TABLE}select 1 as x",
        "models/m/a.yml": columns(RELATION % "z"),
    }
    results = site.build(files)
    assert list(results) == ["z", "a"]
    assert outcomes(results["a"]) == {"relationships_a_x": "pass"}
    results = site.build({"models/m/z.sql": f"{TABLE}select 2 as x"})
    # The one that was changed is what it is meant to be; what reads it in a test alone is not made.
    assert (results["z"].status, results["a"].status) == ("ok", "fail")
    assert results["a"].step.action == "test"


@pytest.mark.parametrize("jobs", [1, 4])
def test_what_failed_blocks_what_is_tested_by_it(jobs: int, site: Site) -> None:
    files = {
        "models/m/a.sql": f"{TABLE}select 1 as x",
        "models/m/w.sql": f"{TABLE}select 1 as x",
        "models/m/z.sql": f"{TABLE}select nowhere as x",
        "models/m/a.yml": columns(RELATION % "z"),
        "models/m/w.yml": columns(
            "{relationships: {to: ref('z'), field: x, config: {severity: warn}}}", model="w"
        ),
    }
    results = site.build(files, jobs=jobs)
    assert statuses(results) == {"a": "skipped", "w": "ok", "z": "error"}
    assert results["a"].message == "'z' failed"
    assert results["w"].tests == ()
    results = site.build({"models/m/z.sql": f"{TABLE}select 1 as x"})
    assert outcomes(results["w"]) == {"relationships_w_x": "pass"}
    assert outcomes(results["a"]) == {"relationships_a_x": "pass"}


def test_a_relationship_with_what_reads_the_model_is_tested_at_that(site: Site) -> None:
    files = {**CHAIN, "models/m/a.yml": columns(RELATION % "c")}
    results = site.build(files)
    assert statuses(results) == {"a": "ok", "b": "ok", "c": "fail", "free": "ok"}
    assert outcomes(results["c"]) == {"relationships_a_x": "fail"}
    assert site.build({"models/m/b.sql": f"{TABLE}select x from {{{{ ref('a') }}}}"})["c"].is_good


@pytest.mark.parametrize("severity", ["error", "warn"])
def test_a_singular_test_waits_for_all_that_it_reads(severity: str, site: Site) -> None:
    slow = f"{TABLE}select count(*)::int as x from range(3000000) t(i) where hash(i) % 7 < 8"
    files = {
        "models/m/a.sql": slow,
        "models/m/z.sql": f"{TABLE}select 1 as x",
        "tests/data/both.sql": f"{{{{ config(severity='{severity}') }}}} "
        "select a.x from {{ ref('a') }} a, {{ ref('z') }} where a.x < 3000000",
    }
    results = site.build(files, jobs=4)
    assert statuses(results) == {"a": "ok", "z": "ok"}
    assert outcomes(results["z"]) == {"both": "pass"}


def test_a_singular_test_of_nothing_that_is_known_is_run(site: Site) -> None:
    site.database.execute("CREATE TABLE main.mine AS SELECT 1 AS x")
    files = {**CHAIN, "tests/data/mine.sql": "select * from main.mine where x > 1"}
    assert outcomes(site.build(files)["mine"]) == {"mine": "pass"}
    assert "mine" not in site.build()
    site.database.execute("UPDATE main.mine SET x = 2")
    results = site.build(force=True)
    assert statuses(results)["mine"] == "fail"
    assert statuses(results)["c"] == "ok"


def contract(*entries: str) -> str:
    return f"models: [{{name: a, contract: enforced, columns: [{', '.join(entries)}]}}]"


GOOD = "select 1::bigint as id, 'x' as name, 1.5::decimal(18, 4) as cost"
CONTRACT = contract(
    "{name: id, data_type: BIGINT}",
    "{name: NAME, data_type: text}",
    "{name: cost, data_type: 'numeric(18,4)'}",
)


@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_contract_is_kept_by_the_declared_columns_of_the_declared_types(
    kind: str, site: Site
) -> None:
    sql = f"{{{{ config(materialized='{kind}') }}}} {GOOD}"
    assert site.build({"models/m/a.sql": sql, "models/m/a.yml": CONTRACT})["a"].status == "ok"


BREACHES = {
    "missing": (
        "select 1::bigint as id, 'x' as name",
        ["the contract has a column 'cost', and the model has none"],
    ),
    "surplus": (
        f"{GOOD}, 1 as z",
        ["the model has a column 'z', and the contract has none"],
    ),
    "type": (
        GOOD.replace("bigint", "int"),
        ["the column 'id' is INTEGER, and its contract says BIGINT"],
    ),
    "all": (
        "select 1.5 as id, 1.5::decimal(18, 3) as cost, 'x' as nmae",
        [
            "the column 'id' is DECIMAL(2,1), and its contract says BIGINT",
            "the contract has a column 'NAME', and the model has none",
            "the column 'cost' is DECIMAL(18,3), and its contract says DECIMAL(18,4)",
            "the model has a column 'nmae', and the contract has none",
        ],
    ),
}


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("kind", ["table", "view"])
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_leaves_the_last_good_one_and_says_all_that_differs(
    breach: str, kind: str, jobs: int, site: Site
) -> None:
    config = f"{{{{ config(materialized='{kind}') }}}} "
    below = {"models/m/b.sql": "select id from {{ ref('a') }}"}
    site.build({"models/m/a.sql": f"{config}{GOOD}", "models/m/a.yml": CONTRACT, **below})
    before = site.on_record("model.a")
    sql, messages = BREACHES[breach]
    results = site.build({"models/m/a.sql": f"{config}{sql}"}, jobs=jobs)
    assert statuses(results) == {"a": "error", "b": "skipped"}
    assert results["a"].message.split("; ") == messages
    assert str(results["a"].place) == "models/m/a.yml:1:17"
    assert [row[0] for row in site.rows("SELECT column_name FROM (DESCRIBE m.a)")] == [
        "cost", "id", "name",
    ]  # fmt: skip
    assert site.on_record("model.a") == before


def test_an_incremental_model_is_held_to_its_contract_too(site: Site) -> None:
    sql = "{{ config(materialized='incremental', unique_key='id') }} " + GOOD
    site.build({"models/m/a.sql": sql, "models/m/a.yml": CONTRACT})
    assert site.build(force=True)["a"].status == "ok"
    wrong = contract("{name: id, data_type: VARCHAR}", "{name: name}", "{name: cost}")
    result = site.build({"models/m/a.yml": wrong})["a"]
    assert (result.status, result.message) == (
        "error",
        "the column 'id' is BIGINT, and its contract says VARCHAR",
    )
    assert result.hint == "cast it in the model: id::VARCHAR"


def test_a_contract_that_comes_later_is_looked_at(site: Site) -> None:
    site.build({"models/m/a.sql": f"{TABLE}{GOOD}"})
    result = site.build({"models/m/a.yml": contract("{name: id}", "{name: name}")})["a"]
    assert result.because == ("its settings changed",)
    assert result.status == "error"


def wide(count: int = 24) -> dict[str, str]:
    """Models that read up to three earlier ones, with tests on each."""
    files: dict[str, str] = {}
    for number in range(count):
        reads = sorted({number - 1 - (number * step) % 5 for step in (1, 2, 3)} - {-1})
        parts = [f"select x from {{{{ ref('m{read:02}') }}}}" for read in reads if read >= 0]
        kind = "table" if number % 3 else "view"
        sql = " union all ".join([f"select {number} as x", *parts])
        files[f"models/m{number % 2}/m{number:02}.sql"] = (
            f"{{{{ config(materialized='{kind}') }}}} select sum(x)::bigint as x from ({sql})"
        )
    tested = [
        f"{{name: m{number:02}, columns: [{{name: x, data_tests: [not_null, unique]}}]}}"
        for number in range(count)
    ]
    files["models/all.yml"] = f"models: [{', '.join(tested)}]"
    return files


def _all(site: Site) -> dict[str, Any]:
    relations = site.rows(
        "SELECT table_schema || '.' || table_name, table_type FROM information_schema.tables "
        "WHERE table_schema LIKE 'm_'"
    )
    shown = {name: (kind, site.rows(f"FROM {name}")) for name, kind in relations}
    books = "SELECT node, digest, settings, logic, rows FROM lading.nodes"
    return {**shown, "books": site.rows(books)}


def test_many_at_once_make_the_same_as_one_after_the_other(
    site: Site, project: MakeProject, now: datetime, tmp_path: Path
) -> None:
    results = site.build(wide(), jobs=4)
    assert set(statuses(results).values()) == {"ok"}
    assert len(results) == 24
    assert len(site.rows("FROM lading.nodes")) == 24 + 48
    with duckdb.connect(tmp_path / "other" / ".." / "one.duckdb") as database:
        one = Site(project, database, now)
        one.build(wide(), jobs=1)
        assert _all(one) == _all(site)
    assert set(statuses(site.build(jobs=4)).values()) == {"up to date"}


@pytest.mark.parametrize("keep_going", [True, False])
def test_a_failure_among_many_skips_what_needs_it(keep_going: bool, site: Site) -> None:
    files = wide()
    files["models/m1/m05.sql"] = f"{TABLE}select error('no')::bigint as x"
    results = site.build(files, jobs=4, keep_going=keep_going)
    reads = {
        name: {each for each in map("m{:02}".format, range(24)) if f"'{each}'" in text}
        for file, text in files.items()
        if (name := file[-7:-4])[:1] == "m" and file.endswith(".sql")
    }
    below = {"m05"}
    for _ in reads:
        below |= {name for name, those in reads.items() if those & below}
    found = statuses(results)
    assert found["m05"] == "error"
    assert {name for name in below if found[name] != "skipped"} == {"m05"}
    rest = {found[name] for name in found.keys() - below}
    assert rest == {"ok"} if keep_going else "skipped" in rest
    stays = {row[0] for row in site.rows("SELECT table_name FROM information_schema.tables")}
    assert not stays & below


ENDLESS = f"{TABLE}select count(*) as x from range(1000000000000) t(i) where hash(i) <> 7"


@pytest.mark.parametrize("jobs", [1, 4])
def test_ctrl_c_leaves_whole_tables(jobs: int, site: Site) -> None:
    site.build(CHAIN)
    is_made = threading.Event()

    def interrupt() -> None:
        is_made.wait()
        os.kill(os.getpid(), signal.SIGINT)

    def tell(result: NodeResult) -> None:
        if result.node == "model.a":
            is_made.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    endless = {f"models/m/{name}.sql": ENDLESS for name in ("b", "endless")}
    changed = {"models/m/a.sql": f"{TABLE}select 1 as x, 2 as y", **endless}
    with pytest.raises(KeyboardInterrupt):
        site.build(changed, jobs=jobs, on_node=tell)
    thread.join()
    assert site.made("m.b") == 10
    assert site.rows("SELECT x, y FROM m.a") == [(1, 2)]
    results = site.build(CHAIN | dict.fromkeys(endless, "select 1 as x"), jobs=jobs)
    assert {each.status for each in results.values()} <= {"ok", "up to date"}
    assert site.made("m.b") == 1


def test_two_models_at_once_may_share_a_schema_that_is_new(site: Site) -> None:
    files = {f"models/new/{name}.sql": f"{TABLE}select 1 as x" for name in "abcdefgh"}
    for _ in range(5):
        results = site.build(files, jobs=8)
        assert set(statuses(results).values()) == {"ok"}
        site.database.execute("DROP SCHEMA new CASCADE; DELETE FROM lading.nodes")


def test_by_way_of_what_is_not_wanted_one_waits_for_the_other(site: Site) -> None:
    slow = TABLE + "select count(*)::int as x from range(3000000) t(i) where hash(i) % 7 < "
    files = {
        "models/m/a.sql": slow + "0",
        "models/m/b.sql": "select x from {{ ref('a') }}",
        "models/m/c.sql": TABLE + "select x from {{ ref('b') }}",
    }
    site.build(files)
    assert site.made("m.c") == 0
    site.build({"models/m/a.sql": slow + "8"}, names=["a", "c"], jobs=4)
    assert site.made("m.c") == 3000000
