"""The project's own models on a database of a test's own, filled with reports by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import duckdb
import pytest
from tests.engine.building import build

from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project
from lading.starter import files
from lading.transform.graph import Graph, load_graph
from lading.transform.resources import resource_sql, rows
from lading.warehouse.tables import prepare

NOW = datetime(2026, 11, 22, 14, 49, 5, tzinfo=UTC)
LISTS = ("workspaces", "api_keys", "users", "organization")
STREAMS = ("usage_messages", "cost_report", "claude_code", *LISTS)
USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
CODE = "/v1/organizations/usage_report/claude_code"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Landing:
    """Reports land, models are made of them, and what they hold is read back.

    Payloads are given as Python values or as JSON text. Numbers with a fraction come back as
    Decimal.
    """

    project: Project
    graph: Graph
    connection: duckdb.DuckDBPyConnection
    ordinals: Iterator[int]
    now: datetime = NOW

    def usage(
        self,
        buckets: Iterable[Json | str],
        *group_by: str,
        width: str = "1d",
        at: datetime = NOW,
        connection: str = "anthropic",
        run: str = "run",
    ) -> None:
        """Buckets of a usage report, as an extract grouped like this got them."""
        request = {"path": USAGE, "bucket_width": width, "group_by": sorted(group_by)}
        self._land("usage_messages", request, buckets, at, connection, run)

    def cost(
        self,
        buckets: Iterable[Json | str],
        *group_by: str,
        at: datetime = NOW,
        connection: str = "anthropic",
        run: str = "run",
    ) -> None:
        """Buckets of a cost report."""
        request = {"path": COST, "bucket_width": "1d", "group_by": sorted(group_by)}
        self._land("cost_report", request, buckets, at, connection, run)

    def code(self, records: Iterable[Json | str], connection: str = "anthropic") -> None:
        """Records of the Claude Code report, of any days."""
        self._land("claude_code", {"path": CODE}, records, NOW, connection)

    def members(self, stream: str, *members: Json, connection: str = "anthropic") -> None:
        """A list as it is now."""
        rows = [(json.dumps(each), number) for number, each in enumerate(members)]
        now = self.now.replace(tzinfo=None)
        self.connection.executemany(
            f"INSERT INTO raw.{stream} (payload, ordinal, connection, request, starting_at, "
            "ending_at, extracted_at, run_id) VALUES ($1, $2, $3, '{}', $4, $4, $4, 'run')",
            [[*row, connection, now] for row in rows],
        )

    def vanish(self, stream: str, member: Json, seen: datetime, missed: datetime) -> None:
        """What a list no longer has."""
        self.connection.execute(
            "INSERT INTO lading.vanished VALUES ('anthropic', $1, $2, $3, $4, $5, 'run')",
            [stream, member["id"], json.dumps(member), seen, missed],
        )

    def _land(
        self,
        stream: str,
        request: Json,
        payloads: Iterable[Json | str],
        at: datetime,
        by: str,
        run: str = "run",
    ) -> None:
        landed = [(_text(each), *_period(each), next(self.ordinals)) for each in payloads]
        self.connection.execute(
            f"INSERT INTO raw.{stream} (payload, starting_at, ending_at, ordinal, "
            "connection, request, extracted_at, run_id) "
            "SELECT unnest($1), unnest($2), unnest($3), unnest($4), $5, $6, $7, $8",
            [
                *([row[n] for row in landed] for n in range(4)),
                *(by, json.dumps(request), at.astimezone(UTC).replace(tzinfo=None), run),
            ],
        )

    def build(self, *models: str) -> None:
        """Make these models, or those of which all has landed; every one has to succeed.

        Models of several reports are made by name alone, with what they read.
        """
        landed = {
            each for each in STREAMS if self.connection.table(f"raw.{each}").limit(1).fetchall()
        }
        # Models of lists read several of them.
        landed |= set(LISTS) if landed & set(LISTS) else set()
        wanted = set(models) or {
            name
            for name, model in self.graph.models.items()
            if not model.is_resource and set() < self.graph.streams(name) <= landed
        }
        assert self.failures(*self._with_what_they_read(wanted)) == {}

    def _with_what_they_read(self, models: set[str]) -> set[str]:
        read = {name for each in models for name in self.graph.models[each].depends_on}
        return models if read <= models else self._with_what_they_read(models | read)

    def failures(self, *models: str) -> dict[str, str]:
        """Make these models, in the graph's order; those that failed, with their messages."""
        results = build(self.graph, self.connection, models, force=True)
        return {
            each.node.removeprefix("model."): each.message
            for each in results
            if each.status == "error"
        }

    def table(self, relation: str) -> list[Json]:
        """The rows of a model, in an order of their own."""
        cursor = self.connection.execute(f"SELECT * FROM {relation} ORDER BY ALL")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def texts(self, kind: str, **selector: Any) -> list[str]:
        """A resource model's rows as the JSON that mappings get."""
        sql = resource_sql(self.graph, self.project, kind, selector, self.now)
        return [text for batch in rows(self.connection, sql) for text in batch]

    def rows(self, kind: str, **selector: Any) -> list[Json]:
        """A resource model's rows."""
        return [json.loads(text, parse_float=Decimal) for text in self.texts(kind, **selector)]


def _text(payload: Json | str) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload)


def _period(payload: Json | str) -> tuple[datetime, datetime]:
    """From when until when (UTC, without a zone): a bucket's own period, or a record's day."""
    said = json.loads(payload) if isinstance(payload, str) else payload
    if "starting_at" in said:
        start, end = (
            datetime.fromisoformat(said[f"{key}_at"][:19]) for key in ("starting", "ending")
        )
        return start, end
    day = datetime.fromisoformat(str(said["date"])[:10])
    return day, day + timedelta(days=1)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as a user gets it, without its mappings."""
    root = tmp_path_factory.mktemp("models")
    for name, file in files():
        if name.parts[0] != "mappings":
            copy = root / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    read, problems = load_project(root, environment=Environment({}))
    assert problems == ()
    assert read is not None
    return read


@pytest.fixture(scope="session")
def graph(project: Project) -> Graph:
    """The graph of the project's models."""
    graph, problems = load_graph(project, NOW)
    assert problems == ()
    return graph


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database file with empty raw tables."""
    file = tmp_path_factory.mktemp("database") / "claude.duckdb"
    with duckdb.connect(file, config={"threads": 2}) as connection:
        prepare(connection, STREAMS)
        yield connection


@pytest.fixture
def landing(
    project: Project, graph: Graph, database: duckdb.DuckDBPyConnection
) -> Iterator[Landing]:
    """The database as long as a test lasts, and then emptied."""
    yield Landing(project, graph, database, count())
    database.execute("DROP SCHEMA IF EXISTS staging CASCADE; DROP SCHEMA IF EXISTS marts CASCADE")
    for table in ("lading.vanished", *(f"raw.{stream}" for stream in STREAMS)):
        database.execute(f"DELETE FROM {table}")
