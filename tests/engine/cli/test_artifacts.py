"""What commands leave in target/ for other programs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

Json = dict[str, Any]
HEAVY = ("duckdb", "sqlglot", "jinja2", "yaml", "jq", "jsonschema", "httpx")
NOTHING_CHANGED = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from lading.pipeline.artifacts import write_artifacts
from lading.pipeline.context import open_context
write_artifacts(open_context(Path(sys.argv[1]), now=datetime(2026, 2, 5, 23, tzinfo=UTC)))
print([name for name in {HEAVY} if name in sys.modules])
"""
TWO_ROWS = """
select rows.* from (values (1, 'a'), (2, 'b')) as rows(number, letter)
where (select count(*) from {{ ref('users') }}) >= 0
"""
# One of them has no row, and the other one reads it.
BROKEN = """
models:
  - name: broken
    data_tests: [{row_count: {min: 1}}]
    columns: [{name: number, data_tests: [not_null]}]
  - name: after_it
    columns: [{name: number, data_tests: [not_null]}]
"""


def target(desk: Desk, name: str = "run_results.json") -> Json:
    found: Json = json.loads((desk.root / "target" / name).read_text("utf-8"))
    return found


def faults(desk: Desk, name: str) -> list[str]:
    """What the schema that lies beside it says of an artifact."""
    validator = Draft202012Validator(target(desk, f"schemas/{name}"))
    return [
        f"{each.json_path}: {each.message}" for each in validator.iter_errors(target(desk, name))
    ]


def results(desk: Desk) -> dict[str, Json]:
    return {each["unique_id"]: each for each in target(desk)["results"]}


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> Desk:
    """A project that was synced; every command leaves its results in a copy of its own."""
    desk = make_desk()
    assert desk.run("compile").code == 0
    for command in ("extract", "build", "plan", "test", "push", "sync"):
        done = desk.run(command)
        assert done.code == 0, done.err
        copy = desk.root / "target" / f"{command}.json"
        shutil.copy(desk.root / "target" / "run_results.json", copy)
    return desk


@pytest.mark.parametrize("command", ["extract", "build", "plan", "test", "push", "sync"])
def test_the_results_of_each_command_fit_their_schema(synced: Desk, command: str) -> None:
    found = target(synced, f"{command}.json")
    validator = Draft202012Validator(target(synced, "schemas/run_results.json"))
    assert [each.message for each in validator.iter_errors(found)] == []
    assert found["metadata"]["command"] == command
    assert found["metadata"]["run_started_at"] == "2026-02-05T15:30:00Z"
    assert found["metadata"]["error"] is None
    assert found["results"]


def test_the_manifest_fits_its_schema(synced: Desk) -> None:
    assert faults(synced, "manifest.json") == []


def test_the_schemas_are_strict(synced: Desk) -> None:
    manifest, validator = (
        target(synced, "manifest.json"),
        Draft202012Validator(target(synced, "schemas/manifest.json")),
    )
    manifest["nodes"]["model.usage"]["colour"] = "red"
    assert not validator.is_valid(manifest)
    found = target(synced)
    found["results"][0]["colour"] = "red"
    assert not Draft202012Validator(target(synced, "schemas/run_results.json")).is_valid(found)


def test_an_extract_tells_what_it_fetched(synced: Desk) -> None:
    found = target(synced, "extract.json")["results"]
    fetched = [each for each in found if each["resource_type"] == "extract"]
    assert {each["status"] for each in fetched} == {"ok"}
    landed = synced.query(
        "SELECT stream, sum(records)::BIGINT FROM lading.requests WHERE run_id = (SELECT run_id "
        "FROM lading.runs WHERE command = 'extract') GROUP BY stream"
    )
    records: dict[str, int] = {}
    for each in fetched:
        assert each["rows"] == each["extract"]["records"]
        stream = each["extract"]["stream"]
        records[stream] = records.get(stream, 0) + each["rows"]
    asked = {stream: number for stream, number in landed if stream in records}
    assert len(records) > 3
    # Control totals are requests as well, and no extract of anybody.
    assert {each: asked[each] for each in ("claude_code", "users")} == {
        each: records[each] for each in ("claude_code", "users")
    }
    checks = {each["unique_id"]: each["status"] for each in found if each not in fetched}
    assert checks == {"check.control_totals_of_usage_messages_anthropic": "pass"}


