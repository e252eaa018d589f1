"""The two ways to land the records, each to be run in a process of its own.

    python -m tests.bench.landing_ways WAY CORPUS FOLDER

prints a JSON object: `seconds` from after the imports until the database is closed, less those in
which prepared bodies were read; `cpu` seconds likewise, `peak` bytes of RSS (0 without /proc),
`size` of the database in bytes, `rows` that it holds.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb  # noqa: F401 - neither is to be imported within the time that is measured
import msgspec  # noqa: F401
from tests.bench.corpus import Corpus, open_corpus
from tests.bench.processes import REPOSITORY, memory

from lading.extract.fetch import Fetcher, PageSizes
from lading.extract.landing import ARRIVALS_AT_ONCE, BYTES_AT_ONCE, land
from lading.extract.owners import Owners
from lading.extract.plan import Extract, Period, Request
from lading.extract.spool import Arrival, Spool
from lading.extract.streams import read_streams
from lading.http import Reply
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.warehouse.database import Database
from lading.warehouse.runs import new_run
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from lading.extract.streams import Stream
    from lading.http import Session
    from lading.project.model import Connection

BY_DUCKDB = """
CREATE TABLE records AS
SELECT json AS payload FROM read_json_objects(?, format = 'newline_delimited')
"""


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds by the wall and of the processor."""

    wall: float
    cpu: float

    @staticmethod
    def now() -> Clock:
        return Clock(time.perf_counter(), time.process_time())

    def __add__(self, other: Clock) -> Clock:
        return Clock(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Clock) -> Clock:
        return Clock(self.wall - other.wall, self.cpu - other.cpu)


class Received:
    """Stands where a session does: the page that was asked for is there already.

    `reading` is the time that it took to read the bodies, which no session has to do.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._pages = {f"{day}": page for day, page in corpus.days()}
        self.reading = Clock(0, 0)

    def send(self, method: str, path: str, **asked: Any) -> Any:
        began = Clock.now()
        body = self._pages[dict(asked["params"])["starting_at"]].read_bytes()
        self.reading += Clock.now() - began
        return asked["parse"](Reply(200, {}, body))


def by_duckdb(corpus: Corpus, database: Database) -> Clock:
    """One statement of DuckDB's own, from one file of the records."""
    began = Clock.now()
    with database.writing() as connection:
        connection.execute(BY_DUCKDB, [str(corpus.file)])
    return Clock.now() - began


def by_lading(corpus: Corpus, database: Database) -> Clock:
    """From each page's bytes on: checked, cut, spooled, landed in batches with their books."""
    (stream, anthropic), received = _stream(), Received(corpus)
    began = Clock.now()
    run = new_run("bench", datetime.now(UTC))
    with database.writing() as connection:
        prepare(connection, [stream.name])
    spool = Spool(database.spool, run.id)
    fetcher = Fetcher(anthropic, cast("Session", received), spool, run, PageSizes(), Owners({}))
    waiting: list[Arrival] = []
    for number, (day, _) in enumerate(corpus.days()):
        waiting.append(fetcher.fetch(_request(stream, day), number))
        size = sum(each.size for each in waiting)
        if len(waiting) >= ARRIVALS_AT_ONCE or size >= BYTES_AT_ONCE:
            _land(database, spool, waiting)
    _land(database, spool, waiting)
    spool.close()
    return Clock.now() - began - received.reading


def _land(database: Database, spool: Spool, waiting: list[Arrival]) -> None:
    if waiting:
        with database.writing() as connection:
            land(connection, waiting)
        spool.landed(waiting)
        waiting.clear()


def _request(stream: Stream, day: date) -> Request:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    extract = Extract(stream, "1d", (), start, ())
    return Request(extract, Period(start, start + timedelta(days=1)), "new")


def _stream() -> tuple[Stream, Connection]:
    project, _ = load_project(REPOSITORY, environment=Environment({}))
    assert project is not None
    stream = next(each for each in read_streams(project) if each.name == "claude_code")
    return stream, project.connections[stream.connection]


WAYS = {"duckdb": (by_duckdb, "records"), "lading": (by_lading, "raw.claude_code")}


def main(way: str, corpus: str, folder: str) -> None:
    database = Database(Path(folder) / "bench.duckdb")
    land_by, table = WAYS[way]
    took = land_by(open_corpus(Path(corpus)), database)
    figures: dict[str, float] = {"seconds": took.wall, "cpu": took.cpu}
    figures["peak"] = memory("self", "VmHWM")
    figures["size"] = database.path.stat().st_size
    with database.reading() as connection:
        figures["rows"] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
