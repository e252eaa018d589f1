"""A small project, and reports that are changed on their way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

REPORTS = ("/v1/organizations/usage_report/messages", "/v1/organizations/cost_report")
HEADERS = ("x-api-key", "anthropic-version", "anthropic-beta")

# Changes the buckets of an answer: the report's path, whether it is grouped, its buckets.
Edit = Callable[[str, bool, list[dict[str, Any]]], None]
Alter = Callable[[Edit], None]
Mismatches = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def late(desk: Desk) -> Desk:
    """A project that asks for usage and cost of the first days of February alone."""
    path = desk.root / "mappings/claude.yml"
    text = path.read_text("utf-8").replace("2026-01-01", "2026-02-01")
    path.write_text(text.partition("  - kind: claude-code-analytics")[0], "utf-8")
    return desk


@pytest.fixture
def mismatches(desk: Desk) -> Mismatches:
    """The days, fields and figures that are on record as not agreeing."""
    rows = "starting_at::DATE::VARCHAR, field, grouped, ungrouped FROM lading.control_totals"
    return lambda: desk.query(f"SELECT {rows} ORDER BY ALL")


@pytest.fixture
def altered(desk: Desk) -> Iterator[Alter]:
    """Puts a server before Anthropic's stand-in that changes the buckets of its answers."""
    with ExitStack() as running:
        behind = httpx.Client(base_url=desk.anthropic.base_url, trust_env=False, timeout=60)
        client = running.enter_context(behind)

        def alter(edit: Edit) -> None:
            relay = StandIn("relay", lambda request: _changed(client, request, edit), Faults())
            desk.anthropic.base_url = running.enter_context(relay).base_url

        yield alter


def _changed(client: httpx.Client, request: Request, edit: Edit) -> Response:
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    answer = client.get(f"{request.path}?{urlencode(request.query)}", headers=headers)
    page = answer.json()
    if answer.status_code == 200 and request.path in REPORTS:
        is_grouped = any(name == "group_by[]" for name, _ in request.query)
        edit(request.path, is_grouped, page["data"])
    return json_response(answer.status_code, page)
