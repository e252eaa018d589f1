"""Projects that fetch a few days, most of them closed, and nothing more."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

# On the eighth of February the fifth is open, and what is before it is closed.
NOW = datetime(2026, 2, 8, 15, 30, tzinfo=UTC)
EXTRACTS = {
    "usage_messages": ["group_by: [model, workspace_id]"],
    "cost_report": ["group_by: []"],
    "claude_code": ["group_by: []"],
}

# Leaves nothing of a project but its sources, and says there what to fetch: by stream.
AskFor = Callable[["Desk", Mapping[str, Sequence[str]]], None]


@pytest.fixture(scope="session")
def ask_for() -> AskFor:
    """Leaves nothing of a project but its sources, and says there what to fetch: by stream."""

    def ask(desk: Desk, extracts: Mapping[str, Sequence[str]]) -> None:
        desk.now = NOW
        for folder in ("models", "mappings", "tests"):
            shutil.rmtree(desk.root / folder)
        text = (desk.root / "sources/claude.yml").read_text("utf-8")
        first, *streams = text.split("      - name: ")
        sections = [_asked(each, extracts.get(each.partition("\n")[0], ())) for each in streams]
        desk.write("sources/claude.yml", "      - name: ".join([first, *sections]))

    return ask


def _asked(section: str, extracts: Sequence[str]) -> str:
    lines = [f"          - {{start: '2026-02-01', {each}}}\n" for each in extracts]
    if not lines:
        return section
    return f"{section.rstrip()}\n        extracts:\n{''.join(lines)}\n"


@pytest.fixture(scope="module")
def fetched(make_desk: MakeDesk, ask_for: AskFor) -> Path:
    """A project of sources alone that has fetched some days, until three days ago for good."""
    desk = make_desk()
    ask_for(desk, EXTRACTS)
    done = desk.run("extract", "--no-control-totals")
    assert done.code == 0, done.err
    return desk.root


@pytest.fixture
def synced(desk: Desk, fetched: Path) -> Desk:
    """A desk with a copy of that project."""
    shutil.rmtree(desk.root)
    shutil.copytree(fetched, desk.root)
    desk.now = NOW
    return desk
