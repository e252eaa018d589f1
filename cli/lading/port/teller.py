"""Telling Port of a run, in a thread of its own: whatever Port does, the run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Literal, NamedTuple

from lading import log
from lading.errors import LadingError, RetriableError

if TYPE_CHECKING:
    from lading.port.integration import Integration
    from lading.port.log_lines import LogLines

BEAT_SECONDS = 10.0
FLUSH_SECONDS = 2.0
# Before the second and last try; for what is left to tell when the run is over, or was stopped.
PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 15.0
HASTE_SECONDS = 3.0

What = Literal["integration", "mapping", "state", "metrics", "heartbeats", "examples", "log lines"]
NOT_TOLD: dict[What, str] = {
    "integration": "Port does not show this run",
    "mapping": "Port does not show this mapping",
    "state": "Port does not show the state of this run",
    "metrics": "Port does not show the counters of this run",
    "heartbeats": "Port may take this run for aborted",
    "examples": "Port has no new examples for its test of the mapping",
    "log lines": "Port does not show the log lines of this run",
}


class _Job(NamedTuple):
    what: What
    call: Callable[[], object]


class Teller:
    """Calls in the order in which they are asked for; besides, log lines and heartbeats.

    The first failure of a kind of call is a warning, and nothing of that kind is told any more;
    an integration that can't be had ends all of it.
    """

    def __init__(self, integration: Integration, event_id: str, lines: LogLines) -> None:
        self._integration = integration
        self._event_id = event_id
        self._lines = lines
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._given_up: set[What] = set()
        self._over = threading.Event()
        self._beat_at = self._flushed_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="port-view", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        log.sink.listeners.append(self._lines.hear)
        self._thread.start()

    def tell(self, what: What, call: Callable[[], object]) -> None:
        """Have a call made when those before it are done; comes back at once."""
        self._jobs.put(_Job(what, call))

    def finish(self, *, in_haste: bool = False) -> None:
        """Wait, not for long, until all is told. A Ctrl-C meanwhile ends it."""
        self._jobs.put(None)
        until = time.monotonic() + (HASTE_SECONDS if in_haste else PATIENCE_SECONDS)
        try:
            while self._thread.is_alive() and time.monotonic() < until:
                self._thread.join(0.2)
        finally:
            log.sink.listeners.remove(self._lines.hear)
            if self._thread.is_alive():
                self._over.set()
                self._integration.break_off()
                log.warning(
                    "port_view", "Port is slow to take what this run tells; the rest is left out"
                )

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                job = self._jobs.get(timeout=FLUSH_SECONDS)
            except Empty:
                self._tick()
                continue
            if job is None:
                self._flush()
                return
            self.make(*job)
            self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._flushed_at >= FLUSH_SECONDS:
            self._flushed_at = now
            self._flush()
        # They go where the counters go.
        if now - self._beat_at >= BEAT_SECONDS and "metrics" not in self._given_up:
            self._beat_at = now
            self.make("heartbeats", lambda: self._integration.beat(self._event_id))

    def _flush(self) -> None:
        while "log lines" not in self._given_up and (taken := self._lines.take()):
            self.make("log lines", partial(self._integration.send_logs, taken))

    def make(self, what: What, call: Callable[[], object]) -> None:
        """Make a call at once: for calls that follow from one that is being made."""
        if self._given_up & {what, "integration"} or self._over.is_set():
            return
        try:
            self._twice(call)
        except Exception as error:  # noqa: BLE001 - nothing of this may end a run
            self._give_up(what, error)

    def _twice(self, call: Callable[[], object]) -> None:
        try:
            call()
        except RetriableError:
            self._over.wait(PAUSE_SECONDS)
            call()

    def _give_up(self, what: What, error: Exception) -> None:
        self._given_up.add(what)
        if self._over.is_set():
            return  # it was broken off, and that was said
        said = error.message if isinstance(error, LadingError) else repr(error)
        log.warning("port_view", f"{NOT_TOLD[what]}: {said}", what=what)
