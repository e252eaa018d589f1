"""New fields and values land and are named once a run; a type that changed fails its model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.engine.cli.books.conftest import Alter
    from tests.engine.conftest import Desk, Done

CODE = "/v1/organizations/usage_report/claude_code"
COST = "/v1/organizations/cost_report"
USAGE = "/v1/organizations/usage_report/messages"

Data = list[dict[str, Any]]


def news(done: Done) -> list[str]:
    """What a run says of unknown things in its summary."""
    return [line for line in done.out.splitlines() if " new " in line]


def on_record(desk: Desk) -> list[tuple[Any, ...]]:
    """What the last run found."""
    return desk.query(
        "SELECT stream, field, value FROM lading.unknown "
        "WHERE run_id = (SELECT max(run_id) FROM lading.unknown) ORDER BY ALL"
    )


def test_the_field_that_no_documentation_mentions_is_named_in_each_run_that_lands_it(
    small: Desk,
) -> None:
    done = small.run("extract")
    assert done.code == 0, done.err
    # As often as the organisation's own records have it, which is not in each of these days.
    having = {
        stream: small.query(
            f"SELECT count(*) > 0 FROM raw.{stream} WHERE payload::VARCHAR LIKE '%research_prev%'"
        )[0][0]
        for stream in ("usage_messages", "cost_report", "claude_code")
    }
    assert having == {"usage_messages": True, "cost_report": False, "claude_code": True}
    assert news(done) == [
        "1 new field in usage_messages: research_preview",
        "1 new field in claude_code: research_preview",
    ]
    assert "  1 new field in claude_code: research_preview\n" in done.err
    assert small.query("SELECT count(*) FROM lading.runs WHERE looked_through") == [(1,)]
    # Nothing lands, and so there is nothing to look through.
    build = small.run("build")
    assert build.code == 0, build.err
    assert news(build) == []
    assert on_record(small) == [
        ("claude_code", "research_preview", None),
        ("usage_messages", "research_preview", None),
    ]


def test_new_fields_at_any_depth_are_found_in_one_record_among_all(
    small: Desk, altered: Alter
) -> None:
    def edit(path: str, data: Data) -> None:
        if path == CODE:
            for record in data:
                record.pop("research_preview", None)
            if data and data[0]["date"].startswith("2026-02-03"):
                last = data[-1]
                last["seat"] = {"tier": "x", "more": [{"deep": 1}]}
                last["actor"]["team"] = None
                last["model_breakdown"][0]["tokens"]["cached"] = 1
                last["tool_actions"]["new_tool"] = {"accepted": 1, "rejected": 0, "undone": 2}
                last["a.b"] = 1
        if path == USAGE:
            data[-1]["organization"] = "o"
            for bucket in data:
                for result in bucket["results"]:
                    result.pop("research_preview", None)

    altered(edit)
    done = small.run("extract")
    assert done.code == 0, done.err
    of_buckets, of_records = news(done)
    assert of_buckets == "1 new field in usage_messages: bucket.organization"
    fields = '"a.b", actor.team, model_breakdown[].tokens.cached, seat, tool_actions.*.undone'
    assert of_records == f"5 new fields in claude_code: {fields}"
    assert small.run("build").code == 0
    landed = small.query("SELECT payload -> '$.seat' FROM raw.claude_code")
    assert [json.loads(row[0]) for row in landed if row[0]] == [
        {"tier": "x", "more": [{"deep": 1}]}
    ]


def test_values_beside_the_listed_ones_are_named_and_build(small: Desk, altered: Alter) -> None:
    def edit(path: str, data: Data) -> None:
        for bucket in data if path == COST else ():
            for result in bucket["results"]:
                result |= {"cost_type": "moon_rent", "token_type": None}

    altered(edit)
    done = small.run("extract", "--select", "cost_report")
    assert done.code == 0, done.err
    assert news(done) == ["1 new value of cost_type in cost_report: moon_rent"]
    assert on_record(small) == [("cost_report", "cost_type", "moon_rent")]
    assert small.run("build").code == 0
    assert small.query("SELECT DISTINCT cost_type FROM staging.cost_results") == [("moon_rent",)]
    # Somebody lists it: then it is no news any more.
    small.edit("sources/claude.yml", "[code_execution,", "[moon_rent, code_execution,")
    assert news(small.run("extract", "--select", "cost_report")) == []


def test_what_a_run_that_died_had_landed_is_looked_through_by_the_next_one(small: Desk) -> None:
    import duckdb

    assert small.run("extract").code == 0
    with duckdb.connect(str(small.database)) as connection:
        connection.execute("UPDATE lading.runs SET looked_through = false, status = 'died'")
        connection.execute("UPDATE raw.claude_code SET payload = '{\"odd\": 1}' WHERE ordinal = 1")
        connection.execute("DELETE FROM lading.unknown")
    done = small.run("extract", "--select", "cost_report")
    assert "2 new fields in claude_code: odd, research_preview" in news(done)
    assert small.query("SELECT count(*) FROM lading.runs WHERE NOT looked_through") == [(0,)]


def test_a_type_that_changed_fails_the_model_that_needs_it_and_not_the_landing(
    small: Desk, altered: Alter
) -> None:
    actors: list[dict[str, str]] = []

    def edit(path: str, data: Data) -> None:
        if path == CODE and data and data[0]["date"].startswith("2026-02-03"):
            data[0]["core_metrics"]["num_sessions"] = "seven"
            actors.append(data[0]["actor"])

    altered(edit)
    done = small.run("extract")
    assert done.code == 0, done.err
    build = small.run("build")
    assert build.code == 1
    (line,) = [line for line in build.err.splitlines() if " ERROR " in line]
    assert "staging.claude_code_records: models/staging/claude_code_records.sql" in line
    said = 'record.core_metrics.num_sessions: expected a whole number of 64 bits, found "seven"'
    assert f"{said} (anthropic, 2026-02-03 00:00:00 UTC) in {{" in line
    # The record itself, by which it can be found.
    shown, _ = json.JSONDecoder().raw_decode(line.partition(" UTC) in ")[2])
    assert shown["core_metrics"]["num_sessions"] == "seven"
    assert {key: each for key, each in shown["actor"].items() if each is not None} == actors[0]
    assert "Built 26 models; 1 failed, 4 skipped." in build.out
    assert small.query("SELECT count(*) > 0 FROM marts.usage_by_day") == [(True,)]
