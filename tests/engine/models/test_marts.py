from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
NEXT_DAYS = MIDNIGHT + timedelta(days=3)
WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}


def buckets(width: str, first: int, last: int, tokens: int) -> Iterator[Json]:
    """Buckets of the 16th, counted from 0 at midnight; each has as many uncached tokens."""
    for n in range(first, last):
        start = MIDNIGHT + n * WIDTHS[width]
        yield {
            "starting_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "ending_at": f"{start + WIDTHS[width]:%Y-%m-%dT%H:%M:%SZ}",
            "results": [result(tokens)],
        }


def result(tokens: int, **dimensions: str | None) -> Json:
    return {
        "uncached_input_tokens": tokens,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0},
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
        "server_tool_use": {"web_search_requests": 0},
        **dimensions,
    }


def day_of(*results: Json) -> Json:
    return {
        "starting_at": "2026-11-16T00:00:00Z",
        "ending_at": "2026-11-17T00:00:00Z",
        "results": list(results),
    }


def days(landing: Landing) -> dict[date, int]:
    landing.build()
    rows = landing.table("marts.usage_by_day")
    found = {row["day"]: row["uncached_input_tokens"] for row in rows}
    assert len(found) == len(rows)
    return found


def the_day(landing: Landing) -> int | None:
    return days(landing).get(MIDNIGHT.date())


