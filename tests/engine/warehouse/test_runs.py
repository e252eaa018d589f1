from __future__ import annotations

import json
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from lading import __version__, log
from lading.errors import DatabaseBusyError, DatabaseError
from lading.secrets import register
from lading.warehouse.database import Database
from lading.warehouse.runs import begin, end, naive, new_run, only_run
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.warehouse.conftest import Hold

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
PATIENCE = 60


def test_a_run_has_an_id_of_its_own_that_sorts_by_time() -> None:
    runs = [new_run("sync", NOW + timedelta(seconds=number)) for number in (0, 0, 1, 60, 86_400)]
    ids = [run.id for run in runs]
    assert len(set(ids)) == 5
    assert sorted(ids[1:]) == ids[1:]
    assert ids[0].startswith("20260320T153000-")


def test_a_run_starts_in_utc_wherever_it_was_started() -> None:
    there = datetime(2026, 3, 20, 11, 30, tzinfo=timezone(timedelta(hours=-4)))
    run = new_run("sync", there)
    assert (run.started_at, run.started_at.utcoffset()) == (NOW, timedelta(0))
    assert run.id.startswith("20260320T153000-")
    assert naive(there).isoformat() == "2026-03-20T15:30:00"


def test_only_one_run_at_a_time(database: Database, hold: Hold) -> None:
    run = new_run("push", NOW)
    with hold("running") as other:
        with pytest.raises(DatabaseBusyError) as busy, only_run(database, run):
            pytest.fail("it must not run")
        assert busy.value.message == (
            f"`lading sync` (process {other.pid}, since 15:30:00 UTC) is writing to "
            "claude.duckdb; waited 0 s for it"
        )
        assert busy.value.hint is not None
        assert "--wait" in busy.value.hint
    with only_run(database, run):
        pass


def test_a_run_that_waits_says_for_whom_and_then_runs(
    database: Database, hold: Hold, lines: list[str]
) -> None:
    """The other one ends as soon as somebody says that it waits."""
    with hold("running") as other:
        assert other.stdin is not None
        stdin = other.stdin

        def let_go(line: str) -> None:
            lines.append(line)
            stdin.write("\n")
            stdin.flush()

        log.sink.write = let_go
        with only_run(replace(database, wait=PATIENCE), new_run("push", NOW)):
            pass
    (event,) = map(json.loads, lines)
    assert event["code"] == "run_wait"
    assert f"process {other.pid}" in event["message"]


def test_a_run_that_was_killed_holds_nobody_up(database: Database, hold: Hold) -> None:
    with hold("running") as other:
        other.send_signal(signal.SIGKILL)
        other.wait(PATIENCE)
        with only_run(database, new_run("sync", NOW)):
            pass


def test_the_database_may_be_read_while_a_run_goes_on(database: Database) -> None:
    with only_run(database, new_run("sync", NOW)):
        with database.writing() as connection:
            prepare(connection, [])
        with database.reading() as connection:
            assert connection.execute("SELECT count(*) FROM lading.runs").fetchall() == [(0,)]


def test_a_run_that_fails_lets_go(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), only_run(database, new_run("sync", NOW)):
        raise ZeroDivisionError
    with only_run(database, new_run("sync", NOW)):
        pass


def test_a_folder_that_can_not_hold_the_lock(database: Database) -> None:
    database.path.parent.write_text("a file")
    run = only_run(database, new_run("sync", NOW))
    with pytest.raises(DatabaseError, match="can't be made"), run:
        pass


def test_a_lock_file_that_can_not_be_made(database: Database) -> None:
    database.path.with_name("claude.duckdb.lock").mkdir(parents=True)
    run = only_run(database, new_run("sync", NOW))
    with pytest.raises(DatabaseError, match=r"claude\.duckdb\.lock can't be made"), run:
        pass


def test_a_run_is_on_record_from_its_begin_to_its_end(database: Database) -> None:
    run = new_run("sync", NOW)
    started = datetime.fromisoformat("2026-03-20T15:30:00")
    with database.writing() as connection:
        prepare(connection, [])
        begin(connection, run)
        begun = connection.execute("FROM lading.runs").fetchall()
        nothing_yet = (None, "running", None, None, None, False, None, None)
        assert begun == [(run.id, "sync", __version__, started, *nothing_yet)]
        register("run-secret-0001")
        before = naive(datetime.now(UTC))
        told = {"exit_code": 1, "entities": 40, "refused": 2, "deleted": 3}
        error = "the key run-secret-0001 is wrong"
        end(connection, run, status="incomplete", error=error, **told)
        ((ended, *rest),) = connection.execute(
            "SELECT ended_at, status, error, exit_code, entities, refused, deleted FROM lading.runs"
        ).fetchall()
    assert rest == ["incomplete", "the key ******** is wrong", 1, 40, 2, 3]
    assert before <= ended <= naive(datetime.now(UTC))


def test_runs_that_died_are_marked_by_the_next_one(database: Database) -> None:
    runs = [new_run("sync", NOW + timedelta(minutes=number)) for number in range(4)]
    with database.writing() as connection:
        prepare(connection, [])
        begin(connection, runs[0])
        end(connection, runs[0], status="done", error=None)
        for run in runs[1:]:
            begin(connection, run)
        rows = connection.execute("SELECT run_id, status FROM lading.runs ORDER BY 1").fetchall()
    assert rows == [
        (run.id, status)
        for run, status in zip(runs, ["done", "died", "died", "running"], strict=True)
    ]
