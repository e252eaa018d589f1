"""A backfill of a million Claude Code records: `lading extract` over a thousand days of a thousand
records each, from a server that has them ready."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.bench.corpus import make_corpus
from tests.bench.processes import Finished, run

from lading.sandbox.faults import Faults
from lading.sandbox.server import Request, Response, StandIn, json_response
from lading.starter import lay_out
from lading.warehouse.database import Database

DAYS = 1000
FIRST_DAY = date(2023, 4, 1)
END = FIRST_DAY + timedelta(days=DAYS)
# Long after the last day, so that none of them is open.
NOW = datetime(END.year + 1, 1, 1, 15, 30, tzinfo=UTC)
PARTS = 10

PROGRESS = """
SELECT epoch(max(ended_at)) - epoch(min(started_at)) AS seconds FROM (
    SELECT *, (row_number() OVER (ORDER BY ended_at) - 1) * $parts // $days AS part
    FROM lading.requests
) GROUP BY part ORDER BY part
"""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What it took; `parts` are the seconds of each tenth of the records, in the order in which
    they came."""

    records: int
    child: Finished
    parts: tuple[float, ...]


def measure() -> Backfill:
    """The tool in a process of its own, the server in this one.

    Raises:
        RuntimeError: it failed, or not all records are there.
    """
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as name:
        folder = Path(name)
        corpus = make_corpus(folder)
        pages = [(day, page.read_bytes()) for day, page in corpus.days()]
        root = folder / "project"
        lay_out(root)
        with StandIn("Anthropic", lambda asked: _answer(pages, asked), Faults()) as server:
            child = run(_command(root), environment=_environment(server), watched=True)
        database = Database(root / "claude.duckdb")
        with database.reading() as connection:
            rows = connection.execute("SELECT count(*) FROM raw.claude_code").fetchall()
            given = {"parts": PARTS, "days": DAYS}
            parts = connection.execute(PROGRESS, given).fetchall()
    records = DAYS * corpus.records // len(pages)
    if rows[0][0] != records:
        raise RuntimeError(f"{rows[0][0]:,} of {records:,} records landed")
    return Backfill(records, child, tuple(float(part) for (part,) in parts))


def _answer(pages: list[tuple[date, bytes]], asked: Request) -> Response:
    wanted = dict(asked.query)["starting_at"]
    day, body = pages[(date.fromisoformat(wanted) - FIRST_DAY).days % len(pages)]
    return json_response(200, body.replace(f'"date":"{day}'.encode(), f'"date":"{wanted}'.encode()))


def _command(root: Path) -> list[str]:
    scope = ["--start", f"{FIRST_DAY}", "--end", f"{END}", "--select", "claude_code"]
    return [sys.executable, "-m", "lading", "extract", "-C", str(root), *scope]


def _environment(server: StandIn) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "ANTHROPIC_BASE_URL": server.base_url,
        "ANTHROPIC_ADMIN_API_KEY": "bench",
        "LADING_NOW": NOW.isoformat(),
    }
