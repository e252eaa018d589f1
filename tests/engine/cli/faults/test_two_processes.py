"""Two processes and one database: they take turns, and the one that waits says for whom."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.server import Request, Response

if TYPE_CHECKING:
    from tests.engine.cli.faults.conftest import Relay, Start, State
    from tests.engine.conftest import Desk, Done

PATIENCE = 60.0
HOLD = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
print("held", flush=True)
sys.stdin.read()
"""

RelayBefore = Callable[[Any], "Relay"]
Process = subprocess.Popen[str]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """What marts there are is of no account here."""
    return desk.without_marts()


class Door:
    """Holds the tool's requests from the n-th on until it is opened."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.reached = threading.Event()
        self.opened = threading.Event()

    def meet(self, relay: Relay, request: Request, number: int) -> Response:
        if number >= self.number:
            self.reached.set()
            assert self.opened.wait(PATIENCE)
        return relay.pass_on(request)


@pytest.fixture
def waiting(desk: Desk, start: Start, relay_before: RelayBefore) -> Iterator[tuple[Process, Door]]:
    """A sync that waits for an answer of Anthropic's until the door is opened."""
    relay = relay_before(desk.anthropic)
    door = Door(10)
    relay.meet = door.meet
    process = start("sync")
    try:
        assert door.reached.wait(PATIENCE)
        yield process, door
    finally:
        door.opened.set()


@contextmanager
def held(database: Path, how: str) -> Iterator[int]:
    """Another program has the file open, for `reading` or for `writing`: its process id."""
    program = [sys.executable, "-c", HOLD, str(database), how]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder.pid


def read_until(process: Process, text: str) -> str:
    """The first line of a process's stderr with `text` in it."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"it ended without {text!r}")


def test_a_second_sync_waits_says_for_whom_and_has_nothing_left_to_do(
    desk: Desk,
    start: Start,
    waiting: tuple[Process, Door],
    clean: State,
    settled: Callable[[], Done],
) -> None:
    first, door = waiting
    second = start("sync", "--wait", str(PATIENCE))
    line = read_until(second, "waiting for it")
    assert f"`lading sync` (process {first.pid}, since 15:30:00 UTC) is writing to" in line
    door.opened.set()
    out, err = second.communicate(timeout=PATIENCE)
    first.communicate(timeout=PATIENCE)
    assert (first.returncode, second.returncode) == (0, 0), err
    assert len(desk.sent()) == len(clean.entities)
    assert "Fetched with 7 requests" in out
    settled()
    assert desk.query("SELECT count(*) FROM lading.runs WHERE status = 'done'") == [(3,)]


def test_a_second_run_gives_up_when_it_may_not_wait_longer(
    desk: Desk, waiting: tuple[Process, Door]
) -> None:
    first, _ = waiting
    for command in ("sync", "build", "push"):
        done = desk.run(command, "--wait", "0.2")
        assert done.code == 1, command
        assert f"`lading sync` (process {first.pid}, since 15:30:00 UTC) is writing" in done.err
        assert "waited 0.2 s for it" in done.err
        assert "--wait SECONDS" in done.err
        assert done.out == ""
    assert desk.query("SELECT command, status FROM lading.runs") == [("sync", "running")]


def test_the_database_can_be_asked_while_a_sync_waits_for_the_network(
    desk: Desk, waiting: tuple[Process, Door]
) -> None:
    first, door = waiting
    done = desk.run("query", "--output", "csv", "SELECT command, status FROM lading.runs")
    assert (done.code, done.out) == (0, "command,status\nsync,running\n")
    assert not door.opened.is_set()
    assert first.poll() is None


@pytest.mark.parametrize(("command", "how"), [("query", "writing"), ("extract", "reading")])
def test_a_file_that_another_program_holds_is_waited_for(
    desk: Desk, start: Start, command: str, how: str
) -> None:
    assert desk.run("extract").code == 0
    arguments = ["query", "SELECT 42 AS n"] if command == "query" else [command]
    with held(desk.database, how) as pid:
        done = desk.run(*arguments, "--wait", "0.1")
        assert done.code == 1
        assert "claude.duckdb is held by python" in done.err
        assert f"(process {pid}); waited 0.1 s for it" in done.err
        assert "try again when it is done" in done.err
        assert "lock" not in done.err.lower().replace("claude.duckdb.lock", "")
        process = start(*arguments)
        line = read_until(process, "waiting for claude.duckdb")
        assert f"process {pid}" in line
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
