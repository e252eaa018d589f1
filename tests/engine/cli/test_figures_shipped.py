"""The mapping that is shipped, and the marts, against what the organisation did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk, Done, MakeDesk

ORGANISATION = "5a0db0c5-0000-4000-8000-000000000001"
# Escaped by hand. Port takes letters, digits and @ _ . + : \ / = ' - and what it takes stays.
ACTORS = {
    "CI key #1": "CI=20key=20=231",
    "CI key #2": "CI=20key=20=232",
    "o'neil.03@example.com": "o'neil.03@example.com",
    "dev+04@example.com": "dev+04@example.com",
    "dev.01@example.com": "dev.01@example.com",
}
# Counters as marts call them, where they call them otherwise than entities do.
RENAMED = {
    "cache_creation_5m_tokens": "cache_creation_5m_input_tokens",
    "cache_creation_1h_tokens": "cache_creation_1h_input_tokens",
}


@dataclass(frozen=True)
class Synced:
    """A desk after one sync with the project as it is laid out."""

    desk: Desk
    done: Done
    now: datetime

    def days(self) -> list[date]:
        """From the first of January to today."""
        days = (self.now.date() - date(2026, 1, 1)).days
        return [date(2026, 1, 1) + timedelta(days=n) for n in range(days + 1)]


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> Synced:
    desk = make_desk()
    return Synced(desk, desk.run("sync"), desk.now)


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def test_all_goes_through(synced: Synced) -> None:
    assert synced.done.code == 0, synced.done.err
    assert synced.desk.query("FROM lading.refused") == []
    assert synced.desk.query("SELECT action, count(*) FROM lading.plan GROUP BY ALL") == [
        ("unchanged", len(synced.desk.port.entities))
    ]
    for said in ("error", "warning", "duplicate"):
        assert said not in synced.done.err


def test_each_actor_has_an_identifier_of_its_own(synced: Synced, reckoning: Reckoning) -> None:
    actor_days = reckoning.code(synced.now)
    held = synced.desk.held("claude_code_analytics")
    assert len(held) == len(actor_days)
    assert {(each["record_date"][:10], each["actor_name"]) for each in held.values()} == {
        (f"{day}", actor) for day, actor in actor_days
    }
    for actor, escaped in ACTORS.items():
        days = [day for day, name in actor_days if name == actor]
        assert days
        for day in days:
            assert held[f"{ORGANISATION}-{escaped}-{day}"]["actor_name"] == actor


def test_claude_code_figures(synced: Synced, reckoning: Reckoning) -> None:
    held = {
        (date.fromisoformat(each["record_date"][:10]), each["actor_name"]): each
        for each in synced.desk.held("claude_code_analytics").values()
    }
    for key, work in reckoning.code(synced.now).items():
        assert {name: held[key][name] for name in work} == work


def test_dollars_beside_cents(synced: Synced, reckoning: Reckoning) -> None:
    held = synced.desk.held("claude_cost_record")
    costs = reckoning.cost(synced.now)
    assert {
        identifier: (each["amount"], each["amount_usd"], each["currency"])
        for identifier, each in held.items()
    } == {f"{day}-cost": (cents, cents.scaleb(-2), "USD") for day, cents in costs.items()}


@pytest.mark.parametrize(
    ("blueprint", "by", "property_of"),
    [
        ("claude_usage_record", [], None),
        ("claude_workspace_usage", ["workspace_id"], "workspace_id"),
        ("claude_model_usage", ["model"], "model"),
    ],
)
def test_usage_figures(
    synced: Synced, reckoning: Reckoning, blueprint: str, by: list[str], property_of: str | None
) -> None:
    expected = reckoning.usage(synced.now, by)
    names = next(iter(expected.values()))
    found = {}
    for each in synced.desk.held(blueprint).values():
        start = datetime.fromisoformat(each["record_date"])
        key = (start, each[property_of]) if property_of else (start,)
        found[key] = {name: each[name] for name in names}
    assert found == {
        (start, *("default" if value is None else value for value in values)): counts
        for (start, *values), counts in expected.items()
    }


def test_empty_days_give_no_entity(synced: Synced) -> None:
    idle = {f"{day}" for day in synced.days() if synced.desk.anthropic.organisation.is_idle(day)}
    assert len(idle) >= 3
    held = synced.desk.port.entities.values()
    recorded = {str(each.properties["record_date"])[:10] for each in held}
    assert not idle & recorded
    # They were asked for, and landed as empty buckets.
    landed = synced.desk.query(
        "SELECT starting_at::DATE::VARCHAR FROM raw.usage_messages "
        "WHERE json_array_length(payload, '$.results') = 0"
    )
    assert {row[0] for row in landed} == idle


def test_mart_of_usage_by_day(synced: Synced, reckoning: Reckoning) -> None:
    expected = {day_of(start): counts for (start,), counts in reckoning.usage(synced.now).items()}
    nothing = dict.fromkeys(next(iter(expected.values())), 0)
    assert usage_mart(synced.desk, "usage_by_day", "day") == {
        (day,): expected.get(day, nothing) for day in synced.days()
    }


@pytest.mark.parametrize(
    ("mart", "dimension"),
    [("usage_by_day_and_workspace", "workspace_id"), ("usage_by_day_and_model", "model")],
)
def test_marts_of_usage_by_dimension(
    synced: Synced, reckoning: Reckoning, mart: str, dimension: str
) -> None:
    assert usage_mart(synced.desk, mart, "day", dimension) == {
        (day_of(start), "default" if value is None else value): counts
        for (start, value), counts in reckoning.usage(synced.now, [dimension]).items()
    }


def usage_mart(desk: Desk, mart: str, *keys: str) -> dict[tuple[object, ...], dict[str, int]]:
    counters = (
        *("uncached_input_tokens", "output_tokens", "cache_read_input_tokens"),
        *("cache_creation_5m_tokens", "cache_creation_1h_tokens", "web_search_requests"),
    )
    columns = ", ".join([*keys, *(RENAMED.get(name, name) for name in counters)])
    return {
        row[: len(keys)]: dict(zip(counters, row[len(keys) :], strict=True))
        for row in desk.query(f"SELECT {columns} FROM marts.{mart}")
    }


def test_mart_of_cost(synced: Synced, reckoning: Reckoning) -> None:
    costs = reckoning.cost(synced.now)
    rows = synced.desk.query("SELECT day, currency, amount, amount_usd FROM marts.cost_by_day")
    nothing = Decimal()
    assert {row[0]: row[1:] for row in rows} == {
        day: ("USD", costs.get(day, nothing), costs.get(day, nothing).scaleb(-2))
        for day in synced.days()[:-1]
    }
    total = synced.desk.query("SELECT sum(amount_usd) FROM marts.cost_by_day")[0][0]
    assert total == sum(costs.values(), nothing).scaleb(-2)


def test_mart_of_claude_code(synced: Synced, reckoning: Reckoning) -> None:
    rows = synced.desk.query(
        "SELECT day, actor_name, num_sessions, lines_added, lines_removed, commits, pull_requests,"
        " input_tokens, output_tokens, estimated_cost_usd FROM marts.claude_code_daily"
    )
    expected = {}
    for key, work in reckoning.code(synced.now).items():
        shares = work["model_breakdown"]
        expected[key] = (
            *(work[name] for name in ("num_sessions", "lines_added", "lines_removed")),
            *(work[name] for name in ("commits", "pull_requests")),
            sum(share["tokens"]["input"] for share in shares),
            sum(share["tokens"]["output"] for share in shares),
            sum((share["estimated_cost"]["amount"] for share in shares), Decimal()).scaleb(-2),
        )
    assert {row[:2]: row[2:] for row in rows} == expected


def test_port_knows_the_owner(synced: Synced) -> None:
    agents = {each.datasource for each in synced.desk.port.entities.values()}
    assert len(agents) == 1
    agent = agents.pop().split("/")
    assert (agent[0], agent[-2:]) == ("port-ocean", ["lading-claude", "exporter"])
