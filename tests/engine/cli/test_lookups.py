"""Lists of workspaces, keys, people and the organisation: fetched whole, and seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

    from lading.sandbox.organisation import Organisation

LISTS = ("workspaces", "api_keys", "users", "organization")
PATHS = ("workspaces", "api_keys", "users", "me")
ONLY_LISTS = [text for each in LISTS for text in ("-s", each)]
SOURCES = "sources/lookups.yml"


def asked(desk: Desk) -> list[str]:
    """The lists that were asked for, as often as they were."""
    ends = [each.path.rpartition("/")[2] for each in desk.anthropic.requests]
    return [end for end in ends if end in PATHS]


def ids(desk: Desk, stream: str) -> set[str]:
    return {row[0] for row in desk.query(f"SELECT payload ->> '$.id' FROM raw.{stream}")}


def users_of(organisation: Organisation) -> set[str]:
    """Everybody who signs in, and the one who keeps the house."""
    return {each.account_id for each in organisation.members.developers} | {"user_sandbox00"}


@pytest.fixture
def late(desk: Desk) -> Desk:
    """A project that asks for the first days of February alone."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-03")
    return desk


def test_they_land_whole_and_name_what_the_reports_have(late: Desk) -> None:
    late.edit("project.yml", "version: '2023-06-01'", "version: '2026-10-21'")
    assert late.run("extract").code == 0
    assert late.run("build").code == 0
    organisation = late.anthropic.organisation
    assert sorted(asked(late)) == sorted(PATHS)
    queries = {
        end: dict(each.query)
        for each in late.anthropic.requests
        if (end := each.path.rpartition("/")[2]) in PATHS
    }
    flags = {"include_archived": "true", "include_default": "true", "limit": "1000"}
    assert queries == {
        "workspaces": flags,
        "api_keys": {"limit": "1000"},
        "users": {"limit": "1000"},
        "me": {},
    }
    assert ids(late, "users") == users_of(organisation)
    assert ids(late, "organization") == {organisation.id}
    moment = late.now.replace(tzinfo=None)
    for stream in LISTS:
        assert late.query(
            f"SELECT DISTINCT connection, starting_at, ending_at FROM raw.{stream}"
        ) == [("anthropic", moment, moment)]
    used = late.query("SELECT DISTINCT workspace_id FROM marts.usage_by_day_and_workspace")
    named = late.query("SELECT workspace_id, name, is_default FROM marts.workspaces ORDER BY 1")
    assert {row[0] for row in used} <= {row[0] for row in named}
    assert named[0] == ("default", "Default", True)
    archived = late.query(
        "SELECT workspace_id, name FROM marts.workspaces WHERE archived_at IS NOT NULL"
    )
    assert archived == [("wrkspc_sandbox99", "hackathon 2025")]
    rows = late.query("SELECT api_key_id, name, workspace_id FROM marts.api_keys")
    keys = {row[0]: row[1:] for row in rows}
    for each in organisation.members.api_keys:
        assert keys[each.id] == (each.name, each.workspace_id or "default")
    emails = {row[0] for row in late.query("SELECT email FROM marts.users")}
    assert {each.email for each in organisation.members.developers} < emails


def test_both_versions_give_the_same_keys(desk: Desk) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    for version in ("2023-06-01", "2026-10-21"):
        desk.edit("project.yml", "version: '20", f"version: '{version}' #", 1) if seen else None
        assert desk.run("extract", "-f", *ONLY_LISTS).code == 0
        assert desk.run("build").code == 0
        seen.append(desk.query("SELECT * EXCLUDE (last_seen_at) FROM marts.api_keys ORDER BY 2"))
        shape = "SELECT DISTINCT json_exists(payload, '$.workspace_id') FROM raw.api_keys"
        assert desk.query(shape) == [(version == "2023-06-01",)]
    assert seen[0] == seen[1]
    assert len(seen[0]) > 10


