"""A project with nothing but sources, a stand-in to extract from, and a real database file."""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings

from lading import log
from lading.errors import Place
from lading.extract.landing import closed_periods
from lading.extract.plan import Asking, Plan, Scope, plan
from lading.extract.run import Extraction, extract, recover
from lading.extract.streams import Stream, read_streams
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Connection
from lading.sandbox.anthropic import API_KEY, AnthropicStandIn
from lading.sandbox.organisation import Organisation, UsageEvent
from lading.sandbox.server import Request
from lading.warehouse.database import Database
from lading.warehouse.runs import Run, begin, end, new_run, only_run
from lading.warehouse.tables import prepare

REPOSITORY = Path(__file__).parents[3]
NOW = datetime(2026, 3, 20, 15, 30, 20, tzinfo=UTC)
FIRST_DAY = date(2026, 2, 1)
CODE_FROM = date(2026, 2, 20)
ORGANISATION = Organisation(first_day=FIRST_DAY, workspaces=3, models=3, developers=8)

PROJECT = """\
name: claude_usage
targets:
  dev: {database: claude.duckdb}
connections:
  anthropic:
    base_url: "{{ env_var('BASE_URL') }}"
    api_key: "{{ env_var('API_KEY') }}"
    concurrency: 4
    retry: {tries: 3, seconds: 30, first_wait: 0.005, longest_wait: 0.02}
"""


