from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from lading.sandbox.anthropic import API_KEY, WORKSPACE_KEY
from lading.sandbox.organisation import Organisation

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Reports

    Serve = Callable[..., AbstractContextManager[Reports]]

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
TODAY = NOW.date()
ORGANISATION = Organisation(first_day=FIRST)
FAST = {"anthropic-beta": "other-2026-01-01, fast-mode-2026-02-01"}
ME = "/v1/organizations/me"
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
CODE = "/v1/organizations/usage_report/claude_code"


def at(day: date, clock: str = "00:00:00") -> str:
    return f"{day}T{clock}Z"


# What is refused

RANGE = "starting_at=2026-03-01T00:00:00Z&ending_at=2026-03-08T00:00:00Z"
FIVE = "&".join(
    f"group_by[]={name}"
    for name in ("account_id", "api_key_id", "context_window", "inference_geo", "model")
)
TOO_MANY = "Cannot specify more than 5 group_by[] dimensions."
BAD_RANGE = "Invalid date range: ending date must be after starting date"

REFUSED_QUERIES = [
    # path, query, what the message holds
    (USAGE, "", "starting_at: Field required"),
    (USAGE, "ending_at=2026-03-08T00:00:00Z", "starting_at: Field required"),
    (USAGE, "starting_at=2026-03-01", "starting_at: '2026-03-01' is not an RFC 3339"),
    (USAGE, "starting_at=", "starting_at"),
    (USAGE, "starting_at=2026-03-01T00:00:00", "RFC 3339"),
    (USAGE, "starting_at=2026-03-01T00:00:00%2B00:00", "RFC 3339"),
    (USAGE, "starting_at=2026-03-01 00:00:00Z", "RFC 3339"),
    (USAGE, "starting_at=2026-02-30T00:00:00Z", "starting_at"),
    (USAGE, "starting_at=2026-13-01T00:00:00Z", "starting_at"),
    (USAGE, "starting_at=2026-03-01T24:00:00Z", "starting_at"),
    (USAGE, f"{RANGE.replace('08T', '01T')}", BAD_RANGE),
    (USAGE, "starting_at=2026-03-08T00:00:00Z&ending_at=2026-03-01T00:00:00Z", BAD_RANGE),
    (USAGE, "starting_at=2026-03-21T00:00:00Z", BAD_RANGE),
    (USAGE, f"{RANGE}&starting_at=2026-03-01T00:00:00Z", "starting_at: given more than once"),
    (USAGE, f"{RANGE}&limit=3&limit=3", "limit: given more than once"),
    (USAGE, f"{RANGE}&bucket_width=1w", "bucket_width: '1w' is none of 1d, 1h, 1m"),
    (USAGE, f"{RANGE}&bucket_width=", "bucket_width"),
    (USAGE, f"{RANGE}&limit=0", "limit: 0 is not between 1 and 31"),
    (USAGE, f"{RANGE}&limit=32", "limit: 32 is not between 1 and 31"),
    (USAGE, f"{RANGE}&bucket_width=1d&limit=32", "between 1 and 31"),
    (USAGE, f"{RANGE}&bucket_width=1h&limit=169", "between 1 and 168"),
    (USAGE, f"{RANGE}&bucket_width=1m&limit=1441", "between 1 and 1440"),
    (USAGE, f"{RANGE}&limit=seven", "limit: 'seven' is not a whole number"),
    (USAGE, f"{RANGE}&limit=7.0", "limit"),
    (USAGE, f"{RANGE}&limit=-1", "limit"),
    (USAGE, f"{RANGE}&group_by=model", "group_by: Extra inputs"),
    (USAGE, f"{RANGE}&group_by[0]=model", "group_by[0]: Extra inputs"),
    (USAGE, f"{RANGE}&models=claude-opus-5", "models: Extra inputs"),
    (USAGE, f"{RANGE}&context_windows[]=0-200k", "context_windows[]: Extra inputs"),
    (USAGE, f"{RANGE}&time_zone=UTC", "time_zone: Extra inputs"),
    (USAGE, f"{RANGE}&group_by[]=description", "group_by[]: 'description' is none of"),
    (USAGE, f"{RANGE}&group_by[]=Model", "group_by[]"),
    (USAGE, f"{RANGE}&{FIVE}&group_by[]=workspace_id", TOO_MANY),
    (USAGE, f"{RANGE}&group_by[]=model&group_by[]=model", "more than once"),
    (USAGE, f"{RANGE}&group_by[]=speed", "fast-mode-2026-02-01"),
    (USAGE, f"{RANGE}&speeds[]=fast", "fast-mode-2026-02-01"),
    (USAGE, f"{RANGE}&context_window[]=1M", "context_window[]"),
    (USAGE, f"{RANGE}&service_tiers[]=gold", "service_tiers[]"),
    (USAGE, f"{RANGE}&inference_geos[]=eu", "inference_geos[]"),
    (USAGE, f"{RANGE}&models[]=", "models[]: must not be empty"),
    (USAGE, f"{RANGE}&page=", "page"),
    (USAGE, f"{RANGE}&page=page_2", "page: not a cursor of this query"),
    (USAGE, f"{RANGE}&page=page_WzFd", "page: not a cursor of this query"),
    (USAGE, f"{RANGE}&page=page_é", "page: not a cursor of this query"),
    (COST, "", "starting_at: Field required"),
    (COST, "starting_at=2026-03-01", "RFC 3339"),
    (COST, "starting_at=2026-02-29T00:00:00Z", "starting_at"),
    (COST, f"{RANGE}&bucket_width=1h", "bucket_width: '1h' is none of 1d"),
    (COST, f"{RANGE}&limit=32", "between 1 and 31"),
    (COST, f"{RANGE}&group_by[]=model", "group_by[]: 'model' is none of workspace_id, description"),
    (COST, f"{RANGE}&group_by[]=description&group_by[]=description", "more than once"),
    (COST, f"{RANGE}&models[]=claude-opus-5", "models[]: Extra inputs"),
    (COST, f"{RANGE}&workspace_ids[]=wrkspc_sandbox01", "workspace_ids[]: Extra inputs"),
    (COST, f"starting_at={at(TODAY)}", BAD_RANGE),
    (COST, f"starting_at={at(TODAY)}&ending_at=2026-03-21T00:00:00Z", BAD_RANGE),
    (COST, f"starting_at={at(TODAY, '10:00:00')}", BAD_RANGE),
    (CODE, "", "starting_at: Field required"),
    (CODE, "starting_at=2026-03-01T00:00:00Z", "not a date in the form YYYY-MM-DD"),
    (CODE, "starting_at=2026-3-1", "not a date in the form YYYY-MM-DD"),
    (CODE, "starting_at=2026-02-30", "starting_at"),
    (CODE, "starting_at=2026-03-01&ending_at=2026-03-02", "ending_at: Extra inputs"),
    (CODE, "starting_at=2026-03-01&bucket_width=1d", "bucket_width: Extra inputs"),
    (CODE, "starting_at=2026-03-01&limit=1001", "between 1 and 1000"),
    (CODE, "starting_at=2026-03-01&limit=0", "between 1 and 1000"),
    (CODE, "starting_at=2026-03-01&starting_at=2026-03-02", "more than once"),
    (CODE, "starting_at=2026-03-01&page=x", "page: not a cursor of this query"),
    (ME, "x=1", "x: Extra inputs"),
]


