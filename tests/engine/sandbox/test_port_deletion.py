"""Entities are deleted from Port's stand-in alone, or with what requires them, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lading.sandbox.faults import Fault
from lading.sandbox.port_records import PortRefusal

if TYPE_CHECKING:
    import httpx
    from tests.engine.sandbox.conftest import PortDesk

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
ROOT = {"identifier": "root", "title": "Root", "schema": {"properties": {}}}
# A branch requires a root, and a leaf a branch; a leaf may know other roots.
BRANCH = {
    **ROOT,
    "identifier": "branch",
    "relations": {"of": {"target": "root", "required": True}},
}
LEAF = {
    **ROOT,
    "identifier": "leaf",
    "relations": {
        "of": {"target": "branch", "required": True, "many": True},
        "knows": {"target": "root"},
        "sees": {"target": "root", "many": True},
    },
}
EVERYTHING = {"root 1", "root 2", "branch 1", "branch 2", "leaf 1", "leaf 2"}


@pytest.fixture
def desk(serve_port: Callable[..., AbstractContextManager[PortDesk]]) -> Iterator[PortDesk]:
    with serve_port(ROOT, BRANCH, LEAF, now=lambda: NOW) as desk:
        for number in ("1", "2"):
            desk.upsert(number, blueprint="root")
            desk.upsert(number, blueprint="branch", relations={"of": number})
        for number, of in (("1", ["1", "2"]), ("2", ["2"])):
            relations = {"of": of, "knows": "1", "sees": ["1", "2"]}
            desk.upsert(number, blueprint="leaf", relations=relations)
        yield desk


def _delete(desk: PortDesk, blueprint: str, entities: Any, dependents: Any) -> httpx.Response:
    path = f"/v1/blueprints/{blueprint}/bulk/entities/delete"
    return desk.post(path, {"entities": entities}, **dependents)


ALONE = {"delete_dependents": "false"}
WITH_ALL = {"delete_dependents": "true"}


def _left(desk: PortDesk) -> set[str]:
    return {" ".join(key) for key in desk.stand_in.entities}


@pytest.mark.parametrize(
    ("blueprint", "identifiers", "dependents", "deleted", "gone"),
    [
        ("leaf", ["2", "9", "1"], ALONE, ["2", "1"], {"leaf 1", "leaf 2"}),
        ("leaf", ["9"], ALONE, [], set()),
        ("leaf", ["1", "1"], ALONE, ["1"], {"leaf 1"}),
        ("branch", ["1"], WITH_ALL, ["1"], {"branch 1", "leaf 1"}),
        ("root", ["1"], WITH_ALL, ["1"], {"root 1", "branch 1", "leaf 1"}),
        ("root", ["2"], WITH_ALL, ["2"], {"root 2", "branch 2", "leaf 1", "leaf 2"}),
    ],
)
def test_a_bulk_deletion_says_which_were_there(
    desk: PortDesk,
    blueprint: str,
    identifiers: list[str],
    dependents: Any,
    deleted: list[str],
    gone: set[str],
) -> None:
    answer = _delete(desk, blueprint, identifiers, dependents)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "deletedEntities": deleted})
    assert _left(desk) == EVERYTHING - gone


def test_what_is_required_goes_with_its_dependents_or_not_at_all(desk: PortDesk) -> None:
    for entities in (["1"], ["1", "2"]):
        answer = _delete(desk, "branch", entities, ALONE)
        assert (answer.status_code, answer.json()["ok"]) == (409, False)
        assert _left(desk) == EVERYTHING
    assert _delete(desk, "leaf", ["1", "2"], ALONE).status_code == 200
    assert _delete(desk, "branch", ["1", "2"], ALONE).status_code == 200
    assert _left(desk) == {"root 1", "root 2"}


def test_a_relation_that_is_not_required_lets_go(desk: PortDesk) -> None:
    before = desk.stand_in.entities["leaf", "2"]
    assert _delete(desk, "root", ["1"], WITH_ALL).status_code == 200
    after = desk.stand_in.entities["leaf", "2"]
    assert after.relations == {"of": ["2"], "sees": ["2"]}
    assert (after.datasource, after.updated_at) == (before.datasource, before.updated_at)


def test_a_circle_of_dependents_goes_as_a_whole(desk: PortDesk) -> None:
    change = {"relations": {"of": {"target": "leaf", "required": True}}}
    desk.client.patch("/v1/blueprints/root", json=change)
    for number in ("1", "2"):
        desk.upsert(number, blueprint="root", relations={"of": number})
    assert _delete(desk, "leaf", ["2"], WITH_ALL).json()["deletedEntities"] == ["2"]
    assert _left(desk) == set()


@pytest.mark.parametrize(
    ("body", "dependents", "status"),
    [
        ({"entities": ["1"]}, {}, 422),
        ({"entities": ["1"]}, {"delete_dependents": "yes"}, 422),
        ({"entities": ["1"]}, {"delete_dependents": "true", "upsert": "true"}, 422),
        ({"entities": []}, ALONE, 422),
        ({"entities": ["1"] * 100}, ALONE, 200),
        ({"entities": ["1"] * 101}, ALONE, 422),
        ({"entities": "1"}, ALONE, 422),
        ({"entities": [1]}, ALONE, 422),
        ({"entities": ["1"], "more": 1}, ALONE, 422),
        ([], ALONE, 422),
    ],
)
def test_a_bulk_deletion_has_1_to_100_identifiers_and_says_what_of_dependents(
    desk: PortDesk, body: Any, dependents: Any, status: int
) -> None:
    answer = desk.post("/v1/blueprints/leaf/bulk/entities/delete", body, **dependents)
    assert answer.status_code == status
    assert _left(desk) == (EVERYTHING if status == 422 else EVERYTHING - {"leaf 1"})


def test_one_entity_is_deleted_by_its_own_path(desk: PortDesk) -> None:
    desk.upsert("a/b", blueprint="root")

    def delete(path: str, **params: str) -> int:
        return desk.client.delete(f"/v1/blueprints/{path}", params=params).status_code

    assert delete("root/entities/a%2Fb") == 422
    assert delete("root/entities/a%2Fb", **ALONE) == 200
    assert delete("root/entities/a%2Fb", **ALONE) == 404
    assert delete("absent/entities/1", **ALONE) == 404
    assert _delete(desk, "absent", ["1"], ALONE).status_code == 404
    assert delete("branch/entities/2", **ALONE) == 409
    assert _left(desk) == EVERYTHING
    assert delete("branch/entities/2", **WITH_ALL) == 200
    assert _left(desk) == {"root 1", "root 2", "branch 1"}


def test_the_fault_unanswered_deletes_each_nth_entity_and_says_nothing(desk: PortDesk) -> None:
    desk.stand_in.faults.add(Fault("unanswered", path="/bulk/entities/delete", every=2))
    answer = _delete(desk, "leaf", ["1", "2"], ALONE)
    assert (answer.status_code, answer.json()["deletedEntities"]) == (200, ["1"])
    assert _left(desk).isdisjoint({"leaf 1", "leaf 2"})


def test_a_person_removes_only_what_nothing_requires(desk: PortDesk) -> None:
    with pytest.raises(PortRefusal, match="requires"):
        desk.stand_in.remove("branch", "1")
    assert _left(desk) == EVERYTHING
