"""Grouped reports must add up to the ungrouped ones; where they don't, nothing of it is pushed."""

from __future__ import annotations

import json
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.cli.totals.conftest import Alter, Mismatches
    from tests.engine.conftest import Desk, Done

USAGE, COST = "/v1/organizations/usage_report/messages", "/v1/organizations/cost_report"
FIRST = datetime(2026, 2, 1, tzinfo=UTC)
# With the present on the fifth of February at 15:30, four days are over, of which the first is
# closed, and nobody did anything on the second.
USED = ["2026-02-01", "2026-02-03", "2026-02-04"]
USAGE_BLUEPRINTS = ("claude_usage_record", "claude_workspace_usage", "claude_model_usage")


def asked(desk: Desk, path: str) -> list[bool]:
    """Which requests of a report were grouped."""
    return [
        any(name == "group_by[]" for name, _ in request.query)
        for request in desk.anthropic.requests
        if request.path == path
    ]


def named(done: Done) -> list[str]:
    """The figures that a run named, a line for each."""
    return [line for line in done.err.splitlines() if line.startswith("error: usage_messages (")]


def held_usage(desk: Desk) -> list[int]:
    return [len(desk.held(blueprint)) for blueprint in USAGE_BLUEPRINTS]


def assert_right(desk: Desk, reckoning: Reckoning) -> None:
    """What Port holds of usage is what the organisation used."""
    used = reckoning.usage(desk.now, first=FIRST)
    held = desk.held("claude_usage_record")
    assert {each["record_date"][:10]: each["output_tokens"] for each in held.values()} == {
        f"{start:%Y-%m-%d}": counts["output_tokens"] for (start,), counts in used.items()
    }
    by_model = desk.held("claude_model_usage").values()
    assert sum(each["output_tokens"] for each in by_model) == sum(
        counts["output_tokens"] for counts in used.values()
    )


def test_what_agrees_is_said_and_pushed(
    late: Desk, reckoning: Reckoning, mismatches: Mismatches
) -> None:
    done = late.run("sync")
    assert done.code == 0, done.err
    # The day that is not over is not compared.
    assert "\nControl totals: 4 buckets of usage_messages agree\n" in done.out
    assert "cost_report agree" not in done.out
    assert sorted(asked(late, USAGE)) == [False, True]
    assert asked(late, COST) == [False]
    views = late.query(
        "SELECT request ->> '$.group_by', count(*), count(*) FILTER (closed) FROM lading.slices "
        "WHERE stream = 'usage_messages' GROUP BY ALL ORDER BY 1"
    )
    assert views == [('["model","workspace_id"]', 5, 1), ("[]", 5, 1)]
    assert mismatches() == []
    checks = "SELECT connection, stream, buckets, differing FROM lading.control_checks"
    assert late.query(checks) == [("anthropic", "usage_messages", 4, 0)]
    assert_right(late, reckoning)


def test_what_differs_is_named_and_not_pushed(
    late: Desk, reckoning: Reckoning, mismatches: Mismatches
) -> None:
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    done = late.run("sync")
    assert done.code == 1
    assert "Control totals: 3 of 4 buckets of usage_messages differ" in done.out
    # Five figures are named, the first of them that of the first field of the first day.
    assert len(named(done)) == 5
    right = reckoning.usage(late.now, first=FIRST)[FIRST,]["uncached_input_tokens"]
    ((wrong,),) = late.query(
        "SELECT sum(n)::BIGINT FROM (SELECT unnest(payload ->> "
        "'$.results[*].uncached_input_tokens')::BIGINT AS n FROM raw.usage_messages "
        "WHERE starting_at = '2026-02-01' AND request ->> '$.group_by' <> '[]')"
    )
    assert named(done)[0] == (
        "error: usage_messages (anthropic) 1d 2026-02-01T00:00Z: uncached_input_tokens is "
        f"{wrong} by model, workspace_id, and {right} ungrouped"
    )
    found = mismatches()
    assert sorted({day for day, *_ in found}) == USED
    assert len(found) > 5
    assert ("2026-02-01", "uncached_input_tokens", wrong, right) in found
    # Both were fetched once more before it was said.
    assert sorted(asked(late, USAGE)) == [False, False, True, True]
    assert held_usage(late) == [0, 0, 0]
    for blueprint in USAGE_BLUEPRINTS:
        why = "is not pushed: control totals of usage_messages differ"
        assert f"error: {blueprint} {why}" in done.err
    # What needs none of it is pushed.
    assert len(late.held("claude_cost_record")) == 3
    assert late.query("SELECT status FROM lading.runs") == [("incomplete",)]


