from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from lading.sandbox.anthropic import API_KEY, AnthropicStandIn
from lading.sandbox.faults import Fault, Faults
from lading.sandbox.organisation import Organisation
from lading.sandbox.server import Request, Response, StandIn, json_response

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
CODE = "/v1/organizations/usage_report/claude_code"
RANGE = {"starting_at": "2026-03-01T00:00:00Z", "ending_at": "2026-03-20T00:00:00Z"}


@pytest.fixture(scope="module")
def shared() -> Iterator[AnthropicStandIn]:
    with AnthropicStandIn(Organisation(first_day=date(2026, 2, 1)), now=lambda: NOW) as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(shared: AnthropicStandIn) -> Iterator[AnthropicStandIn]:
    shared.faults.clear()
    yield shared
    shared.faults.clear()
    assert shared.failures == []


@pytest.fixture
def client(stand_in: AnthropicStandIn) -> Iterator[httpx.Client]:
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=stand_in.base_url, headers=headers, trust_env=False) as client:
        yield client


# What a client sees


@pytest.mark.parametrize(
    ("kind", "error_type"),
    [
        ("400", "invalid_request_error"),
        ("401", "authentication_error"),
        ("403", "permission_error"),
        ("404", "not_found_error"),
        ("408", "invalid_request_error"),
        ("413", "request_too_large"),
        ("429", "rate_limit_error"),
        ("500", "api_error"),
        ("502", "api_error"),
        ("503", "api_error"),
        ("504", "timeout_error"),
        ("529", "overloaded_error"),
    ],
)
def test_a_status_comes_once_in_the_apis_own_envelope(
    stand_in: AnthropicStandIn, client: httpx.Client, kind: str, error_type: str
) -> None:
    stand_in.faults.add(Fault(kind))
    answer = client.get(COST, params=RANGE)
    assert answer.status_code == int(kind)
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == error_type
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert "retry-after" not in answer.headers
    assert client.get(COST, params=RANGE).status_code == 200


@pytest.mark.parametrize(("seconds", "header"), [(3, "3"), (0.25, "0.25"), (0, "0")])
def test_retry_after_is_sent_when_asked_for(
    stand_in: AnthropicStandIn, client: httpx.Client, seconds: float, header: str
) -> None:
    stand_in.faults.add(Fault("429", retry_after=seconds))
    assert client.get(COST, params=RANGE).headers["retry-after"] == header


def test_the_reset_header_is_a_moment_of_the_clients_clock(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("429", reset=600))
    asked_at = datetime.now(UTC)
    header = client.get(COST, params=RANGE).headers["anthropic-ratelimit-requests-reset"]
    assert header.endswith("Z")
    moment = datetime.fromisoformat(header)
    lower, upper = asked_at + timedelta(seconds=598), datetime.now(UTC) + timedelta(seconds=601)
    assert lower <= moment <= upper


def test_a_reset_breaks_the_connection_before_any_response(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("reset"))
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        client.get(COST, params=RANGE)
    assert client.get(COST, params=RANGE).status_code == 200


