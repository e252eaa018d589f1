"""Killed or stopped at any moment: nothing that had landed is lost, and nothing is there twice."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import duckdb
import pytest

from lading.sandbox.server import Request, Response

if TYPE_CHECKING:
    from tests.engine.cli.faults.conftest import Relay, Start
    from tests.engine.conftest import Desk, Done

PATIENCE = 60.0
# How many requests may be under way at once (project.yml), and entities in one of Port's.
CONCURRENCY, BULK = 4, 20
# Reads a mart, so that some models are made before it, and never ends.
ENDLESS = """
SELECT count(*) AS n FROM {{ ref('usage_by_day') }}, range(1000000000000) WHERE range % 7 = n
"""
# About a second of JQ for one of the rows.
COST_TITLE = """'"Claude Cost - " + .starting_at[:10]'"""
SLOW_TITLE = """>-
              if .starting_at[:10] == "2026-01-05" then
                (reduce range(8000000) as $n (0; $n) | tostring) else "y" end"""

Settled = Callable[[], "Done"]
RelayBefore = Callable[[Any], "Relay"]
Process = subprocess.Popen[str]


class Strike:
    """Sends the tool a signal when the n-th request whose path ends so arrives, or when it was
    carried out and is not answered yet."""

    def __init__(self, number: int, path: str, blow: signal.Signals, *, late: bool = False) -> None:
        self.number, self.path, self.blow, self.late = number, path, blow, late
        self.process: Process | None = None
        self.out = ""
        self._started = threading.Event()
        self._seen = 0
        self._counting = threading.Lock()

    def meet(self, relay: Relay, request: Request, number: int) -> Response:
        with self._counting:
            self._seen += request.path.endswith(self.path)
            is_due = request.path.endswith(self.path) and self._seen == self.number
        if not is_due:
            return relay.pass_on(request)
        if not self.late:
            self.strike()
        is_lost = self.blow is signal.SIGKILL and not self.late
        answer = NOTHING if is_lost else relay.pass_on(request)
        if self.late:
            self.strike()
        return answer

    def strike(self) -> None:
        assert self._started.wait(PATIENCE)
        assert self.process is not None
        self.process.send_signal(self.blow)
        if self.blow is signal.SIGKILL:
            self.process.wait(PATIENCE)

    def on(self, process: Process) -> str:
        """Let it come down on the process; gives what that wrote to stderr."""
        self.process = process
        self._started.set()
        self.out, said = process.communicate(timeout=PATIENCE)
        return said


NOTHING = Response(500, b"", {})


def read_until(stream: IO[str] | None, text: str) -> str:
    """The lines up to the first with `text` in it."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"no {text!r} in {''.join(lines)}")


def end(process: Process, blow: signal.Signals) -> tuple[int, str]:
    """Send a process the signal; gives its exit code and the rest of its stderr."""
    process.send_signal(blow)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def runs(desk: Desk) -> list[tuple[str, str | None]]:
    rows = desk.query("SELECT status, error FROM lading.runs ORDER BY status = 'done'")
    return [(status, error) for status, error in rows]


def assert_stopped(process: Process, said: str) -> None:
    assert process.returncode == 130, said
    assert "stopped; what had landed and what Port had taken is on record" in said
    assert "Traceback" not in said


DIED = [("died", None), ("done", None)]
STOPPED = [("failed", "KeyboardInterrupt"), ("done", None)]


class Blow(NamedTuple):
    """A signal, and what the runs' table says of it after the next sync."""

    signal: signal.Signals
    runs: Sequence[tuple[str, str | None]]


KILL, STOP = Blow(signal.SIGKILL, DIED), Blow(signal.SIGINT, STOPPED)
BLOWS = pytest.mark.parametrize("blow", [KILL, STOP], ids=["SIGKILL", "SIGINT"])


@BLOWS
def test_while_it_fetches(
    desk: Desk, start: Start, settled: Settled, relay_before: RelayBefore, blow: Blow
) -> None:
    relay = relay_before(desk.anthropic)
    strike = Strike(25, "", blow.signal)
    relay.meet = strike.meet
    process = start("sync")
    said = strike.on(process)
    assert len(relay.requests) < 25 + CONCURRENCY
    if blow is STOP:
        assert_stopped(process, said)
        [(landed,)] = desk.query("SELECT count(*) FROM lading.requests")
        assert landed >= 21
        assert f"Not fetched yet: {46 - landed} ranges\n" in strike.out
    else:
        assert process.returncode == -signal.SIGKILL
    relay.renew()
    done = settled()
    if blow is KILL:
        assert "that a run that did not end had received" in done.err
    # The 21 ranges that were surely received are not asked for again, but for the three of them
    # that reach into the lookback.
    assert len(relay.requests) <= 46 - 21 + 3
    assert runs(desk) == blow.runs


