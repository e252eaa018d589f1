"""Port's side of an integration: what its page shows of it, and where its runs are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import unquote

from lading.sandbox.port_records import PortRefusal
from lading.sandbox.server import Request

INSTALLATION_ID = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
STATUSES = ("running", "completed", "failed", "aborted")
SYNC_STATES = ("pending", "syncing", "completed", "failed", "aborted")
LEVELS = ("DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
ORIGINS = ("Empty", "Ocean", "Default", "Port")

Answer = tuple[int, Mapping[str, Any]]
Json = dict[str, Any]
# What a value must be, and how a refusal calls it.
Shape = tuple[Callable[[Any], bool], str]


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, kinds) and not (bool not in kinds and isinstance(value, bool))
    )


def _one_of(*words: str) -> Shape:
    return (lambda value: value in words), f"one of {', '.join(words)}"


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


TEXT: Shape = (_is(str), "string")
OBJECT: Shape = (_is(dict), "object")
BOOLEAN: Shape = (_is(bool), "boolean")
NUMBER: Shape = (_is(int, float), "number")
WHOLE: Shape = (_is(int), "integer")
MOMENT: Shape = (_is_moment, "date-time with a zone")
NO_MOMENT: Shape = (lambda value: value is None or _is_moment(value), "date-time or null")
NO_NUMBER: Shape = (lambda value: value is None or _is(int, float)(value), "number or null")
OBJECTS: Shape = (
    lambda value: isinstance(value, list) and bool(value) and all(map(_is(dict), value)),
    "non-empty array of objects",
)

INTEGRATION: Mapping[str, Shape] = {
    "installationId": TEXT,
    "installationAppType": TEXT,
    "version": TEXT,
    "changelogDestination": OBJECT,
    "config": OBJECT,
    "actionsProcessingEnabled": BOOLEAN,
    "incrementalSyncEnabled": BOOLEAN,
    "createPortResourcesOrigin": _one_of(*ORIGINS),
}
CONFIG: Mapping[str, Shape] = {
    "deleteDependentEntities": BOOLEAN,
    "createMissingRelatedEntities": BOOLEAN,
    "enableMergeEntity": BOOLEAN,
    "entityDeletionThreshold": NUMBER,
    "resources": (_is(list), "array"),
}
RESOURCE: Mapping[str, Shape] = {"kind": TEXT, "selector": OBJECT, "port": OBJECT}
STATE: Mapping[str, Shape] = {
    "status": _one_of(*STATUSES),
    "lastResyncStart": NO_MOMENT,
    "lastResyncEnd": NO_MOMENT,
    "nextResync": NO_MOMENT,
    "intervalInMinuets": NO_NUMBER,
}
LOG: Mapping[str, Shape] = {
    "message": TEXT,
    "level": _one_of(*LEVELS),
    "timestamp": MOMENT,
    "extra": OBJECT,
}
METRICS: Mapping[str, Shape] = {
    "integrationType": TEXT,
    "installationType": TEXT,
    "executionMode": TEXT,
    "integrationIdentifier": TEXT,
    "integrationVersion": TEXT,
    "oceanVersion": TEXT,
    "kindIdentifier": TEXT,
    "kind": TEXT,
    "kindIndex": WHOLE,
    "eventId": TEXT,
    "syncState": _one_of(*SYNC_STATES),
    "blueprint": TEXT,
    "metrics": OBJECT,
}


class Integrations:
    """`/v1/integration` and what is below it, and the addresses that it gives out for log lines
    and metrics, which are below `/ingest`.

    held        integrations by installationId, as they are answered; `resyncState` is in them
    states      what was told of resyncs, in order, as it came
    requests    the resync that was asked for last, by installationId
    examples    raw examples by installationId and kind
    log_lines   the lines that came in, in order
    documents   each document of metrics that came, in order
    metrics     the last of them, by event and `<kind>-<index>`
    heartbeats  the events they were for, in order
    """

    def __init__(self, base_url: str, now: Callable[[], datetime]) -> None:
        self._base_url = base_url
        self._now = now
        self._numbers = count(1)
        self.held: dict[str, Json] = {}
        self.states: list[Json] = []
        self.requests: dict[str, Json] = {}
        self.examples: dict[tuple[str, str], list[Any]] = {}
        self.log_lines: list[Json] = []
        self.documents: list[Json] = []
        self.metrics: dict[tuple[str, str], Json] = {}
        self.heartbeats: list[str] = []

    def ask_for_resync(self, installation_id: str = "") -> None:
        """What the button in Port does; without a name, to the only integration there is."""
        if not installation_id:
            (installation_id,) = self.held
        self._ask_for_resync(installation_id)

    def _ask_for_resync(self, installation_id: str) -> None:
        # By a clock that may stand still, two clicks would look like one.
        number = next(self._numbers)
        moment = self._now().replace(microsecond=number % 1_000_000).isoformat()
        self.requests[installation_id] = {"id": f"resync-{number}", "updatedAt": moment}

    def answer(self, request: Request) -> Answer:
        """The answer to an authorised request for `/v1/integration…` or `/ingest…`."""
        match (request.method, *map(unquote, request.path.strip("/").split("/"))):
            case ("POST", "v1", "integration"):
                return self._create(_body(request, INTEGRATION, optional=INTEGRATION.keys()))
            case ("GET", "v1", "integration"):
                return 200, {"ok": True, "integrations": list(self.held.values())}
            case (_, "v1", "integration", name, *below):
                return self._of_one(request, self._one(name), below)
            case ("POST", "ingest", "logs", name):
                self._one(name)
                lines = _body(request, {"logs": OBJECTS})["logs"]
                _check_each(lines, "logs", LOG)
                self.log_lines += lines
                return 200, {"ok": True}
            case (_, "ingest", "metrics", name, *below):
                self._one(name)
                return self._take_metrics(request, below)
        raise PortRefusal(404, f"Route {request.method}:{request.path} not found")

    def _one(self, name: str) -> Json:
        if name not in self.held:
            raise PortRefusal(404, f'Integration with identifier "{name}" was not found')
        return self.held[name]

    def _create(self, body: Json) -> Answer:
        for key in ("installationId", "installationAppType"):
            if key not in body:
                raise PortRefusal(422, f"body must have required property {key}")
        name = body["installationId"]
        if not INSTALLATION_ID.fullmatch(name):
            raise PortRefusal(422, f"body/installationId must match {INSTALLATION_ID.pattern}")
        _check_config(body.get("config", {"resources": []}))
        if name in self.held:
            raise PortRefusal(409, f'Integration with identifier "{name}" already exists')
        self.held[name] = {
            "changelogDestination": {},
            "config": {},
            **body,
            "identifier": name,
            "installationType": "OnPrem",
            "resyncState": {},
            "logAttributes": {"ingestUrl": f"{self._base_url}/ingest/logs/{name}"},
            "metricAttributes": {"ingestUrl": f"{self._base_url}/ingest/metrics/{name}"},
        }
        return 201, {"ok": True, "integration": self._touched(self.held[name])}

    def _touched(self, integration: Json) -> Json:
        integration["updatedAt"] = self._now().isoformat()
        return integration

    def _of_one(self, request: Request, one: Json, below: list[str]) -> Answer:
        name = one["installationId"]
        match (request.method, *below):
            case ("GET",):
                return 200, {"ok": True, "integration": one}
            case ("PATCH",):
                return self._change(one, _body(request, INTEGRATION, INTEGRATION.keys()))
            case ("PATCH", "config"):
                config = _body(request, {"config": OBJECT})["config"]
                _check_config(config)
                one["config"] = config
                if request.headers.get("x-skip-resync") != "true":
                    self._ask_for_resync(name)
            case ("PATCH", "resync-state"):
                state = _body(request, STATE, STATE.keys())
                self.states.append(state)
                one["resyncState"] |= {**state, "updatedAt": self._now().isoformat()}
            case ("GET", "resync-request"):
                return 200, {"ok": True, "request": self.requests.get(name)}
            case ("GET", "kinds"):
                kinds = sorted(kind for of, kind in self.examples if of == name)
                return 200, {"ok": True, "kinds": kinds}
            case ("POST", "kinds", kind, "examples"):
                self.examples[name, kind] = _body(request, {"examples": OBJECTS})["examples"]
                return 200, {"ok": True}
            case ("GET", "kinds", kind, "examples"):
                return 200, {"ok": True, "examples": self.examples.get((name, kind), [])}
            case _:
                raise PortRefusal(404, f"Route {request.method}:{request.path} not found")
        return 200, {"ok": True, "integration": self._touched(one)}

    def _change(self, one: Json, changes: Json) -> Answer:
        _check_config(changes.get("config", {"resources": []}))
        one |= {**changes, "installationId": one["installationId"]}
        if not changes:
            self._ask_for_resync(one["installationId"])
        return 200, {"ok": True, "integration": self._touched(one)}

    def _take_metrics(self, request: Request, below: list[str]) -> Answer:
        match (request.method, *below):
            case ("POST", "heartbeat"):
                self.heartbeats.append(_body(request, {"eventId": TEXT})["eventId"])
                return 200, {"ok": True}
            case ("POST", "syncMetrics"):
                taken = _body(request, {"syncKindsMetrics": OBJECTS})["syncKindsMetrics"]
            case ("PUT", "syncMetrics", "resync", event, "kind", kind):
                taken = [_body(request, {"syncKindMetrics": OBJECT})["syncKindMetrics"]]
                if (taken[0].get("eventId"), taken[0].get("kindIdentifier")) != (event, kind):
                    raise PortRefusal(422, "the body is about another kind than the address")
            case _:
                raise PortRefusal(404, f"Route {request.method}:{request.path} not found")
        _check_each(taken, "syncKindsMetrics", METRICS)
        self.documents += taken
        self.metrics |= {(each["eventId"], each["kindIdentifier"]): each for each in taken}
        return 200, {"ok": True}


def _body(request: Request, shapes: Mapping[str, Shape], optional: Any = ()) -> Json:
    if "application/json" not in request.headers.get("content-type", ""):
        raise PortRefusal(422, "content-type must be application/json")
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise PortRefusal(422, f"body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise PortRefusal(422, "body must be object")
    _check(body, "body", shapes, optional)
    return body


def _check_each(bodies: list[Any], where: str, shapes: Mapping[str, Shape]) -> None:
    for index, each in enumerate(bodies):
        _check(each, f"body/{where}/{index}", shapes)


def _check(body: Json, where: str, shapes: Mapping[str, Shape], optional: Any = ()) -> None:
    if unknown := sorted(body.keys() - shapes.keys()):
        raise PortRefusal(422, f"{where} must not have additional properties: {unknown[0]}")
    for name, (fits, called) in shapes.items():
        if name not in body and name not in optional:
            raise PortRefusal(422, f"{where} must have required property {name}")
        if name in body and not fits(body[name]):
            raise PortRefusal(422, f"{where}/{name} must be {called}")


def _check_config(config: Json) -> None:
    _check(config, "body/config", CONFIG, optional=CONFIG.keys())
    for index, resource in enumerate(config.get("resources", [])):
        where = f"body/config/resources/{index}"
        if not isinstance(resource, dict):
            raise PortRefusal(422, f"{where} must be object")
        _check(resource, where, RESOURCE, optional={"selector"})
