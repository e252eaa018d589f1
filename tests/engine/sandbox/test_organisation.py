from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lading.sandbox.organisation import CostLine, Organisation, UsageEvent

FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(60)]


@cache
def organisation() -> Organisation:
    return Organisation(first_day=FIRST, last_day=DAYS[-1], developers=25)


@cache
def events() -> list[UsageEvent]:
    return [event for day in DAYS for event in organisation().usage_events(day)]


@cache
def cost_lines() -> list[CostLine]:
    return [line for day in DAYS for line in organisation().cost_lines(day)]


@cache
def records() -> list[dict[str, Any]]:
    return [record for day in DAYS for record in organisation().code_records(day)]


def everything_of(organisation: Organisation, days: list[date]) -> str:
    return json.dumps(
        [
            [
                [asdict(event) for event in organisation.usage_events(day)],
                [asdict(line) for line in organisation.cost_lines(day)],
                organisation.code_records(day),
            ]
            for day in days
        ],
        default=str,
    )


def actor_name(record: dict[str, Any]) -> str:
    actor: dict[str, str] = record["actor"]
    return actor.get("api_key_name") or actor["email_address"]


# The same everywhere


def test_two_of_one_seed_agree_whatever_order_the_days_are_asked_in() -> None:
    days = DAYS[:12]
    backwards = Organisation(first_day=FIRST)
    for day in reversed(days):
        backwards.code_records(day)
        backwards.cost_lines(day)
    assert everything_of(backwards, days) == everything_of(Organisation(first_day=FIRST), days)


def test_a_day_does_not_depend_on_when_the_organisation_began_or_ends() -> None:
    longer = Organisation(first_day=FIRST - timedelta(days=30), developers=25)
    assert everything_of(longer, DAYS[:5]) == everything_of(organisation(), DAYS[:5])


def test_another_process_with_another_hash_seed_gets_the_same() -> None:
    script = (
        "from test_organisation import *\n"
        "print(everything_of(Organisation(first_day=FIRST), DAYS[:4]))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == everything_of(Organisation(first_day=FIRST), DAYS[:4])


def seconds_billed(organisation: Organisation, days: list[date]) -> list[Decimal]:
    lines = (line for day in days for line in organisation.cost_lines(day))
    return [line.amount for line in lines if line.cost_type in {"code_execution", "session_usage"}]


def test_another_seed_is_another_organisation() -> None:
    one, other = Organisation(seed=1, first_day=FIRST), Organisation(seed=2, first_day=FIRST)
    active = [day for day in DAYS if not (one.is_idle(day) or other.is_idle(day))]
    for day in active:
        assert one.usage_events(day) != other.usage_events(day)
        assert one.cost_lines(day) != other.cost_lines(day)
    assert seconds_billed(one, active) != seconds_billed(other, active)
    assert one.code_records(FIRST) != other.code_records(FIRST)


def test_no_day_is_like_another() -> None:
    tokens = Counter(
        tuple(event.output_tokens for event in organisation().usage_events(day))
        for day in DAYS
        if not organisation().is_idle(day)
    )
    assert set(tokens.values()) == {1}


def test_nothing_happens_before_the_first_and_after_the_last_day() -> None:
    outside = [FIRST - timedelta(days=n) for n in range(1, 15)]
    outside += [DAYS[-1] + timedelta(days=n) for n in range(1, 15)]
    assert json.loads(everything_of(organisation(), outside)) == [[[], [], []]] * 28


def test_sizes_are_what_was_asked_for() -> None:
    big = Organisation(first_day=FIRST, workspaces=20, models=8, developers=40)
    found = [event for day in DAYS[:10] for event in big.usage_events(day)]
    mails = {actor_name(r) for day in DAYS[:15] for r in big.code_records(day)} - set(
        big.members.code_key_names
    )
    assert len({event.workspace_id for event in found}) == 20
    assert len({event.model for event in found}) == 8
    assert len(mails) == 40


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_organisation_without_members_is_refused(sizes: tuple[int, int, int]) -> None:
    workspaces, models, developers = sizes
    with pytest.raises(ValueError, match="at least 1"):
        Organisation(workspaces=workspaces, models=models, developers=developers)


# The clock


def test_a_day_grows_minute_by_minute() -> None:
    day = next(day for day in DAYS if not organisation().is_idle(day))
    whole = organisation().usage_events(day)
    for event in whole:
        so_far = organisation().usage_events(day, event.minute)
        assert so_far == tuple(one for one in whole if one.minute <= event.minute)
        assert event in so_far
    assert organisation().usage_events(day, datetime.combine(day, time(), UTC)) == ()


def test_code_records_appear_and_grow_and_never_shrink() -> None:
    day = next(day for day in DAYS if not organisation().is_without_code(day))
    hours = [datetime.combine(day, time(hour), UTC) for hour in range(24)]
    lines = [
        sum(
            record["core_metrics"]["lines_of_code"]["added"]
            for record in organisation().code_records(day, hour)
        )
        for hour in hours
    ]
    assert lines[0] == 0
    assert lines == sorted(lines)
    assert len(set(lines)) > 20


def test_a_growing_record_keeps_what_it_is_and_has_a_session() -> None:
    day = next(day for day in DAYS if not organisation().is_without_code(day))
    partly = organisation().code_records(day, datetime.combine(day, time(9), UTC))
    whole = organisation().code_records(day)[: len(partly)]
    figures = {"core_metrics", "tool_actions", "model_breakdown", "research_preview"}
    for part, full in zip(partly, whole, strict=True):
        assert {k: v for k, v in part.items() if k not in figures} == {
            k: v for k, v in full.items() if k not in figures
        }
        assert part["core_metrics"]["num_sessions"] >= 1
    assert any(part != full for part, full in zip(partly, whole, strict=True))


def test_a_day_is_whole_when_the_next_one_has_begun() -> None:
    for day in DAYS:
        midnight = datetime.combine(day + timedelta(days=1), time(), UTC)
        assert organisation().code_records(day, midnight) == organisation().code_records(day)
        assert organisation().usage_events(day, midnight) == organisation().usage_events(day)


# Awkward where reality is


def test_idle_days_fall_on_working_days_too() -> None:
    idle = [day for day in DAYS if not organisation().usage_events(day)]
    assert {day for day in idle if day.weekday() < 5}
    assert 3 <= len(idle) <= 8
    assert not [line for day in idle for line in organisation().cost_lines(day)]


def test_some_days_have_usage_and_no_claude_code() -> None:
    used = {day for day in DAYS if organisation().usage_events(day)}
    coded = {day for day in DAYS if organisation().code_records(day)}
    assert coded < used


def identities() -> Counter[tuple[bool, bool, bool]]:
    return Counter(
        (e.api_key_id is not None, e.account_id is not None, e.service_account_id is not None)
        for e in events()
    )


def test_usage_comes_by_key_by_sign_in_by_service_account_or_from_the_console() -> None:
    assert identities().keys() == {
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, False, False),
    }


