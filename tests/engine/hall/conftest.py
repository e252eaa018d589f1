"""A log that tests can read, and sessions with a server that answers as told."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lading import log
from lading.errors import (
    ForbiddenError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnavailableError,
)
from lading.http import Reply, RetryPolicy, Session, seconds_to_wait
from lading.limiter import Limiter
from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

QUICK = RetryPolicy(tries=4, seconds=20, first_wait=0.01, longest_wait=0.03)


HANGS_AFTER_SECONDS = 120
# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _hangs_are_failures() -> Iterator[None]:
    """What never ends is ended, with the place where it was."""
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True, file=2)
    yield
    faulthandler.cancel_dump_traceback_later()


@dataclass
class Lines:
    """What was logged, line by line, as JSON objects."""

    written: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written]

    def of(self, code: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["code"] == code]


@pytest.fixture
def logged() -> Iterator[Lines]:
    """The log from here on, in JSON and down to debug."""
    before = (log.sink.format, log.sink.level, log.sink.write, log.sink.fields)
    lines = Lines()
    log.configure(format="json", level="debug")
    log.sink.write = lines.written.append
    yield lines
    log.sink.format, log.sink.level, log.sink.write, log.sink.fields = before


def classify(reply: Reply) -> ServerError | None:
    """200 is well; 429 and 5xx may be tried again; all else is refused."""
    if reply.status == 200:
        return None
    if reply.status == 429 or reply.status >= 500:
        kind = ThrottledError if reply.status == 429 else UnavailableError
        error = kind(f"answered {reply.status}", status=reply.status)
        error.retry_after = seconds_to_wait(reply.headers.get("retry-after"))
        return error
    refused = ForbiddenError if reply.status == 403 else RefusedError
    return refused(f"answered {reply.status}", status=reply.status)


def echo(request: Request) -> Response:
    return json_response(200, {"path": request.path, "query": request.query})


def body(reply: Reply) -> Any:
    return json.loads(reply.body)


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that says what it was asked."""
    with StandIn("echo", echo, Faults()) as stand_in:
        yield stand_in
    assert stand_in.failures == []


@pytest.fixture
def connect(server: StandIn) -> Iterator[Callable[..., Session]]:
    """Makes sessions with the server; they are closed after the test."""
    made: list[Session] = []

    def session(
        base_url: str = server.base_url, concurrency: int = 2, retry: RetryPolicy = QUICK
    ) -> Session:
        made.append(
            Session(
                base_url=base_url,
                headers={"x-api-key": "hall-test-key"},
                classify=classify,
                limiter=Limiter(concurrency),
                retry=retry,
            )
        )
        return made[-1]

    yield session
    for one in made:
        one.close()
