"""What is wrong with files, variables and arguments is said at once, before anything is done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, Done, MakeDesk

CASES = yaml.safe_load((Path(__file__).parent / "bad_input/files.yml").read_text("utf-8"))
LISTS = {"workspaces", "api_keys", "users", "me"}
SECRETS = ("ANTHROPIC_ADMIN_API_KEY", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET")


@pytest.fixture(scope="module")
def pristine(make_desk: MakeDesk) -> Desk:
    return make_desk()


@pytest.fixture
def spoilt(pristine: Desk, tmp_path: Path) -> Desk:
    """A project to spoil, with the stand-ins that all tests of this file share."""
    root = tmp_path / "project"
    shutil.copytree(pristine.root, root)
    pristine.forget_requests()
    return type(pristine)(root, pristine.anthropic, pristine.port)


def files_of(desk: Desk) -> dict[str, bytes]:
    paths = (
        path
        for path in desk.root.rglob("*")
        if path.is_file() and desk.root / "target" not in path.parents
    )
    return {str(path.relative_to(desk.root)): path.read_bytes() for path in paths}


def spoil(desk: Desk, case: dict[str, Any]) -> None:
    for file, edits in case.get("edit", {}).items():
        for old, new in edits.items():
            desk.edit(file, old, new, 1)
    for file, text in case.get("write", {}).items():
        desk.write(file, text)
    for file, digits in case.get("bytes", {}).items():
        (desk.root / file).write_bytes(bytes.fromhex(digits))


def assert_nothing_done(desk: Desk, done: Done, before: dict[str, bytes]) -> None:
    assert done.code == 2, done.err
    assert done.out == ""
    assert desk.anthropic.requests == []
    assert desk.port.requests == []
    assert files_of(desk) == before
    assert "Traceback" not in done.err
    assert "fault in lading" not in done.err


def place_of(desk: Desk, finding: dict[str, str]) -> str:
    if "line" not in finding:
        return f"{finding['at']}"
    lines = (desk.root / finding["at"]).read_text("utf-8").splitlines()
    wanted = finding["line"]
    whole = [number for number, line in enumerate(lines, 1) if line.strip() == wanted]
    part = [number for number, line in enumerate(lines, 1) if wanted in line]
    [number] = whole or part
    return f"{finding['at']}:{number}:"


def assert_found(desk: Desk, done: Done, finding: dict[str, str]) -> None:
    lines = done.err.splitlines()
    place = place_of(desk, finding)
    told = [
        number
        for number, line in enumerate(lines)
        if line.startswith(place) and "error: " in line and finding["says"] in line
    ]
    assert told, f"nothing about {place} in:\n{done.err}"
    if "hint" in finding:
        # The line that it is about, and a caret, may stand between.
        assert any(finding["hint"] in line for line in lines[told[0] + 1 : told[0] + 4])


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_bad_files(spoilt: Desk, case: dict[str, Any]) -> None:
    spoil(spoilt, case)
    before = files_of(spoilt)
    done = spoilt.run("sync")
    assert_nothing_done(spoilt, done, before)
    for finding in case["finds"]:
        assert_found(spoilt, done, finding)
    errors = [line for line in done.err.splitlines() if ": error: " in line]
    assert len(errors) == len(case["finds"]), done.err
    if "never" in case:
        assert case["never"] not in done.err


@pytest.mark.parametrize("name", SECRETS)
def test_a_variable_that_is_not_set(spoilt: Desk, name: str) -> None:
    before = files_of(spoilt)
    done = spoilt.run("sync", environment={name: None})
    assert_nothing_done(spoilt, done, before)
    assert f"the environment variable {name} is not set" in done.err
    assert "project.yml:" in done.err
    assert f"export {name}=" in done.err


def test_all_variables_that_are_not_set_at_once(spoilt: Desk) -> None:
    before = files_of(spoilt)
    done = spoilt.run("sync", environment=dict.fromkeys(SECRETS))
    assert_nothing_done(spoilt, done, before)
    for name in SECRETS:
        assert f"{name} is not set" in done.err
    assert "3 errors" in done.err


def test_variables_and_files_at_once(spoilt: Desk) -> None:
    spoilt.edit("mappings/claude.yml", "kind: claude-cost-record", "kind: claude-cost")
    before = files_of(spoilt)
    done = spoilt.run("sync", environment={"PORT_CLIENT_ID": None})
    assert_nothing_done(spoilt, done, before)
    assert "PORT_CLIENT_ID is not set" in done.err
    assert "claude-cost" in done.err


@pytest.mark.parametrize("command", ["extract", "build", "plan", "push", "debug"])
def test_every_command_checks_the_files_first(spoilt: Desk, command: str) -> None:
    spoilt.edit("mappings/claude.yml", "kind: claude-cost-record", "kind: claude-cost")
    before = files_of(spoilt)
    done = spoilt.run(command)
    assert done.code == 2
    # What `debug` finds is its result.
    assert "claude-cost" in (done.out if command == "debug" else done.err)
    assert files_of(spoilt) == before


def test_no_project_here(spoilt: Desk) -> None:
    (spoilt.root / "project.yml").unlink()
    done = spoilt.run("sync")
    assert done.code == 2
    assert "there is no project.yml in " in done.err
    assert "-C DIR" in done.err


def asked(desk: Desk) -> set[str]:
    """What was asked for, by the ends of its paths."""
    return {request.path.rpartition("/")[2] for request in desk.anthropic.requests}


def test_a_start_in_the_future_is_a_warning_and_fetches_no_report(spoilt: Desk) -> None:
    spoilt.edit("mappings/claude.yml", "2026-01-01", "2026-03-01")
    done = spoilt.run("sync")
    assert done.code == 0, done.err
    warnings = [line for line in done.err.splitlines() if "warning: " in line]
    assert len(warnings) == 5
    assert all(line.startswith("mappings/claude.yml:") for line in warnings)
    # Nothing but the lists, which are of no time.
    assert asked(spoilt) == LISTS
    assert spoilt.sent() == []


def test_one_start_in_the_future_leaves_the_others_alone(spoilt: Desk) -> None:
    spoilt.edit("mappings/claude.yml", "startingDate: '2026-01-01'", "startingDate: '2026-03-01'")
    spoilt.edit("mappings/claude.yml", "2026-01-01", "2026-02-03")
    done = spoilt.run("sync")
    assert done.code == 0, done.err
    assert asked(spoilt) == {"messages", "cost_report", *LISTS}
    assert spoilt.held("claude_code_analytics") == {}
    assert len(spoilt.held("claude_usage_record")) == 3
