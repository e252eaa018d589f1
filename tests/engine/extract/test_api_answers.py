from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from lading.errors import (
    ForbiddenError,
    GarbledError,
    NotFoundError,
    PageTooDenseError,
    RefusedError,
    RetriableError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from lading.extract.anthropic import bucket_of, classify, days_of, parse_page
from lading.http import Reply

RESET = "anthropic-ratelimit-requests-reset"


def error(status: int, message: str = "why", **headers: str) -> Reply:
    envelope = {"type": "error", "error": {"type": "some_error", "message": message}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"request-id": "req_1", **named}, json.dumps(envelope).encode())


def soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusedError),
        (401, UnauthorizedError),
        (402, RefusedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, RefusedError),
        (408, UnavailableError),
        (413, RefusedError),
        (422, RefusedError),
        (429, ThrottledError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
        (529, UnavailableError),
        (204, RefusedError),
    ],
)
def test_what_a_status_means(status: int, kind: type[ServerError]) -> None:
    found = classify(error(status))
    assert type(found) is kind
    assert (found.status, found.request_id) == (status, "req_1")
    assert found.message == f"Anthropic answers {status}: some_error: why"
    assert isinstance(found, RetriableError) == (status in {408, 429} or status >= 500)


def test_a_success_is_no_error() -> None:
    assert classify(Reply(200, {}, b"{}")) is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_says_what_to_do(status: int) -> None:
    found = classify(error(status))
    assert found is not None
    assert found.hint is not None
    assert "Admin API key" in found.hint


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Response too large: reduce limit or group by fewer dimensions", PageTooDenseError),
        ("Please reduce the limit", PageTooDenseError),
        ("Cannot specify more than 5 group_by[] dimensions.", RefusedError),
        ("Invalid date range: ending date must be after starting date", RefusedError),
        ("limit: Input should be less than or equal to 31", RefusedError),
    ],
)
def test_a_400_may_be_about_the_size_of_a_page(message: str, kind: type[ServerError]) -> None:
    assert type(classify(error(400, message))) is kind


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error":"text"}', b"<html>busy</html>", b"\xff"])
def test_an_error_without_an_envelope_is_still_told(body: bytes) -> None:
    found = classify(Reply(503, {}, body))
    assert found is not None
    text = body.decode("utf-8", "replace") or "(nothing more)"
    assert found.message == f"Anthropic answers 503: {text}"


def test_retry_after_comes_before_the_reset_of_the_limit() -> None:
    found = classify(error(429, retry_after="7", **{RESET: soon(50)}))
    assert isinstance(found, ThrottledError)
    assert found.retry_after == 7


@pytest.mark.parametrize("headers", [{}, {"retry_after": "soon"}])
def test_without_it_the_reset_counts(headers: dict[str, str]) -> None:
    found = classify(error(429, **headers, **{RESET: soon(50)}))
    assert isinstance(found, ThrottledError)
    assert found.retry_after == pytest.approx(50, abs=3)


def test_a_server_that_fails_is_not_about_the_limit() -> None:
    """The rate limit's headers come with every answer; 529 has nothing to do with them."""
    found = classify(error(529, **{RESET: soon(50)}))
    assert isinstance(found, UnavailableError)
    assert found.retry_after is None
    patient = classify(error(503, retry_after=f"{time.time() + 9:.0f}"))
    assert isinstance(patient, UnavailableError)
    assert patient.retry_after == pytest.approx(9, abs=3)


def test_a_page_is_cut_without_being_read() -> None:
    body = b'{"data": [ {"a" : 1.50} ,{"b":[1, 2]}], "has_more": true, "next_page": "p2", "x": {}}'
    page = parse_page(Reply(200, {}, body))
    assert page.records == (b'{"a" : 1.50}', b'{"b":[1, 2]}')
    assert (page.next_page, page.size) == ("p2", len(body))


@pytest.mark.parametrize(
    "record", [b"{}", b'{"starting_at":"2026-01-01T00:00:00Z"}', b'{"starting_at":1,"ending_at":2}']
)
def test_a_bucket_without_its_period_is_garbled(record: bytes) -> None:
    with pytest.raises(GarbledError):
        bucket_of(record)


def test_days_are_the_first_ten_letters_of_a_date() -> None:
    records = [b'{"date":"2026-03-18T00:00:00Z","x":1}', b'{"date":"2026-03-19"}']
    assert days_of(records) == {"2026-03-18", "2026-03-19"}
    with pytest.raises(GarbledError):
        days_of([b'{"day":"2026-03-18"}'])
