"""Runs that are killed, and the next one."""

from __future__ import annotations

import signal
import subprocess
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from lading.extract.landing import land
from lading.extract.run import recover
from lading.extract.spool import left_behind
from lading.sandbox.anthropic import AnthropicStandIn
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench

NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
PATIENCE = 60


class KillingClock:
    """The stand-in's clock; it is looked at for each report, and kills at the n-th look."""

    def __init__(self, looks: int) -> None:
        self._looks = looks
        self._counting = threading.Lock()
        self._victim: subprocess.Popen[bytes] | None = None
        self._known = threading.Event()

    def aim(self, victim: subprocess.Popen[bytes]) -> None:
        self._victim = victim
        self._known.set()

    def __call__(self) -> datetime:
        with self._counting:
            self._looks -= 1
            if self._looks == 0 and self._known.wait(PATIENCE) and self._victim is not None:
                self._victim.send_signal(signal.SIGKILL)
                self._victim.wait(PATIENCE)
        return NOW


def kill_at(bench: Bench, stand_in: AnthropicStandIn, request: int) -> None:
    """Start a run, and kill it as soon as its n-th request has arrived."""
    stand_in.now = clock = KillingClock(request)
    with bench.start() as process:
        clock.aim(process)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (-signal.SIGKILL, b"")
    stand_in.now = lambda: NOW


@pytest.mark.parametrize("request_number", [4, 33])
def test_a_run_that_is_killed_while_it_fetches(
    bench: Bench, stand_in: AnthropicStandIn, request_number: int
) -> None:
    kill_at(bench, stand_in, request_number)
    done = bench.extract()
    assert done.failed == frozenset()
    bench.check_everything()
    runs = bench.query("SELECT status FROM lading.runs ORDER BY started_at, ended_at")
    assert sorted(status for (status,) in runs) == ["died", "done"]


def test_what_a_killed_run_had_received_is_not_asked_for_again(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    kill_at(bench, stand_in, 20)
    notes = [name for name in bench.spooled() if name.endswith(".note")]
    before = len(stand_in.requests)
    done = bench.extract()
    bench.check_everything()
    assert len(notes) == 19
    landed = bench.query("SELECT count(*) FROM lading.requests WHERE run_id <> $1", done.run.id)
    assert landed == [(19,)]
    # Two ranges of usage, two of cost and fifteen days of Claude Code had arrived.
    asked = stand_in.requests[before:]
    assert len(asked) == len(done.plan.requests) == 16
    days = [query["starting_at"][0] for query in bench.asked(asked, "claude_code")]
    assert days == [f"2026-03-{day:02d}" for day in range(7, 21)]


def test_a_run_that_is_killed_while_it_lands(bench: Bench, stand_in: AnthropicStandIn) -> None:
    """Whichever moment of landing it is: as soon as something is written, it is over."""
    begun = bench.database.path.with_name("claude.duckdb.wal")
    with bench.start() as process:
        is_landing = False
        while process.poll() is None and not is_landing:
            is_landing = begun.exists() and bool(bench.spooled())
        process.kill()
        process.wait(PATIENCE)
    bench.extract()
    bench.check_everything()


def test_killed_runs_in_a_row(bench: Bench, stand_in: AnthropicStandIn) -> None:
    for number in (2, 9):
        kill_at(bench, stand_in, number)
    bench.extract()
    bench.check_everything()
    ((died,),) = bench.query("SELECT count(*) FROM lading.runs WHERE status = 'died'")
    assert died == 2


def test_what_landed_before_its_spool_could_be_cleared_is_not_loaded_twice(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    kill_at(bench, stand_in, 33)
    arrivals = [each for _, found in left_behind(bench.database.spool) for each in found]
    with bench.database.writing() as connection:
        prepare(connection, {each.stream for each in arrivals})
        assert land(connection, arrivals) == sum(each.records for each in arrivals) > 0
        assert land(connection, arrivals) == 0
    bench.extract()
    bench.check_everything()
    ((requests, ids),) = bench.query(
        "SELECT count(*), count(DISTINCT request_id) FROM lading.requests"
    )
    assert requests == ids


def test_a_spool_is_read_from_wherever_the_project_is_now(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    kill_at(bench, stand_in, 33)
    moved = bench.root.with_name("moved")
    bench.root.rename(moved)
    bench.root = moved
    with bench.database.writing() as connection:
        prepare(connection, ["usage_messages", "cost_report", "claude_code"])
    assert recover(bench.database) > 0
    assert bench.spooled() == []
    ((requests,),) = bench.query("SELECT count(*) FROM lading.requests")
    assert requests >= 33 - 4  # all but those that were under way
