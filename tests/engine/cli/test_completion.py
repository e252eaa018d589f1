"""What shells complete, asked for as they ask, and once in a bash of its own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

BREAKS = " \t\n\"'@><=;|&(:"
MAPPINGS = [
    "claude_code_analytics",
    "claude_cost_record",
    "claude_model_usage",
    "claude_usage_record",
    "claude_workspace_usage",
]
KINDS = ["claude-code-analytics", "claude-cost-record", "claude-usage-record"]
STREAMS = [
    *("usage_messages", "cost_report", "claude_code"),
    *("workspaces", "api_keys", "users", "organization"),
]


def completed(desk: Desk, line: str) -> list[str]:
    """What bash is told when the cursor is at the end of a line; files and folders in brackets."""
    variables = {"LADING_LINE": line, "LADING_BREAKS": BREAKS, "_LADING_COMPLETE": "bash_complete"}
    done = desk.call(environment=variables)
    assert (done.code, done.err) == (0, ""), line
    told = (each.partition(",") for each in done.out.splitlines() if each)
    return [value if kind == "plain" else f"<{kind}>" for kind, _, value in told]


@pytest.fixture
def inside(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(desk.root)
    return desk


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lading comp", ["compile", "completion"]),
        ("lading build --full", ["--full-refresh"]),
        ("lading plan --output ", ["text", "json", "markdown"]),
        ("lading plan --output=ma", ["markdown"]),
        (
            "lading build usage_by_day_and_",
            [f"usage_by_day_and_{x}" for x in ("api_key", "model", "workspace")],
        ),
        ("lading build +usage_by_day_and_m", ["+usage_by_day_and_model"]),
        ("lading show cost_by_day", ["cost_by_day", "cost_by_day_and_workspace"]),
        ("lading show usage_by_day nothing_more", []),
        # Bash keeps what is before a colon or an equals sign, and wants the rest.
        ("lading compile mapping:", MAPPINGS),
        ("lading build --select mapping:claude_m", ["claude_model_usage"]),
        ("lading build --exclude=2+mapping:claude_m", ["claude_model_usage"]),
        (
            "lading ls -s tag:x,kind:claude-p",
            [
                "claude-platform-code-analytics",
                "claude-platform-cost-record",
                "claude-platform-usage-record",
            ],
        ),
        ("lading ls -s test_type:u", ["unit"]),
        (
            "lading ls -s source:claude_platform.c",
            ["claude_platform.claude_code", "claude_platform.cost_report"],
        ),
        ("lading map ", [*MAPPINGS, *KINDS]),
        ("lading extract --select ", STREAMS),
        ("lading sync -t d", ["dev"]),
        ("lading push ", ["<file>"]),
        ("lading map --records ", ["<file>"]),
        ("lading ls -C ", ["<dir>"]),
        ("lading no-such-command ", []),
        ("lading build 'half a", []),
    ],
)
def test_what_is_completed(inside: Desk, line: str, expected: list[str]) -> None:
    found = completed(inside, line)
    assert sorted(found) == sorted(expected)


def test_commands_are_all_there_and_tests_only_when_something_is_typed(inside: Desk) -> None:
    from lading.commands import COMMANDS

    assert completed(inside, "lading ") == list(COMMANDS)
    known = inside.run("ls").out.split()
    shown = completed(inside, "lading build ")
    assert sorted(shown) == sorted(
        each
        for each in known
        if each.partition(":")[0] not in {"test", "unit_test", "mapping_test"}
    )
    assert completed(inside, "lading ls not_null_usage_by_day_and_model_m") == []
    assert completed(inside, "lading ls test:not_null_usage_by_day_and_model_m") == [
        "not_null_usage_by_day_and_model_model"
    ]


def test_of_the_project_that_the_line_names(desk: Desk, tmp_path: Path) -> None:
    desk.write("models/marts/mine.sql", "select 1 as one")
    assert completed(desk, f"lading build -C {desk.root} min") == ["mine"]
    assert completed(desk, f"lading -C {desk.root} build min") == ["mine"]
    assert completed(desk, f"lading build -C {tmp_path}/nowhere min") == []
    desk.edit("project.yml", "targets:\n", "targets:\n  ci: {database: ci.duckdb}\n")
    assert completed(desk, f"lading build -C {desk.root} --target=") == ["ci", "dev"]


@pytest.mark.parametrize(
    ("file", "text", "still"),
    [
        ("mappings/broken.yml", "resources: [", ["usage_by_day"]),
        ("models/marts/usage_by_day.sql", "select {{ from", ["usage_by_day"]),
        ("project.yml", "name: [", []),
        (".env", b"\xff\xfe\x00", []),
    ],
)
def test_a_broken_project_is_no_trouble(
    inside: Desk, file: str, text: str | bytes, still: list[str]
) -> None:
    inside.write(file, "")
    (inside.root / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    found = completed(inside, "lading build usage_by_day")
    assert found[:1] == still
    assert completed(inside, "lading bui") == ["build"]
    assert completed(inside, "lading build -t ") in (["dev"], [])


def test_zsh_and_fish(inside: Desk) -> None:
    asked = {"COMP_WORDS": "lading compile mapping:claude_m"}
    zsh = {**asked, "COMP_CWORD": "2", "_LADING_COMPLETE": "zsh_complete"}
    assert inside.call(environment=zsh).out == "plain\nmapping\\:claude_model_usage\nmapping\n"
    fish = {**asked, "COMP_CWORD": "mapping:claude_m", "_LADING_COMPLETE": "fish_complete"}
    assert inside.call(environment=fish).out == "plain,mapping:claude_model_usage\tmapping\n"
    assert inside.call(environment={"_LADING_COMPLETE": "nushell_complete"}).out == "\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_as_it_is_answered(desk: Desk, shell: str) -> None:
    done = desk.call("completion", shell)
    assert done.code == 0
    assert f"_LADING_COMPLETE={shell}_complete" in done.out
    assert desk.call("completion", "tcsh").code == 2


def test_in_bash_itself(inside: Desk) -> None:
    """The script switched on as the help says, and the key pressed."""
    program = Path(sys.executable).parent
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile"],
        env={"PATH": f"{program}:{os.environ['PATH']}", "PS1": "READY> ", "TERM": "dumb"},
        cwd=str(inside.root),
        encoding="utf-8",
        timeout=30,
    )
    try:
        shell.setwinsize(50, 200)
        shell.expect("READY> ")
        shell.sendline('bind "set bell-style none"; eval "$(lading completion bash)"; echo ON')
        shell.expect("ON\r\nREADY> ")
        shell.send("lading compile mapping:claude_m\t")
        shell.expect("claude_model_usage ")
        shell.send("+mapping:claude_us\t\r")
        shell.expect("mapping:claude_usage_record ")
        shell.expect("def lading_entity")
        shell.expect("READY> ")
        shell.sendline("echo $?")
        shell.expect("0\r\n")
    finally:
        shell.close(force=True)


def test_it_is_fast_once_the_files_are_known(inside: Desk) -> None:
    completed(inside, "lading build ")
    began = time.perf_counter()
    completed(inside, "lading build ")
    assert time.perf_counter() - began < 2