def test_a_build_tells_what_it_made_and_why(synced: Desk) -> None:
    found = {each["unique_id"]: each for each in target(synced, "build.json")["results"]}
    made = found["model.usage_by_day"]
    assert made["status"] == "ok"
    assert made["because"] == ["it is new"]
    assert made["timing"]["started_at"] <= made["timing"]["completed_at"]
    ((rows,),) = synced.query("SELECT rows FROM lading.nodes WHERE node = 'model.usage_by_day'")
    assert made["rows"] == rows
    assert found["test.not_null_usage_by_day_day"]["status"] == "pass"
    assert found["test.not_null_usage_by_day_day"]["failures"] == 0
    assert {each["status"] for each in target(synced, "push.json")["results"]} <= {
        "up to date",
        "pass",
    }


def test_checks_have_the_shape_of_tests(synced: Desk) -> None:
    found = {each["unique_id"]: each for each in target(synced, "test.json")["results"]}
    check = found["check.freshness_of_usage_messages"]
    assert (check["resource_type"], check["status"]) == ("check", "pass")
    assert check["message"]
    assert found["test.not_null_usage_by_day_day"]["status"] == "pass"
    assert found["test.not_null_usage_by_day_day"]["failures"] == 0
    assert found["unit_test.a_key_of_the_default_workspace_says_default"]["status"] == "pass"
    manifest = target(synced, "manifest.json")["nodes"]
    nodes = {name for name, each in found.items() if each["resource_type"] != "check"}
    tests = ("test.", "unit_test.", "mapping_test.")
    assert nodes == {each for each in manifest if each.startswith(tests)}


def test_no_secret_is_in_an_artifact(desk: Desk) -> None:
    key = desk.anthropic.api_key
    meta = f"config: {{meta: {{note: 'ask for {key}'}}, materialized: table}}"
    desk.edit("models/marts/usage.yml", "config: {materialized: table}", meta, 1)
    desk.write("tests/data/tells.sql", f"select 'the {key}' as found from {{{{ ref('users') }}}}")
    assert desk.run("compile").code == 0
    done = desk.run("build", "--junit", str(desk.root / "target" / "junit.xml"))
    texts = [
        path.read_text("utf-8")
        for path in (desk.root / "target").rglob("*")
        if path.suffix in {".json", ".xml"}
    ]
    assert done.code in {0, 1}
    assert len(texts) > 8
    assert not any(key in text for text in texts)
    note = target(desk, "manifest.json")["nodes"]["model.usage"]["config"]["meta"]["note"]
    assert note.startswith("ask for ")


def test_no_connection_is_in_the_manifest(synced: Desk) -> None:
    text = (synced.root / "target" / "manifest.json").read_text("utf-8")
    assert synced.anthropic.base_url not in text
    assert synced.port.base_url not in text
    assert "base_url" not in text


