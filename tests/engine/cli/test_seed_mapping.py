"""Port's documented default mapping, word for word, against what the organisation did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Json, Reckoning
    from tests.engine.conftest import Desk, Done, MakeDesk

MAPPING = Path(__file__).with_name("seed_default_mapping.yml")
BLUEPRINTS = {
    "claude_usage_record",
    "claude_cost_record",
    "claude_workspace_usage",
    "claude_model_usage",
    "claude_code_analytics",
}
KEYS = ("CI key #1", "CI key #2")


@dataclass(frozen=True)
class Synced:
    """A desk after one sync with the default mapping."""

    desk: Desk
    done: Done
    now: datetime


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> Synced:
    desk = make_desk()
    desk.write("mappings/claude.yml", MAPPING.read_text("utf-8"))
    return Synced(desk, desk.run("sync"), desk.now)


def moment(day: Any) -> str:
    return f"{day:%Y-%m-%d}T00:00:00Z"


def assert_held(synced: Synced, blueprint: str, expected: dict[str, Json]) -> None:
    """No entity more, none less, and each property equal."""
    held = synced.desk.held(blueprint)
    assert held.keys() == expected.keys()
    for identifier, entity in expected.items():
        assert held[identifier] == entity, identifier
    assert len(expected) > 20


def test_usage_by_day(synced: Synced, reckoning: Reckoning) -> None:
    assert_held(
        synced,
        "claude_usage_record",
        {
            f"{day:%Y-%m-%d}-usage": {
                "title": f"Claude Usage - {day:%Y-%m-%d}",
                "record_date": moment(day),
                **counts,
            }
            for (day,), counts in reckoning.usage(synced.now).items()
        },
    )


def test_usage_by_workspace(synced: Synced, reckoning: Reckoning) -> None:
    assert_held(
        synced,
        "claude_workspace_usage",
        {
            f"{workspace or 'default'}-{day:%Y-%m-%d}": {
                "title": f"{workspace or 'default'} - {day:%Y-%m-%d}",
                "record_date": moment(day),
                "workspace_id": workspace or "default",
                **counts,
            }
            for (day, workspace), counts in reckoning.usage(synced.now, ["workspace_id"]).items()
        },
    )


def test_usage_by_model(synced: Synced, reckoning: Reckoning) -> None:
    assert_held(
        synced,
        "claude_model_usage",
        {
            f"{model}-{day:%Y-%m-%d}": {
                "title": f"{model} - {day:%Y-%m-%d}",
                "record_date": moment(day),
                "model": model,
                **counts,
            }
            for (day, model), counts in reckoning.usage(synced.now, ["model"]).items()
        },
    )


def test_cost_by_day_in_cents_to_the_last_decimal(synced: Synced, reckoning: Reckoning) -> None:
    costs = reckoning.cost(synced.now)
    assert_held(
        synced,
        "claude_cost_record",
        {
            f"{day:%Y-%m-%d}-cost": {
                "title": f"Claude Cost - {day:%Y-%m-%d}",
                "record_date": moment(day),
                "amount": cents,
                "currency": "USD",
            }
            for day, cents in costs.items()
        },
    )
    # Nine decimals do occur.
    assert any(cents != cents.quantize(Decimal("1e-8")) for cents in costs.values())


def test_claude_code_by_actor_and_day(synced: Synced, reckoning: Reckoning) -> None:
    actor_days = reckoning.code(synced.now)
    assert_held(
        synced,
        "claude_code_analytics",
        {
            f"{work['organization_id']}-{actor}-{day:%Y-%m-%d}": {
                "title": f"{actor} - {day:%Y-%m-%d}",
                "record_date": moment(day),
                "actor_name": actor,
                **work,
            }
            for (day, actor), work in actor_days.items()
            if actor not in KEYS
        },
    )
    # What has to be summed is there: several terminals, several models of several records.
    assert any(", " in work["terminal_type"] for work in actor_days.values())
    assert any(len(work["model_breakdown"]) > 2 for work in actor_days.values())


def test_keys_with_spaces_or_hashes_are_not_sent_and_the_others_go(
    synced: Synced, reckoning: Reckoning
) -> None:
    refused = {
        (f"{work['organization_id']}-{actor}-{day:%Y-%m-%d}")
        for (day, actor), work in reckoning.code(synced.now).items()
        if actor in KEYS
    }
    rows = synced.desk.query("SELECT identifier, blueprint, status, message FROM lading.refused")
    assert len(refused) > 20
    assert {row[0] for row in rows} == refused
    assert {row[1:3] for row in rows} == {("claude_code_analytics", None)}
    assert all(row[3].startswith('identifier has " " "#" in it') for row in rows)
    assert synced.done.code == 1
    assert "CI key #1" in synced.done.err
    assert "lading.refused" in synced.done.err


def test_nothing_but_the_five_blueprints(synced: Synced) -> None:
    assert {blueprint for blueprint, _ in synced.desk.port.entities} == BLUEPRINTS
    assert not synced.desk.port.failures
    assert not synced.desk.anthropic.failures


def test_the_summary_counts_what_port_holds(synced: Synced) -> None:
    lines = [line.split() for line in synced.done.out.splitlines()]
    [headings] = [line for line in lines if line[:1] == ["blueprint"]]
    rows = {
        line[0]: dict(zip(headings[1:], line[1:], strict=True))
        for line in lines
        if line and line[0] in BLUEPRINTS
    }
    assert rows.keys() == BLUEPRINTS
    refused = synced.desk.query("SELECT count(*) FROM lading.refused")[0][0]
    for blueprint, row in rows.items():
        expected = dict.fromkeys(headings[1:], "0")
        expected["created"] = f"{len(synced.desk.held(blueprint))}"
        expected["refused"] = f"{refused if blueprint == 'claude_code_analytics' else 0}"
        assert row == expected


def test_the_refused_stay_so_and_nothing_is_sent_again(synced: Synced) -> None:
    refused = synced.desk.query("SELECT identifier FROM lading.refused ORDER BY ALL")
    synced.desk.forget_requests()
    again = synced.desk.run("sync")
    assert synced.desk.sent() == []
    assert synced.desk.query("SELECT identifier FROM lading.refused ORDER BY ALL") == refused
    assert again.code == 1
