"""What a second look at the whole found wrong, once."""

from __future__ import annotations

from shutil import rmtree
from typing import TYPE_CHECKING

import pytest

from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.conftest import Desk


def test_a_recheck_in_hours_doubles_no_day(desk: Desk) -> None:
    assert desk.run("extract").code == 0
    count = "SELECT count(*), count(DISTINCT (starting_at, ordinal)) FROM raw.claude_code"
    before = desk.query(count)
    assert desk.run("extract", "--recheck", "84h").code == 0
    assert desk.query(count) == before
    assert desk.query("SELECT DISTINCT hour(starting_at) FROM raw.claude_code") == [(0,)]


def test_entities_of_a_blueprint_that_went_are_sent_again_even_if_making_it_failed_first(
    desk: Desk,
) -> None:
    assert desk.run("sync").code == 0
    whole = set(desk.port.entities)
    for name in ("claude_code_analytics", "claude_cost_record"):
        del desk.port.blueprints[name]
        for key in [key for key in desk.port.entities if key[0] == name]:
            del desk.port.entities[key]
    # Something to send, so that the blueprints are looked at, and the second one can't be made.
    desk.edit("mappings/claude.yml", '"Claude Usage - "', '"Usage - "')
    desk.port.faults.add(Fault("403", path="/v1/blueprints", query="", after=7, times=1))
    desk.run("sync")
    desk.port.faults.clear()
    desk.edit("mappings/claude.yml", '"Usage - "', '"Claude Usage - "')
    assert desk.run("sync").code == 0
    assert set(desk.port.entities) == whole


def test_a_sync_that_fails_at_the_blueprints_tells_what_it_did(desk: Desk) -> None:
    desk.port.faults.add(Fault("403", path="/v1/blueprints", times=None))
    done = desk.run("sync")
    assert done.code == 1
    assert "Fetched with" in done.out
    assert "Built 31 models" in done.out
    assert "Port answers 403" in done.err
    assert desk.query("SELECT status FROM lading.runs") == [("incomplete",)]


def test_a_width_that_a_report_does_not_have_is_refused(desk: Desk) -> None:
    text = (desk.root / "sources/claude.yml").read_text("utf-8")
    extracts = "        extracts:\n          - {start: '2026-02-01', bucket_width: 1h}\n"
    desk.write("sources/claude.yml", text + extracts)
    done = desk.run("extract")
    assert done.code == 2
    assert "claude_code has no buckets of 1h, only 1d" in done.err


@pytest.mark.parametrize(("frame", "days"), [("0.5", 1), ("1.5", 2)])
def test_a_part_of_a_day_counts_as_a_day(desk: Desk, frame: str, days: int) -> None:
    desk.edit("mappings/claude.yml", "startingDate: '2026-01-01'\n", f"timeFrame: {frame}\n")
    assert desk.run("sync").code == 0
    asked = [each for each in desk.anthropic.requests if "claude_code" in each.path]
    assert len(asked) == days


def test_a_time_frame_beyond_reason_is_refused(desk: Desk) -> None:
    desk.edit("mappings/claude.yml", "startingDate: '2026-01-01'\n", "timeFrame: 1000000\n")
    done = desk.run("extract")
    assert done.code == 2
    assert "selector.timeFrame must be" in done.err


def test_a_start_later_today_fetches_nothing_of_buckets(desk: Desk) -> None:
    later = f"{desk.now:%Y-%m-%d}T23:00:00Z"
    text = (desk.root / "mappings/claude.yml").read_text("utf-8")
    desk.write("mappings/claude.yml", text.replace("2026-01-01T00:00:00Z", later))
    done = desk.run("extract")
    assert done.code == 0
    assert "warning" in done.err
    asked = {each.path.rpartition("/")[2] for each in desk.anthropic.requests}
    assert asked == {"claude_code", "workspaces", "api_keys", "users", "me"}


def test_a_broken_branch_of_a_resource_model_is_found_before_anything_is_fetched(
    desk: Desk,
) -> None:
    desk.edit(
        "models/resources/claude-code-analytics.sql",
        "day >= {{ selector.startingDate",
        "day >= >= {{ selector.startingDate",
    )
    done = desk.run("sync")
    assert done.code == 2
    assert "models/resources/claude-code-analytics.sql:" in done.err
    assert desk.anthropic.requests == []
    assert not desk.database.exists()


def test_a_blueprint_in_two_files_is_found_before_anything_is_fetched(desk: Desk) -> None:
    folder = desk.root / "mappings/blueprints"
    body = (folder / "claude_cost_record.yml").read_text("utf-8")
    desk.write("mappings/blueprints/again.yml", body)
    done = desk.run("sync")
    assert done.code == 2
    assert "claude_cost_record" in done.err
    assert desk.anthropic.requests == []


def test_a_model_can_not_read_a_secret(desk: Desk) -> None:
    desk.write("models/marts/leak.sql", "select '{{ env_var('PORT_CLIENT_SECRET', 'x') }}' as it")
    done = desk.run("build")
    assert done.code == 2
    assert desk.port.client_secret not in done.out + done.err
    assert not (desk.root / "target/compiled").exists()


def test_the_flag_for_the_folder_wins_over_the_environment(desk: Desk) -> None:
    done = desk.run("extract", "-n", environment={"LADING_PROJECT_DIR": "/nowhere"})
    assert done.code == 0


@pytest.mark.parametrize(
    ("flag", "value"), [("LADING_DRY_RUN", "1"), ("LADING_SELECT", "cost_report")]
)
def test_each_flag_has_its_variable(desk: Desk, flag: str, value: str) -> None:
    done = desk.run("extract", environment={flag: value})
    assert done.code == 0
    assert len(desk.anthropic.requests) == {"LADING_DRY_RUN": 0, "LADING_SELECT": 2}[flag]


def test_columns_of_one_name_are_no_json(desk: Desk) -> None:
    desk.run("build")
    done = desk.run("query", "-o", "json", "SELECT 1 AS a, 2 AS a")
    assert done.code == 2
    assert "two columns are called 'a'" in done.err


def test_a_folder_that_can_not_be_written_to_is_named(desk: Desk) -> None:
    rmtree(desk.root / "target")
    desk.write("target", "a file")
    done = desk.run("build")
    assert done.code == 1
    assert "target" in done.err
    assert "fault in lading itself" not in done.err
