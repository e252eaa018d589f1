"""One organisation for each connection of a database, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from tests.engine.conftest import Desk

LANDED = """
SELECT count(*), min(run_id), max(run_id) FROM (
    SELECT run_id FROM raw.usage_messages UNION ALL SELECT run_id FROM raw.cost_report
    UNION ALL SELECT run_id FROM raw.claude_code UNION ALL SELECT run_id FROM raw.users
)
"""


def test_figures_of_another_organisation_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a run that did not end: nothing of the other one waits to be landed."""
    organisation = desk.anthropic.organisation
    first = organisation.id
    assert desk.run("extract").code == 0
    assert desk.query("SELECT connection, organization FROM lading.organizations") == [
        ("anthropic", first)
    ]
    before = desk.query(LANDED)
    monkeypatch.setattr(organisation, "id", "another-organisation")
    for command in ("extract", "sync"):
        done = desk.run(command)
        assert done.code == 2
        assert "belongs to the organisation another-organisation" in done.err
        assert f"what has landed by it is of {first}" in done.err
        assert "project.yml:" in done.err
        assert "--target" in done.err
        assert desk.query(LANDED) == before
        assert desk.sent() == []
    monkeypatch.setattr(organisation, "id", first)
    assert desk.run("extract").code == 0
    assert "that a run that did not end had received" not in done.err


def test_a_server_that_does_not_say_whose_it_is_is_taken_at_its_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.anthropic.organisation, "id", "")
    assert desk.run("extract").code == 0
    assert desk.query("FROM lading.organizations") == []
