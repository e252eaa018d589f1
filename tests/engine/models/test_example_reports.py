"""Reports of one organisation in several views, whose figures agree on purpose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

REPORTS = Path(__file__).parent / "reports"
START = "2026-01-01T00:00:00Z"
FIVE = ("api_key_id", "context_window", "model", "service_tier", "workspace_id")
IDENTITY = ("account_id", "inference_geo", "model", "service_account_id")


def report(*names: str) -> list[Any]:
    texts = (REPORTS.joinpath(f"{name}.json").read_text("utf-8") for name in names)
    return [each for text in texts for each in json.loads(text)["data"]]


UNGROUPED = report("usage_messages_1d_ungrouped")
GROUPED = report("usage_messages_1d_grouped5_page1", "usage_messages_1d_grouped5_page2")
BY_IDENTITY = report("usage_messages_1d_grouped_identity")
COST = report("cost_report_ungrouped")
COST_BY_WORKSPACE = report("cost_report_grouped_workspace")
COST_BY_ALL = report("cost_report_grouped_workspace_description")
RECORDS = report("claude_code_page1", "claude_code_page2")


def tokens(results: Iterable[Json]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in results:
        counts.update({key: value for key, value in each.items() if isinstance(value, int)})
        counts.update(each["cache_creation"])
        counts.update(each["server_tool_use"])
    return counts


def by_day(rows: Iterable[Json]) -> dict[str, Counter[str]]:
    return {row["starting_at"]: tokens(row["results"]) for row in rows}


@pytest.mark.parametrize("views", ["ungrouped", "grouped", "both"])
def test_grouped_usage_sums_up_to_the_ungrouped(landing: Landing, views: str) -> None:
    if views != "grouped":
        landing.usage(UNGROUPED)
    if views != "ungrouped":
        landing.usage(GROUPED, *FIVE)
    landing.build()
    assert by_day(landing.rows("claude-usage-record", startingDate=START)) == by_day(UNGROUPED)


@pytest.mark.parametrize("dimension", FIVE)
def test_usage_by_one_dimension_sums_up_by_that_dimension(landing: Landing, dimension: str) -> None:
    landing.usage(UNGROUPED)
    landing.usage(GROUPED, *FIVE)
    landing.build()
    rows = landing.rows("claude-usage-record", startingDate=START, groupBy=[dimension])
    assert by_day(rows) == by_day(UNGROUPED)
    found = {
        (row["starting_at"], each[dimension]): tokens([each])
        for row in rows
        for each in row["results"]
    }
    values = {each[dimension] for bucket in GROUPED for each in bucket["results"]}
    assert found == {
        (bucket["starting_at"], value): tokens(some)
        for bucket in GROUPED
        for value in values
        if (some := [each for each in bucket["results"] if each[dimension] == value])
    }


def test_each_view_answers_for_its_own_dimensions(landing: Landing) -> None:
    landing.usage(GROUPED, *FIVE)
    landing.usage(BY_IDENTITY, *IDENTITY)
    landing.build()
    rows = landing.rows("claude-usage-record", startingDate=START, groupBy=["account_id"])
    (bucket,) = BY_IDENTITY
    assert by_day(rows) == by_day(BY_IDENTITY)
    assert {each["account_id"] for row in rows for each in row["results"]} == {
        each["account_id"] for each in bucket["results"]
    }


@pytest.mark.parametrize(
    ("buckets", "group_by"),
    [
        (COST, []),
        (COST_BY_WORKSPACE, ["workspace_id"]),
        (COST_BY_ALL, ["workspace_id", "description"]),
    ],
    ids=["ungrouped", "by workspace", "by workspace and description"],
)
def test_each_view_of_the_cost_gives_the_same_bill(
    landing: Landing, buckets: list[Json], group_by: list[str]
) -> None:
    landing.cost(buckets, *group_by)
    landing.build()
    rows = landing.rows("claude-cost-record", startingDate=START)
    days = {
        row["starting_at"]: [Decimal(each["amount"]) for each in row["results"]] for row in rows
    }
    assert days == {
        bucket["starting_at"]: [sum(amounts, Decimal())] if amounts else []
        for bucket in buckets
        for amounts in [[Decimal(each["amount"]) for each in bucket["results"]]]
    }
    assert days["2026-11-16T00:00:00Z"] == [Decimal("307.7268")]


def test_claude_code_by_actor(landing: Landing) -> None:
    landing.code(RECORDS)
    landing.build()
    rows = landing.rows("claude-code-analytics", startingDate="2026-11-01")
    names = [row["actor"]["email"] or row["actor"]["api_key_name"] for row in rows]
    assert sorted(names) == ["ana.ruiz@example.com", "ben.okoro@example.com", "ci-review-bot"]
    for name, row in zip(names, rows, strict=True):
        records = [each for each in RECORDS if name in each["actor"].values()]
        cores = [each["core_metrics"] for each in records]
        assert row["core_metrics"]["num_sessions"] == sum(each["num_sessions"] for each in cores)
        assert row["core_metrics"]["lines_of_code"] == {
            way: sum(each["lines_of_code"][way] for each in cores) for way in ("added", "removed")
        }
        edits = [each["tool_actions"].get("edit_tool", {}) for each in records]
        assert row["tool_actions"].get("edit_tool", {}).get("accepted", 0) == sum(
            each.get("accepted", 0) for each in edits
        )
        shares = [share for each in records for share in each["model_breakdown"]]
        assert {each["model"]: each["tokens"]["cache_read"] for each in row["model_breakdown"]} == {
            model: sum(each["tokens"]["cache_read"] for each in shares if each["model"] == model)
            for model in {each["model"] for each in shares}
        }
        cents = sum(each["estimated_cost"]["amount"] for each in shares)
        assert row["estimated_cost_usd"] == Decimal(cents).scaleb(-2)
