"""`lading build`: what is made, why, and what is said of it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import duckdb
import pytest
from tests.engine.conftest import Desk, Done

if TYPE_CHECKING:
    from lading.sandbox.anthropic import AnthropicStandIn
    from lading.sandbox.port import PortStandIn

TABLE = "{{ config(materialized='table') }}\n"
FILES = {
    "project.yml": """
        name: test
        targets: {dev: {database: claude.duckdb}}
        connections: {anthropic: {api_key: "{{ env_var('ANTHROPIC_ADMIN_API_KEY') }}"}}
        """,
    "sources/claude.yml": """
        sources:
          - name: claude_platform
            connection: anthropic
            streams:
              - name: usage_messages
                path: /usage
                iterate: window
                params: {bucket_width: [1d]}
                page_size: {1d: 31}
        """,
    "models/m/a.sql": f"{TABLE}select 1 as x",
    "models/m/b.sql": "select x + 1 as x from {{ ref('a') }}",
    "models/m/c.sql": f"{TABLE}select x * 10 as x from {{{{ ref('b') }}}}",
    "models/m/side.sql": "select 7 as x",
    "models/m/m.yml": """
        models:
          - name: a
            columns: [{name: x, data_tests: [not_null]}]
          - name: c
            columns: [{name: x, data_tests: [not_null, {accepted_values: {values: [20]}}]}]
        """,
}


def write(desk: Desk, files: dict[str, str]) -> None:
    for name, text in files.items():
        desk.write(name, dedent(text).lstrip("\n"))


@pytest.fixture
def site(tmp_path: Path, anthropic: AnthropicStandIn, port: PortStandIn) -> Desk:
    """A small project: a chain of three models and one beside it."""
    desk = Desk(tmp_path / "project", anthropic, port)
    write(desk, FILES)
    return desk


@pytest.fixture
def built(site: Desk) -> Desk:
    """The small project, built."""
    assert site.run("build").code == 0
    return site


LINE = re.compile(
    r"(?:error: |warning: )?\d+ of \d+ ([A-Z ]+?) (?:table|view|incremental|file|source) (\S+)"
)


def said(done: Done) -> dict[str, str]:
    """What the lines say of each node, by its relation."""
    found = (LINE.search(line) for line in done.err.splitlines())
    return {each[2].rstrip(":"): each[1] for each in found if each}


def made(done: Done) -> set[str]:
    return {name for name, word in said(done).items() if word == "OK"}


def planned(done: Done) -> dict[str, str]:
    """What `-n` would make, and why."""
    lines = (re.match(r"make \S+ (\S+) because (.*)", line) for line in done.out.splitlines())
    return {line[1]: line[2] for line in lines if line}


def results(desk: Desk) -> dict[str, dict[str, Any]]:
    """run_results.json, by the nodes' ids."""
    text = (desk.root / "target" / "run_results.json").read_text("utf-8")
    return {each["unique_id"]: each for each in json.loads(text)["results"]}


def test_all_is_made_and_tested_and_then_nothing(site: Desk) -> None:
    first = site.run("build")
    assert first.code == 0
    assert said(first) == dict.fromkeys(["m.a", "m.b", "m.c", "m.side"], "OK")
    assert site.query("FROM m.c") == [(20,)]
    assert first.out.splitlines() == [
        "Built 4 models; 0 failed, 0 skipped.",
        "Done. PASS=7 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=7",
    ]
    second = site.run("build")
    assert second.code == 0
    assert said(second) == dict.fromkeys(["m.a", "m.b", "m.c", "m.side"], "UP TO DATE")
    assert second.out.splitlines() == [
        "Built 0 models; 0 failed, 0 skipped, 4 up to date.",
        "Done. PASS=0 WARN=0 ERROR=0 SKIP=0 NO-OP=4 TOTAL=4",
    ]


