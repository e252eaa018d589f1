"""Opening the database late and closing it early.

DuckDB lets one process write, and then no other read. So nothing holds the file while it
waits for a network, and whoever finds it held waits for the holder, by name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lading import log
from lading.errors import DatabaseBusyError, DatabaseError
from lading.waiting import hearing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB names the holder in the text of its error alone, and its program only if it may know it.
HELD = "could not set lock on file"
HOLDER = re.compile(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)")
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Database:
    """A DuckDB file; `wait` is how many seconds to wait for another process to let go of it.

    `opened` is what `held` has open of it.
    """

    path: Path
    storage_version: str = "v1.0.0"
    threads: int = 2
    wait: float = 10.0
    opened: DuckDBPyConnection | None = field(default=None, repr=False, compare=False)

    @property
    def spool(self) -> Path:
        """The folder beside the file for what was received and is not in it yet."""
        return self.path.with_name(f"{self.path.name}.spool")

    @contextmanager
    def held(self) -> Iterator[Database]:
        """The database opened once for all who write to what this gives, or read it: for work
        that waits for nobody. Opening and closing take as long as some models do.

        Raises:
            DatabaseBusyError: another process held it all the time that we waited.
            DatabaseError: what DuckDB said to the file.
        """
        with self.writing() as connection:
            yield replace(self, opened=connection)

    @contextmanager
    def writing(self) -> Iterator[DuckDBPyConnection]:
        """The database for reading and writing; made in the target's storage version if new.

        Raises:
            DatabaseBusyError: another process held it all the time that we waited.
            DatabaseError: what DuckDB said to a statement inside, or to the file.
        """
        make_folder(self.path.parent)
        with self._open(read_only=False) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[DuckDBPyConnection]:
        """The database read-only.

        Raises:
            DatabaseError: there is no file yet, or what DuckDB said.
            DatabaseBusyError: a writer held it all the time that we waited.
        """
        if not self.path.exists():
            raise DatabaseError(
                f"there is no database at {self.path} yet",
                hint="`lading sync` or `lading extract` makes it",
            )
        with self._open(read_only=True) as connection:
            yield connection

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        import duckdb

        try:
            if self.opened is not None:
                yield self.opened
                return
            connection = self._connect(read_only=read_only)
            try:
                with hearing(connection.interrupt):
                    yield connection
            finally:
                connection.close()
        except RuntimeError as error:
            # How DuckDB's Python client tells of a Ctrl-C that met it in the middle of a query.
            if "interrupted" in str(error).lower() and not isinstance(error, duckdb.Error):
                raise KeyboardInterrupt from error
            raise
        except duckdb.Error as error:
            raise DatabaseError(_first_line(error)) from error

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": str(self.threads),
            "autoinstall_known_extensions": "false",
        }
        if not read_only:
            config["storage_compatibility_version"] = self.storage_version
            # What a checkpoint may tidy up of other tables is decided where they are written.
            config["max_vacuum_tasks"] = "0"
        until = time.monotonic() + self.wait
        pause = FIRST_PAUSE
        said = False
        while True:
            try:
                return duckdb.connect(str(self.path), read_only=read_only, config=config)
            except duckdb.IOException as error:
                if HELD not in str(error).lower():
                    raise
                holder = _holder(str(error))
                if time.monotonic() >= until:
                    raise self._busy(holder) from error
            if not said and pause >= LONGEST_PAUSE:
                log.info("database_wait", f"waiting for {self.path.name}, which {holder} holds")
                said = True
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _busy(self, holder: str) -> DatabaseBusyError:
        return DatabaseBusyError(
            f"{self.path.name} is held by {holder}; waited {self.wait:g} s for it",
            hint="try again when it is done, or wait longer with --wait SECONDS",
        )


def make_folder(folder: Path) -> None:
    """Make the folder that the database, and what lies beside it, stands in.

    Raises:
        DatabaseError: that can't be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the database's folder {folder} can't be made: {error.strerror}"
        raise DatabaseError(message, hint="see targets: in project.yml") from error


def _holder(said: str) -> str:
    found = HOLDER.search(said)
    if found is None:
        return "another process"
    program = Path(found["program"] or "").name
    return f"{program} (process {found['pid']})" if program else f"process {found['pid']}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n\nLINE", maxsplit=1)[0].strip()
