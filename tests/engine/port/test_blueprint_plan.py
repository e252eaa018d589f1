"""The project's blueprints beside Port's: what is added, what differs, and that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import RefusedError
from lading.port.blueprint_files import Blueprint, read_blueprints
from lading.port.blueprint_plan import (
    SECTIONS,
    BlueprintPlan,
    blueprint_plans,
    compared,
    names_to_ask,
    not_to_be_had,
    patch,
    section_of,
)
from lading.port.blueprints import Applied, apply_blueprints, held_blueprints
from lading.project.documents import read_document
from lading.sandbox.faults import Fault
from lading.sandbox.port_blueprints import blueprint_fault

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
META: dict[str, Any] = {
    "id": "bp_1",
    "createdAt": "2026-01-01T00:00:00Z",
    "updatedAt": "2026-01-02T00:00:00Z",
    "createdBy": "auth0|1",
    "changelogDestination": {},
    "teamInheritance": None,
}


def body(identifier: str = "usage", /, **more: Any) -> dict[str, Any]:
    properties, required = more.pop("properties", {}), more.pop("required", None)
    schema = {"properties": properties, **({} if required is None else {"required": required})}
    return {"identifier": identifier, "title": "Usage", "schema": schema, **more}


def declared(*bodies: Mapping[str, Any]) -> Mapping[str, Blueprint]:
    return read_blueprints(
        read_document(f"mappings/blueprints/{each['identifier']}.yml", json.dumps(each, indent=1))
        for each in bodies
    )


def plan_of(project: Mapping[str, Any], port: Mapping[str, Any] | None) -> BlueprintPlan:
    (blueprint,) = declared(project).values()
    return compared(blueprint, port)


def added(plan: BlueprintPlan) -> list[str]:
    return [each.path for each in plan.additions]


def differing(plan: BlueprintPlan) -> list[tuple[str, Any, Any]]:
    return [(each.path, each.project, each.port) for each in plan.differences]


RELATION = {"target": "cost", "title": "Cost"}
FILE = body(
    icon="Claude",
    description=None,
    properties={
        "amount": {"type": "number", "title": "Amount", "default": 1, "icon": None},
        "state": {"type": "string", "enum": ["a", "b"], "enumColors": {"a": "green"}},
        "links": {"type": "array", "items": {"type": "string", "format": "url"}},
        "more": {"type": "object", "default": {"a": 1}},
    },
    required=["amount", "state"],
    relations={"cost": {**RELATION, "many": False}},
    calculationProperties={"double": {"type": "number", "calculation": ".properties.amount * 2"}},
    mirrorProperties={"of_cost": {"path": "cost.$title"}},
    aggregationProperties={
        "costs": {"target": "cost", "query": {"combinator": "and", "rules": [{"value": 1}]}}
    },
)


def in_port(**changes: Any) -> dict[str, Any]:
    """FILE as Port tells it: other order, its own keys, what people added, and some changes, by
    path with `/`."""
    held = deepcopy({**META, **dict(reversed(FILE.items())), "icon": "Claude"})
    held["schema"]["properties"] |= {"by_hand": {"type": "boolean", "title": "By hand"}}
    held["schema"]["properties"]["amount"] |= {"default": 1.0, "description": "told in the UI"}
    held["schema"]["properties"]["state"]["enum"] = ["b", "a"]
    held["schema"]["properties"]["state"]["enumColors"] |= {"b": "red"}
    held["schema"]["required"] = ["state", "by_hand", "amount"]
    held["relations"]["cost"] |= {"required": False}
    held["relations"]["cost"].pop("many")
    held["aggregationProperties"]["costs"]["query"]["rules"][0] |= {"operator": "="}
    for path, value in changes.items():
        *above, last = path.split("/")
        at = held
        for key in above:
            at = at[key]
        at[last] = value
    return held


def test_what_port_fills_in_and_people_add_is_no_difference() -> None:
    plan = plan_of(FILE, in_port())
    assert (plan.action, plan.additions, plan.differences) == ("unchanged", (), ())


@pytest.mark.parametrize(
    ("path", "port", "project"),
    [
        ("title", "Use", "Usage"),
        ("icon", None, "Claude"),
        ("schema/properties/amount/type", "string", "number"),
        ("schema/properties/amount/title", None, "Amount"),
        ("schema/properties/amount/default", True, 1),
        ("schema/properties/state/enum", ["a", "b", "c"], ["a", "b"]),
        ("schema/properties/state/enumColors/a", "blue", "green"),
        ("schema/properties/links/items/format", "email", "url"),
        ("schema/properties/more/default", {"a": 1, "b": 2}, {"a": 1}),
        ("schema/required", ["amount"], ["amount", "state"]),
        ("schema/required", ["amount", "links", "state"], ["amount", "state"]),
        ("relations/cost/target", "claude", "cost"),
        ("relations/cost/many", True, False),
        ("calculationProperties/double/calculation", ".properties.amount", None),
        ("mirrorProperties/of_cost/path", "cost.$icon", "cost.$title"),
        ("aggregationProperties/costs/query/rules", [{"value": 2}], [{"value": 1}]),
    ],
)
def test_what_the_file_says_otherwise_is_a_difference(path: str, port: Any, project: Any) -> None:
    plan = plan_of(FILE, in_port(**{path: port}))
    project = ".properties.amount * 2" if project is None else project
    assert (plan.action, plan.additions) == ("differs", ())
    assert differing(plan) == [(path.replace("/", "."), project, port)]
    (difference,) = plan.differences
    assert difference.place == plan.blueprint.document.place(*path.split("/"))


def test_what_can_hurt_no_entity_is_an_addition() -> None:
    held = body(properties={"amount": NUMBER | {"title": "Amount"}})
    plan = plan_of({**FILE, "icon": None, "schema": {**FILE["schema"], "required": None}}, held)
    assert plan.action == "differs"  # the default of `amount`
    assert added(plan) == [
        "schema.properties.state",
        "schema.properties.links",
        "schema.properties.more",
        "relations.cost",
        "calculationProperties.double",
        "mirrorProperties.of_cost",
        "aggregationProperties.costs",
    ]
    assert str(plan.additions[0].place).startswith("mappings/blueprints/usage.yml:12:")


@pytest.mark.parametrize(
    ("project", "port", "path", "why"),
    [
        (
            body(properties={"new": NUMBER}, required=["new"]),
            body(),
            "schema.properties.new",
            "it is required, which entities that are there do not meet",
        ),
        (
            body(relations={"new": {"target": "cost", "required": True}}),
            body(),
            "relations.new",
            "it is required, which entities that are there do not meet",
        ),
        (
            body(properties={"total": NUMBER}),
            body(calculationProperties={"total": {"type": "number", "calculation": "1"}}),
            "schema.properties.total",
            "Port has a calculation property of that name",
        ),
        (
            body(
                relations={"to": {"target": "cost", "required": True}, "by": {"target": "cost"}},
                mirrorProperties={"of_to": {"path": "to.$title"}, "of_by": {"path": "by.$title"}},
            ),
            body(),
            "mirrorProperties.of_to",
            "Port has no relation 'to', along which it goes",
        ),
        (
            body(calculationProperties={"odd": 5}),
            body(),
            "calculationProperties.odd",
            "it is no object",
        ),
    ],
)
def test_what_could_be_refused_is_no_addition(
    project: dict[str, Any], port: dict[str, Any], path: str, why: str
) -> None:
    plan = plan_of(project, port)
    assert (path, why) in [(each.path, each.why) for each in plan.differences]
    assert path not in added(plan)
    # A required property is told once, and not again as a difference of `required`.
    assert "schema.required" not in [each.path for each in plan.differences]


NAMES = st.sampled_from("abcd")
DEFINITIONS = st.sampled_from([NUMBER, TEXT, TEXT | {"enum": ["x", "y"]}, NUMBER | {"title": "t"}])
CALCULATIONS = st.sampled_from(["1", ".properties.a"]).map(
    lambda text: {"type": "number", "calculation": text}
)
RELATIONS = st.builds(
    lambda target, required: {"target": target, "required": required},
    st.sampled_from(["cost", "usage"]),
    st.booleans(),
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Bodies that Port takes."""
    properties = draw(st.dictionaries(NAMES, DEFINITIONS))
    required = [name for name in properties if draw(st.booleans())]
    relations = draw(st.dictionaries(NAMES, RELATIONS))
    along = [name for name in relations if draw(st.booleans())]
    found = body(
        properties=properties,
        required=required,
        relations=relations,
        mirrorProperties={f"m_{name}": {"path": f"{name}.$title"} for name in along},
        calculationProperties=draw(st.dictionaries(st.sampled_from("cdef"), CALCULATIONS)),
        icon=draw(st.sampled_from(["A", "B"])),
    )
    for name in ("relations", "mirrorProperties", "calculationProperties"):
        if not found[name] and draw(st.booleans()):
            del found[name]
    return found


