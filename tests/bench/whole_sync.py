"""A whole `lading sync` of a large organisation, against the stand-ins, and another one."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.bench.processes import Finished, run

from lading.sandbox.anthropic import AnthropicStandIn
from lading.sandbox.organisation import Organisation
from lading.sandbox.port import PortStandIn
from lading.starter import lay_out

FIRST_DAY = date(2026, 1, 1)
DAYS = 326
WORKSPACES, MODELS, DEVELOPERS = 20, 6, 200
# The clock of the tool and of both stand-ins: in the afternoon of the last day.
NOW = datetime(2026, 1, 1, 15, 30, tzinfo=UTC) + timedelta(days=DAYS - 1)


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync: the child process, what the stand-ins were asked and what they took.

    pages    requests to Anthropic
    posts    requests to Port, those for tokens and blueprints included
    sent     entities in them
    beside   CPU seconds that the stand-ins took meanwhile, in this process
    """

    child: Finished
    pages: int
    posts: int
    sent: int
    beside: float


@dataclass(frozen=True, slots=True)
class WholeSync:
    """A sync into an empty database, and one with nothing new.

    held      entities that Port holds at the end
    database  bytes of the file
    """

    first: Sync
    second: Sync
    held: int
    database: int


def measure() -> WholeSync:
    """Stand-ins in this process, the tool in another; all clocks stand still.

    Raises:
        RuntimeError: a sync failed.
    """
    organisation = Organisation(
        first_day=FIRST_DAY, workspaces=WORKSPACES, models=MODELS, developers=DEVELOPERS
    )
    with (
        tempfile.TemporaryDirectory(prefix="lading-bench-") as folder,
        AnthropicStandIn(organisation, now=lambda: NOW) as anthropic,
        PortStandIn(now=lambda: NOW) as port,
    ):
        root = Path(folder)
        lay_out(root)
        first = _sync(root, anthropic, port)
        second = _sync(root, anthropic, port)
        size = (root / "claude.duckdb").stat().st_size
        return WholeSync(first, second, len(port.entities), size)


def _sync(root: Path, anthropic: AnthropicStandIn, port: PortStandIn) -> Sync:
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "ANTHROPIC_BASE_URL": anthropic.base_url,
        "ANTHROPIC_ADMIN_API_KEY": anthropic.api_key,
        "PORT_BASE_URL": port.base_url,
        "PORT_CLIENT_ID": port.client_id,
        "PORT_CLIENT_SECRET": port.client_secret,
        "LADING_NOW": NOW.isoformat(),
    }
    command = [sys.executable, "-m", "lading", "sync", "-C", str(root)]
    anthropic.requests.clear()
    port.requests.clear()
    began = time.process_time()
    child = run(command, environment=variables, watched=True)
    beside = time.process_time() - began
    return Sync(child, len(anthropic.requests), len(port.requests), _sent(port), beside)


def _sent(port: PortStandIn) -> int:
    bodies = (each.body for each in port.requests if each.path.endswith("/entities/bulk"))
    return sum(len(json.loads(body)["entities"]) for body in bodies)