def test_a_list_goes_over_pages(desk: Desk) -> None:
    desk.edit(SOURCES, "page_size: 1000", "page_size: 4")
    assert desk.run("extract", "-s", "users").code == 0
    whole = [
        row[0] for row in desk.query("SELECT payload ->> '$.id' FROM raw.users ORDER BY ordinal")
    ]
    assert set(whole) == users_of(desk.anthropic.organisation)
    assert len(whole) == len(set(whole)) == 13
    cursors = [dict(each.query).get("after_id") for each in desk.anthropic.requests]
    assert cursors == [None, whole[3], whole[7], whole[11]]
    assert desk.query("SELECT records, closed FROM lading.slices") == [(13, True)]
    assert desk.query("SELECT pages, records FROM lading.requests") == [(4, 13)]


def test_who_left_stays_as_last_seen_and_may_come_back(desk: Desk) -> None:
    days = [(desk.now + n * timedelta(days=1)).replace(tzinfo=None) for n in range(3)]
    states = []
    for gone in ("", "02", "07"):
        desk.anthropic.gone = {f"user_sandbox{gone}"}
        assert desk.run("extract", "-s", "users").code == 0
        assert ids(desk, "users") == users_of(desk.anthropic.organisation) - desk.anthropic.gone
        states.append(
            desk.query("SELECT id, last_seen_at, vanished_at FROM lading.vanished ORDER BY 1")
        )
        desk.now += timedelta(days=1)
    second = ("user_sandbox02", days[0], days[1])
    seventh = ("user_sandbox07", days[1], days[2])
    assert states == [[], [second], [seventh]]
    assert desk.run("build").code == 0
    left = desk.query(
        "SELECT user_id, name, last_seen_at, vanished_at FROM marts.users "
        "WHERE vanished_at IS NOT NULL"
    )
    assert left == [("user_sandbox07", "Developer 07", days[1], days[2])]
    assert desk.query("SELECT count(*) FROM marts.users") == [(13,)]
    assert desk.query("SELECT stream, records FROM lading.slices") == [("users", 12)]


def test_a_list_that_breaks_off_changes_nothing(desk: Desk) -> None:
    desk.edit(SOURCES, "page_size: 1000", "page_size: 4")
    assert desk.run("extract", "-s", "users").code == 0
    before = desk.query("FROM raw.users ORDER BY ordinal")
    desk.now += timedelta(days=1)
    desk.anthropic.gone = {"user_sandbox02"}
    desk.anthropic.faults.add(Fault("500", path="/users", query="after_id", times=None))
    done = desk.run("extract", "-s", "users")
    assert done.code == 1
    assert "users: Anthropic answers 500" in done.err
    assert desk.query("FROM raw.users ORDER BY ordinal") == before
    assert desk.query("FROM lading.vanished") == []
    desk.anthropic.faults.clear()
    assert desk.run("extract", "-s", "users").code == 0
    assert len(desk.query("FROM raw.users")) == 12


def test_a_cursor_that_repeats_ends(desk: Desk) -> None:
    desk.edit(SOURCES, "page_size: 1000", "page_size: 4")
    desk.anthropic.faults.add(Fault("repeated_cursor", path="/users", times=None))
    done = desk.run("extract", "-s", "users")
    assert done.code == 1
    assert "the cursor of users repeats" in done.err
    assert len(desk.anthropic.requests) <= 3


def test_a_list_that_the_key_may_not_read_holds_back_nothing_else(late: Desk) -> None:
    late.anthropic.faults.add(Fault("403", path="/users", times=None))
    done = late.run("sync")
    assert done.code == 1
    assert "error: users: Anthropic answers 403" in done.err
    assert "is not pushed" not in done.err
    assert {key[0] for key in late.port.entities} == {
        "claude_code_analytics",
        *("claude_cost_record", "claude_model_usage"),
        *("claude_usage_record", "claude_workspace_usage"),
    }
    assert ids(late, "users") == set()
    assert len(ids(late, "workspaces")) == 6
    assert asked(late).count("users") == 1
    late.anthropic.faults.clear()
    late.forget_requests()
    assert late.run("extract").code == 0
    assert asked(late) == ["users"]


