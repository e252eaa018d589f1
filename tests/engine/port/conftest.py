"""Port's stand-in, a connection to it, and a real database file with entities to push."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading import log
from lading.http import RetryPolicy
from lading.port.client import PortClient, UpsertSettings
from lading.port.journal import recover
from lading.port.order import Place
from lading.port.planning import Aim, draw_up
from lading.port.push import Way, push
from lading.port.removals import ALL_STAY, Removals
from lading.port.stage import EntityStage
from lading.port.tally import PushResult
from lading.project.documents import read_document
from lading.project.environment import Environment
from lading.project.model import Connection
from lading.sandbox.port import CLIENT_ID, CLIENT_SECRET, PortStandIn
from lading.sandbox.server import Request
from lading.warehouse.database import Database
from lading.warehouse.runs import Run
from lading.warehouse.tables import prepare

NOW = datetime(2026, 3, 20, 15, 30, tzinfo=UTC)
RETRY = RetryPolicy(tries=4, seconds=10, first_wait=0.01, longest_wait=0.05)
PROJECT = "connections:\n  port:\n    integration: claude\n"


def entity(identifier: str, **properties: Any) -> str:
    return json.dumps({"identifier": identifier, "properties": properties})


def blueprint(identifier: str, *required: str) -> dict[str, Any]:
    properties = {"tokens": {"type": "number"}, "text": {"type": "string"}}
    schema = {"properties": properties, "required": list(required)}
    return {"identifier": identifier, "title": identifier, "schema": schema}


@dataclass
class Yard:
    """What a push works with, and shorthands for using it."""

    stand_in: PortStandIn
    database: Database
    connection: Connection
    client: PortClient
    runs: int = 0
    settings: dict[str, UpsertSettings] = field(default_factory=dict)
    removals: Removals = ALL_STAY
    places: Mapping[str, Place] = field(default_factory=dict)
    on_progress: Callable[[int], None] = lambda entities: None

    def stage(
        self,
        *rows: tuple[str, str, str, str],
        faults: Mapping[str, str] | None = None,
        first: Sequence[str] = (),
        last: Sequence[str] = (),
    ) -> int:
        """Make `lading.entities` rows of (resource, blueprint, identifier, entity), in a
        database that is made with the first of them; `faults` are by identifier."""
        with EntityStage() as stage:
            for position, (resource, name, identifier, text) in enumerate(rows):
                stage.add(
                    resource=resource,
                    kind="any",
                    blueprint=name,
                    identifier=identifier,
                    position=position,
                    hash=hashlib.sha256(text.encode()).hexdigest(),
                    entity=text,
                    fault=(faults or {}).get(identifier),
                )
            with self.database.writing() as connection:
                prepare(connection, ())
                return stage.load(connection, first, last)

    def stage_usage(self, count: int, tokens: int = 1) -> None:
        """That many entities e0, e1, … of the blueprint `usage`."""
        names = [f"e{number}" for number in range(count)]
        self.stage(*(("usage", "usage", name, entity(name, tokens=tokens)) for name in names))

    def push(self, resources: Sequence[str] = ("usage", "cost")) -> PushResult:
        self.runs += 1
        run = Run(f"run-{self.runs}", "push", NOW)
        settings = {name: self.settings.get(name, UpsertSettings()) for name in resources}
        recover(self.database)
        self.plan(resources)
        way = Way(settings, resources, self.places)
        return push(self.database, run, self.client, way, self.on_progress)

    def plan(self, resources: Sequence[str] = ("usage", "cost"), **more: Any) -> None:
        """Draw up the plan of what those resources give."""
        with self.database.writing() as connection:
            draw_up(
                connection, Aim(self.client.destination, resources, removals=self.removals, **more)
            )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.reading() as connection:
            return connection.execute(sql).fetchall()

    def bulks(self) -> list[Request]:
        """The bulk requests that the stand-in got, to their last byte."""
        return [
            each
            for each in self.stand_in.requests
            if each.path.endswith("/bulk") and len(each.body) == int(each.headers["content-length"])
        ]

    def sent(self, requests: Iterable[Request] | None = None) -> list[str]:
        """The identifiers in those bulk requests, or in all, in order of arrival."""
        return [
            each["identifier"]
            for request in (self.bulks() if requests is None else requests)
            for each in json.loads(request.body)["entities"]
        ]

    def tokens_asked_for(self) -> int:
        return sum(each.path == "/v1/auth/access_token" for each in self.stand_in.requests)

    def held(self) -> dict[str, Any]:
        """What Port holds: identifier to `tokens`."""
        entities = self.stand_in.entities.values()
        return {each.identifier: each.properties.get("tokens") for each in entities}


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was logged, down to the least."""
    written: list[str] = []
    sink = log.Sink(format="json", level="debug", write=written.append)
    monkeypatch.setattr(log, "sink", sink)
    return written


@pytest.fixture
def stand_in() -> Iterator[PortStandIn]:
    with PortStandIn() as port:
        port.blueprints |= {name: blueprint(name) for name in ("usage", "cost")}
        yield port
    assert port.failures == []


@pytest.fixture
def connect(stand_in: PortStandIn) -> Callable[..., Connection]:
    def make(**written: str) -> Connection:
        settings = {
            "base_url": stand_in.base_url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "integration": "claude",
            **written,
        }
        document = read_document("project.yml", PROJECT)
        return Connection("port", "port", document, settings, Environment({}), 4, RETRY)

    return make


@pytest.fixture
def yard(
    stand_in: PortStandIn, connect: Callable[..., Connection], tmp_path: Path
) -> Iterator[Yard]:
    connection = connect()
    with PortClient(connection) as client:
        yield Yard(stand_in, Database(tmp_path / "claude.duckdb"), connection, client)