def test_between_fetching_and_landing(
    desk: Desk, start: Start, settled: Settled, relay_before: RelayBefore
) -> None:
    held: list[duckdb.DuckDBPyConnection] = []

    def meet(relay: Relay, request: Request, number: int) -> Response:
        if number == 10:
            held.append(duckdb.connect(str(desk.database)))
        return relay.pass_on(request)

    relay = relay_before(desk.anthropic)
    relay.meet = meet
    process = start("sync")
    read_until(process.stderr, f"waiting for {desk.database.name}")
    assert len(relay.requests) == 46
    assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL
    assert held[0].execute("SELECT count(*) FROM lading.slices").fetchall() == [(0,)]
    held[0].close()
    relay.renew()
    assert "landed 478 records that a run that did not end had received" in settled().err
    assert len(relay.requests) == 7
    assert runs(desk) == DIED


@BLOWS
def test_while_it_builds(desk: Desk, start: Start, settled: Settled, blow: Blow) -> None:
    desk.write("models/marts/endless.sql", ENDLESS)
    process = start("sync")
    read_until(process.stderr, "marts.usage_by_day (")
    code, said = end(process, blow.signal)
    if blow is STOP:
        assert_stopped(process, said)
    else:
        assert code == -signal.SIGKILL
    (desk.root / "models/marts/endless.sql").unlink()
    desk.forget_requests()
    settled()
    assert len(desk.anthropic.requests) == 7
    assert runs(desk) == blow.runs


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_while_it_maps(desk: Desk, start: Start, settled: Settled) -> None:
    desk.edit("mappings/claude.yml", COST_TITLE, SLOW_TITLE)
    process = start("sync")
    read_until(process.stderr, "mapped claude_usage_record")
    workers = [os.pidfd_open(pid) for pid in children(process.pid)]
    assert workers
    assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL
    for worker in workers:
        assert select.select([worker], [], [], PATIENCE)[0], "a JQ process is still there"
        os.close(worker)
    assert desk.sent() == []
    desk.edit("mappings/claude.yml", SLOW_TITLE, COST_TITLE)
    settled()
    assert runs(desk) == DIED


def children(pid: int) -> list[int]:
    return [
        int(each.parent.name) for each in Path("/proc").glob("[0-9]*/stat") if _parent(each) == pid
    ]


def _parent(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


@BLOWS
def test_while_it_pushes(
    desk: Desk, start: Start, settled: Settled, relay_before: RelayBefore, blow: Blow
) -> None:
    """Port takes what the process sent last, and the process does not live to hear of it."""
    relay = relay_before(desk.port)
    strike = Strike(15, "/bulk", blow.signal, late=True)
    relay.meet = strike.meet
    process = start("sync")
    said = strike.on(process)
    relay.renew()
    taken = {identifier for _, identifier in desk.port.entities}
    assert len(taken) >= (15 - CONCURRENCY) * BULK / 2
    desk.forget_requests()
    settled()
    sent = [each["identifier"] for each in desk.sent()]
    assert len(sent) == len(set(sent))
    again = taken.intersection(sent)
    if blow is STOP:
        assert_stopped(process, said)
        assert not again
        # The summary is that of a push: what Port took, and what is left.
        table = strike.out.partition("Pushed to Port")[2].splitlines()[1:]
        headings, *rows = (line.replace(",", "").split() for line in table)
        counts = [dict(zip(headings, row, strict=True)) for row in rows]
        assert sum(int(each["created"]) for each in counts) == len(taken)
        assert sum(int(each["left"]) for each in counts) == len(sent)
    else:
        assert process.returncode == -signal.SIGKILL
        assert 1 <= len(again) <= CONCURRENCY * BULK
    assert runs(desk) == blow.runs


@pytest.mark.parametrize("api", ["anthropic", "port"])
def test_stopped_while_a_server_does_not_answer(
    desk: Desk, start: Start, settled: Settled, relay_before: RelayBefore, api: str
) -> None:
    """What is under way may end, unless it is twice."""
    asked, ended = threading.Event(), threading.Event()

    def meet(relay: Relay, request: Request, number: int) -> Response:
        # Port hears of the run besides, and that is not waited for.
        if request.path.endswith("/bulk") if api == "port" else number >= 12:
            asked.set()
            ended.wait(PATIENCE)
        return relay.pass_on(request)

    relay = relay_before(getattr(desk, api))
    relay.meet = meet
    process = start("sync")
    try:
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        under_way = "requests" if api == "port" else "pages"
        read_until(process.stderr, f"finishing the {under_way} under way")
        process.send_signal(signal.SIGINT)
        # The server would let it wait for far longer.
        _, said = process.communicate(timeout=PATIENCE / 2)
    finally:
        ended.set()
    assert_stopped(process, said)
    relay.renew()
    settled()
