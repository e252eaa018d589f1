from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation, UsageEvent
from lading.sandbox.reports import usage_results

if TYPE_CHECKING:
    from tests.engine.models.conftest import Json, Landing

KIND = "claude-usage-record"
DIMENSIONS = (
    *("account_id", "api_key_id", "context_window", "inference_geo", "model"),
    *("service_account_id", "service_tier", "workspace_id"),
)
START = "2026-01-01T00:00:00Z"
FETCHED = datetime(2026, 11, 20, 9, tzinfo=UTC)
LATER = FETCHED + timedelta(seconds=1)


def bucket(day: int, *results: Json) -> Json:
    """A day of November 2026."""
    starting_at = f"2026-11-{day:02d}T00:00:00Z"
    return {
        "starting_at": starting_at,
        "ending_at": f"2026-11-{day + 1:02d}T00:00:00Z",
        "results": list(results),
    }


def hour(day: int, clock: int, *results: Json) -> Json:
    start = datetime(2026, 11, day, clock, tzinfo=UTC)
    return {
        "starting_at": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "results": list(results),
    }


def result(tokens: tuple[int, int, int, int, int, int] | int = 0, **dimensions: str | None) -> Json:
    """`tokens`: uncached, written for 5 minutes, for 1 hour, read, output, and searches; or only
    uncached."""
    uncached, minutes, hours, read, output, searches = (
        tokens if isinstance(tokens, tuple) else (tokens, 0, 0, 0, 0, 0)
    )
    return {
        "uncached_input_tokens": uncached,
        "cache_creation": {
            "ephemeral_1h_input_tokens": hours,
            "ephemeral_5m_input_tokens": minutes,
        },
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": searches},
        **dict.fromkeys(DIMENSIONS),
        **dimensions,
    }


def uncached(rows: Iterable[Json]) -> dict[str, list[int]]:
    return {
        row["starting_at"][:10]: [each["uncached_input_tokens"] for each in row["results"]]
        for row in rows
    }


def test_an_ungrouped_report_comes_out_as_it_went_in(landing: Landing) -> None:
    buckets = [bucket(16, result((1, 2, 3, 4, 5, 6))), bucket(17), bucket(18, result(7))]
    landing.usage(buckets)
    landing.build()
    rows = landing.rows(KIND, startingDate=START)
    assert rows == [{"connection": "anthropic", **each} for each in buckets]


def test_the_text_of_a_row_is_the_apis(landing: Landing) -> None:
    landing.usage([bucket(16, result((1, 2, 3, 4, 5, 6), model="m")), bucket(17)], "model")
    landing.build()
    first, second = landing.texts(KIND, startingDate=START, groupBy=["model"])
    assert first == json.dumps(
        {"connection": "anthropic", **bucket(16, result((1, 2, 3, 4, 5, 6), model="m"))},
        separators=(",", ":"),
    )
    assert second.endswith('"ending_at":"2026-11-18T00:00:00Z","results":[]}')


def test_counters_beyond_the_doubles_stay_whole(landing: Landing) -> None:
    most = 2**63 - 1
    landing.usage(
        [
            bucket(16, result((2**53 + 1, 2**53 + 3, most, most, 2**62, 1), model="a")),
            bucket(17, result(2**53, model="a"), result(1, model="b")),
        ],
        "model",
    )
    landing.build("usage_by_day")
    first, second = landing.texts(KIND, startingDate=START)
    assert f'"uncached_input_tokens":{2**53 + 1},' in first
    assert f'"ephemeral_5m_input_tokens":{2**53 + 3}' in first
    assert f'"cache_read_input_tokens":{most},' in first
    assert f'"uncached_input_tokens":{2**53 + 1},' in second


def test_a_sum_beyond_64_bits_is_an_error_and_no_other_figure(landing: Landing) -> None:
    landing.usage([bucket(16, result(2**63 - 1, model="a"), result(1, model="b"))], "model")
    made = ("usage_buckets", "usage_results", "usage_by_day", "usage_by_day_and_model")
    assert set(landing.failures(*made)) == {"usage_by_day"}


