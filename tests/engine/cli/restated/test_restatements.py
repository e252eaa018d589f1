"""Closed days that come back different: what they were, and how much moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.cli.restated.conftest import AskFor
    from tests.engine.conftest import Desk, Done

    from lading.sandbox.organisation import Organisation

# On the eighth of February the fifth is open, and what is before it is closed.
NOW = datetime(2026, 2, 8, 15, 30, tzinfo=UTC)
RECHECK = ("--recheck", "6d")
IDLE_DAY, DAY, OTHER_DAY = date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 4)
OPEN_DAY = date(2026, 2, 5)
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
CHANGES = {
    "more tokens": {"more": 1204},
    "a row more": {"late": 1},
    "rows gone": {"withdrawn": 3},
    "nothing left": {"withdrawn": 1000},
}

Figures = dict[str, Decimal]


@pytest.fixture
def whole(desk: Desk) -> Desk:
    """A project as it is shipped, for some days."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    desk.now = NOW
    return desk


def fetch(desk: Desk, *options: str) -> Done:
    """Fetch what is open, and once more what is closed."""
    done = desk.run("extract", "--no-control-totals", *RECHECK, *options)
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


def test_a_day_that_is_open_yet_may_change(synced: Desk) -> None:
    """The fifth of February, over and open on the eighth, and closed when it is fetched next."""
    synced.anthropic.restate(OPEN_DAY, more=5)
    synced.now += timedelta(days=1)
    done = fetch(synced)
    assert restatements(synced) == {}
    assert [history(synced, stream) for stream in STREAMS] == [[], [], []]
    assert "estated" not in done.out + done.err
    synced.anthropic.restate(OPEN_DAY, more=6)
    fetch(synced)
    assert {day for _, day in restatements(synced)} == {OPEN_DAY}


def test_days_that_are_not_asked_for_again_are_left_alone(synced: Desk) -> None:
    synced.anthropic.restate(date(2026, 2, 1), more=5)
    fetch(synced)
    assert restatements(synced) == {}


def test_a_full_refresh_finds_what_was_restated(synced: Desk) -> None:
    synced.anthropic.restate(date(2026, 2, 1), more=5)
    done = synced.run("extract", "--no-control-totals", "--full-refresh")
    assert done.code == 0, done.err
    assert {day for _, day in restatements(synced)} == {date(2026, 2, 1)}


def test_an_hour_is_a_slice_of_its_own(desk: Desk, ask_for: AskFor) -> None:
    ask_for(desk, {"usage_messages": ["bucket_width: 1h, group_by: [model]"]})
    fetch(desk)
    before = raw(desk, "usage_messages")
    desk.anthropic.restate(OTHER_DAY, more=5)
    done = fetch(desk)
    assert "Restated: usage_messages 1 hour (+5 output_tokens)\n" in done.out
    ((start,),) = desk.query("SELECT starting_at FROM lading.restatements")
    last = desk.anthropic.organisation.usage_events(OTHER_DAY)[-1].minute
    assert start == last.replace(minute=0, tzinfo=None)
    kept = [row[:8] for row in history(desk, "usage_messages")]
    assert kept == [row for row in before if row[2] == start]


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


def test_views_that_moved_alike_are_told_once(desk: Desk, ask_for: AskFor) -> None:
    """Six dimensions are two requests; what each says of a day is the same usage."""
    four, two = "[model, workspace_id, service_tier, context_window]", "[api_key_id, account_id]"
    ask_for(desk, {"usage_messages": [f"group_by: {four}", f"group_by: {two}"]})
    fetch(desk)
    desk.anthropic.restate(DAY, more=5)
    done = fetch(desk)
    assert "Restated: usage_messages 1 day (+5 output_tokens)\n" in done.out
    assert desk.query("SELECT count(DISTINCT request) FROM lading.restatements") == [(2,)]


def test_views_that_moved_otherwise_are_told_apart(desk: Desk, ask_for: AskFor) -> None:
    views = ["bucket_width: 1h, group_by: [model, speed]", "bucket_width: 1d"]
    ask_for(desk, {"usage_messages": views})
    fetch(desk)
    desk.anthropic.restate(DAY, more=5)
    done = fetch(desk)
    told = (
        "Restated: usage_messages 1 day (+5 output_tokens), "
        "usage_messages by model, speed 1 hour (+5 output_tokens)\n"
    )
    assert told in done.out


