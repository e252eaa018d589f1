"""Waiting for work in other threads so that a person who stops it is heard, and does no harm."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType, TracebackType
from typing import Any, TypeVar

# A signal that comes just before a thread goes to sleep does not wake it: Python notes it and
# acts on it when the thread runs again. So no sleep is without an end.
LONGEST_SLEEP = 0.2

T = TypeVar("T")


class Stopping:
    """Within it, a first SIGINT or SIGTERM is a wish to stop after what is under way; a further one
    is what a second Ctrl-C is without it."""

    def __init__(self) -> None:
        self.wished = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stopping:
        self._before = {
            signal.SIGINT: signal.signal(signal.SIGINT, self),
            signal.SIGTERM: signal.signal(signal.SIGTERM, _like_an_interrupt),
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self.hear():
            raise KeyboardInterrupt

    def hear(self) -> bool:
        """Take a signal as a wish; False if that is known already."""
        known, self.wished = self.wished, True
        return not known

    def pause(self, seconds: float) -> None:
        """Do nothing for so long, or until the wish to stop."""
        until = time.monotonic() + seconds
        while not self.wished and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_SLEEP))


def _like_an_interrupt(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)


class Interruptions:
    """Within it, Ctrl-C is raised only where futures are waited for, once for each time.

    Raised anywhere, as Python does, it may come while a future's lock is taken, and that lock is
    then never given back.
    """

    def __init__(self) -> None:
        self._noted = 0
        self._before: Any = None

    def __enter__(self) -> Interruptions:
        in_main = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT)
        if in_main and (handler is signal.default_int_handler or isinstance(handler, Stopping)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if error is None:
            self._raise_noted()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not isinstance(self._before, Stopping):
            self._noted += 1
        elif not self._before.hear():
            self._noted += 2

    def _raise_noted(self) -> None:
        if self._noted:
            self._noted -= 1
            raise KeyboardInterrupt

    def first_of(self, futures: Iterable[Future[T]]) -> set[Future[T]]:
        """Those that are done, once one of them is."""
        waiting = set(futures)
        while True:
            self._raise_noted()
            done, _ = wait(waiting, timeout=LONGEST_SLEEP, return_when=FIRST_COMPLETED)
            if done or not waiting:
                return done

    def all_of(self, futures: Iterable[Future[T]]) -> None:
        """Come back once all of them are done, cancelled or failed."""
        waiting = set(futures)
        while waiting:
            waiting -= self.first_of(waiting)
