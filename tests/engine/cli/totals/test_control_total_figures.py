"""What is compared: every bucket's figures, tokens to the token and money to the last decimal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.cli.totals.conftest import Alter, Mismatches
    from tests.engine.conftest import Desk

COST = "/v1/organizations/cost_report"
BY_WORKSPACE = """
        extracts:
          - {group_by: [workspace_id], start: '2026-02-01'}
"""


@pytest.fixture
def by_workspace(late: Desk) -> Desk:
    """The project, with its cost report grouped by workspace."""
    totals = "control_totals: [amount]\n"
    late.edit("sources/claude.yml", totals, totals.rstrip() + BY_WORKSPACE)
    return late


@pytest.mark.parametrize("less", ["0.000000001", "0.000000000000001"])
def test_money_is_compared_to_the_last_decimal(
    by_workspace: Desk, reckoning: Reckoning, altered: Alter, less: str, mismatches: Mismatches
) -> None:
    def shave(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        for bucket in buckets:
            if path == COST and is_grouped and "02-03" in bucket["starting_at"]:
                row = bucket["results"][0]
                row["amount"] = f"{Decimal(row['amount']) - Decimal(less):f}"

    altered(shave)
    done = by_workspace.run("sync")
    assert done.code == 1
    assert "Control totals: 4 buckets of usage_messages agree" in done.out
    assert "Control totals: 1 of 4 buckets of cost_report differ" in done.out
    day = datetime(2026, 2, 3, tzinfo=UTC)
    right = reckoning.cost(by_workspace.now)[day.date()]
    assert re.search(r"cost_report \(anthropic\) 1d 2026-02-03T00:00Z: amount is ", done.err)
    assert f"{right - Decimal(less):f}".rstrip("0") + " by workspace_id, and " in done.err
    assert mismatches() == [("2026-02-03", "amount", right - Decimal(less), right)]
    assert "claude_cost_record is not pushed: control totals of cost_report differ" in done.err
    assert by_workspace.held("claude_cost_record") == {}
    assert len(by_workspace.held("claude_usage_record")) == 4


def test_money_that_agrees(by_workspace: Desk) -> None:
    done = by_workspace.run("extract")
    assert done.code == 0, done.err
    assert "Control totals: 4 buckets of cost_report agree" in done.out


@pytest.mark.parametrize("more", [1, -1])
def test_tokens_are_compared_beyond_what_a_float_holds(
    late: Desk, altered: Alter, more: int, mismatches: Mismatches
) -> None:
    vast = 9_007_199_254_740_993

    def swell(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        for bucket in buckets:
            for row in bucket["results"][1:]:
                row["output_tokens"] = 0
            if bucket["starting_at"].startswith("2026-02-03"):
                bucket["results"][0]["output_tokens"] = vast + more * is_grouped
            elif bucket["results"]:
                bucket["results"][0]["output_tokens"] = 3

    altered(swell)
    assert late.run("extract").code == 1
    assert mismatches() == [("2026-02-03", "output_tokens", vast + more, vast)]


@pytest.mark.parametrize("value", [None, 1.5, {}, "no number", "missing"])
def test_what_cannot_be_added_up_does_not_pass_for_nothing(
    late: Desk, altered: Alter, value: Any, mismatches: Mismatches
) -> None:
    def spoil(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        for bucket in buckets:
            for row in bucket["results"] if "02-03" in bucket["starting_at"] else ():
                row["output_tokens"] = value
                if value == "missing":
                    del row["output_tokens"]

    altered(spoil)
    done = late.run("extract")
    assert done.code == 1
    assert mismatches() == [("2026-02-03", "output_tokens", None, None)]
    assert "output_tokens is nothing that adds up by model, workspace_id, and nothing" in done.err


def test_a_bucket_that_one_of_them_lacks(
    late: Desk, altered: Alter, mismatches: Mismatches
) -> None:
    def leave_out(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        if is_grouped:
            buckets[:] = [each for each in buckets if "02-03" not in each["starting_at"]]

    altered(leave_out)
    assert late.run("extract").code == 1
    assert {(day, grouped) for day, _, grouped, _ in mismatches()} == {("2026-02-03", 0)}
