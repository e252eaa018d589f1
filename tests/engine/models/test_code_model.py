from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

KIND = "claude-code-analytics"
ORGANIZATION = "7d0c5b1e-6a1f-4f53-9c1e-2b0e5a9f4411"
ANA = {"type": "user_actor", "email_address": "ana.ruiz@example.com"}
BOT = {"type": "api_actor", "api_key_name": "CI key #1"}


def record(actor: Json = ANA, **changes: Any) -> Json:
    return {
        "date": "2026-11-18T00:00:00Z",
        "actor": actor,
        "organization_id": ORGANIZATION,
        "customer_type": "api",
        "terminal_type": "vscode",
        "is_remote": False,
        "core_metrics": core(1, 0, 0, 0, 0),
        "tool_actions": {},
        "model_breakdown": [],
        "subscription_type": None,
        **changes,
    }


def core(sessions: int, added: int, removed: int, commits: int, pulls: int) -> Json:
    return {
        "num_sessions": sessions,
        "lines_of_code": {"added": added, "removed": removed},
        "commits_by_claude_code": commits,
        "pull_requests_by_claude_code": pulls,
    }


def share(model: str, tokens: Iterable[int], amount: Any, currency: str = "USD") -> Json:
    names = ("input", "output", "cache_read", "cache_creation")
    return {
        "model": model,
        "tokens": dict(zip(names, tokens, strict=True)),
        "estimated_cost": {"currency": currency, "amount": amount},
    }


def only_row(landing: Landing, *records: Json | str) -> Json:
    landing.code(records)
    landing.build()
    (row,) = landing.rows(KIND, startingDate="2026-01-01")
    return row


def test_a_single_record_comes_out_as_it_went_in(landing: Landing) -> None:
    tools = {"edit_tool": {"accepted": 3, "rejected": 1}}
    models = [share("claude-opus-5", (1, 2, 3, 4), 214)]
    given = record(
        core_metrics=core(4, 610, 122, 3, 1),
        tool_actions=tools,
        model_breakdown=models,
        customer_type="subscription",
        subscription_type="team",
    )
    actor = {**ANA, "email": ANA["email_address"], "api_key_name": None}
    assert only_row(landing, given) == {
        **given,
        "connection": "anthropic",
        "actor": actor,
        "estimated_cost_usd": Decimal("2.14"),
    }


def test_the_keys_stand_in_the_apis_order(landing: Landing) -> None:
    landing.code([record(BOT, tool_actions={"edit_tool": {"accepted": 3, "rejected": 1}})])
    landing.build()
    (text,) = landing.texts(KIND, startingDate="2026-01-01")
    assert text.startswith(
        '{"connection":"anthropic","date":"2026-11-18T00:00:00Z","actor":{"type":"api_actor",'
        '"email_address":null,"email":null,"api_key_name":"CI key #1"},"organization_id":'
        f'"{ORGANIZATION}","customer_type":"api","subscription_type":null,"terminal_type":"vscode",'
        '"is_remote":false,"core_metrics":{"num_sessions":1,"lines_of_code":{"added":0,"removed":0}'
        ',"commits_by_claude_code":0,"pull_requests_by_claude_code":0},"tool_actions":'
        '{"edit_tool":{"accepted":3,"rejected":1}},"model_breakdown":[],"estimated_cost_usd":0'
    )


def test_an_actors_records_become_one_row(landing: Landing) -> None:
    row = only_row(
        landing,
        record(
            core_metrics=core(4, 610, 122, 3, 1),
            tool_actions={
                "write_tool": {"accepted": 6, "rejected": 1},
                "edit_tool": {"accepted": 31, "rejected": 4},
            },
            model_breakdown=[
                share("claude-sonnet-5", (9050, 1400, 20010, 0), 12.5),
                share("claude-opus-5", (22140, 9120, 401200, 18800), 214),
            ],
        ),
        record(terminal_type="iTerm.app", core_metrics=core(1, 14, 2, 0, 0)),
        record(
            customer_type="subscription",
            subscription_type="team",
            terminal_type="non-interactive",
            is_remote=True,
            core_metrics=core(2, 88, 9, 1, 1),
            tool_actions={"edit_tool": {"accepted": 5, "rejected": 0}},
            model_breakdown=[share("claude-opus-5", (6100, 2200, 51000, 3000), 61.25)],
        ),
    )
    assert row["core_metrics"] == core(7, 712, 133, 4, 2)
    assert row["tool_actions"] == {
        "edit_tool": {"accepted": 36, "rejected": 4},
        "write_tool": {"accepted": 6, "rejected": 1},
    }
    assert list(row["tool_actions"]) == ["edit_tool", "write_tool"]
    assert row["model_breakdown"] == [
        share("claude-opus-5", (28240, 11320, 452200, 21800), Decimal("275.25")),
        share("claude-sonnet-5", (9050, 1400, 20010, 0), Decimal("12.5")),
    ]
    assert row["estimated_cost_usd"] == Decimal("2.8775")
    assert row["terminal_type"] == "iTerm.app, non-interactive, vscode"
    assert (row["customer_type"], row["subscription_type"]) == ("api, subscription", "team")
    assert row["is_remote"] is None