def test_what_depends_on_a_list_that_failed_is_not_pushed(late: Desk) -> None:
    late.write("models/resources/person.sql", "select * from {{ ref('users') }}\n")
    late.write("models/resources/person.yml", "models: [{name: person, kind: {selector: {}}}]\n")
    late.write(
        "mappings/people.yml",
        """resources:
  - kind: person
    selector: {query: 'true'}
    port: {entity: {mappings: {identifier: .user_id, blueprint: '"person"'}}}
""",
    )
    late.anthropic.faults.add(Fault("403", path="/users", times=None))
    done = late.run("sync")
    assert done.code == 1
    assert "person is not pushed: users could not be fetched" in done.err


def without_readers(desk: Desk) -> None:
    """Have no model read a list."""
    rmtree(desk.root / "models/marts")
    rmtree(desk.root / "tests")
    for name in ("workspace", "api_key", "user", "organization"):
        (desk.root / f"models/staging/{name}_records.sql").unlink()
    (desk.root / "models/staging/lookups.yml").unlink()


def test_a_list_that_nobody_reads_is_not_asked_for(desk: Desk) -> None:
    without_readers(desk)
    assert "snapshot" not in desk.run("extract", "-n").out
    desk.edit(SOURCES, "iterate: snapshot\n", "iterate: snapshot\n        extracts: all\n", 1)
    assert desk.run("extract", *ONLY_LISTS).code == 0
    assert asked(desk) == ["workspaces"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_age: 1d", "extracts: [{start: '2026-01-01'}]", "write extracts: all"),
        ("max_age: 1d", "lookback: 3d", "a snapshot has no periods, so it has no lookback"),
        ("page_size: 1000", "page_size: {1d: 3}", "the page_size of a snapshot is one number"),
        ("max_age: 1d", "max_age: soon", "a span such as 3d or 12h"),
    ],
)
def test_what_a_list_can_not_be(desk: Desk, old: str, new: str, said: str) -> None:
    desk.edit(SOURCES, old, new, 1)
    done = desk.run("extract", "-n")
    assert done.code == 2
    assert "sources/lookups.yml:" in done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("lookback: 3d\n        max_age: 1d", "max_age is for snapshot streams"),
        ("lookback: 3d\n        extracts: all", "write extracts: [{start: '2026-01-01'}]"),
    ],
)
def test_what_a_report_can_not_be(desk: Desk, new: str, said: str) -> None:
    desk.edit("sources/claude.yml", "lookback: 3d", new, 1)
    done = desk.run("extract", "-n")
    assert done.code == 2
    assert said in done.err


def test_cost_by_description_works_once_it_is_asked_for(desk: Desk) -> None:
    extract = "extracts: [{group_by: [workspace_id, description], start: '2026-02-01'}]"
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    # The second stream of the file is the cost report.
    desk.edit(
        "sources/claude.yml",
        "control_totals: [amount]",
        f"control_totals: [amount]\n        {extract}",
    )
    assert desk.run("extract", "-s", "cost_report").code == 0
    assert desk.run("build").code == 0
    expected: dict[tuple[Any, ...], Decimal] = {}
    for n in range(4):
        day = datetime(2026, 2, 1 + n, tzinfo=UTC).date()
        for line in desk.anthropic.organisation.cost_lines(day):
            about = (line.description, line.model, line.token_type, line.cost_type)
            key = (day, line.workspace_id or "default", *about)
            expected[key] = expected.get(key, Decimal()) + line.amount
    rows = desk.query(
        "SELECT day, workspace_id, description, model, token_type, cost_type, amount, amount_usd "
        "FROM marts.cost_by_description"
    )
    assert {row[:-2]: row[-2] for row in rows} == expected
    assert len(rows) == len(expected) > 20
    assert all(row[-1] * 100 == row[-2] for row in rows)
    total = desk.query("SELECT sum(amount) FROM marts.cost_by_day")
    assert total == [(sum(expected.values()),)]