def test_every_active_day_has_console_use_in_the_default_workspace() -> None:
    days = {e.minute.date() for e in events() if (e.workspace_id, e.api_key_id) == (None, None)}
    assert days == {e.minute.date() for e in events()}


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("service_tier", {"standard", "batch", "priority"}),
        ("context_window", {"0-200k", "200k-1M"}),
        ("inference_geo", {"global", "us", "not_available"}),
        ("speed", {"standard", "fast"}),
        ("workspace_id", {None, *(f"wrkspc_sandbox0{n}" for n in range(1, 5))}),
    ],
)
def test_every_value_of_a_dimension_is_used(dimension: str, values: set[str | None]) -> None:
    assert {getattr(event, dimension) for event in events()} == values


def test_token_counts_go_past_32_bits_and_down_to_nothing() -> None:
    assert max(event.uncached_input_tokens for event in events()) > 2**31
    assert max(event.cache_read_input_tokens for event in events()) > 2**31
    assert any(event.uncached_input_tokens == event.output_tokens == 0 for event in events())


def test_some_events_have_a_counter_that_nobody_documented() -> None:
    assert 0 < sum(event.research_preview_requests > 0 for event in events()) < len(events()) / 5


def decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def test_amounts_have_up_to_nine_decimals_and_some_end_in_zeros() -> None:
    amounts = [line.amount for line in cost_lines()]
    assert max(map(decimals, amounts)) == 9
    assert [a for a in amounts if decimals(a) == 9 and a.as_tuple().digits[-1] != 0]
    assert [a for a in amounts if decimals(a) > 0 and a.as_tuple().digits[-1] == 0]


def test_cost_is_of_all_types_and_only_tokens_are_described() -> None:
    kinds = {"tokens", "web_search", "code_execution", "session_usage"}
    assert {line.cost_type for line in cost_lines()} == kinds
    described = {
        (line.cost_type == "tokens", line.model is not None, line.token_type is not None)
        for line in cost_lines()
    }
    assert described == {(True, True, True), (False, False, False)}


def test_a_description_stands_for_one_set_of_terms_and_one_line_of_a_workspace() -> None:
    terms = {
        tuple(v for name, v in asdict(line).items() if name not in {"workspace_id", "amount"})
        for line in cost_lines()
    }
    assert len(terms) == len({line.description for line in cost_lines()})
    for day in DAYS:
        lines = [(n.workspace_id, n.description) for n in organisation().cost_lines(day)]
        assert len(lines) == len(set(lines))


