"""Buckets that a report was asked for and leaves out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.cli.restated.conftest import AskFor
    from tests.engine.conftest import Desk, Done

USAGE, COST = "usage_messages", "cost_report"
DAY, OPEN_DAY = datetime.fromisoformat("2026-02-03"), datetime.fromisoformat("2026-02-06")
STAYS = "; what landed before stays"


def leave_out(desk: Desk, path: str, bucket: str) -> None:
    desk.anthropic.faults.add(Fault("left_out", path=path, bucket=bucket, times=None))


def fetch(desk: Desk, *options: str) -> Done:
    done = desk.run("extract", *options)
    assert done.code == 0, done.err
    return done


def rows(desk: Desk, stream: str) -> dict[datetime, tuple[Any, ...]]:
    """A stream's rows and what the books say of their slices, by the bucket's start."""
    found = desk.query(f"""
        SELECT starting_at, raw.payload, raw.run_id, s.closed, s.fetched_at, s.run_id
        FROM raw.{stream} AS raw FULL JOIN (FROM lading.slices WHERE stream = '{stream}') AS s
            USING (connection, request, starting_at)""")
    assert len({row[0] for row in found}) == len(found)
    return {start: tuple(rest) for start, *rest in found}


def warnings(done: Done) -> list[str]:
    return [line for line in done.err.splitlines() if "not in the answer" in line]


def test_a_closed_bucket_stays_as_it_was(synced: Desk) -> None:
    before = rows(synced, USAGE)
    leave_out(synced, "usage_report/messages", "2026-02-03")
    done = fetch(synced, "--no-control-totals", "--full-refresh")
    after = rows(synced, USAGE)
    assert after.keys() == before.keys()
    assert after[DAY] == before[DAY]
    assert after[DAY][2] is True
    run = synced.query("SELECT max_by(run_id, ended_at) FROM lading.runs")[0][0]
    assert {row[1] for start, row in after.items() if start != DAY} == {run}
    assert {row[4] for start, row in after.items() if start != DAY} == {run}
    assert warnings(done) == [
        "warning: usage_messages 1d by model, workspace_id: 1 bucket was not in the answer "
        "(first: 2026-02-03T00:00)" + STAYS
    ]
    assert synced.query("SELECT count(*) FROM raw_history.usage_messages") == [(0,)]


def test_what_was_never_fetched_stays_open(desk: Desk, ask_for: AskFor) -> None:
    ask_for(desk, {USAGE: ["group_by: [model]"]})
    leave_out(desk, "usage_report/messages", "2026-02-03")
    for _ in range(2):
        assert len(warnings(fetch(desk, "--no-control-totals"))) == 1
        assert rows(desk, USAGE)[DAY][:3] == (None, None, False)
    (planned,) = json.loads(fetch(desk, "-n", "--no-control-totals", "--output", "json").out)
    gaps = [each for each in planned["requests"] if each["reason"] == "gap"]
    assert [(each["starting_at"], each["ending_at"]) for each in gaps] == [
        ("2026-02-03T00:00:00Z", "2026-02-04T00:00:00Z")
    ]
    desk.anthropic.faults.clear()
    assert warnings(fetch(desk, "--no-control-totals")) == []
    assert rows(desk, USAGE)[DAY][2] is True


def test_an_open_bucket_keeps_its_rows(synced: Desk) -> None:
    before = rows(synced, USAGE)
    leave_out(synced, "usage_report/messages", "2026-02-06")
    fetch(synced, "--no-control-totals")
    assert rows(synced, USAGE)[OPEN_DAY] == before[OPEN_DAY]
    assert before[OPEN_DAY][2] is False


def test_each_request_is_warned_of_once(desk: Desk, ask_for: AskFor) -> None:
    """Of all eight days; the last one has only begun, and may not be there yet."""
    ask_for(desk, {USAGE: ["group_by: [model]"], COST: ["group_by: []"]})
    leave_out(desk, "usage_report/messages", "2026-02-0")
    done = fetch(desk, "--log-format", "json")
    events = [json.loads(line) for line in done.err.splitlines()]
    said = [each["message"] for each in events if each["code"] == "left_out"]
    left_out = "7 buckets were not in the answer (first: 2026-02-01T00:00)" + STAYS
    assert said == [f"usage_messages 1d by model: {left_out}", f"usage_messages 1d: {left_out}"]
    assert desk.query("SELECT count(*) FROM raw.usage_messages") == [(0,)]
    slices = "SELECT DISTINCT records, closed FROM lading.slices WHERE stream = 'usage_messages'"
    assert desk.query(slices) == [(0, False)]
    assert len(rows(desk, COST)) == 7


@pytest.mark.parametrize(
    ("path", "stream", "bucket"),
    [("usage_report/messages", USAGE, "2026-02-08"), ("cost_report", COST, "2026-02-07")],
)
def test_what_may_not_be_there_yet_is_not_warned_of(
    synced: Desk, path: str, stream: str, bucket: str
) -> None:
    before = rows(synced, stream)
    leave_out(synced, path, bucket)
    assert warnings(fetch(synced, "--no-control-totals")) == []
    start = datetime.fromisoformat(bucket)
    assert rows(synced, stream)[start] == before[start]
    synced.now += timedelta(days=1)
    assert len(warnings(fetch(synced, "--no-control-totals"))) == 1


def test_a_bucket_that_one_view_never_had_differs_in_each_run(desk: Desk, ask_for: AskFor) -> None:
    ask_for(desk, {COST: ["group_by: [workspace_id]"]})
    fault = Fault("left_out", "cost_report", "group_by", bucket="2026-02-03", times=None)
    desk.anthropic.faults.add(fault)
    for _ in range(2):
        done = desk.run("extract")
        assert done.code == 1
        assert "2026-02-03T00:00Z: amount is 0 by workspace_id" in done.err
        assert len(warnings(done)) == 1


def test_what_another_run_received_leaves_out_the_same(synced: Desk) -> None:
    """The landing fails; the next run lands what it left."""
    before = rows(synced, USAGE)
    leave_out(synced, "usage_report/messages", "2026-02-03")
    only = ("extract", "--no-control-totals", "--select", USAGE)
    change(synced, ["ALTER TABLE lading.requests ADD COLUMN in_the_way INTEGER"])
    assert synced.run(*only, "--full-refresh").code == 1
    failed = synced.query("SELECT max_by(run_id, ended_at) FROM lading.runs")[0][0]
    change(synced, ["ALTER TABLE lading.requests DROP COLUMN in_the_way"])
    fetch(synced, *only[1:])
    after = rows(synced, USAGE)
    assert after[DAY] == before[DAY]
    assert after[DAY - timedelta(days=1)][1] == failed


def change(desk: Desk, statements: Sequence[str]) -> None:
    with duckdb.connect(desk.database) as connection:
        for each in statements:
            connection.execute(each)