def test_what_was_restated_is_in_the_model_and_gets_to_port(whole: Desk) -> None:
    assert whole.run("sync").code == 0
    before = whole.anthropic.organisation
    whole.forget_requests()
    whole.anthropic.restate(DAY, more=1204)
    done = whole.run("sync", *RECHECK)
    assert done.code == 0, done.err
    # Its two views, by model and workspace and for comparison, moved alike.
    assert "usage_messages 1 day (+1,204 output_tokens)\n" in done.out
    after = whole.anthropic.organisation
    rows = whole.query(
        "SELECT stream, field, before, after, moved FROM marts.restatements WHERE run_id = "
        f"'{last_run(whole)}' AND starting_at = '{DAY}' AND ending_at = '{OTHER_DAY}' "
        "AND (stream <> 'usage_messages' OR group_by = ['model', 'workspace_id'])"
    )
    assert sorted(rows) == sorted(
        (stream, name, then, now, now - then)
        for stream in STREAMS
        for name, (then, now) in moved(stream, before, after, DAY).items()
    )
    views = whole.query("SELECT DISTINCT stream, bucket_width, group_by FROM marts.restatements")
    assert sorted(views, key=str) == [
        ("claude_code", None, None),
        ("cost_report", "1d", []),
        ("usage_messages", "1d", ["model", "workspace_id"]),
        ("usage_messages", "1d", []),
    ]
    sent = {each["identifier"] for each in whole.sent()}
    assert {f"{DAY}-usage", f"{DAY}-cost"} <= sent
    assert all(f"{DAY}" in each for each in sent)
    held = whole.held("claude_usage_record")[f"{DAY}-usage"]
    assert held["output_tokens"] == int(used(before, DAY)["output_tokens"]) + 1204


def test_control_totals_find_what_was_restated(whole: Desk) -> None:
    """A view that is fetched anew shows that the other one is no longer what it was."""
    before = whole.anthropic.organisation
    fetch(whole)
    whole.anthropic.restate(DAY, more=7)
    done = whole.run("extract")
    assert done.code == 0, done.err
    found = restatements(whole)
    assert found == {
        ("usage_messages", DAY): moved("usage_messages", before, whole.anthropic.organisation, DAY)
    }
    assert "Restated: usage_messages 1 day (+7 output_tokens)\n" in done.out


def test_a_landing_that_fails_leaves_everything_as_it_was(synced: Desk) -> None:
    """The next run lands what the one that failed had received."""
    before = {stream: raw(synced, stream) for stream in STREAMS}
    synced.anthropic.restate(DAY, more=5)
    change(synced, "ALTER TABLE lading.requests ADD COLUMN in_the_way INTEGER")
    assert synced.run("extract", "--no-control-totals", *RECHECK).code == 1
    assert {stream: raw(synced, stream) for stream in STREAMS} == before
    assert [history(synced, stream) for stream in STREAMS] == [[], [], []]
    assert restatements(synced) == {}
    failed = last_run(synced)
    change(synced, "ALTER TABLE lading.requests DROP COLUMN in_the_way")
    done = fetch(synced)
    assert restatements(synced).keys() == {(stream, DAY) for stream in STREAMS}
    assert synced.query("SELECT DISTINCT run_id FROM lading.restatements") == [(failed,)]
    assert "closed before, and different now: cost_report 1 day" in done.err
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
    with synced.start("extract", "--no-control-totals", *RECHECK) as process:
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


def test_a_view_that_has_not_been_looked_at_again_is_asked_for(desk: Desk, ask_for: AskFor) -> None:
    """One view was found restated while the others could not be had: they are out of date."""
    by_key = "bucket_width: 1h, group_by: [api_key_id]"
    ask_for(
        desk, {"usage_messages": ["group_by: [model]", by_key], "cost_report": ["group_by: []"]}
    )
    fetch(desk)
    desk.anthropic.restate(DAY, more=5)
    desk.anthropic.faults.add(Fault("400", query="group_by[]=api_key_id", times=None))
    assert desk.run("extract", "--no-control-totals", *RECHECK, "-s", "usage_messages").code == 1
    desk.anthropic.faults.clear()
    assert asked_as_restated(desk) == [("1h", "2026-02-03T00:00:00Z", "2026-02-04T00:00:00Z")]
    done = desk.run("extract", "--no-control-totals")
    assert "Restated: usage_messages 1 hour (+5 output_tokens)" in done.out
    assert asked_as_restated(desk) == []
    reasons = "SELECT DISTINCT reason FROM lading.requests WHERE starting_at = '2026-02-03'"
    assert ("restated",) in desk.query(reasons)


def asked_as_restated(desk: Desk) -> list[tuple[str, str, str]]:
    done = desk.run("extract", "--no-control-totals", "-n", "-o", "json")
    return [
        (each["width"], request["starting_at"], request["ending_at"])
        for each in json.loads(done.out)
        for request in each["requests"]
        if request["reason"] == "restated"
    ]


def test_the_model_has_a_row_where_no_sum_moved(whole: Desk) -> None:
    assert whole.run("extract", "--select", "cost_report").code == 0
    change(
        whole,
        "INSERT INTO lading.restatements VALUES ('run', 'anthropic', 'claude_code', "
        """'{"path": "/v1/claude_code"}', '2026-02-03', '2026-02-04', '2026-02-05', 3, 4, [])""",
    )
    assert whole.run("build").code == 0
    rows = whole.query("""
        SELECT records_before, records_after, field, before, after, moved
        FROM marts.restatements""")
    assert rows == [(3, 4, None, None, None, None)]
