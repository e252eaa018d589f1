"""Options: where they may stand, what wins over what, and how log lines look."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lading import __version__
from lading.commands import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Desk

WORD_MODEL = "select '{{ var('word') }}' as word, {{ var('number') }} as number\n"


@pytest.fixture
def worded(desk: Desk) -> Desk:
    """A project with a model that shows two variables, and a second target."""
    desk.write("models/marts/words.sql", WORD_MODEL)
    desk.edit("project.yml", "target-path:", "vars: {word: project, number: 1}\ntarget-path:")
    desk.edit("project.yml", "connections:", "  other: {database: other.duckdb}\n\nconnections:", 1)
    return desk


def word(desk: Desk) -> tuple[str, int]:
    [row] = desk.query("SELECT word, number FROM marts.words")
    return row[0], row[1]


def test_variables_come_from_the_project(worded: Desk) -> None:
    assert worded.run("build").code == 0
    assert word(worded) == ("project", 1)


def test_variables_of_the_command_line_win(worded: Desk) -> None:
    assert worded.run("build", "--vars", "{word: flag, number: 2}").code == 0
    assert word(worded) == ("flag", 2)
    assert worded.run("build", "--var", "word=one", "--var", "number=3").code == 0
    assert word(worded) == ("one", 3)
    assert worded.run("build", "--vars", "{word: flag, number: 2}", "--var", "word=one").code == 0
    assert word(worded) == ("one", 2)


def test_flag_over_environment_over_dotenv_over_project(worded: Desk) -> None:
    worded.write(".env", "LADING_VARS='{word: dotenv, number: 4}'\n")
    worded.run("build")
    assert word(worded) == ("dotenv", 4)
    variables = {"LADING_VARS": "{word: environment, number: 5}"}
    worded.run("build", environment=variables)
    assert word(worded) == ("environment", 5)
    worded.run("build", "--vars", "{word: flag, number: 6}", environment=variables)
    assert word(worded) == ("flag", 6)


def test_one_variable_by_the_environment(worded: Desk) -> None:
    worded.run("build", environment={"LADING_VAR": "word=environment"})
    assert word(worded) == ("environment", 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vars", "[1, 2]"], "must be a mapping"),
        (["--vars", "{word: ["], "no YAML mapping"),
        (["--var", "word"], "'word' is no NAME=VALUE"),
        (["--log-level", "loud"], "loud"),
        (["--log-format", "xml"], "xml"),
        (["--wait", "long"], "long"),
        (["--target", "prod"], "there is no target 'prod'"),
        (["--no-such-option"], "--no-such-option"),
        (["surplus"], "surplus"),
    ],
)
def test_bad_options(worded: Desk, arguments: list[str], said: str) -> None:
    done = worded.run("build", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""
    assert not worded.database.exists()


def test_two_targets_are_two_databases(worded: Desk) -> None:
    other = worded.root / "other.duckdb"
    assert worded.run("build", "--target", "other").code == 0
    assert other.exists()
    assert not worded.database.exists()
    assert worded.run("build").code == 0
    assert worded.database.exists()


def test_target_by_environment_and_dotenv(worded: Desk) -> None:
    other = worded.root / "other.duckdb"
    worded.write(".env", "LADING_TARGET=dev\n")
    worded.run("build", environment={"LADING_TARGET": "other"})
    assert other.exists()
    assert not worded.database.exists()
    other.unlink()
    worded.write(".env", "LADING_TARGET=other\n")
    worded.run("build")
    assert other.exists()
    worded.run("build", "-t", "dev")
    assert worded.database.exists()


def test_secrets_may_stand_in_dotenv(worded: Desk) -> None:
    worded.write(".env", "PORT_CLIENT_ID=sandbox-client\nPORT_CLIENT_SECRET=wrong\n")
    done = worded.run("debug", environment={"PORT_CLIENT_ID": None})
    assert done.code == 0, done.out


@pytest.mark.parametrize("place", ["before", "after", "environment", "here"])
def test_where_the_project_folder_is_named(
    worded: Desk, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(worded.root)
    lines = {
        "before": ["-C", root, "build"],
        "after": ["build", "--project-dir", root],
        "environment": ["build"],
        "here": ["build"],
    }
    if place == "here":
        monkeypatch.chdir(worded.root)
    environment = {"LADING_PROJECT_DIR": root} if place == "environment" else None
    done = worded.call(*lines[place], environment=environment)
    assert done.code == 0, done.err
    assert worded.database.exists()


def test_a_project_folder_after_the_command_wins(worded: Desk, tmp_path: Path) -> None:
    done = worded.call("-C", str(tmp_path / "nowhere"), "build", "-C", str(worded.root))
    assert done.code == 0, done.err


def test_log_lines_as_json(worded: Desk) -> None:
    worded.edit("mappings/claude.yml", "2026-01-01", "2026-02-04")
    done = worded.run("sync", "--log-format", "json")
    assert done.code == 0
    events = [json.loads(line) for line in done.err.splitlines()]
    assert {"extract", "node", "mapped"} <= {event["code"] for event in events}
    for event in events:
        assert {"ts", "level", "code", "message"} <= event.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["ts"])
        assert event["level"] in {"debug", "info", "warning", "error"}


@pytest.mark.parametrize("environment", [None, {"LADING_LOG_FORMAT": "json"}])
def test_findings_are_json_lines_as_well(worded: Desk, environment: dict[str, str] | None) -> None:
    worded.edit("project.yml", "threads: 2", "thread: 2")
    arguments = [] if environment else ["--log-format", "json"]
    done = worded.run("build", *arguments, environment=environment)
    assert done.code == 2
    events = [json.loads(line) for line in done.err.splitlines()]
    [event] = [event for event in events if "thread" in event["message"]]
    assert event["level"] == "error"
    assert event["file"] == "project.yml"
    assert event["hint"] == "did you mean 'threads'?"


def test_log_level(worded: Desk) -> None:
    assert " OK " in worded.run("build").err
    assert worded.run("build", "--log-level", "warning").err == ""
    assert worded.run("build", environment={"LADING_LOG_LEVEL": "error"}).err == ""


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["-q"], {}), (["--log-level", "debug", "-q"], {}), ([], {"LADING_QUIET": "1"})],
)
def test_quiet(worded: Desk, arguments: list[str], environment: dict[str, str | None]) -> None:
    done = worded.run("build", "-B", "words", *arguments, environment=environment)
    assert done.code == 0
    assert done.out.startswith("Built 1 model;")
    assert done.err == ""


def test_results_and_log_lines_go_separate_ways(worded: Desk) -> None:
    done = worded.run("build")
    told = done.out.splitlines()
    assert told[0] == "Built 32 models; 0 failed, 0 skipped."
    assert told[1].startswith("Done. PASS=")
    total = int(told[1].rpartition("TOTAL=")[2])
    # A line for each model and each of their tests.
    assert len(done.err.splitlines()) == total > 32


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lading", *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_colour_and_no_bars_off_a_terminal(worded: Desk) -> None:
    worded.edit("project.yml", "threads: 2", "thread: 2")
    done = start("build", "-C", str(worded.root), FORCE_COLOR="")
    assert "\x1b" not in done.stderr + done.stdout


def test_no_color_is_obeyed_on_a_terminal(worded: Desk) -> None:
    worded.edit("project.yml", "threads: 2", "thread: 2")
    coloured, plain = (on_a_terminal(worded, **extra) for extra in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[31m" in coloured
    assert "\x1b" not in plain
    assert "unknown key 'thread'" in plain


def on_a_terminal(desk: Desk, **variables: str) -> str:
    """What a command prints whose stderr is a terminal."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lading", "build", "-C", str(desk.root)],
        env={"PATH": os.environ["PATH"], "TERM": "xterm", **variables},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    try:
        while piece := os.read(ours, 4096):
            printed += piece
    except OSError:  # on Linux the end of a terminal is an error
        pass
    os.close(ours)
    process.wait(timeout=30)
    return printed.decode()


def test_help_names_all_commands(desk: Desk) -> None:
    done = desk.call("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", done.out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(desk: Desk, command: str) -> None:
    done = desk.call(command, "-h")
    assert done.code == 0
    assert done.out.startswith(f"Usage: lading {command}")
    for line in re.findall(r"^  (?:-\w, )?--\S+.*", done.out, re.MULTILINE):
        assert len(line.split("  ")) > 1, line


def test_no_arguments_shows_the_help() -> None:
    done = start()
    assert done.returncode == 2
    assert "sync" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(desk: Desk, option: str) -> None:
    done = desk.call(option)
    assert (done.code, done.out, done.err) == (0, f"lading {__version__}\n", "")


def test_an_unknown_command_is_told_with_the_nearest(desk: Desk) -> None:
    done = desk.call("synk")
    assert done.code == 2
    assert "there is no command 'synk'" in done.err
    assert "did you mean 'sync'?" in done.err
    assert done.out == ""


def test_an_unknown_option_is_told_with_the_nearest(desk: Desk) -> None:
    done = desk.call("sync", "--tarjet", "dev")
    assert done.code == 2
    assert "--target" in done.err
