from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from lading.sandbox.anthropic import API_KEY, AnthropicStandIn
from lading.sandbox.faults import Fault
from lading.sandbox.organisation import Organisation

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
RANGE = {
    "starting_at": "2026-03-01T00:00:00Z",
    "ending_at": "2026-03-20T00:00:00Z",
    "bucket_width": "1d",
    "limit": "31",
}

Buckets = list[dict[str, Any]]


@pytest.fixture
def stand_in() -> Iterator[AnthropicStandIn]:
    with AnthropicStandIn(Organisation(first_day=date(2026, 2, 1)), now=lambda: NOW) as stand_in:
        yield stand_in
    assert stand_in.failures == []


def get(stand_in: AnthropicStandIn, path: str, **more: str) -> Buckets:
    parameters = RANGE | {f"{name}[]": value for name, value in more.items()}
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=stand_in.base_url, headers=headers, trust_env=False) as client:
        answer = client.get(path, params=parameters)
    assert answer.status_code == 200
    buckets: Buckets = answer.json()["data"]
    return buckets


def tokens(buckets: Buckets) -> list[int]:
    return [sum(row["output_tokens"] for row in each["results"]) for each in buckets]


def test_grouped_answers_lack_a_result_in_each_n_th_bucket(stand_in: AnthropicStandIn) -> None:
    whole = get(stand_in, USAGE, group_by="model")
    alone = get(stand_in, USAGE)
    assert tokens(whole) == tokens(alone)
    stand_in.faults.add(stand_in.faults.parse("undercount"))
    less = get(stand_in, USAGE, group_by="model")
    epoch = date(1970, 1, 1)
    for before, after in zip(whole, less, strict=True):
        days = (date.fromisoformat(before["starting_at"][:10]) - epoch).days
        kept = before["results"][:-1] if days % 3 == 0 else before["results"]
        assert after == {**before, "results": kept}
    assert sum(tokens(less)) < sum(tokens(whole))
    # Whole answers stay whole, and it lasts.
    assert get(stand_in, USAGE) == alone
    assert get(stand_in, USAGE, group_by="model") == less


def test_bills_lack_some_as_well(stand_in: AnthropicStandIn) -> None:
    whole = get(stand_in, COST, group_by="description")
    stand_in.faults.add(Fault("undercount", path=COST, every=1, times=1))
    less = get(stand_in, COST, group_by="description")
    for before, after in zip(whole, less, strict=True):
        assert after["results"] == before["results"][:-1]
    assert get(stand_in, COST, group_by="description") == whole


def test_buckets_are_left_out(stand_in: AnthropicStandIn) -> None:
    whole = get(stand_in, USAGE)
    stand_in.faults.add(stand_in.faults.parse("left_out:path=messages,bucket=2026-03-1"))
    kept = [each for each in whole if not each["starting_at"].startswith("2026-03-1")]
    assert len(kept) == 9
    assert get(stand_in, USAGE) == kept
    assert get(stand_in, USAGE) == kept
    assert len(get(stand_in, COST)) == len(whole)
