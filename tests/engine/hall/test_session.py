from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lading import log
from lading.errors import (
    ForbiddenError,
    GarbledError,
    LadingError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from lading.http import Reply, RetryPolicy, Session
from lading.sandbox.faults import Fault, Faults
from lading.sandbox.server import StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.hall.conftest import Lines

Connect = Callable[..., Session]
LONG_WAITS = RetryPolicy(tries=4, seconds=300, first_wait=60, longest_wait=60)
PATIENCE = 20


def ask(session: Session, path: str = "/report", **more: Any) -> Any:
    return session.send("GET", path, parse=lambda reply: (reply.status, reply.body), **more)


def test_a_query_goes_out_as_it_was_given(server: StandIn, connect: Connect) -> None:
    pairs = [("group_by[]", "model"), ("group_by[]", "a b&c"), ("starting_at", "2026-01-01T00:00Z")]
    session = connect()
    ask(session, params=pairs, headers={"anthropic-beta": "x"})
    ask(session, "/other")
    first, second = server.requests
    assert first.query == tuple(pairs)
    assert (first.headers["anthropic-beta"], first.headers["x-api-key"]) == ("x", "hall-test-key")
    assert "anthropic-beta" not in second.headers
    assert (second.path, second.query, session.requests) == ("/other", (), 2)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("429", times=2),
        Fault("429", times=2, retry_after=0),
        Fault("500", times=2),
        Fault("529", times=2),
        Fault("reset", times=2),
        Fault("truncated", times=2),
    ],
    ids=lambda fault: f"{fault.kind}{'-at-once' if fault.retry_after == 0 else ''}",
)
def test_what_may_pass_is_asked_again(
    server: StandIn, connect: Connect, logged: Lines, fault: Fault
) -> None:
    server.faults.add(fault)
    session = connect()
    assert ask(session)[0] == 200
    assert (len(server.requests), session.requests, session.retries) == (3, 3, 2)
    waits = [event["wait_seconds"] for event in logged.of("retry")]
    assert len(waits) == 2
    assert all(wait > 0 for wait in waits)


def test_waits_double_up_to_the_longest(server: StandIn, connect: Connect, logged: Lines) -> None:
    server.faults.add(Fault("500", times=None))
    retry = RetryPolicy(tries=6, seconds=60, first_wait=0.002, longest_wait=0.01)
    with pytest.raises(UnavailableError):
        ask(connect(retry=retry))
    waits = [event["wait_seconds"] for event in logged.of("retry")]
    least, most = [0.002, 0.004, 0.008, 0.01, 0.01], [0.004, 0.006, 0.01, 0.01, 0.01]
    assert len(waits) == 5
    assert all(low <= wait <= high for low, wait, high in zip(least, waits, most, strict=True))


def test_the_servers_wish_is_waited_for(server: StandIn, connect: Connect, logged: Lines) -> None:
    server.faults.add(Fault("500", retry_after=0.25))
    ask(connect())
    assert [event["wait_seconds"] for event in logged.of("retry")] == [0.25]


def test_what_does_not_pass_ends_after_the_given_tries(server: StandIn, connect: Connect) -> None:
    server.faults.add(Fault("503", times=None))
    with pytest.raises(UnavailableError, match="answered 503"):
        ask(connect())
    assert len(server.requests) == 4


@pytest.mark.parametrize(("status", "error"), [(400, RefusedError), (403, ForbiddenError)])
def test_a_refusal_is_not_asked_again(
    server: StandIn, connect: Connect, status: int, error: type[LadingError]
) -> None:
    server.faults.add(Fault(str(status), times=None))
    with pytest.raises(error):
        ask(connect())
    assert len(server.requests) == 1


def test_a_body_that_does_not_parse_is_asked_for_again(server: StandIn, connect: Connect) -> None:
    answers = iter([json_response(200, b"<html>"), json_response(200, b"fine")])
    server.handle = lambda request: next(answers)

    def parse(reply: Reply) -> bytes:
        if reply.body != b"fine":
            raise GarbledError("no page")
        return reply.body

    assert connect().send("GET", "/report", parse=parse) == b"fine"
    assert len(server.requests) == 2


def test_a_wait_beyond_the_time_allowed_is_not_begun(server: StandIn, connect: Connect) -> None:
    server.faults.add(Fault("500", retry_after=3600, times=None))
    with pytest.raises(UnavailableError):
        ask(connect(retry=LONG_WAITS))
    assert len(server.requests) == 1


def test_others_do_not_wait_an_hour_because_the_server_told_one_to(
    server: StandIn, connect: Connect
) -> None:
    server.faults.add(Fault("429", retry_after=3600))
    session = connect(retry=LONG_WAITS)
    for _ in range(3):
        with pytest.raises(ThrottledError):
            ask(session)
    assert len(server.requests) == 1


def test_one_429_slows_the_session_down_and_answers_speed_it_up(
    server: StandIn, connect: Connect, logged: Lines
) -> None:
    server.faults.add(Fault("429"))
    session = connect(concurrency=4)
    limiter = session._limiter
    ask(session)
    assert (limiter.allowed, 0 < limiter.gap < 0.1) == (2, True)
    while limiter.gap or limiter.allowed < 4:
        ask(session)
    assert len(logged.of("retry")) == 1
    assert session.requests < 20


def test_a_redirect_is_refused_and_the_other_host_never_asked(
    server: StandIn, connect: Connect
) -> None:
    with StandIn("elsewhere", lambda request: json_response(200, {}), Faults()) as other:
        server.faults.add(Fault("redirect", to=f"{other.base_url}/report"))
        with pytest.raises(RefusedError, match="redirects to") as refused:
            ask(connect())
        assert other.requests == []
    assert refused.value.status == 307
    assert refused.value.hint is not None
    assert "base_url" in refused.value.hint
    assert len(server.requests) == 1


def test_nobody_there(connect: Connect) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        session = connect(base_url=address)
        with pytest.raises(UnavailableError, match=address):
            ask(session)
    assert session.requests == 4


def test_closing_ends_the_waits_of_all_threads(server: StandIn, connect: Connect) -> None:
    """One waits to try again, the other for its turn."""
    server.faults.add(Fault("429", retry_after=200, times=None))
    session = connect(retry=LONG_WAITS, concurrency=1)
    waiting = threading.Event()
    met: list[type[BaseException]] = []

    def work() -> None:
        try:
            ask(session)
        except LadingError as error:
            met.append(type(error))

    before, log.sink.write = log.sink.write, lambda line: waiting.set()
    try:
        threads = [threading.Thread(target=work) for _ in range(2)]
        threads[0].start()
        assert waiting.wait(PATIENCE)
        threads[1].start()
        session.close()
        for thread in threads:
            thread.join(PATIENCE)
    finally:
        log.sink.write = before
    assert not any(thread.is_alive() for thread in threads)
    assert len(met) == 2
    assert len(server.requests) == 1


def test_a_proxy_of_the_environment_does_not_see_what_is_meant_for_this_machine(
    server: StandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StandIn("proxy", lambda request: json_response(200, {}), Faults()) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        ask(connect())
        assert proxy.requests == []
    assert len(server.requests) == 1