def day(text: str) -> datetime:
    """A day's first moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(stream: str, start: datetime, *dimensions: str, width: str = "1d") -> Asking:
    """An asking of a mapping that does not exist."""
    name = f"{stream} {width} {' '.join(dimensions)}"
    return Asking(
        stream, width, frozenset(dimensions), start, name, Place("mappings/claude.yml", 1)
    )


HANGS_AFTER_SECONDS = 120
# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _hangs_are_failures() -> Iterator[None]:
    """What never ends is ended, with the place where it was."""
    faulthandler.dump_traceback_later(HANGS_AFTER_SECONDS, exit=True, file=2)
    yield
    faulthandler.cancel_dump_traceback_later()


# Where a row of the usage report has what the organisation's events call by the last name.
COUNTERS = (
    "uncached_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "server_tool_use.web_search_requests",
)
Sums = dict[tuple[Any, ...], tuple[Any, ...]]
Amounts = dict[tuple[Any, ...], Decimal]
Records = dict[date, list[dict[str, Any]]]


# One of each report, finely grouped and not at all.
ASKINGS = (
    ask("usage_messages", day("2026-02-01"), "workspace_id", "model"),
    ask("cost_report", day("2026-02-01"), "workspace_id", "description"),
    ask("claude_code", datetime(CODE_FROM.year, CODE_FROM.month, CODE_FROM.day, tzinfo=UTC)),
)


@dataclass(frozen=True)
class Done:
    """What one run did."""

    run: Run
    plan: Plan
    extraction: Extraction

    @property
    def failed(self) -> frozenset[str]:
        return self.extraction.failed_streams


@dataclass
class Bench:
    """A project to extract with, as often as a test wants."""

    root: Path
    base_url: str
    key: str = API_KEY
    now: datetime = NOW
    lines: list[str] = field(default_factory=list)

    def write(self, sources: str | None = None, project: str = PROJECT) -> None:
        """Lay the project's files out; `sources` instead of those that are shipped."""
        shipped = (REPOSITORY / "sources" / "claude.yml").read_text("utf-8")
        (self.root / "sources").mkdir(parents=True, exist_ok=True)
        (self.root / "sources" / "claude.yml").write_text(sources or shipped, "utf-8")
        (self.root / "project.yml").write_text(project, "utf-8")

    def edit(self, file: str, *changes: tuple[str, str]) -> None:
        path = self.root / file
        text = path.read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, "utf-8")

    @property
    def database(self) -> Database:
        return Database(self.root / "claude.duckdb", wait=30)

    def load(self) -> tuple[tuple[Stream, ...], dict[str, Connection]]:
        environment = Environment({"BASE_URL": self.base_url, "API_KEY": self.key})
        project, problems = load_project(self.root, environment=environment)
        assert project is not None, problems
        assert problems == ()
        return read_streams(project), dict(project.connections)

    def plan(self, askings: Iterable[Asking] = ASKINGS, refresh: bool = False) -> Plan:
        """What a run would ask for now; with `refresh` what is closed as well."""
        streams, _ = self.load()
        with self.database.reading() as connection:
            closed = closed_periods(connection)
        scope = Scope(control_totals=False, refresh=refresh)
        return plan(streams, askings, closed, self.now, scope)

    def extract(self, askings: Iterable[Asking] = ASKINGS, refresh: bool = False) -> Done:
        """One run from its begin to its end, as the commands do it."""
        streams, connections = self.load()
        database, run = self.database, new_run("extract", self.now)
        with only_run(database, run):
            with database.writing() as connection:
                prepare(connection, [stream.name for stream in streams])
                begin(connection, run)
            recover(database)
            planned = self.plan(askings, refresh)
            extraction = extract(planned, connections, database, run)
            with database.writing() as connection:
                end(connection, run, status="done", error=None)
        return Done(run, planned, extraction)

    def start(self) -> subprocess.Popen[bytes]:
        """`extract()` in a process of its own."""
        code = (
            "from tests.engine.extract.conftest import extract_here; import sys; "
            "extract_here(*sys.argv[1:])"
        )
        arguments = [str(self.root), self.base_url, self.key, self.now.isoformat()]
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def ask(stream: str, start: datetime, *dimensions: str, width: str = "1d") -> Asking:
        """An asking of a mapping that does not exist."""
        return ask(stream, start, *dimensions, width=width)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.database.path), read_only=True) as connection:
            return connection.execute(sql, parameters).fetchall()

    def landed_usage(self, *dimensions: str, request: str | None = None) -> Sums:
        """(bucket, dimensions…) -> counters, read with DuckDB's own JSON functions."""
        groups = "".join(f", r ->> '$.{name}'" for name in dimensions)
        counters = ", ".join(f"sum((r ->> '$.{path}')::BIGINT)::BIGINT" for path in COUNTERS)
        rows = self.query(
            f"""
            WITH results AS (
                SELECT starting_at, unnest((payload -> '$.results')::JSON[]) AS r
                FROM raw.usage_messages WHERE $1 IS NULL OR request::VARCHAR = $1
            )
            SELECT starting_at, {counters} {groups} FROM results GROUP BY ALL
            """,
            request,
        )
        width = 1 + len(COUNTERS)
        return {(row[0], *row[width:]): row[1:width] for row in rows}

    def landed_cost(self, *dimensions: str) -> Amounts:
        """(day, dimensions…) -> cents; the amounts are texts in the payload."""
        groups = "".join(f", r ->> '$.{name}'" for name in dimensions)
        rows = self.query(f"""
            SELECT starting_at, r ->> '$.amount' {groups}
            FROM (SELECT starting_at, unnest((payload -> '$.results')::JSON[]) AS r
                FROM raw.cost_report)
            """)
        sums: Amounts = defaultdict(Decimal)
        for starting_at, amount, *values in rows:
            sums[starting_at, *values] += Decimal(amount)
        return dict(sums)

    def landed_code(self) -> Records:
        """The records by day, in the order of `ordinal`; the days are those on record."""
        days = self.query("SELECT starting_at FROM lading.slices WHERE stream = 'claude_code'")
        found: Records = {starting_at.date(): [] for (starting_at,) in days}
        assert len(found) == len(days)
        for starting_at, ordinal, payload in self.query(
            "SELECT starting_at, ordinal, payload FROM raw.claude_code ORDER BY ALL"
        ):
            assert ordinal == len(found[starting_at.date()])
            found[starting_at.date()].append(json.loads(payload))
        return found

    def check_everything(self) -> None:
        """The reports of ASKINGS are in the database, once, as the organisation has them."""
        today, tomorrow = self.now.date(), self.now.date() + timedelta(days=1)
        usage = Reckoning.used(FIRST_DAY, tomorrow, "workspace_id", "model", until=self.now)
        assert self.landed_usage("workspace_id", "model") == usage
        cost = Reckoning.billed(FIRST_DAY, today, "workspace_id", "description")
        assert self.landed_cost("workspace_id", "description") == cost
        seen = self.now - timedelta(hours=1)
        assert self.landed_code() == Reckoning.recorded(CODE_FROM, tomorrow, until=seen)
        assert dict(self.query("SELECT stream, count(*) FROM lading.slices GROUP BY ALL")) == {
            "usage_messages": (tomorrow - FIRST_DAY).days,
            "cost_report": (today - FIRST_DAY).days,
            "claude_code": (tomorrow - CODE_FROM).days,
        }
        assert self.spooled() == []

    @staticmethod
    def asked(requests: Sequence[Request], report: str) -> list[dict[str, list[str]]]:
        """The queries that came for a report, as name -> values."""
        found = []
        for request in requests:
            if request.path.endswith(report):
                query: dict[str, list[str]] = defaultdict(list)
                for name, value in request.query:
                    query[name].append(value)
                found.append(dict(query))
        return found

    def spooled(self) -> list[str]:
        """The files that wait in the spool."""
        names: list[str] = []
        for _, _, files in os.walk(self.database.spool):  # a run may be clearing it meanwhile
            names.extend(files)
        return sorted(names)


