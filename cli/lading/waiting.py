"""Waiting for work in other threads so that a person who stops it is heard, and does no harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import FrameType, TracebackType
from typing import Any, TypeVar

# A signal that comes just before a thread goes to sleep does not wake it: Python notes it and
# acts on it when the thread runs again. So no sleep is without an end.
LONGEST_SLEEP = 0.2

T = TypeVar("T")


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
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
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
        self._noted += 1

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
