"""One worker process: how it is started, asked, and ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from mmap import mmap
from pathlib import Path

from lading.errors import MappingError
from lading.mapping.worker import ANSWER, OUT_OF_MEMORY, PROGRESS, REQUEST

MIB = 1024 * 1024
START_SECONDS = 60.0


class Unfinished(Exception):
    """A batch came to nothing while `row` was under way; `proven` if that row alone did it."""

    def __init__(self, row: int, reason: str, *, proven: bool = False) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason
        self.proven = proven


class Process:
    """A worker process and the pipes to it; for one thread at a time, but for `end`."""

    def __init__(self, memory_limit: int, time_limit: float) -> None:
        self._memory_limit = memory_limit
        self.time_limit = time_limit
        self._expired = False
        self.is_alive = True
        with tempfile.TemporaryFile() as shared:
            shared.truncate(PROGRESS.size)
            self._progress = mmap(shared.fileno(), PROGRESS.size)
            self._popen = _started(shared.fileno(), memory_limit)
        self.pid = self._popen.pid

    def wait_until_ready(self) -> None:
        """Returns when JQ is loaded.

        Raises:
            MappingError: it can't be.
        """
        try:
            with _late(START_SECONDS, self._expire):
                self._read()
        except (OSError, EOFError) as error:
            raise MappingError(
                f"no process for JQ could be started: it {self._how_it_ended()}",
                hint=f"see what this says: {sys.executable} -I -c 'import jq'",
            ) from error

    def ask(self, program: str | None, rows: Sequence[str]) -> list[str]:
        """What the program gives for each row, or, without one, what is wrong with each row as
        a program.

        Raises:
            Unfinished: the process ended, or jq gave up on a row.
        """
        try:
            with _late(self.time_limit, self._expire):
                self._write(program, rows)
                kind, texts = self._read()
        except (OSError, EOFError) as error:
            reason = self._how_it_ended()
            row = self._row_under_way(rows)
            raise Unfinished(row, reason, proven=self._expired and row == 0) from error
        self.is_alive = not self._expired
        if kind == b"!":
            raise Unfinished(self._row_under_way(rows), f"can't be carried out: {texts[0]}")
        if len(texts) != len(rows):
            raise Unfinished(0, "is not one JSON value")
        return texts

    def end(self) -> None:
        """End the process now; whoever waits for its answer sees the pipe close."""
        self._popen.kill()

    def close(self) -> None:
        """Leave nothing behind."""
        self.is_alive = False
        self.end()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._progress.close()

    def _expire(self) -> None:
        self._expired = True
        self.end()

    def _row_under_way(self, rows: Sequence[str]) -> int:
        finished: int = PROGRESS.unpack_from(self._progress)[0]
        return min(finished, len(rows) - 1)

    def _write(self, program: str | None, rows: Sequence[str]) -> None:
        kind = b"c" if program is None else b"m"
        text = (program or "").encode()
        joined = "\0".join(rows).encode(errors="replace")
        pipe = self._popen.stdin
        assert pipe is not None
        pipe.write(REQUEST.pack(kind, len(text), len(joined), self.time_limit))
        pipe.write(text + joined)
        pipe.flush()

    def _read(self) -> tuple[bytes, list[str]]:
        kind, count, size = ANSWER.unpack(self._exactly(ANSWER.size))
        joined = self._exactly(size).decode()
        return kind, joined.split("\0") if count else []

    def _exactly(self, size: int) -> bytes:
        pipe = self._popen.stdout
        assert pipe is not None
        found = pipe.read(size)
        if len(found) < size:
            raise EOFError
        return found

    def _how_it_ended(self) -> str:
        """The reason, as what a row or a process does."""
        self.is_alive = False
        self.end()
        status = self._popen.wait()
        if self._expired or status == -signal.SIGXCPU:
            return f"takes longer than {self.time_limit:g} s"
        if status in {-signal.SIGABRT, OUT_OF_MEMORY}:
            return f"needs more than {self._memory_limit // MIB} MiB of memory"
        if status < 0:
            return f"ends the JQ process (signal {-status})"
        return f"ends the JQ process (exit status {status})"


def _started(shared: int, memory_limit: int) -> subprocess.Popen[bytes]:
    worker = Path(__file__).with_name("worker.py")
    return subprocess.Popen(
        [sys.executable, "-I", str(worker), _folder_of_jq(), str(shared), str(memory_limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        pass_fds=[shared],
        # A Ctrl-C at the terminal is for the command: it ends its workers itself.
        start_new_session=True,
    )


def _folder_of_jq() -> str:
    """Where `jq` is installed, which an isolated process would not always find (pip --user)."""
    from importlib.util import find_spec

    found = find_spec("jq")
    if found is None or found.origin is None:
        raise MappingError("the package jq is not installed", hint="pip install jq")
    return str(Path(found.origin).parent)


@contextmanager
def _late(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` if the block is still running after that time."""
    lock = threading.Lock()
    over = False

    def act_unless_over() -> None:
        with lock:
            if not over:
                act()

    timer = threading.Timer(seconds, act_unless_over)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            over = True
