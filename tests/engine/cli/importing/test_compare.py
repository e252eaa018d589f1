"""`lading plan --of ID`: how close the mappings come to what another integration has made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.engine.cli.importing.conftest import HERE, give_port

from lading.project.documents import read_document

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

SEED = (HERE.parent / "seed_default_mapping.yml").read_text("utf-8")
OLD = "port-ocean/claude/0.2.50/my-claude/exporter"


def moved_from(desk: Desk) -> None:
    """A Port that an integration of Port's own has filled, and a project with its mapping."""
    give_port(desk, read_document("seed.yml", SEED.replace("2026-01-01", "2026-02-01")).data)
    assert desk.run("import", "--integration", "my-claude").code == 0
    desk.run("sync")
    for key, entity in desk.port.entities.items():
        desk.port.entities[key] = replace(entity, datasource=OLD)
    desk.database.unlink()
    assert desk.run("extract").code == 0


def test_how_close_the_two_are(bare: Desk) -> None:
    moved_from(bare)
    there = dict(bare.port.entities)
    bare.forget_requests()
    # For whoever pushes, none of it is ours.
    own = bare.run("plan", "--against", "port")
    assert f"Plan: {len(there)} to create" in own.out
    same = bare.run("plan", "--of", "my-claude", "--exit-code")
    assert f"{len(there)} unchanged, against what Port has" in same.out

    day = ("claude_usage_record", "2026-02-03-usage")
    gone = ("claude_cost_record", "2026-02-03-cost")
    bare.port.entities[day] = replace(
        there[day], properties={**there[day].properties, "output_tokens": 7}
    )
    bare.port.entities["claude_cost_record", "old-cost"] = replace(
        there[gone], identifier="old-cost"
    )
    del bare.port.entities[gone]
    close = bare.run("plan", "--of", "my-claude", "--exit-code")
    assert close.code == 1
    shown = close.out.splitlines()
    assert "  ~ 2026-02-03-usage" in shown
    right = there[day].properties["output_tokens"]
    assert f"      properties.output_tokens  7 -> {right}" in shown
    assert "  + 2026-02-03-cost" in shown
    assert any("old-cost" in line for line in shown)
    # Nothing was written, and a push still knows nothing of what is another's.
    assert {
        each.path.rpartition("/")[2] for each in bare.port.requests if each.method != "GET"
    } <= {
        "access_token",
        "search",
        "datasource-entities",
    }
    assert f"Plan: {len(there)} to create" in bare.run("plan").out


def test_what_it_is_not_for(bare: Desk) -> None:
    give_port(bare, {})
    saved = bare.run("plan", "--of", "my-claude", "--out", "plan.json")
    assert (saved.code, "can't be saved" in saved.err) == (2, True)
    missing = bare.run("plan", "--of", "my-cloud")
    assert (missing.code, "it has my-claude" in missing.err) == (2, True)
