"""The books read anew from Port, and plans against them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lading.errors import RetriableError
from lading.port.held import refresh
from lading.port.removals import Removals
from lading.sandbox.faults import Fault
from lading.warehouse.runs import Run

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

BOTH = {"usage": "usage", "cost": "cost"}
ALL = ("usage", "cost")


def rows(*identifiers: str, tokens: object = 1) -> list[tuple[str, str, str, str]]:
    return [
        ("usage", "usage", each, json.dumps({"identifier": each, "properties": {"tokens": tokens}}))
        for each in identifiers
    ]


def look(yard: Yard, *blueprints: str, everywhere: bool = False) -> int:
    from tests.engine.port.conftest import NOW

    run = Run("look", "plan", NOW)
    return refresh(yard.database, run, yard.client, blueprints or ALL, everywhere=everywhere)


def planned(yard: Yard, removals: Removals | None = None) -> dict[str, Any]:
    """Identifier to action, or to the keys that change."""
    yard.removals = removals or Removals(BOTH)
    yard.plan()
    found = yard.rows("SELECT identifier, action, changes FROM lading.planned")
    return {
        identifier: {each["path"]: (each["before"], each["after"]) for each in json.loads(changes)}
        if changes
        else action
        for identifier, action, changes in found
    }


def forget(yard: Yard) -> None:
    """Lose the books, as a runner does that keeps no database."""
    with yard.database.writing() as connection:
        connection.execute("DELETE FROM lading.pushed")


def test_without_books_nothing_is_sent_that_port_has(yard: Yard) -> None:
    yard.stage(*rows("a", "b"))
    yard.push()
    forget(yard)
    assert look(yard) == 2
    assert planned(yard) == {"a": "unchanged", "b": "unchanged"}
    before = len(yard.bulks())
    assert yard.push().sent == 0
    assert len(yard.bulks()) == before
    # From now on the hashes alone tell.
    assert yard.rows("SELECT count(*) FROM lading.pushed WHERE hash = ''") == [(0,)]


def test_what_port_has_by_now_is_no_longer_refused(yard: Yard) -> None:
    """Somebody wrote it there, or it was there before the blueprint ruled it out."""
    yard.stage(*rows("refused", "unfit"))
    yard.push()
    look(yard)
    with yard.database.writing() as connection:
        connection.execute(
            "INSERT INTO lading.refused BY NAME SELECT destination, blueprint, identifier, "
            "resource, entities.hash, 422 AS status, 'no' AS message, 'then' AS basis, "
            "seen_at AS refused_at, run_id FROM lading.pushed "
            "JOIN lading.entities USING (blueprint, identifier, resource)"
        )
    yard.stage(*rows("refused", "unfit"), faults={"unfit": "is too much"})
    yard.plan(basis={"usage": "then"})
    found = yard.rows("SELECT identifier, action FROM lading.planned ORDER BY ALL")
    assert found == [("refused", "unchanged"), ("unfit", "unchanged")]


@pytest.mark.parametrize("doubles", [False, True])
def test_numbers_and_nulls_are_compared_as_port_keeps_them(yard: Yard, doubles: bool) -> None:
    yard.stand_in.doubles = doubles
    entities = {
        "large": {"tokens": 12345678901234567890},
        "long": {"tokens": "digits"},
        "null": {"tokens": None, "text": None},
    }
    yard.stage(
        *(
            (
                "usage",
                "usage",
                name,
                json.dumps({"identifier": name, "properties": each}).replace(
                    '"digits"', "0.12345678901234567890123"
                ),
            )
            for name, each in entities.items()
        )
    )
    yard.push()
    forget(yard)
    look(yard)
    assert planned(yard) == dict.fromkeys(entities, "unchanged")


def test_what_a_person_did_in_port_is_put_right(yard: Yard) -> None:
    yard.stage(*rows("edited", "gone", "same"))
    yard.push()
    yard.stand_in.edit("usage", "edited", tokens=5)
    yard.stand_in.remove("usage", "gone")
    assert planned(yard) == dict.fromkeys(("edited", "gone", "same"), "unchanged")
    # Who writes last is the owner: what was edited is not ours any more until it is written again.
    assert look(yard) == 1
    assert planned(yard) == {"edited": "create", "gone": "create", "same": "unchanged"}
    assert yard.push().sent == 2
    assert yard.held() == {"edited": 1, "gone": 1, "same": 1}
    assert look(yard) == 3
    assert planned(yard) == dict.fromkeys(("edited", "gone", "same"), "unchanged")


def test_what_another_runner_pushed_is_seen_as_it_is(yard: Yard) -> None:
    yard.stage(*rows("a", "b", tokens=1))
    yard.push()
    forget(yard)
    yard.stage(*rows("a", tokens=2))
    look(yard)
    assert planned(yard) == {"a": {"properties.tokens": ("1", "2")}, "b": "delete"}


def test_entities_of_others_are_none_of_ours(yard: Yard) -> None:
    yard.stage(*rows("a"))
    yard.push()
    yard.stand_in.edit("usage", "a", tokens=1)
    yard.stage(*rows("b"))
    forget(yard)
    assert look(yard) == 0
    assert planned(yard) == {"b": "create"}


def test_other_blueprints_are_read_when_everything_is(yard: Yard) -> None:
    yard.stage(*rows("a"), ("cost", "cost", "x", '{"identifier": "x"}'))
    yard.push()
    forget(yard)
    yard.stage(*rows("a"))
    look(yard, "usage")
    assert planned(yard, Removals({"usage": "usage"}, prune=True)) == {"a": "unchanged"}
    look(yard, "usage", everywhere=True)
    assert planned(yard, Removals({"usage": "usage"})) == {"a": "unchanged", "x": "kept"}
    assert planned(yard, Removals({"usage": "usage"}, prune=True)) == {
        "a": "unchanged",
        "x": "delete",
    }


def test_many_entities_come_in_pages(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.port.client.SEARCH_PAGE", 7)
    yard.stage_usage(30)
    yard.push()
    forget(yard)
    assert look(yard) == 30
    asked = [each for each in yard.stand_in.requests if each.path.endswith("/entities/search")]
    assert len([each for each in asked if "/usage/" in each.path]) == 5


@pytest.mark.parametrize("kind", ["500", "garbled", "truncated"])
def test_port_that_can_not_be_read_leaves_the_books(yard: Yard, kind: str) -> None:
    yard.stage(*rows("a"))
    yard.push()
    before = yard.rows("FROM lading.pushed")
    yard.stand_in.faults.add(Fault(kind, path="/entities/search", times=None))
    with pytest.raises(RetriableError):
        look(yard)
    assert yard.rows("FROM lading.pushed") == before
    yard.stand_in.faults.clear()
    yard.stand_in.faults.add(Fault(kind, path="/entities/search", times=1))
    assert look(yard) == 1


def test_a_blueprint_that_is_not_there_has_no_entities(yard: Yard) -> None:
    yard.stage()
    assert look(yard, "usage", "nowhere") == 0


def test_everything_is_not_known_where_port_does_not_tell(yard: Yard, lines: list[str]) -> None:
    yard.stage(*rows("a"), ("cost", "cost", "x", '{"identifier": "x"}'))
    yard.push()
    yard.stand_in.faults.add(Fault("404", path="datasource-entities"))
    look(yard, "usage", everywhere=True)
    assert any("is not known" in line for line in lines)
    assert yard.rows("SELECT identifier FROM lading.pushed ORDER BY ALL") == [("a",), ("x",)]
