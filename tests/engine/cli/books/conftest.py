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

HEADERS = ("x-api-key", "anthropic-version", "anthropic-beta")

# Changes an answer's data: the path, its buckets, records or members.
Edit = Callable[[str, list[dict[str, Any]]], None]
Alter = Callable[[Edit], None]


def begin_in_february(desk: Desk) -> Desk:
    """Have the mappings ask for the first days of February alone."""
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    return desk


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A project that asks for all three reports, of the five days up to the present."""
    return begin_in_february(desk)


@pytest.fixture
def altered(desk: Desk) -> Iterator[Alter]:
    """Puts a server before Anthropic's stand-in that changes what it answers."""
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
    if answer.status_code == 200:
        edit(request.path, page.get("data", []))
    return json_response(answer.status_code, page)
