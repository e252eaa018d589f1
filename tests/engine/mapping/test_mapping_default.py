"""Port's documented default mapping, word for word, on what the Anthropic API answers.

The expected entities are written from the payloads by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lading.mapping.evaluate import Mapped

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

    from lading.mapping.files import Resource

PAYLOADS = Path(__file__).parent / "payloads"
NO_CODE_COUNTS = {
    "edit_tool_accepted": 0,
    "edit_tool_rejected": 0,
    "write_tool_accepted": 0,
    "write_tool_rejected": 0,
}


@pytest.fixture(scope="module")
def resources(mapping_desk: Desk) -> dict[str, Resource]:
    found, problems = mapping_desk.load((PAYLOADS / "default_mapping.yml").read_text())
    # True of it: usage without a model has no name in its identifier.
    assert [(each.severity, each.message) for each in problems] == [
        ("warning", "identifier is -2026-01-01 where .item.model is null")
    ]
    return {resource.name: resource for resource in found}


def records(*names: str) -> list[dict[str, Any]]:
    return [
        each
        for name in names
        for each in json.loads((PAYLOADS / f"{name}.json").read_text())["data"]
    ]


def test_resources_have_the_names_of_their_blueprints(resources: dict[str, Resource]) -> None:
    assert {
        each.name: (each.model, each.index, each.place.line) for each in resources.values()
    } == {
        "claude_usage_record": ("claude-usage-record", 0, 4),
        "claude_cost_record": ("claude-cost-record", 1, 24),
        "claude_workspace_usage": ("claude-usage-record", 2, 39),
        "claude_model_usage": ("claude-usage-record", 3, 63),
        "claude_code_analytics": ("claude-code-analytics", 4, 87),
    }


def test_usage_by_day(mapping_desk: Desk, resources: dict[str, Resource]) -> None:
    found = mapping_desk.entities(
        resources["claude_usage_record"], records("usage_messages_1d_ungrouped")
    )

    assert found == [
        {
            "identifier": "2026-11-16-usage",
            "title": "Claude Usage - 2026-11-16",
            "blueprint": "claude_usage_record",
            "properties": {
                "record_date": "2026-11-16T00:00:00Z",
                "uncached_input_tokens": 262492,
                "output_tokens": 48664,
                "cache_read_input_tokens": 927420,
                "cache_creation_5m_tokens": 21500,
                "cache_creation_1h_tokens": 9800,
                "web_search_requests": 7,
            },
        },
        {
            "identifier": "2026-11-18-usage",
            "title": "Claude Usage - 2026-11-18",
            "blueprint": "claude_usage_record",
            "properties": {
                "record_date": "2026-11-18T00:00:00Z",
                "uncached_input_tokens": 20010,
                "output_tokens": 1999,
                "cache_read_input_tokens": 3000,
                "cache_creation_5m_tokens": 400,
                "cache_creation_1h_tokens": 0,
                "web_search_requests": 0,
            },
        },
    ]


def test_the_days_without_usage_are_filtered(
    mapping_desk: Desk, resources: dict[str, Resource]
) -> None:
    days: list[dict[str, Any]] = [{"results": []}, {"results": None}, {}]

    found = mapping_desk.outcomes(resources["claude_usage_record"], days)

    assert [type(each).__name__ for each in found] == ["Filtered"] * 3


def test_cost_by_day_to_the_last_decimal(
    mapping_desk: Desk, resources: dict[str, Resource]
) -> None:
    found = mapping_desk.outcomes(resources["claude_cost_record"], records("cost_report_ungrouped"))

    first, second = (each.entity.text for each in found if isinstance(each, Mapped))
    assert first == (
        '{"identifier":"2026-11-16-cost","title":"Claude Cost - 2026-11-16","properties":'
        '{"record_date":"2026-11-16T00:00:00Z","amount":307.7268,"currency":"USD"}}'
    )
    assert second == (
        '{"identifier":"2026-11-18-cost","title":"Claude Cost - 2026-11-18","properties":'
        '{"record_date":"2026-11-18T00:00:00Z","amount":0.0004,"currency":"USD"}}'
    )


def test_an_amount_that_is_no_number(mapping_desk: Desk, resources: dict[str, Resource]) -> None:
    day = {"starting_at": "2026-01-01T00:00:00Z", "results": [{"amount": "not a number"}]}

    found = mapping_desk.outcomes(resources["claude_cost_record"], [day])

    assert mapping_desk.failed(found) == ["properties.amount"]
    assert mapping_desk.entities(resources["claude_cost_record"], [day])[0]["properties"] == {
        "record_date": "2026-01-01T00:00:00Z",
        "amount": None,
        "currency": "USD",
    }


def test_usage_by_workspace_splits_the_bucket(
    mapping_desk: Desk, resources: dict[str, Resource]
) -> None:
    found = mapping_desk.entities(
        resources["claude_workspace_usage"], records("usage_messages_1d_grouped5_page1")
    )

    workspace = "wrkspc_01dZGhRjg34hRt2BUYnYFhQL"
    assert [each["identifier"] for each in found] == [
        f"{workspace}-2026-11-16",
        f"{workspace}-2026-11-16",
        "default-2026-11-16",
        "default-2026-11-16",
    ]
    assert found[0]["properties"] == {
        "record_date": "2026-11-16T00:00:00Z",
        "workspace_id": workspace,
        "uncached_input_tokens": 184230,
        "output_tokens": 40318,
        "cache_read_input_tokens": 912400,
        "cache_creation_5m_tokens": 21500,
        "cache_creation_1h_tokens": 0,
        "web_search_requests": 6,
    }
    assert found[3]["title"] == "default - 2026-11-16"
    assert found[3]["properties"]["web_search_requests"] == 1


def test_usage_by_model(mapping_desk: Desk, resources: dict[str, Resource]) -> None:
    bucket = records("usage_messages_1d_grouped5_page1")[0]
    bucket["results"].append({"model": None, "output_tokens": 5})

    found = mapping_desk.outcomes(resources["claude_model_usage"], [bucket])

    made = [each for each in found if isinstance(each, Mapped)]
    assert [(each.position, each.entity.identifier) for each in made] == [
        (0, "claude-opus-5-2026-11-16"),
        (0, "claude-opus-5-2026-11-16"),
        (0, "claude-sonnet-5-2026-11-16"),
        (0, "claude-sonnet-5-2026-11-16"),
        (0, "-2026-11-16"),
    ]
    assert [failure.path for failure in made[4].failures] == ["properties.model"]
    assert made[4].entity.value()["properties"]["output_tokens"] == 5


def test_claude_code(mapping_desk: Desk, resources: dict[str, Resource]) -> None:
    ana, *_ = records("claude_code_page1")
    ben, robot = records("claude_code_page2")
    ana["actor"]["email"] = ana["actor"]["email_address"]

    found = mapping_desk.entities(resources["claude_code_analytics"], [ana, ben, robot])

    organization = "7d0c5b1e-6a1f-4f53-9c1e-2b0e5a9f4411"
    assert found[0] == {
        "identifier": f"{organization}-ana.ruiz@example.com-2026-11-18",
        "title": "ana.ruiz@example.com - 2026-11-18",
        "blueprint": "claude_code_analytics",
        "properties": {
            "record_date": "2026-11-18T00:00:00Z",
            "organization_id": organization,
            "actor_type": "user_actor",
            "actor_name": "ana.ruiz@example.com",
            "terminal_type": "vscode",
            "num_sessions": 4,
            "lines_added": 610,
            "lines_removed": 122,
            "commits": 3,
            "pull_requests": 1,
            "edit_tool_accepted": 31,
            "edit_tool_rejected": 4,
            "write_tool_accepted": 6,
            "write_tool_rejected": 1,
            "model_breakdown": [
                {
                    "model": "claude-opus-5",
                    "tokens": {
                        "input": 22140,
                        "output": 9120,
                        "cache_read": 401200,
                        "cache_creation": 18800,
                    },
                    "estimated_cost": {"currency": "USD", "amount": 214},
                },
                {
                    "model": "claude-sonnet-5",
                    "tokens": {
                        "input": 9050,
                        "output": 1400,
                        "cache_read": 20010,
                        "cache_creation": 0,
                    },
                    "estimated_cost": {"currency": "USD", "amount": 12},
                },
            ],
        },
    }
    # What the API itself sends has no `actor.email`, and a key's name instead of it.
    assert found[1]["identifier"] == f"{organization}-unknown-2026-11-18"
    assert found[2]["identifier"] == f"{organization}-ci-review-bot-2026-11-18"
    assert found[2]["properties"]["num_sessions"] == 19
    assert found[2]["properties"].items() >= NO_CODE_COUNTS.items()
    assert found[2]["properties"]["model_breakdown"] == []