def test_every_counter_is_summed(landing: Landing) -> None:
    counts = {
        "uncached_input_tokens": 1,
        "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 3},
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "server_tool_use": {"web_search_requests": 6},
    }
    landing.usage(
        [day_of({**counts, "model": "a"}, {**counts, "model": "b"}, {**counts, "model": "b"})],
        *("model", "workspace_id"),
    )
    landing.build()
    sums = {
        "uncached_input_tokens": 3,
        "cache_creation_5m_input_tokens": 9,
        "cache_creation_1h_input_tokens": 6,
        "cache_read_input_tokens": 12,
        "output_tokens": 15,
        "web_search_requests": 18,
    }
    day = {"connection": "anthropic", "day": MIDNIGHT.date()}
    assert landing.table("marts.usage_by_day") == [{**day, **sums}]
    by_workspace = landing.table("marts.usage_by_day_and_workspace")
    assert by_workspace == [{**day, "workspace_id": "default", **sums}]
    thirds = {name: count // 3 for name, count in sums.items()}
    assert landing.table("marts.usage_by_day_and_model") == [
        {**day, "model": "a", **thirds},
        {**day, "model": "b", **{name: 2 * count for name, count in thirds.items()}},
    ]


def test_a_day_without_usage_has_zeros(landing: Landing) -> None:
    landing.usage([day_of()])
    landing.build()
    (row,) = landing.table("marts.usage_by_day")
    assert set(row.values()) == {"anthropic", MIDNIGHT.date(), 0}


def test_missing_dimensions_get_names_where_the_extract_is_grouped_by_them(
    landing: Landing,
) -> None:
    by_workspace = day_of(result(1, workspace_id=None), result(2, workspace_id="w"))
    by_model = day_of(result(1, model=None), result(2, model="m"))
    landing.usage([by_workspace], "workspace_id")
    landing.usage([by_model], "model")
    landing.build()
    spaces = landing.table("marts.usage_by_day_and_workspace")
    models = landing.table("marts.usage_by_day_and_model")
    assert [(row["workspace_id"], row["uncached_input_tokens"]) for row in spaces] == [
        ("default", 1),
        ("w", 2),
    ]
    assert [(row["model"], row["uncached_input_tokens"]) for row in models] == [
        ("m", 2),
        ("unknown", 1),
    ]


def test_an_ungrouped_extract_says_nothing_of_workspaces_and_models(landing: Landing) -> None:
    landing.usage([day_of(result(5))])
    landing.build()
    assert landing.table("marts.usage_by_day_and_workspace") == []
    assert landing.table("marts.usage_by_day_and_model") == []


@pytest.mark.parametrize(("width", "count"), [("1h", 24), ("1m", 1440)])
def test_narrow_buckets_make_up_a_day(landing: Landing, width: str, count: int) -> None:
    landing.usage(buckets(width, 0, count, 1), width=width)
    assert days(landing) == {MIDNIGHT.date(): count}


def test_a_day_that_has_begun_counts_so_far(landing: Landing) -> None:
    landing.usage(buckets("1h", 0, 13, 1), width="1h", at=NOON + timedelta(minutes=20))
    assert the_day(landing) == 13


@pytest.mark.parametrize(
    "hours",
    [range(1, 24), [*range(5), *range(6, 24)], [23]],
    ids=["from one o'clock on", "an hour is missing", "the last hour"],
)
def test_a_day_with_a_gap_is_left_out(landing: Landing, hours: Iterable[int]) -> None:
    for n in hours:
        landing.usage(buckets("1h", n, n + 1, 1), width="1h", at=NEXT_DAYS)
    assert the_day(landing) is None


def test_days_and_hours_are_never_added_up(landing: Landing) -> None:
    landing.usage(buckets("1d", 0, 1, 24), at=NEXT_DAYS)
    landing.usage(buckets("1h", 0, 48, 1), width="1h", at=NEXT_DAYS)
    assert days(landing) == {MIDNIGHT.date(): 24, MIDNIGHT.date() + timedelta(days=1): 24}


@pytest.mark.parametrize(
    ("daily", "hourly", "wins"),
    [
        (NOON, NEXT_DAYS, "1h"),
        (NEXT_DAYS, NOON, "1d"),
        (NEXT_DAYS, NEXT_DAYS + timedelta(hours=1), "1h"),
        (NEXT_DAYS + timedelta(hours=1), NEXT_DAYS, "1d"),
        (NEXT_DAYS, NEXT_DAYS, "1d"),
    ],
    ids=["day is stale", "hours are stale", "hours are fresher", "day is fresher", "both alike"],
)
def test_the_width_that_has_seen_most_of_a_day_makes_it_up(
    landing: Landing, daily: datetime, hourly: datetime, wins: str
) -> None:
    landing.usage(buckets("1d", 0, 1, 1000), at=daily)
    # So many hours as were over or under way at the time.
    hours = min(24, (hourly - MIDNIGHT) // timedelta(hours=1) + 1)
    landing.usage(buckets("1h", 0, hours, 1), width="1h", at=hourly)
    assert the_day(landing) == (1000 if wins == "1d" else hours)


def test_hours_with_a_gap_do_not_stand_for_a_day_that_is_there(landing: Landing) -> None:
    landing.usage(buckets("1d", 0, 1, 1000), at=NOON)
    landing.usage(buckets("1h", 1, 24, 1), width="1h", at=NEXT_DAYS)
    assert the_day(landing) == 1000


def test_fresher_hours_that_end_early_do_not_stand_for_a_day_that_is_there(
    landing: Landing,
) -> None:
    landing.usage(buckets("1d", 0, 1, 1000), at=NEXT_DAYS)
    landing.usage(buckets("1h", 0, 13, 1), width="1h", at=NEXT_DAYS + timedelta(hours=1))
    assert the_day(landing) == 1000


def test_hours_are_as_fresh_as_the_stalest_of_them(landing: Landing) -> None:
    landing.usage(buckets("1h", 0, 20, 1), width="1h", at=NEXT_DAYS)
    landing.usage(buckets("1d", 0, 1, 1000), at=NEXT_DAYS + timedelta(hours=1))
    landing.usage(buckets("1h", 20, 24, 1), width="1h", at=NEXT_DAYS + timedelta(hours=2))
    assert the_day(landing) == 1000


def test_each_hour_comes_from_its_freshest_extract(landing: Landing) -> None:
    landing.usage(buckets("1h", 0, 24, 1), "model", width="1h", at=NEXT_DAYS)
    landing.usage(buckets("1h", 20, 24, 5), width="1h", at=NEXT_DAYS + timedelta(hours=1))
    assert the_day(landing) == 20 * 1 + 4 * 5


def test_models_can_be_made_before_anything_has_landed(landing: Landing) -> None:
    made = [name for name, model in landing.graph.models.items() if not model.is_resource]
    assert landing.failures(*made) == {}
    assert landing.table("marts.usage_by_day") == []
    assert landing.rows("claude-code-analytics", timeFrame=3) == []
