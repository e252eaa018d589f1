"""The processes in which JQ runs: started when needed, replaced when they die.

A worker that takes too long or too much is ended, and with it the batch that it had. The row that
was under way is then run alone, so that a bad row costs itself and no other.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from lading import log
from lading.errors import Bug
from lading.mapping.process import MIB, Process, Unfinished

MEMORY_LIMIT = 512 * MIB
TIME_LIMIT = 20.0

# How many rows of one resource may turn out impossible before the resource is given up.
GUILTY_ROWS = 3

# So many rows are done by one process: for fewer, another one takes longer to start than it saves.
ROWS_OF_ONE = 1000


@dataclass(frozen=True, slots=True)
class Guilty:
    """The answer for a row on which the program could not be carried out, even alone."""

    reason: str


Answer = str | Guilty


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a batch; `suspect` when they are one row at which a process ended before."""

    rows: Sequence[str]
    suspect: bool = False


class Workers:
    """Up to `count` processes, of which each is started when it is needed; `memory_limit` in bytes,
    `time_limit` in seconds for a batch, which may be set anew.

    A context manager: leaving it ends every process, whatever the reason for leaving is.
    """

    def __init__(
        self, count: int, memory_limit: int = MEMORY_LIMIT, time_limit: float = TIME_LIMIT
    ) -> None:
        self.count = max(1, count)
        self.memory_limit = memory_limit
        self.time_limit = time_limit
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="jq")
        self._lock = threading.Lock()
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._closed = False
        self._rows = 0
        # Whoever forgets to close them leaves no process behind all the same.
        weakref.finalize(self, _end, self._all)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process; whoever waits for an answer gets none."""
        with self._lock:
            self._closed = True
            for process in self._all:
                process.end()
        self._threads.shutdown(wait=True, cancel_futures=True)
        _end(self._all)

    def rest(self) -> None:
        """End the processes that have nothing to do. Others are started when they are needed."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for process in idle:
            process.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are there now."""
        with self._lock:
            return tuple(process.pid for process in self._all)

    def run(self, program: str, batches: Iterable[Sequence[str]]) -> Iterator[Answer]:
        """What the program gives for each row, in order; batches are taken as they are needed.

        After `GUILTY_ROWS` rows that could not be carried out the answers end with the last of
        them.

        Raises:
            MappingError: no worker process could be started.
        """
        waiting: deque[Future[list[Answer]]] = deque()
        guilty = 0
        try:
            for answer in self._in_order(program, batches, waiting):
                yield answer
                guilty += isinstance(answer, Guilty)
                if guilty == GUILTY_ROWS:
                    return
        finally:
            for future in waiting:
                future.cancel()

    def compile(self, texts: Sequence[str]) -> list[str]:
        """For each text what jq says against it as a program; nothing if it compiles.

        Raises:
            MappingError: no worker process could be started.
        """
        answers = self._threads.submit(self._carry_out, None, texts).result()
        return [
            f"jq: error: {answer.reason}" if isinstance(answer, Guilty) else answer
            for answer in answers
        ]

    def _in_order(
        self,
        program: str,
        batches: Iterable[Sequence[str]],
        waiting: deque[Future[list[Answer]]],
    ) -> Iterator[Answer]:
        for batch in batches:
            waiting.append(self._threads.submit(self._carry_out, program, batch))
            self._rows += len(batch)
            while len(waiting) > self._most_waiting:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    @property
    def _most_waiting(self) -> int:
        """How many batches may be under way while the next one is got ready."""
        is_small = self._rows <= ROWS_OF_ONE and len(self.pids) <= 1
        return 0 if is_small else self.count

    def _carry_out(self, program: str | None, rows: Sequence[str]) -> list[Answer]:
        """The answers of a batch; a program is given up after `GUILTY_ROWS` of its rows."""
        answers: list[Answer] = []
        guilty = 0
        parts: list[_Part | Guilty] = [_Part(rows)]
        while parts and (program is None or guilty < GUILTY_ROWS):
            part = parts.pop()
            if isinstance(part, Guilty):
                answers.append(part)
                guilty += 1
            elif part.rows:
                try:
                    answers.extend(self._ask(program, part.rows))
                except Unfinished as stop:
                    parts.extend(reversed(_around(part, stop)))
        return answers

    def _ask(self, program: str | None, rows: Sequence[str]) -> list[str]:
        process = self._take()
        try:
            return process.ask(program, rows)
        finally:
            self._give_back(process)

    def _take(self) -> Process:
        with self._lock:
            if self._closed:
                raise Bug("the JQ workers were asked after they were closed")
            process = self._idle.pop() if self._idle else None
            if process is not None:
                process.time_limit = self.time_limit
                return process
            process = Process(self.memory_limit, self.time_limit)
            self._all.add(process)
        log.debug("jq_started", f"process {process.pid} is started for JQ", pid=process.pid)
        try:
            process.wait_until_ready()
        except BaseException:
            self._give_back(process)
            raise
        return process

    def _give_back(self, process: Process) -> None:
        with self._lock:
            if process.is_alive:
                self._idle.append(process)
                return
            self._all.discard(process)
        process.close()


def _end(processes: set[Process]) -> None:
    for process in processes:
        process.close()
    processes.clear()


def _around(part: _Part, stop: Unfinished) -> tuple[_Part | Guilty, ...]:
    """The rows before the one that was under way, that row, and the rows after it."""
    row = stop.row
    sure = stop.proven or part.suspect
    middle = Guilty(stop.reason) if sure else _Part(part.rows[row : row + 1], suspect=True)
    return _Part(part.rows[:row]), middle, _Part(part.rows[row + 1 :])