def test_lines_are_numbered_and_say_why_and_how_long(site: Desk) -> None:
    lines = [line[10:] for line in site.run("build", "-j", "1").err.splitlines()]
    assert [re.sub(r"\d\.\d\d", "0.00", line) for line in lines] == [
        "1 of 7 PASS not_null_a_x [0.00s]",
        "2 of 7 OK table m.a (1 row, 1 test) because it is new [0.00s]",
        "3 of 7 OK view m.side because it is new [0.00s]",
        "4 of 7 OK view m.b because it is new [0.00s]",
        "5 of 7 PASS not_null_c_x [0.00s]",
        "6 of 7 PASS accepted_values_c_x [0.00s]",
        "7 of 7 OK table m.c (1 row, 2 tests) because it is new [0.00s]",
    ]


def _tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# What a command keeps to be faster the next time, as Python does below __pycache__.
CACHE = "target/cache.msgpack"


def test_a_dry_run_tells_what_and_why_and_leaves_no_trace(site: Desk) -> None:
    before = _tree(site.root)
    done = site.run("build", "-n")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "make table m.a because it is new",
        "make view m.side because it is new",
        "make view m.b because it is new",
        "make table m.c because it is new",
        "4 nodes to make, 3 tests to run, 0 up to date.",
    ]
    assert _tree(site.root).keys() - {CACHE} == before.keys()


def test_a_dry_run_does_not_touch_what_is_there(built: Desk) -> None:
    built.edit("models/m/b.sql", "x + 1", "x + 2")
    before = _tree(built.root)
    done = built.run("build", "-n")
    assert planned(done) == {"m.b": "its SQL changed", "m.c": "m.b is made"}
    after = _tree(built.root)
    assert {name for name, content in after.items() if before.get(name) != content} <= {CACHE}


def test_a_dry_run_lists_tests_that_are_due_alone(built: Desk) -> None:
    built.edit("models/m/m.yml", "[not_null]", "[not_null, unique]")
    assert built.run("build", "-n").out.splitlines() == [
        "test table m.a",
        "  unique_a_x",
        "0 nodes to make, 1 test to run, 3 up to date.",
    ]


def test_question_answers_by_its_exit_code_alone(site: Desk) -> None:
    asked = site.run("build", "--question")
    assert (asked.code, asked.out, asked.err) == (1, "", "")
    assert not site.database.exists()
    site.run("build")
    assert site.run("build", "--question").code == 0
    site.edit("models/m/c.sql", "x * 10", "10 * x")
    assert site.run("build", "--question").code == 1
    assert site.run("build", "--question", "b").code == 0
    assert site.run("build", "--question", "-B", "b").code == 1


def test_a_remark_or_white_space_makes_nothing(built: Desk) -> None:
    built.edit("models/m/a.sql", "select 1 as x", "-- one\nselect   1 /* one */\n  as x\n\n")
    built.edit("models/m/b.sql", "select", "{# a remark #}\nselect")
    built.edit("models/m/m.yml", "models:", "# Models.\n\nmodels:")
    done = built.run("build")
    assert set(said(done).values()) == {"UP TO DATE"}
    assert built.run("build", "--question").code == 0


def test_a_description_makes_nothing(built: Desk) -> None:
    built.edit("models/m/m.yml", "- name: a\n", "- name: a\n    description: One.\n")
    assert made(built.run("build")) == set()


@pytest.mark.parametrize(
    ("model", "expected"),
    [("a", {"m.a", "m.b", "m.c"}), ("b", {"m.b", "m.c"}), ("c", {"m.c"}), ("side", {"m.side"})],
)
def test_changed_sql_makes_that_and_what_comes_of_it(
    model: str, expected: set[str], built: Desk
) -> None:
    built.edit(f"models/m/{model}.sql", "select", "select 'new' as y,")
    done = built.run("build")
    assert made(done) == expected
    assert re.search(rf" m\.{model} .*because its SQL changed", done.err)


