from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation
from lading.sandbox.reports import cost_results

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

KIND = "claude-cost-record"
START = "2026-01-01T00:00:00Z"
FETCHED = datetime(2026, 11, 20, 9, tzinfo=UTC)
EXACT = Context(prec=60)
NULL_KEYS = (
    *("context_window", "cost_type", "description", "inference_geo"),
    *("model", "service_tier", "token_type", "workspace_id"),
)


def bucket(day: int, *results: Json) -> Json:
    return {
        "starting_at": f"2026-11-{day:02d}T00:00:00Z",
        "ending_at": f"2026-11-{day + 1:02d}T00:00:00Z",
        "results": list(results),
    }


def cost(amount: str, currency: str = "USD", **dimensions: str | None) -> Json:
    return {
        "amount": amount,
        "currency": currency,
        **dict.fromkeys(NULL_KEYS),
        **dimensions,
    }


def test_a_report_comes_out_as_it_went_in_with_dollars_beside_cents(landing: Landing) -> None:
    landing.cost([bucket(16, cost("307.726800")), bucket(17), bucket(18, cost("0.0004"))])
    landing.build()
    assert landing.rows(KIND, startingDate=START) == [
        {
            "connection": "anthropic",
            **bucket(16, {**cost("307.7268"), "amount_usd": Decimal("3.077268")}),
        },
        {"connection": "anthropic", **bucket(17)},
        {
            "connection": "anthropic",
            **bucket(18, {**cost("0.0004"), "amount_usd": Decimal("0.000004")}),
        },
    ]


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        (["0.1", "0.2"], "0.3"),
        (["123456789.123456789"], "123456789.123456789"),
        (["9007199254740993.000000001", "0.000000001"], "9007199254740993.000000002"),
        (["0.000000000000001", "0.000000000000002"], "0.000000000000003"),
        (["999999999999999999999.999999999999999"], "999999999999999999999.999999999999999"),
        (["100", "200.0"], "300"),
        (["5", "-7.50"], "-2.5"),
        (["0.00", "0"], "0"),
        (["1.1000000000000000000"], "1.1"),
    ],
)
def test_amounts_are_exact_to_the_last_decimal(
    landing: Landing, amounts: list[str], total: str
) -> None:
    results = [cost(amount, description=str(n)) for n, amount in enumerate(amounts)]
    landing.cost([bucket(16, *results)], "description")
    landing.build()
    (text,) = landing.texts(KIND, startingDate=START)
    assert f'"amount":"{total}"' in text
    (row,) = json.loads(text, parse_float=Decimal)["results"]
    dollars = EXACT.scaleb(Decimal(total), -2)
    assert row["amount_usd"] == dollars
    (day,) = landing.table("marts.cost_by_day")
    assert (day["amount"], day["amount_usd"]) == (Decimal(total), dollars)


def test_many_amounts_of_nine_decimals_add_up(landing: Landing) -> None:
    random = Random(9)
    amounts = [Decimal(random.randrange(10**16)).scaleb(-9) for _ in range(500)]
    days = [bucket(16, *(cost(f"{each:f}", workspace_id=str(n)) for n, each in enumerate(amounts)))]
    landing.cost(days, "workspace_id")
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START)
    (only,) = row["results"]
    assert Decimal(only["amount"]) == sum(amounts)
    assert only["amount_usd"] == sum(amounts, Decimal()).scaleb(-2)


def test_currencies_are_not_added_up(landing: Landing) -> None:
    landing.cost(
        [bucket(16, cost("100"), cost("7", "EUR"), cost("50", workspace_id="w"))], "workspace_id"
    )
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START)
    amounts = [(each["currency"], each["amount"], each["amount_usd"]) for each in row["results"]]
    assert amounts == [("EUR", "7", None), ("USD", "150", Decimal("1.5"))]
    days = landing.table("marts.cost_by_day")
    assert [(day["currency"], day["amount"], day["amount_usd"]) for day in days] == [
        ("EUR", 7, None),
        ("USD", 150, Decimal("1.5")),
    ]


def test_extracts_of_the_same_days_are_never_added_up(landing: Landing) -> None:
    landing.cost([bucket(16, cost("10")), bucket(17, cost("20"))], at=FETCHED)
    landing.cost(
        [bucket(16, cost("4", workspace_id="w"), cost("7"))],
        "workspace_id",
        at=FETCHED + timedelta(seconds=1),
    )
    landing.build()
    rows = landing.rows(KIND, startingDate=START)
    assert [row["results"][0]["amount"] for row in rows] == ["11", "20"]
    assert [day["amount"] for day in landing.table("marts.cost_by_day")] == [11, 20]


def test_days_begin_with_the_starting_date(landing: Landing) -> None:
    landing.cost([bucket(15), bucket(16), bucket(17)])
    landing.build()
    rows = landing.rows(KIND, startingDate="2026-11-16T00:00:00Z")
    assert [row["starting_at"] for row in rows] == ["2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z"]


def test_a_day_without_cost_is_zero_dollars_in_the_mart(landing: Landing) -> None:
    landing.cost([bucket(17)])
    landing.build()
    (day,) = landing.table("marts.cost_by_day")
    assert day == {
        "connection": "anthropic",
        "day": date(2026, 11, 17),
        "currency": "USD",
        "amount": 0,
        "amount_usd": 0,
    }


def test_an_awkward_organisations_bill_adds_up(landing: Landing) -> None:
    first = date(2026, 3, 1)
    days = [first + timedelta(days=n) for n in range(45)]
    organisation = Organisation(first_day=first, workspaces=6, models=5)

    def buckets(groups: Iterable[str]) -> Iterable[Any]:
        for day in days:
            yield {
                "starting_at": f"{day}T00:00:00Z",
                "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
                "results": cost_results(organisation.cost_lines(day), tuple(groups)),
            }

    landing.cost(buckets(NULL_KEYS), "description", "workspace_id")
    landing.cost(buckets([]), at=FETCHED)
    landing.build()
    billed = {
        f"{day}T00:00:00Z": [sum((line.amount for line in lines), Decimal())] if lines else []
        for day in days
        for lines in [organisation.cost_lines(day)]
    }
    rows = landing.rows(KIND, startingDate="2026-03-01T00:00:00Z")
    assert billed == {
        row["starting_at"]: [Decimal(each["amount"]) for each in row["results"]] for row in rows
    }
    totals = [day["amount_usd"] for day in landing.table("marts.cost_by_day")]
    assert totals == [sum(amounts, Decimal()).scaleb(-2) for amounts in billed.values()]
