"""Blueprints: made when missing, never changed, and missed before anything is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lading.errors import UserError
from lading.port.blueprint_files import read_blueprints
from lading.port.blueprints import ensure_blueprints
from lading.project.documents import Document, read_document
from lading.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.engine.port.conftest import Yard


def body(identifier: str, **more: Any) -> dict[str, Any]:
    return {"identifier": identifier, "title": identifier, "schema": {"properties": {}}, **more}


def pointing(identifier: str, *targets: str) -> dict[str, Any]:
    relations = {f"to_{target}": {"target": target} for target in targets}
    mirrors = {f"m_{target}": {"path": f"to_{target}.$title"} for target in targets}
    return body(identifier, relations=relations, mirrorProperties=mirrors)


def documents(*bodies: dict[str, Any]) -> list[Document]:
    return [
        read_document(f"mappings/blueprints/{number}.yml", json.dumps(each, indent=1))
        for number, each in enumerate(bodies)
    ]


def posted(yard: Yard) -> list[str]:
    return [
        json.loads(each.body)["identifier"]
        for each in yard.stand_in.requests
        if (each.method, each.path) == ("POST", "/v1/blueprints")
    ]


def test_what_port_lacks_is_made_as_it_stands_in_the_file(yard: Yard) -> None:
    new = body("new", description="what it is", icon="Team")
    assert ensure_blueprints(yard.client, documents(new), ["new"]) == ("new",)
    assert yard.stand_in.blueprints["new"] == new


def test_what_port_has_is_left_as_it_is(yard: Yard) -> None:
    before = dict(yard.stand_in.blueprints["usage"])
    assert ensure_blueprints(yard.client, documents(body("usage")), ["usage"]) == ()
    assert yard.stand_in.blueprints["usage"] == before
    assert {each.method for each in yard.stand_in.requests[1:]} == {"GET"}


def test_all_of_the_projects_are_made_whether_a_mapping_needs_them_or_not(yard: Yard) -> None:
    assert ensure_blueprints(yard.client, documents(body("a"), body("b")), []) == ("a", "b")


@pytest.mark.parametrize(
    ("edges", "order"),
    [
        ({"a": "b", "b": "c", "c": ""}, ["c", "b", "a"]),
        ({"a": "bc", "b": "", "c": "b"}, ["b", "c", "a"]),
        ({"a": "b", "b": "a"}, ["a", "b"]),
        ({"a": "a"}, ["a"]),
        ({"a": "b", "b": "c", "c": "b"}, ["a", "b", "c"]),
    ],
    ids=["chain", "fork", "ring", "itself", "into a ring"],
)
def test_what_is_pointed_to_comes_first_and_rings_are_closed_last(
    yard: Yard, edges: dict[str, str], order: list[str]
) -> None:
    bodies = [pointing(name, *targets) for name, targets in edges.items()]
    made = ensure_blueprints(yard.client, documents(*bodies), [])
    assert sorted(made) == sorted(edges)
    assert posted(yard) == order
    for each in bodies:
        assert yard.stand_in.blueprints[each["identifier"]] == each


def test_a_needed_blueprint_that_is_nowhere_stops_before_anything_is_made(yard: Yard) -> None:
    here = documents(body("a"), pointing("b", "gone"))
    with pytest.raises(UserError) as missing:
        ensure_blueprints(yard.client, here, ["usage", "a", "absent"])
    needed, pointed_to = missing.value.problems
    assert "'absent'" in needed.message
    assert "mappings/blueprints/absent.yml" in str(needed.hint)
    assert "'gone'" in pointed_to.message
    assert str(pointed_to.place) == "mappings/blueprints/1.yml:9:14"
    assert posted(yard) == []


def test_a_relation_may_point_to_what_port_has(yard: Yard) -> None:
    assert ensure_blueprints(yard.client, documents(pointing("b", "usage")), []) == ("b",)


def test_one_blueprint_in_two_files_is_an_error_that_names_both() -> None:
    with pytest.raises(UserError) as twice:
        read_blueprints(documents(body("a"), body("b"), body("a")))
    (problem,) = twice.value.problems
    assert "mappings/blueprints/0.yml" in problem.message
    assert str(problem.place) == "mappings/blueprints/2.yml:2:16"


def test_a_blueprint_that_someone_makes_at_the_same_time_is_theirs(yard: Yard) -> None:
    yard.stand_in.faults.add(Fault("truncated", path="/v1/blueprints", after=2))
    made = ensure_blueprints(yard.client, documents(pointing("b", "usage")), [])
    assert posted(yard) == ["b", "b"]
    assert made == ()
    assert yard.stand_in.blueprints["b"] == pointing("b", "usage")