def test_a_log_event_tells_machines(late: Desk) -> None:
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    done = late.run("extract", "--log-format", "json")
    assert done.code == 1
    events = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    (event,) = [each for each in events if each["code"] == "control_totals"]
    assert (event["level"], event["stream"], event["connection"]) == (
        "error",
        "usage_messages",
        "anthropic",
    )
    assert (event["buckets"], event["differing"], len(event["figures"])) == (4, 3, 5)


def test_what_came_late_between_the_two_is_fetched_once_more(
    late: Desk, reckoning: Reckoning, mismatches: Mismatches
) -> None:
    """The first grouped answer lacks something that the next one has."""
    late.anthropic.faults.add(Fault("undercount", query="group_by", every=1, times=1))
    done = late.run("sync")
    assert done.code == 0, done.err
    assert "usage_messages: 3 of 4 buckets differ grouped and ungrouped" in done.err
    assert "Control totals: 4 buckets of usage_messages agree" in done.out
    again = late.query(
        "SELECT request ->> '$.group_by' <> '[]', starting_at::DATE::VARCHAR, "
        "ending_at::DATE::VARCHAR, status FROM lading.requests WHERE reason = 'differed' ORDER BY 1"
    )
    # The days that are over, the closed one with them, and not the present one.
    assert again == [(each, "2026-02-01", "2026-02-05", "landed") for each in (False, True)]
    assert mismatches() == []
    late.forget_requests()
    assert late.run("sync").code == 0
    # The figures that were sent are the right ones; but the present day was left as it came.
    assert_right(late, reckoning)
    assert len(asked(late, USAGE)) == 2


def test_it_stays_found_until_it_is_put_right(late: Desk, reckoning: Reckoning) -> None:
    """A closed day that differs is asked for again and again, and blocks until it agrees."""
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    assert late.run("extract").code == 1
    for command in ("push", "sync"):
        done = late.run(command)
        assert done.code == 1
        assert "claude_usage_record is not pushed: control totals of usage_messages" in done.err
    assert held_usage(late) == [0, 0, 0]
    late.anthropic.faults.clear()
    late.forget_requests()
    done = late.run("sync")
    assert done.code == 0, done.err
    assert "Control totals: 4 buckets of usage_messages agree" in done.out
    assert_right(late, reckoning)
    # From now on its closed day is left alone.
    late.forget_requests()
    assert late.run("extract").code == 0
    starts = {
        dict(each.query)["starting_at"] for each in late.anthropic.requests if "mes" in each.path
    }
    assert starts == {"2026-02-02T00:00:00Z"}


def test_push_alone_follows_the_last_extraction(late: Desk) -> None:
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    assert late.run("extract").code == 1
    assert late.run("plan").code == 1
    late.anthropic.faults.clear()
    assert late.run("extract").code == 0
    assert late.run("push").code == 0
    assert held_usage(late)[0] == 4


def test_only_the_buckets_that_differ_are_named(late: Desk, mismatches: Mismatches) -> None:
    # Counted from 1970 on, the third of February is a third day.
    late.anthropic.faults.add(Fault("undercount", path=USAGE, every=3, times=None))
    done = late.run("extract")
    assert done.code == 1
    assert "Control totals: 1 of 4 buckets of usage_messages differ" in done.out
    days = {day for day, *_ in mismatches()}
    assert len(days) == 1
    assert all(f" 1d {next(iter(days))}T00:00Z: " in line for line in named(done))


def test_the_present_bucket_is_not_compared(late: Desk, altered: Alter) -> None:
    def lose(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        for bucket in buckets:
            if is_grouped and bucket["starting_at"].startswith("2026-02-05"):
                bucket["results"].clear()

    altered(lose)
    assert late.run("extract").code == 0


OFF = pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--no-control-totals"], {}), ([], {"LADING_NO_CONTROL_TOTALS": "1"})],
    ids=["flag", "environment"],
)


@OFF
@pytest.mark.parametrize("command", ["sync", "extract"])
def test_a_run_without_them(
    late: Desk, command: str, arguments: list[str], environment: dict[str, str]
) -> None:
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    done = late.run(command, *arguments, environment=environment)
    assert done.code == 0, done.err
    assert "Control totals" not in done.out
    assert asked(late, USAGE) == [True]
    assert late.query("FROM lading.control_checks") == []


def test_a_run_without_them_lets_push_go_on(late: Desk) -> None:
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    assert late.run("extract").code == 1
    assert late.run("extract", "--no-control-totals").code == 0
    assert late.run("push").code == 0
    # The next run with them finds it all the same.
    assert late.run("extract").code == 1