@given(bodies(), bodies())
def test_after_the_additions_nothing_is_left_to_add_and_nothing_lost(
    project: dict[str, Any], port: dict[str, Any]
) -> None:
    plan = plan_of(project, port)
    # PATCH replaces the keys that it is given.
    after = {**port, **json.loads(json.dumps(patch(port, plan.additions)))}
    again = plan_of(project, after)
    assert again.additions == ()
    assert again.differences == plan.differences
    assert blueprint_fault(after) is None
    for section in SECTIONS:
        before, now = section_of(port, section), section_of(after, section)
        assert {name: now[name] for name in before} == before
        told = {*added(plan), *(each.path for each in plan.differences)}
        for name in section_of(project, section).keys() - before.keys():
            assert ".".join((*section, name)) in told
    assert after["schema"]["required"] == port["schema"]["required"]
    assert after.keys() - port.keys() <= {each.section[0] for each in plan.additions}


@given(bodies())
def test_a_blueprint_is_as_itself(project: dict[str, Any]) -> None:
    assert plan_of(project, {**project, **META}).action == "unchanged"
    assert plan_of(project, None).action == "create"


def test_what_is_not_to_be_had_is_told_before_anything_is_done() -> None:
    here = declared(
        body("new", relations={"r": {"target": "nowhere"}}),
        body("old", relations={"r": {"target": "gone"}, "s": {"target": "new"}}),
    )
    held = {"old": body("old"), "kept": body("kept")}
    needed = ["old", "kept", "absent"]
    assert names_to_ask(here, needed) == {"new", "old", "nowhere", "gone", "kept", "absent"}
    plans = blueprint_plans(here, held)

    def told(extend: bool) -> list[str]:
        return [each.message.split("'")[1] for each in not_to_be_had(plans, held, needed, extend)]

    assert told(extend=False) == ["absent", "nowhere"]
    assert told(extend=True) == ["absent", "nowhere", "gone"]


