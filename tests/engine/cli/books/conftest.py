"""A small project, and reports that are changed on their way to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import lading.project

if TYPE_CHECKING:
    from tests.engine.cli.conftest import ChangeAnswers
    from tests.engine.conftest import Desk, Variables


# Changes an answer's data: the path, its buckets, records or members.
Edit = Callable[[str, list[dict[str, Any]]], None]
Alter = Callable[[Edit], None]


def begin_in_february(desk: Desk) -> Desk:
    """Have the mappings ask for the first days of February alone."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    return desk


def status_in_json(
    desk: Desk, *options: str, environment: Variables | None = None
) -> dict[str, Any]:
    """What `status --output json` says, which fits its schema."""
    done = desk.run("status", "--output", "json", *options, environment=environment)
    said: dict[str, Any] = json.loads(done.out)
    schema = Path(lading.project.__file__).parent / "schemas/status.json"
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    assert [each.message for each in validator.iter_errors(said)] == []
    return said


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A project that asks for all three reports, of the five days up to the present."""
    return begin_in_february(desk)


@pytest.fixture
def altered(change_answers: ChangeAnswers) -> Alter:
    """Has what Anthropic's stand-in answers changed."""
    return lambda edit: change_answers(lambda request, data: edit(request.path, data))
