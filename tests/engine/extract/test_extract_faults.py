from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.anthropic import WORKSPACE_KEY, AnthropicStandIn
from lading.sandbox.faults import Fault, Faults
from lading.sandbox.server import Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.extract.conftest import Bench, Reckoning

USAGE, COST, CODE = "usage_messages", "cost_report", "claude_code"
USAGE_PATH, CODE_PATH = "usage_report/messages", "usage_report/claude_code"
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def on_record(bench: Bench, stream: str) -> Counter[str]:
    rows = bench.query("SELECT status FROM lading.requests WHERE stream = $1", stream)
    return Counter(status for (status,) in rows)


def errors(bench: Bench, stream: str) -> set[str]:
    rows = bench.query(
        "SELECT DISTINCT error FROM lading.requests WHERE stream = $1 AND status <> 'landed'",
        stream,
    )
    return {error for (error,) in rows}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("429", times=2),
        Fault("429", times=2, retry_after=0.02),
        Fault("429", times=2, retry_after=0),
        Fault("429", times=2, reset=0),
        Fault("408", times=2),
        Fault("500", times=2),
        Fault("503", times=2, retry_after=0.02),
        Fault("529", times=2),
        Fault("reset", times=2),
        Fault("truncated", times=2),
        Fault("garbled", times=2),
    ],
    ids=lambda fault: (
        "-".join(
            [
                fault.kind,
                *(name for name in ("retry_after", "reset") if getattr(fault, name) is not None),
            ]
        )
        + ("-zero" if fault.retry_after == 0 else "")
    ),
)
def test_what_passes_ends_right(
    bench: Bench, stand_in: AnthropicStandIn, reckoning: Reckoning, fault: Fault
) -> None:
    stand_in.faults.add(fault)
    done = bench.extract([bench.ask(USAGE, MARCH, "model"), bench.ask(COST, MARCH)])
    assert done.failed == frozenset()
    expected = reckoning.used(date(2026, 3, 1), date(2026, 3, 21), "model")
    assert bench.landed_usage("model") == expected
    assert bench.landed_cost() == reckoning.billed(date(2026, 3, 1), date(2026, 3, 20))
    assert done.extraction.retries == 2
    assert done.extraction.http_requests == len(stand_in.requests) == 4


@pytest.mark.parametrize("kind", ["429", "500", "reset", "truncated", "garbled"])
def test_a_report_that_fails_for_good_is_told_and_the_others_land(
    bench: Bench, stand_in: AnthropicStandIn, kind: str
) -> None:
    if kind == "429":  # each refusal slows the whole run down
        bench.edit("project.yml", ("tries: 3", "tries: 1"))
    stand_in.faults.add(Fault(kind, path="cost_report", times=None))
    done = bench.extract()
    assert done.failed == {COST}
    assert on_record(bench, USAGE) == {"landed": 2}
    assert on_record(bench, CODE) == {"landed": 29}
    assert on_record(bench, COST) == {"failed": 2}
    assert bench.query("SELECT count(*) FROM lading.slices WHERE stream = $1", COST) == [(0,)]
    said = "; ".join(errors(bench, COST))
    wanted = {"reset": stand_in.base_url, "truncated": stand_in.base_url, "garbled": "not parse"}
    assert wanted.get(kind, f"answers {kind}") in said
    (outcome,) = (each for each in done.extraction.outcomes if each.failures)
    assert (outcome.requests, outcome.landed, len(outcome.failures)) == (2, 0, 2)
    stand_in.faults.clear()
    assert bench.extract().failed == frozenset()
    bench.check_everything()


