"""A stand-in for the parts of Port's API that are called here, as strict as Port is known to be."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import unquote

from lading.sandbox.faults import Fault, Faults
from lading.sandbox.port_blueprints import blueprint_fault
from lading.sandbox.port_catalog import (
    UNRESOLVED,
    Catalog,
    PortEntity,
    PortRefusal,
    Write,
    shape_fault,
)
from lading.sandbox.port_integrations import Integrations
from lading.sandbox.server import Request, Response, StandIn, json_response

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"
LARGEST_BODY = 1_048_576
LARGEST_BULK = 20
LIMIT = 35_000
PERIOD_SECONDS = 300
WRITE_SWITCHES = ("upsert", "merge", "create_missing_related_entities", "validation_only")
WRITE_PARAMETERS = frozenset(
    (*WRITE_SWITCHES, "run_id", "ocean_info_resync_id", "ocean_info_event_type")
)
Answer = tuple[int, Mapping[str, Any]]


def utc_now() -> datetime:
    """The real clock, aware."""
    return datetime.now(UTC)


class PortStandIn:
    """`POST /v1/auth/access_token`, `/v1/blueprints` and the entities below it.

    client_id, client_secret  the credentials that it takes
    now            the clock (aware, UTC); may be set to another one at any time
    token_seconds  how long a token lives; while it does, asking again gives the same one
    reset_as       how `x-ratelimit-reset` is told: seconds since 1970, or seconds from now
    blueprints     by identifier, as they were posted
    entities       by blueprint and identifier; numbers with a fraction are Decimal, as sent
    integrations   `/v1/integration` and what was told of its runs
    faults         of its own kinds: `expired` (the token that a request comes with, or is given,
                   is dead), `207` (each n-th entity of a bulk request is refused, n is the
                   fault's `every`), `unanswered` (each n-th is taken, and stands in neither list
                   of the answer)
    """

    def __init__(
        self,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        now: Callable[[], datetime] = utc_now,
        token_seconds: float = 10_800,
        port: int = 0,
        reset_as: Literal["epoch", "seconds"] = "epoch",
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.now = now
        self.token_seconds = token_seconds
        self.reset_as = reset_as
        self.faults = Faults(own_kinds=("expired", "207", "unanswered"))
        self._catalog = Catalog()
        self.blueprints = self._catalog.blueprints
        self.entities = self._catalog.entities
        self._one_at_a_time = threading.Lock()
        self._token: tuple[str, datetime] | None = None
        self._token_numbers = count(1)
        self._trace_numbers = count(1)
        self._server = StandIn("Port", self._handle, self.faults, port, self._error)
        self.base_url = self._server.base_url
        self.requests = self._server.requests
        self.failures = self._server.failures
        self.integrations = Integrations(self.base_url, lambda: self.now())

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def expire_token(self) -> None:
        """Kill the token that is out; the next one asked for is another."""
        self._token = None

    def _handle(self, request: Request) -> Response:
        with self._one_at_a_time:
            try:
                status, data = self._route(request)
            except PortRefusal as refused:
                return self._error(refused.status, message=refused.message, name=refused.error)
            return json_response(status, _as_json(data), self._headers())

    def _route(self, request: Request) -> Answer:
        if len(request.body) > LARGEST_BODY:
            raise PortRefusal(413, "Request body is too large")
        match (request.method, *map(unquote, request.path.split("/")[1:])):
            case ("POST", "v1", "auth", "access_token"):
                return self._give_token(request)
        if request.fault is not None and request.fault.kind == "expired":
            self.expire_token()
        self._admit(request)
        match (request.method, *map(unquote, request.path.split("/")[1:])):
            case ("GET", "v1", "blueprints"):
                return 200, {"ok": True, "blueprints": list(self.blueprints.values())}
            case ("POST", "v1", "blueprints"):
                return self._create_blueprint(request)
            case ("GET", "v1", "blueprints", identifier):
                return 200, {"ok": True, "blueprint": self._blueprint(identifier)}
            case ("PATCH", "v1", "blueprints", identifier):
                return self._change_blueprint(identifier, request)
            case ("GET", "v1", "blueprints", blueprint, "entities"):
                return self._list(blueprint)
            case ("GET", "v1", "blueprints", blueprint, "entities", identifier):
                return self._show(blueprint, identifier)
            case ("POST", "v1", "blueprints", blueprint, "entities"):
                return self._upsert_one(blueprint, request)
            case ("POST", "v1", "blueprints", blueprint, "entities", "bulk"):
                return self._upsert_bulk(blueprint, request)
            case (_, "v1", "integration", *_) | (_, "ingest", *_):
                return self.integrations.answer(request)
        raise PortRefusal(404, f"Route {request.method}:{request.path} not found")

    def _give_token(self, request: Request) -> Answer:
        body = _body(request)
        if not isinstance(body, dict) or body.keys() != {"clientId", "clientSecret"}:
            raise PortRefusal(422, "body must have clientId and clientSecret, and nothing else")
        if (body["clientId"], body["clientSecret"]) != (self.client_id, self.client_secret):
            raise PortRefusal(401, "Invalid credentials")
        now = self.now()
        if self._token is None or self._token[1] <= now:
            until = now + timedelta(seconds=self.token_seconds)
            self._token = (f"sandbox-token-{next(self._token_numbers):04d}", until)
        token, until = self._token
        if request.fault is not None and request.fault.kind == "expired":
            self.expire_token()
        left = math.floor((until - now).total_seconds())
        return 200, {"ok": True, "accessToken": token, "expiresIn": left, "tokenType": "Bearer"}

    def _admit(self, request: Request) -> None:
        live = self._token is not None and self._token[1] > self.now()
        given = request.headers.get("authorization")
        if not live or self._token is None or given != f"Bearer {self._token[0]}":
            raise PortRefusal(401, "Invalid token" if given else "No authorization header")

    def _blueprint(self, identifier: str) -> dict[str, Any]:
        if identifier not in self.blueprints:
            raise PortRefusal(404, f'Blueprint with identifier "{identifier}" was not found')
        return self.blueprints[identifier]

    def _create_blueprint(self, request: Request) -> Answer:
        _query(request, frozenset(("create_catalog_page",)))
        body = _body(request)
        if fault := blueprint_fault(body):
            raise PortRefusal(422, fault)
        if body["identifier"] in self.blueprints:
            message = f'Blueprint with identifier "{body["identifier"]}" already exists'
            raise PortRefusal(409, message)
        self._check_targets(body)
        self.blueprints[body["identifier"]] = body
        return 201, {"ok": True, "blueprint": body}

    def _change_blueprint(self, identifier: str, request: Request) -> Answer:
        old, body = self._blueprint(identifier), _body(request)
        if fault := blueprint_fault(body, partial=True):
            raise PortRefusal(422, fault)
        changed = {**old, **body, "identifier": identifier}
        self._check_targets(changed)
        self.blueprints[identifier] = changed
        return 200, {"ok": True, "blueprint": changed}

    def _check_targets(self, body: Mapping[str, Any]) -> None:
        for relation in body.get("relations", {}).values():
            if relation["target"] not in self.blueprints:
                message = f'Blueprint with identifier "{relation["target"]}" was not found'
                raise PortRefusal(404, message)
        for name, mirror in body.get("mirrorProperties", {}).items():
            if str(mirror.get("path")).split(".")[0] not in body.get("relations", {}):
                raise PortRefusal(422, f"mirrorProperties/{name}: the path has no relation")

    def _list(self, blueprint: str) -> Answer:
        self._blueprint(blueprint)
        held = (each for each in self.entities.values() if each.blueprint == blueprint)
        return 200, {"ok": True, "entities": [_as_entity(each) for each in held]}

    def _show(self, blueprint: str, identifier: str) -> Answer:
        self._blueprint(blueprint)
        if (blueprint, identifier) not in self.entities:
            raise PortRefusal(404, f'Entity with identifier "{identifier}" was not found')
        return 200, {"ok": True, "entity": _as_entity(self.entities[blueprint, identifier])}

    def _upsert_one(self, blueprint: str, request: Request) -> Answer:
        write, body = self._write(blueprint, request), _body(request)
        if fault := shape_fault(body):
            raise PortRefusal(422, f"body{fault}")
        entity, created = self._catalog.upsert(blueprint, body, write)
        return 201 if created else 200, {"ok": True, "entity": _as_entity(entity)}

    def _upsert_bulk(self, blueprint: str, request: Request) -> Answer:
        write, body = self._write(blueprint, request), _body(request)
        if not isinstance(body, dict) or body.keys() != {"entities"}:
            raise PortRefusal(422, "body must have entities, and nothing else")
        bodies = body["entities"]
        if not isinstance(bodies, list) or not 1 <= len(bodies) <= LARGEST_BULK:
            raise PortRefusal(422, f"body/entities must be an array of 1 to {LARGEST_BULK}")
        for index, each in enumerate(bodies):
            if fault := shape_fault(each):
                raise PortRefusal(422, f"body/entities/{index}{fault}")
        accepted: list[Mapping[str, Any]] = []
        errors: list[Mapping[str, Any]] = []
        for index, each in enumerate(bodies):
            try:
                _meet(request.fault, "207", index)
                entity, created = self._catalog.upsert(blueprint, each, write)
            except PortRefusal as refused:
                errors.append(_as_error(index, each["identifier"], refused))
                continue
            if not _hits(request.fault, "unanswered", index):
                told = {"index": index, "identifier": entity.identifier, "created": created}
                accepted.append(told)
        whole = len(accepted) == len(bodies)
        return 200 if whole else 207, {"ok": True, "entities": accepted, "errors": errors}

    def _write(self, blueprint: str, request: Request) -> Write:
        given = _query(request, WRITE_PARAMETERS)
        self._blueprint(blueprint)
        for name in WRITE_SWITCHES:
            if given.get(name, "false") not in {"true", "false"}:
                raise PortRefusal(422, f"querystring/{name} must be boolean")
        switches = {name: given.get(name) == "true" for name in WRITE_SWITCHES}
        datasource = request.headers.get("user-agent", "")
        return Write(**switches, datasource=datasource, now=self.now())

    def _headers(self) -> dict[str, str]:
        left = LIMIT - len(self.requests) % LIMIT
        return {
            "X-Trace-Id": f"sandbox-trace-{next(self._trace_numbers):06d}",
            "x-ratelimit-limit": str(LIMIT),
            "x-ratelimit-period": str(PERIOD_SECONDS),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": self._reset(PERIOD_SECONDS),
        }

    def _reset(self, seconds: float) -> str:
        if self.reset_as == "seconds":
            return f"{seconds:g}"
        # Told by the client's clock, which `now` need not be.
        return str(math.ceil(utc_now().timestamp() + seconds))

    def _error(
        self,
        status: int,
        reset: float | None = None,
        message: str | None = None,
        name: str | None = None,
    ) -> Response:
        headers = self._headers()
        if reset is None:
            del headers["x-ratelimit-reset"]
        else:
            headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": self._reset(reset)}
        refused = PortRefusal(status, message or HTTPStatus(status).phrase, name)
        envelope = {"ok": False, "error": refused.error, "message": refused.message}
        return json_response(status, envelope, headers)


def _body(request: Request) -> Any:
    if "application/json" not in request.headers.get("content-type", ""):
        raise PortRefusal(422, "content-type must be application/json")
    try:
        return json.loads(request.body, parse_float=Decimal, parse_constant=_no_number)
    except ValueError as error:
        raise PortRefusal(422, f"body is not JSON: {error}") from error


def _no_number(literal: str) -> None:
    raise ValueError(f"{literal} is no number of JSON")


def _query(request: Request, known: frozenset[str]) -> dict[str, str]:
    given = dict(request.query)
    unknown = sorted(given.keys() - known)
    if unknown or len(given) != len(request.query):
        raise PortRefusal(422, f"querystring must have each of {sorted(known)} at most once")
    return given


def _hits(fault: Fault | None, kind: str, index: int) -> bool:
    return fault is not None and fault.kind == kind and (index + 1) % fault.every == 0


def _meet(fault: Fault | None, kind: str, index: int) -> None:
    if _hits(fault, kind, index):
        raise PortRefusal(422, "refused by a fault that is switched on")


def _as_error(index: int, identifier: Any, refused: PortRefusal) -> Mapping[str, Any]:
    return {
        "index": index,
        "identifier": identifier if isinstance(identifier, str) else UNRESOLVED,
        "statusCode": refused.status,
        "error": refused.error,
        "message": refused.message,
    }


def _as_entity(entity: PortEntity) -> Mapping[str, Any]:
    held = asdict(entity)
    return {
        **{key: held[key] for key in ("identifier", "blueprint", "title", "icon", "properties")},
        "team": list(entity.team),
        "relations": held["relations"],
        "createdAt": entity.created_at.isoformat(),
        "updatedAt": entity.updated_at.isoformat(),
    }


def _as_json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":"), default=float).encode()
