from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from lading import log
from lading.errors import DatabaseBusyError, DatabaseError
from lading.warehouse import database as module
from lading.warehouse.database import Database
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.warehouse.conftest import Hold

PATIENCE = 60


def make(database: Database) -> None:
    with database.writing() as connection:
        prepare(connection, ["usage_messages"])
        connection.execute(
            "INSERT INTO lading.runs (run_id, command, version, started_at, status) "
            "VALUES ('r1', 'sync', '0', '2026-01-01', 'running')"
        )


def storage_version(path: Path) -> str:
    """The storage version that the file is written in, as DuckDB itself says."""
    with duckdb.connect(str(path), read_only=True) as connection:
        ((tags,),) = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE NOT internal"
        ).fetchall()
    return str(tags["storage_version"])


@pytest.mark.parametrize("version", ["v1.0.0", "v1.2.0"])
def test_the_file_is_written_for_the_oldest_duckdb_that_was_named(
    database: Database, version: str
) -> None:
    database = replace(database, storage_version=version)
    make(database)
    with database.writing() as connection:
        connection.execute("CREATE TABLE more AS SELECT 1 AS x")
    assert storage_version(database.path) == f"{version}+"


def test_the_file_is_made_for_duckdb_1_unless_said_otherwise(tmp_path: Path) -> None:
    make(Database(tmp_path / "claude.duckdb"))
    assert storage_version(tmp_path / "claude.duckdb") == "v1.0.0+"


def test_a_storage_version_that_nobody_knows(database: Database) -> None:
    with (
        pytest.raises(DatabaseError, match=r"v9\.9\.9"),
        replace(database, storage_version="v9.9.9").writing(),
    ):
        pass


def test_what_was_written_can_be_read(database: Database) -> None:
    make(database)
    with database.reading() as connection:
        assert connection.execute("SELECT run_id FROM lading.runs").fetchall() == [("r1",)]


def test_preparing_again_keeps_what_is_there(database: Database) -> None:
    make(database)
    with database.writing() as connection:
        prepare(connection, ["usage_messages", "claude_code"])
        tables = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() ORDER BY ALL"
        ).fetchall()
        assert connection.execute("SELECT count(*) FROM lading.runs").fetchall() == [(1,)]
    assert [name for (name,) in tables] == [
        "lading.control_checks",
        "lading.control_totals",
        *(
            f"lading.{each}"
            for each in [
                "entities",
                "nodes",
                "organizations",
                "planned",
                "pushed",
                "refused",
                "requests",
            ]
        ),
        "lading.restatements",
        "lading.runs",
        "lading.slices",
        "lading.unknown",
        "lading.vanished",
        "raw.claude_code",
        "raw.usage_messages",
        "raw_history.claude_code",
        "raw_history.usage_messages",
    ]


def test_an_older_database_gets_the_columns_that_came_later(database: Database) -> None:
    make(database)
    with database.writing() as connection:
        before = connection.execute("DESCRIBE lading.runs").fetchall()
        connection.execute(
            """
            CREATE TABLE kept AS SELECT * EXCLUDE (exit_code, deleted) FROM lading.runs;
            DROP VIEW lading.run_totals;
            DROP TABLE lading.runs;
            CREATE TABLE lading.runs (
                run_id VARCHAR PRIMARY KEY, command VARCHAR NOT NULL, version VARCHAR NOT NULL,
                started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP, status VARCHAR NOT NULL,
                error VARCHAR, entities BIGINT, refused BIGINT,
                looked_through BOOLEAN NOT NULL DEFAULT false
            );
            INSERT INTO lading.runs FROM kept
            """
        )
    with database.writing() as connection:
        for _ in range(2):
            prepare(connection, [])
        assert connection.execute("DESCRIBE lading.runs").fetchall() == before
    with database.reading() as connection:
        assert connection.execute(
            "SELECT run_id, exit_code, deleted FROM lading.run_totals"
        ).fetchall() == [("r1", None, None)]


def test_reading_does_not_write(database: Database) -> None:
    make(database)
    before = database.path.read_bytes()
    with database.reading() as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("DELETE FROM lading.runs")
    assert database.path.read_bytes() == before


def test_reading_a_database_that_is_not_there_says_how_to_make_it(database: Database) -> None:
    with (
        pytest.raises(DatabaseError, match=r"no database at .*claude\.duckdb yet") as missing,
        database.reading(),
    ):
        pass
    assert missing.value.hint is not None
    assert "lading sync" in missing.value.hint
    assert not database.path.exists()
    assert not database.path.parent.exists()


def test_a_file_that_is_no_database(database: Database) -> None:
    database.path.parent.mkdir()
    database.path.write_text("something else entirely\n" * 999)
    with pytest.raises(DatabaseError, match="not a valid DuckDB database file"), database.reading():
        pass


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    database = Database(tmp_path / "data" / "claude.duckdb")
    with pytest.raises(DatabaseError, match="can't be made") as refused, database.writing():
        pass
    assert refused.value.hint is not None


def test_what_duckdb_says_is_told_in_short(database: Database) -> None:
    with pytest.raises(DatabaseError) as error, database.writing() as connection:
        connection.execute("SELECT nothing FROM nowhere")
    assert error.value.message.startswith("Catalog Error: Table with name nowhere does not exist!")
    assert "LINE 1" not in error.value.message


