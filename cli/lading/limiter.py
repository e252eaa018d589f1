"""One pace for all requests that one key makes.

Several threads ask for a turn; a 429 that one of them meets slows all of them down together,
and answers that go well speed them up again: more waiting between two requests and fewer of
them under way at once after each refusal, then a step back towards none and all.

A server that says how many requests are left need not refuse any: those that would be too many
wait until it takes them again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lading.errors import ThrottledError, UnavailableError

# The first gap after a refusal, and the one that is never exceeded, in seconds.
FIRST_GAP = 0.1
LONGEST_GAP = 20.0
# A gap below this is no gap.
SHORTEST_GAP = 0.02


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an answer says of the rate limit: the requests that are left of it, and the seconds
    until it begins anew."""

    requests: int
    seconds: float


@dataclass(slots=True)
class _Budget:
    """How many more requests may begin until a moment of the limiter's clock."""

    left: int
    until: float
    told: bool = False


class Limiter:
    """Turns for at most `concurrency` requests at once, slower after a refusal."""

    def __init__(self, concurrency: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = concurrency
        self._clock = clock
        self._changed = threading.Condition()
        self._allowed = float(concurrency)
        self._under_way: Counter[str] = Counter()
        self._budgets: dict[str, _Budget] = {}
        self._gap = 0.0
        self._not_before = 0.0
        self._slowed_at = float("-inf")
        self._closed = False

    def close(self) -> None:
        """No more turns: whoever waits for one gives up at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def gap(self) -> float:
        """Seconds between the starts of two requests at the present pace."""
        return self._gap

    @property
    def allowed(self) -> int:
        """How many requests may be under way at once at the present pace."""
        return max(1, int(self._allowed))

    @contextmanager
    def turn(self, patience: float = float("inf"), pool: str = "") -> Iterator[float]:
        """Wait for a turn; gives the moment it began, for `throttled`. Requests of one `pool` count
        towards the same limit of the server's.

        Raises:
            ThrottledError: the server wants everyone to wait longer than `patience` seconds.
            UnavailableError: the limiter was closed.
        """
        began = self._wait_for_turn(patience, pool)
        try:
            yield began
        finally:
            with self._changed:
                self._under_way[pool] -= 1
                self._changed.notify_all()

    def _wait_for_turn(self, patience: float, pool: str) -> float:
        with self._changed:
            while True:
                if self._closed:
                    raise UnavailableError("given up: no more requests are made")
                now = self._clock()
                not_before = max(self._not_before, self._opens(pool, now))
                if not_before - now > patience:
                    raise _too_long(not_before - now)
                if self._under_way.total() < self.allowed and now >= not_before:
                    self._begin(pool, now)
                    return now
                pause = not_before - now
                self._changed.wait(timeout=pause if pause > 0 else None)

    def _begin(self, pool: str, now: float) -> None:
        self._under_way[pool] += 1
        self._not_before = now + self._gap
        if pool in self._budgets:
            self._budgets[pool].left -= 1

    def _opens(self, pool: str, now: float) -> float:
        """When the next request of the pool may begin, as far as the server's limit goes."""
        budget = self._budgets.get(pool)
        if budget is not None and now >= budget.until:
            del self._budgets[pool]
            budget = None
        return budget.until if budget is not None and budget.left <= 0 else now

    def told(self, pool: str, allowance: Allowance, patience: float) -> float | None:
        """What the answer to a request under way says of its pool's limit. Gives the seconds for
        which none of the pool begins from now on, the first time that it comes to that.

        What is over already, or further away than `patience` seconds, is nothing to go by.
        """
        with self._changed:
            now = self._clock()
            if not 0 < allowance.seconds <= patience:
                self._budgets.pop(pool, None)
                return None
            # The server may not have counted the others that are under way.
            left = allowance.requests - (self._under_way[pool] - 1)
            budget = self._budgets.get(pool)
            if budget is None or now >= budget.until:
                budget = self._budgets[pool] = _Budget(left, now + allowance.seconds)
            # Answers overtake each other; until the limit begins anew, the least is the newest.
            budget.left = min(budget.left, left)
            if budget.left > 0 or budget.told:
                return None
            budget.told = True
            return budget.until - now

    def throttled(self, began: float, retry_after: float | None = None) -> None:
        """A request that began at `began` was refused with 429: everyone waits, then goes slower.

        Requests that were under way together are refused together; only the first of them
        slows the pace, else four refusals at one moment would count as four.
        """
        with self._changed:
            now = self._clock()
            if began > self._slowed_at:
                self._gap = min(LONGEST_GAP, max(FIRST_GAP, self._gap * 2))
                self._allowed = max(1.0, self._allowed / 2)
                self._slowed_at = now
            pause = max(self._gap, retry_after or 0.0)
            self._not_before = max(self._not_before, now + pause)
            self._changed.notify_all()

    def went_well(self) -> None:
        """An answer came: a step back towards full speed."""
        with self._changed:
            if self._gap == 0.0 and self._allowed >= self._most:
                return
            self._gap = self._gap * 0.8 if self._gap * 0.8 >= SHORTEST_GAP else 0.0
            self._allowed = min(float(self._most), self._allowed + 0.25)
            self._changed.notify_all()


def _too_long(seconds: float) -> ThrottledError:
    error = ThrottledError(f"the server wants no request for another {seconds:.0f} s")
    error.retry_after = seconds
    return error