def test_what_did_not_change_is_not_written_again(synced: Desk) -> None:
    manifest = synced.root / "target" / "manifest.json"
    before = manifest.stat()
    assert synced.run("compile").code == 0
    assert synced.run("build").code == 0
    assert manifest.stat().st_mtime_ns == before.st_mtime_ns
    assert manifest.stat().st_ino == before.st_ino
    program = [sys.executable, "-c", NOTHING_CHANGED, str(synced.root)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert manifest.stat().st_ino == before.st_ino


def test_a_manifest_that_is_gone_or_another_one_is_written_again(desk: Desk) -> None:
    assert desk.run("compile").code == 0
    manifest = desk.root / "target" / "manifest.json"
    text = manifest.read_text("utf-8")
    for spoil in (manifest.unlink, lambda: manifest.write_text("{}")):
        spoil()
        assert desk.run("compile").code == 0
        assert json.loads(manifest.read_text("utf-8"))["nodes"] == json.loads(text)["nodes"]
    desk.edit("models/marts/usage.yml", "Tokens and web", "Truly, tokens and web", 1)
    assert desk.run("compile").code == 0
    assert "Truly, tokens" in manifest.read_text("utf-8")


@pytest.mark.parametrize("command", ["ls", "status"])
def test_who_only_looks_writes_nothing(desk: Desk, command: str) -> None:
    assert desk.run("extract", "--dry-run").code == 0
    desk.run(command)
    assert not (desk.root / "target" / "manifest.json").exists()
    assert not (desk.root / "target" / "run_results.json").exists()


@pytest.fixture
def failing(desk: Desk) -> tuple[Desk, Json, ElementTree.Element]:
    """A build in which a test fails that keeps what comes after it from being made."""
    desk.write("models/marts/broken.sql", "select 1 as number where false")
    desk.write("models/marts/after_it.sql", "select number from {{ ref('broken') }}")
    desk.write("models/marts/broken.yml", BROKEN)
    junit = desk.root / "out" / "junit.xml"
    done = desk.run("build", "--junit", str(junit))
    assert done.code == 1, done.err
    assert desk.run("compile").code == 0
    return desk, results(desk), ElementTree.parse(junit).getroot()


def test_what_failed_is_told(failing: tuple[Desk, Json, ElementTree.Element]) -> None:
    desk, found, junit = failing
    assert faults(desk, "run_results.json") == []
    assert found["model.broken"]["status"] == "fail"
    test = found["test.row_count_broken"]
    assert (test["status"], test["failures"]) == ("fail", 1)
    assert test["place"].startswith("models/marts/broken.yml:4:")
    assert found["model.after_it"]["status"] == "skipped"
    assert found["test.not_null_after_it_number"]["status"] == "skipped"
    suite = junit.find("testsuite")
    assert suite is not None
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    tests = sum(each.startswith("test.") for each in found)
    assert len(cases) == int(suite.get("tests", "")) == tests
    assert (suite.get("failures"), suite.get("skipped"), suite.get("errors")) == ("1", "1", "0")
    failed = cases["row_count_broken"]
    assert failed.get("classname") == "model.broken"
    assert failed.get("file") == "models/marts/broken.yml"
    failure = failed.find("failure")
    assert failure is not None
    assert test["message"] in str(failure.text)
    skipped = cases["not_null_after_it_number"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "'broken' failed"


def test_failing_rows_are_in_the_text(desk: Desk) -> None:
    desk.write("tests/data/two_rows.sql", TWO_ROWS)
    junit = desk.root / "junit.xml"
    assert desk.run("build", "test:two_rows", "--junit", str(junit)).code == 1
    cases = ElementTree.parse(junit).getroot().iter("testcase")
    (case,) = [each for each in cases if each.get("name") == "two_rows"]
    assert (case.get("classname"), case.get("name")) == ("lading.test", "two_rows")
    failure = case.find("failure")
    assert failure is not None
    assert str(failure.text).splitlines()[-3:] == ["number  letter", "1  a", "2  b"]
    assert results(desk)["test.two_rows"]["details"] == ["number  letter", "1  a", "2  b"]


def test_checks_and_unit_tests_are_test_cases(synced: Desk) -> None:
    junit = synced.root / "checks.xml"
    assert synced.run("test", "--junit", str(junit)).code == 0
    cases = {
        (case.get("classname"), case.get("name")): case.get("file")
        for case in ElementTree.parse(junit).getroot().iter("testcase")
    }
    unit_test = ("model.api_keys", "a_key_of_the_default_workspace_says_default")
    assert cases[unit_test] == "tests/models/books.yml"
    assert cases["model.usage_by_day", "not_null_usage_by_day_day"] == "models/marts/usage.yml"
    source = "source.claude_platform.usage_messages"
    assert cases[source, "freshness of usage_messages"] == "sources/claude.yml"
    assert len(cases) == len(results(synced))


def test_an_error_that_ends_a_command_is_left_in_its_results(desk: Desk) -> None:
    assert desk.run("compile").code == 0
    desk.database.write_bytes(b"this is no database" * 1000)
    done = desk.run("build", "-B")
    assert done.code == 1
    assert target(desk)["results"] == []
    assert "database" in target(desk)["metadata"]["error"].lower()
    assert faults(desk, "run_results.json") == []


class TestState:
    """What `--state` makes of an old manifest."""

    @pytest.fixture
    def old(self, desk: Desk) -> Path:
        assert desk.run("compile").code == 0
        copy = desk.root.parent / "old"
        shutil.copytree(desk.root / "target", copy)
        return copy

    def changed(self, desk: Desk, old: Path, state: str = "modified") -> set[str]:
        done = desk.run(
            "ls", "-s", f"state:{state}", "--state", str(old), "--allow-empty", "-o", "json"
        )
        assert done.code == 0, done.err
        return {json.loads(line)["id"] for line in done.out.splitlines() if line}

    def test_neither_comments_nor_days_modify_anything(self, desk: Desk, old: Path) -> None:
        desk.write("tests/data/of_today.sql", "select {{ today | literal }} as day where false")
        assert self.changed(desk, old) == {"test.of_today"}
        assert desk.run("compile").code == 0
        shutil.copy(desk.root / "target" / "manifest.json", old / "manifest.json")
        desk.edit("models/marts/usage_by_day.sql", "select", "/* all of it */  select\n", 1)
        desk.edit("tests/data/of_today.sql", "select", "-- every day anew\nselect")
        desk.edit("models/marts/usage.yml", "models:", "# A comment.\nmodels:", 1)
        desk.edit("mappings/claude.yml", "resources:", "# A comment.\nresources:", 1)
        desk.now += timedelta(days=3)
        assert self.changed(desk, old) == set()

    def test_what_changed_is_modified_and_nothing_else(self, desk: Desk, old: Path) -> None:
        desk.edit("models/marts/usage_by_day.sql", "select", "select 1 as one,", 1)
        cost = "Cost at the finest grain"
        desk.edit("models/marts/cost.yml", cost, f"Truly, {cost}", 1)
        restatements = desk.root / "models" / "marts" / "restatements.sql"
        restatements.write_text("{{ config(tags=['late']) }}\n" + restatements.read_text())
        desk.edit("mappings/claude.yml", '"-cost"', '"-costs"', 1)
        desk.edit("sources/claude.yml", "lookback: 3d", "lookback: 4d", 1)
        desk.write("tests/data/new.sql", "select 1 as one where false")
        modified = {"model.usage_by_day", "model.cost", "model.restatements"}
        others = {"mapping.claude_cost_record", "source.claude_platform.usage_messages"}
        assert self.changed(desk, old) == {*modified, *others, "test.new"}
        assert self.changed(desk, old, "new") == {"test.new"}
        chosen = ("--select", "state:modified", "--state", str(old))
        planned = desk.run("build", "-n", *chosen)
        assert planned.code == 0, planned.err
        lines = [line.split() for line in planned.out.splitlines() if line.startswith("make")]
        relations = {line[2] for line in lines}
        assert relations == {"marts.usage_by_day", "marts.cost", "marts.restatements"}

    @pytest.mark.parametrize(
        "change", ["min: 2", "min: 1, config: {severity: warn}", "min: 1, description: some rows"]
    )
    def test_a_test_that_changed_is_modified(self, desk: Desk, change: str) -> None:
        test = "data_tests: [{row_count: {min: 1}}]"
        desk.write("models/marts/some.sql", "select 1 as one")
        desk.write("models/marts/some.yml", f"models: [{{name: some, {test}}}]")
        assert desk.run("compile").code == 0
        old = desk.root / "target"
        desk.edit("models/marts/some.yml", "min: 1", change)
        assert self.changed(desk, old) == {"test.row_count_some"}

    def test_a_macro_modifies_the_models_that_say_it(self, desk: Desk, old: Path) -> None:
        desk.edit("macros/ratios.sql", "Ratios as", "Shares as")
        assert self.changed(desk, old) == set()
        head = "{% macro price_of_million(amount, count) -%}\n"
        desk.edit("macros/ratios.sql", head, f"{head}    0 +")
        users = {
            f"model.{path.stem}"
            for path in (desk.root / "models").rglob("*.sql")
            if "price_of_million(" in path.read_text("utf-8")
        }
        assert users
        assert self.changed(desk, old) == users

    def test_a_variable_modifies_the_models_that_read_it(self, desk: Desk) -> None:
        desk.write(
            "models/marts/here.sql", "select {{ env_var('REGION', 'eu') | literal }} as region"
        )
        assert desk.run("compile").code == 0
        old = desk.root / "target"
        listing = ("ls", "-s", "state:modified", "--state", str(old), "--allow-empty")
        assert desk.run(*listing).out.strip() == ""
        assert desk.run(*listing, environment={"REGION": "us"}).out.strip() == "here"

    def test_a_variable_modifies_the_tests_that_read_it(self, desk: Desk) -> None:
        reading = (
            "select env from (select {{ env_var('REGION', 'eu') | literal }} as env) where false"
        )
        desk.write("tests/data/here.sql", reading)
        assert desk.run("compile").code == 0
        old = desk.root / "target"
        listing = ("ls", "-s", "state:modified", "--state", str(old), "--allow-empty")
        assert desk.run(*listing, environment={"REGION": "us"}).out.strip() == "test:here"