@pytest.mark.parametrize(
    "asked",
    [
        [],
        ["model"],
        ["workspace_id"],
        ["workspace_id", "model"],
        ["api_key_id", "service_tier"],
        ["api_key_id", "context_window", "model", "service_tier", "workspace_id"],
    ],
    ids=lambda asked: "+".join(asked) or "none",
)
def test_a_finer_extract_is_rolled_up(landing: Landing, asked: list[str]) -> None:
    grouped_by = ["api_key_id", "context_window", "model", "service_tier", "workspace_id"]
    random = Random(str(asked))
    results = [
        result(
            tuple(random.randrange(10**9) for _ in range(6)),  # type: ignore[arg-type]
            **{name: random.choice([None, "a", "b"]) for name in grouped_by},
        )
        for _ in range(60)
    ]
    landing.usage([bucket(16, *results)], *grouped_by)
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START, groupBy=asked)
    assert group(row["results"], asked) == group(results, asked)
    combinations = {tuple(each[name] for name in DIMENSIONS) for each in row["results"]}
    assert len(combinations) == len(row["results"])
    assert all(each[name] is None for each in row["results"] for name in {*DIMENSIONS} - {*asked})


def group(results: Iterable[Json], names: Iterable[str]) -> dict[tuple[Any, ...], Counter[str]]:
    groups: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for each in results:
        counts = {
            "uncached": each["uncached_input_tokens"],
            "5m": each["cache_creation"]["ephemeral_5m_input_tokens"],
            "1h": each["cache_creation"]["ephemeral_1h_input_tokens"],
            "read": each["cache_read_input_tokens"],
            "output": each["output_tokens"],
            "searches": each["server_tool_use"]["web_search_requests"],
        }
        groups[tuple(each[name] for name in names)].update(counts)
    return groups


def test_results_come_in_the_order_of_their_dimensions(landing: Landing) -> None:
    pairs = [("b", "x"), ("a", "y"), (None, "x"), ("a", None), ("a", "x"), ("b", None)]
    landing.usage(
        [bucket(16, *(result(1, model=model, workspace_id=space) for model, space in pairs))],
        *("model", "workspace_id"),
    )
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START, groupBy=["workspace_id", "model"])
    assert [(each["model"], each["workspace_id"]) for each in row["results"]] == [
        *(("a", "x"), ("a", "y"), ("a", None), ("b", "x"), ("b", None), (None, "x"))
    ]


def test_speed_is_there_when_it_was_asked_for(landing: Landing) -> None:
    fast, slow = result(2, speed="fast"), result(5, speed="standard")
    landing.usage([bucket(16, fast, slow)], "speed")
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START, groupBy=["speed"])
    assert row["results"] == [fast, slow]
    (row,) = landing.rows(KIND, startingDate=START)
    assert row["results"] == [result(7)]


def test_unknown_keys_and_values_do_no_harm(landing: Landing) -> None:
    odd = {**result(3, service_tier="flex_discount"), "research_preview": {"requests": 4}}
    landing.usage([{**bucket(16, odd), "note": [1]}], "service_tier")
    landing.build()
    (row,) = landing.rows(KIND, startingDate=START, groupBy=["service_tier"])
    assert row["results"] == [result(3, service_tier="flex_discount")]


def test_extracts_of_the_same_period_are_never_added_up(landing: Landing) -> None:
    landing.usage([bucket(16, result(5))])
    landing.usage([bucket(16, result(2, model="a"), result(3, model="b"))], "model")
    landing.usage([bucket(16, result(5, workspace_id=None))], "workspace_id")
    landing.usage([hour(16, n, result(1)) for n in range(5)], width="1h")
    landing.build()
    assert uncached(landing.rows(KIND, startingDate=START)) == {"2026-11-16": [5]}
    by_model = landing.rows(KIND, startingDate=START, groupBy=["model"])
    assert uncached(by_model) == {"2026-11-16": [2, 3]}
    by_hour = landing.rows(KIND, startingDate=START, bucketWidth="1h")
    assert [row["starting_at"][11:13] for row in by_hour] == ["00", "01", "02", "03", "04"]


@pytest.mark.parametrize("grouped_is_fresher", [True, False])
def test_the_fresher_extract_answers_for_each_bucket(
    landing: Landing, grouped_is_fresher: bool
) -> None:
    grouped, plain = (LATER, FETCHED) if grouped_is_fresher else (FETCHED, LATER)
    landing.usage([bucket(16, result(10, model="a")), bucket(17, result(20, model="a"))], "model")
    landing.connection.execute("UPDATE raw.usage_messages SET extracted_at = '2026-11-18'")
    finer = [bucket(17, result(21, model="a", workspace_id="w"))]
    landing.usage(finer, "model", "workspace_id", at=grouped)
    landing.usage([bucket(17, result(22))], at=plain)
    landing.build()
    rows = landing.rows(KIND, startingDate=START)
    assert uncached(rows) == {"2026-11-16": [10], "2026-11-17": [21 if grouped_is_fresher else 22]}
    rows = landing.rows(KIND, startingDate=START, groupBy=["model"])
    assert uncached(rows) == {"2026-11-16": [10], "2026-11-17": [21]}