@pytest.mark.parametrize("setting", ["        control_totals: []\n", ""])
def test_a_stream_without_them(late: Desk, setting: str) -> None:
    path = late.root / "sources/claude.yml"
    text = re.sub(r" {8}control_totals:\n( {10}- .*\n)+", setting, path.read_text("utf-8"))
    path.write_text(text, "utf-8")
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    done = late.run("extract")
    assert done.code == 0, done.err
    assert asked(late, USAGE) == [True]
    assert "Control totals" not in done.out


def test_a_history_without_them_is_compared_once_they_are_on(
    late: Desk, reckoning: Reckoning
) -> None:
    """Also its closed days: what is wrong in them is fetched again, and put right in Port."""
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    assert late.run("sync", "--no-control-totals").code == 0
    late.anthropic.faults.clear()
    done = late.run("sync")
    assert done.code == 0, done.err
    assert "usage_messages: 1 of 4 buckets differ grouped and ungrouped" in done.err
    assert_right(late, reckoning)


def test_a_day_that_could_not_be_fetched_is_not_compared(
    late: Desk, mismatches: Mismatches
) -> None:
    """What landed of it when it was the present day is no finding beside the whole day."""
    assert late.run("extract").code == 0
    late.now += timedelta(days=1)
    late.anthropic.faults.add(Fault("400", path=USAGE, query="group_by", times=None))
    done = late.run("sync")
    assert done.code == 1
    assert "claude_usage_record is not pushed: usage_messages could not be fetched" in done.err
    assert mismatches() == []


def test_a_grouping_that_is_no_longer_asked_for_is_not_compared(late: Desk) -> None:
    assert late.run("extract").code == 0
    late.edit("mappings/claude.yml", "groupBy:\n        - workspace_id", "groupBy: []")
    late.now += timedelta(days=1)
    done = late.run("extract")
    assert done.code == 0, done.err
    assert late.query("SELECT count(DISTINCT request) FROM raw.usage_messages") == [(3,)]


def test_a_run_that_was_killed_before_it_compared(late: Desk, altered: Alter) -> None:
    """What it had received is compared by the next run, the closed day with the others."""
    held: list[duckdb.DuckDBPyConnection] = []
    one_at_a_time = threading.Lock()

    def hold(path: str, is_grouped: bool, buckets: list[dict[str, Any]]) -> None:
        with one_at_a_time:
            if not held:
                held.append(duckdb.connect(str(late.database)))

    altered(hold)
    late.anthropic.faults.add(Fault("undercount", every=1, times=None))
    process = late.start("extract")
    assert process.stderr is not None
    assert any("waiting for claude.duckdb" in line for line in process.stderr)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    held[0].close()
    late.anthropic.faults.clear()
    done = late.run("extract")
    assert done.code == 0, done.err
    assert "that a run that did not end had received" in done.err
    assert "usage_messages: 1 of 4 buckets differ grouped and ungrouped" in done.err


def test_how_many_requests_the_shipped_mapping_takes(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert desk.run("extract").code == 0
    assert (len(asked(desk, USAGE)), len(asked(desk, COST))) == (22, 11)
    # One for each of 326 days of Claude Code, and one for each of the four lists.
    assert len(desk.anthropic.requests) == 22 + 11 + 326 + 4
    # An hour later no list is asked for; a day later each one is.
    for later, most in ((timedelta(hours=1), 7), (timedelta(hours=23), 7 + 1 + 4)):
        desk.forget_requests()
        desk.now += later
        assert desk.run("extract").code == 0
        assert len(desk.anthropic.requests) == most


def test_what_is_filled_in_before_the_start_is_compared_and_fetched_again_too(late: Desk) -> None:
    late.anthropic.faults.add(Fault("undercount", query="group_by", every=1, times=1))
    done = late.run("extract", "--start", "2026-01-29", "--end", "2026-01-31")
    assert done.code == 0, done.err
    assert "usage_messages: 2 of 2 buckets differ grouped and ungrouped" in done.err
    assert "Control totals: 2 buckets of usage_messages agree" in done.out


@pytest.mark.parametrize("arguments", [[], ["--no-control-totals"]])
def test_the_plan_shows_them(late: Desk, arguments: list[str]) -> None:
    done = late.run("extract", "--dry-run", "-o", "json", *arguments)
    assert done.code == 0, done.err
    usage = [each for each in json.loads(done.out) if each["stream"] == "usage_messages"]
    serves = {tuple(each["group_by"]): each["serves"] for each in usage}
    assert (serves.pop((), None) == ["control totals"]) is not bool(arguments)
    assert list(serves) == [("model", "workspace_id")]
