"""What a plan says, in each of its shapes, and that a push does just that."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from tests.engine.cli.things import BLUEPRINT, MAPPING, MODEL, with_things

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Desk, Done, MakeDesk

# One mapping with retention and threshold set so that deletions are seen.
ONE = MAPPING.replace("enableMergeEntity: false\n", "entityDeletionThreshold: 0.5\n").replace(
    "    onDuplicate: last\n    selector: {query: .number != 3}\n", ""
)


@pytest.fixture(scope="module")
def shop(make_desk: MakeDesk) -> Desk:
    desk = with_things(make_desk())
    (desk.root / "mappings/things_cheap.yml").unlink()
    (desk.root / "mappings/blueprints/cheap_thing.yml").unlink()
    return desk


@pytest.fixture
def things(shop: Desk) -> Desk:
    """Six things with a name, none of them pushed yet."""
    shop.write("models/things.sql", MODEL.replace("null, 5", "'egg', 5"))
    shop.write("mappings/things.yml", ONE)
    shop.write("mappings/blueprints/thing.yml", BLUEPRINT)
    shop.port.blueprints.clear()
    shop.port.entities.clear()
    shop.port.faults.clear()
    shop.forget_requests()
    shop.database.unlink(missing_ok=True)
    return shop


def pushed(things: Desk) -> Desk:
    """The same, all of them in Port."""
    done = things.run("push")
    assert done.code == 0, done.err
    things.forget_requests()
    return things


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    schema = json.loads(files("lading.project").joinpath("schemas/plan.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(found)
    return found


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {each["identifier"]: each["action"] for each in found["changes"]}


def names(things: Desk) -> set[str]:
    return set(things.held("thing"))


def change_some(things: Desk) -> None:
    """Another amount of beet, no corn, and a new hop."""
    things.edit("models/things.sql", "(1, 'beet', 2, 'red')", "(1, 'beet', 2.50, 'red')")
    things.edit("models/things.sql", "(2, 'corn', 3, 'green')", "(2, 'hop', 3, 'green')")


def test_a_plan_tells_each_entity_and_each_key(things: Desk) -> None:
    change_some(pushed(things))
    done = things.run("plan")
    assert done.code == 0, done.err
    assert done.out == (
        "thing:\n"
        "  + hop\n"
        "  ~ beet\n"
        "      properties.amount  2 -> 2.5\n"
        "  - corn\n"
        "\n"
        "  blueprint  create  change  delete  unchanged\n"
        "  thing           1       1       1          5\n"
        "Plan: 1 to create, 1 to change, 1 to delete, 5 unchanged, against what was pushed.\n"
    )
    assert things.sent() == []
    assert things.run("push").code == 0
    assert [each["identifier"] for each in things.sent()] == ["beet", "hop"]
    assert names(things) == {"apple", "beet", "hop", "dill", "egg", "fig", "gage"}
    assert things.held("thing")["beet"]["amount"] == 2.5
    assert re.search(r"\n  thing +1 +1 +1 +5\n", things.run("plan", "--limit", "0").out) is None


def test_long_lists_are_cut(things: Desk) -> None:
    done = things.run("plan", "--limit", "2")
    assert "+ blueprint thing (2 properties)\n" in done.out
    assert "  + apple\n  + beet\n    … create: at most 2 are shown (--limit)\n" in done.out
    assert "corn" not in done.out
    assert "at most" not in things.run("plan", "--limit", "0").out


def test_a_plan_as_json(things: Desk) -> None:
    change_some(pushed(things))
    found = document(things.run("plan", "-o", "json"))
    assert actions(found) == {"hop": "create", "beet": "change", "corn": "delete"}
    by_name = {each["identifier"]: each for each in found["changes"]}
    assert by_name["beet"]["changes"] == [{"path": "properties.amount", "before": 2, "after": 2.5}]
    assert by_name["hop"]["entity"] == {
        "identifier": "hop",
        "properties": {"amount": 3, "colour": "green"},
    }
    assert found["deletions"] == {
        "entities": 1,
        "owned": 7,
        "threshold": 0.5,
        "carried_out": True,
    }
    assert found["blueprints"][0]["action"] == "unchanged"


def test_a_plan_as_markdown(things: Desk) -> None:
    change_some(pushed(things))
    done = things.run("plan", "-o", "markdown")
    assert done.out.startswith("### Plan for Port (127.0.0.1:")
    assert "| thing | 1 | 1 | 1 | 5 |" in done.out
    assert "| change | thing | beet | properties.amount: 2 -> 2.5 |" in done.out
    assert done.out.count("<details>") == done.out.count("</details>") == 1


def test_the_exit_code_says_if_there_is_anything_to_do(things: Desk) -> None:
    assert things.run("plan").code == 0
    assert things.run("plan", "--exit-code").code == 1
    assert things.query("SELECT exit_code, status FROM lading.runs ORDER BY started_at") == [
        (0, "done"),
        (1, "done"),
    ]
    pushed(things)
    assert things.run("plan", "--exit-code").code == 0
    things.edit("models/things.sql", "(0, 'apple', 1.5, 'green')", "(0, 'apple', 1.50, 'green')")
    assert things.run("plan", "--exit-code").code == 0


def test_a_saved_plan_is_done_to_the_letter(things: Desk, tmp_path: Path) -> None:
    change_some(pushed(things))
    file = str(tmp_path / "plan.json")
    assert things.run("plan", "--out", file).code == 0
    done = things.run("push", file)
    assert done.code == 0, done.err
    assert [each["identifier"] for each in things.sent()] == ["beet", "hop"]
    assert "corn" not in names(things)
    again = things.run("push", file)
    assert again.code == 1
    assert "0 new and 3 no longer to be done, 100.0 % of 3 (change thing 'beet'" in again.err


def test_a_saved_plan_does_not_do_what_came_since(things: Desk, tmp_path: Path) -> None:
    change_some(pushed(things))
    file = str(tmp_path / "plan.json")
    things.run("plan", "--out", file)
    things.edit("models/things.sql", "'dill', 4", "'dill', 44")
    refused = things.run("push", file)
    assert refused.code == 1
    assert "1 new and 0 no longer to be done, 33.3 % of 3 (change thing 'dill')" in refused.err
    assert things.sent() == []
    allowed = things.run("push", file, "--allow-drift", "40")
    assert allowed.code == 0, allowed.err
    assert [each["identifier"] for each in things.sent()] == ["beet", "hop"]
    assert re.search(r"blueprint .*left out\n  thing +1 +1 +1 +4 +1$", allowed.out, re.M)
    assert things.held("thing")["dill"]["amount"] == 4
    assert things.run("push").code == 0
    assert things.held("thing")["dill"]["amount"] == 44


def test_a_saved_plan_grows_old(things: Desk, tmp_path: Path) -> None:
    pushed(things)
    change_some(things)
    file = str(tmp_path / "plan.json")
    things.run("plan", "--out", file)
    things.now += timedelta(hours=25)
    try:
        old = things.run("push", file)
        assert old.code == 1
        assert "plan.json is 1d 1h old, more than 1d" in old.err
        assert things.run("push", file, "--max-age", "2d").code == 0
    finally:
        things.now -= timedelta(hours=25)


def test_what_is_no_plan_or_another_s(things: Desk, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    assert things.run("push", str(file)).code == 2
    file.write_text("{}")
    assert "is no plan that was saved" in things.run("push", str(file)).err
    things.run("plan", "--out", str(file))
    file.write_text(file.read_text().replace("lading-claude", "somebody-else"))
    other = things.run("push", str(file))
    assert other.code == 2
    assert "is a plan of claude_usage for 127.0.0.1:" in other.err
    assert things.sent() == []


def test_a_runner_without_a_database_sends_only_what_changed(things: Desk) -> None:
    change_some(pushed(things))
    things.database.unlink()
    done = things.run("plan", "--against", "port", "-o", "json")
    assert done.code == 0, done.err
    found = document(done)
    assert found["against"] == "port"
    assert actions(found) == {"hop": "create", "beet": "change", "corn": "delete"}
    things.database.unlink()
    assert things.run("push", environment={"LADING_AGAINST": "port"}).code == 0
    assert [each["identifier"] for each in things.sent()] == ["beet", "hop"]
    assert "corn" not in names(things)
    assert things.run("plan", "--against", "port", "--exit-code").code == 0


def test_drift_in_port_is_repaired(things: Desk) -> None:
    pushed(things)
    things.port.edit("thing", "beet", amount=99)
    things.port.remove("thing", "corn")
    assert things.run("push").code == 0
    assert things.held("thing")["beet"]["amount"] == 99
    assert things.run("push", "--against", "port").code == 0
    assert things.held("thing")["beet"]["amount"] == 2
    assert "corn" in names(things)


def test_port_that_can_not_be_read_is_no_reason_to_guess(things: Desk) -> None:
    pushed(things)
    things.port.faults.add(things.port.faults.parse("500:path=/entities/search,times=always"))
    done = things.run("push", "--against", "port")
    assert done.code == 1
    assert "Port answers 500" in done.err
    assert things.sent() == []
    offline = things.run("plan", "--against", "port", environment={"PORT_CLIENT_SECRET": None})
    assert offline.code == 2
    assert "PORT_CLIENT_SECRET is not set" in offline.err


def test_more_deletions_than_allowed_are_none(things: Desk) -> None:
    pushed(things)
    things.write("models/things.sql", "select 'apple' as name, 1 as amount, 'red' as colour")
    plan = things.run("plan")
    assert plan.code == 1
    assert (
        "6 of the 7 entities that Port holds (86%) would be deleted, more than "
        "entityDeletionThreshold allows (50%): none is" in plan.err
    )
    assert document(things.run("plan", "-o", "json"))["deletions"]["carried_out"] is False
    done = things.run("push")
    assert done.code == 1
    assert [each["identifier"] for each in things.sent()] == ["apple"]
    assert len(names(things)) == 7
    things.edit("mappings/things.yml", "entityDeletionThreshold: 0.5", "entityDeletionThreshold: 1")
    assert things.run("push").code == 0
    assert names(things) == {"apple"}


def test_nothing_is_deleted_because_a_row_gave_no_entity(things: Desk) -> None:
    pushed(things)
    things.edit("models/things.sql", "'egg', 5", "null, 5")
    things.edit("models/things.sql", "(2, 'corn', 3, 'green'),", "")
    assert things.run("push").code == 0
    assert {"egg", "corn"} <= names(things)
    kept = things.query("SELECT DISTINCT reason FROM lading.plan WHERE action = 'kept'")
    assert kept == [("1 of its rows gave no entity",)]


def test_nothing_is_deleted_because_a_test_failed(things: Desk) -> None:
    pushed(things)
    things.write(
        "models/things.yml",
        "models: [{name: things, columns: [{name: amount, data_tests: [not_null]}]}]",
    )
    try:
        things.edit("models/things.sql", "'egg', 5", "'egg', null::int")
        things.edit("models/things.sql", "(2, 'corn', 3, 'green'),", "")
        done = things.run("push")
        assert done.code == 1
        assert "corn" in names(things)
        assert things.sent() == []
    finally:
        (things.root / "models/things.yml").unlink()


def test_what_no_mapping_gives_stays_until_it_is_pruned(things: Desk) -> None:
    pushed(things)
    things.edit("mappings/things.yml", "'\"thing\"'", "'\"other\"'")
    things.edit("mappings/things.yml", "all_of_them", "others")
    things.edit("mappings/things.yml", "entityDeletionThreshold: 0.5", "entityDeletionThreshold: 1")
    things.write("mappings/blueprints/other.yml", BLUEPRINT.replace("thing", "other"))
    try:
        assert things.run("push").code == 0
        assert len(names(things)) == 7
        reasons = things.query("SELECT DISTINCT reason FROM lading.plan WHERE action = 'kept'")
        assert reasons == [("no mapping gives it any more; --prune deletes it",)]
        said = "7 entities{} stay: no mapping gives it any more; --prune deletes it"
        assert f"thing:\n  = {said.format('')}\n" in things.run("plan").out
        assert f"- {said.format(' of thing')}\n" in things.run("plan", "-o", "markdown").out
        things.database.unlink()
        pruned = things.run("push", "--prune", "--against", "port")
        assert pruned.code == 0, pruned.err
        assert names(things) == set()
        assert len(things.held("other")) == 7
    finally:
        (things.root / "mappings/blueprints/other.yml").unlink()


def test_what_port_refused_waits_for_a_change(things: Desk) -> None:
    pushed(things)
    # Stricter in Port than the project's file knows.
    things.port.blueprints["thing"]["schema"]["properties"]["colour"]["enum"] = ["green", "red"]
    things.port.faults.add(things.port.faults.parse("207:path=/bulk,every=1"))
    things.edit("models/things.sql", "'beet', 2", "'beet', 3")
    assert things.run("push").code == 1
    things.port.faults.clear()
    things.forget_requests()
    waits = things.run("push")
    assert waits.code == 1
    assert things.sent() == []
    assert "thing 'beet' (all_of_them): refused by a fault that is switched on" in waits.err
    plan = things.run("plan")
    assert "  ! beet (refused): refused by a fault that is switched on\n" in plan.out
    # Its mapping, its blueprint or the entity itself: each is a reason to try again.
    things.edit("mappings/things.yml", "amount: .amount", "amount: (.amount)")
    assert "  ~ beet: Port refused it before" in things.run("plan").out
    things.edit("mappings/things.yml", "amount: (.amount)", "amount: .amount")
    things.port.blueprints["thing"]["schema"]["properties"]["more"] = {"type": "string"}
    assert "  ~ beet: Port refused it before" in things.run("plan").out
    del things.port.blueprints["thing"]["schema"]["properties"]["more"]
    assert "  ! beet (refused)" in things.run("plan").out
    assert "  ~ beet: Port refused it before" in things.run("plan", "--retry").out
    assert things.run("push", "--retry").code == 0
    assert things.held("thing")["beet"]["amount"] == 3
    assert things.query("FROM lading.refused") == []


def test_a_property_that_the_blueprint_lacks_is_one_error(things: Desk) -> None:
    pushed(things)
    things.edit("mappings/things.yml", "colour: .colour}", "colour: .colour, size: .number}")
    lacking = things.run("plan")
    assert lacking.code == 1
    assert "all_of_them is not pushed: its blueprint lacks what it sends" in lacking.err
    told = r"mappings/things.yml:\d+:\d+: error: all_of_them sends the property 'size'"
    assert re.search(told, lacking.err)
    assert things.run("push").code == 1
    assert things.sent() == []
    assert len(names(things)) == 7
    things.edit(
        "mappings/blueprints/thing.yml",
        "    amount: {type: number}",
        "    amount: {type: number}\n    size: {type: number}",
    )
    shown = things.run("plan")
    assert shown.code == 1
    assert "--apply-blueprints adds it" in shown.err
    assert "! blueprint thing lacks property size (number); --apply-blueprints" in shown.out
    assert "apple" not in shown.out
    assert things.run("plan", "--apply-blueprints").code == 0
    assert "size" not in things.port.blueprints["thing"]["schema"]["properties"]
    done = things.run("push", "--apply-blueprints")
    assert done.code == 0, done.err
    assert things.held("thing")["fig"]["size"] == 5
    assert things.port.blueprints["thing"]["schema"]["properties"]["size"] == {"type": "number"}


def test_a_property_that_port_requires_and_no_mapping_sends(things: Desk) -> None:
    pushed(things)
    body = things.port.blueprints["thing"]
    body["schema"]["properties"]["origin"] = {"type": "string"}
    body["schema"]["required"] = ["origin"]
    said = "all_of_them does not send the property 'origin', which the blueprint 'thing' requires"
    assert said not in things.run("plan").err
    things.edit("models/things.sql", "'apple'", "'plum'")
    assert things.run("plan").err.count(said) == 1


def test_a_blueprint_that_only_differs_is_shown_and_left_alone(things: Desk) -> None:
    pushed(things)
    things.edit("mappings/blueprints/thing.yml", "title: Thing", "title: A thing")
    before = json.dumps(things.port.blueprints["thing"])
    shown = things.run("plan")
    assert "! blueprint thing differs" in shown.out
    assert things.run("push", "--apply-blueprints").code == 0
    assert json.dumps(things.port.blueprints["thing"]) == before


def test_entities_that_relate_to_each_other_go_in_an_order_that_works(things: Desk) -> None:
    """Each thing relates to the next one, the last to the first: a ring of one blueprint."""
    things.write(
        "mappings/blueprints/thing.yml", BLUEPRINT + "relations:\n  next: {target: thing}\n"
    )
    things.write(
        "models/things.sql",
        "select 'e' || n as name, n as amount, 'red' as colour, 'e' || (n + 1) % 50 as next "
        "from range(50) as numbers(n)",
    )
    things.write(
        "mappings/things.yml",
        ONE.replace("resources:", "createMissingRelatedEntities: false\nresources:").replace(
            "          properties:", "          relations: {next: .next}\n          properties:"
        ),
    )
    done = things.run("push")
    assert done.code == 0, done.err
    held = [each for each in things.port.entities.values() if each.blueprint == "thing"]
    assert {each.identifier: each.relations["next"] for each in held} == {
        f"e{n}": f"e{(n + 1) % 50}" for n in range(50)
    }
    assert re.search(r"\n  thing +50 +0 +0 +0\n", done.out)
    things.forget_requests()
    assert things.run("push").code == 0
    assert things.sent() == []