def calls(yard: Yard) -> list[tuple[str, str, list[str]]]:
    """What was written: method, blueprint, and the names of what is linked to or added."""
    found = []
    for each in yard.stand_in.requests:
        if each.method in {"POST", "PATCH"} and each.path.startswith("/v1/blueprints"):
            sent = json.loads(each.body)
            name = sent.get("identifier") or each.path.split("/")[-1]
            found.append((each.method, name, sorted(sent)))
    return found


def apply(
    yard: Yard, *bodies: Mapping[str, Any], extend: bool = True, meanwhile: Any = None
) -> Applied:
    here = declared(*bodies)
    plans = blueprint_plans(here, held_blueprints(yard.client, names_to_ask(here, ())))
    if meanwhile is not None:
        meanwhile()
    return apply_blueprints(yard.client, plans, extend=extend)


def test_additions_are_made_when_asked_for_and_leave_what_is_there(yard: Yard) -> None:
    before = deepcopy(yard.stand_in.blueprints["usage"])
    here = body(
        properties={"tokens": NUMBER, "amount": NUMBER},
        relations={"cost": {"target": "cost"}},
        mirrorProperties={"m": {"path": "cost.$title"}},
    )
    assert apply(yard, here, extend=False) == Applied()
    assert yard.stand_in.blueprints["usage"] == before
    applied = apply(yard, here)
    assert [each.path for each in applied.added["usage"]] == [
        "schema.properties.amount",
        "relations.cost",
        "mirrorProperties.m",
    ]
    held = yard.stand_in.blueprints["usage"]
    before["schema"]["properties"]["amount"] = NUMBER
    links = {key: here[key] for key in ("relations", "mirrorProperties")}
    assert held == {**before, **links}  # its title, and `text`, which the file does not have
    assert len(calls(yard)) == 1
    assert apply(yard, here) == Applied()
    assert len(calls(yard)) == 1


def test_what_someone_changes_in_port_after_the_plan_stays(yard: Yard) -> None:
    def by_hand() -> None:
        properties = yard.stand_in.blueprints["usage"]["schema"]["properties"]
        properties |= {"by_hand": TEXT, "amount": TEXT}

    here = body(properties={"amount": NUMBER, "more": NUMBER})
    applied = apply(yard, here, meanwhile=by_hand)
    assert [each.name for each in applied.added["usage"]] == ["more"]
    properties = yard.stand_in.blueprints["usage"]["schema"]["properties"]
    assert properties == {
        "tokens": NUMBER,
        "text": TEXT,
        "by_hand": TEXT,
        "amount": TEXT,
        "more": NUMBER,
    }