def test_a_bucket_that_is_empty_in_the_fresher_extract_is_empty(landing: Landing) -> None:
    landing.usage([bucket(16, result(10, model="a"))], "model", at=FETCHED)
    landing.usage([bucket(16)], *("model", "workspace_id"), at=LATER)
    landing.build()
    assert uncached(landing.rows(KIND, startingDate=START)) == {"2026-11-16": []}
    assert landing.table("marts.usage_by_day_and_model") == []


def test_of_extracts_of_one_moment_one_answers(landing: Landing) -> None:
    landing.usage([bucket(16, result(1))])
    landing.usage([bucket(16, result(2))], "model")
    landing.usage([bucket(16, result(4))], "workspace_id")
    landing.build()
    rows = landing.rows(KIND, startingDate=START)
    # The first by the text of its request.
    assert uncached(rows) == {"2026-11-16": [2]}


def test_a_bucket_in_two_parts_is_put_together(landing: Landing) -> None:
    landing.usage([bucket(16, result(1, model="a"))], "model", at=FETCHED)
    landing.usage([bucket(16, result(2, model="b"))], "model", at=LATER)
    landing.build()
    rows = landing.rows(KIND, startingDate=START, groupBy=["model"])
    assert uncached(rows) == {"2026-11-16": [1, 2]}


def test_no_extract_with_the_dimensions_gives_no_rows(landing: Landing) -> None:
    landing.usage([bucket(16, result(1, model="a"))], "model")
    landing.build()
    assert landing.rows(KIND, startingDate=START, groupBy=["model", "workspace_id"]) == []
    assert landing.rows(KIND, startingDate=START, bucketWidth="1h") == []


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ("2026-11-16T00:00:00Z", ["16", "17"]),
        ("2026-11-16T23:59:59Z", ["16", "17"]),
        ("2026-11-17T00:00:00Z", ["17"]),
        ("2026-11-18T00:00:00Z", []),
    ],
)
def test_rows_begin_with_the_bucket_of_the_starting_date(
    landing: Landing, start: str, days: list[str]
) -> None:
    landing.usage([bucket(15), bucket(16), bucket(17)])
    landing.build()
    rows = landing.rows(KIND, startingDate=start)
    assert [row["starting_at"][8:10] for row in rows] == days


def test_connections_stay_apart(landing: Landing) -> None:
    landing.usage([bucket(16, result(1))], connection="one")
    landing.usage([bucket(16, result(2))], connection="two")
    landing.build()
    rows = landing.rows(KIND, startingDate=START)
    assert [(row["connection"], row["results"]) for row in rows] == [
        ("one", [result(1)]),
        ("two", [result(2)]),
    ]
    days = landing.table("marts.usage_by_day")
    assert [(row["connection"], row["uncached_input_tokens"]) for row in days] == [
        ("one", 1),
        ("two", 2),
    ]


FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(45)]


def landed_year(landing: Landing, organisation: Organisation, *group_by: str) -> None:
    keys = (*DIMENSIONS, "speed") if "speed" in group_by else DIMENSIONS
    landing.usage(
        (
            {
                "starting_at": f"{day}T00:00:00Z",
                "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
                "results": usage_results(organisation.usage_events(day), group_by, keys),
            }
            for day in DAYS
        ),
        *group_by,
    )


def test_an_awkward_organisation_adds_up(landing: Landing) -> None:
    organisation = Organisation(first_day=FIRST, workspaces=6, models=5)
    landed_year(landing, organisation, "api_key_id", "model", "service_tier", "workspace_id")
    landed_year(landing, organisation, "inference_geo", "model", "speed")
    landed_year(landing, organisation)
    landing.build()
    events = {day: organisation.usage_events(day) for day in DAYS}
    for asked in ([], ["workspace_id"], ["model"], ["speed", "model"], ["workspace_id", "model"]):
        rows = landing.rows(KIND, startingDate="2026-03-01T00:00:00Z", groupBy=asked)
        assert {row["starting_at"]: group(row["results"], asked) for row in rows} == {
            f"{day}T00:00:00Z": grouped_events(some, asked) for day, some in events.items()
        }


def grouped_events(
    events: Iterable[UsageEvent], names: Iterable[str]
) -> dict[tuple[Any, ...], Counter[str]]:
    groups: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for event in events:
        groups[tuple(getattr(event, name) for name in names)].update(
            {
                "uncached": event.uncached_input_tokens,
                "5m": event.ephemeral_5m_input_tokens,
                "1h": event.ephemeral_1h_input_tokens,
                "read": event.cache_read_input_tokens,
                "output": event.output_tokens,
                "searches": event.web_search_requests,
            }
        )
    return groups
