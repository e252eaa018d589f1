"""The stand-ins with fixed clocks, and clients of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from lading.sandbox.anthropic import API_KEY, AnthropicStandIn
from lading.sandbox.organisation import Organisation
from lading.sandbox.port import PortStandIn

NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
FIRST_DAY = date(2026, 2, 1)

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reports:
    """Numbers with a fraction are read as Decimal."""

    stand_in: AnthropicStandIn
    client: httpx.Client

    @staticmethod
    def range(
        first: date, end: date, *group_by: str, width: str = "1d", limit: int | None = None
    ) -> Pairs:
        pairs = [("starting_at", f"{first}T00:00:00Z"), ("ending_at", f"{end}T00:00:00Z")]
        pairs += [("bucket_width", width), *(("group_by[]", name) for name in group_by)]
        return pairs if limit is None else [*pairs, ("limit", str(limit))]

    def send(self, path: str, pairs: Pairs, **headers: str) -> httpx.Response:
        return self.client.get(path, params=httpx.QueryParams(tuple(pairs)), headers=headers)

    def get(self, path: str, pairs: Pairs, **headers: str) -> Any:
        answer = self.send(path, pairs, **headers)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content, parse_float=Decimal)

    def refusal(self, path: str, pairs: Pairs) -> str:
        answer = self.send(path, pairs)
        assert answer.status_code == 400
        return str(answer.json()["error"]["message"])

    def walk(
        self, path: str, pairs: Pairs, page: str | None = None, **headers: str
    ) -> Iterator[dict[str, Any]]:
        """The pages from the first one, or from the cursor `page`, to the last."""
        has_more, seen = True, set[str | None]()
        while has_more:
            assert page not in seen, "the report goes in circles"
            seen.add(page)
            asked = pairs if page is None else [*pairs, ("page", page)]
            answer = self.get(path, asked, **headers)
            has_more, page = answer["has_more"], answer["next_page"]
            assert has_more == (page is not None)
            yield answer

    def everything(
        self, path: str, pairs: Pairs, page: str | None = None, **headers: str
    ) -> list[dict[str, Any]]:
        """The buckets or records of those pages."""
        return [item for one in self.walk(path, pairs, page, **headers) for item in one["data"]]


@contextmanager
def serving(organisation: Organisation | None = None, **options: Any) -> Iterator[Reports]:
    organisation = organisation or Organisation(first_day=FIRST_DAY)
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    with (
        AnthropicStandIn(organisation, now=lambda: NOW, **options) as stand_in,
        httpx.Client(base_url=stand_in.base_url, headers=headers, trust_env=False) as client,
    ):
        yield Reports(stand_in, client)
    assert stand_in.failures == []


@pytest.fixture(scope="session")
def reports() -> Iterator[Reports]:
    """A client of one stand-in for the whole session: change nothing in it."""
    with serving() as reports:
        yield reports


@pytest.fixture
def serve() -> Callable[..., AbstractContextManager[Reports]]:
    """Makes a stand-in of the test's own."""
    return serving


@dataclass(frozen=True, slots=True)
class PortDesk:
    """Port's stand-in, and a client that has a token."""

    stand_in: PortStandIn
    client: httpx.Client

    def post(self, path: str, body: Any, **params: str) -> httpx.Response:
        return self.client.post(path, json=body, params=params)

    def bulk(self, *entities: Any, blueprint: str = "usage", **params: str) -> httpx.Response:
        return self.post(
            f"/v1/blueprints/{blueprint}/entities/bulk", {"entities": entities}, **params
        )

    def upsert(
        self, identifier: str = "e", *, blueprint: str = "usage", merge: str = "true", **rest: Any
    ) -> None:
        entity = {"identifier": identifier, **rest}
        answer = self.bulk(entity, blueprint=blueprint, upsert="true", merge=merge)
        assert answer.status_code == 200, answer.text


@contextmanager
def serving_port(*blueprints: Any, **options: Any) -> Iterator[PortDesk]:
    """A stand-in that has the blueprints; the options are its constructor's."""
    with PortStandIn(**options) as stand_in:
        with httpx.Client(base_url=stand_in.base_url, trust_env=False) as client:
            credentials = {
                "clientId": stand_in.client_id,
                "clientSecret": stand_in.client_secret,
            }
            given = client.post("/v1/auth/access_token", json=credentials).json()
            client.headers["authorization"] = f"{given['tokenType']} {given['accessToken']}"
            client.headers["user-agent"] = "port-ocean/lading/9/test/exporter"
            for blueprint in blueprints:
                assert client.post("/v1/blueprints", json=blueprint).status_code == 201
            yield PortDesk(stand_in, client)
        assert stand_in.failures == []


@pytest.fixture
def serve_port() -> Callable[..., AbstractContextManager[PortDesk]]:
    """Makes a stand-in of the test's own."""
    return serving_port