@pytest.mark.parametrize(("path", "query", "says"), REFUSED_QUERIES)
def test_a_bad_query_is_refused(reports: Reports, path: str, query: str, says: str) -> None:
    answer = reports.client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status", "error_type"),
    [
        ({}, 401, "authentication_error"),
        ({"x-api-key": "wrong"}, 401, "authentication_error"),
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"authorization": "Bearer wrong"}, 401, "authentication_error"),
        ({"authorization": f"Basic {API_KEY}"}, 401, "authentication_error"),
        ({"x-api-key": WORKSPACE_KEY}, 403, "permission_error"),
        ({"authorization": f"Bearer {WORKSPACE_KEY}"}, 403, "permission_error"),
        ({"x-api-key": API_KEY, "anthropic-version": ""}, 400, "invalid_request_error"),
        ({"x-api-key": API_KEY, "anthropic-version": "2023-01-01"}, 400, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("path", [ME, USAGE, COST, CODE])
def test_a_bad_key_or_version_is_refused(
    reports: Reports, path: str, headers: dict[str, str], status: int, error_type: str
) -> None:
    sent = {"anthropic-version": "2023-06-01", **headers}
    answer = httpx.get(f"{reports.stand_in.base_url}{path}?{RANGE}", headers=sent, trust_env=False)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == error_type


def test_a_missing_version_is_refused(reports: Reports) -> None:
    answer = httpx.get(
        f"{reports.stand_in.base_url}{ME}", headers={"x-api-key": API_KEY}, trust_env=False
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "anthropic-version: header is required"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", COST, 405),
        ("PUT", USAGE, 405),
        ("DELETE", CODE, 405),
        ("GET", "/v1/organizations", 404),
        ("GET", "/v1/organizations/usage_report", 404),
        ("GET", f"{COST}/", 404),
        ("POST", "/v1/messages", 404),
    ],
)
def test_other_methods_and_paths_are_refused(
    reports: Reports, method: str, path: str, status: int
) -> None:
    assert reports.client.request(method, f"{path}?{RANGE}").status_code == status


