"""What is deleted of what the mappings no longer give, and what stays and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lading.port.client import UpsertSettings
from lading.port.order import Place
from lading.port.planning import Aim, draw_up
from lading.port.removals import (
    BY_SEARCH,
    LEFT_WINDOW,
    NO_MAPPING,
    PERIOD_UNKNOWN,
    STILL_RELATED,
    Removals,
    Window,
    is_too_much,
)
from lading.sandbox.faults import Fault
from lading.sandbox.server import Request

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

BOTH = {"usage": "usage", "cost": "cost"}
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def text(identifier: str, **more: Any) -> str:
    return json.dumps({"identifier": identifier, "properties": {}, **more})


def rows(*identifiers: str, name: str = "usage") -> list[tuple[str, str, str, str]]:
    return [(name, name, each, text(each)) for each in identifiers]


def on(day: str) -> tuple[str, str, str, str]:
    """An entity of that name, whose property says of when it is."""
    return ("usage", "usage", day, text(day, properties={"text": day}))


def planned(yard: Yard) -> dict[str, tuple[str, str | None]]:
    """Identifier to action and reason, of what is not unchanged."""
    found = yard.rows(
        "SELECT identifier, action, reason FROM lading.planned WHERE action <> 'unchanged'"
    )
    return {identifier: (action, reason) for identifier, action, reason in found}


def deletions(yard: Yard) -> list[Request]:
    return [each for each in yard.stand_in.requests if each.path.endswith("/entities/delete")]


def held_of(yard: Yard) -> set[str]:
    return {identifier for _, identifier in yard.stand_in.entities}


def after(yard: Yard, removals: Removals) -> dict[str, tuple[str, str | None]]:
    yard.removals = removals
    yard.plan()
    return planned(yard)


def test_what_is_gone_is_deleted_in_hundreds_and_forgotten(yard: Yard) -> None:
    yard.stage(*rows(*(f"e{number}" for number in range(230)), "stays"))
    yard.push()
    yard.stage(*rows("stays"))
    yard.removals = Removals(BOTH)
    result = yard.push()
    (counts,) = result.blueprints
    assert (counts.deleted, counts.unchanged, counts.failed) == (230, 1, 0)
    assert held_of(yard) == {"stays"}
    sizes = [len(json.loads(each.body)["entities"]) for each in deletions(yard)]
    assert sorted(sizes) == [30, 100, 100]
    assert {dict(each.query)["delete_dependents"] for each in deletions(yard)} == {"true"}
    assert yard.rows("SELECT identifier FROM lading.pushed") == [("stays",)]
    assert planned(yard) == {f"e{number}": ("delete", None) for number in range(230)}


def test_a_mapping_says_what_becomes_of_dependents(yard: Yard) -> None:
    yard.settings["usage"] = UpsertSettings(delete_dependents=False)
    yard.stage(*rows("e"))
    yard.push()
    yard.stage()
    yard.removals = Removals(BOTH)
    assert yard.push().deleted == 1
    assert [dict(each.query) for each in deletions(yard)] == [{"delete_dependents": "false"}]


@pytest.mark.parametrize(
    ("removals", "why"),
    [
        (Removals(BOTH, {"usage": "usage could not be fetched"}), "usage could not be fetched"),
        (Removals({"usage": "usage", "other": "usage"}, {"other": "it failed"}), "it failed"),
        (Removals({"cost": "cost"}), NO_MAPPING),
        (Removals({"cost": None}, {"cost": "it failed"}, prune=True), "it failed"),
        (Removals(BOTH, windows={"usage": Window(None, MARCH)}), PERIOD_UNKNOWN),
        (Removals(BOTH, windows={"usage": Window("text", MARCH)}), PERIOD_UNKNOWN),
    ],
    ids=[
        "its resource failed",
        "another of its blueprint failed",
        "no mapping has it",
        "whatever else may have given it failed",
        "no property tells its period",
        "its property is no moment",
    ],
)
def test_what_stays_says_why(yard: Yard, removals: Removals, why: str) -> None:
    yard.stage(*rows("e"))
    yard.push()
    yard.stage(*rows("other", name="cost"))
    assert after(yard, removals)["e"] == ("kept", why)
    yard.push()
    assert "e" in held_of(yard)
    assert deletions(yard) == []


def test_pruning_deletes_what_no_mapping_has(yard: Yard) -> None:
    yard.stage(*rows("e"))
    yard.push()
    yard.stage(*rows("other", name="cost"))
    yard.removals = Removals({"cost": "cost"}, prune=True)
    assert yard.push(["cost"]).deleted == 1
    # How a mapping that is no more wanted its dependents is not known: they are spared.
    assert [dict(each.query) for each in deletions(yard)] == [{"delete_dependents": "false"}]


def test_what_another_resource_has_taken_over_goes_with_that(yard: Yard) -> None:
    yard.stage(*rows("e", "f"))
    yard.push()
    yard.stage(*(("new", "usage", each, text(each)) for each in "ef"))
    yard.removals = Removals({"new": "usage"})
    yard.push(["new"])
    yard.stage(("new", "usage", "f", text("f")))
    assert yard.push(["new"]).deleted == 1
    assert held_of(yard) == {"f"}


def test_what_left_the_window_stays_and_what_is_in_it_goes(yard: Yard) -> None:
    days = ("2026-02-28T00:00:00Z", "2026-03-01T01:00:00+02:00", "2026-03-01T00:00:00.000Z")
    yard.stage(*map(on, days))
    yard.push()
    yard.stage(*rows("new"))
    windows = {"usage": Window("text", MARCH)}
    assert after(yard, Removals(BOTH, windows=windows)) == {
        "new": ("create", None),
        days[0]: ("kept", LEFT_WINDOW),
        days[1]: ("kept", LEFT_WINDOW),
        days[2]: ("delete", None),
    }
    found = after(yard, Removals(BOTH))
    assert {found[day] for day in days} == {("delete", None)}


def test_what_was_pushed_by_a_search_stays(yard: Yard) -> None:
    search = '{"combinator": "and", "rules": []}'
    yard.stage(("usage", "usage", search, text("e")))
    yard.push()
    yard.stage(*rows("other"))
    assert after(yard, Removals(BOTH))[search] == ("kept", BY_SEARCH)


def test_what_an_entity_relates_to_that_stays_is_spared(yard: Yard) -> None:
    relations = {"cost": {"of": "usage", "more": "usage"}}
    for body in (yard.stand_in.blueprints["cost"],):
        body["relations"] = {"of": {"target": "usage"}, "more": {"target": "usage", "many": True}}
    yard.stage(*rows("a", "b", "c", "d"), ("cost", "cost", "x", text("x", relations={"of": "a"})))
    yard.push()
    related = text("x", relations={"of": "a", "more": ["b"]})
    yard.stage(("cost", "cost", "x", related))
    found = after(yard, Removals(BOTH, relations=relations))
    assert {name: found[name] for name in "abcd"} == {
        "a": ("kept", STILL_RELATED),
        "b": ("kept", STILL_RELATED),
        "c": ("delete", None),
        "d": ("delete", None),
    }


def test_a_relation_that_is_no_longer_sent_is_still_there(yard: Yard) -> None:
    """Port keeps what an upsert leaves out, and would delete the entity with what it relates to."""
    yard.stand_in.blueprints["cost"]["relations"] = {"of": {"target": "usage"}}
    yard.removals = Removals(BOTH, relations={"cost": {"of": "usage"}})
    yard.stage(*rows("a", "b"), ("cost", "cost", "x", text("x", relations={"of": "a"})))
    yard.push()
    without = ("cost", "cost", "x", text("x", properties={"tokens": 1}))
    yard.stage(*rows("b"), without)
    for _ in range(3):  # when it is sent without, and once it is unchanged
        yard.push()
        assert held_of(yard) == {"a", "b", "x"}
        assert planned(yard)["a"] == ("kept", STILL_RELATED)
    yard.stage(*rows("b"), ("cost", "cost", "x", text("x", relations={"of": "b"})))
    yard.push()
    assert yard.push().deleted + len(deletions(yard)) == 1
    assert held_of(yard) == {"b", "x"}


def test_a_deletion_that_port_refuses_costs_no_other(yard: Yard) -> None:
    body = yard.stand_in.blueprints["cost"]
    body["relations"] = {"of": {"target": "usage", "required": True}}
    yard.settings["usage"] = UpsertSettings(delete_dependents=False)
    yard.stage(*rows("a", "b", "c"))
    yard.push()
    # Somebody else's entity, which depends on one of ours.
    yard.stage(("cost", "cost", "x", text("x", relations={"of": "b"})))
    yard.push(["cost"])
    with yard.database.writing() as connection:
        connection.execute("DELETE FROM lading.pushed WHERE identifier = 'x'")
    yard.stage()
    yard.removals = Removals(BOTH)
    result = yard.push()
    assert (result.deleted, sum(each.refused for each in result.blueprints)) == (2, 1)
    assert held_of(yard) == {"b", "x"}
    assert yard.rows("SELECT identifier, status FROM lading.refused") == [("b", 409)]
    yard.stand_in.remove("cost", "x")
    assert yard.push().deleted == 1
    assert yard.rows("FROM lading.refused") == yard.rows("FROM lading.pushed") == []


@pytest.mark.parametrize("kind", ["reset", "503", "truncated"])
def test_a_deletion_whose_answer_is_lost_is_done_once(yard: Yard, kind: str) -> None:
    yard.stage(*rows("a", "b"))
    yard.push()
    yard.stage()
    yard.removals = Removals(BOTH)
    yard.stand_in.faults.add(Fault(kind, path="/entities/delete", times=1))
    result = yard.push()
    assert (result.deleted, result.ok) == (2, True)
    assert held_of(yard) == set()


def test_what_a_deletion_does_not_name_is_looked_for(yard: Yard) -> None:
    yard.stage(*rows("a", "b", "c"))
    yard.push()
    yard.stand_in.remove("usage", "b")
    yard.stage()
    yard.removals = Removals(BOTH)
    yard.stand_in.faults.add(Fault("unanswered", path="/entities/delete", every=2))
    assert yard.push().deleted == 3
    asked = [each.path for each in yard.stand_in.requests if each.method == "GET"]
    assert asked
    assert all(path.startswith("/v1/blueprints/usage/entities/") for path in asked)


def test_entities_go_before_what_they_relate_to(yard: Yard) -> None:
    yard.places = {"usage": Place(0), "cost": Place(1)}
    yard.stage(*rows("a"), *rows("x", name="cost"))
    yard.push()
    yard.stage()
    yard.removals = Removals(BOTH)
    yard.push()
    assert [each.path.split("/")[3] for each in deletions(yard)] == ["cost", "usage"]
    upserts = [each.path.split("/")[3] for each in yard.bulks() if "delete" not in each.path]
    assert upserts == ["usage", "cost"]


@pytest.mark.parametrize(
    ("deletes", "of", "threshold", "too_much"),
    [
        (9, 10, 0.9, False),
        (10, 10, 0.9, True),
        (91, 100, 0.9, True),
        (10, 10, 1.0, False),
        (1, 10, 0.0, True),
        (0, 10, 0.0, False),
        (5, 10, 0.5, False),
        (6, 10, 0.5, True),
        (0, 0, 0.0, False),
    ],
)
def test_the_threshold_is_of_all_that_is_owned(
    deletes: int, of: int, threshold: float, too_much: bool
) -> None:
    assert is_too_much(deletes, of, threshold) is too_much


REQUIRED = {"cost": {"of": "usage"}}


@pytest.fixture
def related(yard: Yard) -> Yard:
    """An entity that requires another one, both pushed; it is to require a new one now."""
    link = {"target": "usage", "required": True}
    yard.stand_in.blueprints["cost"]["relations"] = {"of": link}
    yard.places = {"usage": Place(0), "cost": Place(1)}
    yard.removals = Removals(BOTH, relations=REQUIRED)
    yard.stage(*rows("old"), ("cost", "cost", "x", text("x", relations={"of": "old"})))
    yard.push()
    yard.stage(*rows("new"), ("cost", "cost", "x", text("x", relations={"of": "new"})))
    return yard


@pytest.mark.parametrize(
    "fault",
    [
        Fault("500", path="/cost/entities/bulk", times=None),
        Fault("403", path="/cost/entities/bulk", times=None),
        Fault("unanswered", path="/cost/entities/bulk", times=None, every=1),
        Fault("207", path="/cost/entities/bulk", times=None, every=1),
    ],
    ids=lambda fault: fault.kind,
)
def test_nothing_is_deleted_while_something_does_not_get_to_port(
    related: Yard, fault: Fault
) -> None:
    """What it still relates to in Port would take it along."""
    related.stand_in.faults.add(fault)
    for _ in range(2):
        result = related.push()
        assert not result.ok
        assert held_of(related) == {"old", "new", "x"}
        assert (result.deleted, result.blueprints[-1].kept) == (0, 1)
    related.stand_in.faults.clear()
    now = text("x", relations={"of": "new"}, title="x")
    related.stage(*rows("new"), ("cost", "cost", "x", now))
    assert related.push().deleted + related.push().deleted == 1
    assert held_of(related) == {"new", "x"}


def test_what_port_goes_on_refusing_keeps_nothing_else(related: Yard) -> None:
    """What an entity that was refused relates to in Port stays, and what has nothing to do with
    it goes."""
    related.stage(*rows("old", "other"), ("cost", "cost", "x", text("x", relations={"of": "old"})))
    related.push()
    link = {"of": "nowhere"}
    related.settings["cost"] = UpsertSettings(create_missing_related_entities=False)
    related.stage(("cost", "cost", "x", text("x", relations=link)))
    related.push()
    assert held_of(related) == {"old", "other", "x"}
    result = related.push()
    assert sum(each.refused for each in result.blueprints) == 1
    assert held_of(related) == {"old", "x"}


def test_what_a_saved_plan_leaves_out_keeps_what_it_relates_to(related: Yard) -> None:
    from lading.port.planning import narrow

    with related.database.writing() as connection:
        aim = Aim(related.client.destination, ("usage", "cost"), removals=related.removals)
        draw_up(connection, aim)
        doing = connection.execute(
            "SELECT action, blueprint, identifier, hash FROM lading.planned "
            "WHERE blueprint = 'usage'"
        ).fetchall()
        narrow(connection, doing, aim)
    assert planned(related)["old"] == ("kept", STILL_RELATED)
