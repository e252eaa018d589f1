"""Tokens, retries and refusals, against the stand-in with its faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lading import __version__, secrets
from lading.errors import (
    ForbiddenError,
    GarbledError,
    NotFoundError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
    UserError,
)
from lading.http import Reply
from lading.port.answers import classify, read_bulk_answer
from lading.port.client import PortClient, UpsertSettings
from lading.port.destinations import destination
from lading.project.model import Connection
from lading.sandbox.faults import Fault
from lading.sandbox.port import CLIENT_SECRET, PortStandIn, utc_now

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

Connect = Callable[..., Connection]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(connect: Connect, clock: Clock) -> Iterator[PortClient]:
    with PortClient(connect(), clock=clock) as client:
        yield client


def send_one(client: PortClient, identifier: str = "e") -> None:
    text = json.dumps({"identifier": identifier})
    assert client.upsert("usage", [text], UpsertSettings()).accepted == (0,)


def test_no_request_is_made_before_one_is_needed(client: PortClient, yard: Yard) -> None:
    assert yard.stand_in.requests == []


def test_a_token_is_used_until_nine_tenths_of_its_life(
    client: PortClient, clock: Clock, yard: Yard
) -> None:
    send_one(client)
    clock.now += 0.89 * yard.stand_in.token_seconds
    send_one(client)
    assert yard.tokens_asked_for() == 1
    clock.now += 0.02 * yard.stand_in.token_seconds
    send_one(client)
    assert yard.tokens_asked_for() == 2


def test_a_token_that_expires_in_the_middle_is_replaced(yard: Yard) -> None:
    send_one(yard.client, "a")
    later = utc_now() + timedelta(seconds=yard.stand_in.token_seconds + 1)
    yard.stand_in.now = lambda: later
    send_one(yard.client, "b")
    assert yard.tokens_asked_for() == 2
    assert set(yard.held()) == {"a", "b"}


@pytest.mark.parametrize("path", ["/entities", "/access_token"])
def test_a_dead_token_is_replaced(yard: Yard, path: str) -> None:
    yard.stand_in.faults.add(Fault("expired", path=path))
    send_one(yard.client)
    assert yard.tokens_asked_for() == 2


def test_many_threads_that_meet_a_dead_token_ask_for_one(connect: Connect, yard: Yard) -> None:
    threads = 8
    meeting = threading.Barrier(threads)

    def upsert(number: int) -> None:
        meeting.wait()
        send_one(yard.client, f"e{number}")

    send_one(yard.client, "first")
    yard.stand_in.expire_token()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(upsert, range(threads)))
    assert yard.tokens_asked_for() == 2
    assert len(yard.held()) == threads + 1


def test_a_refused_token_is_replaced_once_and_no_more(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("401", path="/entities", times=None))
    with pytest.raises(UnauthorizedError) as refused:
        send_one(yard.client)
    assert (yard.tokens_asked_for(), len(yard.bulks())) == (2, 2)
    assert refused.value.hint is not None
    assert "client id and secret" in refused.value.hint


def test_wrong_credentials_are_said_at_once(connect: Connect, yard: Yard) -> None:
    with (
        PortClient(connect(client_secret="another-secret")) as client,
        pytest.raises(UnauthorizedError) as refused,
    ):
        client.check()
    assert yard.tokens_asked_for() == 1
    assert refused.value.request_id == "sandbox-trace-000001"
    assert "another-secret" not in str(refused.value)
    assert "api.us.port.io" in str(refused.value.hint)


def test_right_credentials_pass_the_check(client: PortClient) -> None:
    client.check()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("429", reset=0.05),
        Fault("429", retry_after=0.05),
        Fault("429"),
        Fault("408"),
        Fault("500"),
        Fault("503"),
        Fault("reset"),
        Fault("truncated"),
        Fault("garbled"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.reset}-{fault.retry_after}",
)
@pytest.mark.parametrize("path", ["/entities", "/access_token"])
def test_what_may_pass_is_tried_again(yard: Yard, fault: Fault, path: str) -> None:
    yard.stand_in.reset_as = "seconds"
    yard.stand_in.faults.add(
        Fault(fault.kind, path=path, retry_after=fault.retry_after, reset=fault.reset)
    )
    send_one(yard.client)
    assert sum(path in each.path for each in yard.stand_in.requests) == 2
    assert set(yard.held()) == {"e"}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", ThrottledError),
        ("503", UnavailableError),
        ("reset", UnavailableError),
        ("truncated", UnavailableError),
        ("garbled", GarbledError),
    ],
)
def test_what_does_not_pass_ends_after_the_tries(
    yard: Yard, kind: str, error: type[ServerError]
) -> None:
    yard.stand_in.faults.add(Fault(kind, path="/entities", times=None))
    with pytest.raises(error):
        send_one(yard.client)
    assert len(yard.bulks()) == yard.connection.retry.tries


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (413, RefusedError),
    ],
)
def test_what_is_refused_is_not_tried_again(
    yard: Yard, status: int, error: type[ServerError]
) -> None:
    yard.stand_in.faults.add(Fault(str(status), path="/entities", times=None))
    with pytest.raises(error) as refused:
        send_one(yard.client)
    assert len(yard.bulks()) == 1
    assert refused.value.status == status
    assert str(refused.value.request_id).startswith("sandbox-trace-")


def test_a_request_that_port_finds_wrong_is_refused_with_its_reason(yard: Yard) -> None:
    with pytest.raises(RefusedError, match="body/entities/0/identifier must match") as refused:
        send_one(yard.client, "a b")
    assert (refused.value.status, len(yard.bulks())) == (422, 1)


def test_a_redirect_does_not_carry_the_token_away(yard: Yard) -> None:
    with PortStandIn() as other:
        yard.stand_in.faults.add(Fault("redirect", path="/entities", to=f"{other.base_url}/x"))
        with pytest.raises(RefusedError, match="redirect"):
            send_one(yard.client)
        assert other.requests == []


def reply(status: int, body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, body)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry_after": "7"}, 7, 7),
        ({"x_ratelimit_reset": "40"}, 40, 40),
        ({"x_ratelimit_reset": "now + 40"}, 30, 41),
        ({"retry_after": "7", "x_ratelimit_reset": "40"}, 7, 7),
        ({"x_ratelimit_reset": "now - 40"}, None, None),
        ({"retry_after": "soon"}, None, None),
        ({}, None, None),
    ],
)
def test_a_429_may_say_how_long_to_wait(
    headers: dict[str, str], least: float | None, most: float | None
) -> None:
    now = utc_now().timestamp()
    moments = {"now + 40": f"{now + 40:.0f}", "now - 40": f"{now - 40:.0f}"}
    told = {name: moments.get(value, value) for name, value in headers.items()}
    error = classify(reply(429, b"{}", **told))
    assert isinstance(error, ThrottledError)
    if least is None or most is None:
        assert error.retry_after is None
    else:
        assert error.retry_after is not None
        assert least <= error.retry_after <= most


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"ok":false,"error":"not_found","message":"No such thing"}', "No such thing"),
        (b"<html>Gone</html>", "<html>Gone</html>"),
        (b'{"ok":false}', '{"ok":false}'),
        (b"[]", "[]"),
        (b"", "nothing more"),
    ],
)
def test_an_error_tells_what_port_said(body: bytes, said: str) -> None:
    error = classify(reply(404, body, x_trace_id="abc"))
    assert error is not None
    assert said in error.message
    assert error.request_id == "abc"


@pytest.mark.parametrize(
    ("entities", "errors", "accepted", "refused", "unanswered"),
    [
        ([{"index": 0}, {"index": 1}, {"index": 2}], [], (0, 1, 2), [], []),
        ([{"index": 2}], [{"index": 0}, {"index": 1}], (2,), [0, 1], []),
        ([{"index": 0}], [{"index": 1, "identifier": "unknown"}], (0,), [1], [2]),
        ([{"index": 0}, {"index": 1}], [{"index": 1}], (0,), [1], [2]),
        ([{"index": 7}, {"index": "0"}, "x", {}], [{"index": -1}], (), [], [0, 1, 2]),
    ],
)
def test_every_entity_of_a_bulk_is_accounted_for(
    entities: list[Any],
    errors: list[Any],
    accepted: tuple[int, ...],
    refused: list[int],
    unanswered: list[int],
) -> None:
    body = json.dumps({"ok": True, "entities": entities, "errors": errors}).encode()
    answer = read_bulk_answer(reply(207, body), 3)
    assert answer.accepted == accepted
    assert [each.index for each in answer.refusals if each.certain] == refused
    left = [each for each in answer.refusals if not each.certain]
    assert [each.index for each in left] == unanswered
    assert all("neither list" in each.message for each in left)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"entities":{}}', b'{"errors":1}'])
def test_an_answer_without_lists_is_garbled(body: bytes) -> None:
    with pytest.raises(GarbledError):
        read_bulk_answer(reply(200, body), 1)


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("create_missing", [True, False])
def test_the_mappings_settings_are_sent(yard: Yard, merge: bool, create_missing: bool) -> None:
    yard.client.upsert("usage", ['{"identifier":"e"}'], UpsertSettings(merge, create_missing))
    (request,) = yard.bulks()
    assert dict(request.query) == {
        "upsert": "true",
        "merge": str(merge).lower(),
        "create_missing_related_entities": str(create_missing).lower(),
    }


def test_texts_are_sent_as_they_are(yard: Yard) -> None:
    first = '{"identifier": "a", "properties": {"tokens": 1.2300}}'
    texts: list[str | bytes] = [first, b'{"identifier":"b"}']
    yard.client.upsert("usage", texts, UpsertSettings())
    (request,) = yard.bulks()
    assert request.body == b'{"entities":[' + first.encode() + b',{"identifier":"b"}]}'


def test_port_is_told_who_owns_the_entities(yard: Yard) -> None:
    send_one(yard.client)
    (held,) = yard.stand_in.entities.values()
    assert held.datasource == f"port-ocean/lading/{__version__}/claude/exporter"


def test_identifiers_are_quoted_in_addresses(yard: Yard) -> None:
    yard.stand_in.blueprints["a/b ü"] = yard.stand_in.blueprints["usage"]
    assert yard.client.blueprint("a/b ü") == yard.stand_in.blueprints["usage"]
    assert yard.client.blueprint("a/b") is None
    yard.client.upsert("a/b ü", ['{"identifier":"e"}'], UpsertSettings())
    assert set(yard.stand_in.entities) == {("a/b ü", "e")}


def test_a_destination_is_a_host_an_integration_and_an_organisation(connect: Connect) -> None:
    here = destination(connect(base_url="https://API.port.io"))
    assert here == destination(connect(base_url="https://api.port.io/"))
    # First 8 hexadecimal digits of `printf sandbox-client | sha256sum`.
    assert here == "api.port.io/claude/45906d74"
    others = [
        destination(connect(base_url="https://api.us.port.io")),
        destination(connect(base_url="https://api.port.io", integration="other")),
        destination(connect(base_url="https://api.port.io", client_id="another-client")),
    ]
    assert len({here, *others}) == 4


@pytest.mark.parametrize("name", ["Claude", "claude usage", "claude/x", "1st", "claude-", ""])
def test_an_integration_has_a_name_that_port_takes(connect: Connect, name: str) -> None:
    with pytest.raises(UserError) as wrong:
        PortClient(connect(integration=name))
    assert str(wrong.value.place) == "project.yml:3:18"


def test_the_token_and_the_secret_are_masked_wherever_they_turn_up(
    connect: Connect, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_forms", set())
    with PortClient(connect()) as client:
        send_one(client)
    token = yard.bulks()[0].headers["authorization"].removeprefix("Bearer ")
    for secret in (token, CLIENT_SECRET):
        assert secrets.redact(f"<{secret}>") == f"<{secrets.MASK}>"


def test_no_secret_is_logged_or_told(connect: Connect, yard: Yard, lines: list[str]) -> None:
    for kind in ("expired", "503", "reset", "garbled"):
        yard.stand_in.faults.add(Fault(kind, path="/entities"))
    send_one(yard.client)
    yard.stand_in.faults.add(Fault("401", times=None))
    with pytest.raises(UnauthorizedError) as refused:
        send_one(yard.client)
    said = "\n".join([*lines, str(refused.value), str(refused.value.__dict__)])
    assert any("retry" in line for line in lines)
    assert CLIENT_SECRET not in said
    assert "sandbox-token" not in said
