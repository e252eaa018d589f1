"""Faults that a stand-in can be told to show, and how a command line spells them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

STATUS_KINDS = {
    str(status): status for status in (400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529)
}
TRANSPORT_KINDS = ("reset", "truncated", "garbled", "redirect", "slow")
LASTING_KINDS = ("dense", "repeated_cursor", "undercount", "left_out", "207")


class Asked(Protocol):
    """What a fault needs to know of a request."""

    @property
    def path(self) -> str: ...

    @property
    def query(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, the requests it applies to, and how often.

    kind         a status (`429`, `500`, …), `reset` (RST before any response), `truncated`
                 (half of the body), `garbled` (200 with HTML), `redirect` (307), `slow`, or a
                 kind of the stand-in's own
    path, query  text that the path and the decoded query (`a=b&c=d`) must contain; "" is any
    times        matching requests that it hits; None is all of them
    after        matching requests that pass before the first hit
    retry_after  seconds, sent as `retry-after` with a status; None sends no such header
    reset        seconds until the limit is lifted, sent in the API's own rate limit header
    to           where a `redirect` points
    seconds      how long `slow` waits before it answers
    limit        the largest `limit` that `dense` lets through
    every        which entities of a bulk request a `207` refuses or an `unanswered` leaves out
                 of the answer, and which buckets an `undercount` makes smaller: each n-th
    bucket       how the `starting_at` of the buckets begins that a `left_out` leaves out; "" is
                 any
    """

    kind: str
    path: str = ""
    query: str = ""
    times: int | None = 1
    after: int = 0
    retry_after: float | None = None
    reset: float | None = None
    to: str = ""
    seconds: float = 1.0
    limit: int = 7
    every: int = 3
    bucket: str = ""

    def __post_init__(self) -> None:
        if self.kind == "redirect" and not self.to:
            raise ValueError("the fault redirect needs to=URL")
        if self.every < 1:
            raise ValueError(f"every={self.every}: at least 1")

    @property
    def status(self) -> int | None:
        """The HTTP status that the fault answers with, if that is all it does."""
        return STATUS_KINDS.get(self.kind)

    def applies_to(self, request: Asked) -> bool:
        if self.path not in request.path:
            return False
        return not self.query or self.query in "&".join(f"{k}={v}" for k, v in request.query)


class Faults:
    """The faults that are switched on, counted down as requests meet them. Thread-safe."""

    def __init__(self, own_kinds: Sequence[str] = ()) -> None:
        """`own_kinds`: kinds that the stand-in's handler carries out itself."""
        self.kinds = (*STATUS_KINDS, *TRANSPORT_KINDS, *own_kinds)
        self._lock = threading.Lock()
        self._on: list[_Countdown] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on. Those added first are met first. ValueError: unknown kind."""
        self._check_kind(fault.kind)
        with self._lock:
            self._on.append(_Countdown(fault, fault.after, fault.times))

    def clear(self) -> None:
        with self._lock:
            self._on.clear()

    def take(self, request: Asked) -> Fault | None:
        """The fault that this request meets, if any. Each call counts as one request."""
        if not self._on:
            return None
        with self._lock:
            matching = (one for one in self._on if one.fault.applies_to(request))
            return next((one.fault for one in matching if one.hits()), None)

    def parse(self, text: str) -> Fault:
        """`kind` or `kind:option=value,…`, as in `429:path=cost_report,times=3,retry_after=1`.

        `times=always` lasts; so do, unless `times` is given, the kinds that describe a condition
        and not an event (`dense`, `repeated_cursor`, `undercount`, `left_out`, `207`). ValueError:
        what is wrong with it.
        """
        kind, _, options = text.strip().partition(":")
        self._check_kind(kind)
        values: dict[str, Any] = {"times": None} if kind in LASTING_KINDS else {}
        for option in filter(None, options.split(",")):
            name, value = _option(option)
            values[name] = value
        return Fault(kind, **values)

    def _check_kind(self, kind: str) -> None:
        if kind not in self.kinds:
            raise ValueError(f"unknown fault {kind!r}: the kinds are {', '.join(self.kinds)}")


@dataclass(slots=True)
class _Countdown:
    fault: Fault
    to_pass: int
    to_hit: int | None

    def hits(self) -> bool:
        if self.to_pass > 0:
            self.to_pass -= 1
            return False
        if self.to_hit is None:
            return True
        self.to_hit -= 1
        return self.to_hit >= 0


_READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "int | None": lambda text: None if text == "always" else int(text),
    "float": float,
    "float | None": float,
    "str": str,
}


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    readers = {f.name: _READERS[str(f.type)] for f in fields(Fault) if f.name != "kind"}
    if name not in readers or not equals:
        raise ValueError(
            f"fault option {text!r}: the options are {', '.join(readers)} (name=value)"
        )
    try:
        return name, readers[name](value)
    except ValueError:
        raise ValueError(f"fault option {text!r}: {value!r} is not a number") from None
