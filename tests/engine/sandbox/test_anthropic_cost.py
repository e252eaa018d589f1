from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Reports

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
TODAY = NOW.date()
ORGANISATION = Organisation(first_day=FIRST)
COST = "/v1/organizations/cost_report"


def at(day: date) -> str:
    return f"{day}T00:00:00Z"


def days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def billed(first: date, end: date, *group_by: str) -> dict[tuple[Any, ...], Decimal]:
    """(day, group values…) -> cents, from the lines themselves."""
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for day in days(first, end):
        for line in ORGANISATION.cost_lines(day):
            sums[at(day), *(getattr(line, name) for name in group_by)] += line.amount
    return sums


@pytest.mark.parametrize(
    "group_by",
    [(), ("workspace_id",), ("description",), ("description", "workspace_id")],
)
def test_cost_is_right_to_the_last_decimal(reports: Reports, group_by: tuple[str, ...]) -> None:
    found: dict[tuple[Any, ...], str] = {}
    for bucket in reports.everything(COST, reports.range(FIRST, TODAY, *group_by)):
        for row in bucket["results"]:
            key = (bucket["starting_at"], *(row[name] for name in group_by))
            assert key not in found
            assert row["currency"] == "USD"
            found[key] = row["amount"]
    expected = billed(FIRST, TODAY, *group_by)
    assert found == {key: f"{amount:f}" for key, amount in expected.items()}
    assert sum(map(Decimal, found.values())) == sum(billed(FIRST, TODAY).values())


def test_amounts_are_plain_decimal_strings(reports: Reports) -> None:
    buckets = reports.everything(COST, reports.range(FIRST, TODAY, "description"))
    amounts = [row["amount"] for bucket in buckets for row in bucket["results"]]
    assert all(isinstance(amount, str) and set(amount) <= set("0123456789.") for amount in amounts)
    assert any(len(amount.partition(".")[2]) == 9 for amount in amounts)
    assert any(amount.partition(".")[2].endswith("0") for amount in amounts)


DESCRIBED = {
    *("description", "cost_type", "token_type", "model"),
    *("service_tier", "context_window", "inference_geo"),
}


@pytest.mark.parametrize(
    ("group_by", "told"),
    [
        ([], set()),
        (["workspace_id"], {"workspace_id"}),
        (["description"], DESCRIBED),
        (["workspace_id", "description"], {"workspace_id", *DESCRIBED}),
    ],
)
def test_cost_rows_tell_what_they_were_grouped_by(
    reports: Reports, group_by: list[str], told: set[str]
) -> None:
    buckets = reports.everything(COST, reports.range(FIRST, TODAY, *group_by))
    rows = [row for bucket in buckets for row in bucket["results"]]
    assert {frozenset(row) for row in rows} == {
        frozenset({"amount", "currency", "workspace_id", *DESCRIBED})
    }
    filled = {name for row in rows for name, value in row.items() if value is not None}
    assert filled == {"amount", "currency", *told}


def test_cost_is_told_for_completed_days_only(reports: Reports) -> None:
    later = reports.range(FIRST, TODAY + timedelta(days=5))
    starts = [bucket["starting_at"] for bucket in reports.everything(COST, later)]
    assert starts == [at(day) for day in days(FIRST, TODAY)]
    assert reports.everything(COST, [("starting_at", at(FIRST))]) == reports.everything(COST, later)