def test_the_file_is_let_go_after_an_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing():
        raise ZeroDivisionError
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE TABLE t (x INT)')"
    subprocess.run([sys.executable, "-c", code, str(database.path)], check=True)


def test_no_extension_is_fetched_from_the_network(database: Database) -> None:
    with database.writing() as connection:
        ((setting,),) = connection.execute(
            "SELECT current_setting('autoinstall_known_extensions')"
        ).fetchall()
    assert setting is False


def test_the_threads_are_those_that_were_given(database: Database) -> None:
    with replace(database, threads=3).writing() as connection:
        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(3,)]


@pytest.mark.parametrize("kind", ["writing", "reading"])
def test_who_holds_the_file_is_named(database: Database, hold: Hold, kind: str) -> None:
    make(database)
    with hold(kind) as holder, pytest.raises(DatabaseBusyError) as busy, database.writing():
        pass
    message = busy.value.message
    assert message.startswith("claude.duckdb is held by python")
    assert f"(process {holder.pid}); waited 0 s" in message
    assert busy.value.hint is not None
    assert "--wait" in busy.value.hint


def test_a_reader_waits_for_a_writer_too(database: Database, hold: Hold) -> None:
    make(database)
    with hold("writing") as holder, pytest.raises(DatabaseBusyError) as busy, database.reading():
        pass
    assert f"process {holder.pid}" in busy.value.message


def test_readers_do_not_wait_for_readers(database: Database, hold: Hold) -> None:
    make(database)
    with hold("reading"), database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM lading.runs").fetchall() == [(1,)]


def test_who_waits_long_enough_gets_the_file_and_says_whom_it_waited_for(
    database: Database, hold: Hold, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder lets go as soon as somebody says that it waits."""
    monkeypatch.setattr(module, "LONGEST_PAUSE", module.FIRST_PAUSE)
    make(database)
    with hold("writing") as holder:
        assert holder.stdin is not None
        stdin = holder.stdin

        def let_go(line: str) -> None:
            lines.append(line)
            stdin.write("\n")
            stdin.flush()

        log.sink.write = let_go
        with replace(database, wait=PATIENCE).writing() as connection:
            assert connection.execute("SELECT count(*) FROM lading.runs").fetchall() == [(1,)]
    (event,) = map(json.loads, lines)
    assert event["code"] == "database_wait"
    assert f"(process {holder.pid}) holds" in event["message"]


def test_a_holder_that_is_killed_holds_nothing(database: Database, hold: Hold) -> None:
    make(database)
    with hold("writing") as holder:
        holder.kill()
        holder.wait(PATIENCE)
        with database.writing() as connection:
            assert connection.execute("SELECT count(*) FROM lading.runs").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        ("Conflicting lock is held in /usr/bin/python3.11 (PID 12).", "python3.11 (process 12)"),
        (
            "Conflicting lock is held in /opt/My App/db (x) (PID 12) by user me.",
            "db (x) (process 12)",
        ),
        ("Conflicting lock is held in PID 12. See also", "process 12"),
        ("Resource temporarily unavailable", "another process"),
    ],
)
def test_every_way_in_which_duckdb_names_a_holder(said: str, holder: str) -> None:
    """Without the right to look into /proc it knows a number alone, and sometimes not even it."""
    assert module._holder(f'IO Error: Could not set lock on file "x.duckdb": {said}') == holder


def test_two_threads_may_have_the_database_open(database: Database) -> None:
    make(database)
    found: list[int] = []

    def count() -> None:
        with database.writing() as connection:
            found.append(connection.execute("SELECT count(*) FROM lading.runs").fetchall()[0][0])

    with database.writing():
        thread = threading.Thread(target=count)
        thread.start()
        thread.join(PATIENCE)
    assert found == [1]


def test_what_is_held_is_open_once_and_nobody_else_writes(database: Database) -> None:
    make(database)
    code = "import sys, duckdb; duckdb.connect(sys.argv[1], read_only=True)"
    command = [sys.executable, "-c", code, str(database.path)]
    with database.held() as held:
        with held.writing() as connection:
            connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x")
        assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode != 0
        with held.reading() as connection:
            # A temporary table lasts as long as its connection.
            assert connection.execute("SELECT x FROM mine").fetchall() == [(1,)]
    assert subprocess.run(command, check=False).returncode == 0


def test_an_error_in_a_database_that_is_held_ends_that_alone(database: Database) -> None:
    with database.held() as held:
        with (
            pytest.raises(DatabaseError, match="there_is_no_such_table"),
            held.writing() as connection,
        ):
            connection.execute("FROM there_is_no_such_table")
        with held.writing() as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_the_machines_time_zone_is_not_in_the_data(database: Database) -> None:
    make(database)
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime;"
        "from lading.warehouse.database import Database;"
        "from lading.warehouse.runs import begin, new_run;"
        "c = Database(Path(sys.argv[1])).writing(); connection = c.__enter__();"
        "begin(connection, new_run('x', datetime(2026, 7, 1, 0, 30, tzinfo=UTC)));"
        "print(connection.execute(\"SELECT started_at, '2026-07-01T00:30:00Z'::TIMESTAMP "
        "FROM lading.runs WHERE command = 'x'\").fetchall()); c.__exit__(None, None, None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(database.path)],
        env={**os.environ, "TZ": "America/New_York"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    moment = "datetime.datetime(2026, 7, 1, 0, 30)"
    assert done.stdout == f"[({moment}, {moment})]\n"