def test_a_target_brings_what_it_needs_and_nothing_else(site: Desk) -> None:
    assert made(site.run("build", "b")) == {"m.a", "m.b"}
    assert said(site.run("build", "c")) == {"m.a": "UP TO DATE", "m.b": "UP TO DATE", "m.c": "OK"}
    assert made(site.run("build", "side", "b")) == {"m.side"}


def test_a_test_as_a_target_brings_what_it_reads(site: Desk) -> None:
    assert made(site.run("build", "not_null_a_x")) == {"m.a"}


def test_a_mappings_resource_is_a_target(site: Desk) -> None:
    write(
        site,
        {
            "models/resources/a-kind.sql": "select x from {{ ref('b') }}",
            "models/resources/kinds.yml": "models: [{name: a-kind, kind: {}}]",
            "mappings/it.yml": """
                resources:
                  - kind: a-kind
                    selector: {query: 'true'}
                    port: {entity: {mappings: {
                      identifier: .x | tostring, title: .x, blueprint: '"thing"',
                      properties: {}, relations: {}}}}
                """,
        },
    )
    listed = site.run("ls", "--output", "json", "--select", "resource_type:mapping")
    names = [json.loads(line)["name"] for line in listed.out.splitlines()]
    assert len(names) == 1
    assert made(site.run("build", names[0])) == {"m.a", "m.b"}
    assert set(said(site.run("build", names[0]))) == {"m.a", "m.b"}


def test_a_selection_means_that_alone(site: Desk) -> None:
    assert made(site.run("build", "--select", "a")) == {"m.a"}
    assert made(site.run("build", "--select", "b+")) == {"m.b", "m.c"}
    assert made(site.run("build", "-B", "--select", "+c", "--exclude", "b")) == {"m.a", "m.c"}
    # The view in the middle was left out when the first was made anew.
    assert made(site.run("build", "--exclude", "c")) == {"m.b", "m.side"}


def test_a_selection_narrows_a_target(site: Desk) -> None:
    assert made(site.run("build", "c", "--exclude", "c")) == {"m.a", "m.b"}


