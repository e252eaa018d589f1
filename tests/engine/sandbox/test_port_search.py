"""Entities are found in Port's stand-in by query and by who wrote them, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import PortDesk

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
OURS = "port-ocean/lading/9/test/exporter"
USAGE = {
    "identifier": "usage",
    "title": "Usage",
    "schema": {
        "properties": {
            "model": {"type": "string"},
            "tokens": {"type": "number"},
            "on": {"type": "boolean"},
            "list": {"type": "array"},
        }
    },
    "relations": {"next": {"target": "other"}},
}
OTHER = {"identifier": "other", "title": "Other", "schema": {"properties": {}}}
SEARCH = "/v1/blueprints/usage/entities/search"
DATASOURCE = "/v1/blueprints/entities/datasource-entities"


@pytest.fixture
def desk(serve_port: Callable[..., AbstractContextManager[PortDesk]]) -> Iterator[PortDesk]:
    """Four entities: `d` was written an hour later than the rest, by someone else."""
    with serve_port(OTHER, USAGE, now=lambda: NOW) as desk:
        desk.upsert("o", blueprint="other")
        desk.upsert("c", title="See", properties={"model": "opus-4", "tokens": 1, "on": True})
        desk.upsert("a", team=["x", "y"], properties={"model": "opus-3", "tokens": 1.5})
        desk.upsert("b", properties={"list": ["opus-4", 1]}, relations={"next": "o"})
        desk.stand_in.now = lambda: NOW + timedelta(hours=1)
        desk.client.headers["user-agent"] = "someone/1"
        desk.upsert("d", properties={"model": "haiku", "tokens": 0, "on": False})
        yield desk


def _rule(name: str, operator: str, *value: Any) -> dict[str, Any]:
    return {"property": name, "operator": operator, **({"value": value[0]} if value else {})}


def _and(*rules: Any, combinator: str = "and") -> dict[str, Any]:
    return {"combinator": combinator, "rules": list(rules)}


def _found(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["ok"] is True
    return "".join(each["identifier"] for each in told["entities"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (_and(), "abcd"),
        (_and(_rule("model", "=", "opus-4")), "c"),
        (_and(_rule("model", "!=", "opus-4")), "abd"),
        (_and(_rule("tokens", "=", 1.5)), "a"),
        (_and(_rule("tokens", "=", 1.0)), "c"),
        (_and(_rule("on", "=", 1)), ""),
        (_and(_rule("tokens", "=", False)), ""),
        (_and(_rule("model", "contains", "us-")), "ac"),
        (_and(_rule("list", "contains", "opus-4")), "b"),
        (_and(_rule("model", "doesNotContains", "us-")), "bd"),
        (_and(_rule("model", "beginsWith", "opus")), "ac"),
        (_and(_rule("model", "beginsWith", "pus")), ""),
        (_and(_rule("model", "endsWith", "-4")), "c"),
        (_and(_rule("model", "in", ["haiku", "opus-3"])), "ad"),
        (_and(_rule("model", "notIn", ["haiku", "opus-3"])), "bc"),
        (_and(_rule("tokens", "isEmpty")), "b"),
        (_and(_rule("tokens", "isNotEmpty")), "acd"),
        (_and(_rule("absent", "isEmpty")), "abcd"),
        (_and(_rule("$identifier", "in", ["a", "d", "z"])), "ad"),
        (_and(_rule("$title", "=", "See")), "c"),
        (_and(_rule("$title", "isEmpty")), "abd"),
        (_and(_rule("$team", "containsAny", ["y", "z"])), "a"),
        (_and(_rule("$team", "isEmpty")), "bcd"),
        (_and(_rule("$blueprint", "=", "usage")), "abcd"),
        (_and(_rule("$createdAt", "beginsWith", "2026-03-20T15")), "abc"),
        (_and(_rule("$updatedAt", "beginsWith", "2026-03-20T16")), "d"),
        (
            _and(
                _rule("$datasource", "contains", "port-ocean/lading/"),
                _rule("$datasource", "contains", "/test/exporter"),
            ),
            "abc",
        ),
        (
            _and(
                _rule("$identifier", "=", "a"),
                _and(_rule("on", "=", True), _rule("tokens", "=", 1)),
                combinator="or",
            ),
            "ac",
        ),
    ],
    ids=str,
)
def test_a_query_finds_what_its_rules_say(desk: PortDesk, query: Any, found: str) -> None:
    assert _found(desk.post(SEARCH, {"query": query})) == found


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"query": _and(), "more": 1},
        {"query": {"rules": []}},
        {"query": {"combinator": "xor", "rules": []}},
        {"query": {"combinator": "and", "rules": {}}},
        {"query": {**_and(), "more": 1}},
        {"query": _and("rule")},
        {"query": _and(_rule("model", "~", "x"))},
        {"query": _and(_rule("$absent", "=", "x"))},
        {"query": _and(_rule("model", "="))},
        {"query": _and(_rule("model", "=", ["x"]))},
        {"query": _and(_rule("model", "in", "x"))},
        {"query": _and(_rule("model", "isEmpty", True))},
        {"query": _and({**_rule("model", "=", "x"), "more": 1})},
        {"query": _and(_and({"property": "model", "operator": ["="], "value": "x"}))},
        {"query": _and(), "limit": 0},
        {"query": _and(), "limit": 1001},
        {"query": _and(), "limit": "5"},
        {"query": _and(), "limit": True},
        {"query": _and(), "from": "x"},
        {"query": _and(), "from": 5},
        {"query": _and(), "from": "WzFd"},
        {"query": _and(), "include": "title"},
        {"query": _and(), "exclude": [1]},
    ],
    ids=str,
)
def test_a_search_of_another_shape_is_refused(desk: PortDesk, body: Any) -> None:
    assert desk.post(SEARCH, body).status_code == 422


def test_a_search_has_its_own_parameters_and_a_blueprint(desk: PortDesk) -> None:
    body = {"query": _and()}
    assert _found(desk.post(SEARCH, body, exclude_calculated_properties="true")) == "abcd"
    assert desk.post(SEARCH, body, exclude_calculated_properties="yes").status_code == 422
    assert desk.post(SEARCH, body, upsert="true").status_code == 422
    assert desk.post(SEARCH.replace("usage", "absent"), body).status_code == 404


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (
            {"include": ["identifier", "properties.on"]},
            {"identifier": "c", "properties": {"on": 1}},
        ),
        ({"include": ["identifier", "title"]}, {"identifier": "c", "title": "See"}),
        (
            {
                "include": ["properties", "relations"],
                "exclude": ["relations", "properties.on", "properties.model"],
            },
            {"properties": {"tokens": 1}},
        ),
    ],
    ids=str,
)
def test_a_search_gives_the_fields_asked_for(desk: PortDesk, asked: Any, given: Any) -> None:
    query = _and(_rule("$identifier", "=", "c"))
    assert desk.post(SEARCH, {"query": query, **asked}).json()["entities"] == [given]


def test_an_entity_is_answered_without_what_is_null(desk: PortDesk) -> None:
    desk.upsert("c", properties={"tokens": None})
    (told,) = desk.post(SEARCH, {"query": _and(_rule("$title", "=", "See"))}).json()["entities"]
    assert told == {
        "identifier": "c",
        "blueprint": "usage",
        "title": "See",
        "icon": None,
        "team": [],
        "properties": {"model": "opus-4", "on": True},
        "relations": {},
        "createdAt": "2026-03-20T15:30:00+00:00",
        "updatedAt": "2026-03-20T16:30:00+00:00",
    }


def test_pages_hold_while_entities_come_and_go(desk: PortDesk) -> None:
    first = desk.post(SEARCH, {"query": _and(), "limit": 2})
    assert _found(first) == "ab"
    desk.upsert("0")
    desk.upsert("ca")
    desk.stand_in.remove("usage", "b")
    second = desk.post(SEARCH, {"query": _and(), "limit": 2, "from": first.json()["next"]})
    assert _found(second) == "cca"
    last = desk.post(SEARCH, {"query": _and(), "limit": 2, "from": second.json()["next"]})
    assert _found(last) == "d"
    assert "next" not in last.json()


def test_a_page_has_200_entities_unless_another_number_is_asked_for(desk: PortDesk) -> None:
    for start in range(0, 240, 20):
        entities = [{"identifier": f"{number:03}"} for number in range(start, start + 20)]
        assert desk.bulk(*entities, blueprint="other").status_code == 200
    told = desk.post(SEARCH.replace("usage", "other"), {"query": _and()}).json()
    assert [each["identifier"] for each in told["entities"]] == [f"{n:03}" for n in range(200)]
    body = {"query": _and(), "from": told["next"], "limit": 41}
    assert _found(desk.post(SEARCH.replace("usage", "other"), body)).endswith("239o")


def _of(prefix: str = "port-ocean/lading/", suffix: str = "/test/exporter", **rest: Any) -> Any:
    return {"datasource_prefix": prefix, "datasource_suffix": suffix, "limit": 5000, **rest}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (_of(), "oabc"),
        (_of("", ""), "oabcd"),
        (_of("someone/", ""), "d"),
        (_of("port-ocean/other/"), ""),
        (_of(suffix="/other/exporter"), ""),
        # Prefix and suffix do not overlap.
        (_of("port-ocean/lading/9/test/", "/test/exporter"), ""),
        (_of(before="2026-03-20T15:30:00Z"), ""),
        (_of(before="2026-03-20T16:30:01+01:00"), "oabc"),
        (_of("", "", before="2026-03-20T16:30:00.000Z"), "oabc"),
    ],
    ids=str,
)
def test_entities_of_all_blueprints_are_found_by_who_wrote_them_last(
    desk: PortDesk, body: Any, found: str
) -> None:
    assert _found(desk.post(DATASOURCE, body)) == found


def test_entities_of_a_datasource_come_in_pages(desk: PortDesk) -> None:
    pages, body = [], _of(limit=2)
    while body is not None:
        answer = desk.post(DATASOURCE, body)
        pages.append(_found(answer))
        following = answer.json().get("next")
        body = following and _of(**{"limit": 2, "from": following})
    assert pages == ["oa", "bc"]


@pytest.mark.parametrize(
    "body",
    [
        {"datasource_prefix": "a", "datasource_suffix": "b"},
        {"datasource_prefix": "a", "limit": 5},
        {**_of(), "datasource_prefix": None},
        _of(limit=0),
        _of(limit=5001),
        _of(more=1),
        _of(before="2026-03-20"),
        _of(before="2026-02-30T00:00:00Z"),
        _of(before=5),
        _of(**{"from": "-"}),
    ],
    ids=str,
)
def test_a_datasource_of_another_shape_is_refused(desk: PortDesk, body: Any) -> None:
    assert desk.post(DATASOURCE, body).status_code == 422


def test_a_person_edits_and_removes_what_was_ours(desk: PortDesk) -> None:
    later = NOW + timedelta(hours=2)
    desk.stand_in.now = lambda: later
    desk.stand_in.edit("usage", "c", tokens=7, model=None)
    held = desk.stand_in.entities["usage", "c"]
    assert held.properties == {"tokens": 7, "on": True}
    assert (held.title, held.created_at, held.updated_at) == ("See", NOW, later)
    assert _found(desk.post(DATASOURCE, _of())) == "oab"
    desk.stand_in.remove("usage", "a")
    assert _found(desk.post(DATASOURCE, _of())) == "ob"
    with pytest.raises(Exception, match="not found"):
        desk.stand_in.edit("usage", "a", tokens=1)


def test_entities_are_counted(desk: PortDesk) -> None:
    assert desk.client.get("/v1/blueprints/usage/entities-count").json() == {"ok": True, "count": 4}
    assert desk.client.get("/v1/blueprints/absent/entities-count").status_code == 404