def test_a_report_that_is_down_is_not_asked_on_and_on(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    """Three requests that came to nothing are enough, with those under way meanwhile."""
    stand_in.faults.add(Fault("529", path=CODE_PATH, times=None))
    done = bench.extract()
    assert done.failed == {CODE}
    counted = on_record(bench, CODE)
    assert counted.total() == 29
    assert set(counted) == {"failed", "not asked"}
    assert 3 <= counted["failed"] <= 3 + 4
    tries = len(bench.asked(stand_in.requests, CODE_PATH))
    assert tries == 3 * counted["failed"]
    assert any("not asked: " in error and "529" in error for error in errors(bench, CODE))
    stand_in.faults.clear()
    bench.extract()
    bench.check_everything()


def test_some_days_that_fail_leave_the_others_of_the_same_report(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    """Failures in between that do not follow each other are no reason to give up."""
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    for day in ("2026-02-27", "2026-03-01", "2026-03-05", "2026-03-09"):
        stand_in.faults.add(Fault("500", path=CODE_PATH, query=f"starting_at={day}", times=None))
    assert bench.extract().failed == {CODE}
    assert on_record(bench, CODE) == {"landed": 25, "failed": 4}
    stand_in.faults.clear()
    done = bench.extract()
    gaps = [each for each in done.plan.requests if each.reason == "gap"]
    assert [f"{each.period.starting_at:%m-%d}" for each in gaps] == [
        "02-27",
        "03-01",
        "03-05",
        "03-09",
    ]
    bench.check_everything()


def test_a_repeated_cursor_ends_in_an_error_and_keeps_nothing(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    stand_in.faults.add(Fault("repeated_cursor", path=CODE_PATH, times=None))
    stand_in.faults.add(Fault("repeated_cursor", path=USAGE_PATH, times=None))
    done = bench.extract()
    assert done.failed == {CODE, USAGE}
    for stream in (CODE, USAGE):
        assert "landed" not in on_record(bench, stream)
        assert bench.query(f'SELECT count(*) FROM raw."{stream}"') == [(0,)]
        assert any("cursor" in error and "repeats" in error for error in errors(bench, stream))
    assert on_record(bench, COST) == {"landed": 2}
    stand_in.faults.clear()
    bench.extract()
    bench.check_everything()


def test_a_report_that_the_key_may_not_read_is_asked_for_once(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    stand_in.faults.add(Fault("403", path=CODE_PATH, times=None))
    done = bench.extract()
    assert done.failed == {CODE}
    assert len(bench.asked(stand_in.requests, CODE_PATH)) == 1
    assert on_record(bench, CODE) == {"failed": 1, "not asked": 28}
    assert on_record(bench, USAGE) == on_record(bench, COST) == {"landed": 2}
    hints = {failure.hint for each in done.extraction.outcomes for failure in each.failures}
    assert any(hint and "Admin API key" in hint for hint in hints)


def test_other_views_of_a_forbidden_report_are_not_asked_for_either(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    stand_in.faults.add(Fault("403", path=USAGE_PATH, times=None))
    widths = [bench.ask(USAGE, MARCH, width=width) for width in ("1d", "1h")]
    done = bench.extract([*widths, bench.ask(COST, MARCH)])
    assert done.failed == {USAGE}
    assert len(bench.asked(stand_in.requests, USAGE_PATH)) == 1
    assert on_record(bench, COST) == {"landed": 1}


@pytest.mark.parametrize(
    ("key", "status", "requests"), [("no-such-key", "401", 1), (WORKSPACE_KEY, "403", 3)]
)
def test_a_wrong_key_stops_everything_after_few_requests(
    bench: Bench, stand_in: AnthropicStandIn, key: str, status: str, requests: int
) -> None:
    """One request with a key that is none, one for each report that a key may not read."""
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    bench.key = key
    done = bench.extract()
    assert done.failed == {USAGE, COST, CODE}
    assert len(stand_in.requests) == requests
    assert bench.query("SELECT count(*), count(DISTINCT status) FROM lading.requests") == [(33, 2)]
    for stream in (USAGE, COST, CODE):
        assert all(f"answers {status}" in error for error in errors(bench, stream))
    bench.key = stand_in.api_key
    bench.extract()
    bench.check_everything()


@pytest.mark.parametrize("status", [400, 404, 413])
def test_what_is_wrong_with_the_request_is_not_asked_again(
    bench: Bench, stand_in: AnthropicStandIn, status: int
) -> None:
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    stand_in.faults.add(Fault(str(status), path=CODE_PATH, times=None))
    done = bench.extract()
    assert done.failed == {CODE}
    assert len(bench.asked(stand_in.requests, CODE_PATH)) == 1
    assert done.extraction.retries == 0


def limits(bench: Bench, stand_in: AnthropicStandIn) -> list[int]:
    return [int(query["limit"][0]) for query in bench.asked(stand_in.requests, USAGE_PATH)]


def test_pages_that_are_too_dense_are_halved_and_complete(
    bench: Bench, stand_in: AnthropicStandIn, reckoning: Reckoning
) -> None:
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    stand_in.faults.add(Fault("dense", path=USAGE_PATH, times=None, limit=7))
    done = bench.extract([bench.ask(USAGE, datetime(2026, 2, 1, tzinfo=UTC), "model")])
    assert done.failed == frozenset()
    expected = reckoning.used(date(2026, 2, 1), date(2026, 3, 21), "model")
    assert bench.landed_usage("model") == expected
    # 31 days, then the 17 that are left: the size that was found is kept.
    assert limits(bench, stand_in) == [31, 15, 7, 7, 7, 7, 7, 7, 7, 7]
    assert [event["code"] for event in map(json.loads, bench.lines)].count("page_too_dense") == 2


def test_only_what_is_dense_is_asked_for_in_smaller_pages(
    bench: Bench, stand_in: AnthropicStandIn, reckoning: Reckoning
) -> None:
    """The first pages of a chain are kept, and the rest is asked for from where they end."""
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    dimensions = ("api_key_id", "context_window", "model", "service_tier", "workspace_id")
    stand_in.max_bucket_results = 25
    done = bench.extract([bench.ask(USAGE, datetime(2026, 2, 1, tzinfo=UTC), *dimensions)])
    assert done.failed == frozenset()
    expected = reckoning.used(date(2026, 2, 1), date(2026, 3, 21), *dimensions)
    assert bench.landed_usage(*dimensions) == expected
    assert set(limits(bench, stand_in)) == {31, 15, 7, 3, 1}
    starts = {query["starting_at"][0] for query in bench.asked(stand_in.requests, USAGE_PATH)}
    assert len(starts) > 2
    assert bench.query("SELECT count(*) FROM raw.usage_messages") == [(48,)]


def test_a_bucket_that_is_too_dense_alone_is_an_error(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    stand_in.faults.add(Fault("dense", path=USAGE_PATH, times=None, limit=0))
    done = bench.extract([bench.ask(USAGE, MARCH, "model")])
    assert done.failed == {USAGE}
    assert limits(bench, stand_in) == [31, 15, 7, 3, 1]
    assert any("too large" in error for error in errors(bench, USAGE))


@pytest.mark.parametrize("pages_before", [0, 1])
def test_a_day_that_is_too_dense_begins_anew_with_smaller_pages(
    bench: Bench, stand_in: AnthropicStandIn, pages_before: int
) -> None:
    """Also in the middle of its chain: a page that came before is not there twice."""
    bench.edit("project.yml", ("concurrency: 4", "concurrency: 1"))
    bench.edit("sources/claude.yml", ("page_size: 1000", "page_size: 4"))
    asking = bench.ask(CODE, datetime(2026, 3, 19, tzinfo=UTC))
    whole = bench.extract([asking])
    assert whole.failed == frozenset()
    landed = "SELECT starting_at, ordinal, payload FROM raw.claude_code ORDER BY ALL"
    before = bench.query(landed)
    stand_in.requests.clear()
    stand_in.faults.add(Fault("dense", path=CODE_PATH, limit=2, times=None, after=pages_before))
    assert bench.extract([asking]).failed == frozenset()
    assert bench.query(landed) == before
    asked = [int(query["limit"][0]) for query in bench.asked(stand_in.requests, CODE_PATH)]
    assert asked[: pages_before + 2] == [4] * (pages_before + 1) + [2]
    assert set(asked[pages_before + 1 :]) == {2}


def test_a_redirect_is_refused_and_the_key_stays_here(
    bench: Bench, stand_in: AnthropicStandIn
) -> None:
    with StandIn("elsewhere", lambda request: json_response(200, {"data": []}), Faults()) as other:
        stand_in.faults.add(
            Fault("redirect", path="cost_report", times=None, to=f"{other.base_url}/v1")
        )
        done = bench.extract()
        assert other.requests == []
    assert done.failed == {COST}
    assert on_record(bench, USAGE) == {"landed": 2}
    assert any("redirects to" in error for error in errors(bench, COST))
    assert done.extraction.retries == 0


def test_a_server_that_repeats_the_key_does_not_get_it_written_down(
    make_bench: Callable[..., Bench], capfd: pytest.CaptureFixture[str]
) -> None:
    key = 'key-"/+of-nobody-at-all'

    def scold(request: Any) -> Response:
        message = f"no such key: {request.headers['x-api-key']}"
        return json_response(401, {"error": {"type": "x", "message": message}})

    with StandIn("scold", scold, Faults()) as server:
        bench = make_bench(server.base_url, key=key)
        done = bench.extract()
    said = [failure.error for each in done.extraction.outcomes for failure in each.failures]
    logged = "\n".join(bench.lines)
    written = b"".join(path.read_bytes() for path in bench.root.rglob("*") if path.is_file())
    assert done.failed == {USAGE, COST, CODE}
    for text in (*said, logged, str(errors(bench, USAGE)), *capfd.readouterr()):
        assert "nobody-at-all" not in text
    assert b"nobody-at-all" not in written
    assert "no such key: ****" in logged