def test_rows_and_models_come_in_order(landing: Landing) -> None:
    days = [f"2026-11-{day:02d}T00:00:00Z" for day in (18, 2, 11, 9, 20)]
    names = ["e", "b", "d", "a", "c"]
    breakdown = [share(name, (1, 1, 1, 1), 1) for name in names]
    landing.code(
        record({"type": "api_actor", "api_key_name": name}, date=day, model_breakdown=breakdown)
        for name in names
        for day in days
    )
    landing.build()
    rows = landing.rows(KIND, startingDate="2026-01-01")
    found = [(row["date"], row["actor"]["api_key_name"]) for row in rows]
    assert found == [(day, name) for day in sorted(days) for name in sorted(names)]
    for row in rows:
        assert [each["model"] for each in row["model_breakdown"]] == sorted(names)


def test_actors_days_organisations_and_connections_stay_apart(landing: Landing) -> None:
    namesake = {"type": "api_actor", "api_key_name": ANA["email_address"]}
    landing.code(
        [
            *(record(), record(BOT), record(namesake)),
            record(date="2026-11-17T00:00:00Z"),
            record(organization_id="another"),
            record({"type": "user_actor", "email_address": "Ana.Ruiz@example.com"}),
        ]
    )
    landing.code([record()], connection="second")
    landing.build()
    rows = landing.rows(KIND, startingDate="2026-01-01")
    assert len(rows) == len(landing.table("marts.claude_code_daily")) == 7
    assert all(row["core_metrics"]["num_sessions"] == 1 for row in rows)


@pytest.mark.parametrize(
    ("remotes", "together"),
    [
        ([True, True], True),
        ([False, False], False),
        ([True, False], None),
        ([False, None], None),
        ([None, None], None),
    ],
)
def test_remote_is_said_when_all_records_agree(
    landing: Landing, remotes: list[bool | None], together: bool | None
) -> None:
    row = only_row(landing, *(record(is_remote=remote) for remote in remotes))
    assert row["is_remote"] is together


def test_what_the_api_may_leave_out(landing: Landing) -> None:
    bare = record(date="2026-11-18")
    for key in ("is_remote", "subscription_type", "tool_actions", "model_breakdown"):
        del bare[key]
    row = only_row(landing, bare)
    assert row["date"] == "2026-11-18"
    assert (row["is_remote"], row["subscription_type"]) == (None, None)
    assert (row["tool_actions"], row["model_breakdown"]) == ({}, [])
    assert row["estimated_cost_usd"] == 0


def test_unknown_tools_are_counted_and_missing_counts_are_none(landing: Landing) -> None:
    row = only_row(
        landing,
        record(tool_actions={"Skill tool": {"accepted": 2, "asked": 9}, "odd": {}}),
        record(tool_actions={"Skill tool": {"accepted": 1, "rejected": 5}}),
    )
    assert row["tool_actions"] == {
        "Skill tool": {"accepted": 3, "rejected": 5},
        "odd": {"accepted": 0, "rejected": 0},
    }
    (day,) = landing.table("marts.claude_code_daily")
    assert (day["tool_actions_accepted"], day["tool_actions_rejected"]) == (3, 5)


def test_counters_beyond_the_doubles_stay_whole(landing: Landing) -> None:
    big = 2**53
    models = [share("m", (big, 1, 1, 1), 0), share("m", (1, 1, 1, 1), 0)]
    given = record(core_metrics=core(1, big + 1, 2**63 - 1, 0, 0), model_breakdown=models)
    landing.code([given])
    landing.build()
    (text,) = landing.texts(KIND, startingDate="2026-01-01")
    assert f'"lines_of_code":{{"added":{big + 1},"removed":{2**63 - 1}}}' in text
    assert f'"tokens":{{"input":{big + 1},"output":2' in text


