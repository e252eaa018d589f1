"""Waiting for work in other threads so that a person who stops it is heard, and does no harm."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, TypeVar

# A signal that comes just before a thread goes to sleep does not wake it: Python notes it and
# acts on it when the thread runs again. So no sleep is without an end.
LONGEST_SLEEP = 0.2
# How many seconds a call that was interrupted has to end.
GRACE = 0.5

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
        if in_main and (
            handler is signal.default_int_handler or isinstance(handler, Stopping | Hearing)
        ):
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
        stopping = _stopping(self._before)
        if stopping is None:
            self._noted += 1
        elif not stopping.hear():
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


class Hearing:
    """Within it, Ctrl-C is heard in the middle of a call that knows nothing of Python's signals,
    such as a query of DuckDB's: `interrupt` ends the call, and leaving raises KeyboardInterrupt.

    Where no such call is under way, KeyboardInterrupt comes as Python has it, a moment later.
    Raised in between, it would keep what the call was made for from being closed.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self.interrupts = [interrupt]
        self.wished = False
        self._before: Any = None
        self._patience = 1
        self._left = threading.Event()
        self._ears: tuple[socket.socket, socket.socket] | None = None
        self._fd_before = -1
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Hearing:
        handler = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or not (handler is signal.default_int_handler or _stopping(handler)):
            return self
        self._before = handler
        stopping = _stopping(handler)
        self._patience = 2 if stopping is not None and not stopping.wished else 1
        self._ears = ears = socket.socketpair()
        for each in ears:
            each.setblocking(each is ears[0])
        self._fd_before = signal.set_wakeup_fd(ears[1].fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, self)
        self._listener = threading.Thread(target=self._listen, args=(ears[0],), daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left.set()
        if self._ears is not None and self._listener is not None:
            signal.signal(signal.SIGINT, self._before)
            signal.set_wakeup_fd(self._fd_before)
            self._ears[1].close()
            self._listener.join()
            self._ears[0].close()
        if self.wished and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error

    def __call__(self, number: int, frame: FrameType | None) -> None:
        stopping = _stopping(self._before)
        if stopping is not None and stopping.hear():
            return
        if self.wished:
            raise KeyboardInterrupt
        self.wished = True

    def _listen(self, ear: socket.socket) -> None:
        """In a thread of its own: the main one may hear of a signal only after its call."""
        heard = 0
        while heard < self._patience:
            told = ear.recv(16)
            if not told:
                return
            if signal.getsignal(signal.SIGINT) is not self:
                continue  # futures are waited for, and it is heard there
            heard += sum(each in {signal.SIGINT, signal.SIGTERM} for each in told)
        until = time.monotonic() + GRACE
        while not self._left.wait(0.02):
            for interrupt in tuple(self.interrupts):
                interrupt()
            if self.wished and time.monotonic() > until:
                # As a signal, it also ends a sleep.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                return


@contextmanager
def hearing(interrupt: Callable[[], None]) -> Iterator[None]:
    """A `Hearing`, or a further `interrupt` of the one that is there."""
    handler = signal.getsignal(signal.SIGINT)
    if not isinstance(handler, Hearing):
        with Hearing(interrupt):
            yield
        return
    handler.interrupts.append(interrupt)
    try:
        yield
    finally:
        handler.interrupts.remove(interrupt)


def _stopping(handler: Any) -> Stopping | None:
    """The wish to stop that a handler of signals takes note of, if it does."""
    if isinstance(handler, Hearing):
        return _stopping(handler._before)
    return handler if isinstance(handler, Stopping) else None
