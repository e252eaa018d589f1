from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.organisation import Organisation, UsageEvent

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import Pairs, Reports

    Serve = Callable[..., AbstractContextManager[Reports]]

FIRST = date(2026, 2, 1)
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
TODAY = NOW.date()
ORGANISATION = Organisation(first_day=FIRST)
FAST = {"anthropic-beta": "other-2026-01-01, fast-mode-2026-02-01"}
USAGE = "/v1/organizations/usage_report/messages"
CODE = "/v1/organizations/usage_report/claude_code"


def at(day: date, clock: str = "00:00:00") -> str:
    return f"{day}T{clock}Z"


def days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


# Usage

COUNTERS: dict[str, Callable[[dict[str, Any]], int]] = {
    "uncached_input_tokens": lambda row: row["uncached_input_tokens"],
    "ephemeral_5m_input_tokens": lambda row: row["cache_creation"]["ephemeral_5m_input_tokens"],
    "ephemeral_1h_input_tokens": lambda row: row["cache_creation"]["ephemeral_1h_input_tokens"],
    "cache_read_input_tokens": lambda row: row["cache_read_input_tokens"],
    "output_tokens": lambda row: row["output_tokens"],
    "web_search_requests": lambda row: row["server_tool_use"]["web_search_requests"],
    "research_preview_requests": lambda row: row.get("research_preview", {"requests": 0})[
        "requests"
    ],
}
GROUPS = [
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "workspace_id",
]
WIDTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}


def events(first: date, end: date) -> list[UsageEvent]:
    """What the report has to add up to, as of NOW."""
    all_days = (event for day in days(first, end) for event in ORGANISATION.usage_events(day))
    return [event for event in all_days if event.minute <= NOW]


def bucket_of(minute: datetime, width: str) -> str:
    form = {"1d": "%Y-%m-%dT00:00:00Z", "1h": "%Y-%m-%dT%H:00:00Z", "1m": "%Y-%m-%dT%H:%M:00Z"}
    return minute.strftime(form[width])


def added_up(
    happened: list[UsageEvent], width: str, group_by: tuple[str, ...]
) -> dict[tuple[Any, ...], Counter[str]]:
    """(bucket, group values…) -> counters, from the events themselves."""
    sums: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for event in happened:
        group = [getattr(event, name) for name in group_by]
        figures = {name: getattr(event, name) for name in COUNTERS}
        sums[bucket_of(event.minute, width), *group].update(figures)
    return sums


def reported(
    buckets: list[dict[str, Any]], group_by: tuple[str, ...]
) -> dict[tuple[Any, ...], Counter[str]]:
    """The same, from the report. A group that comes twice in a bucket is an error."""
    rows: dict[tuple[Any, ...], Counter[str]] = {}
    for bucket in buckets:
        for row in bucket["results"]:
            key = (bucket["starting_at"], *(row[name] for name in group_by))
            assert key not in rows
            rows[key] = Counter({name: count(row) for name, count in COUNTERS.items()})
    return rows


@pytest.mark.parametrize(
    ("width", "group_by"),
    [
        ("1d", ()),
        ("1d", ("workspace_id",)),
        ("1d", ("model",)),
        ("1d", ("workspace_id", "model")),
        ("1d", ("api_key_id", "account_id", "service_account_id")),
        ("1d", ("model", "service_tier", "context_window", "inference_geo", "workspace_id")),
        ("1h", ()),
        ("1h", ("workspace_id", "service_tier")),
        ("1m", ()),
        ("1m", ("model", "api_key_id")),
    ],
)
def test_every_row_is_the_sum_of_its_events(
    reports: Reports, width: str, group_by: tuple[str, ...]
) -> None:
    first = date(2026, 3, 5) if width == "1d" else date(2026, 3, 19)
    pairs = reports.range(first, TODAY + timedelta(days=1), *group_by, width=width)
    found = reports.everything(USAGE, pairs)
    expected = added_up(events(first, TODAY + timedelta(days=1)), width, group_by)
    assert expected
    assert reported(found, group_by) == expected


