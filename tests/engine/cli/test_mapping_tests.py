"""tests/mappings/*.yml: records that are given, and the entities they must become."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, Done, MakeDesk

REPOSITORY = Path(__file__).parents[3]
FILE = "tests/mappings/t.yml"
MAPPING = """
resources:
  - kind: figure
    name: figures
    selector: {query: .ok != false}
    port:
      entity:
        mappings:
          identifier: .id
          title: .t
          blueprint: '"figure"'
          properties:
            n: .n
            whole: .whole
          relations:
            to: .to
"""
COLUMNS = "select 'a' as id, true as ok, 't' as t, 0.5 as n, 1 as whole, 'b' as \"to\"\n"
RECORD = '{"id": "a", "n": 0.50}'


@dataclass(frozen=True)
class Bench:
    """Runs mapping tests on a project with the resource `figures`, without a database."""

    desk: Desk

    def run(self, test: str) -> Done:
        """The command on a file with one test, called t."""
        body = indent(dedent(test).strip("\n"), "    ")
        self.desk.write(FILE, f"mapping_tests:\n  - name: t\n{body}\n")
        return self.desk.run("test", "--select", "resource_type:mapping")


@pytest.fixture(scope="module")
def kept_desk(make_desk: MakeDesk) -> Desk:
    """A small project, for what is read is checked each time that a file is another."""
    desk = make_desk()
    for folder in ("models", "macros", "queries", "sources", "mappings", "tests"):
        rmtree(desk.root / folder)
    desk.write("models/resources/figure.sql", COLUMNS)
    desk.write("models/resources/figure.yml", "models: [{name: figure, kind: {selector: {}}}]\n")
    return desk


@pytest.fixture
def bench(kept_desk: Desk) -> Bench:
    kept_desk.write("mappings/figures.yml", MAPPING)
    return Bench(kept_desk)


def differences(done: Done) -> list[str]:
    """The lines below what a test that fails says."""
    return [line.strip() for line in done.err.splitlines() if line.startswith("    ")]


def test_the_shipped_mapping_has_tests_for_each_resource_and_they_pass(desk: Desk) -> None:
    done = desk.run("test", "-s", "resource_type:mapping")

    assert done.code == 0, done.err
    assert not desk.database.exists()
    text = (REPOSITORY / "tests/mappings/claude.yml").read_text("utf-8")
    names = re.findall(r"^  - name: (\S+)$", text, re.MULTILINE)
    assert len(names) >= 8
    assert re.findall(r"PASS (\S+)", done.err) == names
    assert f"Done. PASS={len(names)} WARN=0 ERROR=0 SKIP=0 TOTAL={len(names)}" in done.out
    resources = set(re.findall(r"^    resource: (\S+)$", text, re.MULTILINE))
    assert resources == {
        "claude_usage_record",
        "claude_cost_record",
        "claude_workspace_usage",
        "claude_model_usage",
        "claude_code_analytics",
    }


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ('(.item.model // "unknown")\n            unc', ".item.model\n            unc", "model: "),
        ('((.results[0].amount // "0") | tonumber)', ".results[0].amount", "properties.amount: "),
        (".core_metrics.num_sessions // 0", "0", "properties.num_sessions: 19 -> 0"),
        (
            '(.item.workspace_id // "default")\n            unc',
            ".item.workspace_id\n            unc",
            'properties.workspace_id: "default" -> null',
        ),
        (".results | length > 0\n", ".results | length\n", "selector_errors: 0 -> 3"),
    ],
)
def test_the_shipped_tests_notice_a_change(desk: Desk, old: str, new: str, difference: str) -> None:
    desk.edit("mappings/claude.yml", old, new, 1)
    done = desk.run("test", "-s", "resource_type:mapping")
    assert done.code == 1
    assert difference in done.err


def test_no_payload_has_anything_like_a_key() -> None:
    for file in (REPOSITORY / "tests/mappings").rglob("*.*"):
        assert not re.search(r"sk-ant|apikey_", file.read_text("utf-8")), file


def test_tests_of_a_resource_are_chosen_with_it(desk: Desk) -> None:
    done = desk.run("test", "-s", "claude_model_usage,resource_type:mapping")
    assert re.findall(r"PASS (\S+)", done.err) == [
        "usage_of_a_model",
        "usage_without_a_model_is_that_of_an_unknown_one",
    ]
    assert "usage_of_a_model" not in desk.run("test", "-s", "test_type:unit").err


def test_they_are_nodes_of_the_graph(bench: Bench) -> None:
    body = "    records: [{id: a}]\n    expect: {dropped: 0}\n"
    bench.desk.write(
        FILE,
        "mapping_tests:\n"
        f"  - name: one\n    resource: figures\n    tags: [slow]\n{body}"
        f"  - name: two\n    resource: figures\n    description: Two.\n{body}"
        f"  - name: lost\n    resource: nowhere\n{body}",
    )

    def listed(*arguments: str) -> list[str]:
        return bench.desk.run("ls", *arguments).out.split()

    all_of_them = ["mapping_test:one", "mapping_test:two", "mapping_test:lost"]
    assert listed("-s", "resource_type:mapping_test") == all_of_them
    assert listed("-s", "test_type:mapping") == all_of_them
    assert listed("-s", "tag:slow") == all_of_them[:1]
    assert listed("-s", "mapping:figures+") == ["mapping:figures", *all_of_them[:2]]
    assert listed("-s", f"path:{FILE}", "--exclude", "mapping_test:l*") == all_of_them[:2]

    def run(*arguments: str) -> list[str]:
        return re.findall(r"(?:PASS|ERROR) (\w+)\S* ?.*\[", bench.desk.run("test", *arguments).err)

    assert run("-s", "mapping_test:two") == run("-s", "two") == ["two"]
    assert run("-s", "mapping:figures") == ["one", "two"]
    assert run("-s", "test_type:mapping", "--exclude", "tag:slow") == ["two", "lost"]

    assert bench.desk.run("compile").code == 0
    manifest = json.loads((bench.desk.root / "target/manifest.json").read_text("utf-8"))
    node = manifest["nodes"]["mapping_test.two"]
    assert (node["description"], node["file"]) == ("Two.", FILE)
    assert (node["depends_on"], node["attached_to"]) == (["mapping.figures"], "mapping.figures")
    assert manifest["nodes"]["mapping_test.lost"]["attached_to"] is None
    assert manifest["child_map"]["mapping.figures"] == ["mapping_test.one", "mapping_test.two"]


def test_a_test_that_changed_is_modified(bench: Bench) -> None:
    bench.run("resource: figures\nrecords: []\nexpect: {dropped: 0}")
    assert bench.desk.run("compile").code == 0
    before = bench.desk.root / "before"
    before.mkdir()
    (bench.desk.root / "target/manifest.json").rename(before / "manifest.json")
    bench.run("resource: figures\nrecords: []  # none\nexpect: {dropped: 0}")
    choice = ("--state", str(before), "-s", "state:modified", "--allow-empty")
    assert bench.desk.run("ls", *choice).out.split() == []
    bench.run("resource: figures\nrecords: [{id: a}]\nexpect: {dropped: 0}")
    assert bench.desk.run("ls", *choice).out.split() == ["mapping_test:t"]


def test_a_small_project_starts_one_process_for_jq(bench: Bench) -> None:
    """It checks the expressions, and the same one runs them, whatever `threads` allow."""
    body = "    resource: figures\n    records: [{id: a}]\n    expect: {dropped: 0}\n"
    bench.desk.write(
        FILE, "mapping_tests:\n" + "".join(f"  - name: t{number}\n{body}" for number in range(9))
    )
    bench.desk.edit("mappings/figures.yml", "n: .n", "n: (.n | floor)", 1)
    debug = ("test", "-s", "mapping:figures", "--log-level", "debug")
    done = bench.desk.run(*debug)
    bench.desk.write("mappings/figures.yml", MAPPING)

    assert done.out == "Done. PASS=9 WARN=0 ERROR=0 SKIP=0 TOTAL=9\n"
    (pid,) = re.findall(r"process (\d+) is started for JQ", done.err)
    assert not Path(f"/proc/{pid}").exists()


def test_they_are_run_before_the_database_is_looked_for(desk: Desk) -> None:
    done = desk.run("test")
    assert "PASS usage_of_a_day" in done.err
    assert done.err.index("PASS usage_of_a_day") < done.err.index("there is no database")


@pytest.mark.parametrize(
    "expect",
    [
        "entities: [{}]",
        "entities: [{identifier: a}]",
        "entities: [{properties: {n: 0.1}}]",
        "entities: [{properties: {n: 0.10, whole: 9007199254740993}, title: null}]",
        "entities: [{relations: {to: [b, c]}}]",
        (
            "{whole: true, entities: [{identifier: a, blueprint: figure, title: null,"
            " properties: {n: 0.1, whole: 9007199254740993}, relations: {to: [b, c]}}]}"
        ),
        "{dropped: 0, misconfigured: [title]}",
        "selector_errors: 0",
    ],
)
def test_what_holds(bench: Bench, expect: str) -> None:
    done = bench.run(f"""
        resource: figures
        records: [{{id: a, n: 0.1, whole: 9007199254740993, to: [b, c]}}]
        expect: {expect if expect.startswith("{") else f"{{{expect}}}"}
        """)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("expect", "said", "lines"),
    [
        (
            "entities: [{properties: {n: 0.1000000000000000055511151231257827}}]",
            "1 entity different",
            ["~ a  properties.n: 0.1000000000000000055511151231257827 -> 0.1"],
        ),
        (
            "entities: [{properties: {whole: 9007199254740992.0}}]",
            "1 entity different",
            ["~ a  properties.whole: 9007199254740992.0 -> 9007199254740993"],
        ),
        (
            "entities: [{properties: {n: '0.1', flag: true}, icon: null}]",
            "1 entity different",
            [
                '~ a  properties.n: "0.1" -> 0.1',
                "~ a  properties.flag: true -> (nothing)",
                "~ a  icon: null -> (nothing)",
            ],
        ),
        (
            "entities: [{relations: {to: [b, x]}, title: T}]",
            "1 entity different",
            ['~ a  relations.to[1]: "x" -> "c"', '~ a  title: "T" -> null'],
        ),
        (
            "whole: true, entities: [{identifier: a, properties: {n: 0.1}, relations: {to: [b]}}]",
            "1 entity different",
            [
                "~ a  properties.whole: (nothing) -> 9007199254740993",
                '~ a  relations.to: ["b"] -> ["b","c"]',
                "~ a  title: (nothing) -> null",
                '~ a  blueprint: (nothing) -> "figure"',
            ],
        ),
        (
            "entities: []",
            "1 entity not expected",
            [
                (
                    '+ {"identifier":"a","properties":{"n":0.1,"whole":9007199254740993},'
                    '"relations":{"to":["b","c"]},"title":null,"blueprint":"figure"}'
                )
            ],
        ),
        (
            "entities: [{identifier: b}, {identifier: a}]",
            "1 entity missing",
            ['- {"identifier":"b"}'],
        ),
        ("dropped: 1", "dropped: 1 -> 0", []),
        ("misconfigured: []", "misconfigured: [] -> [title]", []),
        ("selector_errors: 2", "selector_errors: 2 -> 0", []),
    ],
)
def test_what_does_not_hold(bench: Bench, expect: str, said: str, lines: list[str]) -> None:
    done = bench.run(f"""
        resource: figures
        records: [{{id: a, n: 0.1, whole: 9007199254740993, to: [b, c]}}]
        expect: {{{expect}}}
        """)
    assert done.code == 1
    assert f"FAIL t: {said} [" in done.err
    assert f"{FILE}:2:11: error: t: {said}\n" in done.err
    assert differences(done) == lines
    assert "Done. PASS=0 WARN=0 ERROR=1 SKIP=0 TOTAL=1" in done.out


def test_entities_find_their_partners(bench: Bench) -> None:
    records = "records: [{id: a, n: 1}, {id: b, n: 2}, {id: 5, n: 3}, {id: c, n: true}]"
    done = bench.run(f"""
        resource: figures
        {records}
        expect:
          entities:
            - {{identifier: b, properties: {{n: 2}}}}
            - {{identifier: a, properties: {{n: 1}}}}
            - {{identifier: 5.0, properties: {{n: 4}}}}
            - {{identifier: c, properties: {{n: 1}}}}
        """)
    assert "2 entities different, the entities come in another order" in done.err
    assert differences(done) == [
        "~ [2]  properties.n: 4 -> 3",
        "~ c  properties.n: 1 -> true",
        "order: a, b, [2], c",
    ]


def test_a_truth_value_is_no_number(bench: Bench) -> None:
    done = bench.run("""
        resource: figures
        records: [{id: a, n: [1, 0]}]
        expect: {entities: [{properties: {n: [true, false]}}]}
        """)
    assert differences(done) == [
        "~ a  properties.n[0]: true -> 1",
        "~ a  properties.n[1]: false -> 0",
    ]


def test_records_that_are_lost(bench: Bench) -> None:
    test = """
        resource: figures
        records: [{id: ''}, {id: a, ok: false}, {n: 1}]
        expect: {entities: [], dropped: %d, misconfigured: [%s]}
        """
    paths = ", ".join(["identifier", "title", "relations.to", "properties.n", "properties.whole"])
    assert bench.run(test % (2, paths)).code == 0
    done = bench.run(test % (3, "title"))
    assert "dropped: 3 -> 2; misconfigured: [title] -> [title, properties.n, " in done.err


def test_a_selector_error_fails_a_test_that_does_not_expect_it(
    bench: Bench,
) -> None:
    bench.desk.edit("mappings/figures.yml", ".ok != false", ".ok")
    test = "resource: figures\nrecords: [{id: a}, {id: b, ok: true}]\nexpect: {%s}"
    done = bench.run(test % "dropped: 0")
    assert done.code == 1
    assert "selector_errors: 0 -> 1" in done.err
    assert differences(done) == ["row 0: selector.query gave null"]
    assert bench.run(test % "selector_errors: 1").code == 0


def test_a_resource_by_its_file_and_number(bench: Bench) -> None:
    done = bench.run(f"""
        mapping: mappings/figures.yml
        index: 0
        records: [{RECORD}]
        expect: {{entities: [{{identifier: a, properties: {{n: 0.5}}}}]}}
        """)
    assert done.code == 0, done.err


@pytest.mark.parametrize("text", [RECORD, f"[{RECORD}]", f"{RECORD}\n"])
def test_records_of_a_file(bench: Bench, text: str) -> None:
    bench.desk.write("tests/mappings/more/figures.json", text)
    done = bench.run("""
        resource: figures
        records: {file: more/figures.json}
        expect: {entities: [{properties: {n: 0.5}}]}
        """)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, f"{FILE}:2:11: error: t: the records in tests/mappings/r.json can't be read: No su"),
        ("[1,", "tests/mappings/r.json:1:4: error: t: this is no JSON: Expecting value"),
        ("", "tests/mappings/r.json: error: t: there is no record in it"),
    ],
)
def test_a_file_of_records_that_is_wrong(bench: Bench, text: str | None, said: str) -> None:
    if text is not None:
        bench.desk.write("tests/mappings/r.json", text)
    done = bench.run("resource: figures\nrecords: {file: r.json}\nexpect: {dropped: 0}")
    assert done.code == 1
    assert "ERROR t: " in done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (
            "resource: figures\nindex: 1\nrecords: []\nexpect: {dropped: 0}",
            f"{FILE}:2:11: error: a mapping test is about one resource\n    write resource: NAME",
        ),
        ("records: []\nexpect: {dropped: 0}", "a mapping test is about one resource"),
        (
            "resource: figures\nrecords: [{n: .nan}]\nexpect: {dropped: 0}",
            f"{FILE}:4:19: error: this is no number of JSON",
        ),
        (
            "resource: figures\nrecords: []\nexpect: {}",
            f"{FILE}:5:13: error: 'expect' must not be empty",
        ),
        (
            "resource: figures\nrecords: []\nexpect: {entitys: []}",
            f"{FILE}:5:14: error: unknown key 'entitys'\n    did you mean 'entities'?",
        ),
        (
            "resource: figures\nrecords: []\nexpect: {entities: [{property: {}}]}",
            "unknown key 'property'\n    did you mean 'properties'?",
        ),
        (
            "resource: figures\nrecords: {files: a}\nexpect: {dropped: 0}",
            "unknown key 'files'\n    did you mean 'file'?",
        ),
        (
            "resource: figures\nrecords: 5\nexpect: {dropped: 0}",
            f"{FILE}:4:14: error: 'records' must be a list or a mapping (key: value)",
        ),
    ],
)
def test_a_test_that_is_wrong_is_refused_by_all_commands(
    bench: Bench, test: str, said: str
) -> None:
    done = bench.run(test)
    assert (done.code, done.out) == (2, "")
    assert said in without_excerpts(done)
    again = bench.desk.run("ls")
    assert again.code == 2
    assert said in without_excerpts(again)


def without_excerpts(done: Done) -> str:
    """The findings without the lines of files that they are shown with."""
    return re.sub(r"^ +[0-9]* \| .*\n", "", done.err, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("resource", "place", "message", "hint"),
    [
        ("resource: figure", "3:15", "there is no resource 'figure'", "did you mean 'figures'?"),
        (
            "mapping: mappings/figure.yml\nindex: 0",
            "3:14",
            "there is no mapping file 'mappings/figure.yml' with resources",
            "did you mean 'mappings/figures.yml'?",
        ),
        (
            "mapping: mappings/figures.yml\nindex: 1",
            "4:12",
            "mappings/figures.yml has no resource 1",
            "they are counted from 0 to 0",
        ),
    ],
)
def test_a_test_of_a_resource_that_is_not_there_fails_and_nothing_else(
    bench: Bench, resource: str, place: str, message: str, hint: str
) -> None:
    bench.run(f"{resource}\nrecords: []\nexpect: {{dropped: 0}}")
    done = bench.desk.run("test")
    assert done.code == 1
    assert f"ERROR t: {message}" in done.err
    assert f"{FILE}:{place}: error: t: {message}\n" in done.err
    assert f"    {hint}\n" in done.err
    assert bench.desk.run("ls").code == 0


def test_two_tests_of_one_name(bench: Bench) -> None:
    test = "resource: figures\nrecords: []\nexpect: {dropped: 0}"
    again = indent(test, "  ")
    bench.desk.write("tests/mappings/u.yml", f"mapping_tests:\n- name: t\n{again}")
    done = bench.run(test)
    (bench.desk.root / "tests/mappings/u.yml").unlink()
    assert (done.code, done.out) == (2, "")
    assert (
        "tests/mappings/u.yml:2:9: error: the mapping test 't' is at tests/mappings/t.yml:2:11 too"
        in done.err
    )
