"""Requests that are tried again when that may help, at the pace that the key allows.

A `Session` belongs to one server and one key. What an answer means is the caller's
(`classify`, `parse`); whether to try again is a question of the error's class alone.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from lading import log
from lading.errors import (
    RefusedError,
    RetriableError,
    ServerError,
    ThrottledError,
    UnavailableError,
    UserError,
)
from lading.secrets import redact

if TYPE_CHECKING:
    import ssl

    import httpx
    from tenacity import RetryCallState

    from lading.limiter import Allowance, Limiter

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

# A number of seconds to wait that is above these is a moment: (milli)seconds since 1970.
EPOCH_ABOVE = 1_000_000_000
EPOCH_MILLISECONDS_ABOVE = 100_000_000_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to go on: at most `tries` requests within `seconds`, waits doubling from
    `first_wait` to `longest_wait` seconds unless the server names its own."""

    tries: int = 8
    seconds: float = 300.0
    first_wait: float = 0.5
    longest_wait: float = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: status, headers with lower-case names, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Classify = Callable[[Reply], ServerError | None]
Allow = Callable[[Reply], "Allowance | None"]


class Session:
    """All requests to one server with one key; safe to use from several threads."""

    def __init__(
        self,
        *,
        base_url: str,
        headers: Mapping[str, str],
        classify: Classify,
        limiter: Limiter,
        retry: RetryPolicy,
        name: str = "",
        timeout: float = 120.0,
        allow: Allow = lambda reply: None,
    ) -> None:
        """`timeout`: the seconds that each part of an exchange may take; connecting at most 15.
        `allow`: what an answer says of the server's rate limit, which is then kept to. `name` is
        what people call the server."""
        import httpx

        try:
            self._client = httpx.Client(
                base_url=base_url,
                headers=dict(headers),
                # A redirect is an answer to report, not to follow: it would carry the key along.
                follow_redirects=False,
                # A proxy of the environment must not see what is meant for this machine.
                trust_env=not is_loopback(base_url),
                verify=_trusted(base_url),
                timeout=httpx.Timeout(timeout, connect=min(timeout, 15.0)),
                limits=httpx.Limits(max_connections=64),
            )
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
            raise UserError(
                f"no connection to {base_url} can be set up: {error}",
                hint="look at the proxy and certificate variables of the environment "
                "(HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE)",
            ) from error
        self._base_url = base_url
        self._name = name or base_url
        self._classify = classify
        self._allow = allow
        self._limiter = limiter
        self._retry = retry
        self._closed = threading.Event()
        self._counting = threading.Lock()
        self._streams: WeakSet[Any] = WeakSet()
        self._broken_off = False
        self.requests = 0
        self.retries = 0

    def give_up(self) -> None:
        """Begin and try again nothing from now on; requests under way may end."""
        self._closed.set()
        self._limiter.close()

    def break_off(self) -> None:
        """Give up, and end requests under way: whoever waits for an answer stops waiting."""
        self.give_up()
        with self._counting:
            self._broken_off = True
            streams = tuple(self._streams)
        for stream in streams:
            _end_stream(stream)

    def _note_stream(self, event: str, about: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            with self._counting:
                self._streams.add(about["return_value"])
                too_late = self._broken_off
            if too_late:
                _end_stream(about["return_value"])

    def close(self) -> None:
        """End it; threads that wait to try again give up at once."""
        self.give_up()
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        parse: Callable[[Reply], T],
        params: Params = (),
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        on_retry: Callable[[RetriableError], None] = lambda error: None,
        pool: str = "",
    ) -> T:
        """One request until it is answered; gives what `parse` makes of the answer. `on_retry` is
        called before each further try, with what the last one met. Requests of a `pool` count
        towards the same rate limit.

        Raises:
            ServerError: what the last try met. A `GarbledError` that `parse` raises is
                tried again like an answer that did not come.
        """
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_before_delay,
            stop_when_event_set,
        )

        trying = Retrying(
            retry=retry_if_exception_type(RetriableError),
            stop=stop_after_attempt(self._retry.tries)
            | stop_before_delay(self._retry.seconds)
            | stop_when_event_set(self._closed),
            wait=self._wait,
            sleep=self._sleep,
            before_sleep=lambda state: self._say_waiting(method, path, state, on_retry),
            reraise=True,
        )
        answer: T = trying(self._once, method, path, parse, params, content, headers or {}, pool)
        return answer

    def _once(
        self,
        method: str,
        path: str,
        parse: Callable[[Reply], T],
        params: Params,
        content: bytes | None,
        headers: Mapping[str, str],
        pool: str,
    ) -> T:
        with self._limiter.turn(self._retry.seconds, pool) as began:
            with self._counting:
                self.requests += 1
            try:
                reply = self._exchange(method, path, params, content, headers)
                self._keep_to(pool, self._allow(reply))
                error = self._redirected(reply) or self._classify(reply)
                if error is not None:
                    raise error
                answer = parse(reply)
            except ThrottledError as throttled:
                self._limiter.throttled(began, throttled.retry_after)
                raise
        self._limiter.went_well()
        return answer

    def _keep_to(self, pool: str, allowance: Allowance | None) -> None:
        if allowance is None:
            return
        pause = self._limiter.told(pool, allowance, self._retry.seconds)
        if pause is not None:
            log.info(
                "rate_limit",
                f"{self._name} asks for {in_seconds(pause)}: it takes no more requests until then",
                wait_seconds=round(pause, 3),
            )

    def _exchange(
        self,
        method: str,
        path: str,
        params: Params,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        import httpx

        try:
            response: httpx.Response = self._client.request(
                method,
                path,
                params=httpx.QueryParams(list(params)) if params else None,
                content=content,
                headers=dict(headers),
                extensions={"trace": self._note_stream},
            )
        except httpx.TimeoutException as timeout:
            message = f"{self._base_url} did not answer in time"
            raise UnavailableError(message) from timeout
        except httpx.RequestError as broken:
            detail = redact(str(broken)) or type(broken).__name__
            raise UnavailableError(f"{self._base_url}: {detail}") from broken
        lower = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, lower, response.content)

    def _redirected(self, reply: Reply) -> ServerError | None:
        if not 300 <= reply.status < 400:
            return None
        where = reply.headers.get("location", "elsewhere")
        return RefusedError(
            f"{self._base_url} redirects to {where}; redirects are not followed, "
            "since they would carry the key to another host",
            hint="set the connection's base_url to the address that answers itself",
            status=reply.status,
        )

    def _wait(self, state: RetryCallState) -> float:
        from tenacity import wait_exponential, wait_random

        error = state.outcome.exception() if state.outcome else None
        wish = error.retry_after if isinstance(error, RetriableError) else None
        if wish:  # a wish to be asked again at once is not granted
            return wish
        first, longest = self._retry.first_wait, self._retry.longest_wait
        doubling = wait_exponential(multiplier=first, max=longest) + wait_random(0, first)
        return min(doubling(state), longest)

    def _sleep(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def _say_waiting(
        self,
        method: str,
        path: str,
        state: RetryCallState,
        on_retry: Callable[[RetriableError], None],
    ) -> None:
        with self._counting:
            self.retries += 1
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetriableError):
            on_retry(error)
        said = error.message if isinstance(error, ServerError) else str(error)
        asks = isinstance(error, RetriableError) and error.retry_after
        wish = f"{self._name} asks for {in_seconds(state.upcoming_sleep)}: " if asks else ""
        log.warning(
            "retry",
            f"{wish}{method} {path}: {said}; again in {state.upcoming_sleep:.1f} s "
            f"(try {state.attempt_number + 1} of {self._retry.tries})",
            path=path,
            attempt=state.attempt_number,
            wait_seconds=round(state.upcoming_sleep, 3),
        )


