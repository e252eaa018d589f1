"""The access token: asked for when first needed, renewed in time, and once when it is refused.

Port gives the same token again while it lives, so its remaining life may be short, and asking
more often than that changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

RENEW_AFTER = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """The value of the `Authorization` header, and when, by our clock, to ask for the next."""

    authorization: str
    renew_at: float


class TokenKeeper:
    """One token for all threads; only one of them asks for a new one.

    ask    gives the header's value and how many seconds it is good for
    clock  in seconds, from any start
    """

    def __init__(self, ask: Callable[[], tuple[str, float]], clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self) -> Token:
        with self._lock:
            if self._token is None or self._clock() >= self._token.renew_at:
                self._token = self._new()
            return self._token

    def instead_of(self, refused: Token) -> Token:
        """Another token than the one that was refused: a new one, or the one that another
        thread, refused like this one, has asked for since."""
        with self._lock:
            if self._token is None or self._token is refused:
                self._token = self._new()
            return self._token

    def _new(self) -> Token:
        authorization, seconds = self._ask()
        return Token(authorization, self._clock() + RENEW_AFTER * seconds)
