"""The rows of FOCUS 1.2, against the specification and what the organisation did."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.models.conftest import NOW
from tests.engine.models.focus_rules import CONDITIONS, MANDATORY, NOT_BLANK, RULES
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
from tests.engine.models.test_example_reports import COST_BY_ALL, FIVE, GROUPED

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

DAY = "2026-11-16"
BOTH = ("workspace_id", "description")
WHERE = ("model", "workspace_id")
DAYS = [date(2026, 11, 2) + timedelta(days=n) for n in range(7)]
TYPES = {"Decimal": "DECIMAL", "String": "VARCHAR", "Date/Time": "TIMESTAMP", "JSON": "JSON"}


def rows(landing: Landing) -> list[Json]:
    landing.build("focus_costs")
    return landing.table("marts.focus_costs")


def quantities(landing: Landing) -> list[Decimal | None]:
    return [row["ConsumedQuantity"] for row in rows(landing)]


@pytest.fixture
def whole(landing: Landing) -> Landing:
    """A week of the organisation, and the example reports, with and without names."""
    landing.members("organization", {"id": "o-1", "name": "Sandbox Corp"})
    tagged = {"id": "wrkspc_sandbox01", "name": "One", "tags": {"team": "x"}}
    landing.members("workspaces", tagged, {"id": "wrkspc_sandbox02", "name": "Two", "tags": {}})
    landing.usage(usage_of(DAYS, *TERMS), *TERMS)
    landing.cost(cost_of(DAYS), *BOTH)
    landing.usage(GROUPED, *FIVE, connection="eu")
    landing.cost(COST_BY_ALL, *BOTH, connection="eu")
    landing.build("focus_costs")
    return landing


def test_the_columns_are_those_of_the_specification(whole: Landing) -> None:
    described = whole.connection.execute("DESCRIBE marts.focus_costs").fetchall()
    types = {name: data_type.partition("(")[0] for name, data_type, *_ in described}
    focus = {name: each for name, each in types.items() if not name.startswith("x_")}
    assert focus == {name: TYPES[rule.data_type] for name, rule in RULES.items()}
    assert {name for name, rule in RULES.items() if rule.level == "Mandatory"} == MANDATORY
    assert list(types) == [*focus, *(name for name in types if name.startswith("x_"))]


def broken(landing: Landing, condition: str) -> list[Any]:
    sql = f"SELECT * FROM marts.focus_costs WHERE NOT coalesce({condition}, false)"
    return landing.connection.execute(sql).fetchall()


@pytest.mark.parametrize("rule", ["nulls", "values", "conditions", "text"])
def test_each_row_keeps_to_the_specification(whole: Landing, rule: str) -> None:
    assert whole.table("marts.focus_costs")
    conditions = {
        "nulls": [f"{name} IS NOT NULL" for name, each in RULES.items() if not each.allows_nulls],
        "values": [
            f"{name} IS NULL OR {name} IN {each.values}".replace(",)", ")")
            for name, each in RULES.items()
            if each.values
        ],
        "conditions": CONDITIONS,
        "text": [NOT_BLANK.format(column=name) for name in RULES],
    }
    assert {each: broken(whole, each) for each in conditions[rule] if broken(whole, each)} == {}


def test_the_contract_is_enforced(whole: Landing) -> None:
    (entry,) = (
        each
        for document in whole.project.properties
        for each in document.data["models"]
        if each["name"] == "focus_costs"
    )
    assert entry["config"]["contract"] == "enforced"
    described = whole.connection.execute("DESCRIBE marts.focus_costs").fetchall()
    assert [(each["name"], each["data_type"]) for each in entry["columns"]] == [
        (name, data_type) for name, data_type, *_ in described
    ]


def test_the_bill_is_the_organisations(whole: Landing) -> None:
    bill: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for day in DAYS:
        for line in ORGANISATION.cost_lines(day):
            bill[line.workspace_id or "default", line.description] += line.amount
    found: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in whole.table("marts.focus_costs"):
        if row["x_Connection"] == "anthropic":
            found[row["SubAccountId"], row["ChargeDescription"]] += row["BilledCost"] * 100
            assert row["BilledCost"] == row["EffectiveCost"] == row["ListCost"]
            assert row["ContractedCost"] == row["BilledCost"]
    assert found == bill


def test_the_quantities_and_prices_are_the_organisations(whole: Landing) -> None:
    names = {
        "cache_creation.ephemeral_5m_input_tokens": "ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens": "ephemeral_1h_input_tokens",
    }
    prices = {model.name: model.input_price for model in ORGANISATION.members.models}
    seen = 0
    for row in whole.table("marts.focus_costs"):
        if row["x_Connection"] != "anthropic" or row["x_CostType"] != "tokens":
            continue
        counter = names.get(row["x_TokenType"], f"{row['x_TokenType']}")
        events = [
            event
            for event in ORGANISATION.usage_events(row["ChargePeriodStart"].date())
            if (event.workspace_id or "default") == row["SubAccountId"]
            and event.model == row["x_Model"]
            and event.service_tier == row["x_ServiceTier"]
            and event.context_window == row["x_ContextWindow"]
            and event.inference_geo == row["x_InferenceGeo"]
        ]
        # The cost report tells fast from standard use, and this extract of usage does not.
        speeds = {event.speed for event in events if getattr(event, counter)}
        if len(speeds) > 1:
            assert row["ConsumedQuantity"] is None
            continue
        seen += 1
        assert row["ConsumedQuantity"] == sum(getattr(event, counter) for event in events)
        assert row["PricingQuantity"] == row["ConsumedQuantity"] / 1_000_000
        if row["SkuPriceId"].endswith("Usage - Input Tokens"):
            assert row["ListUnitPrice"] == prices[row["x_Model"]]
            assert row["PricingUnit"] == "1000000 Tokens"
    assert seen > 100


def test_the_example_reports(landing: Landing) -> None:
    landing.usage(GROUPED, *FIVE)
    landing.cost(COST_BY_ALL, *BOTH)
    found = {
        row["ChargeDescription"]: (row["ConsumedQuantity"], row["ListUnitPrice"], row["SkuId"])
        for row in rows(landing)
    }
    uncached = "claude-opus-5/uncached_input_tokens"
    assert found["Claude Opus 5 Usage - Input Tokens"] == (184230, 5, uncached)
    assert found["Claude Opus 5 Usage - Input Tokens (Batch)"] == (640, Decimal("2.5"), uncached)
    assert found["Web Search Usage"] == (6, 10, "web_search")
    assert found["Code Execution Usage"] == (None, None, "code_execution")
    # The only output tokens of that day are of the priority tier.
    output = "claude-sonnet-5/output_tokens"
    assert found["Claude Sonnet 5 Usage - Output Tokens"] == (None, None, output)


def test_names_periods_and_tags(whole: Landing) -> None:
    table = whole.table("marts.focus_costs")
    assert {(row["BillingAccountId"], row["BillingAccountName"]) for row in table} == {
        ("o-1", "Sandbox Corp"),
        ("eu", None),
    }
    names = {row["SubAccountId"]: (row["SubAccountName"], row["Tags"]) for row in table}
    assert names["default"] == ("Default", None)
    assert names["wrkspc_sandbox01"] == ("One", '{"team":"x"}')
    assert names["wrkspc_sandbox02"] == ("Two", None)
    assert names["wrkspc_sandbox03"] == ("wrkspc_sandbox03", None)
    periods = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    (first, *_) = sorted({tuple(row[name] for name in periods) for row in table})
    days = (DAYS[0].replace(day=1), date(2026, 12, 1), DAYS[0], DAYS[1])
    assert [f"{moment}" for moment in first] == [f"{day} 00:00:00" for day in days]
    assert {(row["RegionId"], row["RegionName"]) for row in table} == {(None, None), ("us", "US")}


def test_the_month_ends_where_the_year_does(landing: Landing) -> None:
    landing.cost([bucket("2026-12-31", tokens_cost("1"))], *BOTH)
    (row,) = rows(landing)
    names = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
    days = ("2026-12-01", "2027-01-01", "2026-12-31", "2027-01-01")
    assert [f"{row[name]}" for name in names] == [f"{day} 00:00:00" for day in days]


def test_other_currencies_are_billed_in_their_own_unit(landing: Landing) -> None:
    lines = [tokens_cost("250", each, currency=each) for each in ("EUR", "JPY", "KWD", "USD")]
    landing.cost([bucket(DAY, *lines)], *BOTH)
    found = {row["BillingCurrency"]: row["BilledCost"] for row in rows(landing)}
    assert found == {
        "EUR": Decimal("2.5"),
        "JPY": 250,
        "KWD": Decimal("0.25"),
        "USD": Decimal("2.5"),
    }


def test_the_former_organisation_is_not_billed(landing: Landing) -> None:
    landing.members("organization", {"id": "o-2", "name": "Now"})
    then = NOW.replace(tzinfo=None) - timedelta(days=9)
    landing.vanish("organization", {"id": "o-1", "name": "Then"}, then, then)
    landing.cost([bucket(DAY, tokens_cost("1"))], *BOTH)
    (row,) = rows(landing)
    assert (row["BillingAccountId"], row["BillingAccountName"]) == ("o-2", "Now")


LINE = {"model": "m", "workspace_id": "w"}


def test_tokens_by_model_and_workspace_are_enough_where_the_price_shows_that_they_match(
    landing: Landing,
) -> None:
    # 2000 tokens at 25 dollars a million are 5 cents; of 2001, some are not on the bill.
    landing.usage([bucket(DAY, used(0, 2000, **LINE))], *WHERE)
    landing.usage([bucket("2026-11-17", used(0, 2001, **LINE))], *WHERE)
    line = tokens_cost("5", workspace_id="w")
    landing.cost([bucket(DAY, line), bucket("2026-11-17", line)], *BOTH)
    found = [(row["ConsumedQuantity"], row["ListUnitPrice"]) for row in rows(landing)]
    assert found == [(2000, 25), (None, None)]


def test_tokens_by_service_tier_need_no_price_to_match(landing: Landing) -> None:
    on_the_bill = used(0, 2001, service_tier="standard", **LINE)
    elsewhere = used(0, 7, service_tier="priority", **LINE)
    landing.usage([bucket(DAY, on_the_bill, elsewhere)], *WHERE, "service_tier")
    landing.cost([bucket(DAY, tokens_cost("5", workspace_id="w", service_tier="standard"))], *BOTH)
    (row,) = rows(landing)
    assert (row["ConsumedQuantity"], row["ListUnitPrice"]) == (2001, None)
    assert row["PricingQuantity"] == Decimal("0.002001")


def test_what_several_lines_share_is_not_split(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(0, 2000, **LINE))], *WHERE)
    lines = [tokens_cost("5", each, workspace_id="w") for each in ("standard", "fast")]
    landing.cost([bucket(DAY, *lines)], *BOTH)
    assert quantities(landing) == [None, None]


@pytest.mark.parametrize(
    ("group_by", "at", "hours", "quantity"),
    [
        (WHERE, NOW, 24, 2000),
        (("model",), NOW, 24, None),
        (("workspace_id",), NOW, 24, None),
        (WHERE, datetime.fromisoformat("2026-11-16T18:00:00+00:00"), 24, None),
        (WHERE, NOW, 1, None),
    ],
    ids=["whole", "no workspace", "no model", "fetched before the end", "an hour of it"],
)
def test_only_usage_of_the_whole_day_by_model_and_workspace_tells_a_quantity(
    landing: Landing, group_by: tuple[str, ...], at: datetime, hours: int, quantity: int | None
) -> None:
    width = "1d" if hours == 24 else "1h"
    day = bucket(DAY, used(0, 2000, **LINE), hours=hours)
    landing.usage([day], *group_by, at=at, width=width)
    landing.cost([bucket(DAY, tokens_cost("5", workspace_id="w"))], *BOTH)
    assert quantities(landing) == [quantity]


def test_hours_of_the_whole_day_tell_it_too(landing: Landing) -> None:
    day = [bucket(f"{DAY}T{n:02}:00", used(0, 100, **LINE), hours=1) for n in range(24)]
    landing.usage(day, *WHERE, width="1h")
    landing.usage([bucket(DAY, used(0, 2400))])
    landing.cost([bucket(DAY, tokens_cost("6", workspace_id="w"))], *BOTH)
    assert quantities(landing) == [2400]


def test_cost_by_one_of_both_gives_no_rows(landing: Landing) -> None:
    for group_by in ("workspace_id", "description"):
        landing.cost([bucket(DAY, cents("1"))], group_by)
    assert rows(landing) == []
