"""`lading status` and `lading test`: how things stand, and what must hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.engine.cli.books.conftest import begin_in_february, status_in_json

from lading.pipeline.context import open_context, working
from lading.project.environment import Environment
from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, Done, MakeDesk

REPORTS = ["usage_messages", "cost_report", "claude_code"]
LISTS = ["workspaces", "api_keys", "users", "organization"]
STREAMS = [*REPORTS, *LISTS]
# What has landed is checked, not what models make of it.
OF_SOURCES = ("--select", "source:claude_platform")
LINE = re.compile(r"(\d+) of (\d+) ([A-Z]+) ((?:freshness|control totals) of \w+)")


@pytest.fixture(scope="module")
def synced(make_desk: MakeDesk) -> Desk:
    """A small project that has been synced, of the five days up to the present; Anthropic was not
    well at first, and Port refused each seventh entity of a bulk. Not to be written to."""
    desk = begin_in_february(make_desk())
    desk.anthropic.faults.add(Fault("500", path="claude_code", times=2))
    desk.port.faults.add(Fault("207", every=7, times=None))
    assert desk.run("sync").code == 1
    return desk


@pytest.fixture
def later(synced: Desk) -> Iterator[Desk]:
    """The same, whose clock may be put forward."""
    now = synced.now
    yield synced
    synced.now = now


def lines(done: Done) -> list[tuple[str, str]]:
    """The outcome of each check by its name, in their order."""
    found = LINE.findall(done.err)
    assert [(number, total) for number, total, _, _ in found] == [
        (str(number), str(len(found))) for number in range(1, len(found) + 1)
    ]
    return [(outcome, name) for _, _, outcome, name in found]


def states(status: Done) -> dict[str, tuple[str, int]]:
    """How each stream stands, and by how many hours it is behind, of a status in JSON."""
    return {
        each["stream"]: (each["state"], each["behind_seconds"] // 3600)
        for each in json.loads(status.out)["freshness"]
    }


def test_status_right_after_a_sync(synced: Desk) -> None:
    done = synced.run("status")
    assert (done.code, done.err) == (0, "")
    entities = len(synced.port.entities)
    ((refused, of_cost),) = synced.query(
        "SELECT count(*), count(*) FILTER (blueprint = 'claude_cost_record') FROM lading.refused"
    )
    assert refused > 0
    # However long it took: it began at a moment that was made up.
    assert re.search(
        rf"^  2026-02-05 15:30  sync +incomplete +1  \S.* +\d+ +{entities} +{refused}\n"
        r"    12 requests, 2 tried again$",
        done.out,
        re.M,
    )
    assert re.search(r"^  cost_report +ok +2026-02-05 00:00 +0m +1d 12h +3d$", done.out, re.M)
    assert re.search(r"^  claude_code +ok +2026-02-05 15:30 +0m +1d 12h +3d$", done.out, re.M)
    assert re.search(r"^  cost_report +1d .* 3  open\n    asked for again", done.out, re.M)
    # What ended by the start of the second, three days before today, is not asked for again.
    for stream in REPORTS:
        closed = r"2026-02-01 +2026-02-02  2026-02-06 00:00"
        assert re.search(rf"^  {stream} +{closed}$", done.out, re.M)
    assert "\nNothing was restated in the last 35 days.\n" in done.out
    assert f") holds {entities} of {entities + refused} entities:\n" in done.out
    held = len(synced.held("claude_cost_record"))
    figures = rf"{held + of_cost} +{held} +{of_cost} +{of_cost}  2026-02-05 15:30"
    assert re.search(rf"^  claude_cost_record +{figures}$", done.out, re.M)


def test_the_books_have_requests_retries_bytes_and_entities(synced: Desk) -> None:
    ((status, requests, failed, retries, records, entities, refused, error),) = synced.query(
        "SELECT status, requests, failed, retries, records, entities, refused, error "
        "FROM lading.run_totals"
    )
    assert (status, failed, retries, error) == ("incomplete", 0, 2, None)
    # A request of each bucket report (of usage grouped and not), one a day, and one of each list.
    assert requests == 3 + 5 + 4
    assert entities == len(synced.port.entities) > 0
    assert [(refused,)] == synced.query("SELECT count(*) FROM lading.refused")
    assert synced.query(
        "SELECT stream, sum(retries)::INT, bool_and(bytes > 0), bool_and(ended_at >= started_at) "
        "FROM lading.requests GROUP BY 1 ORDER BY 1"
    ) == [(each, 2 if each == "claude_code" else 0, True, True) for each in sorted(STREAMS)]
    assert synced.query("SELECT sum(records)::INT FROM lading.slices") == [(records,)]


def test_status_as_json(synced: Desk) -> None:
    said = status_in_json(synced)
    (run,) = said["runs"]
    assert (run["command"], run["status"], run["retries"]) == ("sync", "incomplete", 2)
    assert (run["exit_code"], run["deleted"]) == (1, 0)
    assert run["started_at"] == "2026-02-05T15:30:00Z"
    assert run["requests"] == 12
    assert [each["stream"] for each in said["freshness"]] == STREAMS
    assert said["freshness"][0] == {
        "connection": "anthropic",
        "stream": "usage_messages",
        "state": "ok",
        "up_to": "2026-02-05T15:30:00Z",
        "behind_seconds": 0,
        "warn_after_seconds": 36 * 3600,
        "error_after_seconds": 72 * 3600,
    }
    assert said["freshness"][3] == {
        "connection": "anthropic",
        "stream": "workspaces",
        "state": "ok",
        "up_to": "2026-02-05T15:30:00Z",
        "behind_seconds": 0,
        "warn_after_seconds": 72 * 3600,
        "error_after_seconds": None,
    }
    assert {each["state"] for each in said["missing"]} == {"open"}
    assert {each["stream"] for each in said["missing"]} == set(REPORTS)
    assert {each["blueprint"]: each["entities"] for each in said["port"]} == {
        name: len(synced.held(name))
        for name in {e.blueprint for e in synced.port.entities.values()}
    }
    refused = dict(synced.query("SELECT blueprint, count(*) FROM lading.refused GROUP BY 1"))
    assert {each["blueprint"]: each["refused"] for each in said["port"] if each["refused"]} == (
        refused
    )
    assert all(each["message"] for each in said["port"] if each["refused"])
    assert [
        (each["stream"], each["closed_up_to"], each["next_day"], each["next_closes_at"])
        for each in said["closing"]
    ] == [
        (each, "2026-02-02T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-06T00:00:00Z")
        for each in REPORTS
    ]


@pytest.mark.parametrize(
    ("hours", "code", "expected"),
    [
        # Cost of the fifth can be had from the sixth on: 8.5 hours later than the sync.
        (
            12,
            0,
            {"usage_messages": ("ok", 12), "cost_report": ("ok", 3), "claude_code": ("ok", 12)},
        ),
        (
            40,
            0,
            {
                "usage_messages": ("warn", 40),
                "cost_report": ("ok", 31),
                "claude_code": ("warn", 40),
            },
        ),
        (
            73,
            1,
            {
                "usage_messages": ("error", 73),
                "cost_report": ("warn", 64),
                "claude_code": ("error", 73),
            },
        ),
    ],
)
def test_as_time_goes_by(
    later: Desk, hours: int, code: int, expected: dict[str, tuple[str, int]]
) -> None:
    later.now += timedelta(hours=hours)
    status = later.run("status", "--output", "json")
    expected |= dict.fromkeys(LISTS, ("ok" if hours <= 72 else "warn", hours))
    assert (status.code, states(status)) == (code, expected)
    done = later.run("test", *OF_SOURCES)
    assert done.code == code
    outcome = {"ok": "PASS", "warn": "WARN", "error": "FAIL"}
    assert lines(done) == [
        *((outcome[expected[stream][0]], f"freshness of {stream}") for stream in STREAMS),
        ("PASS", "control totals of usage_messages"),
    ]
    counts = [state for state, _ in expected.values()]
    said = (
        f"PASS={counts.count('ok') + 1} WARN={counts.count('warn')} ERROR={counts.count('error')}"
    )
    assert done.out == f"Done. {said} SKIP=0 TOTAL=8\n"


def test_limits_are_a_setting_of_each_stream(later: Desk) -> None:
    text = (later.root / "sources/claude.yml").read_text("utf-8")
    one, two, three = text.split("        freshness: {warn_after: 36h, error_after: 3d}\n")[:3]
    changed = f"{one}        freshness: {{error_after: 2h}}\n{two}{three}"
    later.now += timedelta(hours=20)
    try:
        later.write("sources/claude.yml", changed)
        done = later.run("test", *OF_SOURCES)
        assert lines(done) == [
            ("FAIL", "freshness of usage_messages"),
            *(("PASS", f"freshness of {stream}") for stream in LISTS),
            ("PASS", "control totals of usage_messages"),
        ]
        assert "up to 2026-02-05 15:30, 20h behind, more than 2h" in done.err
    finally:
        later.write("sources/claude.yml", text)


def test_what_a_check_says_in_json_lines(later: Desk) -> None:
    later.now += timedelta(hours=40)
    done = later.run("test", *OF_SOURCES, "--log-format", "json")
    events = [json.loads(line) for line in done.err.splitlines()]
    checks = [each for each in events if each["code"] == "check"]
    assert [(each["check"], each["outcome"], each["level"]) for each in checks] == [
        ("freshness of usage_messages", "warn", "warning"),
        ("freshness of cost_report", "pass", "info"),
        ("freshness of claude_code", "warn", "warning"),
        *((f"freshness of {stream}", "pass", "info") for stream in LISTS),
        ("control totals of usage_messages", "pass", "info"),
    ]


def test_a_stream_that_failed_falls_behind_alone(small: Desk) -> None:
    small.anthropic.faults.add(Fault("403", path="claude_code", times=None))
    assert small.run("extract").code == 1
    status = small.run("status")
    assert status.code == 1
    assert re.search(r"^  claude_code +never +- +- +1d 12h +3d$", status.out, re.M)
    assert re.search(r"^  claude_code .* failed\n    Anthropic answers 403", status.out, re.M)
    assert re.search(r"^  claude_code +- +2026-02-01  with the next sync$", status.out, re.M)
    assert "Port holds nothing yet." in status.out
    assert [
        name for outcome, name in lines(small.run("test", *OF_SOURCES)) if outcome != "PASS"
    ] == ["freshness of claude_code"]


def test_figures_that_do_not_agree_any_more_fail_the_test_without_a_request(small: Desk) -> None:
    assert small.run("extract", "--select", "usage_messages").code == 0
    small.forget_requests()
    with duckdb.connect(str(small.database)) as connection:
        connection.execute(
            "UPDATE raw.usage_messages SET payload = regexp_replace("
            "payload::VARCHAR, '\"output_tokens\": ?[0-9]+', '\"output_tokens\":1')::JSON "
            "WHERE starting_at = '2026-02-01' AND request ->> '$.group_by' = '[]'"
        )
    done = small.run("test", *OF_SOURCES)
    assert done.code == 1
    assert lines(done)[-1] == ("FAIL", "control totals of usage_messages")
    assert "1 of 4 buckets differ" in done.err
    assert "usage_messages (anthropic) 1d 2026-02-01T00:00Z: output_tokens is" in done.err
    assert small.anthropic.requests == []


def test_nothing_to_compare_is_skipped(small: Desk) -> None:
    assert small.run("extract", "--no-control-totals").code == 0
    done = small.run("test", *OF_SOURCES)
    assert (done.code, lines(done)[-1]) == (0, ("SKIP", "control totals of usage_messages"))
    assert done.out == "Done. PASS=7 WARN=0 ERROR=0 SKIP=1 TOTAL=8\n"


@pytest.mark.parametrize("command", ["status", "test"])
def test_before_the_first_run(small: Desk, command: str) -> None:
    done = small.run(command)
    assert done.code == 1
    assert "there is no database at" in done.err
    with duckdb.connect(str(small.database)):
        pass
    done = small.run(command)
    assert (done.code, done.out) == (1, "")
    assert "lading has not written to claude.duckdb yet" in done.err


def test_while_a_run_waits_for_the_network(small: Desk) -> None:
    # A run is alone with the database from its begin on, and does not hold it while it waits.
    context = open_context(small.root, now=small.now, environment=Environment(small.environment))
    with working(context, "sync"):
        done = small.run("status", "--wait", "0")
        assert re.search(
            r"^  2026-02-05 15:30  sync +running +0\n    has no end on record: it still",
            done.out,
            re.M,
        ), done.err
        assert re.search(r"^  cost_report +never", done.out, re.M)
