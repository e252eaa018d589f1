"""Waiting for work in other threads so that a person who stops it is heard at once."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

# A signal that comes just before a thread goes to sleep does not wake it: Python notes it and
# acts on it when the thread runs again. So no sleep is without an end.
LONGEST_SLEEP = 0.2

T = TypeVar("T")


def first_of(futures: Iterable[Future[T]]) -> set[Future[T]]:
    """Those that are done, once one of them is."""
    waiting = set(futures)
    while True:
        done, _ = wait(waiting, timeout=LONGEST_SLEEP, return_when=FIRST_COMPLETED)
        if done or not waiting:
            return done


def all_of(futures: Iterable[Future[T]]) -> None:
    """Come back once all of them are done, cancelled or failed."""
    waiting = set(futures)
    while waiting:
        waiting -= first_of(waiting)