@pytest.mark.parametrize(
    ("path", "query", "headers"),
    [
        (ME, "", {}),
        (USAGE, RANGE, {}),
        (USAGE, RANGE, {"anthropic-version": "2026-10-21"}),
        (USAGE, "starting_at=2026-03-01T00:00:00.5Z", {}),
        (USAGE, f"{RANGE}&{FIVE}", {}),
        (USAGE, f"{RANGE}&group_by%5B%5D=model", {}),
        (USAGE, f"{RANGE}&bucket_width=1h&limit=168", {}),
        (USAGE, f"{RANGE}&bucket_width=1m&limit=1440", {}),
        (USAGE, f"{RANGE}&group_by[]=speed&speeds[]=fast", FAST),
        (USAGE, f"{RANGE}&service_tiers[]=flex&service_tiers[]=flex_discount", {}),
        (COST, f"{RANGE}&limit=31&group_by[]=workspace_id&group_by[]=description", {}),
        (CODE, "starting_at=2026-03-02&limit=1000", {}),
        (CODE, "starting_at=9999-12-31", {}),
        (USAGE, "starting_at=9999-12-30T00:00:00Z&ending_at=9999-12-31T00:00:00Z", {}),
    ],
)
def test_a_good_query_is_answered(
    reports: Reports, path: str, query: str, headers: Mapping[str, str]
) -> None:
    assert reports.client.get(f"{path}?{query}", headers=headers).status_code == 200


def test_the_key_may_come_as_a_bearer_token(reports: Reports) -> None:
    headers = {"authorization": f"Bearer {API_KEY}", "anthropic-version": "2023-06-01"}
    answer = httpx.get(f"{reports.stand_in.base_url}{ME}", headers=headers, trust_env=False)
    assert answer.json() == {"id": ORGANISATION.id, "type": "organization", "name": "Sandbox Corp"}


def test_every_answer_has_its_own_request_id_and_errors_repeat_it(reports: Reports) -> None:
    answers = [
        reports.client.get(ME),
        reports.client.get(f"{USAGE}?{RANGE}"),
        reports.client.get(USAGE),
        reports.client.get("/x"),
    ]
    assert len({answer.headers["request-id"] for answer in answers}) == 4
    assert {answer.headers["anthropic-organization-id"] for answer in answers} == {ORGANISATION.id}
    for answer in answers[2:]:
        assert set(answer.json()) == {"type", "error", "request_id"}
        assert answer.json()["request_id"] == answer.headers["request-id"]


# Pages that are too dense


def test_pages_with_too_many_results_are_refused_down_to_a_single_bucket(serve: Serve) -> None:
    with serve(max_bucket_results=5) as reports:
        dense = reports.range(FIRST, TODAY, "workspace_id", "model")
        says = "Response too large: reduce limit or group by fewer dimensions"
        assert reports.refusal(USAGE, [*dense, ("limit", "31")]) == says
        assert reports.refusal(USAGE, dense) == says
        assert len(reports.get(USAGE, [*dense, ("limit", "1")])["data"][0]["results"]) > 5
        assert reports.get(USAGE, reports.range(FIRST, TODAY, limit=5))["data"]
        described = reports.range(FIRST, TODAY, "description", limit=2)
        assert reports.refusal(COST, described) == says


def test_the_requests_are_kept_for_the_tests_that_count_them(serve: Serve) -> None:
    with serve() as reports:
        pairs = reports.range(FIRST, TODAY, "model", limit=31)
        pages = list(reports.walk(USAGE, pairs))
    requests = reports.stand_in.requests
    assert len(requests) == len(pages) == 2
    assert list(requests[0].query) == pairs
    assert requests[0].headers["x-api-key"] == API_KEY


def test_two_stand_ins_answer_alike(serve: Serve) -> None:
    bodies = []
    for _ in range(2):
        with serve() as reports:
            pairs = reports.range(FIRST, TODAY, "workspace_id", "model")
            bodies.append([reports.send(path, pairs[:4]).content for path in (USAGE, COST)])
    assert bodies[0] == bodies[1]