class Reckoning:
    """What the reports must add up to, from the organisation's own events."""

    @staticmethod
    def used(
        first: date,
        end: date,
        *dimensions: str,
        until: datetime = NOW,
        width: timedelta = timedelta(days=1),
    ) -> Sums:
        """(bucket, dimensions…) -> counters."""
        sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(COUNTERS))
        for event in _events(first, end, until):
            minute = event.minute.replace(tzinfo=None)
            bucket = minute - (minute - minute.replace(hour=0, minute=0)) % width
            counts = sums[bucket, *(getattr(event, name) for name in dimensions)]
            for index, path in enumerate(COUNTERS):
                counts[index] += getattr(event, path.rpartition(".")[2])
        return {key: tuple(counts) for key, counts in sums.items()}

    @staticmethod
    def billed(first: date, end: date, *dimensions: str) -> Amounts:
        """(day, dimensions…) -> cents."""
        sums: Amounts = defaultdict(Decimal)
        for each in days_between(first, end):
            moment = datetime.combine(each, datetime.min.time())
            for line in ORGANISATION.cost_lines(each):
                sums[moment, *(getattr(line, name) for name in dimensions)] += line.amount
        return dict(sums)

    @staticmethod
    def recorded(first: date, end: date, *, until: datetime) -> Records:
        """Each day's Claude Code records, as they stood at `until`."""
        return {
            each: [*ORGANISATION.code_records(each, until)] for each in days_between(first, end)
        }


def days_between(first: date, end: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((end - first).days)]


def _events(first: date, end: date, until: datetime) -> Iterator[UsageEvent]:
    for each in days_between(first, end):
        yield from ORGANISATION.usage_events(each, until)


@pytest.fixture
def reckoning() -> Reckoning:
    return Reckoning()


def extract_here(root: str, base_url: str, key: str, now: str) -> None:
    """What `Bench.start` runs."""
    log.configure(format="text", level="error")
    Bench(Path(root), base_url, key, datetime.fromisoformat(now)).extract()


@pytest.fixture
def stand_in() -> Iterator[AnthropicStandIn]:
    """Anthropic's stand-in at a fixed moment."""
    with AnthropicStandIn(ORGANISATION, now=lambda: NOW) as server:
        yield server
    assert server.failures == []


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches for a base URL; what they log is kept."""
    before = (log.sink.format, log.sink.level, log.sink.write, log.sink.fields)
    log.configure(format="json", level="info")

    def make(base_url: str, **more: Any) -> Bench:
        bench = Bench(tmp_path / "project", base_url, **more)
        log.sink.write = bench.lines.append
        bench.write()
        return bench

    yield make
    log.sink.format, log.sink.level, log.sink.write, log.sink.fields = before


@pytest.fixture
def bench(make_bench: Callable[..., Bench], stand_in: AnthropicStandIn) -> Bench:
    """A bench for the stand-in."""
    return make_bench(stand_in.base_url)


@pytest.fixture
def now_is(stand_in: AnthropicStandIn, bench: Bench) -> Callable[[datetime], None]:
    """Moves the present, of the bench and of the stand-in."""

    def move(now: datetime) -> None:
        bench.now = now
        stand_in.now = lambda: now

    return move
