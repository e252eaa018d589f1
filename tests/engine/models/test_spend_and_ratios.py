"""Cost by workspace, month to date, for a million tokens, and what the cache does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.models.conftest import NOW
from tests.engine.models.ledger import (
    ORGANISATION,
    TERMS,
    bucket,
    cents,
    cost_of,
    tokens_cost,
    usage_of,
    used,
)
from tests.engine.models.test_example_reports import (
    COST_BY_ALL,
    COST_BY_WORKSPACE,
    FIVE,
    GROUPED,
    RECORDS,
)

from lading.transform.graph import load_graph

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

DAY = "2026-11-16"
BOTH = ("workspace_id", "description")
DAYS = [date(2026, 11, 2) + timedelta(days=n) for n in range(5)]
RESEARCH = "wrkspc_01dZGhRjg34hRt2BUYnYFhQL"


def made(landing: Landing, model: str) -> list[Json]:
    landing.build(model)
    return landing.table(f"marts.{model}")


def picked(rows: list[Json], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in rows]


def test_usage_by_api_key(landing: Landing) -> None:
    landing.members("api_keys", {"id": "apikey_01mWfdwQnswQT2SEUkB9JT7K", "name": "ci"})
    landing.usage(GROUPED, *FIVE)
    rows = made(landing, "usage_by_day_and_api_key")
    columns = ("day", "api_key_name", "uncached_input_tokens", "web_search_requests")
    assert picked(rows, *columns) == [
        (date(2026, 11, 16), "ci", 184230 + 640, 6),
        (date(2026, 11, 16), None, 77110, 0),
        (date(2026, 11, 16), "Console", 512, 1),
        (date(2026, 11, 18), "ci", 20010, 0),
    ]


@pytest.mark.parametrize(
    ("model", "grouped", "other"),
    [
        ("usage_by_day_and_api_key", "api_key_id", "model"),
        ("cache_efficiency", "model", "api_key_id"),
    ],
)
def test_other_extracts_say_nothing_of_it(
    landing: Landing, model: str, grouped: str, other: str
) -> None:
    landing.usage([bucket(DAY, used(7))])
    landing.usage([bucket(DAY, used(7))], other)
    assert made(landing, model) == []
    landing.usage([bucket(DAY, used(7))], grouped)
    assert len(made(landing, model)) == 1


def test_cost_by_workspace(landing: Landing) -> None:
    landing.members("workspaces", {"id": RESEARCH, "name": "Research"})
    landing.cost(COST_BY_WORKSPACE, "workspace_id")
    rows = [
        row
        for row in made(landing, "cost_by_day_and_workspace")
        if row["day"] == date(2026, 11, 16)
    ]
    assert picked(rows, "workspace_name", "amount_usd") == [
        ("Default", Decimal("0.470993")),
        ("Research", Decimal("2.606275")),
    ]


def test_cost_by_workspace_takes_the_extract_fetched_last(landing: Landing) -> None:
    landing.cost([bucket(DAY, cents("1", workspace_id="w"))], *BOTH)
    later = NOW + timedelta(hours=1)
    landing.cost([bucket(DAY, cents("2", workspace_id="w"))], "workspace_id", at=later)
    landing.cost([bucket(DAY, cents("3"))], at=later + timedelta(hours=1))
    rows = made(landing, "cost_by_day_and_workspace")
    assert picked(rows, "workspace_id", "amount") == [("w", Decimal(2))]


def test_cost_by_workspace_model_and_token_type(landing: Landing) -> None:
    landing.cost(COST_BY_ALL, *BOTH)
    rows = made(landing, "cost_by_workspace_model_token_type")
    found = {
        (row["day"].day, row["workspace_id"], row["model"], row["token_type"], row["cost_type"]): (
            row["amount"]
        )
        for row in rows
    }
    # Standard and batch input tokens of one model are put together.
    uncached = (16, RESEARCH, "claude-opus-5", "uncached_input_tokens", "tokens")
    assert found[uncached] == Decimal("92.1150") + Decimal("0.1600")
    assert found[16, "default", None, None, "code_execution"] == Decimal("0.8333")
    assert sum(found.values()) == Decimal("307.7268") + Decimal("0.0004")
    assert len(found) == len(rows) == 9


def test_cost_by_workspace_model_and_token_type_keeps_currencies_apart(landing: Landing) -> None:
    lines = [tokens_cost("1"), tokens_cost("2", currency="EUR"), tokens_cost("4")]
    landing.cost([bucket(DAY, *lines)], *BOTH)
    rows = made(landing, "cost_by_workspace_model_token_type")
    assert picked(rows, "currency", "amount", "amount_usd") == [
        ("EUR", Decimal(2), None),
        ("USD", Decimal(5), Decimal("0.05")),
    ]


def at(landing: Landing, moment: datetime) -> Landing:
    """The models as a run at another moment has them."""
    graph, problems = load_graph(landing.project, moment)
    assert problems == ()
    return replace(landing, graph=graph)


def spend(landing: Landing, today: str) -> list[Json]:
    return made(at(landing, datetime.fromisoformat(f"{today}T09:00:00+00:00")), SPEND)


SPEND = "workspace_spend_to_date"


def daily(first: str, last: str, workspace: str = "w", amount: str = "100") -> list[Json]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    days = [start + timedelta(days=n) for n in range((end - start).days + 1)]
    return [bucket(f"{day}", cents(amount, workspace_id=workspace)) for day in days]


@pytest.mark.parametrize(
    ("today", "through", "spent", "before"),
    [
        ("2026-11-22", "2026-11-21", 21, 21),
        ("2026-12-31", "2026-12-30", 30, 30),
        ("2026-03-31", "2026-03-30", 30, 28),
        ("2026-03-01", None, 0, 0),
        ("2026-03-02", "2026-03-01", 1, 1),
        ("2026-01-15", "2026-01-14", 14, 14),
        ("2028-03-31", "2028-03-30", 30, 29),
    ],
)
def test_spend_to_date_is_compared_with_the_same_days(
    landing: Landing, today: str, through: str | None, spent: int, before: int
) -> None:
    day = date.fromisoformat(today)
    landing.cost(daily(f"{day - timedelta(days=70)}", today), "workspace_id")
    (row,) = spend(landing, today)
    assert (row["month"], row["through_day"]) == (
        day.replace(day=1),
        through and date.fromisoformat(through),
    )
    assert picked([row], "days", "days_before", "spend_usd", "spend_before_usd") == [
        (spent, before, spent, before)
    ]


def test_days_that_have_not_landed_are_not_compared(landing: Landing) -> None:
    landing.cost(daily("2026-10-10", "2026-11-18"), "workspace_id")
    (row,) = spend(landing, "2026-11-22")
    columns = ("days", "days_before", "spend_usd", "spend_before_usd", "change_usd")
    assert picked([row], *columns) == [(18, 9, 18, 9, 9)]
    assert row["through_day"] == date(2026, 11, 18)
    assert str(row["change_share"]) == "1.000000"


def test_days_without_cost_are_days(landing: Landing) -> None:
    landing.cost(daily("2026-10-01", "2026-11-01"), "workspace_id")
    landing.cost([bucket("2026-11-02"), bucket("2026-11-03")], "workspace_id")
    (row,) = spend(landing, "2026-11-04")
    assert picked([row], "days", "spend_usd", "days_before", "spend_before_usd") == [(3, 1, 3, 3)]


def test_each_workspace_with_cost_in_either_month_has_a_row(landing: Landing) -> None:
    landing.members("workspaces", {"id": "old", "name": "Old"})
    landing.cost(daily("2026-10-01", "2026-10-31", "old"), "workspace_id")
    new = [cents("50", workspace_id=None), cents("7", "EUR", workspace_id="eur")]
    landing.cost([bucket("2026-11-01", *new)], "workspace_id")
    rows = spend(landing, "2026-11-02")
    columns = ("workspace_id", "workspace_name", "spend_usd", "spend_before_usd", "change_share")
    assert picked(rows, *columns) == [
        ("default", "Default", Decimal("0.5"), 0, None),
        ("eur", None, None, 0, None),
        ("old", "Old", 0, 1, -1),
    ]


def test_the_cache_of_the_example_reports(landing: Landing) -> None:
    landing.usage(GROUPED, *FIVE)
    rows = made(landing, "cache_efficiency")
    opus = rows[0]
    assert (opus["day"], opus["model"]) == (date(2026, 11, 16), "claude-opus-5")
    assert opus["input_tokens"] == 184230 + 640 + 21500 + 912400
    assert opus["cache_creation_input_tokens"] == 21500
    # 912400 / 1118770, 21500 / 1118770 and 912400 / 21500 to six decimals, by hand
    ratios = ("cache_read_share", "cache_creation_share", "cache_reads_per_write")
    assert [str(opus[name]) for name in ratios] == ["0.815538", "0.019218", "42.437209"]


@pytest.mark.parametrize(
    ("counts", "ratios"),
    [
        ({}, [None, None, None]),
        ({"uncached": 3}, ["0.000000", "0.000000", None]),
        ({"read": 5}, ["1.000000", "0.000000", None]),
        ({"read": 2, "written_1h": 1}, ["0.666667", "0.333333", "2.000000"]),
        ({"read": 1, "written_5m": 2, "uncached": 2**53}, ["0.000000", "0.000000", "0.500000"]),
        ({"read": 1, "uncached": 1999999}, ["0.000001", "0.000000", None]),
    ],
)
def test_ratios_are_rounded_and_never_divided_by_nothing(
    landing: Landing, counts: dict[str, int], ratios: list[str | None]
) -> None:
    landing.usage([bucket(DAY, used(**counts, model="m"))], "model")
    (row,) = made(landing, "cache_efficiency")
    names = ("cache_read_share", "cache_creation_share", "cache_reads_per_write")
    assert [None if row[name] is None else str(row[name]) for name in names] == ratios


def test_prices_of_the_invented_organisation(landing: Landing) -> None:
    landing.usage(usage_of(DAYS, *TERMS), *TERMS)
    landing.cost(cost_of(DAYS), *BOTH)
    rows = made(landing, "cost_per_million_tokens")
    paid = [
        event
        for day in DAYS
        for event in ORGANISATION.usage_events(day)
        if event.service_tier != "priority"
    ]
    lines = [line for day in DAYS for line in ORGANISATION.cost_lines(day)]
    assert {row["model"] for row in rows} == {event.model for event in paid}
    for row in rows:
        events = [event for event in paid if event.model == row["model"]]
        inputs = sum(
            event.uncached_input_tokens
            + event.ephemeral_5m_input_tokens
            + event.ephemeral_1h_input_tokens
            + event.cache_read_input_tokens
            for event in events
        )
        outputs = sum(event.output_tokens for event in events)
        dollars = sum(line.amount for line in lines if line.model == row["model"]) / 100
        assert picked([row], "input_tokens", "output_tokens", "tokens", "cost_usd") == [
            (inputs, outputs, inputs + outputs, dollars)
        ]
        price = dollars * 1_000_000 / (inputs + outputs)
        assert abs(row["usd_per_million_tokens"] - price) <= Decimal("0.0000005")
        assert row["input_cost_usd"] + row["output_cost_usd"] == dollars
        assert row["is_without_priority_tier"] is True


def test_a_price_is_told_of_days_that_both_reports_have_whole(landing: Landing) -> None:
    noon = datetime(2026, 11, 19, 12, tzinfo=UTC)
    for day, run in (("2026-11-16", NOW), ("2026-11-17", NOW), ("2026-11-19", noon)):
        landing.usage([bucket(day, used(0, 10, model="m"))], "model", at=run, run=f"{run}")
    days = ("2026-11-16", "2026-11-18", "2026-11-19")
    landing.cost([bucket(day, tokens_cost("0.5")) for day in days], "description")
    (row,) = made(landing, "cost_per_million_tokens")
    assert (row["first_day"], row["last_day"], row["days"]) == (
        date(2026, 11, 16),
        date(2026, 11, 16),
        1,
    )
    assert str(row["usd_per_million_output_tokens"]) == "500.000000"
    assert row["usd_per_million_input_tokens"] is None
    assert row["is_without_priority_tier"] is False


def test_a_price_without_tokens_or_in_another_currency_is_none(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(0, 10, model="eur"), used(0, 10, model="free"))], "model")
    lines = [tokens_cost("1", "a"), tokens_cost("1", "b", currency="EUR", model="eur")]
    landing.cost([bucket(DAY, *lines)], "description")
    rows = made(landing, "cost_per_million_tokens")
    assert picked(rows, "model", "tokens", "cost_usd", "usd_per_million_tokens") == [
        ("eur", 10, None, None),
        ("free", 10, 0, 0),
        ("m", 0, Decimal("0.01"), None),
    ]


def test_claude_code_by_model(landing: Landing) -> None:
    landing.code(RECORDS)
    rows = made(landing, "claude_code_by_model")
    shares = [(record["actor"], each) for record in RECORDS for each in record["model_breakdown"]]
    assert {row["model"] for row in rows} == {each["model"] for _, each in shares}
    for row in rows:
        own = [(actor, each) for actor, each in shares if each["model"] == row["model"]]
        assert row["output_tokens"] == sum(each["tokens"]["output"] for _, each in own)
        amount = sum(Decimal(each["estimated_cost"]["amount"]) for _, each in own)
        assert row["estimated_cost_usd"] == amount / 100
        assert row["actors"] == len({str(sorted(actor.values())) for actor, _ in own})
    daily_rows = made(landing, "claude_code_daily")
    assert sum(row["output_tokens"] for row in daily_rows) == sum(
        row["output_tokens"] for row in rows
    )


def test_models_that_need_more_than_landed_are_empty(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(1, model="m"))], "model")
    landing.cost([bucket(DAY, cents("1"))])
    for model in (
        "cost_by_workspace_model_token_type",
        "cost_by_day_and_workspace",
        "cost_per_million_tokens",
        "workspace_spend_to_date",
        "focus_costs",
        "usage_by_day_and_api_key",
    ):
        assert made(landing, model) == [], model
