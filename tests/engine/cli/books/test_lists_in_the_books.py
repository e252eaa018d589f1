"""What the books say of lists, which have a moment and no range."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.cli.books.conftest import Alter
    from tests.engine.conftest import Desk

ONLY = ("--select", "users", "--select", "workspaces")
HOUR = timedelta(hours=1)
SAID = ("stream", "width", "starting_at", "ending_at", "slices", "state", "why")


def missing(desk: Desk) -> list[tuple[Any, ...]]:
    """What is missing of users and workspaces, as the status has it."""
    said = json.loads(desk.run("status", "--output", "json").out)
    return [tuple(each[key] for key in SAID) for each in said["missing"] if each["stream"] in ONLY]


def test_a_list_is_open_from_when_another_one_is_due(desk: Desk) -> None:
    desk.edit("sources/lookups.yml", "max_age: 1d", "max_age: 6h", 1)
    assert desk.run("extract", *ONLY).code == 0
    desk.now += 6 * HOUR - timedelta(seconds=1)
    assert missing(desk) == []
    desk.now += 2 * HOUR
    due = ("workspaces", "snapshot", "2026-02-05T21:30:00Z", "2026-02-05T23:29:59Z", 1)
    assert missing(desk) == [(*due, "open", "older than its max_age")]
    # What landed of it before is no hole.
    assert desk.run("extract", *ONLY).code == 0
    assert missing(desk) == []
    assert desk.query("SELECT stream, count(*) FROM lading.requests GROUP BY 1 ORDER BY 1") == [
        ("users", 1),
        ("workspaces", 2),
    ]


def test_a_list_that_failed_is_missing_with_its_error(desk: Desk) -> None:
    desk.anthropic.faults.add(Fault("403", path="/users", times=None))
    assert desk.run("extract", *ONLY).code == 1
    ((*about, why),) = missing(desk)
    at = "2026-02-05T15:30:00Z"
    assert about == ["users", "snapshot", at, at, 1, "failed"]
    assert why.startswith("Anthropic answers 403")
    standing = json.loads(desk.run("status", "--output", "json").out)["freshness"]
    states = {each["stream"]: (each["state"], each["up_to"]) for each in standing}
    assert (states["users"], states["workspaces"]) == (("never", None), ("ok", at))
    desk.anthropic.faults.clear()
    assert desk.run("extract", *ONLY).code == 0
    assert missing(desk) == []
    # One that is there may be too old and refused: from when it was due.
    desk.anthropic.faults.add(Fault("403", path="/users", times=None))
    desk.now += 25 * HOUR
    assert desk.run("extract", *ONLY).code == 1
    ((*about, _),) = missing(desk)
    assert about == [
        "users",
        "snapshot",
        "2026-02-06T15:30:00Z",
        "2026-02-06T16:30:00Z",
        1,
        "failed",
    ]


def test_a_list_that_is_asked_for_in_another_way_takes_the_place_of_the_one_before(
    desk: Desk,
) -> None:
    assert desk.run("extract", *ONLY).code == 0
    desk.edit("sources/lookups.yml", "include_archived: true", "include_archived: false")
    desk.now += HOUR
    assert desk.run("extract", *ONLY).code == 0
    assert (
        desk.query("FROM lading.missing_at('2026-02-06 16:00:00') WHERE stream LIKE 'work%'") == []
    )


def test_fields_of_members_that_no_model_knows_are_named(desk: Desk, altered: Alter) -> None:
    def edit(path: str, data: list[dict[str, Any]]) -> None:
        if path.endswith("/api_keys"):
            data[-1] |= {"rate": {"limit": 1}, "status": "asleep"}
            data[0]["scope"]["region"] = "eu"
        elif path.endswith("/users"):
            data[0]["badge"] = None

    for version in ("2023-06-01", "2026-10-21"):
        desk.edit("project.yml", "version: '2023-06-01'", f"version: '{version}'")
        lists = [text for each in ("workspaces", "organization") for text in ("--select", each)]
        assert " new " not in desk.run("extract", "--full-refresh", *lists).out
    altered(edit)
    path = "path: /v1/organizations/api_keys\n"
    listed = "        values: {status: [active, archived, expired, inactive]}\n"
    desk.edit("sources/lookups.yml", path, path + listed)
    done = desk.run("extract", "--select", "api_keys", "--select", "users")
    assert done.code == 0, done.err
    assert [line for line in done.out.splitlines() if " new " in line] == [
        "2 new fields in api_keys: rate, scope.region; 1 new value of status in api_keys: asleep",
        "1 new field in users: badge",
    ]


def test_no_list_is_ever_restated(desk: Desk) -> None:
    assert desk.run("extract", *ONLY).code == 0
    desk.anthropic.gone = {"user_sandbox02"}
    done = desk.run("extract", "--full-refresh", *ONLY)
    assert done.code == 0
    assert "estated" not in done.out + done.err
    assert desk.query("SELECT count(*) FROM lading.restatements") == [(0,)]
    assert desk.query("SELECT count(*) FROM raw_history.users") == [(0,)]
    reasons = "SELECT reason, count(*) FROM lading.requests GROUP BY ALL ORDER BY ALL"
    assert desk.query(reasons) == [("forced", 2), ("new", 2)]
