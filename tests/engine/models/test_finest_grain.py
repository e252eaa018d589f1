"""usage and cost: each figure once, at the finest grain that has landed, with names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.models.conftest import NOW
from tests.engine.models.ledger import ORGANISATION, bucket, cents, cost_of, usage_of, used
from tests.engine.models.test_example_reports import (
    BY_IDENTITY,
    COST,
    COST_BY_ALL,
    COST_BY_WORKSPACE,
    FIVE,
    GROUPED,
    IDENTITY,
    UNGROUPED,
)

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

DAY = "2026-11-16"
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
EVENING = MIDNIGHT + timedelta(hours=20)
NEXT_DAY = MIDNIGHT + timedelta(days=1, hours=5)
LATER = MIDNIGHT + timedelta(days=30)
COUNTERS = {
    "uncached_input_tokens": 262492 + 20010,
    "cache_creation_5m_input_tokens": 21500 + 400,
    "cache_creation_1h_input_tokens": 9800,
    "cache_read_input_tokens": 927420 + 3000,
    "output_tokens": 48664 + 1999,
    "web_search_requests": 7,
}


def found(landing: Landing, *columns: str, of: str = "usage") -> list[tuple[Any, ...]]:
    landing.build(of)
    return [tuple(row[name] for name in columns) for row in landing.table(f"marts.{of}")]


def hours(numbers: Iterable[int], tokens: int, **dimensions: Any) -> list[Json]:
    return [bucket(f"{DAY}T{n:02}:00", used(tokens, **dimensions), hours=1) for n in numbers]


@pytest.mark.parametrize(
    "landed",
    [
        [(UNGROUPED, ())],
        [(GROUPED, FIVE)],
        [(UNGROUPED, ()), (GROUPED, FIVE)],
        [(GROUPED, FIVE), (UNGROUPED, ()), (BY_IDENTITY, IDENTITY)],
    ],
    ids=["ungrouped", "grouped", "both", "three views"],
)
def test_however_often_a_figure_lands_it_counts_once(
    landing: Landing, landed: list[tuple[list[Json], tuple[str, ...]]]
) -> None:
    for buckets, group_by in landed:
        landing.usage(buckets, *group_by)
    landing.build("usage")
    rows = landing.table("marts.usage")
    assert {name: sum(row[name] for row in rows) for name in COUNTERS} == COUNTERS
    assert {row["day"] for row in rows} == {date(2026, 11, 16), date(2026, 11, 18)}


def test_the_extract_with_most_dimensions_counts(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(5, model="a"))], "model")
    landing.usage([bucket(DAY, used(5, model="a", workspace_id="w"))], "model", "workspace_id")
    landing.usage([bucket(DAY, used(5, account_id="u"))], "account_id")
    landing.usage([bucket(DAY, used(5))], at=NOW + timedelta(seconds=9))
    assert found(landing, "model", "workspace_id", "uncached_input_tokens", "group_by") == [
        ("a", "w", 5, ["model", "workspace_id"])
    ]


def test_a_bucket_that_is_empty_in_the_finest_extract_is_not_taken_from_another(
    landing: Landing,
) -> None:
    landing.usage([bucket(DAY)], "model")
    landing.usage([bucket(DAY, used(5))])
    assert found(landing, "uncached_input_tokens") == []


@pytest.mark.parametrize(
    ("fine", "coarse", "wins"),
    [
        (("a", NOON), ("a", EVENING), "fine"),
        (("a", NOON), ("b", EVENING), "coarse"),
        (("a", EVENING), ("b", NOON), "fine"),
        (("a", EVENING), ("b", NEXT_DAY), "coarse"),
        (("a", LATER), ("b", LATER + timedelta(days=9)), "fine"),
    ],
    ids=[
        "one run",
        "no longer fetched",
        "fetched anew",
        "saw no end of it",
        "both saw what came late",
    ],
)
def test_an_extract_that_is_no_longer_fetched_gives_way(
    landing: Landing, fine: tuple[str, datetime], coarse: tuple[str, datetime], wins: str
) -> None:
    landing.usage([bucket(DAY, used(1, model="m"))], "model", run=fine[0], at=fine[1])
    landing.usage([bucket(DAY, used(2))], run=coarse[0], at=coarse[1])
    assert found(landing, "uncached_input_tokens") == [(1 if wins == "fine" else 2,)]


def test_of_extracts_alike_the_same_counts_for_all_days(landing: Landing) -> None:
    days = [bucket("2026-11-15", used(1)), bucket(DAY, used(1))]
    landing.usage(days, "workspace_id", at=LATER)
    landing.usage(days[:1], "account_id", at=LATER - timedelta(days=1))
    landing.usage(days[1:], "account_id", at=LATER + timedelta(days=1))
    assert found(landing, "group_by") == [(["account_id"],)] * 2


def test_days_and_hours_are_never_added_up(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(24, model="m"))], "model")
    landing.usage(hours(range(24), 1), width="1h")
    assert found(landing, "uncached_input_tokens", "model") == [(24, "m")]


def test_hours_count_where_they_have_as_many_dimensions(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(24))])
    landing.usage(hours(range(24), 1), width="1h")
    rows = found(landing, "uncached_input_tokens", "starting_at", "ending_at")
    assert len(rows) == 24
    start = MIDNIGHT.replace(tzinfo=None)
    assert rows[0] == (1, start, start + timedelta(hours=1))


def test_hours_with_a_gap_count_where_there_is_nothing_else(landing: Landing) -> None:
    landing.usage(hours([3, 7], 1), width="1h")
    assert found(landing, "uncached_input_tokens") == [(1,), (1,)]


def test_hours_with_a_gap_do_not_stand_for_a_day_that_is_there(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(24))])
    landing.usage(hours(range(1, 24), 1, model="m"), "model", width="1h")
    assert found(landing, "uncached_input_tokens") == [(24,)]


def test_a_day_that_was_fetched_at_noon_gives_way_to_all_of_its_hours(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(9, model="m"))], "model", at=NOON, run="a")
    landing.usage(hours(range(24), 1), width="1h", at=NEXT_DAY, run="b")
    assert sum(tokens for (tokens,) in found(landing, "uncached_input_tokens")) == 24


def test_minutes_fill_hours_that_are_missing(landing: Landing) -> None:
    minutes = [
        bucket(f"{DAY}T{hour:02}:{minute:02}", used(1), hours=1 / 60)
        for hour in (0, 1)
        for minute in range(60)
    ]
    landing.usage(minutes, width="1m")
    landing.usage(hours([0], 60, model="m"), "model", width="1h")
    rows = found(landing, "starting_at", "uncached_input_tokens")
    assert len(rows) == 61
    assert sum(tokens for _, tokens in rows) == 120


def test_connections_do_not_mix(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(1, model="m"))], "model")
    landing.usage([bucket(DAY, used(2))], connection="eu")
    assert found(landing, "connection", "uncached_input_tokens") == [("anthropic", 1), ("eu", 2)]


def test_null_is_named_only_where_the_extract_is_grouped_by_it(landing: Landing) -> None:
    identity = ("account_id", "api_key_id", "service_account_id", "workspace_id")
    terms = ("context_window", "inference_geo", "model", "service_tier", "speed")
    unnamed: Json = dict.fromkeys((*identity, *terms))
    landing.usage([bucket(DAY, {**used(1), **unnamed})], *identity)
    landing.usage([bucket("2026-11-17", {**used(1), **unnamed})], *terms)
    columns = [*identity, *terms]
    assert found(landing, *columns) == [
        ("none", "console", "none", "default", *[None] * 5),
        (*[None] * 4, *["unknown"] * 5),
    ]


def test_ids_have_names_also_of_those_who_left(landing: Landing) -> None:
    landing.members("workspaces", {"id": "w", "name": "Research", "archived_at": None})
    landing.members("api_keys", {"id": "k", "name": "ci"})
    landing.members("api_keys", {"id": "k", "name": "of another organisation"}, connection="eu")
    left = NOW.replace(tzinfo=None) - timedelta(days=3)
    landing.vanish("users", {"id": "u", "name": "Ben"}, left, left)
    known = used(1, workspace_id="w", api_key_id="k", account_id="u")
    unknown = used(2, workspace_id="x", api_key_id="y", account_id="z")
    nobody = used(3, workspace_id=None, api_key_id=None, account_id=None)
    day = bucket(DAY, known, unknown, nobody)
    landing.usage([day], "workspace_id", "api_key_id", "account_id")
    names = ("workspace_name", "api_key_name", "account_name")
    rows = found(landing, "uncached_input_tokens", *names)
    assert sorted(rows) == [
        (1, "Research", "ci", "Ben"),
        (2, None, None, None),
        (3, "Default", "Console", None),
    ]


def test_an_id_that_a_list_has_twice_doubles_nothing(landing: Landing) -> None:
    landing.members("api_keys", {"id": "k", "name": "a"}, {"id": "k", "name": "b"})
    landing.usage([bucket(DAY, used(5, api_key_id="k"))], "api_key_id")
    assert found(landing, "uncached_input_tokens", "api_key_name") == [(5, "b")]


def test_results_of_one_combination_are_one_row(landing: Landing) -> None:
    landing.usage([bucket(DAY, used(5, model="m"), used(6, model="m"))], "model")
    assert found(landing, "uncached_input_tokens") == [(11,)]


@pytest.mark.parametrize(
    "landed",
    [
        [(COST, ())],
        [(COST_BY_WORKSPACE, ("workspace_id",))],
        [(COST_BY_ALL, ("workspace_id", "description")), (COST, ())],
        [(COST, ()), (COST_BY_WORKSPACE, ("workspace_id",))],
    ],
)
def test_the_bill_is_the_same_at_every_grain(
    landing: Landing, landed: list[tuple[list[Json], tuple[str, ...]]]
) -> None:
    for buckets, group_by in landed:
        landing.cost(buckets, *group_by)
    bill: dict[date, Decimal] = {}
    for day, usd in found(landing, "day", "amount_usd", of="cost"):
        bill[day] = bill.get(day, Decimal()) + usd
    assert bill[date(2026, 11, 16)] == Decimal("3.077268")


def test_cost_has_what_its_extract_is_grouped_by(landing: Landing) -> None:
    landing.members("workspaces", {"id": "w", "name": "Research"})
    landing.cost([bucket(DAY, cents("1", workspace_id="w"))], "workspace_id")
    landing.cost([bucket(DAY, cents("1", description="d", model="m"))], "description")
    landing.cost([bucket("2026-11-17", cents("2", workspace_id=None))], "workspace_id")
    landing.cost([bucket("2026-11-18", cents("3"), cents("4", "EUR"))])
    columns = ("workspace_id", "workspace_name", "model", "currency", "amount_usd", "group_by")
    assert found(landing, *columns, of="cost") == [
        (None, None, "m", "USD", Decimal("0.01"), ["description"]),
        ("default", "Default", None, "USD", Decimal("0.02"), ["workspace_id"]),
        (None, None, None, "EUR", None, []),
        (None, None, None, "USD", Decimal("0.03"), []),
    ]


def test_the_invented_organisation_at_every_grain(landing: Landing) -> None:
    days = [date(2026, 11, 2) + timedelta(days=n) for n in range(5)]
    landing.usage(usage_of(days, "model", "workspace_id"), "model", "workspace_id")
    landing.usage(usage_of(days[2:]), run="b")
    landing.usage(usage_of(days[:3], "api_key_id"), "api_key_id")
    landing.cost(cost_of(days), "workspace_id", "description")
    events = [event for day in days for event in ORGANISATION.usage_events(day)]
    assert sum(tokens for (tokens,) in found(landing, "output_tokens")) == sum(
        event.output_tokens for event in events
    )
    lines = [line for day in days for line in ORGANISATION.cost_lines(day)]
    assert sum(amount for (amount,) in found(landing, "amount", of="cost")) == sum(
        line.amount for line in lines
    )
