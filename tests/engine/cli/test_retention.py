"""What becomes of entities that the reports or the mappings' windows leave behind."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from lading.sandbox.corrections import Correction

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

USAGE, MODELS = "claude_usage_record", "claude_model_usage"
# The resource of the whole organisation's usage is the first of the file.
FIRST = "resources:\n  - kind: claude-usage-record\n"


def days(desk: Desk, blueprint: str) -> set[str]:
    return {each["record_date"][:10] for each in desk.held(blueprint).values()}


def test_a_window_that_moves_leaves_what_is_before_it(desk: Desk) -> None:
    desk.without_marts()
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    assert desk.run("sync").code == 0
    before = days(desk, USAGE)
    assert {"2026-02-01", "2026-02-05"} <= before
    kept_models = days(desk, MODELS)

    desk.edit("mappings/claude.yml", "2026-02-01", "2026-02-04")
    desk.forget_requests()
    done = desk.run("sync")
    assert done.code == 0, done.err
    assert (days(desk, USAGE), desk.sent()) == (before, [])
    said = desk.query("SELECT DISTINCT action, reason FROM lading.plan WHERE action <> 'unchanged'")
    assert said == [
        (
            "kept",
            "it is from before what its mapping asks for; `retention: window` deletes it",
        )
    ]

    desk.edit("mappings/claude.yml", FIRST, f"{FIRST}    retention: window\n", 1)
    # A run that fetches a part alone is no reason to delete.
    assert desk.run("sync", "--start", "2026-02-05").code == 0
    assert days(desk, USAGE) == before
    assert desk.run("sync").code == 0
    assert days(desk, USAGE) == {day for day in before if day >= "2026-02-04"}
    assert days(desk, MODELS) == kept_models


def test_a_row_that_a_restatement_takes_back_takes_its_entity(desk: Desk) -> None:
    desk.without_marts()
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-03")
    assert desk.run("sync").code == 0
    held = set(desk.held(MODELS))
    day = date(2026, 2, 4)
    organisation = desk.anthropic.organisation
    # All but the last use of that day was an error; nothing of the other models is left of it.
    *withdrawn, last = organisation.usage_events(day, desk.now)
    gone = {f"{each.model}-{day}" for each in withdrawn if each.model != last.model}
    assert gone
    desk.anthropic.organisation = organisation.corrected(day, Correction(withdrawn=len(withdrawn)))

    desk.anthropic.faults.add(
        desk.anthropic.faults.parse("403:path=usage_report/messages,times=always")
    )
    assert desk.run("sync").code == 1
    assert set(desk.held(MODELS)) == held
    desk.anthropic.faults.clear()
    dry = desk.run("sync", "--dry-run")
    assert dry.code == 0, dry.err
    assert all(f"  - {name}\n" in dry.out for name in gone)
    assert set(desk.held(MODELS)) == held
    assert desk.run("sync").code == 0
    assert set(desk.held(MODELS)) == held - gone
