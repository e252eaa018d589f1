"""A rate limit that Port's stand-in holds its clients to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests in so many seconds, counted from the first of them."""

    requests: int
    seconds: float


@dataclass(slots=True)
class Window:
    """What is used up of a rate limit. Times are seconds of one clock."""

    used: int = 0
    ends: float = 0.0

    def take(self, limit: RateLimit, now: float) -> bool:
        """Count a request; False if there is none left."""
        if now >= self.ends:
            self.used, self.ends = 0, now + limit.seconds
        has_room = self.used < limit.requests
        self.used += has_room
        return has_room

    def left(self, limit: RateLimit, now: float) -> int:
        """How many requests remain until the limit is lifted."""
        return limit.requests if now >= self.ends else max(0, limit.requests - self.used)

    def resets_in(self, limit: RateLimit, now: float) -> float:
        """Seconds until the limit is lifted."""
        return self.ends - now if now < self.ends else limit.seconds
