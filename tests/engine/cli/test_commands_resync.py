"""The second sync, the next hour, the next day: what is asked for again, and what is sent."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk

# Three days before the fifth of February: what is younger is read again.
OPEN_SINCE = "2026-02-02"
START = "2026-01-20"


def start_late(desk: Desk) -> None:
    desk.edit("mappings/claude.yml", "2026-01-01", START)


def asked_days(desk: Desk) -> list[str]:
    """The first day of each request for a report, oldest first."""
    return sorted(
        value[:10]
        for request in desk.anthropic.requests
        for name, value in request.query
        if name == "starting_at"
    )


def expected_entities(reckoning: Reckoning, now: datetime) -> dict[tuple[str, ...], object]:
    """What there is to tell of each day, by blueprint, day and what it is told of."""
    first = datetime.fromisoformat(f"{START}T00:00:00+00:00")
    found: dict[tuple[str, ...], object] = {}
    for blueprint, by in (
        ("claude_usage_record", []),
        ("claude_workspace_usage", ["workspace_id"]),
        ("claude_model_usage", ["model"]),
    ):
        for (start, *values), counts in reckoning.usage(now, by, first=first).items():
            names = ["default" if each is None else each for each in values]
            found[blueprint, f"{start:%Y-%m-%d}", *names] = counts
    for day, cents in reckoning.cost(now, first).items():
        found["claude_cost_record", f"{day}"] = cents
    for (day, actor), work in reckoning.code(now, first).items():
        found["claude_code_analytics", f"{day}", actor] = work
    return found


def sent_entities(desk: Desk) -> set[tuple[str, ...]]:
    """What was sent, by blueprint, day and what it is told of."""
    blueprints = [
        (request.path.split("/")[3], request)
        for request in desk.port.requests
        if request.path.endswith("/entities/bulk")
    ]
    found = set()
    for blueprint, request in blueprints:
        for entity in _entities(request.body):
            properties = entity["properties"]
            about = [
                properties[name]
                for name in ("workspace_id", "model", "actor_name")
                if name in properties
            ]
            found.add((blueprint, properties["record_date"][:10], *about))
    return found


def _entities(body: bytes) -> list[dict[str, dict[str, str]]]:
    entities: list[dict[str, dict[str, str]]] = json.loads(body)["entities"]
    return entities


def test_nothing_new(desk: Desk) -> None:
    """No entity goes to Port, and no closed day is asked for."""
    start_late(desk)
    first = desk.run("sync")
    assert first.code == 0, first.err
    desk.forget_requests()
    again = desk.run("sync")
    assert again.code == 0, again.err
    assert desk.sent() == []
    # Two for usage, grouped and not, one for cost, one for each of four days of Claude Code.
    assert len(desk.anthropic.requests) == 7
    assert asked_days(desk)[0] == OPEN_SINCE
    assert "Fetched with 7 requests" in again.out
    entities = len(desk.port.entities)
    assert desk.query("SELECT count(*) FROM lading.pushed") == [(entities,)]
    pushed = again.out.split("Pushed to Port")[1].splitlines()[2:]
    assert sum(int(line.split()[4]) for line in pushed) == entities


def test_only_what_is_new_or_changed_is_sent(desk: Desk, reckoning: Reckoning) -> None:
    """Two hours later the current day has grown; a day later there is a new one."""
    start_late(desk)
    assert desk.run("sync").code == 0
    before = expected_entities(reckoning, desk.now)
    for later in (timedelta(hours=2), timedelta(days=1)):
        desk.now += later
        desk.forget_requests()
        done = desk.run("sync")
        assert done.code == 0, done.err
        now = expected_entities(reckoning, desk.now)
        changed = {key for key, what in now.items() if before.get(key) != what}
        assert sent_entities(desk) == changed
        assert {key[1] for key in changed} >= {f"{desk.now:%Y-%m-%d}"}
        before = now
    assert len(desk.port.entities) == len(before)


def test_late_figures_of_an_open_day_are_put_right(desk: Desk, reckoning: Reckoning) -> None:
    """Days within the lookback are read again: what comes late gets to Port."""
    start_late(desk)
    desk.now = desk.now.replace(hour=23, minute=30)
    desk.run("sync")
    before = sessions(desk, "2026-02-05")
    desk.now += timedelta(days=1)
    desk.run("sync")
    after = sessions(desk, "2026-02-05")
    assert after == {
        actor: work["num_sessions"]
        for (day, actor), work in reckoning.code(desk.now).items()
        if f"{day}" == "2026-02-05"
    }
    assert before != after


def sessions(desk: Desk, day: str) -> dict[str, int]:
    """Claude Code's sessions of a day, by actor."""
    return {
        each["actor_name"]: each["num_sessions"]
        for each in desk.held("claude_code_analytics").values()
        if each["record_date"].startswith(day)
    }


def test_a_time_frame_is_the_last_days_with_today(desk: Desk, reckoning: Reckoning) -> None:
    start_late(desk)
    desk.edit("mappings/claude.yml", f"startingDate: '{START}'\n    port", "timeFrame: 3\n    port")
    assert desk.run("sync").code == 0
    days = {
        value
        for request in desk.anthropic.requests
        if request.path.endswith("claude_code")
        for name, value in request.query
        if name == "starting_at"
    }
    assert days == {"2026-02-03", "2026-02-04", "2026-02-05"}
    first = datetime.fromisoformat("2026-02-03T00:00:00+00:00")
    held = {
        (date.fromisoformat(each["record_date"][:10]), each["actor_name"])
        for each in desk.held("claude_code_analytics").values()
    }
    assert held == reckoning.code(desk.now, first).keys()


def test_an_earlier_start_fetches_only_what_is_before(desk: Desk, reckoning: Reckoning) -> None:
    start_late(desk)
    desk.run("sync")
    desk.forget_requests()
    desk.edit("mappings/claude.yml", START, "2026-01-15")
    assert desk.run("sync").code == 0
    code_days = [
        value
        for request in desk.anthropic.requests
        if request.path.endswith("claude_code")
        for name, value in request.query
        if name == "starting_at"
    ]
    earlier = [f"2026-01-{day}" for day in range(15, 20)]
    assert sorted(code_days) == [*earlier, *(f"2026-02-0{day}" for day in range(2, 6))]
    first = datetime.fromisoformat("2026-01-15T00:00:00+00:00")
    held = desk.held("claude_usage_record")
    assert len(held) == len(reckoning.usage(desk.now, first=first))
