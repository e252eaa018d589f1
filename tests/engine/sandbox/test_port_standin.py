"""Port's stand-in is as strict as Port is documented to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lading.sandbox.faults import Fault
from lading.sandbox.port import CLIENT_ID, CLIENT_SECRET, PortStandIn

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import PortDesk

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
CREDENTIALS = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}

TEAM = {"identifier": "team_like", "title": "Team", "schema": {"properties": {}}}
USAGE = {
    "identifier": "usage",
    "title": "Usage",
    "schema": {
        "properties": {
            "date": {"type": "string", "format": "date-time"},
            "mail": {"type": "string", "format": "email"},
            "who": {"type": "string", "format": "user"},
            "link": {"type": "string", "format": "url"},
            "grade": {"type": "string", "enum": ["a", "b"]},
            "code": {"type": "string", "pattern": "^x", "maxLength": 3},
            "tokens": {"type": "number", "minimum": 0},
            "on": {"type": "boolean"},
            "more": {"type": "object"},
            "list": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["date"],
    },
    "calculationProperties": {"total": {"calculation": ".properties.tokens", "type": "number"}},
    "relations": {
        "team": {"target": "team_like"},
        "teams": {"target": "team_like", "many": True},
    },
}
DATE = "2026-03-19T00:00:00Z"


@pytest.fixture
def desk(serve_port: Callable[..., AbstractContextManager[PortDesk]]) -> Iterator[PortDesk]:
    with serve_port(TEAM, USAGE, now=lambda: NOW) as desk:
        yield desk


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (CREDENTIALS, 200),
        ({**CREDENTIALS, "clientSecret": "other"}, 401),
        ({**CREDENTIALS, "clientId": "other"}, 401),
        ({"clientId": CLIENT_ID}, 422),
        ({**CREDENTIALS, "grantType": "x"}, 422),
        ([], 422),
    ],
)
def test_a_token_is_given_for_the_two_right_values_and_nothing_else(
    desk: PortDesk, body: Any, status: int
) -> None:
    answer = desk.post("/v1/auth/access_token", body)
    assert answer.status_code == status
    assert answer.json()["ok"] is (status == 200)


def test_the_same_token_is_given_until_it_expires() -> None:
    with (
        PortStandIn(now=lambda: NOW, token_seconds=100) as stand_in,
        httpx.Client(base_url=stand_in.base_url, trust_env=False) as client,
    ):
        given = []
        for seconds in (0, 60, 100):
            moment = NOW + timedelta(seconds=seconds)
            stand_in.now = partial(datetime.fromisoformat, moment.isoformat())
            given.append(client.post("/v1/auth/access_token", json=CREDENTIALS).json())
        headers = {"authorization": f"Bearer {given[0]['accessToken']}"}
        assert client.get("/v1/blueprints", headers=headers).status_code == 401
    assert [each["expiresIn"] for each in given] == [100, 40, 100]
    first, second, third = (each["accessToken"] for each in given)
    assert first == second != third


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer other", "bearer {}", "{}"])
def test_other_routes_want_the_live_token_as_a_bearer(desk: PortDesk, authorization: str) -> None:
    token = desk.client.headers["authorization"].removeprefix("Bearer ")
    headers = {"authorization": authorization.replace("{}", token)}
    assert desk.client.get("/v1/blueprints", headers=headers).status_code == 401
    assert desk.client.get("/v1/blueprints").status_code == 200


def test_every_answer_can_be_traced(desk: PortDesk) -> None:
    good, bad = desk.client.get("/v1/blueprints"), desk.client.get("/v1/nothing")
    assert (good.status_code, bad.status_code) == (200, 404)
    assert good.headers["x-trace-id"] != bad.headers["x-trace-id"]
    assert int(good.headers["x-ratelimit-limit"]) > int(good.headers["x-ratelimit-remaining"]) > 0
    assert bad.json() == {
        "ok": False,
        "error": "not_found",
        "message": "Route GET:/v1/nothing not found",
    }


@pytest.mark.parametrize(
    "path",
    ["/v1/auth/access_token", "/v1/blueprints", "/v1/blueprints/usage/entities/bulk", "/v1/x"],
)
def test_no_route_takes_more_than_a_mebibyte(desk: PortDesk, path: str) -> None:
    fitting = b'"' + b"x" * (1_048_576 - 2) + b'"'
    for body, is_too_large in ((fitting, False), (fitting + b" ", True)):
        headers = {"content-type": "application/json"}
        answer = desk.client.post(path, content=body, headers=headers)
        assert (answer.status_code == 413) is is_too_large


@pytest.mark.parametrize(
    ("identifier", "is_good"),
    [
        ("a", True),
        ("Ünï_1@x.y+z:1\\b/c-d", True),
        ("x" * 100, True),
        ("x" * 101, False),
        ("", False),
        (".", False),
        ("..", False),
        ("...", True),
        ("a b", False),
        ("a=b", False),
        ("a'b", False),
        ("a#b", False),
        (5, False),
    ],
)
def test_identifiers_of_blueprints(desk: PortDesk, identifier: Any, is_good: bool) -> None:
    answer = desk.post("/v1/blueprints", {**TEAM, "identifier": identifier})
    assert answer.status_code == (201 if is_good else 422)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"title": ""}, 422),
        ({"title": "x" * 101}, 422),
        ({"description": "x" * 200}, 201),
        ({"description": "x" * 201}, 422),
        ({"colour": "red"}, 422),
        ({"schema": {}}, 422),
        ({"schema": {"properties": {"a": {"type": "integer"}}}}, 422),
        ({"schema": {"properties": {"a": {"type": "string", "format": "date"}}}}, 422),
        ({"schema": {"properties": {"a": {"type": "number", "format": "email"}}}}, 422),
        ({"schema": {"properties": {"a b": {"type": "string"}}}}, 422),
        ({"schema": {"properties": {"a": {"type": "string", "colour": 1}}}}, 422),
        ({"schema": {"properties": {}, "required": ["a"]}}, 422),
        ({"relations": {"r": {"target": "team_like"}}}, 201),
        ({"relations": {"r": {"target": "absent"}}}, 404),
        ({"relations": {"r": {"target": "new"}}}, 404),
        ({"relations": {"r": {}}}, 422),
        ({"mirrorProperties": {"m": {"path": "r.$title"}}}, 422),
        ({"calculationProperties": {"c": {"type": "number"}}}, 422),
        ({"identifier": "usage"}, 409),
    ],
)
def test_bodies_of_blueprints(desk: PortDesk, change: dict[str, Any], status: int) -> None:
    answer = desk.post("/v1/blueprints", {**TEAM, "identifier": "new", **change})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("missing", ["identifier", "title", "schema"])
def test_a_blueprint_has_identifier_title_and_schema(desk: PortDesk, missing: str) -> None:
    body = {key: value for key, value in {**TEAM, "identifier": "new"}.items() if key != missing}
    assert desk.post("/v1/blueprints", body).status_code == 422


def test_blueprints_are_given_one_and_all_and_changed_key_by_key(desk: PortDesk) -> None:
    assert desk.client.get("/v1/blueprints/usage").json()["blueprint"] == USAGE
    assert desk.client.get("/v1/blueprints/absent").status_code == 404
    relations = {"r": {"target": "usage"}}
    changed = desk.client.patch("/v1/blueprints/team_like", json={"relations": relations})
    assert changed.json()["blueprint"] == {**TEAM, "relations": relations}
    assert desk.client.patch("/v1/blueprints/team_like", json={"x": 1}).status_code == 422
    assert desk.client.get("/v1/blueprints").json()["blueprints"] == [
        {**TEAM, "relations": relations},
        USAGE,
    ]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 200),
        ({"upsert": "true", "merge": "false"}, 200),
        ({"create_missing_related_entities": "true", "run_id": "r"}, 200),
        ({"upsert": "yes"}, 422),
        ({"Merge": "true"}, 422),
        ({"delete_dependents": "true"}, 422),
    ],
)
def test_query_parameters_of_a_bulk(desk: PortDesk, params: dict[str, str], status: int) -> None:
    answer = desk.bulk({"identifier": "e", "properties": {"date": DATE}}, **params)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"entities": []}, 422),
        ({"entities": [{"identifier": "e"}] * 20}, 200),
        ({"entities": [{"identifier": "e"}] * 21}, 422),
        ({"entities": {"identifier": "e"}}, 422),
        ({"entities": [{"identifier": "e"}], "more": 1}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_a_bulk_has_1_to_20_entities_and_nothing_else(
    desk: PortDesk, body: Any, status: int
) -> None:
    path = "/v1/blueprints/team_like/entities/bulk"
    assert desk.post(path, body, upsert="true").status_code == status


@pytest.mark.parametrize(
    ("entity", "is_good"),
    [
        ({"identifier": "Ünï_1@x.y+z:1\\b/c-d='q"}, True),
        ({"identifier": "x" * 1000}, True),
        ({"identifier": "x" * 1001}, False),
        ({"identifier": ""}, False),
        ({"identifier": "."}, False),
        ({"identifier": ".."}, False),
        ({"identifier": "a b"}, False),
        ({"identifier": "key#1"}, False),
        ({"identifier": "a,b"}, False),
        ({"identifier": "a|b"}, False),
        ({"identifier": "(a)"}, False),
        ({"identifier": "a²"}, False),
        ({"identifier": 5}, False),
        ({"identifier": None}, False),
        ({}, False),
        ({"identifier": "e", "title": "T", "icon": "I", "team": ["t"]}, True),
        ({"identifier": "e", "team": "t"}, True),
        ({"identifier": "e", "title": None}, False),
        ({"identifier": "e", "title": 5}, False),
        ({"identifier": "e", "icon": None}, False),
        ({"identifier": "e", "team": 5}, False),
        ({"identifier": "e", "blueprint": "team_like"}, False),
        ({"identifier": "e", "properties": []}, False),
        ({"identifier": "e", "relations": {"r": 5}}, False),
        ("e", False),
    ],
)
def test_a_wrong_shape_refuses_the_whole_bulk_and_names_the_entity(
    desk: PortDesk, entity: Any, is_good: bool
) -> None:
    answer = desk.bulk({"identifier": "first"}, entity, blueprint="team_like", upsert="true")
    if is_good:
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code == 422
        assert answer.json()["message"].startswith("body/entities/1")
        assert desk.stand_in.entities == {}


@pytest.mark.parametrize(
    ("properties", "is_good"),
    [
        ({"date": "2026-03-19T00:00:00.000+02:00"}, True),
        ({"date": "2026-03-19"}, False),
        ({"date": "2026-03-19T00:00:00"}, False),
        ({"date": "2026-02-30T00:00:00Z"}, False),
        ({"date": 5}, False),
        ({"mail": "a@x.io"}, True),
        ({"mail": "a at x"}, False),
        ({"who": "a@x.io"}, True),
        ({"who": "ann"}, False),
        ({"link": "https://x.io/a"}, True),
        ({"link": "x.io"}, False),
        ({"grade": "a"}, True),
        ({"grade": "c"}, False),
        ({"code": "xyz"}, True),
        ({"code": "yz"}, False),
        ({"code": "xyzz"}, False),
        ({"tokens": 0}, True),
        ({"tokens": 1.5}, True),
        ({"tokens": -1}, False),
        ({"tokens": "1"}, False),
        ({"tokens": True}, False),
        ({"on": False}, True),
        ({"on": 0}, False),
        ({"more": {"a": [1]}}, True),
        ({"more": [1]}, False),
        ({"list": ["a"]}, True),
        ({"list": []}, True),
        ({"list": [1]}, False),
        ({"list": "a"}, False),
        ({"tokens": None, "absent": None}, False),
        ({"tokens": None}, True),
        ({"absent": 1}, False),
        ({"total": 1}, False),
        ({"date": None}, False),
    ],
)
def test_properties_are_checked_against_the_blueprint_entity_by_entity(
    desk: PortDesk, properties: dict[str, Any], is_good: bool
) -> None:
    good = {"identifier": "good", "properties": {"date": DATE}}
    tried = {"identifier": "tried", "properties": {"date": DATE, **properties}}
    answer = desk.bulk(good, tried, upsert="true")
    told = answer.json()
    assert told["entities"][0] == {"index": 0, "identifier": "good", "created": True}
    if is_good:
        assert (answer.status_code, told["errors"]) == (200, [])
    else:
        assert answer.status_code == 207
        assert [
            (each["index"], each["identifier"], each["statusCode"]) for each in told["errors"]
        ] == [(1, "tried", 422)]
        assert set(desk.stand_in.entities) == {("usage", "good")}


def test_a_required_property_may_stay_as_it_is_but_not_be_missing(desk: PortDesk) -> None:
    assert desk.bulk({"identifier": "e"}, upsert="true").status_code == 207
    desk.upsert(properties={"date": DATE})
    desk.upsert(properties={"tokens": 1})
    cleared = desk.bulk(
        {"identifier": "e", "properties": {"date": None}}, upsert="true", merge="true"
    )
    assert cleared.status_code == 207


def test_merging_keeps_what_is_absent_and_clears_what_is_null(desk: PortDesk) -> None:
    desk.upsert(title="T", team="a", properties={"date": DATE, "tokens": 1, "on": True})
    desk.upsert(properties={"tokens": None, "grade": "a"})
    held = desk.stand_in.entities["usage", "e"]
    assert (held.title, held.team) == ("T", ("a",))
    assert held.properties == {"date": DATE, "on": True, "grade": "a"}


def test_without_merging_the_whole_entity_is_overwritten(desk: PortDesk) -> None:
    desk.upsert(title="T", team="a", properties={"date": DATE, "tokens": 1})
    desk.upsert(merge="false", properties={"date": DATE})
    held = desk.stand_in.entities["usage", "e"]
    assert (held.title, held.team, held.properties) == (None, (), {"date": DATE})


def test_without_upsert_what_exists_is_a_conflict(desk: PortDesk) -> None:
    desk.upsert(properties={"date": DATE})
    told = desk.bulk({"identifier": "e"}, {"identifier": "f", "properties": {"date": DATE}})
    assert told.status_code == 207
    assert [each["statusCode"] for each in told.json()["errors"]] == [409]
    single = desk.post("/v1/blueprints/usage/entities", {"identifier": "e"})
    assert (single.status_code, single.json()["error"]) == (409, "conflict")


def test_validation_only_stores_nothing(desk: PortDesk) -> None:
    entity = {"identifier": "e", "properties": {"date": DATE}, "relations": {"team": "t"}}
    told = desk.bulk(
        entity, validation_only="true", create_missing_related_entities="true", upsert="true"
    )
    assert told.status_code == 200
    assert desk.stand_in.entities == {}


def test_a_relation_needs_its_target_unless_that_is_to_be_made(desk: PortDesk) -> None:
    entity = {
        "identifier": "e",
        "properties": {"date": DATE},
        "relations": {"team": "one", "teams": ["two", "three"]},
    }
    refused = desk.bulk(entity, upsert="true").json()["errors"]
    assert [(each["statusCode"], each["error"]) for each in refused] == [(404, "not_found")]
    desk.bulk(entity, upsert="true", create_missing_related_entities="true")
    assert set(desk.stand_in.entities) == {
        ("usage", "e"),
        ("team_like", "one"),
        ("team_like", "two"),
        ("team_like", "three"),
    }


@pytest.mark.parametrize("relations", [{"absent": "t"}, {"team": ["t"]}, {"teams": "t"}], ids=str)
def test_relations_are_checked_against_the_blueprint(
    desk: PortDesk, relations: dict[str, Any]
) -> None:
    entity = {"identifier": "e", "properties": {"date": DATE}, "relations": relations}
    told = desk.bulk(entity, upsert="true", create_missing_related_entities="true").json()
    assert [each["statusCode"] for each in told["errors"]] == [422]


def _with_mail(mail: str) -> dict[str, Any]:
    rule = {"property": "mail", "operator": "=", "value": mail}
    return {"combinator": "and", "rules": [rule]}


def test_a_search_stands_for_the_one_entity_that_it_finds(desk: PortDesk) -> None:
    desk.upsert("found", properties={"date": DATE, "mail": "a@x.io"})
    told = desk.bulk(
        {"identifier": _with_mail("a@x.io"), "properties": {"tokens": 7}},
        {"identifier": _with_mail("b@x.io")},
        upsert="true",
        merge="true",
    ).json()
    assert [each["identifier"] for each in told["entities"]] == ["found"]
    assert [(each["index"], each["identifier"]) for each in told["errors"]] == [(1, "unknown")]
    assert desk.stand_in.entities["usage", "found"].properties["tokens"] == 7


def test_an_entity_keeps_who_wrote_it_and_when(desk: PortDesk) -> None:
    desk.upsert(properties={"date": DATE})
    later = NOW + timedelta(hours=1)
    desk.stand_in.now = lambda: later
    desk.client.headers["user-agent"] = "someone/1"
    desk.upsert(properties={"tokens": 1})
    held = desk.stand_in.entities["usage", "e"]
    assert (held.datasource, held.created_at, held.updated_at) == ("someone/1", NOW, later)


def test_numbers_are_held_as_they_were_sent(desk: PortDesk) -> None:
    body = b'{"entities":[{"identifier":"e","properties":{"date":"%s","tokens":0.123456789}}]}'
    answer = desk.client.post(
        "/v1/blueprints/usage/entities/bulk?upsert=true",
        content=body % DATE.encode(),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200
    assert desk.stand_in.entities["usage", "e"].properties["tokens"] == Decimal("0.123456789")


@pytest.mark.parametrize("body", [b"{", b'{"entities":[{"identifier":"e","x":NaN}]}', b"\xff"])
def test_what_is_not_json_is_refused(desk: PortDesk, body: bytes) -> None:
    path = "/v1/blueprints/team_like/entities/bulk"
    headers = {"content-type": "application/json"}
    assert desk.client.post(path, content=body, headers=headers).status_code == 422


def test_a_blueprint_that_is_not_there_takes_no_entities(desk: PortDesk) -> None:
    assert desk.bulk({"identifier": "e"}, blueprint="absent", upsert="true").status_code == 404


def test_single_entities_are_written_and_read(desk: PortDesk) -> None:
    body = {"identifier": "a/b", "properties": {"date": DATE, "tokens": 1.5}}
    path = "/v1/blueprints/usage/entities"
    assert desk.post(path, body).status_code == 201
    assert desk.post(path, body, upsert="true").status_code == 200
    assert desk.post(path, {**body, "x": 1}).status_code == 422
    shown = desk.client.get(f"{path}/a%2Fb").json()["entity"]
    assert (shown["identifier"], shown["properties"]) == ("a/b", body["properties"])
    assert desk.client.get(path).json()["entities"] == [shown]
    assert desk.client.get(f"{path}/absent").status_code == 404


def test_the_fault_207_refuses_each_nth_entity(desk: PortDesk) -> None:
    desk.stand_in.faults.add(Fault("207", every=2))
    entities = [{"identifier": str(number)} for number in range(5)]
    told = desk.bulk(*entities, blueprint="team_like", upsert="true")
    assert told.status_code == 207
    assert [each["index"] for each in told.json()["errors"]] == [1, 3]
    assert {identifier for _, identifier in desk.stand_in.entities} == {"0", "2", "4"}


def test_the_fault_unanswered_takes_each_nth_entity_and_says_nothing(desk: PortDesk) -> None:
    desk.stand_in.faults.add(Fault("unanswered", every=2))
    entities = [{"identifier": str(number)} for number in range(3)]
    told = desk.bulk(*entities, blueprint="team_like", upsert="true")
    assert told.status_code == 207
    assert [each["index"] for each in told.json()["entities"]] == [0, 2]
    assert told.json()["errors"] == []
    assert len(desk.stand_in.entities) == 3


def test_the_fault_expired_kills_the_token(desk: PortDesk) -> None:
    desk.stand_in.faults.add(Fault("expired", path="/blueprints"))
    assert desk.client.get("/v1/blueprints").status_code == 401
    assert desk.client.get("/v1/blueprints").status_code == 401
    token = desk.post("/v1/auth/access_token", CREDENTIALS).json()["accessToken"]
    assert f"Bearer {token}" != desk.client.headers["authorization"]


def test_the_fault_expired_gives_out_a_dead_token(desk: PortDesk) -> None:
    desk.stand_in.faults.add(Fault("expired", path="/access_token"))
    token = desk.post("/v1/auth/access_token", CREDENTIALS).json()["accessToken"]
    desk.client.headers["authorization"] = f"Bearer {token}"
    assert desk.client.get("/v1/blueprints").status_code == 401


@pytest.mark.parametrize(("reset_as", "least"), [("epoch", 1.7e9), ("seconds", 4.0)])
def test_a_429_says_when_the_limit_is_lifted(desk: PortDesk, reset_as: Any, least: float) -> None:
    desk.stand_in.reset_as = reset_as
    desk.stand_in.faults.add(Fault("429", reset=4))
    answer = desk.client.get("/v1/blueprints")
    assert answer.status_code == 429
    assert json.loads(answer.content)["ok"] is False
    assert answer.headers["x-ratelimit-remaining"] == "0"
    reset = float(answer.headers["x-ratelimit-reset"])
    assert reset >= least
    assert (reset > 10_000) is (reset_as == "epoch")