@pytest.mark.parametrize(
    "amounts",
    [
        ["0.1", "0.2"],
        ["123456789.123456789", "0.000000001"],
        ["90071992547.123456789012345", "0.000000000000001"],
        ["1e-05", "2.5E-7", "1.5e3"],
        ["7", "8.0"],
        ["-0.5", "3"],
    ],
)
def test_estimates_are_exact_to_the_last_decimal(landing: Landing, amounts: list[str]) -> None:
    text = json.dumps(record(model_breakdown=[share("m", (1, 1, 1, 1), "@")] * len(amounts)))
    for amount in amounts:
        text = text.replace('"@"', amount, 1)
    row = only_row(landing, text)
    total = sum(map(Decimal, amounts), Decimal())
    (model,) = row["model_breakdown"]
    assert Decimal(model["estimated_cost"]["amount"]) == total
    assert row["estimated_cost_usd"] == total.scaleb(-2)
    (day,) = landing.table("marts.claude_code_daily")
    assert day["estimated_cost_usd"] == total.scaleb(-2)


def test_an_estimate_in_another_currency_is_no_dollars(landing: Landing) -> None:
    row = only_row(
        landing,
        record(model_breakdown=[share("m", (1, 1, 1, 1), 5), share("m", (2, 2, 2, 2), 7, "EUR")]),
    )
    assert [each["estimated_cost"] for each in row["model_breakdown"]] == [
        {"currency": "EUR", "amount": 7},
        {"currency": "USD", "amount": 5},
    ]
    assert row["estimated_cost_usd"] is None
    (day,) = landing.table("marts.claude_code_daily")
    assert day["estimated_cost_usd"] is None
    assert day["input_tokens"] == 3


@pytest.mark.parametrize(
    ("selector", "days"),
    [
        ({"timeFrame": 1}, ["22"]),
        ({"timeFrame": 3}, ["20", "21", "22"]),
        ({"timeFrame": 400}, ["19", "20", "21", "22"]),
        ({"startingDate": "2026-11-20"}, ["20", "21", "22"]),
        ({"startingDate": "2026-11-23"}, []),
    ],
    ids=str,
)
def test_the_selector_says_which_days(
    landing: Landing, selector: dict[str, Any], days: list[str]
) -> None:
    landing.code(record(date=f"2026-11-{day}T00:00:00Z") for day in range(19, 23))
    landing.build()
    assert [row["date"][8:10] for row in landing.rows(KIND, **selector)] == days


def test_an_awkward_organisations_work_adds_up(landing: Landing) -> None:
    first = date(2026, 3, 1)
    organisation = Organisation(first_day=first, developers=15)
    records = [
        json.loads(json.dumps(each), parse_float=Decimal)
        for n in range(20)
        for each in organisation.code_records(first + timedelta(days=n))
    ]
    landing.code(json.dumps(each, default=float) for each in deepcopy(records))
    landing.build()
    by_actor: dict[tuple[str, str, str], list[Json]] = defaultdict(list)
    for each in records:
        actor = each["actor"]
        name = actor.get("email_address") or actor["api_key_name"]
        by_actor[each["date"], actor["type"], name].append(each)
    rows = landing.rows(KIND, startingDate="2026-03-01")
    found = {}
    for row in rows:
        name = row["actor"]["email"] or row["actor"]["api_key_name"]
        found[row["date"], row["actor"]["type"], name] = row
    assert len(found) == len(rows)
    assert {key: figures([row]) for key, row in found.items()} == {
        key: figures(some) for key, some in by_actor.items()
    }
    assert {key: row["terminal_type"] for key, row in found.items()} == {
        key: ", ".join(sorted({each["terminal_type"] for each in some}))
        for key, some in by_actor.items()
    }
    days = landing.table("marts.claude_code_daily")
    whole = figures(records)
    assert sum(day["lines_added"] for day in days) == whole["lines_of_code.added"]
    assert sum(day["output_tokens"] for day in days) == total(whole, ".tokens.output")
    cents = total(whole, ".estimated_cost.amount")
    assert sum(day["estimated_cost_usd"] for day in days) * 100 == cents


def total(figures: Counter[str], ending: str) -> Any:
    return sum(figure for name, figure in figures.items() if name.endswith(ending))


def figures(records: Iterable[Json]) -> Counter[str]:
    """Every figure of the records, added up under its path in them; a model's under its name."""
    sums: Counter[str] = Counter()
    for each in records:
        sums.update(flat(each["core_metrics"]))
        sums.update(flat(each["tool_actions"]))
        for model in each["model_breakdown"]:
            cost = {"amount": model["estimated_cost"]["amount"]}
            sums.update(flat({model["model"]: {"tokens": model["tokens"], "estimated_cost": cost}}))
    return sums


def flat(figures: Json, before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in figures.items():
        at = f"{before}{name}"
        found |= flat(value, f"{at}.") if isinstance(value, dict) else {at: value}
    return found
