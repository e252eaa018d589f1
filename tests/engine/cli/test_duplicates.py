"""Rows that give the same entity with other content are told with what differs and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk, MakeDesk

USAGE = """\
resources:
  - name: workspaces
    kind: claude-usage-record
    selector:
      query: .results | length > 0
      startingDate: '2026-02-02T00:00:00Z'
      bucketWidth: 1d
      groupBy: [workspace_id]
    port:
      itemsToParse: .results
      itemsToParseTopLevelTransform: false
      entity:
        mappings:
          identifier: (.item.workspace_id // "default") + "-" + .starting_at[:10]
          blueprint: '"claude_workspace_usage"'
          properties:
            record_date: .starting_at
            workspace_id: (.item.workspace_id // "default")
            output_tokens: .item.output_tokens
"""
DAY = "identifier: .starting_at[:10]"
THINGS = """\
resources:
  - name: things
    kind: things
    onDuplicate: error
    port:
      entity:
        mappings:
          identifier: .name
          blueprint: '"thing"'
          properties: {amount: .amount}
"""
MODEL = """\
{{ config(materialized='table') }}
select * from (values
    ('one', 1, DATE '2026-02-01', 'x'), ('two', 2, DATE '2026-02-01', 'x'),
    ('two', 2, DATE '2026-02-02', 'x'), ('three', 3, DATE '2026-02-01', 'x'),
    ('three', 4, DATE '2026-02-01', 'y'), ('three', 5, DATE '2026-02-03', 'y')
) as rows(name, amount, day, team)
"""
BLUEPRINT = """\
identifier: thing
title: Thing
schema: {properties: {amount: {type: number}}}
"""


@pytest.fixture(scope="module")
def landed(make_desk: MakeDesk) -> Desk:
    """Some days by workspace, by day and by hour, and a model of one's own."""
    desk = make_desk()
    desk.write("models/marts/things.sql", MODEL)
    desk.write("mappings/blueprints/thing.yml", BLUEPRINT)
    desk.write("mappings/claude.yml", USAGE.replace("[workspace_id]", "[workspace_id, model]"))
    desk.write("mappings/hours.yml", USAGE.replace("1d", "1h").replace("workspaces", "hours"))
    assert desk.run("extract").code == 0
    (desk.root / "mappings/hours.yml").unlink()
    return desk


def told(desk: Desk, mapping: str) -> list[str]:
    """What a plan says of duplicates."""
    desk.write("mappings/claude.yml", mapping)
    done = desk.run("plan")
    lines = [
        line.partition("error: ")[2] for line in done.err.splitlines() if " rows that " in line
    ]
    assert done.code == (1 if lines else 0), done.err
    return lines


def test_as_it_should_be_there_are_none(landed: Desk) -> None:
    assert told(landed, USAGE) == []


def test_a_grouping_that_the_identifier_leaves_out(landed: Desk, reckoning: Reckoning) -> None:
    lines = told(landed, USAGE.replace("[workspace_id]", "[workspace_id, model]"))

    groups: dict[tuple[str, str], list[int]] = {}
    for (day, workspace, _), counts in reckoning.usage(
        landed.now, ["workspace_id", "model"]
    ).items():
        if f"{day:%Y-%m-%d}" >= "2026-02-02":
            key = (workspace or "default", f"{day:%Y-%m-%d}")
            groups.setdefault(key, []).append(counts["output_tokens"])
    clashing = {f"{name}-{day}": len(rows) for (name, day), rows in groups.items() if len(rows) > 1}
    assert len(clashing) > 3
    assert [line.partition(", and")[0] for line in lines] == [
        f"claude_workspace_usage '{name}' comes from {rows} rows that differ"
        for name, rows in sorted(clashing.items())
    ]
    for line in lines:
        assert "workspaces row " in line
        assert " (starting_at 2026-02-0" in line
        assert "and another part of the same row differ in properties.output_tokens (" in line
        assert line.endswith(
            "Likely cause: selector.groupBy has model, and the identifier leaves that out"
        )


def test_a_width_that_is_finer_than_the_identifier_s_date(landed: Desk) -> None:
    hourly = USAGE.replace("1d", "1h").replace("2026-02-02", "2026-02-05")
    lines = told(landed, hourly)

    assert lines
    for line in lines:
        assert 'properties.record_date ("2026-02-05T' in line
        assert line.endswith(
            "Likely cause: the identifier has only the day of starting_at: "
            "bucketWidth 1h is finer than a day"
        )


def test_what_differs_between_the_rows_and_is_not_in_the_identifier(landed: Desk) -> None:
    (line,) = told(landed, THINGS)

    assert line == (
        "thing 'three' comes from 3 rows that differ, and is not pushed: things row 3 (day "
        "2026-02-01) and things row 4 (day 2026-02-01) differ in properties.amount (3 / 4). Likely "
        "cause: the rows differ in team, and the identifier leaves that out"
    )


def test_two_resources_that_give_the_same_entity(landed: Desk) -> None:
    other = THINGS.removeprefix("resources:\n").replace("name: things", "name: more")
    one = THINGS.replace("kind: things", 'kind: things\n    selector: {query: .name == "one"}')
    two = other.replace("    onDuplicate: error", '    selector: {query: .name == "one"}')

    (line,) = told(landed, one + two.replace("amount: .amount", "amount: .amount + 1"))
    same = told(landed, one + two)

    assert "more row 0 (day 2026-02-01) and things row 0 (day 2026-02-01) differ in" in line
    assert line.endswith(
        "Likely cause: two resources give the same identifier: put what tells them apart into it"
    )
    assert same == []


@pytest.mark.parametrize(("choice", "amount"), [("first", 3), ("last", 5)])
def test_one_of_them_can_be_chosen(landed: Desk, choice: str, amount: int) -> None:
    assert told(landed, THINGS.replace("error", choice)) == []
    landed.forget_requests()
    done = landed.run("push")

    assert done.code == 0, done.err
    assert {each["identifier"]: each["properties"] for each in landed.sent()}["three"] == {
        "amount": amount
    }
    # The same entity twice is sent once.
    assert landed.held("thing")["two"] == {"title": None, "amount": 2}
    assert "onDuplicate left out 3 rows" in done.err


def test_another_choice_is_an_error(landed: Desk) -> None:
    landed.write("mappings/claude.yml", THINGS.replace("error", "newest"))
    done = landed.run("plan")

    assert done.code == 2
    assert "mappings/claude.yml:4:18: error: " in done.err
