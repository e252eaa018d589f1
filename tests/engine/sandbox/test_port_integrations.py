"""Port's stand-in keeps integrations as strictly as their clients are known to speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lading.sandbox.port import CLIENT_ID, CLIENT_SECRET, PortStandIn

NEW: dict[str, Any] = {
    "installationId": "one",
    "installationAppType": "kind-of-thing",
    "version": "1.2.3",
    "changelogDestination": {},
    "config": {"resources": [{"kind": "k", "selector": {"query": "true"}, "port": {}}]},
    "actionsProcessingEnabled": False,
    "createPortResourcesOrigin": "Ocean",
}
STATE = {
    "status": "running",
    "lastResyncStart": "2026-03-20T15:30:00+00:00",
    "lastResyncEnd": None,
    "nextResync": None,
    "intervalInMinuets": None,
}
LINE = {"message": "m", "level": "INFO", "timestamp": "2026-03-20T15:30:00.000Z", "extra": {}}
METRICS: dict[str, Any] = {
    "integrationType": "t",
    "installationType": "OnPrem",
    "executionMode": "single_process",
    "integrationIdentifier": "one",
    "integrationVersion": "1",
    "oceanVersion": "1",
    "kindIdentifier": "k/l-0",
    "kind": "k/l",
    "kindIndex": 0,
    "eventId": "e",
    "syncState": "syncing",
    "blueprint": "",
    "metrics": {"phase": {}},
}


@pytest.fixture
def port() -> Iterator[PortStandIn]:
    with PortStandIn() as running:
        yield running


@pytest.fixture
def client(port: PortStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=port.base_url, trust_env=False) as made:
        credentials = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
        token = made.post("/v1/auth/access_token", json=credentials).json()["accessToken"]
        made.headers["authorization"] = f"Bearer {token}"
        yield made


@pytest.fixture
def one(client: httpx.Client) -> dict[str, Any]:
    made = client.post("/v1/integration", json=NEW)
    assert made.status_code == 201
    integration: dict[str, Any] = made.json()["integration"]
    return integration


def test_it_is_there_once_it_is_made(client: httpx.Client, one: dict[str, Any]) -> None:
    assert client.get("/v1/integration/other").status_code == 404
    assert client.post("/v1/integration", json=NEW).status_code == 409
    shown = client.get("/v1/integration/one").json()["integration"]
    assert shown == one
    assert shown["config"] == NEW["config"]


@pytest.mark.parametrize(
    "changes",
    [
        {"installationId": "Upper"},
        {"installationId": "ends-"},
        {"installationAppType": 1},
        {"more": 1},
        {"config": {"resources": [], "sendRawDataExamples": False}},
        {"config": {"resources": [{"kind": "k", "port": {}, "name": "n"}]}},
        {"createPortResourcesOrigin": "elsewhere"},
    ],
)
def test_a_body_of_another_shape_is_refused(client: httpx.Client, changes: dict[str, Any]) -> None:
    assert client.post("/v1/integration", json={**NEW, **changes}).status_code == 422


def test_a_resync_is_asked_for_by_the_button_and_by_changes(
    port: PortStandIn, client: httpx.Client, one: dict[str, Any]
) -> None:
    route = "/v1/integration/one/resync-request"
    assert client.get(route).json() == {"ok": True, "request": None}
    body: dict[str, Any] = {"config": {"resources": []}}
    quiet = {"x-skip-resync": "true"}
    assert client.patch("/v1/integration/one/config", json=body, headers=quiet).is_success
    assert client.get(route).json()["request"] is None
    asked = []
    for ask in (
        port.integrations.ask_for_resync,
        lambda: client.patch("/v1/integration/one/config", json=body),
        lambda: client.patch("/v1/integration/one", json={}),
    ):
        ask()
        # It is still there when it was read.
        assert client.get(route).json() == client.get(route).json()
        asked.append(client.get(route).json()["request"])
    assert sorted(asked, key=lambda each: each["updatedAt"]) == asked
    assert len({each["id"] for each in asked}) == 3


def test_states_are_kept_and_shown(
    port: PortStandIn, client: httpx.Client, one: dict[str, Any]
) -> None:
    route = "/v1/integration/one/resync-state"
    for wrong in ({"status": "ok"}, {"lastResyncStart": "today"}, {"intervalInMinutes": 1}):
        assert client.patch(route, json={**STATE, **wrong}).status_code == 422
    answer = client.patch(route, json=STATE).json()["integration"]["resyncState"]
    assert answer.pop("updatedAt")
    assert answer == STATE
    assert port.integrations.states == [STATE]


def test_examples_lines_metrics_and_heartbeats_are_kept(
    port: PortStandIn, client: httpx.Client, one: dict[str, Any]
) -> None:
    told = port.integrations
    examples = {"examples": [{"a": 1}]}
    assert client.post("/v1/integration/one/kinds/k%2Fl/examples", json=examples).is_success
    assert client.get("/v1/integration/one/kinds").json()["kinds"] == ["k/l"]
    shown = client.get("/v1/integration/one/kinds/k%2Fl/examples").json()
    assert shown["examples"] == [{"a": 1}]
    logs, metrics = one["logAttributes"]["ingestUrl"], one["metricAttributes"]["ingestUrl"]
    assert client.post(logs, json={"logs": [LINE]}).is_success
    assert client.post(f"{metrics}/heartbeat", json={"eventId": "e"}).is_success
    assert client.post(f"{metrics}/syncMetrics", json={"syncKindsMetrics": [METRICS]}).is_success
    later = {**METRICS, "syncState": "completed"}
    route = f"{metrics}/syncMetrics/resync/e/kind/k%2Fl-0"
    assert client.put(route, json={"syncKindMetrics": later}).is_success
    assert (told.log_lines, told.heartbeats) == ([LINE], ["e"])
    assert told.documents == [METRICS, later]
    assert told.metrics == {("e", "k/l-0"): later}


@pytest.mark.parametrize(
    ("below", "body"),
    [
        ("logs", {"logs": []}),
        ("logs", {"logs": [{**LINE, "level": "info"}]}),
        ("logs", {"logs": [{**LINE, "timestamp": "2026-03-20T15:30:00"}]}),
        ("logs", {"logs": [{"message": "m"}]}),
        ("metrics/heartbeat", {}),
        ("metrics/syncMetrics", {"syncKindsMetrics": [{**METRICS, "kindIndex": "0"}]}),
        ("metrics/syncMetrics", {"syncKindsMetrics": [{**METRICS, "syncState": "done"}]}),
    ],
)
def test_what_is_told_in_another_shape_is_refused(
    client: httpx.Client, one: dict[str, Any], below: str, body: dict[str, Any]
) -> None:
    kind, _, rest = below.partition("/")
    where = "/".join(filter(None, ("/ingest", kind, "one", rest)))
    assert client.post(where, json=body).status_code == 422
    assert client.post(where, json=body, headers={"authorization": ""}).status_code == 401
