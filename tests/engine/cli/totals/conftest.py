"""A small project, and reports that are changed on their way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import ChangeAnswers
    from tests.engine.conftest import Desk

    from lading.sandbox.server import Request

REPORTS = ("/v1/organizations/usage_report/messages", "/v1/organizations/cost_report")

# Changes the buckets of an answer: the report's path, whether it is grouped, its buckets.
Edit = Callable[[str, bool, list[dict[str, Any]]], None]
Alter = Callable[[Edit], None]
Mismatches = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """What marts there are is of no account here."""
    return desk.without_marts()


@pytest.fixture
def late(desk: Desk) -> Desk:
    """A project that asks for usage and cost of the first days of February alone."""
    path = desk.root / "mappings/claude.yml"
    text = path.read_text("utf-8").replace("2026-01-01", "2026-02-01")
    path.write_text(text.partition("  - kind: claude-code-analytics")[0], "utf-8")
    return desk


@pytest.fixture
def mismatches(desk: Desk) -> Mismatches:
    """The days, fields and figures that are on record as not agreeing."""
    rows = "starting_at::DATE::VARCHAR, field, grouped, ungrouped FROM lading.control_totals"
    return lambda: desk.query(f"SELECT {rows} ORDER BY ALL")


@pytest.fixture
def altered(change_answers: ChangeAnswers) -> Alter:
    """Has the buckets that Anthropic's stand-in answers changed."""

    def alter(edit: Edit) -> None:
        def change(request: Request, data: list[dict[str, Any]]) -> None:
            if request.path in REPORTS:
                edit(request.path, any(name == "group_by[]" for name, _ in request.query), data)

        change_answers(change)

    return alter
