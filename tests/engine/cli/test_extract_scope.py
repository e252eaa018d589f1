"""`lading extract`: its plan, its range, and what is asked for beside the mappings."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

DAY = timedelta(days=1)
SIX = ("model", "speed", "account_id", "api_key_id", "service_tier", "inference_geo")
LAST_LINE = """        freshness: {warn_after: 36h, error_after: 3d}

      - name: cost_report"""
EXTRACTS = """        freshness: {warn_after: 36h, error_after: 3d}
        extracts:
          - {bucket_width: 1h, group_by: [api_key_id], start: '2026-02-03'}

      - name: cost_report"""


def days_asked(desk: Desk, path: str) -> list[str]:
    """The first day of each request for a report, in order of time."""
    return sorted(
        dict(each.query)["starting_at"][:10]
        for each in desk.anthropic.requests
        if path in each.path
    )


def plan_of(desk: Desk, *arguments: str) -> dict[str, dict[str, Any]]:
    """By stream: what is planned for its grouped extract."""
    done = desk.run("extract", "--dry-run", "--output", "json", *arguments)
    assert done.code == 0, done.err
    return {each["stream"]: each for each in reversed(json.loads(done.out))}


def test_a_dry_run_tells_the_plan_and_does_nothing(desk: Desk) -> None:
    done = desk.run("extract", "-n")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    heading = ["stream", "width", "grouped", "by", "range", "requests", "why"]
    usage = "usage_messages 1d model, workspace_id 2026-01-01T00:00 to 2026-02-06T00:00 2 2 new"
    whole = "usage_messages 1d - 2026-01-01T00:00 to 2026-02-06T00:00 2 2 new"
    cost = "cost_report 1d - 2026-01-01T00:00 to 2026-02-05T00:00 2 2 new"
    code = "claude_code 1d - 2026-01-01T00:00 to 2026-02-06T00:00 36 36 new"
    assert lines[:5] == [heading, *(each.split() for each in (usage, whole, cost, code))]
    lists = ("workspaces", "api_keys", "users", "organization")
    assert lines[5:-1] == [f"{each} snapshot - 2026-02-05T15:30 1 1 new".split() for each in lists]
    assert "46 requests" in done.out
    assert desk.anthropic.requests == []
    assert not desk.database.exists()


def test_a_dry_run_needs_no_key(desk: Desk) -> None:
    done = desk.run("extract", "-n", environment={"ANTHROPIC_ADMIN_API_KEY": ""})
    assert done.code == 0


def test_the_plan_in_json_is_what_is_asked_for_then(desk: Desk) -> None:
    planned = plan_of(desk)
    assert planned["usage_messages"]["group_by"] == ["model", "workspace_id"]
    assert planned["usage_messages"]["serves"] == [
        "claude_usage_record",
        "claude_workspace_usage",
        "claude_model_usage",
    ]
    desk.run("extract")
    for stream, path, views in (
        ("usage_messages", "/messages", 2),
        ("claude_code", "/claude_code", 1),
    ):
        wanted = [each["starting_at"][:10] for each in planned[stream]["requests"]]
        assert days_asked(desk, path) == sorted(views * wanted)
    again = plan_of(desk)
    assert again["claude_code"]["reasons"] == {"current": 1, "lookback": 3}
    assert again["cost_report"]["reasons"] == {"lookback": 1}


def test_a_range_before_the_mappings_is_fetched_on_demand(desk: Desk) -> None:
    desk.run("extract")
    desk.anthropic.requests.clear()
    done = desk.run("extract", "--start", "2025-12-30", "--end", "2026-01-03", "-s", "claude_code")
    assert done.code == 0
    assert days_asked(desk, "/claude_code") == ["2025-12-30", "2025-12-31"]
    assert days_asked(desk, "/messages") == []
    first = desk.query("SELECT min(starting_at) FROM lading.slices WHERE stream = 'claude_code'")
    assert f"{first[0][0]:%Y-%m-%d}" == "2025-12-30"
    desk.anthropic.requests.clear()
    desk.run("extract", "--start", "2025-12-30", "--end", "2026-01-03", "-s", "claude_code")
    assert desk.anthropic.requests == []


def test_a_full_refresh_fetches_closed_days_again_and_doubles_nothing(desk: Desk) -> None:
    desk.run("extract")
    before = desk.query("SELECT starting_at, ordinal, payload FROM raw.claude_code ORDER BY ALL")
    desk.anthropic.requests.clear()
    assert desk.run("extract", "--full-refresh", "--select", "claude_code").code == 0
    assert len(days_asked(desk, "/claude_code")) == 36
    assert len(desk.anthropic.requests) == 36
    after = desk.query("SELECT starting_at, ordinal, payload FROM raw.claude_code ORDER BY ALL")
    assert after == before


def test_a_recheck_reads_closed_days_again(desk: Desk) -> None:
    desk.run("extract")
    desk.anthropic.requests.clear()
    desk.run("extract", "--recheck", "10d")
    assert days_asked(desk, "/claude_code")[0] == "2026-01-26"
    assert len(days_asked(desk, "/claude_code")) == 11


def test_a_sync_takes_a_range_too(desk: Desk) -> None:
    desk.run("sync")
    desk.anthropic.requests.clear()
    done = desk.run("sync", "--recheck", "5d")
    assert done.code == 0
    assert days_asked(desk, "/claude_code")[0] == "2026-01-31"


def test_sources_may_ask_for_what_no_mapping_needs(desk: Desk) -> None:
    desk.edit("sources/claude.yml", LAST_LINE, EXTRACTS)
    assert desk.run("extract").code == 0
    organisation = desk.anthropic.organisation
    rows = desk.query(
        """
        SELECT starting_at, unnest(from_json(payload -> '$.results', '["JSON"]')) AS result
        FROM raw.usage_messages
        WHERE request ->> '$.bucket_width' = '1h' AND request ->> '$.group_by' <> '[]'
        """
    )
    landed = sum(json.loads(result)["output_tokens"] for _, result in rows)
    days = [desk.now.date() - number * DAY for number in range(3)]
    happened = sum(
        event.output_tokens for day in days for event in organisation.usage_events(day, desk.now)
    )
    assert landed == happened > 0
    assert min(start for start, _ in rows).date() >= days[-1]
    assert {"api_key_id"} == {
        name
        for (grouping,) in desk.query(
            "SELECT DISTINCT request ->> '$.group_by' FROM raw.usage_messages "
            "WHERE request ->> '$.bucket_width' = '1h'"
        )
        for name in json.loads(grouping)
    }


@pytest.mark.parametrize(
    ("extract", "said", "hint"),
    [
        ("{start: '2026-02-30'}", "there is no date '2026-02-30'", ""),
        ("{start: 'soon'}", "'start' can't be 'soon'", "a date, or a moment"),
        ("{start: '2026-01-01', group_by: [modell]}", "'modell'", "'model'"),
        ("{start: '2026-01-01', widht: 1h}", "unknown key 'widht'", ""),
        (
            "{start: '2026-01-01', group_by: [" + ", ".join(SIX) + "]}",
            "6 dimensions",
            "split",
        ),
    ],
)
def test_what_sources_ask_for_is_checked(desk: Desk, extract: str, said: str, hint: str) -> None:
    freshness = "        freshness: {warn_after: 36h, error_after: 3d}\n"
    lines = f"{freshness}        extracts:\n          - {extract}\n\n"
    desk.edit(
        "sources/claude.yml",
        LAST_LINE,
        f"{lines}      - name: cost_report",
    )
    done = desk.run("extract")
    assert done.code == 2
    assert said in done.err
    assert hint in done.err
    assert "sources/claude.yml:" in done.err
    assert desk.anthropic.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--select", "cost_repot"], "did you mean 'cost_report'?"),
        (["--start", "yesterday"], "write a date or a moment"),
        (["--start", "2026-02-02", "--end", "2026-02-02"], "--end must be after --start"),
        (["--recheck", "soon"], "write a span like 35d"),
        (["--recheck", "0d"], "write a span like 35d"),
    ],
)
def test_a_wrong_range_is_refused(desk: Desk, arguments: list[str], said: str) -> None:
    done = desk.run("extract", *arguments)
    assert done.code == 2
    assert said in done.err
    assert not desk.database.exists()
    assert desk.anthropic.requests == []
