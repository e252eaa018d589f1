"""A small project, and reports that are changed on their way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.conftest import ChangeAnswers
    from tests.engine.conftest import Desk


# Changes an answer's data: the path, its buckets, records or members.
Edit = Callable[[str, list[dict[str, Any]]], None]
Alter = Callable[[Edit], None]


def begin_in_february(desk: Desk) -> Desk:
    """Have the mappings ask for the first days of February alone."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    return desk


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A project that asks for all three reports, of the five days up to the present."""
    return begin_in_february(desk)


@pytest.fixture
def altered(change_answers: ChangeAnswers) -> Alter:
    """Has what Anthropic's stand-in answers changed."""
    return lambda edit: change_answers(lambda request, data: edit(request.path, data))