@pytest.mark.parametrize("group", GROUPS)
def test_groups_add_up_to_the_ungrouped_report(reports: Reports, group: str) -> None:
    def totals(*group_by: str) -> dict[tuple[Any, ...], Counter[str]]:
        sums: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        buckets = reports.everything(USAGE, reports.range(FIRST, TODAY, *group_by, limit=31))
        for (day, *_), figures in reported(buckets, group_by).items():
            sums[day,].update(figures)
        return sums

    assert totals(group) == totals()


@pytest.mark.parametrize("width", WIDTHS)
def test_buckets_come_oldest_first_without_a_gap_and_empty_ones_too(
    reports: Reports, width: str
) -> None:
    idle = next(day for day in days(FIRST, TODAY) if ORGANISATION.is_idle(day))
    first, end = idle - timedelta(days=1), idle + timedelta(days=1)
    buckets = reports.everything(USAGE, reports.range(first, end, width=width))
    starts = [datetime.fromisoformat(bucket["starting_at"]) for bucket in buckets]
    count = (end - first) // WIDTHS[width]
    midnight = datetime.fromisoformat(at(first))
    assert starts == [midnight + n * WIDTHS[width] for n in range(count)]
    assert [datetime.fromisoformat(bucket["ending_at"]) for bucket in buckets] == [
        start + WIDTHS[width] for start in starts
    ]
    empty = [bucket for bucket in buckets if bucket["starting_at"].startswith(str(idle))]
    assert len(empty) == count / 2
    assert {len(bucket["results"]) for bucket in empty} == {0}


@pytest.mark.parametrize("group_by", [(), *((group,) for group in GROUPS)])
def test_a_dimension_that_was_not_asked_for_is_null(
    reports: Reports, group_by: tuple[str, ...]
) -> None:
    buckets = reports.everything(USAGE, reports.range(FIRST, TODAY, *group_by, limit=31))
    rows = [row for bucket in buckets for row in bucket["results"]]
    assert {name for row in rows for name in GROUPS if row[name] is not None} == {*group_by}


def test_null_in_a_dimension_that_was_asked_for_means_what_the_reference_says(
    reports: Reports,
) -> None:
    asked_for = ("workspace_id", "api_key_id", "account_id", "service_account_id")
    rows = reported(reports.everything(USAGE, reports.range(FIRST, TODAY, *asked_for)), asked_for)
    expected = added_up(
        [event for event in events(FIRST, TODAY) if event.workspace_id is None], "1d", asked_for
    )
    default_workspace = {key: figures for key, figures in rows.items() if key[1] is None}
    assert default_workspace == expected
    assert [key for key in default_workspace if key[2:] == (None, None, None)]


def test_an_undocumented_field_is_on_some_rows_only(reports: Reports) -> None:
    buckets = reports.everything(
        USAGE, reports.range(FIRST, TODAY, "model", "api_key_id", limit=31)
    )
    having = Counter("research_preview" in row for one in buckets for row in one["results"])
    assert having[True] > 0
    assert having[False] > having[True]


def test_speed_is_a_key_with_the_beta_header_only(reports: Reports) -> None:
    pairs = reports.range(FIRST, TODAY, limit=31)
    without = [row for one in reports.everything(USAGE, pairs) for row in one["results"]]
    asked_with = reports.everything(USAGE, pairs, **FAST)
    grouped = reports.everything(USAGE, [*pairs, ("group_by[]", "speed")], **FAST)
    assert not [row for row in without if "speed" in row]
    assert {row["speed"] for one in asked_with for row in one["results"]} == {None}
    assert {row["speed"] for one in grouped for row in one["results"]} == {"standard", "fast"}