def test_a_truncated_body_ends_before_its_length(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    whole = client.get(COST, params=RANGE).content
    stand_in.faults.add(Fault("truncated"))
    with client.stream("GET", COST, params=RANGE) as answer:
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == len(whole)
        with pytest.raises(httpx.RemoteProtocolError, match=f"received {len(whole) // 2} bytes"):
            answer.read()
    assert client.get(COST, params=RANGE).content == whole


def test_a_garbled_body_is_html_with_status_200(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("garbled"))
    answer = client.get(COST, params=RANGE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.text.startswith("<!doctype html>")


def test_a_redirect_points_where_it_was_told(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("redirect", to="http://127.0.0.1:9/elsewhere"))
    answer = client.get(COST, params=RANGE)
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://127.0.0.1:9/elsewhere"


def test_a_slow_answer_outlasts_the_clients_patience_and_is_whole_for_a_patient_one(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    whole = client.get(COST, params=RANGE).content
    stand_in.faults.add(Fault("slow", seconds=0.3, times=2))
    with pytest.raises(httpx.ReadTimeout):
        client.get(COST, params=RANGE, timeout=0.05)
    assert client.get(COST, params=RANGE).content == whole


def test_a_repeated_cursor_leads_to_the_same_page_for_ever(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(stand_in.faults.parse("repeated_cursor:path=messages"))
    first = client.get(USAGE, params=RANGE).json()
    second = client.get(USAGE, params={**RANGE, "page": first["next_page"]}).json()
    third = client.get(USAGE, params={**RANGE, "page": second["next_page"]}).json()
    assert first == second == third
    assert first["has_more"] is True
    assert client.get(COST, params={**RANGE, "limit": 31}).json()["has_more"] is False


def test_a_repeated_cursor_holds_up_a_code_day_too(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(stand_in.faults.parse("repeated_cursor"))
    asked: dict[str, str | int] = {"starting_at": "2026-03-17", "limit": 1000}
    first = client.get(CODE, params=asked).json()
    assert client.get(CODE, params={**asked, "page": first["next_page"]}).json() == first


@pytest.mark.parametrize(("limit", "status"), [(31, 400), (8, 400), (7, 200), (1, 200)])
def test_dense_pages_are_refused_until_the_limit_is_small(
    stand_in: AnthropicStandIn, client: httpx.Client, limit: int, status: int
) -> None:
    stand_in.faults.add(stand_in.faults.parse("dense"))
    answer = client.get(USAGE, params={**RANGE, "limit": limit})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"] == {
            "type": "invalid_request_error",
            "message": "Response too large: reduce limit or group by fewer dimensions",
        }


def test_dense_takes_a_limit_of_its_own(stand_in: AnthropicStandIn, client: httpx.Client) -> None:
    stand_in.faults.add(stand_in.faults.parse("dense:limit=3"))
    statuses = [client.get(COST, params={**RANGE, "limit": n}).status_code for n in (4, 3)]
    assert statuses == [400, 200]


# Which requests meet a fault


def test_a_fault_hits_its_path_and_query_only(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("403", path="messages", query="group_by[]=model", times=None))
    grouped = {**RANGE, "group_by[]": "model"}
    assert client.get(USAGE, params=RANGE).status_code == 200
    assert client.get(COST, params=RANGE).status_code == 200
    assert [client.get(USAGE, params=grouped).status_code for _ in range(3)] == [403] * 3


def test_a_fault_lets_some_pass_then_hits_then_is_over(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    stand_in.faults.add(Fault("500", after=2, times=3))
    statuses = [client.get(COST, params=RANGE).status_code for _ in range(7)]
    assert statuses == [200, 200, 500, 500, 500, 200, 200]


def test_several_faults_are_met_in_the_order_they_were_added(
    stand_in: AnthropicStandIn, client: httpx.Client
) -> None:
    for kind in ("429", "529", "500"):
        stand_in.faults.add(Fault(kind))
    statuses = [client.get(COST, params=RANGE).status_code for _ in range(4)]
    assert statuses == [429, 529, 500, 200]


def test_cleared_faults_are_gone(stand_in: AnthropicStandIn, client: httpx.Client) -> None:
    stand_in.faults.add(Fault("500", times=None))
    stand_in.faults.clear()
    assert client.get(COST, params=RANGE).status_code == 200


def test_a_countdown_is_exact_under_many_threads() -> None:
    faults = Faults()
    faults.add(Fault("500", times=500))
    request = Request("GET", "/", (), {}, b"")
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: faults.take(request), range(2000)))
    assert sum(fault is not None for fault in taken) == 500


# How a command line spells them


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("500", Fault("500")),
        (" reset ", Fault("reset")),
        (
            "429:path=cost_report,times=3,retry_after=1",
            Fault("429", path="cost_report", times=3, retry_after=1),
        ),
        ("503:times=always,after=2", Fault("503", times=None, after=2)),
        ("403:query=group_by[]=model", Fault("403", query="group_by[]=model")),
        ("redirect:to=http://127.0.0.1:9/x", Fault("redirect", to="http://127.0.0.1:9/x")),
        ("slow:seconds=0.5", Fault("slow", seconds=0.5)),
        ("dense", Fault("dense", times=None)),
        ("dense:times=1,limit=2", Fault("dense", times=1, limit=2)),
        ("429:reset=1.5", Fault("429", reset=1.5)),
        ("207:every=2", Fault("207", times=None, every=2)),
    ],
)
def test_faults_are_read_from_text(text: str, fault: Fault) -> None:
    assert Faults(own_kinds=("dense", "207")).parse(text) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flood", "the kinds are 400, .*429, .*reset, .*dense"),
        ("", "the kinds are"),
        ("429:tims=3", "the options are path, query, times"),
        ("429:times", "name=value"),
        ("429:kind=500", "the options are"),
        ("429:times=often", "'often' is not a number"),
        ("429:retry_after=soon", "'soon' is not a number"),
        ("redirect", "needs to=URL"),
        ("500:every=0", "at least 1"),
        ("expired", "unknown fault 'expired'"),
    ],
)
def test_bad_fault_text_says_what_is_possible(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Faults(own_kinds=("dense",)).parse(text)


def test_a_fault_that_nobody_would_carry_out_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="unknown fault 'dense'"):
        Faults().add(Fault("dense"))


