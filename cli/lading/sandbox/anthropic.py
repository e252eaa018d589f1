"""A stand-in for the reports and lists of the Admin API, as strict as the API is known to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from itertools import count
from types import TracebackType
from typing import Any, Self

from lading.sandbox.corrections import Correction, backwards
from lading.sandbox.faults import Faults
from lading.sandbox.lookups import Listed, list_api_keys, list_users, list_workspaces
from lading.sandbox.members import Members
from lading.sandbox.organisation import Organisation
from lading.sandbox.queries import (
    SPEED_BETA,
    BadQuery,
    BucketQuery,
    Pairs,
    as_rfc3339,
    read_code_query,
    read_cost_query,
    read_usage_query,
    read_values,
)
from lading.sandbox.reports import Page, code_page, cost_page, usage_page
from lading.sandbox.server import Request, Response, StandIn, json_response

API_KEY = "sandbox-admin-key"
WORKSPACE_KEY = "sandbox-workspace-key"  # a key of the wrong kind: 403 everywhere
VERSIONS = ("2023-06-01", "2026-10-21")
CODE_LAG = timedelta(hours=1)
LISTS: dict[str, Callable[[Members, Pairs, str, set[str]], Listed]] = {
    "/v1/organizations/workspaces": list_workspaces,
    "/v1/organizations/api_keys": list_api_keys,
    "/v1/organizations/users": list_users,
}
TOO_DENSE = "Response too large: reduce limit or group by fewer dimensions"

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {
    401: "invalid x-api-key",
    403: "This key may not read the reports of the organization",
    429: "This request would exceed the rate limit of your organization",
    529: "Overloaded",
}


def utc_now() -> datetime:
    """The real clock, aware."""
    return datetime.now(UTC)


class _Refused(Exception):
    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class AnthropicStandIn:
    """`GET /v1/organizations/{me,usage_report/messages,cost_report,usage_report/claude_code}`, and
    `/{workspaces,api_keys,users}` in the shape of the version that the request names.

    api_key             the admin key that it takes; `WORKSPACE_KEY` is refused with a 403
    now                 the clock (aware, UTC); may be set to another one at any time
    max_bucket_results  if set, a page of more than one bucket that would hold more result rows is
                        refused with a 400
    backwards           the rows of a bucket, the records of a page and the keys of all objects
                        come in reverse order: other bytes, the same values
    gone                ids of workspaces, keys and people that the lists no longer have
    faults              of its own kinds: `dense` (that 400 for every `limit` above the fault's),
                        `repeated_cursor` (`next_page` or `last_id` leads to the same page again),
                        `undercount` (in a grouped answer each `every`-th bucket, counted from
                        1970 on, lacks its last result), `left_out` (buckets that are not in the
                        answer: those whose `starting_at` begins with the fault's `bucket`)
    """

    def __init__(
        self,
        organisation: Organisation,
        api_key: str = API_KEY,
        now: Callable[[], datetime] = utc_now,
        max_bucket_results: int | None = None,
        port: int = 0,
    ) -> None:
        self.organisation = organisation
        self.api_key = api_key
        self.now = now
        self.max_bucket_results = max_bucket_results
        self.backwards = False
        self.gone: set[str] = set()
        self.faults = Faults(own_kinds=("dense", "repeated_cursor", "undercount", "left_out"))
        self._request_numbers = count(1)
        self._server = StandIn("Anthropic", self._handle, self.faults, port, self._error)
        self.base_url = self._server.base_url
        self.requests = self._server.requests
        self.failures = self._server.failures

    def restate(self, day: date, *, more: int = 0, late: int = 0, withdrawn: int = 0) -> None:
        """From now on tell otherwise of a day: of what was used then, of what it cost, and of
        Claude Code. The figures are those of a `Correction`; an earlier one is given up."""
        self.organisation = self.organisation.corrected(day, Correction(more, late, withdrawn))

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

    def _handle(self, request: Request) -> Response:
        try:
            self._admit(request)
            return json_response(200, self._answer(request), self._headers())
        except _Refused as refused:
            return self._error(refused.status, message=refused.message)
        except BadQuery as problem:
            return self._error(400, message=str(problem))

    def _admit(self, request: Request) -> None:
        key = request.headers.get("x-api-key")
        if key is None:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            key = token if scheme.lower() == "bearer" else None
        if key is None:
            raise _Refused(401, "x-api-key header is required")
        if key != self.api_key:
            raise _Refused(403 if key == WORKSPACE_KEY else 401)
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            problem = "header is required" if version is None else f"{version!r} is not a version"
            raise _Refused(400, f"anthropic-version: {problem}")

    def _answer(self, request: Request) -> dict[str, Any]:
        routes = {
            "/v1/organizations/me": self._me,
            "/v1/organizations/usage_report/messages": self._usage,
            "/v1/organizations/cost_report": self._cost,
            "/v1/organizations/usage_report/claude_code": self._claude_code,
            **dict.fromkeys(LISTS, self._list),
        }
        if request.path not in routes:
            raise _Refused(404)
        if request.method != "GET":
            raise _Refused(405)
        return routes[request.path](request)

    def _me(self, request: Request) -> dict[str, Any]:
        read_values({}, request.query)
        organisation = self.organisation
        return {"id": organisation.id, "type": "organization", "name": organisation.name}

    def _list(self, request: Request) -> dict[str, Any]:
        version = request.headers["anthropic-version"]
        page = LISTS[request.path](self.organisation.members, request.query, version, self.gone)
        envelope = page.envelope()
        asked = dict(request.query).get("after_id")
        if asked and request.fault is not None and request.fault.kind == "repeated_cursor":
            return {**envelope, "has_more": True, "last_id": asked}
        return envelope

    def _usage(self, request: Request) -> dict[str, Any]:
        now, betas = self.now(), request.headers.get("anthropic-beta", "")
        with_speed = SPEED_BETA in (beta.strip() for beta in betas.split(","))
        query = read_usage_query(request.query, now, with_speed)
        page = usage_page(self.organisation, query, now, with_speed)
        return self._buckets(request, page, query)

    def _cost(self, request: Request) -> dict[str, Any]:
        now = self.now()
        query = read_cost_query(request.query, now)
        return self._buckets(request, cost_page(self.organisation, query, now), query)

    def _claude_code(self, request: Request) -> dict[str, Any]:
        query = read_code_query(request.query, self.now() - CODE_LAG)
        page = code_page(self.organisation, query)
        return _envelope(request, self._ordered(page, page.data[::-1]), query.limit)

    def _buckets(self, request: Request, page: Page, query: BucketQuery) -> dict[str, Any]:
        fault, most = request.fault, self.max_bucket_results
        if most is not None and page.rows > most and query.limit > 1:
            raise BadQuery(TOO_DENSE)
        if fault is not None and fault.kind == "undercount" and query.group_by:
            _lose_results(page, query.width.span, fault.every)
        if fault is not None and fault.kind == "left_out":
            page.data[:] = [
                each for each in page.data if not each["starting_at"].startswith(fault.bucket)
            ]
        return _envelope(request, self._ordered(page, page.data), query.limit)

    def _ordered(self, page: Page, turned: list[dict[str, Any]]) -> Page:
        """The page as it is to be written; `turned` are its data in the other order."""
        if not self.backwards:
            return page
        return replace(page, data=[backwards(each) for each in turned])

    def _headers(self) -> dict[str, str]:
        return {
            "request-id": f"req_sandbox{next(self._request_numbers):06d}",
            "anthropic-organization-id": self.organisation.id,
        }

    def _error(
        self, status: int, reset: float | None = None, message: str | None = None
    ) -> Response:
        headers = self._headers()
        if reset is not None:  # told by the client's clock, which `now` need not be
            moment = utc_now() + timedelta(seconds=reset)
            headers["anthropic-ratelimit-requests-reset"] = as_rfc3339(moment)
        error = {
            "type": _ERROR_TYPES.get(
                status, "invalid_request_error" if status < 500 else "api_error"
            ),
            "message": message or _MESSAGES.get(status) or HTTPStatus(status).phrase,
        }
        envelope = {"type": "error", "error": error, "request_id": headers["request-id"]}
        return json_response(status, envelope, headers)


def _lose_results(page: Page, span: timedelta, every: int) -> None:
    for bucket in page.data:
        number = datetime.fromisoformat(bucket["starting_at"]).timestamp() // span.total_seconds()
        if number % every == 0:
            del bucket["results"][-1:]


def _envelope(request: Request, page: Page, limit: int) -> dict[str, Any]:
    following, fault = page.next, request.fault
    if fault is not None and fault.kind == "dense" and limit > fault.limit:
        raise BadQuery(TOO_DENSE)
    if fault is not None and fault.kind == "repeated_cursor":
        following = page.this
    return {"data": page.data, "has_more": following is not None, "next_page": following}
