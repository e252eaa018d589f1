"""What a sync without faults ends with, and a server to put between the tool and a stand-in."""

from __future__ import annotations

import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import duckdb
import httpx
import pytest

from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk, Done, MakeDesk

STREAMS = ("claude_code", "cost_report", "usage_messages")
SLICE = "connection, request::VARCHAR, starting_at, ending_at"
# Headers that belong to one connection, not to what is said over it.
OF_A_CONNECTION = {"host", "connection", "content-length", "accept-encoding", "server", "date"}

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class State:
    """What there is after a sync: entities in Port, raw rows, and the books of both.

    Times of writing are left out: they tell one run from another.
    """

    entities: dict[tuple[str, str], dict[str, Any]]
    raw: dict[str, Rows]
    slices: Rows
    pushed: Rows
    refused: Rows

    @classmethod
    def of(cls, desk: Desk) -> State:
        with duckdb.connect(str(desk.database), read_only=True) as connection:

            def rows(sql: str) -> Rows:
                return connection.execute(f"SELECT {sql} ORDER BY ALL").fetchall()

            return cls(
                entities={key: _timeless(asdict(held)) for key, held in desk.port.entities.items()},
                raw={
                    stream: rows(f"{SLICE}, ordinal, payload::VARCHAR FROM raw.{stream}")
                    for stream in STREAMS
                },
                slices=rows(f"stream, {SLICE}, records, closed FROM lading.slices"),
                pushed=rows("blueprint, identifier, hash FROM lading.pushed"),
                refused=rows("blueprint, identifier FROM lading.refused"),
            )

    def counts(self) -> dict[str, int]:
        """Entities by blueprint."""
        found: dict[str, int] = defaultdict(int)
        for blueprint, _ in self.entities:
            found[blueprint] += 1
        return dict(found)

    def total(self, blueprint: str, name: str) -> Decimal:
        """A property added up over a blueprint's entities."""
        return sum(
            (
                Decimal(each["properties"][name])
                for (kind, _), each in self.entities.items()
                if kind == blueprint
            ),
            Decimal(),
        )


def _timeless(entity: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in entity.items() if not key.endswith("_at")}


@pytest.fixture(scope="session")
def known() -> list[State]:
    """The state after a sync without faults, once it is known."""
    return []


@pytest.fixture(scope="module")
def clean(make_desk: MakeDesk, reckoning: Reckoning, known: list[State]) -> State:
    """What a sync without faults on a fresh desk ends with; its totals are the organisation's."""
    if not known:
        desk = make_desk()
        done = desk.run("sync")
        assert (done.code, _left_in_spool(desk)) == (0, []), done.err
        state = State.of(desk)
        assert_true(state, reckoning, desk)
        known.append(state)
    return known[0]


def assert_true(state: State, reckoning: Reckoning, desk: Desk) -> None:
    """The state's totals are those of the organisation's own events, lines and records."""
    counters = ("uncached_input_tokens", "output_tokens", "cache_read_input_tokens")
    for blueprint, by in (
        ("claude_usage_record", ()),
        ("claude_workspace_usage", ("workspace_id",)),
        ("claude_model_usage", ("model",)),
    ):
        used = reckoning.usage(desk.now, by)
        assert state.counts()[blueprint] == len(used)
        for name in counters:
            assert state.total(blueprint, name) == sum(each[name] for each in used.values())
    bills = reckoning.cost(desk.now)
    assert state.counts()["claude_cost_record"] == len(bills)
    assert state.total("claude_cost_record", "amount") == sum(bills.values())
    days = reckoning.code(desk.now)
    assert state.counts()["claude_code_analytics"] == len(days)
    for name in ("num_sessions", "lines_added"):
        told = state.total("claude_code_analytics", name)
        assert told == sum(each[name] for each in days.values())
    assert len(state.pushed) == len(state.entities)
    assert state.refused == []


def _left_in_spool(desk: Desk) -> list[str]:
    spool = desk.database.with_name(f"{desk.database.name}.spool")
    return sorted(str(each.relative_to(spool)) for each in spool.rglob("*") if each.is_file())


@pytest.fixture
def settled(desk: Desk, clean: State) -> Callable[..., Done]:
    """Does a sync after whatever went before, and sees that all is as if nothing had."""

    def sync(*flags: str) -> Done:
        desk.anthropic.faults.clear()
        desk.port.faults.clear()
        done = desk.run("sync", *flags)
        assert done.code == 0, done.err
        state = State.of(desk)
        assert state.counts() == clean.counts()
        assert state == clean
        assert _left_in_spool(desk) == []
        assert desk.anthropic.failures == desk.port.failures == []
        return done

    return sync


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(desk: Desk) -> Iterator[Start]:
    """Runs commands in processes of their own, and leaves none of them behind."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(desk.start(*arguments))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        with process:
            process.wait()


Meet = Callable[["Relay", Request, int], Response]


class Relay:
    """A server that passes requests on, or does with the n-th one what a test says (`meet`)."""

    def __init__(self, behind: str) -> None:
        self.meet: Meet = lambda relay, request, number: relay.pass_on(request)
        self._client = httpx.Client(base_url=behind, trust_env=False, timeout=60)
        self._passing = 0
        self._changed = threading.Condition()
        self._server = self._new(port=0)
        self.base_url = self._server.base_url

    @property
    def requests(self) -> list[Request]:
        """What came, or came since `renew`."""
        return self._server.requests

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._wait_until_idle()
        self._client.close()

    def renew(self) -> None:
        """Begin anew: what a process that died has sent and nobody has read goes nowhere."""
        self._server.stop()
        self._server = self._new(port=int(self.base_url.rpartition(":")[2]))
        self._wait_until_idle()
        self._server.start()

    def _wait_until_idle(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._passing == 0, timeout=60)

    def pass_on(self, request: Request) -> Response:
        """The answer of the server behind."""
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer = self._client.request(
            request.method,
            f"{request.path}{query}",
            content=request.body,
            headers=_passed_on(request.headers.items()),
        )
        return Response(answer.status_code, answer.content, _passed_on(answer.headers.items()))

    def _new(self, port: int) -> StandIn:
        def handle(request: Request) -> Response:
            with self._changed:
                is_whole = len(request.body) == int(request.headers.get("content-length", 0))
                if self._server is not server or not is_whole:
                    return json_response(500, {"error": "nobody is there any more"})
                self._passing += 1
                mine = (n for n, each in enumerate(server.requests, 1) if each is request)
                number = next(mine)
            try:
                return self.meet(self, request, number)
            finally:
                with self._changed:
                    self._passing -= 1
                    self._changed.notify_all()

        server = StandIn("relay", handle, Faults(), port)
        return server


def _passed_on(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers if name not in OF_A_CONNECTION}


@pytest.fixture
def relay_before() -> Iterator[Callable[[Any], Relay]]:
    """Puts a relay before a stand-in of the desk: the tool talks to it from then on."""
    with ExitStack() as running:

        def put(stand_in: Any) -> Relay:
            relay = running.enter_context(Relay(stand_in.base_url))
            stand_in.base_url = relay.base_url
            return relay

        yield put