def _end_stream(stream: Any) -> None:
    import socket

    with suppress(OSError):
        # Closing alone would not wake a thread that reads from it.
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def is_loopback(address: str) -> bool:
    """Whether a URL leads to this machine itself."""
    from urllib.parse import urlsplit

    return urlsplit(address).hostname in {"127.0.0.1", "localhost", "::1"}


def _trusted(address: str) -> ssl.SSLContext | bool:
    """Whose certificates count: httpx's own choice, which takes long to read, or nobody's where
    there is no TLS, nor a proxy."""
    import ssl

    if address.startswith("http://") and is_loopback(address):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def in_seconds(seconds: float) -> str:
    """A wait in words: `12 s`, `0.3 s`."""
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"


def seconds_to_wait(value: str | None, *, now: float | None = None) -> float | None:
    """What a server's wish to wait amounts to in seconds, or None when it has none.

    Reads a number of seconds, a number of seconds since 1970, an RFC 3339 moment and an
    HTTP date: both APIs' headers come in more than one of these forms.
    """
    if not value:
        return None
    present = time.time() if now is None else now
    for read in (_seconds, _until):
        seconds = read(value.strip(), present)
        if seconds is not None:
            return max(0.0, seconds)
    return None


def _seconds(text: str, present: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if number > EPOCH_MILLISECONDS_ABOVE:
        number /= 1000
    if not math.isfinite(number):
        return None
    return number - present if number > EPOCH_ABOVE else number


def _until(text: str, present: float) -> float | None:
    from email.utils import parsedate_to_datetime

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            parsed = read(text)
        except ValueError:
            continue
        moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return moment.timestamp() - present
    return None