@pytest.mark.parametrize(
    ("filters", "admits"),
    [
        ([("models[]", "claude-opus-5")], lambda e: e.model == "claude-opus-5"),
        (
            [("models[]", "claude-opus-5"), ("models[]", "claude-sonnet-5")],
            lambda e: e.model in {"claude-opus-5", "claude-sonnet-5"},
        ),
        (
            [("workspace_ids[]", "wrkspc_sandbox02"), ("service_tiers[]", "batch")],
            lambda e: (e.workspace_id, e.service_tier) == ("wrkspc_sandbox02", "batch"),
        ),
        ([("api_key_ids[]", "apikey_sandbox03")], lambda e: e.api_key_id == "apikey_sandbox03"),
        ([("account_ids[]", "user_sandbox05")], lambda e: e.account_id == "user_sandbox05"),
        (
            [("service_account_ids[]", "svac_sandbox01")],
            lambda e: e.service_account_id == "svac_sandbox01",
        ),
        ([("context_window[]", "200k-1M")], lambda e: e.context_window == "200k-1M"),
        ([("inference_geos[]", "us")], lambda e: e.inference_geo == "us"),
        ([("speeds[]", "fast")], lambda e: e.speed == "fast"),
        ([("models[]", "claude-nobody-uses")], lambda e: False),
    ],
)
def test_filters_leave_what_they_name(reports: Reports, filters: Pairs, admits: Any) -> None:
    found = reports.everything(USAGE, [*reports.range(FIRST, TODAY, limit=31), *filters], **FAST)
    expected = added_up([event for event in events(FIRST, TODAY) if admits(event)], "1d", ())
    assert reported(found, ()) == expected
    assert len(found) == len(days(FIRST, TODAY))


def test_starts_snap_down_and_a_bucket_that_ends_later_is_left_out(reports: Reports) -> None:
    def starts(first: str, end: str, width: str) -> list[str]:
        pairs = [("starting_at", first), ("ending_at", end), ("bucket_width", width)]
        return [bucket["starting_at"] for bucket in reports.everything(USAGE, pairs)]

    assert starts("2026-03-03T17:45:10Z", "2026-03-05T23:59:59Z", "1d") == [
        "2026-03-03T00:00:00Z",
        "2026-03-04T00:00:00Z",
    ]
    assert starts("2026-03-03T17:45:10Z", "2026-03-03T19:00:00Z", "1h") == [
        "2026-03-03T17:00:00Z",
        "2026-03-03T18:00:00Z",
    ]
    assert starts("2026-03-03T17:45:10Z", "2026-03-03T17:45:50Z", "1m") == []


@pytest.mark.parametrize(("width", "default"), [("1d", 7), ("1h", 24), ("1m", 60)])
def test_a_page_holds_the_default_number_of_buckets(
    reports: Reports, width: str, default: int
) -> None:
    page = reports.get(USAGE, reports.range(FIRST, TODAY, width=width))
    assert len(page["data"]) == default
    assert page["has_more"] is True


# Today


def test_without_an_end_the_usage_report_stops_before_today(reports: Reports) -> None:
    buckets = reports.everything(USAGE, [("starting_at", at(FIRST))])
    assert [bucket["starting_at"] for bucket in buckets] == [at(d) for d in days(FIRST, TODAY)]


@pytest.mark.parametrize(("width", "last"), [("1d", "00:00"), ("1h", "15:00"), ("1m", "15:30")])
def test_the_running_bucket_is_the_last_one_when_the_end_reaches_it(
    reports: Reports, width: str, last: str
) -> None:
    tomorrow = TODAY + timedelta(days=1)
    buckets = reports.everything(USAGE, reports.range(TODAY, tomorrow, width=width))
    assert buckets[-1]["starting_at"] == at(TODAY, f"{last}:00")


def test_nothing_is_reported_of_the_future(reports: Reports) -> None:
    first = TODAY + timedelta(days=1)
    assert reports.get(USAGE, reports.range(first, first + timedelta(days=3))) == {
        "data": [],
        "has_more": False,
        "next_page": None,
    }


def test_today_grows_with_the_clock_and_the_past_does_not_change(serve: Serve) -> None:
    with serve() as reports:
        reports.stand_in.now = lambda: NOW.replace(hour=6)
        yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
        usage = reports.range(yesterday, tomorrow)
        code = [("starting_at", str(TODAY)), ("limit", "1000")]
        before, code_before = reports.everything(USAGE, usage), reports.everything(CODE, code)
        reports.stand_in.now = lambda: NOW
        after, code_after = reports.everything(USAGE, usage), reports.everything(CODE, code)
    assert before[0] == after[0]
    tokens = [days[1]["results"][0]["uncached_input_tokens"] for days in (before, after)]
    assert 0 < tokens[0] < tokens[1]
    sessions = [
        sum(record["core_metrics"]["num_sessions"] for record in records)
        for records in (code_before, code_after)
    ]
    assert 0 < sessions[0] < sessions[1]
