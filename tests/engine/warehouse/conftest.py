"""A database file, processes that hold it, and what is logged meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lading import log
from lading.warehouse.database import Database

# Holds a database, or the right to run on it, until a line comes in.
HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lading.warehouse.database import Database
from lading.warehouse.runs import new_run, only_run
kind, path = sys.argv[1], Path(sys.argv[2])
database = Database(path)
run = new_run("sync", datetime(2026, 3, 20, 15, 30, tzinfo=UTC))
held = {"writing": database.writing, "reading": database.reading,
        "running": lambda: only_run(database, run)}[kind]()
with held:
    print("held", flush=True)
    input()
"""

Hold = Callable[[str], AbstractContextManager[subprocess.Popen[str]]]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "data" / "claude.duckdb", wait=0)


@pytest.fixture
def hold(database: Database) -> Hold:
    """Has another process hold the database: `writing`, `reading` or `running`."""

    @contextmanager
    def holding(kind: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, kind, str(database.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "held\n"
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.communicate("\n")

    return holding


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, in JSON."""
    before = (log.sink.format, log.sink.level, log.sink.write, log.sink.fields)
    written: list[str] = []
    log.configure(format="json", level="info")
    log.sink.write = written.append
    yield written
    log.sink.format, log.sink.level, log.sink.write, log.sink.fields = before