def test_one_made_by_someone_else_meanwhile_is_one_that_is_there(yard: Yard) -> None:
    theirs = body("new", properties={"theirs": TEXT})

    def make() -> None:
        yard.stand_in.blueprints["new"] = deepcopy(theirs)

    here = body("new", properties={"ours": NUMBER})
    assert apply(yard, here, extend=False, meanwhile=make) == Applied()
    assert yard.stand_in.blueprints["new"] == theirs
    del yard.stand_in.blueprints["new"]
    applied = apply(yard, here, meanwhile=make)
    assert (applied.created, list(applied.added)) == ((), ["new"])
    properties = yard.stand_in.blueprints["new"]["schema"]["properties"]
    assert properties == {"theirs": TEXT, "ours": NUMBER}


def test_what_is_pointed_to_is_made_first_and_rings_are_closed_last(yard: Yard) -> None:
    def to(name: str, *targets: str) -> dict[str, Any]:
        relations = {f"to_{each}": {"target": each} for each in targets}
        mirrors = {f"m_{each}": {"path": f"to_{each}.amount"} for each in targets}
        own = {"amount": NUMBER}
        return body(name, properties=own, relations=relations, mirrorProperties=mirrors)

    # `cost` and `usage` are there, without any of it; `new` is not.
    here = [to("cost", "usage"), to("new", "usage"), to("usage", "cost")]
    applied = apply(yard, *here)
    links = ["mirrorProperties", "relations"]
    assert calls(yard) == [
        ("PATCH", "cost", ["schema"]),
        ("PATCH", "usage", [*links, "schema"]),
        ("POST", "new", ["identifier", *links, "schema", "title"]),
        ("PATCH", "cost", links),
    ]
    assert applied.created == ("new",)
    assert {name: len(each) for name, each in applied.added.items()} == {"cost": 3, "usage": 3}
    plans = blueprint_plans(declared(*here), yard.stand_in.blueprints)
    assert [each.additions for each in plans] == [(), (), ()]


def test_a_ring_that_is_new_is_made_whole_with_what_it_requires(yard: Yard) -> None:
    here = [
        body("a", relations={"b": {"target": "b", "required": True}}),
        body("b", relations={"a": {"target": "a", "required": True}}),
    ]
    assert apply(yard, *here, extend=False).created == ("a", "b")
    assert [yard.stand_in.blueprints[name] for name in "ab"] == here


@pytest.mark.parametrize("extend", [False, True])
def test_a_ring_that_someone_begins_meanwhile_keeps_what_they_made(
    yard: Yard, extend: bool
) -> None:
    theirs = {"theirs": {"target": "usage"}}

    def make() -> None:
        yard.stand_in.blueprints["a"] = body("a", relations=dict(theirs))

    here = [
        body("a", properties={"amount": NUMBER}, relations={"b": {"target": "b"}}),
        body("b", relations={"a": {"target": "a"}}),
    ]
    assert apply(yard, *here, extend=extend, meanwhile=make).created == ("b",)
    held = yard.stand_in.blueprints["a"]
    ours: dict[str, Any] = {"b": {"target": "b"}} if extend else {}
    assert held["relations"] == theirs | ours
    assert held["schema"]["properties"] == ({"amount": NUMBER} if extend else {})


def test_what_port_refuses_ends_it_and_what_was_made_stays(yard: Yard) -> None:
    bad = body("usage", properties={"odd": TEXT | {"format": "nonsense"}})
    with pytest.raises(RefusedError, match="odd/format"):
        apply(yard, body("cost", properties={"amount": NUMBER}), bad)
    assert "amount" in yard.stand_in.blueprints["cost"]["schema"]["properties"]
    assert "odd" not in yard.stand_in.blueprints["usage"]["schema"]["properties"]


@pytest.mark.parametrize("now", [None, {"identifier": "usage", "title": "no schema"}])
def test_nothing_is_written_over_what_can_not_be_read(yard: Yard, now: Any) -> None:
    def change() -> None:
        del yard.stand_in.blueprints["usage"]
        if now:
            yard.stand_in.blueprints["usage"] = now

    with pytest.raises(RefusedError, match="usage"):
        apply(yard, body(properties={"amount": NUMBER}), meanwhile=change)
    assert calls(yard) == []


def test_an_answer_that_is_lost_adds_nothing_twice(yard: Yard) -> None:
    # The plan's GET, and the one before the PATCH.
    yard.stand_in.faults.add(Fault("truncated", path="/v1/blueprints", after=2))
    applied = apply(yard, body(properties={"amount": NUMBER}))
    assert [method for method, *_ in calls(yard)] == ["PATCH", "PATCH"]
    assert list(applied.added) == ["usage"]
    properties = yard.stand_in.blueprints["usage"]["schema"]["properties"]
    assert properties == {"tokens": NUMBER, "text": TEXT, "amount": NUMBER}