# The server under them


@dataclass
class Echo:
    """A handler that tells what it was given, and has a bug at one path."""

    def __call__(self, request: Request) -> Response:
        if request.path == "/bug":
            raise ZeroDivisionError("as told")
        said = [request.method, request.path, request.query, request.body.decode()]
        return json_response(201, said, {"x-header": request.headers["x-mixed-case"]})


@pytest.fixture
def echo() -> Iterator[StandIn]:
    with StandIn("echo", Echo(), Faults()) as stand_in:
        yield stand_in


def test_requests_arrive_whole_and_are_kept(echo: StandIn) -> None:
    with httpx.Client(base_url=echo.base_url, trust_env=False) as client:
        answer = client.post("/a%20b?x=1&x=&y=%23", content="body", headers={"X-Mixed-Case": "Z"})
    said = ["POST", "/a%20b", [["x", "1"], ["x", ""], ["y", "#"]], "body"]
    assert (answer.status_code, answer.json(), answer.headers["x-header"]) == (201, said, "Z")
    assert [(one.method, one.path, one.body) for one in echo.requests] == [
        ("POST", "/a%20b", b"body")
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_reaches_the_handler(echo: StandIn, method: str) -> None:
    answer = httpx.request(
        method, f"{echo.base_url}/", headers={"x-mixed-case": ""}, trust_env=False
    )
    assert answer.json()[0] == method


def test_a_bug_in_a_handler_is_told_and_kept(echo: StandIn) -> None:
    answer = httpx.get(f"{echo.base_url}/bug", trust_env=False)
    assert answer.status_code == 500
    assert answer.json()["stand_in_bug"] == "ZeroDivisionError('as told')"
    assert [type(bug) for bug in echo.failures] == [ZeroDivisionError]


def test_many_clients_at_once_are_all_served_on_kept_connections(echo: StandIn) -> None:
    def hundred(name: int) -> set[int]:
        headers = {"x-mixed-case": str(name)}
        with httpx.Client(base_url=echo.base_url, headers=headers, trust_env=False) as client:
            return {int(client.get("/").headers["x-header"]) for _ in range(100)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(hundred, range(8))) == [{name} for name in range(8)]
    assert len(echo.requests) == 800


def test_a_stopped_server_answers_neither_new_nor_kept_connections(echo: StandIn) -> None:
    with httpx.Client(base_url=echo.base_url, trust_env=False) as client:
        client.get("/", headers={"x-mixed-case": ""})
        echo.stop()
        with pytest.raises(httpx.TransportError):
            client.get("/", headers={"x-mixed-case": ""})
    echo.stop()
    assert len(echo.requests) == 1


def test_a_client_that_goes_away_in_the_middle_does_no_harm(echo: StandIn) -> None:
    address = ("127.0.0.1", int(echo.base_url.rpartition(":")[2]))
    for _ in range(20):
        broken = socket.create_connection(address)
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        broken.sendall(b"POST / HTTP/1.1\r\nx-mixed-case: a\r\ncontent-length: 9\r\n\r\nhalf")
        broken.close()
    answer = httpx.get(echo.base_url, headers={"x-mixed-case": "b"}, trust_env=False)
    assert answer.status_code == 201
    assert echo.failures == []


def test_no_thread_outlives_the_server() -> None:
    with StandIn("short", Echo(), Faults()):
        pass
    assert not [thread for thread in threading.enumerate() if "short" in thread.name]
