"""A stand-in for the parts of Port's API that are called here, as strict as Port is known to be."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

from lading.sandbox import port_defining, port_deletion, port_finding, port_writing
from lading.sandbox.faults import Faults
from lading.sandbox.port_answers import as_json
from lading.sandbox.port_call import Answer, Call
from lading.sandbox.port_catalog import Catalog, Write
from lading.sandbox.port_integrations import Integrations
from lading.sandbox.port_limits import RateLimit, Window
from lading.sandbox.port_records import PortEntity, PortRefusal
from lading.sandbox.server import Request, Response, StandIn, json_response

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"
TOPICS: tuple[Callable[[Call], Answer | None], ...] = (
    port_defining.answer,
    port_finding.answer,
    port_writing.answer,
    port_deletion.answer,
)
LARGEST_BODY = 1_048_576
NO_LIMIT = RateLimit(35_000, 300)
ORGANISATION = {"id": "org_sandbox", "name": "Sandbox", "featureFlags": ()}
# What Port notes for an edit by hand is not documented, only that it is no integration's.
UI_DATASOURCE = "Port UI"


def utc_now() -> datetime:
    """The real clock, aware."""
    return datetime.now(UTC)


class PortStandIn:
    """`POST /v1/auth/access_token`, `/v1/blueprints`, the entities below it, `/v1/organization`.

    client_id, client_secret  the credentials that it takes
    now            the clock (aware, UTC); may be set to another one at any time
    token_seconds  how long a token lives; while it does, asking again gives the same one
    reset_as       how `x-ratelimit-reset` is told: seconds since 1970, or seconds from now
    rate_limit     that many requests are answered in each period, and the rest is a 429; None:
                   only faults are. May be set at any time
    doubles        answer numbers as JavaScript does, by their nearest doubles, instead of with
                   the digits that they came with
    blueprints     by identifier, as they were posted
    entities       by blueprint and identifier; numbers with a fraction are Decimal, as sent
    integrations   `/v1/integration` and what was told of its runs
    faults         of its own kinds: `expired` (the token that a request comes with, or is given,
                   is dead), `207` (each n-th entity of a bulk request is refused, n is the
                   fault's `every`), `unanswered` (each n-th is taken, or deleted by a bulk
                   deletion, and the answer does not say so)
    """

    def __init__(
        self,
        client_id: str = CLIENT_ID,
        client_secret: str = CLIENT_SECRET,
        now: Callable[[], datetime] = utc_now,
        token_seconds: float = 10_800,
        port: int = 0,
        reset_as: Literal["epoch", "seconds"] = "epoch",
        rate_limit: RateLimit | None = None,
        doubles: bool = False,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.now = now
        self.token_seconds = token_seconds
        self.reset_as = reset_as
        self.rate_limit = rate_limit
        self.doubles = doubles
        self.faults = Faults(own_kinds=("expired", "207", "unanswered"))
        self._catalog = Catalog()
        self.blueprints = self._catalog.blueprints
        self.entities = self._catalog.entities
        self._window = Window()
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

    def edit(self, blueprint: str, identifier: str, /, **properties: Any) -> PortEntity:
        """Change properties of an entity as a person does in Port's UI; None clears one.

        Raises:
            PortRefusal: the entity is not there, or the blueprint does not allow it.
        """
        with self._one_at_a_time:
            self._catalog.entity(blueprint, identifier)
            body = {"identifier": identifier, "properties": properties}
            write = Write(upsert=True, merge=True, datasource=UI_DATASOURCE, now=self.now())
            return self._catalog.upsert(blueprint, body, write)[0]

    def remove(self, blueprint: str, identifier: str) -> None:
        """Delete an entity as a person does in Port's UI.

        Raises:
            PortRefusal: the entity is not there, or another one requires it.
        """
        with self._one_at_a_time:
            self._catalog.entity(blueprint, identifier)
            port_deletion.delete(self._catalog, {(blueprint, identifier)}, with_dependents=False)

    def _handle(self, request: Request) -> Response:
        with self._one_at_a_time:
            try:
                status, data = self._route(Call(request, self._catalog, self.now()))
            except PortRefusal as refused:
                return self._error(refused.status, message=refused.message, name=refused.error)
            body = as_json(data, doubles=self.doubles)
            return json_response(status, body, self._headers())

    def _route(self, call: Call) -> Answer:
        asks_for_token = call.route == ("POST", "v1", "auth", "access_token")
        if not asks_for_token:
            self._spend()
        if len(call.request.body) > LARGEST_BODY:
            raise PortRefusal(413, "Request body is too large")
        if asks_for_token:
            return self._give_token(call)
        if call.request.fault is not None and call.request.fault.kind == "expired":
            self.expire_token()
        self._admit(call.request)
        if call.route == ("GET", "v1", "organization"):
            return 200, {"ok": True, "organization": ORGANISATION}
        if call.route[1:3] == ("v1", "integration") or call.route[1:2] == ("ingest",):
            return self.integrations.answer(call.request)
        for answer_of in TOPICS:
            if answer := answer_of(call):
                return answer
        raise PortRefusal(404, f"Route {call.request.method}:{call.request.path} not found")

    def _spend(self) -> None:
        """Count a request. Not those for a token: they have a limit of their own."""
        limit = self.rate_limit
        if limit is not None and not self._window.take(limit, time.monotonic()):
            raise PortRefusal(429, "Too many requests")

    def _give_token(self, call: Call) -> Answer:
        body = call.fields(frozenset(("clientId", "clientSecret")))
        if (body["clientId"], body["clientSecret"]) != (self.client_id, self.client_secret):
            raise PortRefusal(401, "Invalid credentials")
        now = self.now()
        if self._token is None or self._token[1] <= now:
            until = now + timedelta(seconds=self.token_seconds)
            self._token = (f"sandbox-token-{next(self._token_numbers):04d}", until)
        token, until = self._token
        if call.request.fault is not None and call.request.fault.kind == "expired":
            self.expire_token()
        left = math.floor((until - now).total_seconds())
        return 200, {"ok": True, "accessToken": token, "expiresIn": left, "tokenType": "Bearer"}

    def _admit(self, request: Request) -> None:
        live = self._token is not None and self._token[1] > self.now()
        given = request.headers.get("authorization")
        if not live or self._token is None or given != f"Bearer {self._token[0]}":
            raise PortRefusal(401, "Invalid token" if given else "No authorization header")

    def _headers(self) -> dict[str, str]:
        trace = {"X-Trace-Id": f"sandbox-trace-{next(self._trace_numbers):06d}"}
        return trace | self._rate_headers(self.rate_limit, time.monotonic())

    def _rate_headers(self, limit: RateLimit | None, now: float) -> dict[str, str]:
        if limit is None:
            limit, lifted = NO_LIMIT, NO_LIMIT.seconds
            left = limit.requests - len(self.requests) % limit.requests
        else:
            left, lifted = self._window.left(limit, now), self._window.resets_in(limit, now)
        return {
            "x-ratelimit-limit": str(limit.requests),
            "x-ratelimit-period": f"{limit.seconds:g}",
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": self._reset(lifted),
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
        if reset is None and self.rate_limit is None:
            del headers["x-ratelimit-reset"]
        elif reset is not None:
            headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": self._reset(reset)}
        refused = PortRefusal(status, message or HTTPStatus(status).phrase, name)
        envelope = {"ok": False, "error": refused.error, "message": refused.message}
        return json_response(status, envelope, headers)
