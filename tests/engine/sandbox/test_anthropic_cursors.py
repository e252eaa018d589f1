from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Reports

    Serve = Callable[..., AbstractContextManager[Reports]]

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
TODAY = NOW.date()
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"


def at(day: date) -> str:
    return f"{day}T00:00:00Z"


@pytest.mark.parametrize("limit", [1, 4, 31])
@pytest.mark.parametrize("path", [USAGE, COST])
def test_pages_are_complete_whatever_their_size(reports: Reports, path: str, limit: int) -> None:
    pages = list(reports.walk(path, reports.range(FIRST, TODAY, "workspace_id", limit=limit)))
    whole = reports.everything(path, reports.range(FIRST, TODAY, "workspace_id"))
    assert [bucket for page in pages for bucket in page["data"]] == whole
    assert {len(page["data"]) for page in pages[:-1]} <= {limit}
    assert 0 < len(pages[-1]["data"]) <= limit


CHANGES: list[tuple[str, str]] = [
    ("limit", "3"),
    ("bucket_width", "1d"),
    ("group_by[]", "workspace_id"),
    ("ending_at", at(TODAY)),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[0])
@pytest.mark.parametrize("path", [USAGE, COST])
def test_a_cursor_belongs_to_the_exact_query(
    reports: Reports, path: str, change: tuple[str, str]
) -> None:
    pairs = [("starting_at", at(FIRST))]
    page = ("page", reports.get(path, pairs)["next_page"])
    assert reports.get(path, [*pairs, page])["data"][0]["starting_at"] == at(date(2026, 2, 8))
    assert "page" in reports.refusal(path, [*pairs, change, page])


def test_a_cursor_belongs_to_its_start_and_cannot_be_made_up(reports: Reports) -> None:
    pairs = [("starting_at", at(FIRST))]
    cursor = reports.get(USAGE, pairs)["next_page"]
    other = [("starting_at", at(FIRST + timedelta(days=1)))]
    assert "page" in reports.refusal(USAGE, [*other, ("page", cursor)])
    assert "page" in reports.refusal(USAGE, [*pairs, ("page", cursor[:-6] + "AAAA==")])


def test_a_cursor_keeps_the_end_that_the_first_page_had(serve: Serve) -> None:
    with serve() as reports:
        pairs = [("starting_at", at(TODAY - timedelta(days=10)))]
        page = reports.get(USAGE, pairs)
        reports.stand_in.now = lambda: NOW + timedelta(days=3)
        rest = reports.everything(USAGE, pairs, page["next_page"])
    assert rest[-1]["ending_at"] == at(TODAY)