def test_web_searches_are_billed_a_cent_each() -> None:
    billed = sum(line.amount for line in cost_lines() if line.cost_type == "web_search")
    assert billed == sum(event.web_search_requests for event in events())


@pytest.mark.parametrize(("cost_type", "cents"), [("code_execution", 5), ("session_usage", 8)])
def test_hours_are_billed_by_the_second(cost_type: str, cents: int) -> None:
    amounts = [line.amount for line in cost_lines() if line.cost_type == cost_type]
    seconds = [amount * 3600 / cents for amount in amounts]
    assert seconds
    assert max(abs(one - round(one)) for one in seconds) < Decimal("0.000001")


def test_tokens_are_billed_by_the_price_list_and_priority_is_not() -> None:
    plain = [
        event
        for event in events()
        if (event.model, event.context_window, event.inference_geo, event.speed)
        == ("claude-opus-5", "0-200k", "global", "standard")
    ]
    standard = sum(e.output_tokens for e in plain if e.service_tier == "standard")
    batch = sum(e.output_tokens for e in plain if e.service_tier == "batch")
    assert sum(e.output_tokens for e in plain if e.service_tier == "priority") > 0
    billed = Counter[str]()
    for line in cost_lines():
        billed[line.description] += line.amount  # type: ignore[assignment]
    # 25 dollars per million tokens are 0.0025 cents for one; a batch is half the price
    assert billed["Claude Opus 5 Usage - Output Tokens"] == standard * Decimal("0.0025")
    assert billed["Claude Opus 5 Usage - Output Tokens (Batch)"] == batch * Decimal("0.00125")
    assert not [line for line in cost_lines() if line.service_tier == "priority"]


def test_an_actors_day_has_several_records_told_apart_by_what_the_api_names() -> None:
    parts = ("date", "customer_type", "subscription_type", "terminal_type", "is_remote")
    keys = Counter(
        (actor_name(record), *(record.get(part) for part in parts)) for record in records()
    )
    assert set(keys.values()) == {1}
    days: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records():
        days.setdefault((record["date"], actor_name(record)), []).append(record)
    several = [rows for rows in days.values() if len(rows) > 1]
    for field in ("terminal_type", "customer_type", "is_remote"):
        assert [rows for rows in several if len({row[field] for row in rows}) > 1], field


def test_records_of_one_actor_are_not_all_together() -> None:
    day = max(DAYS, key=lambda day: len(organisation().code_records(day)))
    names = [actor_name(record) for record in organisation().code_records(day)]
    changes = sum(one != other for one, other in pairwise(names))
    assert changes + 1 > len(set(names))


def test_actor_names_hold_what_identifiers_and_quotes_stumble_over() -> None:
    names = "\n".join({actor_name(record) for record in records()})
    assert {"CI key #1", "CI key #2"} <= set(names.split("\n"))
    assert "o'neil.03@example.com" in names
    assert "dev+04@example.com" in names


def test_users_have_an_email_address_and_keys_have_a_name_and_neither_has_both() -> None:
    shapes = {(record["actor"]["type"], *sorted(record["actor"])) for record in records()}
    assert shapes == {
        ("user_actor", "email_address", "type"),
        ("api_actor", "api_key_name", "type"),
    }


def test_subscription_type_is_there_null_or_missing() -> None:
    seen = {
        (record["customer_type"], record.get("subscription_type", "missing"))
        for record in records()
    }
    assert seen == {
        ("api", None),
        ("api", "missing"),
        ("subscription", "team"),
        ("subscription", "enterprise"),
    }


def test_tools_are_missing_unknown_or_none_at_all() -> None:
    known = {"edit_tool", "multi_edit_tool", "write_tool", "notebook_edit_tool"}
    tools = [set(record["tool_actions"]) for record in records()]
    assert known in tools
    assert set() in tools
    assert [used for used in tools if used and used < known]
    assert [used for used in tools if used - known == {"skill_tool"}]


def test_records_break_down_to_several_models_one_or_none() -> None:
    assert {len(record["model_breakdown"]) for record in records()} == {0, 1, 2, 3}


def test_estimated_amounts_are_numbers_of_both_kinds() -> None:
    amounts = [
        share["estimated_cost"]["amount"]
        for record in records()
        for share in record["model_breakdown"]
    ]
    assert {type(amount) for amount in amounts} == {int, float}
    assert max(decimals(Decimal(str(amount))) for amount in amounts) == 4


def test_some_records_have_a_field_that_nobody_documented() -> None:
    assert 0 < sum("research_preview" in record for record in records()) < len(records()) / 5
