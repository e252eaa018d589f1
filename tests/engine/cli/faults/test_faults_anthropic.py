"""Whatever the Admin API does: a sync ends right, or says what failed and the next ends right."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from lading.sandbox.anthropic import WORKSPACE_KEY
from lading.sandbox.faults import Fault, Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.cli.faults.conftest import Relay, State
    from tests.engine.conftest import Desk, Done

USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
CODE = "/v1/organizations/usage_report/claude_code"
STREAMS = {USAGE: "usage_messages", COST: "cost_report", CODE: "claude_code"}
BLUEPRINTS = {
    USAGE: {"claude_usage_record", "claude_workspace_usage", "claude_model_usage"},
    COST: {"claude_cost_record"},
    CODE: {"claude_code_analytics"},
}
# How many requests may be under way at once (project.yml).
CONCURRENCY = 4

Settled = Callable[[], "Done"]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """What marts there are is of no account here."""
    return desk.without_marts()


def events(done: Done, code: str) -> list[dict[str, Any]]:
    """The log lines of a command that was run with --log-format json."""
    lines = (json.loads(line) for line in done.err.splitlines() if line.startswith("{"))
    return [line for line in lines if line["code"] == code]


def asked(desk: Desk, path: str) -> list[Request]:
    return [each for each in desk.anthropic.requests if each.path == path]


def state_of(desk: Desk, clean: State) -> State:
    return type(clean).of(desk)


class Passing(NamedTuple):
    """A fault that two requests of a report meet, and the waits that follow in seconds."""

    path: str
    fault: Fault
    waits: tuple[float, float] = (0.0, 0.06)

    @classmethod
    def of(cls, path: str, kind: str, **options: float) -> Passing:
        fault = Fault(kind, path=path, times=2, **options)  # type: ignore[arg-type]
        return cls(path, fault)


@pytest.mark.parametrize(
    "faults",
    [
        (Passing.of(USAGE, "500"), Passing.of(COST, "529"), Passing.of(CODE, "408")),
        (Passing.of(USAGE, "reset"), Passing.of(COST, "truncated"), Passing.of(CODE, "garbled")),
        (
            Passing.of(USAGE, "429", retry_after=0.3)._replace(waits=(0.3, 0.3)),
            # The header has whole seconds.
            Passing.of(COST, "429", reset=1.9)._replace(waits=(0.2, 1.9)),
            Passing.of(CODE, "429"),
        ),
    ],
    ids=lambda faults: "+".join(each.fault.kind for each in faults),
)
def test_faults_that_pass_are_told_and_cost_nothing(
    desk: Desk, clean: State, faults: tuple[Passing, ...]
) -> None:
    for each in faults:
        desk.anthropic.faults.add(each.fault)
    done = desk.run("sync", "--log-format", "json")
    assert done.code == 0, done.err
    retries = events(done, "retry")
    assert {each["level"] for each in retries} == {"warning"}
    assert Counter(each["path"] for each in retries) == {each.path: 2 for each in faults}
    for path, _, (least, most) in faults:
        waits = [each["wait_seconds"] for each in retries if each["path"] == path]
        assert all(least <= wait <= most for wait in waits), (path, waits)
    assert state_of(desk, clean) == clean


def test_a_retry_is_told_on_stderr_in_words(desk: Desk) -> None:
    desk.anthropic.faults.add(Fault("529", path=COST))
    done = desk.run("extract")
    assert done.code == 0
    (line,) = [line for line in done.err.splitlines() if "warning" in line]
    assert "GET /v1/organizations/cost_report: Anthropic answers 529" in line
    assert "again in" in line
    assert "(try 2 of 5)" in line


class Lasting(NamedTuple):
    """A report that fails for good, what is said of it, and the most requests it may cost."""

    path: str
    fault: str
    message: str
    most: int = 18  # three ranges given up and three under way, each tried three times


@pytest.mark.parametrize(
    "failing",
    [
        (
            Lasting(COST, "429", "Anthropic answers 429"),
            Lasting(CODE, "500", "Anthropic answers 500"),
        ),
        (
            Lasting(USAGE, "503", "Anthropic answers 503"),
            Lasting(COST, "529", "Anthropic answers 529"),
        ),
        (
            Lasting(USAGE, "reset", "reset by peer"),
            Lasting(CODE, "truncated", "without sending complete message body"),
        ),
        (
            Lasting(COST, "garbled", "a page does not parse"),
            Lasting(USAGE, "repeated_cursor", "the cursor of usage_messages repeats", 8),
        ),
        (
            Lasting(COST, "403", "the key lacks the right to this report: the reports need an", 4),
            Lasting(CODE, "repeated_cursor", "the cursor of claude_code repeats", 8),
        ),
        (
            Lasting(USAGE, "dense:limit=0", "Anthropic answers 400", 20),
            Lasting(COST, "redirect:to={elsewhere}", "redirects to {elsewhere}; redirects are", 4),
        ),
    ],
    ids=lambda failing: "+".join(each.fault.split(":")[0] for each in failing),
)
def test_reports_that_fail_for_good_keep_back_what_needs_them_and_no_more(
    desk: Desk, clean: State, settled: Settled, failing: tuple[Lasting, ...]
) -> None:
    desk.edit("project.yml", "tries: 5", "tries: 3")
    with ExitStack() as running:
        other = StandIn("elsewhere", lambda request: json_response(200, {}), Faults())
        elsewhere = running.enter_context(other)
        for each in failing:
            text = each.fault.format(elsewhere=elsewhere.base_url)
            kind, _, options = text.partition(":")
            fault = desk.anthropic.faults.parse(f"{kind}:path={each.path},times=always,{options}")
            desk.anthropic.faults.add(fault)
        done = desk.run("sync")
        assert elsewhere.requests == []
    assert done.code == 1
    assert "Traceback" not in done.err
    assert desk.query("SELECT status, error FROM lading.runs") == [("incomplete", None)]
    assert_kept_back(desk, clean, {each.path for each in failing})
    for each in failing:
        assert f"error: {STREAMS[each.path]}: " in done.err
        assert each.message.format(elsewhere=elsewhere.base_url) in done.err
        for blueprint in BLUEPRINTS[each.path]:
            why = f"{STREAMS[each.path]} could not be fetched"
            assert f"error: {blueprint} is not pushed: {why}" in done.err
        assert len(asked(desk, each.path)) <= each.most
    settled()


def assert_kept_back(desk: Desk, clean: State, paths: set[str]) -> None:
    """Nothing of those reports has landed, nothing of what needs them is in Port, and all else is
    there."""
    streams = {STREAMS[path] for path in paths}
    blueprints = {blueprint for path in paths for blueprint in BLUEPRINTS[path]}
    held = state_of(desk, clean)
    assert {key[0] for key in held.entities}.isdisjoint(blueprints)
    assert held.entities.items() <= clean.entities.items()
    assert held.pushed == [row for row in clean.pushed if row[0] not in blueprints]
    for stream, rows in clean.raw.items():
        assert held.raw[stream] == ([] if stream in streams else rows), stream
    assert streams.isdisjoint(row[0] for row in held.slices)


def test_pages_of_a_range_that_breaks_off_are_not_kept(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.edit("sources/claude.yml", "page_size: 1000", "page_size: 5")
    desk.anthropic.faults.add(Fault("reset", path=CODE, query="page=", times=None))
    assert desk.run("sync").code == 1
    days = {dict(each.query)["starting_at"] for each in asked(desk, CODE)}
    landed = desk.query(
        "SELECT strftime(starting_at, '%Y-%m-%d'), records FROM lading.slices "
        "WHERE stream = 'claude_code'"
    )
    held = desk.query(
        "SELECT strftime(starting_at, '%Y-%m-%d'), count(*) FROM raw.claude_code GROUP BY ALL"
    )
    assert dict(held) == {day: records for day, records in landed if records}
    assert all(records <= 5 for _, records in landed)
    assert len(days) > len(landed)
    settled()


def test_a_page_that_breaks_off_once_is_fetched_again_in_its_place(
    desk: Desk, clean: State
) -> None:
    desk.edit("sources/claude.yml", "page_size: 1000", "page_size: 3")
    desk.anthropic.faults.add(Fault("truncated", path=CODE, query="page=", times=3, after=4))
    assert desk.run("sync").code == 0
    assert state_of(desk, clean) == clean


@pytest.mark.parametrize(
    ("key", "status", "most"),
    # A key that is none reads nothing; one that may not read a report may read another,
    # and each of the four lists is asked for once.
    [("no-such-key", 401, CONCURRENCY), (WORKSPACE_KEY, 403, 4 * CONCURRENCY)],
)
def test_a_wrong_key_ends_it_after_a_few_requests(
    desk: Desk, key: str, status: int, most: int
) -> None:
    done = desk.run("sync", environment={"ANTHROPIC_ADMIN_API_KEY": key})
    assert done.code == 1
    assert f"Anthropic answers {status}" in done.err
    assert "an Admin API key of the organisation (made by an admin in the Console)" in done.err
    assert "[req_sandbox" in done.err
    assert "again in" not in done.err
    assert len(desk.anthropic.requests) <= most
    assert desk.sent() == []


def test_a_key_revoked_in_the_middle_keeps_what_had_landed(
    desk: Desk, clean: State, settled: Settled
) -> None:
    desk.anthropic.faults.add(Fault("401", after=12, times=None))
    done = desk.run("sync")
    assert done.code == 1
    assert "check the key" in done.err
    assert len(desk.anthropic.requests) <= 12 + CONCURRENCY
    held = state_of(desk, clean)
    assert held.raw["cost_report"] == clean.raw["cost_report"]
    assert 0 < len(held.raw["claude_code"]) < len(clean.raw["claude_code"])
    desk.forget_requests()
    settled()
    closed = {f"{row[3]:%Y-%m-%d}" for row in held.slices if row[0] == "claude_code" and row[-1]}
    assert len(closed) > 4
    assert closed.isdisjoint(dict(each.query)["starting_at"] for each in asked(desk, CODE))


def test_pages_that_are_too_dense_are_asked_for_in_halves(desk: Desk, clean: State) -> None:
    desk.anthropic.faults.add(Fault("dense", path=USAGE, limit=7, times=None))
    done = desk.run("sync")
    assert done.code == 0, done.err
    assert {int(dict(each.query)["limit"]) for each in asked(desk, USAGE)} == {31, 15, 7}
    assert state_of(desk, clean) == clean


def test_what_port_holds_stays_when_a_report_fails_later(desk: Desk, settled: Settled) -> None:
    def code() -> dict[Any, Any]:
        held = desk.port.entities.items()
        return {key: each for key, each in held if key[0] == "claude_code_analytics"}

    today = desk.now
    desk.now = today - timedelta(days=2)
    assert desk.run("sync").code == 0
    before, days = code(), len(desk.held("claude_usage_record"))
    desk.now = today
    desk.anthropic.faults.add(Fault("500", path=CODE, times=None))
    assert desk.run("sync").code == 1
    assert code() == before
    assert len(desk.held("claude_usage_record")) > days
    settled()


def test_a_storm_of_429_slows_all_reports_down_together(
    desk: Desk, clean: State, relay_before: Callable[[Any], Relay]
) -> None:
    relay = relay_before(desk.anthropic)
    gate = Gate()
    relay.meet = gate.meet
    done = desk.run("sync")
    assert done.code == 0, done.err
    assert state_of(desk, clean) == clean
    assert len(gate.refused) > 1  # paths, which are reports and lists
    assert gate.refused.total() < 25


class Gate:
    """A server that refuses with 429 whatever comes too soon after the request before it, be that
    answered or refused: who tries again and again gets nowhere.

    The first is answered when two others were refused, so that a storm there is. More may not come
    meanwhile: that is what slowing down means.
    """

    SECONDS = 0.05

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._is_storm = threading.Event()
        self._changing = threading.Lock()
        self._last = 0.0

    def meet(self, relay: Relay, request: Request, number: int) -> Response:
        if number == 1:
            assert self._is_storm.wait(timeout=60)
            return relay.pass_on(request)
        if self._is_too_soon(request):
            error = {"type": "rate_limit_error", "message": "slow down"}
            return json_response(429, {"type": "error", "error": error})
        return relay.pass_on(request)

    def _is_too_soon(self, request: Request) -> bool:
        with self._changing:
            since, self._last = time.monotonic() - self._last, time.monotonic()
            is_first_of_code = request.path == CODE and not self.refused[CODE]
            if since >= self.SECONDS and self._is_storm.is_set() and not is_first_of_code:
                return False
            self.refused[request.path] += 1
            if self.refused.total() >= 2:
                self._is_storm.set()
            return True
