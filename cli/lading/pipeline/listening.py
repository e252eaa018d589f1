"""Syncing whenever somebody asks for it in Port, until a signal says that it is enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from lading import log
from lading.errors import ServerError
from lading.port.integration import Integration
from lading.waiting import LONGEST_SLEEP, Stopping

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.port.integration import ResyncRequest

# While Port is not to be had, each wait is twice the last one, up to this.
LONGEST_WAIT = 600.0


@dataclass(slots=True)
class Listening:
    """Syncs once, then whenever a resync is asked for.

    open      reads the project's files anew
    sync      does a whole sync of it, and tells what came of it; gives its exit code
    fail      tells of an error that ended one; gives its exit code
    interval  seconds between two looks
    """

    open: Callable[[], Context]
    sync: Callable[[Context], int]
    fail: Callable[[Exception], int]
    interval: float
    _stop: Stopping = field(default_factory=Stopping)
    _answered: ResyncRequest | None = None
    _failures: int = 0

    def run(self) -> None:
        """Go on until SIGINT or SIGTERM: at once if nothing is under way, else after it.

        Raises:
            UserError: the project's files are wrong at the beginning.
        """
        with self._stop:
            context = self.open()
            self._answered = self._first_look(context)
            self._sync(context)
            while self._wait_for_request(context):
                context = self._reopened(context)
        log.info("listen", "stopped listening")

    def _first_look(self, context: Context) -> ResyncRequest | None:
        """What was asked for before is answered by the first sync."""
        try:
            with Integration(context.port) as integration:
                return integration.resync_request()
        except ServerError:
            return None

    def _reopened(self, context: Context) -> Context:
        """Sync what the files say now. If they are wrong, listening goes on as it was."""
        try:
            fresh = self.open()
        except Exception as error:  # noqa: BLE001 - one sync that fails is not the last one
            self._say(self.fail(error))
            return context
        self._sync(fresh)
        return fresh

    def _sync(self, context: Context) -> None:
        if self._stop.wished:
            return
        over = threading.Event()
        watch = threading.Thread(target=self._say_if_stopped, args=(over,), daemon=True)
        watch.start()
        try:
            code = self.sync(context)
        except Exception as error:  # noqa: BLE001 - one sync that fails is not the last one
            code = self.fail(error)
        finally:
            over.set()
        self._say(code)

    def _say_if_stopped(self, over: threading.Event) -> None:
        """Not by the signal's handler: what it interrupts may hold the lock of stderr."""
        while not over.wait(LONGEST_SLEEP):
            if self._stop.wished:
                log.warning("interrupted", "finishing this sync, then stopping (again: at once)")
                return

    def _say(self, code: int) -> None:
        say = log.error if code else log.info
        then = "" if self._stop.wished else f"; looking for resyncs every {self.interval:g} s"
        say("listen", f"the sync ended with exit code {code}{then}", exit_code=code)

    def _wait_for_request(self, context: Context) -> bool:
        """Come back when a resync was asked for that no sync has answered; False to stop."""
        with Integration(context.port) as integration, ThreadPoolExecutor(1) as pool:
            while not self._stop.wished:
                asked = self._look(integration, pool)
                if asked is not None and _is_new(asked, self._answered):
                    log.info("listen", "a resync was asked for in Port", request=asked.id)
                    self._answered = asked
                    return True
                longest = max(LONGEST_WAIT, self.interval)
                self._stop.pause(min(self.interval * 2**self._failures, longest))
        return False

    def _look(self, integration: Integration, pool: ThreadPoolExecutor) -> ResyncRequest | None:
        looking = pool.submit(integration.resync_request)
        while not looking.done():
            self._stop.pause(0.02)
            if self._stop.wished:
                integration.break_off()
                return None
        try:
            asked = looking.result()
        except ServerError as error:
            if not self._failures:
                said = f"Port does not say whether a resync was asked for: {error.message}"
                log.warning("listen", f"{said}; looking again, less and less often")
            self._failures += 1
            return None
        if self._failures:
            log.info("listen", "Port says again whether a resync was asked for")
        self._failures = 0
        return asked


def _is_new(asked: ResyncRequest, answered: ResyncRequest | None) -> bool:
    """Port goes on giving the last request, and may give an older one again."""
    if answered is None:
        return True
    try:
        moments = [datetime.fromisoformat(each.updated_at) for each in (asked, answered)]
        return moments[0] > moments[1]
    except (TypeError, ValueError):
        return asked != answered
