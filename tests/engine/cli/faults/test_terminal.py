"""On a terminal: bars on stderr, and nothing of them anywhere else."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from lading.sandbox.faults import Fault
from lading.sandbox.server import Request, Response

if TYPE_CHECKING:
    import pexpect
    from tests.engine.cli.faults.conftest import Relay, Start
    from tests.engine.conftest import Desk

PATIENCE = 60
BAR = "━"
# Control sequences that begin with ESC [: those that end in m colour and embolden.
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[0-9;]+)m")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Seen(NamedTuple):
    """What a command left on the terminal and in its stdout, and its exit code."""

    terminal: str
    out: str
    code: int | None


def spawn(
    desk: Desk, *arguments: str, columns: int = 100, **environment: str
) -> pexpect.spawn[str]:
    """A command with its stdin and stderr on a terminal, its stdout in a file."""
    import pexpect

    command = [sys.executable, "-m", "lading", arguments[0], "-C", str(desk.root), *arguments[1:]]
    line = f"exec {shlex.join(command)} > {shlex.quote(str(desk.root / 'out.txt'))}"
    variables = {**desk.environment, "PATH": os.environ["PATH"], "TERM": "xterm-256color"}
    return pexpect.spawn(
        "/bin/sh",
        ["-c", line],
        env={**variables, **environment},
        encoding="utf-8",
        codec_errors="replace",  # Ctrl-C may come in the middle of a bar's character
        timeout=PATIENCE,
        dimensions=(40, columns),
    )


def see(desk: Desk, *arguments: str, columns: int = 100, **environment: str) -> Seen:
    import pexpect

    child = spawn(desk, *arguments, columns=columns, **environment)
    child.expect(pexpect.EOF)
    child.close()
    return Seen(child.before or "", (desk.root / "out.txt").read_text("utf-8"), child.exitstatus)


def test_a_terminal_gets_bars_and_stdout_gets_none(desk: Desk) -> None:
    seen = see(desk, "sync")
    assert seen.code == 0
    for name in ("usage_messages", "cost_report", "claude_code", "models", "mappings", "push"):
        assert re.search(rf"{name}[^\r\n]*{BAR}", seen.terminal), name
    assert COLOUR.search(seen.terminal)
    plain = SEQUENCE.sub("", seen.terminal)
    # The first of 2026 to the fifth of February, of which cost has no report yet.
    assert re.search(r"usage_messages\s+━+ 36 of 36 days, 72 rows", plain)
    assert re.search(r"cost_report\s+━+ 35 of 35 days, 35 rows", plain)
    assert re.search(r"workspaces\s+━+ 1 of 1 lists, 6 rows", plain)
    assert re.search(r"models\s+━+ (\d+) of \1 models and tests", plain)
    assert re.search(rf"push\s+━+ {len(desk.sent())} of {len(desk.sent())} entities", plain)
    assert seen.terminal.rindex(SHOW_CURSOR) > seen.terminal.rindex(HIDE_CURSOR)
    assert "Pushed to Port" in seen.out
    assert not SEQUENCE.search(seen.out)
    assert BAR not in seen.out
    # Log lines run above the bars.
    assert "extract claude_code 1d: 2026-01-01 to " in seen.terminal


def test_findings_are_coloured_on_a_terminal_unless_that_is_not_wanted(desk: Desk) -> None:
    desk.edit("project.yml", "version: 1.0.0", "verson: 1.0.0")
    plain, coloured = see(desk, "sync", NO_COLOR="1"), see(desk, "sync")
    assert (plain.code, coloured.code) == (2, 2)
    assert "error: " in plain.terminal
    assert not SEQUENCE.search(plain.terminal)
    assert COLOUR.search(coloured.terminal)


def test_lines_above_the_bars_are_whole_and_plain_when_that_is_wanted(desk: Desk) -> None:
    """Whoever calls a key `:key:` sees it so in the log, however long the line is."""
    name = ":key:" * 40
    desk.edit("mappings/claude.yml", '(.results[0].currency // "USD")', f'error("{name}")')
    desk.anthropic.faults.add(Fault("403", path="claude_code", times=None))
    seen = see(desk, "sync", NO_COLOR="1")
    assert seen.code == 1
    assert BAR in seen.terminal
    assert "error: " in seen.terminal
    assert name in seen.terminal
    assert not COLOUR.search(seen.terminal)


@pytest.mark.parametrize("format", ["text", "json"])
def test_what_is_no_terminal_gets_plain_lines(start: Start, format: str) -> None:
    process = start("extract", "--log-format", format)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "\x1b" not in out + err
    assert BAR not in out + err
    if format == "json":
        codes = [json.loads(line)["code"] for line in err.splitlines()]
        assert codes == [*["extract"] * 8, "control_totals", "unknown", "unknown"]


@pytest.mark.parametrize("columns", [80, 40])
def test_bars_fit_the_screen_and_waits_are_told(desk: Desk, columns: int) -> None:
    desk.anthropic.faults.add(Fault("429", path="cost_report", retry_after=2))
    desk.anthropic.faults.add(Fault("slow", path="claude_code", times=3, seconds=1))
    seen = see(desk, "extract", columns=columns, NO_COLOR="1")
    assert seen.code == 0
    drawn = SEQUENCE.sub("", seen.terminal).split("\r\n")
    lines = [line.split("\r")[-1] for line in drawn if BAR in line]
    assert any(re.match(r"usage_messages +━+ 36 of 36 days", each) for each in lines)
    assert max(map(len, lines)) <= columns
    said = " ".join(SEQUENCE.sub("", seen.terminal).split())
    assert "warning: Anthropic asks for 2 s: GET" in said
    assert "again in 2.0 s (try 2 of 5)" in said
    assert "of them again:" in seen.out


@pytest.mark.parametrize(
    ("arguments", "term"), [(("-q",), "xterm"), ((), "dumb")], ids=["-q", "dumb"]
)
def test_no_bars_where_they_are_not_wanted(
    desk: Desk, arguments: tuple[str, ...], term: str
) -> None:
    desk.anthropic.faults.add(Fault("slow", path="claude_code", times=3, seconds=1))
    seen = see(desk, "extract", *arguments, TERM=term)
    assert seen.code == 0
    assert "\x1b" not in seen.terminal
    assert BAR not in seen.terminal
    assert ("extract claude_code" in seen.terminal) == (not arguments)


def test_a_terminal_gets_no_bars_with_json_lines(desk: Desk) -> None:
    seen = see(desk, "extract", "--log-format", "json")
    assert seen.code == 0
    assert "\x1b" not in seen.terminal
    codes = [json.loads(line)["code"] for line in seen.terminal.splitlines()]
    assert codes == [*["extract"] * 8, "control_totals", "unknown", "unknown"]


def test_ctrl_c_leaves_the_terminal_in_order(
    desk: Desk, relay_before: Callable[[Any], Relay]
) -> None:
    import pexpect

    reached, opened = threading.Event(), threading.Event()

    def meet(relay: Relay, request: Request, number: int) -> Response:
        if number == 10:
            reached.set()
            opened.wait(PATIENCE)
        return relay.pass_on(request)

    relay_before(desk.anthropic).meet = meet
    child = spawn(desk, "sync")
    assert reached.wait(PATIENCE)
    child.sendintr()
    child.expect("\\^C")
    opened.set()
    child.expect(pexpect.EOF)
    child.close()
    said = str(child.before)
    assert child.exitstatus == 130, said
    assert "stopped; what had landed" in said
    assert "Traceback" not in said
    assert SHOW_CURSOR in said
    assert HIDE_CURSOR not in said[said.index(SHOW_CURSOR) :]
