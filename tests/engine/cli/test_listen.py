"""`sync --listen` does the resyncs that Port is asked for; a signal ends it and breaks nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.things import with_things

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

PATIENCE = 90.0


class Listener:
    """The command in a process of its own, with the real clock."""

    def __init__(self, desk: Desk, process: subprocess.Popen[str], err: Path) -> None:
        self.desk = desk
        self.process = process
        self._err = err

    @property
    def err(self) -> str:
        return self._err.read_text("utf-8")

    def ended(self, number: int) -> bool:
        """Whether so many resyncs have ended, and it looks for more."""
        states = [each["status"] for each in self.desk.port.integrations.states]
        told = self.err.count("the sync ended with exit code")
        return len(states) - states.count("running") >= number and told >= number

    def looks(self) -> int:
        """How often it has looked whether a resync was asked for."""
        return sum(each.path.endswith("/resync-request") for each in self.desk.port.requests)

    def wait_for(self, what: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < until, self.err
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; gives the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def is_pushing(self) -> bool:
        return any(each.path.endswith("/bulk") for each in self.desk.port.requests)


@contextmanager
def listening(desk: Desk, out: Path) -> Iterator[Listener]:
    environment = {**desk.environment, "PATH": os.environ["PATH"]}
    del environment["LADING_NOW"]
    words = ["sync", "-C", str(desk.root), "--listen", "--poll-interval", "0.2"]
    with out.open("w") as stdout, out.with_suffix(".err").open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "lading", *words],
            env=environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        try:
            yield Listener(desk, process, out.with_suffix(".err"))
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def things(desk: Desk) -> Desk:
    """A project that syncs in no time; Port's clock is the real one, too."""
    with_things(desk)
    desk.port.now = lambda: datetime.now(UTC)
    return desk


def test_each_resync_that_is_asked_for_is_a_sync_of_what_the_files_say_then(
    things: Desk, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert things.run("push").code == 0
    # What was asked for before is answered by the first sync.
    things.port.integrations.ask_for_resync()
    with listening(things, out) as listener:
        listener.wait_for(lambda: listener.ended(1))
        listener.wait_for(lambda: listener.looks() >= 3)
        assert "a resync was asked for in Port" not in listener.err
        assert len(things.port.entities) == 7
        things.edit("models/things.sql", "'gage', 7", "'gage', 8")
        things.port.integrations.ask_for_resync()
        listener.wait_for(lambda: listener.ended(2))
        assert things.held("thing")["gage"]["amount"] == 8
        # Files that are wrong cost the one sync, and not the next.
        things.edit("mappings/things.yml", "identifier: .name", "identifier: .name ++")
        things.port.integrations.ask_for_resync()
        listener.wait_for(lambda: "exit code 2; looking for resyncs" in listener.err)
        things.edit("mappings/things.yml", "identifier: .name ++", "identifier: .name")
        # A sync that fails is told, and shown; listening goes on.
        things.edit("models/things.sql", "'gage', 8, 'red'", "'gage', 9, 'blue'")
        things.port.integrations.ask_for_resync()
        listener.wait_for(lambda: "the sync ended with exit code 1" in listener.err)
        listener.wait_for(lambda: things.port.integrations.states[-1]["status"] == "failed")
        # Nothing more happens by itself.
        before = listener.looks()
        listener.wait_for(lambda: listener.looks() >= before + 3)
        assert listener.stop() == 0
    assert things.query("SELECT count(*), count(DISTINCT started_at) FROM lading.runs") == [(4, 4)]
    assert out.read_text("utf-8").count("Pushed to Port") == 3
    assert listener.err.count("a resync was asked for in Port") == 3
    assert listener.err.rstrip().endswith("stopped listening")


def test_a_signal_lets_the_sync_under_way_end_and_no_other_begin(
    things: Desk, tmp_path: Path
) -> None:
    things.port.faults.add(Fault("slow", path="/bulk", seconds=1.0, times=1))
    with listening(things, tmp_path / "out") as listener:
        listener.wait_for(listener.is_pushing)
        things.port.integrations.ask_for_resync()
        assert listener.stop(signal.SIGINT) == 0
    assert "finishing this sync, then stopping (again: at once)" in listener.err
    assert len(things.port.entities) == 7
    told = [each["status"] for each in things.port.integrations.states]
    assert told == ["running", "completed"]
    assert things.query("SELECT status FROM lading.runs") == [("done",)]


def test_a_second_signal_stops_it_at_once(things: Desk, tmp_path: Path) -> None:
    things.port.faults.add(Fault("slow", path="/bulk", seconds=60.0, times=None))
    with listening(things, tmp_path / "out") as listener:
        listener.wait_for(listener.is_pushing)
        listener.process.send_signal(signal.SIGTERM)
        listener.wait_for(lambda: "finishing this sync" in listener.err)
        began = time.monotonic()
        assert listener.stop() == 130
        assert time.monotonic() - began < 30
    assert [each["status"] for each in things.port.integrations.states] == ["running", "aborted"]


def test_a_resync_asked_for_during_a_sync_follows_it_whatever_port_says_between(
    things: Desk, tmp_path: Path
) -> None:
    things.port.faults.add(Fault("slow", path="/bulk", seconds=1.0, times=1))
    # The first look is before the first sync.
    things.port.faults.add(Fault("503", path="/resync-request", after=1, times=3))
    with listening(things, tmp_path / "out") as listener:
        listener.wait_for(listener.is_pushing)
        things.port.integrations.ask_for_resync()
        listener.wait_for(lambda: listener.ended(2))
        assert listener.stop() == 0
    told = [each["status"] for each in things.port.integrations.states]
    assert told == ["running", "completed"] * 2
    assert listener.err.count("Port does not say whether a resync was asked for") == 1
    assert listener.err.count("Port says again whether a resync was asked for") == 1


def test_files_that_are_wrong_at_the_beginning_end_it(things: Desk) -> None:
    things.edit("mappings/things.yml", "identifier: .name", "identifier: .name ++")
    done = things.run("sync", "--listen")
    assert done.code == 2
    assert things.port.requests == []
