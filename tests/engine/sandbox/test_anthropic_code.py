from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Reports

    Serve = Callable[..., AbstractContextManager[Reports]]

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
TODAY = NOW.date()
ORGANISATION = Organisation(first_day=FIRST)
CODE = "/v1/organizations/usage_report/claude_code"


def at(day: date) -> str:
    return f"{day}T00:00:00Z"


def days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def plain(records: Any) -> Any:
    return json.loads(json.dumps(records), parse_float=Decimal)


CODE_DAY = max(days(FIRST, TODAY), key=lambda day: len(ORGANISATION.code_records(day)))


CODE_DAY_RECORDS = len(ORGANISATION.code_records(CODE_DAY))


@pytest.mark.parametrize("limit", [1, 7, CODE_DAY_RECORDS - 1, CODE_DAY_RECORDS, 1000])
def test_a_code_day_comes_whole_in_pages_of_any_size(reports: Reports, limit: int) -> None:
    pages = list(reports.walk(CODE, [("starting_at", str(CODE_DAY)), ("limit", str(limit))]))
    found = [record for page in pages for record in page["data"]]
    assert found == plain(ORGANISATION.code_records(CODE_DAY))
    assert {len(page["data"]) for page in pages[:-1]} <= {limit}
    assert 0 < len(pages[-1]["data"]) <= limit


def test_a_code_page_holds_twenty_records_by_default(serve: Serve) -> None:
    big = Organisation(first_day=FIRST, developers=60)
    with serve(big) as reports:
        assert len(reports.get(CODE, [("starting_at", str(CODE_DAY))])["data"]) == 20


def test_a_code_cursor_belongs_to_its_day_and_limit(reports: Reports) -> None:
    pairs = [("starting_at", str(CODE_DAY)), ("limit", "5")]
    page = ("page", reports.get(CODE, pairs)["next_page"])
    other_day = [("starting_at", str(CODE_DAY - timedelta(days=1))), ("limit", "5")]
    assert "page" in reports.refusal(CODE, [*other_day, page])
    assert "page" in reports.refusal(CODE, [pairs[0], ("limit", "6"), page])


def test_pages_of_a_growing_day_keep_one_boundary(serve: Serve) -> None:
    with serve() as reports:
        pairs = [("starting_at", str(TODAY)), ("limit", "3")]
        whole = reports.everything(CODE, [pairs[0], ("limit", "1000")])
        first = reports.get(CODE, pairs)
        reports.stand_in.now = lambda: NOW + timedelta(hours=5)
        rest = reports.everything(CODE, pairs, first["next_page"])
    assert first["data"] + rest == whole


def test_the_last_hour_is_not_in_the_code_report(reports: Reports) -> None:
    found = reports.everything(CODE, [("starting_at", str(TODAY)), ("limit", "1000")])
    assert found == plain(ORGANISATION.code_records(TODAY, NOW - timedelta(hours=1)))
    assert found != plain(ORGANISATION.code_records(TODAY, NOW))


@pytest.mark.parametrize(
    "day",
    [
        TODAY + timedelta(days=1),
        FIRST - timedelta(days=1),
        next(day for day in days(FIRST, TODAY) if ORGANISATION.is_without_code(day)),
    ],
)
def test_a_day_without_claude_code_is_empty_and_no_error(reports: Reports, day: date) -> None:
    empty = {"data": [], "has_more": False, "next_page": None}
    assert reports.get(CODE, [("starting_at", str(day))]) == empty


def test_a_code_record_has_the_shape_of_the_reference(reports: Reports) -> None:
    for record in reports.get(CODE, [("starting_at", str(CODE_DAY)), ("limit", "1000")])["data"]:
        assert record["date"] == at(CODE_DAY)
        assert record["organization_id"] == ORGANISATION.id
        assert set(record) - {"subscription_type", "research_preview"} == {
            *("date", "actor", "organization_id", "customer_type", "terminal_type", "is_remote"),
            *("core_metrics", "tool_actions", "model_breakdown"),
        }
        assert set(record["core_metrics"]) == {
            *("num_sessions", "lines_of_code"),
            *("commits_by_claude_code", "pull_requests_by_claude_code"),
        }
        assert set(record["core_metrics"]["lines_of_code"]) == {"added", "removed"}
        for tool in record["tool_actions"].values():
            assert set(tool) == {"accepted", "rejected"}
        for share in record["model_breakdown"]:
            assert set(share) == {"model", "tokens", "estimated_cost"}
            assert set(share["tokens"]) == {"input", "output", "cache_read", "cache_creation"}
            assert share["estimated_cost"]["currency"] == "USD"
