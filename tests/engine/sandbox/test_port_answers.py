"""What Port's stand-in answers beside entities: numbers, limits, blueprints, the organisation."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.sandbox.port_answers import as_json
from lading.sandbox.port_limits import RateLimit

if TYPE_CHECKING:
    from tests.engine.sandbox.conftest import PortDesk

    ServePort = Callable[..., AbstractContextManager[PortDesk]]

OTHER = {"identifier": "other", "title": "Other", "schema": {"properties": {}}}
USAGE = {
    "identifier": "usage",
    "title": "Usage",
    "schema": {"properties": {"n": {"type": "number"}, "t": {"type": "string"}}},
    "relations": {"other": {"target": "other"}},
}

NUMBERS = {
    "3.0": ("3.0", "3"),
    "12345678901234567890": ("12345678901234567890", "12345678901234567000"),
    "0.1234567890123456789": ("0.1234567890123456789", "0.12345678901234568"),
    "-0.0": ("-0.0", "0"),
    "100": ("100", "100"),
    "0.0000001": ("1E-7", "1e-07"),
    "1e300": ("1E+300", "1e+300"),
}


@pytest.mark.parametrize("doubles", [False, True])
def test_numbers_keep_their_digits_or_are_the_nearest_doubles(
    serve_port: ServePort, doubles: bool
) -> None:
    with serve_port(OTHER, USAGE, doubles=doubles) as desk:
        headers = {"content-type": "application/json"}
        for sent, written in NUMBERS.items():
            body = f'{{"identifier": "e", "properties": {{"n": {sent}}}}}'
            path = "/v1/blueprints/usage/entities?upsert=true"
            desk.client.post(path, content=body, headers=headers)
            shown = desk.client.get("/v1/blueprints/usage/entities/e").text
            assert f'"properties":{{"n":{written[doubles]}}}' in shown


NUMBER = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.lists(NUMBER)))
def test_an_answer_is_read_as_what_was_written(data: dict[str, Any]) -> None:
    assert json.loads(as_json(data), parse_float=Decimal) == data
    doubles = {
        name: list(map(_nearest, value)) if isinstance(value, list) else value
        for name, value in data.items()
    }
    assert json.loads(as_json(data, doubles=True), parse_int=float) == doubles


def _nearest(number: int | Decimal) -> float | None:
    try:
        double = float(number)
    except OverflowError:
        return None
    return double if math.isfinite(double) else None


def test_a_rate_limit_counts_down_refuses_and_is_lifted(serve_port: ServePort) -> None:
    with serve_port(OTHER, reset_as="seconds") as desk:
        desk.stand_in.rate_limit = RateLimit(3, 0.4)
        path, began = "/v1/blueprints/other", time.monotonic()
        answers = [desk.client.get(path) for _ in range(3)]
        answers += [desk.client.get("/v1/blueprints/absent"), desk.client.get(path)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429, 429]
        left = [each.headers["x-ratelimit-remaining"] for each in answers]
        assert left == ["2", "1", "0", "0", "0"]
        assert {each.headers["x-ratelimit-limit"] for each in answers} == {"3"}
        assert {each.headers["x-ratelimit-period"] for each in answers} == {"0.4"}
        resets = [float(each.headers["x-ratelimit-reset"]) for each in answers]
        assert 0.4 >= resets[0] > resets[-1] > 0
        credentials = {
            "clientId": desk.stand_in.client_id,
            "clientSecret": desk.stand_in.client_secret,
        }
        assert desk.post("/v1/auth/access_token", credentials).status_code == 200
        time.sleep(resets[-1])
        again = desk.client.get("/v1/nothing")
        assert (again.status_code, again.headers["x-ratelimit-remaining"]) == (404, "2")
        assert time.monotonic() - began >= 0.4


def test_a_rate_limit_is_lifted_at_a_time_since_1970(serve_port: ServePort) -> None:
    with serve_port(rate_limit=RateLimit(1, 300)) as desk:
        for _ in range(2):
            answer = desk.client.get("/v1/blueprints")
            assert 290 <= float(answer.headers["x-ratelimit-reset"]) - time.time() <= 301
        assert answer.status_code == 429


def test_a_put_replaces_a_blueprint_and_its_entities_follow(serve_port: ServePort) -> None:
    with serve_port(OTHER, USAGE) as desk:
        desk.upsert("o", blueprint="other")
        desk.upsert(properties={"n": 1, "t": "x"}, relations={"other": "o"})
        body = {"title": "New", "schema": {"properties": {"n": {"type": "number"}}}}
        changed = desk.client.put("/v1/blueprints/usage", json=body)
        assert changed.json() == {"ok": True, "blueprint": {"identifier": "usage", **body}}
        held = desk.stand_in.entities["usage", "e"]
        assert (held.properties, held.relations) == ({"n": 1}, {})
        desk.upsert(properties={"n": 2})
        assert desk.client.put("/v1/blueprints/absent", json=body).status_code == 404
        for key in body:
            rest = {name: value for name, value in body.items() if name != key}
            assert desk.client.put("/v1/blueprints/usage", json=rest).status_code == 422


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_type_of_a_property_stays(serve_port: ServePort, method: str) -> None:
    with serve_port(OTHER, USAGE) as desk:
        for properties, status in (
            ({"n": {"type": "string"}}, 422),
            ({"n": {"type": "number", "title": "N"}, "new": {"type": "string"}}, 200),
        ):
            body = {"title": "New", "schema": {"properties": properties}}
            answer = desk.client.request(method, "/v1/blueprints/usage", json=body)
            assert answer.status_code == status
        renamed = {**OTHER, "identifier": "renamed"}
        answer = desk.client.request(method, "/v1/blueprints/other", json=renamed)
        assert answer.status_code == 422


def test_the_organisation_is_told(serve_port: ServePort) -> None:
    with serve_port() as desk:
        told = desk.client.get("/v1/organization").json()
        assert (told["ok"], told["organization"].keys()) == (True, {"id", "name", "featureFlags"})
