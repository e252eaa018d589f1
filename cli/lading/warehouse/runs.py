"""Runs: who wrote what, and one of them at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lading import __version__, log
from lading.errors import DatabaseBusyError, DatabaseError
from lading.secrets import redact

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.warehouse.database import Database


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation; `started_at` (aware, UTC) is «now» for everything in it."""

    id: str
    command: str
    started_at: datetime


def new_run(command: str, now: datetime) -> Run:
    """A run with an id that sorts by time."""
    moment = now.astimezone(UTC)
    return Run(f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", command, moment)


def naive(moment: datetime) -> datetime:
    """A UTC moment as the TIMESTAMP columns hold it: without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """A moment of a TIMESTAMP column, with its zone."""
    return moment.replace(tzinfo=UTC)


@contextmanager
def only_run(database: Database, run: Run) -> Iterator[None]:
    """Be the only run that writes to this database, from here to the end.

    The database itself is closed most of the time; this lock file is what keeps two runs from
    fetching and pushing the same things side by side. Readers do not care for it.

    Raises:
        DatabaseBusyError: another run went on all the time that we waited.
        DatabaseError: the lock file can't be made.
    """
    from filelock import FileLock, Timeout

    from lading.warehouse.database import make_folder

    make_folder(database.path.parent)
    path = database.path.with_name(f"{database.path.name}.lock")
    owner = database.path.with_name(f"{database.path.name}.owner")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        other = _said(owner)
        log.info("run_wait", f"{other} is writing to {database.path.name}; waiting for it")
        try:
            lock.acquire(timeout=database.wait)
        except Timeout as timeout:
            raise DatabaseBusyError(
                f"{other} is writing to {database.path.name}; waited {database.wait:g} s for it",
                hint="try again when it is done, or wait longer with --wait SECONDS",
            ) from timeout
    except OSError as error:
        raise DatabaseError(f"{path} can't be made: {error.strerror}") from error
    try:
        owner.write_text(_signature(run))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _signature(run: Run) -> str:
    import os

    return f"`lading {run.command}` (process {os.getpid()}, since {run.started_at:%H:%M:%S} UTC)"


def _said(owner: Path) -> str:
    try:
        return owner.read_text()
    except OSError:
        return "another run"


def begin(connection: DuckDBPyConnection, run: Run) -> None:
    """Put the run on record as running."""
    connection.begin()
    connection.execute(
        "INSERT INTO lading.runs (run_id, command, version, started_at, status) "
        "VALUES (?, ?, ?, ?, 'running')",
        [run.id, run.command, __version__, naive(run.started_at)],
    )
    connection.execute(
        "UPDATE lading.runs SET status = 'died' WHERE status = 'running' AND run_id <> ?", [run.id]
    )
    connection.commit()


def end(
    connection: DuckDBPyConnection,
    run: Run,
    *,
    status: str,
    error: str | None,
    exit_code: int | None = None,
    entities: int | None = None,
    refused: int | None = None,
    deleted: int | None = None,
) -> None:
    """Put the run's end on record: `done`, `incomplete` or `failed`, the exit code that follows
    from it, and how many entities Port took, refused and deleted if it was asked to."""
    connection.execute(
        "UPDATE lading.runs SET ended_at = ?, status = ?, error = ?, exit_code = ?, entities = ?, "
        "refused = ?, deleted = ? WHERE run_id = ?",
        [
            naive(datetime.now(UTC)),
            status,
            redact(error) if error else None,
            exit_code,
            entities,
            refused,
            deleted,
            run.id,
        ],
    )
