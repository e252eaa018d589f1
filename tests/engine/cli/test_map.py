"""`lading map`: mappings tried out at the desk and on what has landed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lading import secrets
from lading.commands import invoke
from lading.warehouse.database import Database

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, Done, MakeDesk

CASES = json.loads(
    (Path(__file__).parents[1] / "mapping/conformance/mapping_cases.json").read_text("utf-8")
)
SPLIT = {"itemsToParse": ".results"}


class Playground:
    """A folder without a project, and `lading map` in it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch
        patch.chdir(folder)

    def write(self, name: str, content: Any) -> str:
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, "utf-8")
        return name

    def mapping(self, mappings: Mapping[str, Any], query: str = "true", **port: Any) -> str:
        """A mapping file with one resource, whose identifier is `.id`."""
        whole = {"identifier": ".id", "blueprint": '"bp"', **mappings}
        resource = {
            "kind": "k",
            "selector": {"query": query},
            "port": {**port, "entity": {"mappings": whole}},
        }
        return self.write("mapping.yml", {"resources": [resource]})

    def run(self, *arguments: str, stdin: str = "") -> Done:
        from tests.engine.conftest import Done

        self._patch.setattr(sys, "stdin", StringIO(stdin))
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = invoke(["map", *arguments])
        return Done(code, out.getvalue(), err.getvalue())

    def json(self, mapping: str, records: Any, *more: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and the output with numbers that are no integers as Decimals."""
        file = self.write("records.json", records)
        done = self.run("--mapping", mapping, "--records", file, "--output", "json", *more)
        return done.code, json.loads(done.out, parse_float=Decimal)


@pytest.fixture
def playground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playground:
    for name in [name for name in os.environ if name.startswith("LADING_")]:
        monkeypatch.delenv(name)
    return Playground(tmp_path, monkeypatch)


def as_doubles(value: Any) -> Any:
    """JSON with its numbers as the reference has them, truth values kept apart from them."""
    if isinstance(value, dict):
        return {key: as_doubles(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_doubles(each) for each in value]
    return value if value is None or isinstance(value, str | bool) else ("number", float(value))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']}-{case['group']}")
def test_conformance_case(case: dict[str, Any], playground: Playground) -> None:
    mapping = playground.write("f.yml", {"resources": [{"kind": "k", **case["resource"]}]})
    records = playground.write("r.json", case["records"])

    done = playground.run("--mapping", mapping, "--records", records, "--output", "json")

    if case["config_rejected"]:
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("f.yml:1:")
        return
    found = json.loads(done.out)
    assert list(found) == ["entities", "misconfigured", "selector_errors", "dropped"]
    assert as_doubles(found["entities"]) == as_doubles(case["entities"])
    assert found["misconfigured"] == case["misconfigured"]
    assert bool(found["selector_errors"]) == case["kind_error"]
    assert done.code == int(case["kind_error"])


def test_the_cases_are_all_there() -> None:
    assert len(CASES) == 55


def test_values_and_errors_of_each_expression_are_shown(playground: Playground) -> None:
    mapping = playground.mapping(
        {
            "title": ".a.b",
            "properties": {"n": ".n", "add": '.id + 1 + "x"', "bad": ".n +", "list": "[.id, .n]"},
            "relations": {"one": ".a"},
        }
    )
    playground.write("r.json", '{"id": "x", "n": 1.50}')

    done = playground.run("--mapping", mapping, "--records", "r.json")

    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:3] == ["bp k, mapping.yml:1:16", 'row 0 {"id": "x", "n": 1.50}', "bp x"]
    assert lines[3:8] == [
        'identifier "x"',
        'blueprint "bp"',
        "title gave null or nothing .a.b",
        "properties.n 1.5",
        'properties.add failed: string ("x") and number (1) cannot be added .id + 1 + "x"',
    ]
    assert lines[8].startswith("properties.bad does not compile: syntax error")
    assert lines[9:11] == ['properties.list ["x",1.5]', "relations.one gave null or nothing .a"]
    assert lines[11] == "1 row: 1 entity."
    assert "mapping.yml:1:214: warning: properties.bad: syntax error" in done.err


def test_what_became_of_records_without_an_entity(playground: Playground) -> None:
    mapping = playground.mapping(
        {"identifier": ".item.id", "properties": {"n": ".item.n"}}, ".item.n != 3", **SPLIT
    )
    rows = '{"results": [{"id": "", "n": 1}, {"id": "b", "n": 2}, {"id": "c", "n": 3}]}\n{"a": 1}'
    playground.write("r.json", rows)

    done = playground.run("--mapping", mapping, "--records", "r.json")

    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[2:] == [
        'dropped: identifier gave ""',
        'identifier ""',
        'blueprint "bp"',
        "properties.n 1",
        "bp b",
        'identifier "b"',
        'blueprint "bp"',
        "properties.n 2",
        "filtered: selector.query gave false",
        'row 1 {"a": 1}',
        "skipped: itemsToParse gave null, not a list",
        "2 rows: 1 entity, 1 filtered, 2 dropped.",
        "",
    ]
    code, found = playground.json(mapping, rows)
    assert (code, found["dropped"]) == (0, 2)


def test_a_selector_that_gives_no_truth_value_fails_the_command(playground: Playground) -> None:
    code, found = playground.json(playground.mapping({}, ".ok"), '{"id": "a"} {"id":"b","ok":true}')

    assert code == 1
    assert [each["identifier"] for each in found["entities"]] == ["b"]
    assert found["selector_errors"] == ["bp: row 0: selector.query gave null"]


def test_what_does_not_compile_is_told_without_any_record(playground: Playground) -> None:
    code, found = playground.json(playground.mapping({"title": ".a b"}), "[]")
    assert (code, found["entities"], found["misconfigured"]) == (0, [], ["title"])
    assert found["selector_errors"] == []

    code, found = playground.json(playground.mapping({}, ".a b"), "[]")
    assert (code, found["misconfigured"]) == (1, [])
    assert found["selector_errors"][0].startswith("bp: selector.query does not compile: syntax")


FAULTY = """\
resources:
- kind: k
  selector: {query: true}
  port:
    entity:
      mappings:
        identifier: .id
        blueprint: '"bp"'
        title: '"é" | nope1'
        properties:
          quoted: "\\"é\\" | nope2"
          block: |
            .a as $x
              | nope3
          folded: >-
            .a
            | nope4
"""


@pytest.mark.parametrize("file", ["m.yml", "-"])
def test_a_fault_is_shown_within_its_expression(playground: Playground, file: str) -> None:
    playground.write("m.yml", FAULTY)
    playground.write("r.json", "[]")
    stdin = FAULTY if file == "-" else ""
    done = playground.run("--mapping", file, "--records", "r.json", stdin=stdin)

    name = "stdin" if file == "-" else file
    lines = FAULTY.splitlines()
    for number in (1, 2, 3, 4):
        line = next(at for at, text in enumerate(lines) if f"nope{number}" in text)
        column = lines[line].index(f"nope{number}")
        assert f"{name}:{line + 1}:{column + 1}: warning: " in done.err
    assert f"{name}:3:21: warning: selector.query: True/0 is not defined" in done.err
    assert "YAML reads a bare true as no text: write 'true'" in done.err


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "a", "n": 123456789012345678901234567890.100}',
        '[\n {"id": "a",\n "n": 123456789012345678901234567890.1}\n]\n',
        '\ufeff\r\n{"id": "a", "n": 1234567890123456789012345678901E-1}\r\n',
    ],
    ids=["object", "list", "line"],
)
def test_numbers_keep_every_digit(playground: Playground, text: str) -> None:
    mapping = playground.mapping({"properties": {"n": ".n"}})
    playground.write("r.json", text)

    done = playground.run("--mapping", mapping, "--records", "r.json")
    assert "properties.n  123456789012345678901234567890.1\n" in done.out

    done = playground.run("--mapping", mapping, "--records", "r.json", "-o", "json")
    assert '"n":123456789012345678901234567890.1}' in done.out


def test_integers_beyond_64_bits(playground: Playground) -> None:
    huge = 7**90
    mapping = playground.mapping({"properties": {"n": ".n"}})
    assert playground.json(mapping, {"id": "a", "n": huge})[1]["entities"] == [
        {"identifier": "a", "blueprint": "bp", "properties": {"n": huge}}
    ]


@pytest.mark.parametrize(
    ("text", "identifiers"),
    [
        ('{"id": "a"}', ["a"]),
        ('[{"id": "a"}, {"id": "b"}]', ["a", "b"]),
        ('{"id": "a"}\n\n{"id": "b"}\n{"id": "c"}', ["a", "b", "c"]),
        ('{\n"id": "a"\n}\n{\n"id": "[b"\n}', ["a", "[b"]),
        ("[ ]", []),
    ],
    ids=["object", "list", "lines", "values", "empty list"],
)
def test_shapes_of_records(playground: Playground, text: str, identifiers: list[str]) -> None:
    mapping = playground.mapping({})
    _, found = playground.json(mapping, text)
    assert [each["identifier"] for each in found["entities"]] == identifiers

    done = playground.run("--mapping", mapping, "--records", "-", "-o", "json", stdin=text)
    assert json.loads(done.out) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "r.json: error: there is no record in it"),
        (" \n", "r.json: error: there is no record in it"),
        ('{"id": "a"}\n{"id": b}', "r.json:2:8: error: this is no JSON: Expecting value"),
        ('[{"id": "a"},\n ]', "r.json:2:"),
        ('{"id": "a"}\n\n{"id": NaN}', "r.json:3: error: this is no JSON: NaN is no number"),
        ("[" * 100_000, "r.json:1: error: this is no JSON: it is nested too deeply"),
    ],
    ids=["empty", "blank", "no JSON", "comma", "NaN", "deep"],
)
def test_records_that_are_no_json(playground: Playground, text: str, said: str) -> None:
    playground.write("r.json", text)
    done = playground.run("--mapping", playground.mapping({}), "--records", "r.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mapping", "-", "--records", "-"], "stdin is either the records or the mapping"),
        (
            ["--mapping", "mapping.yml", "--records", "none.json"],
            "none.json can't be read: No such",
        ),
        (["--mapping", "none.yml", "--records", "-"], "none.yml can't be read: No such file"),
        (["--mapping", "mapping.yml", "--records", "-", "--where", "1"], "--where is about rows"),
        (["--mapping", "mapping.yml", "--records", "-", "--limit", "0"], "--limit"),
        (["--mapping", "mapping.yml", "--records", "r.json", "pb"], "there is no resource 'pb'"),
        (["--mapping", "mapping.yml"], "there is no project.yml in"),
        (["--mapping", "list.yml", "--records", "r.json"], "'resources' must be a list"),
        (
            ["--mapping", "bad.yml", "--records", "r.json"],
            "bad.yml:2:1: error: not readable as YAML",
        ),
        (["--mapping", "none-in.yml", "--records", "r.json"], "there is no resource"),
    ],
)
def test_a_command_line_that_is_wrong(
    playground: Playground, arguments: list[str], said: str
) -> None:
    playground.mapping({})
    playground.write("r.json", '{"id": "a"}')
    playground.write("list.yml", "resources: 5")
    playground.write("none-in.yml", "resources: []")
    playground.write("bad.yml", "{")
    done = playground.run(*arguments, stdin="{}")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_names_that_clash_are_refused(playground: Playground) -> None:
    resource = {
        "name": "a",
        "kind": "k",
        "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": '"bp"'}}},
    }
    playground.write("m.yml", {"resources": [resource, resource]})
    done = playground.run("--mapping", "m.yml", "--records", "-", stdin="{}")
    assert (done.code, done.out) == (2, "")
    assert "the resource name 'a' is taken at m.yml:1:" in done.err


def test_several_resources_in_their_order(playground: Playground) -> None:
    mappings = {"identifier": ".id", "blueprint": '"bp"', "title": ".t", "icon": ".i"}
    playground.write(
        "m.yml",
        {
            "resources": [
                {"name": name, "kind": kind, "port": {"entity": {"mappings": mappings}}}
                for name, kind in (("one", "k"), ("two", "k"), ("three", "other"))
            ]
        },
    )
    playground.write("r.json", '{"id": "a"}{"id": "b"}')

    def mapped(*names: str) -> tuple[list[str], list[str]]:
        done = playground.run("--mapping", "m.yml", "--records", "r.json", "-o", "json", *names)
        found = json.loads(done.out)
        return [each["identifier"] for each in found["entities"]], found["misconfigured"]

    assert mapped() == (["a", "b"] * 3, ["title", "icon"])
    assert mapped("two") == (["a", "b"], ["title", "icon"])
    assert mapped("k") == (["a", "b"] * 2, ["title", "icon"])
    assert mapped("three", "one") == (["a", "b"] * 2, ["title", "icon"])


def test_five_records_are_shown_and_all_are_in_the_json(playground: Playground) -> None:
    records = [{"id": f"r{number}"} for number in range(7)]
    mapping = playground.mapping({})
    playground.write("r.json", records)

    done = playground.run("--mapping", mapping, "--records", "r.json")
    assert [done.out.count(f"bp r{number}") for number in range(7)] == [1] * 5 + [0] * 2
    assert "5 rows: 5 entities.  There are more rows than --limit 5." in done.out
    assert len(playground.json(mapping, records)[1]["entities"]) == 7
    assert len(playground.json(mapping, records, "--limit", "2")[1]["entities"]) == 2
    done = playground.run("--mapping", mapping, "--records", "r.json", "--limit", "7")
    assert "7 rows: 7 entities.\n" in done.out


def test_fields_that_no_expression_reads(playground: Playground) -> None:
    mapping = playground.mapping(
        {"identifier": ".item.id", "properties": {"n": ".item.sub.n", "all": ".whole"}},
        "(.item.on | not) and (.rest | length) == 0",
        itemsToParse="[.results[] | select(.kind == 1)]",
        itemsToParseTopLevelTransform=False,
    )
    record = {
        "results": [{"id": "a", "on": False, "kind": 1, "sub": {"n": None, "m": 1}, "x y": [2]}],
        "whole": {"a": {"b": 1}},
        "rest": [{"c": 1}],
        "none": {},
    }
    _, found = playground.json(mapping, record, "--unmapped")
    unread = [".results[].sub.m", '.results[]["x y"][]', ".rest[].c", ".none"]
    assert found["unmapped"] == {"bp": unread}

    playground.write("r.json", record)
    done = playground.run("--mapping", mapping, "--records", "r.json", "--unmapped")
    assert f"no expression reads: {', '.join(unread)}\n" in done.out


ENDLESS = "if .n then def f: f; f else 1 end"


def test_an_expression_that_never_ends_is_ended(playground: Playground) -> None:
    mapping = playground.mapping({"properties": {"n": ENDLESS}})
    code, found = playground.json(mapping, '{"id": "a", "n": 1}\n{"id": "b"}')

    assert code == 1
    assert [each["identifier"] for each in found["entities"]] == ["b"]
    assert found["selector_errors"] == ["bp: row 0: the row takes longer than 3 s"]


def test_a_resource_that_can_t_be_carried_out_is_given_up(playground: Playground) -> None:
    resources = [
        {
            "kind": "k",
            "port": {"entity": {"mappings": {"identifier": each, "blueprint": f'"{name}"'}}},
        }
        for name, each in (("endless", ENDLESS), ("good", ".id"))
    ]
    playground.write("m.yml", {"resources": resources})
    playground.write("r.json", [{"id": str(number), "n": 1} for number in range(4)])

    done = playground.run("--mapping", "m.yml", "--records", "r.json", "-o", "json")

    assert done.code == 1
    found = json.loads(done.out)
    assert [each["identifier"] for each in found["entities"]] == ["0", "1", "2", "3"]
    assert len(found["selector_errors"]) == 3
    assert "error: endless: resource 'endless' is given up: the row takes longer" in done.err


def test_the_environment_is_out_of_reach(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_VAR", "told-to-nobody")
    properties = {"a": "env.DEMO_VAR", "b": "$ENV.DEMO_VAR", "c": "env | length", "d": "$ENV"}
    mapping = playground.mapping({"properties": properties})

    _, found = playground.json(mapping, {"id": "a"})

    assert found["entities"][0]["properties"] == {"a": None, "b": None, "c": 0, "d": {}}
    done = playground.run("--mapping", mapping, "--records", "records.json")
    assert "told-to-nobody" not in done.out + done.err


def test_secrets_are_masked(playground: Playground) -> None:
    secrets.register("hunter2-and-more")
    mapping = playground.mapping({"title": ".t"})
    playground.write("r.json", {"id": "hunter2-and-more", "t": "hunter2-and-more"})
    for more in (
        [],
        ["-o", "json"],
        ["--explain", "hunter2-and-more"],
        ["--explain", "hunter2-and"],
    ):
        done = playground.run("--mapping", mapping, "--records", "r.json", *more)
        assert "hunter2-and-more" not in done.out + done.err
        assert "********" in done.out + done.err


def test_a_record_moves_no_cursor(playground: Playground) -> None:
    record = {"id": "a\u009b2J", "t": "\u001b[2J\r\n"}
    playground.write("r.json", json.dumps(record, ensure_ascii=False))
    done = playground.run("--mapping", playground.mapping({"title": ".t"}), "--records", "r.json")
    assert done.code == 0
    assert all(line.isprintable() for line in done.out.splitlines())


def coloured(folder: Path, **variables: str) -> str:
    """What `lading map` prints on a terminal."""
    import pexpect

    program = [sys.executable, "-m", "lading", "map", "--mapping", "mapping.yml"]
    done = pexpect.run(
        " ".join([*program, "--records", "r.json"]),
        cwd=str(folder),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), **variables},
        encoding="utf-8",
    )
    return str(done)


def test_colours_on_a_terminal_alone(playground: Playground) -> None:
    mapping = playground.mapping({"title": ".t"})
    playground.write("r.json", {"id": "a"})
    plain = subprocess.run(
        [sys.executable, "-m", "lading", "map", "--mapping", mapping, "--records", "r.json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "\x1b" not in plain
    assert "\x1b[32m\x1b[1mbp a\x1b[0m" in coloured(playground.folder, TERM="xterm")
    assert coloured(playground.folder, TERM="xterm", NO_COLOR="1").splitlines() == (
        plain.splitlines()
    )


def test_which_record_made_an_entity(playground: Playground) -> None:
    mapping = playground.mapping({"identifier": ".n // .id", "properties": {"v": ".v"}})
    records = [{"id": "a", "v": 1}, {"id": "b"}, {"id": "a", "v": 2}, {"n": 42}]
    code, found = playground.json(mapping, records, "--explain", "a")
    assert code == 0
    assert [each["properties"] for each in found["entities"]] == [{"v": 1}, {"v": 2}]
    assert [(each["row"], each["record"]["v"]) for each in found["explained"]] == [(0, 1), (2, 2)]
    assert found["misconfigured"] == []
    assert playground.json(mapping, records, "--explain", "42")[1]["explained"] == [
        {"resource": "bp", "row": 3, "record": {"n": 42}, "slices": []}
    ]
    done = playground.run("--mapping", mapping, "--records", "records.json", "--explain", "a")
    assert [done.out.count(f"  row {number}  ") for number in range(4)] == [1, 0, 1, 0]
    done = playground.run("--mapping", mapping, "--records", "records.json", "--explain", "aa")
    assert (done.code, done.out) == (2, "")
    assert "no row makes an entity 'aa'\n    did you mean 'a'?" in done.err


@pytest.fixture(scope="module")
def landed(make_desk: MakeDesk) -> Desk:
    """A project with five days of the reports, and its models made."""
    desk = make_desk()
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    assert desk.run("extract").code == 0
    assert desk.run("build").code == 0
    return desk


Mapped = Callable[..., dict[str, Any]]


@pytest.fixture
def mapped(landed: Desk) -> Mapped:
    """What `lading map --output json` prints."""

    def run(*arguments: str) -> dict[str, Any]:
        done = landed.run("map", *arguments, "--output", "json")
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    return run


def test_entities_of_landed_rows_are_those_of_the_plan(landed: Desk, mapped: Mapped) -> None:
    assert landed.run("plan").code == 0
    planned = landed.query(
        "SELECT entity::VARCHAR FROM lading.entities ORDER BY resource, position"
    )

    found = mapped()["entities"]

    def by_text(entity: dict[str, Any]) -> str:
        return json.dumps({key: entity[key] for key in sorted(entity) if key != "blueprint"})

    assert len(found) > 50
    assert sorted(map(by_text, found)) == sorted(by_text(json.loads(text)) for (text,) in planned)


def test_the_command_only_reads(landed: Desk) -> None:
    before = landed.database.read_bytes()
    landed.forget_requests()
    database = Database(landed.database)
    with database.reading():  # a writer would have to wait for this one
        done = landed.run("map", "claude_cost_record", "--wait", "0", environment=WITHOUT_KEYS)
    assert done.code == 0, done.err
    assert "claude_cost_record 2026-02-01-cost" in done.out
    assert landed.database.read_bytes() == before
    assert not landed.anthropic.requests
    assert not landed.port.requests


WITHOUT_KEYS = dict.fromkeys(["ANTHROPIC_ADMIN_API_KEY", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET"])


def test_a_condition_on_the_rows(mapped: Mapped) -> None:
    days = [
        each["properties"]["record_date"]
        for each in mapped("claude-cost-record", "--where", "starting_at[:10] = '2026-02-03'")[
            "entities"
        ]
    ]
    assert days == ["2026-02-03T00:00:00Z"]
    condition = "starting_at < '2026-02-03' -- before\n OR false"
    assert mapped("claude_cost_record", "--where", condition)["entities"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("starting = 1", 'Referenced column "starting" not found'),
        ("true) OR (", "syntax error"),
        ("error('no such day')", "no such day"),
    ],
)
def test_a_condition_that_can_t_be_put(landed: Desk, condition: str, said: str) -> None:
    done = landed.run("map", "claude_cost_record", "--where", condition)
    assert done.code == 2
    assert said in done.err
    assert "a condition on the rows of claude-cost-record" in done.err


def test_the_landed_rows_behind_an_entity(landed: Desk, mapped: Mapped) -> None:
    ((identifier, run),) = landed.query(
        "SELECT model || '-2026-02-05', run_id FROM marts.usage_by_day_and_model, lading.runs "
        "WHERE day = '2026-02-05' AND command = 'extract' ORDER BY output_tokens DESC LIMIT 1"
    )
    (found,) = mapped("--explain", identifier)["explained"]
    assert found["resource"] == "claude_model_usage"
    assert found["record"]["starting_at"] == "2026-02-05T00:00:00Z"
    (slice_,) = found["slices"]
    assert slice_ == {
        "stream": "usage_messages",
        "request": slice_["request"],
        "starting_at": "2026-02-05T00:00:00Z",
        "ending_at": "2026-02-06T00:00:00Z",
        "records": 1,
        "fetched_at": slice_["fetched_at"],
        "run_id": run,
    }
    # Not the ungrouped one, which was fetched for the control totals.
    assert json.loads(slice_["request"])["group_by"] == ["model", "workspace_id"]

    done = landed.run("map", "--explain", identifier)
    assert (
        "from raw.usage_messages, 2026-02-05T00:00:00Z to 2026-02-06T00:00:00Z: 1 rec" in done.out
    )
    assert f"that run {run} fetched at" in done.out


def test_the_day_of_claude_code_behind_an_entity(landed: Desk, mapped: Mapped) -> None:
    entity = mapped("claude_code_analytics", "--limit", "1")["entities"][0]
    (found,) = mapped("--explain", entity["identifier"])["explained"]
    day = entity["properties"]["record_date"]
    count = landed.query(f"SELECT count(*) FROM raw.claude_code WHERE starting_at = '{day[:10]}'")
    assert [(each["stream"], each["starting_at"], each["records"]) for each in found["slices"]] == [
        ("claude_code", day, count[0][0])
    ]


def test_fields_of_landed_rows_that_are_not_mapped(mapped: Mapped) -> None:
    found = mapped("claude_code_analytics", "claude_cost_record", "--unmapped")["unmapped"]
    assert ".actor.email_address" in found["claude_code_analytics"]
    assert ".estimated_cost_usd" in found["claude_code_analytics"]
    assert not {".actor.email", ".model_breakdown[].model"} & {*found["claude_code_analytics"]}
    assert ".results[].description" in found["claude_cost_record"]


def test_a_mapping_from_outside_on_landed_rows(landed: Desk, tmp_path: Path) -> None:
    text = (landed.root / "mappings/claude.yml").read_text("utf-8")
    own = tmp_path / "own.yml"
    own.write_text(text.replace('-cost"', '-own"').replace("claude-code-analytics", "strange"))

    done = landed.run("map", "--mapping", str(own), "--limit", "1")
    assert done.code == 0
    assert "claude_cost_record 2026-02-01-own" in done.out
    assert "own.yml:99:11: warning: no rows have landed for the unknown kind 'strange'" in done.err
    assert "`--records FILE` gives it records of your own" in done.err

    done = landed.run("map", "--mapping", str(own), "strange")
    assert (done.code, done.out) == (2, "")

    own.write_text(text.replace("groupBy: []", "groupBye: []"))
    done = landed.run("map", "--mapping", str(own), "claude_usage_record")
    assert (done.code, done.out) == (2, "")
    assert "has no selector key 'groupBye'" in done.err
    assert landed.run("map", "--mapping", str(own), "claude_cost_record").code == 0


def test_a_broken_expression_of_the_project_is_refused_elsewhere_alone(desk: Desk) -> None:
    desk.edit("mappings/claude.yml", '.starting_at[:10] + "-cost"', ".starting_at[:10] +")
    desk.write("r.json", '{"starting_at": "2026-02-01T00:00:00Z", "results": [{"amount": "5"}]}')
    arguments = ("map", "claude_cost_record", "--records", str(desk.root / "r.json"))

    for _ in range(2):  # the second time with what was kept of the first
        done = desk.run(*arguments, "-o", "json")
        assert done.code == 0
        assert json.loads(done.out)["misconfigured"] == ["identifier", "properties.amount_usd"]
        assert "mappings/claude.yml:37:23: warning: identifier: syntax error" in done.err
        refused = desk.run("test")
        assert refused.code == 2
        assert "mappings/claude.yml:37:23: error: identifier: syntax error" in refused.err


def test_a_project_mapping_of_the_wrong_shape_is_refused(desk: Desk) -> None:
    desk.edit("mappings/claude.yml", "resources:", "resource:")
    desk.write("r.json", "{}")
    done = desk.run("map", "--records", str(desk.root / "r.json"))
    assert done.code == 2
    assert "unknown key 'resource'" in done.err


def test_before_anything_has_landed(desk: Desk) -> None:
    done = desk.run("map")
    assert (done.code, done.out) == (1, "")
    assert "`lading sync` or `lading extract` makes it" in done.err


def test_models_that_are_not_made(desk: Desk) -> None:
    with Database(desk.database).writing() as connection:
        connection.execute("CREATE SCHEMA lading")
    done = desk.run("map", "claude_cost_record", "claude_usage_record", "-o", "json")
    assert done.code == 1
    assert json.loads(done.out)["entities"] == []
    assert "models/resources/claude-cost-record.sql:" in done.err
    assert "error: claude_usage_record: " in done.err