@pytest.mark.parametrize("arguments", [["sdie"], ["--select", "sdie"]])
def test_what_is_not_there_is_an_error_with_the_nearest_name(
    arguments: list[str], site: Desk
) -> None:
    done = site.run("build", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "'sdie' selects nothing" in done.err
    assert "side" in done.err.splitlines()[1]
    assert not site.database.exists()


def test_an_empty_selection_may_be_allowed(built: Desk) -> None:
    done = built.run("build", "--select", "tag:none", "--allow-empty")
    assert (done.code, said(done)) == (0, {})


def test_always_make_makes_what_is_up_to_date(built: Desk) -> None:
    assert made(built.run("build", "-B", "b")) == {"m.a", "m.b"}
    done = built.run("build", "-B")
    assert made(done) == {"m.a", "m.b", "m.c", "m.side"}
    assert "because forced" in done.err
    assert "TOTAL=7" in done.out


def test_keep_going_goes_on_with_what_does_not_depend_on_a_failure(site: Desk) -> None:
    site.edit("models/m/a.sql", "select 1 as x", "select\n  error('broken')::int as x")
    for flags in ([], ["-k"]):
        done = site.run("build", *flags)
        assert done.code == 1
        words = {"m.a": "ERROR", "m.b": "SKIP", "m.c": "SKIP"}
        assert {name: said(done)[name] for name in words} == words
        assert said(done)["m.side"] in {"OK", "UP TO DATE"}
    assert "1 failed, 2 skipped" in done.out
    assert done.out.splitlines()[-1] == "Done. PASS=0 WARN=0 ERROR=1 SKIP=2 NO-OP=1 TOTAL=4"


def test_fail_fast_stops_at_the_first_failure(site: Desk) -> None:
    site.edit("models/m/a.sql", "select 1 as x", "select error('broken')::int as x")
    done = site.run("build", "-x", "-j", "1")
    assert done.code == 1
    assert said(done) == {"m.a": "ERROR", "m.b": "SKIP", "m.c": "SKIP", "m.side": "SKIP"}
    assert "stopped after 'a' failed" in done.err
    assert site.query(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'm'"
    ) == [(0,)]


def test_a_failing_test_keeps_the_last_good_one(built: Desk) -> None:
    built.edit("models/m/c.sql", "x * 10", "x * 11")
    done = built.run("build")
    assert done.code == 1
    assert "FAIL accepted_values_c_x" in done.err
    assert "m.c: accepted_values_c_x failed; the last good one stays" in done.err
    assert built.query("FROM m.c") == [(20,)]
    assert done.out.splitlines()[-1] == "Done. PASS=1 WARN=0 ERROR=2 SKIP=0 NO-OP=3 TOTAL=6"
    assert built.run("build", "--question").code == 1


def test_a_row_that_a_test_found_is_cut_where_it_gets_long(site: Desk) -> None:
    site.write(
        "tests/data/wide.sql", "select repeat('x', 500) as wide from {{ ref('c') }} limit 1\n"
    )
    done = site.run("build")
    assert done.code == 1
    (line,) = [each for each in done.err.splitlines() if each.startswith("    xxx")]
    assert (len(line), line[-1]) == (164, "…")


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_any_number_of_jobs_makes_the_same(jobs: str, site: Desk) -> None:
    done = site.run("build", "-j", jobs)
    assert made(done) == {"m.a", "m.b", "m.c", "m.side"}
    assert site.query("FROM m.c") == [(20,)]
    assert site.run("build", "-j", "0").code == 2


def test_full_refresh_forgets_what_is_kept(site: Desk) -> None:
    sql = "{{ config(materialized='incremental', unique_key='x') }} select {{ var('x') }} as x"
    site.write("models/m/side.sql", sql.replace("{{ var('x') }}", "x from main.given"))
    with duckdb.connect(str(site.database)) as connection:
        connection.execute("CREATE TABLE given AS SELECT 1 AS x")
    site.run("build", "side")
    with duckdb.connect(str(site.database)) as connection:
        connection.execute("UPDATE given SET x = 2")
    site.run("build", "side")
    assert sorted(site.query("FROM m.side")) == [(1,), (2,)]
    done = site.run("build", "side", "--full-refresh")
    assert made(done) == {"m.side"}
    assert "because it is wanted in full" in done.err
    assert site.query("FROM m.side") == [(2,)]


def test_quiet_leaves_the_summary_and_what_went_wrong(site: Desk) -> None:
    done = site.run("build", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("Done. PASS=7")
    site.edit("models/m/m.yml", "[20]", "[21]")
    site.edit(
        "models/m/m.yml",
        "[not_null]",
        "[{accepted_values: {values: [2], config: {severity: warn}}}]",
    )
    done = site.run("build", "-q")
    assert done.code == 1
    assert "WARN accepted_values_a_x" in done.err
    assert "FAIL accepted_values_c_x" in done.err
    assert "PASS" not in done.err
    assert "OK" not in done.err
    assert "UP TO DATE" not in done.err
    assert done.out.splitlines()[-1].startswith("Done. PASS=")


def test_as_json_each_line_is_an_event(site: Desk) -> None:
    site.edit("models/m/m.yml", "[20]", "[21]")
    done = site.run("build", "--log-format", "json")
    events = [json.loads(line) for line in done.err.splitlines()]
    nodes = {each["node"]: each for each in events if each["code"] == "node"}
    assert {node: each["status"] for node, each in nodes.items()} == {
        "model.a": "ok",
        "model.b": "ok",
        "model.c": "fail",
        "model.side": "ok",
    }
    assert nodes["model.a"]["because"] == ["it is new"]
    assert (nodes["model.a"]["rows"], nodes["model.a"]["level"]) == (1, "info")
    assert nodes["model.c"]["level"] == "error"
    tests = {each["test"]: each for each in events if "outcome" in each}
    assert {name: each["outcome"] for name, each in tests.items()} == {
        "not_null_a_x": "pass",
        "not_null_c_x": "pass",
        "accepted_values_c_x": "fail",
    }
    assert tests["accepted_values_c_x"]["failures"] == 1
    quiet = site.run("build", "--log-format", "json", "-q")
    levels = {json.loads(line)["level"] for line in quiet.err.splitlines()}
    assert levels <= {"warning", "error"}
    assert quiet.out.splitlines()[-1].startswith("Done. ")


def test_results_are_left_for_other_programs(site: Desk) -> None:
    site.edit("models/m/m.yml", "[20]", "[21]")
    site.edit("models/m/side.sql", "select 7", f"{TABLE}select error('no')::int")
    assert site.run("build", "--junit", str(site.root / "junit.xml")).code == 1
    found = results(site)
    assert {name: each["status"] for name, each in found.items()} == {
        "model.a": "ok",
        "model.b": "ok",
        "model.c": "fail",
        "model.side": "error",
        "test.not_null_a_x": "pass",
        "test.not_null_c_x": "pass",
        "test.accepted_values_c_x": "fail",
    }
    assert found["model.a"]["rows"] == 1
    assert found["model.side"]["message"] == "no"
    assert found["model.side"]["place"] == "models/m/side.sql"
    assert found["test.accepted_values_c_x"]["failures"] == 1
    suite = ElementTree.parse(site.root / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")
    bad = [case.get("name") for case in suite if case.find("failure") is not None]
    assert bad == ["accepted_values_c_x"]


def test_a_build_with_nothing_to_do_leaves_results_too(built: Desk) -> None:
    (built.root / "target" / "run_results.json").unlink()
    built.run("build")
    assert {each["status"] for each in results(built).values()} == {"up to date"}


def test_a_contract_that_is_broken_is_told_with_its_place(built: Desk) -> None:
    built.write(
        "models/m/side.yml",
        "models:\n  - name: side\n    config: {contract: enforced}\n"
        "    columns: [{name: x, data_type: BIGINT}, {name: y}]\n",
    )
    done = built.run("build")
    assert done.code == 1
    assert said(done)["m.side"] == "ERROR"
    assert "models/m/side.yml:2:11: error: side: the column 'x' is INTEGER" in done.err
    assert "the contract has a column 'y', and the model has none" in done.err
    assert built.query("FROM m.side") == [(7,)]


def test_a_file_that_does_not_fit_fails_and_the_rest_goes_on(site: Desk) -> None:
    write(
        site,
        {
            "sources/company.yml": """
                sources:
                  - name: company
                    files:
                      - name: teams
                        path: data/teams.csv
                        columns: [{name: team, data_type: INTEGER, data_tests: [unique]}]
                """,
            "models/m/teams.sql": f"{TABLE}select * from {{{{ source('company', 'teams') }}}}",
            "data/teams.csv": "team\n1\n2\n",
        },
    )
    assert made(site.run("build")) >= {"m.teams", "company.teams"}
    assert made(site.run("build")) == set()
    for content, word in (("team\n1\nx\n", "ERROR"), ("team\n1\n1\n", "FAIL")):
        site.write("data/teams.csv", content)
        done = site.run("build")
        assert done.code == 1
        assert (said(done)["company.teams"], said(done)["m.teams"]) == (word, "SKIP")
        assert said(done)["m.a"] == "UP TO DATE"
        assert site.query("FROM files.teams ORDER BY ALL") == [(1,), (2,)]
    site.write("data/teams.csv", "team\n3\n")
    done = site.run("build")
    assert "OK file company.teams (1 row, 1 test) because the file changed" in done.err
    assert "because files.teams is made" in done.err
    assert site.query("FROM m.teams") == [(3,)]


def test_a_table_that_somebody_dropped_comes_back(built: Desk) -> None:
    with duckdb.connect(str(built.database)) as connection:
        connection.execute("DROP TABLE m.a")
    assert planned(built.run("build", "-n")) == {
        "m.a": "m.a is not there",
        "m.b": "m.a is made",
        "m.c": "m.b is made",
    }
    assert built.run("build").code == 0
    assert built.query("FROM m.c") == [(20,)]


def test_without_the_database_all_is_new(built: Desk) -> None:
    built.database.unlink()
    done = built.run("build")
    assert made(done) == {"m.a", "m.b", "m.c", "m.side"}
    assert built.query("FROM m.c") == [(20,)]


def test_a_database_of_which_nothing_is_on_record_is_built_over(built: Desk) -> None:
    with duckdb.connect(str(built.database)) as connection:
        connection.execute("DROP TABLE lading.nodes; CREATE TABLE m.mine AS SELECT 1 AS x")
    assert set(planned(built.run("build", "-n")).values()) == {"it is new"}
    assert built.run("build").code == 0
    assert built.run("build", "--question").code == 0
    assert built.query("FROM m.mine") == [(1,)]


def test_an_empty_database_is_as_good_as_none(site: Desk) -> None:
    duckdb.connect(str(site.database)).close()
    assert len(planned(site.run("build", "-n"))) == 4
    assert site.run("build").code == 0


def test_the_table_of_a_model_that_is_gone_stays(built: Desk) -> None:
    (built.root / "models/m/side.sql").unlink()
    assert set(said(built.run("build"))) == {"m.a", "m.b", "m.c"}
    assert built.query("FROM m.side") == [(7,)]


@pytest.mark.parametrize("kind", ["table", "view"])
def test_what_reads_a_model_follows_its_columns_and_its_kind(kind: str, built: Desk) -> None:
    built.write("models/m/b.sql", "select * from {{ ref('a') }}")
    built.write("models/m/c.sql", "select * from {{ ref('b') }}")
    built.edit("models/m/m.yml", "{values: [20]}", "{values: [1]}")
    assert built.run("build").code == 0
    config = f"{{{{ config(materialized='{kind}') }}}}"
    built.write("models/m/a.sql", f"{config} select 1 as x, 2 as added")
    assert built.run("build").code == 0
    assert built.query("SELECT x, added FROM m.c") == [(1, 2)]
    built.write("models/m/a.sql", f"{config} select 2 as added, 1 as x, 3 as more")
    built.run("build", "--select", "a")
    assert built.run("build").code == 0
    assert built.query("FROM m.c") == [(2, 1, 3)]


def test_names_may_be_any_that_a_file_may_have(site: Desk) -> None:
    write(
        site,
        {
            "models/my models/order by.sql": f'{TABLE}select 1 as "select", 2 as "it\'s"',
            "models/my models/b-c.sql": "select * from {{ ref('order by') }}",
            "models/my models/p.yml": """
                models:
                  - name: order by
                    columns: [{name: select, data_tests: [not_null, unique]}, {name: "it's"}]
                    config: {contract: enforced}
                """,
        },
    )
    assert site.run("build", "b-c").code == 0
    assert site.query('FROM "my models"."b-c"') == [(1, 2)]
    assert site.run("build", "b-c", "--question").code == 0


def test_two_models_that_differ_in_case_alone_are_refused(site: Desk) -> None:
    site.write("models/n/A.sql", "select 1 as x")
    done = site.run("build")
    assert done.code == 2
    assert "there are two models 'A': the other one is models/m/a.sql" in done.err


def test_a_model_that_reads_itself_grows(site: Desk) -> None:
    site.write(
        "models/m/side.sql",
        "{{ config(materialized='incremental', unique_key='n') }}\n"
        "{% if is_incremental() %}select max(n) + 1 as n from {{ this }}\n"
        "{% else %}select 1 as n{% endif %}",
    )
    for _ in range(3):
        assert site.run("build", "-B", "side").code == 0
    assert sorted(site.query("FROM m.side")) == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 50, b"not what it was", None], ids=["empty", "zeros", "text", "cut"]
)
def test_a_damaged_cache_does_no_harm(content: bytes | None, built: Desk) -> None:
    path = built.root / CACHE
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    done = built.run("build")
    assert (done.code, set(said(done).values())) == (0, {"UP TO DATE"})


def test_any_byte_of_the_cache_may_be_wrong(built: Desk) -> None:
    path = built.root / CACHE
    good = path.read_bytes()
    for at in range(0, len(good), len(good) // 5):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        done = built.run("build")
        assert (done.code, set(said(done).values())) == (0, {"UP TO DATE"})


def test_a_cache_that_can_not_be_written_does_no_harm(site: Desk) -> None:
    (site.root / CACHE).mkdir(parents=True)
    assert site.run("build").code == 0
    assert set(said(site.run("build")).values()) == {"UP TO DATE"}
    assert [path.name for path in (site.root / "target").glob(".*")] == []


def test_the_cache_never_holds_a_secret(site: Desk) -> None:
    key = site.anthropic.api_key
    site.edit("models/m/a.sql", "select", f"/* {key} */ select")
    site.edit("models/m/m.yml", "- name: a\n", f"- name: a\n    description: {key}\n")
    site.run("build")
    assert site.run("build", "c").code == 0
    assert b"not_null_c_x" in (site.root / CACHE).read_bytes()
    assert key.encode() not in (site.root / CACHE).read_bytes()


def test_what_became_a_secret_leaves_the_cache(site: Desk) -> None:
    key = site.anthropic.api_key
    site.edit("models/m/m.yml", "- name: a\n", f"- name: a\n    description: {key}\n")
    site.run("build", environment={"ANTHROPIC_ADMIN_API_KEY": None})
    assert key.encode() in (site.root / CACHE).read_bytes()
    site.edit("models/m/c.sql", "10", "5 * 2")
    site.run("build")
    assert key.encode() not in (site.root / CACHE).read_bytes()


def test_messages_name_the_line_that_a_test_is_at_now(site: Desk) -> None:
    site.edit("models/m/m.yml", "[20]", "[21]")
    site.run("build")
    before = results(site)["test.accepted_values_c_x"]["place"]
    site.edit("models/m/m.yml", "models:", "# One.\n# Two.\nmodels:")
    site.run("build")
    after = results(site)["test.accepted_values_c_x"]["place"]
    file, line, column = before.split(":")
    assert after == f"{file}:{int(line) + 2}:{column}"


def test_a_variable_of_the_environment_counts_each_time(site: Desk) -> None:
    site.edit("models/m/side.sql", "7", "{{ env_var('SIDE', '7') }}")
    site.write("tests/data/side.sql", "select * from m.side where x > {{ env_var('MOST', '10') }}")
    assert site.run("build").code == 0
    done = site.run("build", environment={"SIDE": "11"})
    assert done.code == 1
    assert site.query("FROM m.side") == [(7,)]
    done = site.run("build", environment={"SIDE": "11", "MOST": "12"})
    assert (done.code, made(done)) == (0, {"m.side"})
    assert site.run("build", "--question", environment={"SIDE": "11", "MOST": "12"}).code == 0
    assert site.run("build", environment={"SIDE": "11"}).code == 1


def test_a_variable_of_the_project_counts_each_time(site: Desk) -> None:
    site.edit("models/m/side.sql", "7", "{{ var('side', 7) }}")
    site.run("build")
    assert made(site.run("build", "--var", "side=8")) == {"m.side"}
    assert site.query("FROM m.side") == [(8,)]


def test_no_key_is_needed(site: Desk) -> None:
    nothing = dict.fromkeys([each for each in site.environment if each.startswith("ANTHROPIC")])
    assert site.run("build", environment=nothing).code == 0


COUNT = 200


def large(desk: Desk) -> None:
    """Two hundred models in five folders, with a test each; each reads up to two earlier ones."""
    for number in range(COUNT):
        kind = "table" if number % 2 else "view"
        reads = " union all ".join(
            [
                f"select {number} as x",
                *(f"select x from {{{{ ref('m{each:03}') }}}}" for each in _reads(number)),
            ]
        )
        text = f"{{{{ config(materialized='{kind}') }}}} select max(x) as x from ({reads})"
        desk.write(f"models/g{number % 5}/m{number:03}.sql", text)
    for group in range(5):
        entries = "".join(
            f"  - name: m{number:03}\n    columns: [{{name: x, data_tests: [not_null]}}]\n"
            for number in range(group, COUNT, 5)
        )
        desk.write(f"models/g{group}/all.yml", f"models:\n{entries}")


def _reads(number: int) -> list[int]:
    """A tree of ten branches with some links between neighbours."""
    reads = [number - 10] if number >= 10 else []
    return reads + ([number - 11] if number % 10 in {3, 7} and number >= 11 else [])


def _below(numbers: Collection[int]) -> set[int]:
    found = set(numbers)
    for number in range(COUNT):
        if found.intersection(_reads(number)):
            found.add(number)
    return found


def test_two_hundred_models_changed_in_one_place(
    tmp_path: Path, anthropic: AnthropicStandIn, port: PortStandIn
) -> None:
    desk = Desk(tmp_path / "large", anthropic, port)
    write(desk, {name: FILES[name] for name in ("project.yml", "sources/claude.yml")})
    large(desk)
    first = desk.run("build", "-j", "2")
    assert (first.code, len(made(first))) == (0, COUNT)
    assert first.out.splitlines()[-1] == "Done. PASS=400 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=400"
    assert made(desk.run("build")) == set()

    changed = 103
    desk.edit(f"models/g3/m{changed}.sql", f"select {changed} as x", "select 1000 as x")
    expected = _below({changed})
    assert 1 < len(expected) < 30
    plan = planned(desk.run("build", "-n"))
    assert set(plan) == {f"g{each % 5}.m{each:03}" for each in expected}
    assert plan["g3.m103"] == "its SQL changed"
    assert plan["g3.m113"] == "g3.m103 is made"
    done = desk.run("build")
    assert made(done) == set(plan)
    number = len(expected)
    assert done.out.splitlines()[-1] == (
        f"Done. PASS={2 * number} WARN=0 ERROR=0 SKIP=0 "
        f"NO-OP={COUNT - number} TOTAL={COUNT + number}"
    )
    assert desk.query("SELECT x FROM g3.m193") == [(1000,)]
    assert desk.query("SELECT x FROM g2.m192") == [(192,)]
    assert desk.run("build", "--question").code == 0

    above = {193}
    for number in range(COUNT - 1, -1, -1):
        above |= set(_reads(number)) if number in above else set()
    assert set(said(desk.run("build", "m193"))) == {f"g{each % 5}.m{each:03}" for each in above}


def test_new_slices_are_the_reason(desk: Desk) -> None:
    assert desk.run("extract").code == 0
    assert desk.run("build").code == 0
    assert desk.run("build", "--question").code == 0
    ((since,),) = desk.query("SELECT max(fetched_at) FROM lading.slices")
    desk.now += timedelta(days=1)
    assert desk.run("extract").code == 0
    new = dict(
        desk.query(
            f"SELECT stream, count(*) FROM lading.slices WHERE fetched_at > '{since}' GROUP BY 1"
        )
    )
    assert new["usage_messages"] > 1
    number = f"{new['usage_messages']:,}"
    plan = planned(desk.run("build", "-n"))
    because = f"raw.usage_messages has {number} new slices"
    staged = [name for name, reason in plan.items() if because in reason]
    assert staged
    done = desk.run("build")
    assert done.code == 0
    assert made(done) == set(plan)
    assert all(f"{name} " in done.err for name in staged)
    assert f"because {because}" in done.err
    assert desk.run("build", "--question").code == 0


def test_the_environment_may_select(site: Desk) -> None:
    done = site.run("build", environment={"LADING_SELECT": "a"})
    assert made(done) == {"m.a"}
