"""What is not as the API says stops the build, and its message names the field."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

MISSING = object()

USAGE: Json = {
    "starting_at": "2026-11-16T00:00:00Z",
    "ending_at": "2026-11-17T00:00:00Z",
    "results": [
        {
            "uncached_input_tokens": 1,
            "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 3},
            "cache_read_input_tokens": 4,
            "output_tokens": 5,
            "server_tool_use": {"web_search_requests": 6},
            "model": "claude-opus-5",
        }
    ],
}
COST: Json = {
    "starting_at": "2026-11-16T00:00:00Z",
    "ending_at": "2026-11-17T00:00:00Z",
    "results": [{"amount": "12.5", "currency": "USD", "workspace_id": None}],
}
CODE: Json = {
    "date": "2026-11-16T00:00:00Z",
    "actor": {"type": "user_actor", "email_address": "a@example.com"},
    "organization_id": "o",
    "core_metrics": {
        "num_sessions": 1,
        "lines_of_code": {"added": 2, "removed": 3},
        "commits_by_claude_code": 4,
        "pull_requests_by_claude_code": 5,
    },
    "tool_actions": {"edit_tool": {"accepted": 1, "rejected": 2}},
    "model_breakdown": [
        {
            "model": "claude-opus-5",
            "tokens": {"input": 1, "output": 2, "cache_read": 3, "cache_creation": 4},
            "estimated_cost": {"currency": "USD", "amount": 5},
        }
    ],
}


# What is said of an object or a list that is none: the first thing that is missing in it.
MISSED_FIRST = {
    "results": "bucket.results",
    "results.0": "uncached_input_tokens",
    "results.0.cache_creation": "ephemeral_5m_input_tokens",
    "results.0.server_tool_use": "web_search_requests",
    "actor": "actor.type",
    "core_metrics": "num_sessions",
    "core_metrics.lines_of_code": "lines_of_code.added",
    "tool_actions.edit_tool": "tool_actions[]",
    "model_breakdown.0": "tokens.input",
    "model_breakdown.0.tokens": "tokens.input",
    "model_breakdown.0.estimated_cost": "estimated_cost.amount",
}


def changed(payload: Json, path: str, value: Any) -> Json:
    """The payload with another value at a path of keys and positions."""
    whole = deepcopy(payload)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    inner: Any = whole
    for step in way:
        inner = inner[step]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return whole


def ids(value: Any) -> str:
    return "missing" if value is MISSING else value if isinstance(value, str) else json.dumps(value)


def says(failures: dict[str, str], model: str, path: str) -> None:
    """Only that model failed, and its message names the field."""
    assert set(failures) == {model}
    field = MISSED_FIRST.get(path) or path.split(".")[-1]
    assert f"{field}: expected" in failures[model]


def test_what_the_changes_start_from_is_right(landing: Landing) -> None:
    landing.usage([USAGE], "model")
    landing.cost([COST])
    landing.code([CODE])
    landing.build()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("results", MISSING),
        ("results", None),
        ("results", 5),
        ("results", {"a": 1}),
        ("results.0", None),
        ("results.0", 7),
        ("results.0.uncached_input_tokens", MISSING),
        ("results.0.uncached_input_tokens", None),
        ("results.0.uncached_input_tokens", "12"),
        ("results.0.uncached_input_tokens", 1.5),
        ("results.0.uncached_input_tokens", True),
        ("results.0.uncached_input_tokens", [1]),
        ("results.0.uncached_input_tokens", 2**63),
        ("results.0.uncached_input_tokens", 2**64),
        ("results.0.cache_creation", 5),
        ("results.0.cache_creation", MISSING),
        ("results.0.cache_creation.ephemeral_1h_input_tokens", "2"),
        ("results.0.cache_creation.ephemeral_5m_input_tokens", 0.5),
        ("results.0.cache_read_input_tokens", {}),
        ("results.0.output_tokens", False),
        ("results.0.server_tool_use", []),
        ("results.0.server_tool_use.web_search_requests", "none"),
        ("results.0.account_id", 5),
        ("results.0.api_key_id", 5),
        ("results.0.context_window", 5),
        ("results.0.inference_geo", 5),
        ("results.0.model", 5),
        ("results.0.service_account_id", True),
        ("results.0.service_tier", {"name": "x"}),
        ("results.0.speed", ["fast"]),
        ("results.0.workspace_id", 1.5),
    ],
    ids=ids,
)
def test_a_wrong_usage_report_is_refused(landing: Landing, path: str, value: Any) -> None:
    landing.usage([USAGE, changed(USAGE, path, value)], "model")
    says(landing.failures("usage_results"), "usage_results", path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("results", {}),
        ("results.0.amount", MISSING),
        ("results.0.amount", None),
        ("results.0.amount", 12.5),
        ("results.0.amount", ""),
        ("results.0.amount", "1,5"),
        ("results.0.amount", "1e3"),
        ("results.0.amount", " 1"),
        ("results.0.amount", "NaN"),
        ("results.0.amount", "0.0000000000000001"),
        ("results.0.amount", "0.1234567890123456"),
        ("results.0.amount", "1" * 22),
        ("results.0.currency", None),
        ("results.0.currency", 840),
        ("results.0.workspace_id", 5),
        ("results.0.description", []),
        ("results.0.cost_type", 5),
        ("results.0.token_type", 5),
        ("results.0.model", 5),
        ("results.0.service_tier", 5),
        ("results.0.context_window", 5),
        ("results.0.inference_geo", 5),
    ],
    ids=ids,
)
def test_a_wrong_cost_report_is_refused(landing: Landing, path: str, value: Any) -> None:
    landing.cost([COST, changed(COST, path, value)])
    says(landing.failures("cost_results"), "cost_results", path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("actor", MISSING),
        ("actor", "somebody"),
        ("actor.type", 5),
        ("actor.email_address", ["a@example.com"]),
        ("actor.api_key_name", 5),
        ("organization_id", 5),
        ("customer_type", 5),
        ("subscription_type", False),
        ("terminal_type", {}),
        ("is_remote", "false"),
        ("is_remote", 0),
        ("core_metrics", MISSING),
        ("core_metrics.num_sessions", "4"),
        ("core_metrics.lines_of_code", 12),
        ("core_metrics.lines_of_code.added", 1.5),
        ("core_metrics.lines_of_code.removed", None),
        ("core_metrics.commits_by_claude_code", MISSING),
        ("core_metrics.pull_requests_by_claude_code", True),
        ("tool_actions", 5),
        ("tool_actions", []),
        ("model_breakdown", {}),
        ("model_breakdown", "none"),
    ],
    ids=ids,
)
def test_a_wrong_record_is_refused(landing: Landing, path: str, value: Any) -> None:
    landing.code([CODE, changed(CODE, path, value)])
    says(landing.failures("claude_code_records"), "claude_code_records", path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tool_actions.edit_tool", 5),
        ("tool_actions.edit_tool", [1, 2]),
        ("tool_actions.edit_tool.accepted", "1"),
        ("tool_actions.edit_tool.rejected", 1.5),
    ],
    ids=ids,
)
def test_a_wrong_tool_is_refused(landing: Landing, path: str, value: Any) -> None:
    landing.code([CODE, changed(CODE, path, value)])
    says(landing.failures("claude_code_records", "claude_code_tools"), "claude_code_tools", path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model_breakdown.0", 5),
        ("model_breakdown.0", None),
        ("model_breakdown.0.model", 5),
        ("model_breakdown.0.tokens", MISSING),
        ("model_breakdown.0.tokens.input", "1"),
        ("model_breakdown.0.tokens.output", 1.5),
        ("model_breakdown.0.tokens.cache_read", None),
        ("model_breakdown.0.tokens.cache_creation", True),
        ("model_breakdown.0.estimated_cost", MISSING),
        ("model_breakdown.0.estimated_cost", 5),
        ("model_breakdown.0.estimated_cost.currency", None),
        ("model_breakdown.0.estimated_cost.amount", MISSING),
        ("model_breakdown.0.estimated_cost.amount", 1e30),
    ],
    ids=ids,
)
def test_a_wrong_model_share_is_refused(landing: Landing, path: str, value: Any) -> None:
    landing.code([CODE, changed(CODE, path, value)])
    says(landing.failures("claude_code_records", "claude_code_models"), "claude_code_models", path)


@pytest.mark.parametrize("value", [1e-16, 0.1234567890123456, 0.30000000000000004])
def test_an_estimate_keeps_all_its_decimals(landing: Landing, value: float) -> None:
    landing.code([changed(CODE, "model_breakdown.0.estimated_cost.amount", value)])
    landing.build()
    amounts = {each["estimated_cost"] for each in landing.table("staging.claude_code_models")}
    assert Decimal(repr(value)) in amounts


@pytest.mark.parametrize("value", ["5", True, None, {}, [5]], ids=ids)
def test_an_estimate_that_is_no_number_is_refused(landing: Landing, value: Any) -> None:
    landing.code([CODE, changed(CODE, "model_breakdown.0.estimated_cost.amount", value)])
    failures = landing.failures("claude_code_records")
    says(failures, "claude_code_records", "model_breakdown.0.estimated_cost")


def test_an_impossible_date_is_refused(landing: Landing) -> None:
    landing.code([CODE])
    bad = json.dumps({**CODE, "date": "2026-02-30T00:00:00Z"})
    landing.connection.execute("UPDATE raw.claude_code SET payload = ?", [bad])
    says(landing.failures("claude_code_records"), "claude_code_records", "date")


def test_the_message_says_whose_and_when(landing: Landing) -> None:
    wrong = changed(USAGE, "results.0.output_tokens", "many")
    landing.usage([wrong], connection="second")
    (message,) = landing.failures("usage_results").values()
    assert (
        "result.output_tokens: expected a whole number of 64 bits, "
        'found "many" (second, 2026-11-16 00:00:00 UTC)'
    ) in message
