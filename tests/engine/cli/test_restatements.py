"""Days that come back different once they are over: what they were, and how much moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, Done

    from lading.sandbox.organisation import Organisation

START = "2026-02-01"
# Days that are over and within the lookback on the fifth of February.
IDLE_DAY, DAY, OTHER_DAY = date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 4)
LINES_ADDED = "core_metrics.lines_of_code.added"
STREAMS = ("usage_messages", "cost_report", "claude_code")
# What the usage report calls a figure, and what the organisation's events call it.
COUNTERS = {
    "uncached_input_tokens": "uncached_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "ephemeral_1h_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "output_tokens": "output_tokens",
    "server_tool_use.web_search_requests": "web_search_requests",
    "research_preview.requests": "research_preview_requests",
}
RESOURCE = """\
resources:
  - kind: claude-usage-record
    selector: {{startingDate: '2026-02-02T00:00:00Z', query: 'true', {selector}}}
    port:
      entity:
        mappings:
          identifier: .starting_at
          blueprint: '"claude_usage_record"'
          properties: {{output_tokens: '0'}}
"""
CHANGES = {
    "more tokens": {"more": 1204},
    "a row more": {"late": 1},
    "rows gone": {"withdrawn": 3},
    "nothing left": {"withdrawn": 1000},
}

Figures = dict[str, Decimal]


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """A desk that has fetched some days, until three days before the present for good."""
    desk.edit("mappings/claude.yml", "2026-01-01", START)
    fetch(desk)
    return desk


def fetch(desk: Desk, *options: str) -> Done:
    done = desk.run("extract", *options)
    assert done.code == 0, done.err
    return done


def used(organisation: Organisation, day: date) -> Figures:
    """A day's usage by the report's names, from the events."""
    events = organisation.usage_events(day)
    return {
        name: Decimal(sum(getattr(each, theirs) for each in events))
        for name, theirs in COUNTERS.items()
    }


def billed(organisation: Organisation, day: date) -> Figures:
    amounts = map(attrgetter("amount"), organisation.cost_lines(day))
    return {"amount": sum(amounts, Decimal())}


def coded(organisation: Organisation, day: date) -> Figures:
    """A day's Claude Code figures by their paths in a record."""
    sums: Figures = {}
    for record in organisation.code_records(day):
        for name, number in numbers(record):
            sums[name] = sums.get(name, Decimal()) + number
    return sums


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Decimal]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from numbers(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, Decimal(repr(value))


TOLD = {"usage_messages": used, "cost_report": billed, "claude_code": coded}


def moved(
    stream: str, before: Organisation, after: Organisation, day: date
) -> dict[str, tuple[Decimal, Decimal]]:
    """The figures of a day that are no longer what they were: both sums."""
    then, now = TOLD[stream](before, day), TOLD[stream](after, day)
    pairs = {
        name: (then.get(name, Decimal()), now.get(name, Decimal())) for name in {**then, **now}
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def raw(desk: Desk, stream: str, day: date | None = None) -> list[tuple[Any, ...]]:
    """A stream's rows, of one day or all, in their order; with all eight columns."""
    where = f"WHERE starting_at = '{day}'" if day else ""
    return desk.query(f"FROM raw.{stream} {where} ORDER BY starting_at, ordinal")


def history(desk: Desk, stream: str) -> list[tuple[Any, ...]]:
    return desk.query(f"FROM raw_history.{stream} ORDER BY starting_at, ordinal")


def restatements(desk: Desk) -> dict[tuple[str, date], dict[str, tuple[Decimal, Decimal]]]:
    """Both sums of each figure that moved, by stream and day."""
    rows = desk.query("SELECT stream, starting_at, figures FROM lading.restatements")
    assert len(rows) == len({row[:2] for row in rows})
    return {
        (stream, start.date()): {each["field"]: (each["before"], each["after"]) for each in figures}
        for stream, start, figures in rows
    }


def last_run(desk: Desk) -> str:
    ((run,),) = desk.query("SELECT max_by(run_id, ended_at) FROM lading.runs")
    return str(run)


def test_the_old_rows_go_to_history_and_the_new_are_in_place(synced: Desk) -> None:
    before = {stream: raw(synced, stream, DAY) for stream in STREAMS}
    synced.anthropic.restate(DAY, more=7, late=2, withdrawn=1)
    fetch(synced)
    for stream in STREAMS:
        ((fetched_at,),) = synced.query(
            f"SELECT fetched_at FROM lading.slices WHERE stream = '{stream}' "
            f"AND starting_at = '{DAY}'"
        )
        superseded = [(*row, fetched_at, last_run(synced)) for row in before[stream]]
        assert history(synced, stream) == superseded != []
        new = raw(synced, stream, DAY)
        assert {row[6:] for row in new} == {(fetched_at, last_run(synced))}
        assert new != before[stream]
    records = [json.loads(row[5]) for row in raw(synced, "claude_code", DAY)]
    assert records == [*synced.anthropic.organisation.code_records(DAY)]


def test_history_has_the_columns_of_the_rows_and_who_superseded_them(synced: Desk) -> None:
    for stream in STREAMS:
        columns, kept = (
            [row[:2] for row in synced.query(f"DESCRIBE {schema}.{stream}")]
            for schema in ("raw", "raw_history")
        )
        assert kept == [*columns, ("superseded_at", "TIMESTAMP"), ("superseded_by", "VARCHAR")]


@pytest.mark.parametrize("change", CHANGES)
def test_how_much_moved(synced: Desk, change: str) -> None:
    before = synced.anthropic.organisation
    synced.anthropic.restate(DAY, **CHANGES[change])
    fetch(synced)
    after = synced.anthropic.organisation
    expected = {(stream, DAY): moved(stream, before, after, DAY) for stream in STREAMS}
    assert restatements(synced) == expected
    assert all(expected.values())
    counts = synced.query(
        "SELECT records_before, records_after FROM lading.restatements WHERE stream = 'claude_code'"
    )
    assert counts == [(len(before.code_records(DAY)), len(after.code_records(DAY)))]


def test_late_rows_of_a_day_that_was_empty(synced: Desk) -> None:
    before = synced.anthropic.organisation
    assert before.is_idle(IDLE_DAY)
    synced.anthropic.restate(IDLE_DAY, late=2)
    fetch(synced)
    after = synced.anthropic.organisation
    assert restatements(synced) == {
        (stream, IDLE_DAY): moved(stream, before, after, IDLE_DAY) for stream in STREAMS
    }
    assert history(synced, "claude_code") == []
    rows = synced.query("SELECT stream, records_before, records_after FROM lading.restatements")
    assert sorted(rows) == [("claude_code", 0, 2), ("cost_report", 1, 1), ("usage_messages", 1, 1)]


def test_a_second_run_with_nothing_changed_restates_nothing(synced: Desk) -> None:
    before = {stream: raw(synced, stream) for stream in STREAMS}
    done = fetch(synced)
    assert "estated" not in done.out + done.err
    assert restatements(synced) == {}
    open_since = datetime.fromisoformat("2026-02-02")
    for stream in STREAMS:
        assert history(synced, stream) == []
        now = raw(synced, stream)
        assert [row[:6] for row in now] == [row[:6] for row in before[stream]]
        # What was read again says by which run; what is closed stays as it was.
        assert {row[7] for row in now if row[2] >= open_since} == {last_run(synced)}
        assert [row for row in now if row[2] < open_since] == [
            row for row in before[stream] if row[2] < open_since
        ]


def test_other_order_of_rows_and_keys_restates_nothing(synced: Desk) -> None:
    before = {stream: raw(synced, stream, DAY) for stream in STREAMS}
    synced.anthropic.backwards = True
    done = fetch(synced)
    assert "estated" not in done.out + done.err
    assert restatements(synced) == {}
    for stream in STREAMS:
        assert history(synced, stream) == []
        now = raw(synced, stream, DAY)
        assert len(now) == len(before[stream]) > 0
        assert now[0][5] != before[stream][0][5]


def test_a_day_that_grew_while_it_went_on_is_no_restatement(synced: Desk) -> None:
    """The fifth of February, first fetched in its afternoon and then when it was over."""
    today = synced.now.date()
    before = [raw(synced, stream, today) for stream in ("usage_messages", "claude_code")]
    synced.now += timedelta(days=1)
    done = fetch(synced)
    after = [raw(synced, stream, today) for stream in ("usage_messages", "claude_code")]
    assert [[row[5] for row in rows] for rows in before] != [[row[5] for row in r] for r in after]
    assert restatements(synced) == {}
    assert "estated" not in done.out + done.err
    # Once it has been fetched as a day that is over, it counts.
    synced.anthropic.restate(today, more=5)
    fetch(synced)
    assert {day for _, day in restatements(synced)} == {today}


def test_days_beyond_the_lookback_are_left_alone(synced: Desk) -> None:
    synced.anthropic.restate(date(2026, 2, 1), more=5)
    fetch(synced)
    assert restatements(synced) == {}


def test_an_hour_counts_once_it_is_over(desk: Desk) -> None:
    first, second = two_of_one_hour(desk.anthropic.organisation, desk.now.date())
    desk.write("mappings/claude.yml", RESOURCE.format(selector="bucketWidth: 1h, groupBy: [model]"))
    for moment in (first, second):
        desk.now = moment + timedelta(seconds=1)
        fetch(desk)
    assert restatements(desk) == {}
    assert len(desk.query("SELECT DISTINCT run_id FROM raw.usage_messages")) == 1
    # Another day's last hour, and a late use of this day in an hour that is over.
    desk.anthropic.restate(OTHER_DAY, more=5)
    done = fetch(desk)
    assert "Restated: usage_messages 1 hour (+5 output_tokens)\n" in done.out
    ((start,),) = desk.query("SELECT starting_at FROM lading.restatements")
    last = desk.anthropic.organisation.usage_events(OTHER_DAY)[-1].minute
    assert start == last.replace(minute=0, tzinfo=None)


def two_of_one_hour(organisation: Organisation, day: date) -> tuple[datetime, datetime]:
    """Moments of two uses within one hour, late in the day."""
    minutes = [event.minute for event in organisation.usage_events(day)]
    pairs = ((one, other) for one, other in pairwise(minutes) if one < other)
    return [(one, other) for one, other in pairs if one.hour == other.hour][-1]


def test_the_summary_says_how_many_and_by_how_much(synced: Desk) -> None:
    before = synced.anthropic.organisation
    for day in (DAY, OTHER_DAY):
        synced.anthropic.restate(day, more=602)
    done = fetch(synced, "--log-format", "json")
    after = synced.anthropic.organisation
    cents = sum(
        (billed(after, day)["amount"] - billed(before, day)["amount"] for day in (DAY, OTHER_DAY)),
        Decimal(),
    )
    assert cents > 0
    # Nobody used Claude Code on the other day.
    told = [
        "claude_code 1 day (+602 model_breakdown.tokens.output, 1 other figure)",
        f"cost_report 2 days (+{cents.normalize():f} amount)",
        "usage_messages 2 days (+1,204 output_tokens)",
    ]
    assert f"\nRestated: {', '.join(told)}\n" in done.out
    events = [json.loads(line) for line in done.err.splitlines()]
    logged = [event for event in events if event["code"] == "restated"]
    assert [
        (event["stream"], event["slices"], {k: Decimal(v) for k, v in event["moved"].items()})
        for event in logged
    ] == [
        ("claude_code", 1, {LINES_ADDED: 602, "model_breakdown.tokens.output": 602}),
        ("cost_report", 2, {"amount": cents}),
        ("usage_messages", 2, {"output_tokens": 1204}),
    ]


def test_the_summary_says_what_got_less(synced: Desk) -> None:
    before = synced.anthropic.organisation
    synced.anthropic.restate(DAY, withdrawn=1000)
    done = fetch(synced)
    cents = moved("cost_report", before, synced.anthropic.organisation, DAY)["amount"]
    assert f"cost_report 1 day ({(cents[1] - cents[0]).normalize():,f} amount)" in done.out
    output = used(before, DAY)["output_tokens"]
    assert f", -{output:,} output_tokens, " in done.out


def test_views_that_moved_alike_are_told_once(desk: Desk) -> None:
    """Ten dimensions are two requests; what each says of a day is the same usage."""
    desk.write(
        "mappings/claude.yml",
        RESOURCE.format(selector="groupBy: [model, workspace_id, service_tier, context_window]")
        + RESOURCE.format(selector="groupBy: [api_key_id, account_id]").partition("\n")[2],
    )
    fetch(desk)
    desk.anthropic.restate(DAY, more=5)
    done = fetch(desk)
    assert "Restated: usage_messages 1 day (+5 output_tokens)\n" in done.out
    assert desk.query("SELECT count(DISTINCT request) FROM lading.restatements") == [(2,)]


def test_views_that_moved_otherwise_are_told_apart(desk: Desk) -> None:
    desk.write(
        "mappings/claude.yml",
        RESOURCE.format(selector="bucketWidth: 1h, groupBy: [model, speed]")
        + RESOURCE.format(selector="bucketWidth: 1d").partition("\n")[2],
    )
    fetch(desk)
    desk.anthropic.restate(DAY, more=5)
    done = fetch(desk)
    told = (
        "Restated: usage_messages 1 day (+5 output_tokens), "
        "usage_messages by model, speed 1 hour (+5 output_tokens)\n"
    )
    assert told in done.out


def test_the_model_has_a_row_for_each_figure(synced: Desk) -> None:
    before = synced.anthropic.organisation
    synced.anthropic.restate(DAY, late=1)
    assert synced.run("sync").code == 0
    after = synced.anthropic.organisation
    rows = synced.query(
        "SELECT stream, field, before, after, moved FROM marts.restatements WHERE run_id = "
        f"'{last_run(synced)}' AND starting_at = '{DAY}' AND ending_at = '{OTHER_DAY}'"
    )
    assert sorted(rows) == sorted(
        (stream, name, then, now, now - then)
        for stream in STREAMS
        for name, (then, now) in moved(stream, before, after, DAY).items()
    )
    views = synced.query("SELECT DISTINCT stream, bucket_width, group_by FROM marts.restatements")
    assert sorted(views) == [
        ("claude_code", None, None),
        ("cost_report", "1d", []),
        ("usage_messages", "1d", ["model", "workspace_id"]),
    ]


def test_what_was_restated_gets_to_port(synced: Desk) -> None:
    assert synced.run("sync").code == 0
    before = synced.anthropic.organisation
    synced.forget_requests()
    synced.anthropic.restate(DAY, more=1204)
    done = synced.run("sync")
    assert done.code == 0, done.err
    assert "Restated: " in done.out
    sent = {each["identifier"] for each in synced.sent()}
    assert {f"{DAY}-usage", f"{DAY}-cost"} <= sent
    assert all(f"{DAY}" in each for each in sent)
    held = synced.held("claude_usage_record")[f"{DAY}-usage"]
    assert held["output_tokens"] == int(used(before, DAY)["output_tokens"]) + 1204
    again = synced.run("sync")
    assert "Restated" not in again.out


def test_a_landing_that_fails_leaves_everything_as_it_was(synced: Desk) -> None:
    """The next run lands what the one that failed had received."""
    before = {stream: raw(synced, stream) for stream in STREAMS}
    synced.anthropic.restate(DAY, more=5)
    change(synced, "ALTER TABLE lading.requests ADD COLUMN in_the_way INTEGER")
    assert synced.run("extract").code == 1
    assert {stream: raw(synced, stream) for stream in STREAMS} == before
    assert [history(synced, stream) for stream in STREAMS] == [[], [], []]
    assert restatements(synced) == {}
    failed = last_run(synced)
    change(synced, "ALTER TABLE lading.requests DROP COLUMN in_the_way")
    done = fetch(synced)
    assert restatements(synced).keys() == {(stream, DAY) for stream in STREAMS}
    assert synced.query("SELECT DISTINCT run_id FROM lading.restatements") == [(failed,)]
    assert "restated after its period was over: cost_report 1 day" in done.err
    for stream in STREAMS:
        kept = [row[:8] for row in history(synced, stream)]
        assert kept == [row for row in before[stream] if row[2].date() == DAY]


def change(desk: Desk, sql: str) -> None:
    with duckdb.connect(desk.database) as connection:
        connection.execute(sql)


def test_a_run_that_is_killed_while_it_lands_keeps_the_old_rows_once(synced: Desk) -> None:
    before = {stream: raw(synced, stream, DAY) for stream in STREAMS}
    synced.anthropic.restate(DAY, more=5)
    begun = synced.database.with_name("claude.duckdb.wal")
    spool = synced.database.with_name("claude.duckdb.spool")
    with synced.start("extract") as process:
        is_landing = False
        while process.poll() is None and not is_landing:
            is_landing = begun.exists() and any(spool.glob("*/*.note"))
        process.kill()
        process.communicate()
    fetch(synced)
    for stream in STREAMS:
        assert [row[:8] for row in history(synced, stream)] == before[stream]
    assert sorted(restatements(synced)) == [(stream, DAY) for stream in sorted(STREAMS)]


def test_a_day_may_be_restated_again(synced: Desk) -> None:
    fetched = []
    for more in (5, 12, 0):
        fetched.append([row[5] for row in raw(synced, "cost_report", DAY)])
        synced.anthropic.restate(DAY, more=more)
        fetch(synced)
    kept = synced.query("SELECT payload FROM raw_history.cost_report ORDER BY rowid")
    assert [[payload] for (payload,) in kept] == fetched
    assert [row[5] for row in raw(synced, "cost_report", DAY)] == fetched[0]
    total = synced.query("""
        SELECT sum(figure.after - figure.before)
        FROM (SELECT unnest(figures) AS figure FROM lading.restatements)""")
    assert total == [(0,)]


def test_the_model_has_a_row_where_no_sum_moved(synced: Desk) -> None:
    change(
        synced,
        "INSERT INTO lading.restatements VALUES ('run', 'anthropic', 'claude_code', "
        """'{"path": "/v1/claude_code"}', '2026-02-03', '2026-02-04', '2026-02-05', 3, 4, [])""",
    )
    assert synced.run("build").code == 0
    rows = synced.query("""
        SELECT records_before, records_after, field, before, after, moved
        FROM marts.restatements""")
    assert rows == [(3, 4, None, None, None, None)]
