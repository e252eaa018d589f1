from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from lading import __version__
from lading.sandbox.anthropic import API_KEY, AnthropicStandIn

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench, Reckoning

USAGE, COST, CODE = "usage_messages", "cost_report", "claude_code"
USAGE_PATH, CODE_PATH = "usage_report/messages", "usage_report/claude_code"
WHO = ("account_id", "api_key_id", "model", "service_account_id", "workspace_id")
HOW = ("context_window", "inference_geo", "service_tier", "speed")


def at(day: str, clock: str = "00:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC)


def utc(text: str) -> datetime:
    """As the TIMESTAMP columns hold it."""
    return datetime.fromisoformat(text)


def totals(sums: dict[tuple[Any, ...], tuple[Any, ...]]) -> dict[Any, list[int]]:
    """Per bucket, whatever the groups."""
    found: dict[Any, list[int]] = {}
    for (bucket, *_), counts in sums.items():
        known = found.get(bucket, [0] * len(counts))
        found[bucket] = [a + b for a, b in zip(known, counts, strict=True)]
    return found


def test_the_three_reports_land_as_the_organisation_had_them(bench: Bench) -> None:
    done = bench.extract()
    assert done.failed == frozenset()
    bench.check_everything()


def test_alternative_views_each_add_up_to_what_was_used(bench: Bench, reckoning: Reckoning) -> None:
    start, first, end = at("2026-03-01"), date(2026, 3, 1), date(2026, 3, 21)
    done = bench.extract([bench.ask(USAGE, start, *WHO), bench.ask(USAGE, start, *HOW)])
    by_who, by_how = done.plan.extracts
    assert (by_who.dimensions, by_how.dimensions) == (WHO, HOW)
    landed_who = bench.landed_usage(*WHO, request=by_who.request)
    landed_how = bench.landed_usage(*HOW, request=by_how.request)
    assert landed_who == reckoning.used(first, end, *WHO)
    assert landed_how == reckoning.used(first, end, *HOW)
    ungrouped = {bucket: [*counts] for (bucket,), counts in reckoning.used(first, end).items()}
    assert totals(landed_who) == totals(landed_how) == ungrouped


@pytest.mark.parametrize(
    ("width", "span", "start", "first"),
    [
        ("1h", timedelta(hours=1), at("2026-03-08", "07:00"), date(2026, 3, 8)),
        ("1m", timedelta(minutes=1), at("2026-03-18", "23:10"), date(2026, 3, 18)),
    ],
)
def test_finer_buckets(
    bench: Bench,
    reckoning: Reckoning,
    width: str,
    span: timedelta,
    start: datetime,
    first: date,
) -> None:
    bench.extract([bench.ask(USAGE, start, "model", width=width)])
    expected = reckoning.used(first, date(2026, 3, 21), "model", width=span)
    begin = start.replace(tzinfo=None)
    assert bench.landed_usage("model") == {
        key: counts for key, counts in expected.items() if key[0] >= begin
    }
    ((slices, least, most),) = bench.query(
        "SELECT count(*), min(starting_at), max(ending_at) FROM lading.slices"
    )
    end = utc("2026-03-20T16:00") if width == "1h" else utc("2026-03-20T15:31")
    assert (least, most, slices) == (begin, end, (end - begin) // span)


def test_cost_is_right_to_the_last_decimal_and_ends_yesterday(
    bench: Bench, reckoning: Reckoning
) -> None:
    bench.extract([bench.ask(COST, at("2026-02-01"), "description", "workspace_id")])
    landed = bench.landed_cost("description", "workspace_id")
    billed = reckoning.billed(date(2026, 2, 1), date(2026, 3, 20), "description", "workspace_id")
    assert landed == billed
    assert any(-amount.as_tuple().exponent == 9 for amount in landed.values())  # type: ignore[operator]
    assert sum(landed.values()) == sum(billed.values()) > Decimal(0)
    assert bench.query("SELECT max(ending_at) FROM lading.slices") == [(utc("2026-03-20"),)]


def test_a_day_of_many_pages_keeps_the_reports_order(
    bench: Bench, stand_in: AnthropicStandIn, reckoning: Reckoning
) -> None:
    bench.edit("sources/claude.yml", ("page_size: 1000", "page_size: 2"))
    bench.extract([bench.ask(CODE, at("2026-03-10"))])
    seen = datetime(2026, 3, 20, 14, 30, 20, tzinfo=UTC)
    expected = reckoning.recorded(date(2026, 3, 10), date(2026, 3, 21), until=seen)
    assert bench.landed_code() == expected
    pages = sum(max(1, -(-len(records) // 2)) for records in expected.values())
    assert len(stand_in.requests) == pages > 3 * len(expected)


def test_the_parameters_are_those_that_the_api_wants(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    bench.extract(
        [
            bench.ask(USAGE, at("2026-03-15"), "workspace_id", "model"),
            bench.ask(COST, at("2026-03-15"), "workspace_id"),
            bench.ask(CODE, at("2026-03-19")),
        ]
    )
    assert bench.asked(stand_in.requests, USAGE_PATH) == [
        {
            "starting_at": ["2026-03-15T00:00:00Z"],
            "ending_at": ["2026-03-21T00:00:00Z"],
            "bucket_width": ["1d"],
            "group_by[]": ["model", "workspace_id"],
            "limit": ["31"],
        }
    ]
    assert bench.asked(stand_in.requests, "cost_report") == [
        {
            "starting_at": ["2026-03-15T00:00:00Z"],
            "ending_at": ["2026-03-20T00:00:00Z"],
            "bucket_width": ["1d"],
            "group_by[]": ["workspace_id"],
            "limit": ["31"],
        }
    ]
    code = sorted(bench.asked(stand_in.requests, CODE_PATH), key=str)
    assert code == [
        {"starting_at": [day], "limit": ["1000"]} for day in ("2026-03-19", "2026-03-20")
    ]


def test_every_request_says_who_asks(bench: Bench, stand_in: AnthropicStandIn) -> None:
    bench.extract()
    for request in stand_in.requests:
        assert request.headers["x-api-key"] == API_KEY
        assert request.headers["anthropic-version"] == "2023-06-01"
        assert request.headers["user-agent"].startswith(f"lading/{__version__} ")
        assert "authorization" not in request.headers
        assert "anthropic-beta" not in request.headers


def test_the_beta_header_goes_with_speed_and_with_nothing_else(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    start = at("2026-03-15")
    bench.extract(
        [bench.ask(USAGE, start, *WHO), bench.ask(USAGE, start, *HOW), bench.ask(COST, start)]
    )
    betas = {
        "group_by[]=speed" in {f"{name}={value}" for name, value in request.query}: (
            request.headers.get("anthropic-beta")
        )
        for request in stand_in.requests
    }
    assert betas == {True: "fast-mode-2026-02-01", False: None}


def test_what_landed_is_on_record(bench: Bench, stand_in: AnthropicStandIn) -> None:
    done = bench.extract()
    requests = bench.query("""
        SELECT stream, min(starting_at), max(ending_at), count(*), sum(pages)::BIGINT,
            list(DISTINCT status), list(DISTINCT reason), bool_and(started_at <= ended_at),
            bool_and(error IS NULL)
        FROM lading.requests GROUP BY stream ORDER BY stream""")
    days = utc("2026-02-01"), utc("2026-02-20"), utc("2026-03-20"), utc("2026-03-21")
    assert requests == [
        (CODE, days[1], days[3], 29, 29, ["landed"], ["new"], True, True),
        (COST, days[0], days[2], 2, 2, ["landed"], ["new"], True, True),
        (USAGE, days[0], days[3], 2, 2, ["landed"], ["new"], True, True),
    ]
    assert done.extraction.http_requests == len(stand_in.requests) == 33
    counted = dict(
        bench.query("SELECT stream, sum(records)::BIGINT FROM lading.requests GROUP BY 1")
    )
    for stream, records in counted.items():
        ((rows, slices),) = bench.query(
            f"""SELECT (SELECT count(*) FROM raw."{stream}"),
                (SELECT sum(records)::BIGINT FROM lading.slices WHERE stream = $1)""",
            stream,
        )
        assert rows == slices == records > 0
    assert bench.query("SELECT DISTINCT connection, run_id FROM lading.slices") == [
        ("anthropic", done.run.id)
    ]


def test_slices_are_closed_once_they_ended_before_the_lookback(bench: Bench) -> None:
    bench.extract()
    closed = bench.query("""
        SELECT stream, min(starting_at) FILTER (closed), max(ending_at) FILTER (closed),
            min(starting_at) FILTER (NOT closed), max(ending_at) FILTER (NOT closed)
        FROM lading.slices GROUP BY ALL ORDER BY ALL""")
    first, code, bound = utc("2026-02-01"), utc("2026-02-20"), utc("2026-03-17")
    assert closed == [
        (CODE, code, bound, bound, utc("2026-03-21")),
        (COST, first, bound, bound, utc("2026-03-20")),
        (USAGE, first, bound, bound, utc("2026-03-21")),
    ]


def test_a_second_run_asks_for_the_open_days_alone_and_doubles_nothing(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    bench.extract()
    before = len(stand_in.requests)
    done = bench.extract()
    asked = stand_in.requests[before:]
    assert {query["starting_at"][0] for query in bench.asked(asked, USAGE_PATH)} == {
        "2026-03-17T00:00:00Z"
    }
    assert {query["starting_at"][0] for query in bench.asked(asked, "cost_report")} == {
        "2026-03-17T00:00:00Z"
    }
    code = sorted(query["starting_at"][0] for query in bench.asked(asked, CODE_PATH))
    assert code == ["2026-03-17", "2026-03-18", "2026-03-19", "2026-03-20"]
    assert {(each.extract.stream.name, each.reason) for each in done.plan.requests} == {
        (USAGE, "lookback"),
        (COST, "lookback"),
        (CODE, "lookback"),
        (CODE, "current"),
    }
    bench.check_everything()


def test_days_later_the_figures_have_moved_on(
    bench: Bench, stand_in: AnthropicStandIn, now_is: Callable[[datetime], None]
) -> None:
    bench.extract()
    before = len(stand_in.requests)
    now_is(datetime(2026, 3, 25, 0, 5, tzinfo=UTC))
    bench.extract()
    bench.check_everything()
    first = min(
        query["starting_at"][0] for query in bench.asked(stand_in.requests[before:], USAGE_PATH)
    )
    assert first == "2026-03-17T00:00:00Z"


def test_an_earlier_start_brings_only_what_is_missing(
    bench: Bench, stand_in: AnthropicStandIn, reckoning: Reckoning
) -> None:
    bench.extract([bench.ask(USAGE, at("2026-03-01"), "model")])
    before = len(stand_in.requests)
    done = bench.extract([bench.ask(USAGE, at("2026-02-10"), "model")])
    assert [
        (each.period.starting_at, each.period.ending_at, each.reason) for each in done.plan.requests
    ] == [
        (at("2026-02-10"), at("2026-03-01"), "gap"),
        (at("2026-03-17"), at("2026-03-21"), "lookback"),
    ]
    assert len(stand_in.requests) == before + 2
    expected = reckoning.used(date(2026, 2, 10), date(2026, 3, 21), "model")
    assert bench.landed_usage("model") == expected


def test_a_start_in_the_future_fetches_nothing_and_ends(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    later = at("2026-04-01")
    done = bench.extract([bench.ask(name, later) for name in (USAGE, COST, CODE)])
    assert stand_in.requests == []
    assert done.extraction.http_requests == 0
    assert [outcome.requests for outcome in done.extraction.outcomes] == [0, 0, 0]
    assert bench.query("SELECT count(*) FROM lading.requests") == [(0,)]


def test_the_time_zone_of_the_machine_does_not_matter(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    process = bench.start()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
    bench.check_everything()
    ((started,),) = bench.query("SELECT started_at FROM lading.runs")
    assert started == utc("2026-03-20T15:30:20")
