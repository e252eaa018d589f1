"""Carrying out the plan: several requests under way, landing as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lading import log
from lading.errors import (
    DatabaseBusyError,
    DatabaseError,
    ForbiddenError,
    NotFoundError,
    RetriableError,
    ServerError,
    UnauthorizedError,
)
from lading.extract.anthropic import open_session
from lading.extract.fetch import Effort, Fetcher, PageSizes
from lading.extract.landing import Gathering, land, put_failures_on_record
from lading.extract.owners import owners_of
from lading.extract.plan import answered_by
from lading.extract.restatements import tell_restated
from lading.extract.spool import Arrival, Spool, left_behind
from lading.secrets import redact
from lading.waiting import Interruptions
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from lading.extract.checks import Check
    from lading.extract.plan import Extract, Plan, Request
    from lading.extract.restatements import Restated
    from lading.extract.unknown import Unknown
    from lading.http import Session
    from lading.project.model import Connection
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

# After so many requests of one extract that came to nothing, the rest is not tried.
GIVE_UP_AFTER = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that came to nothing, or was not made since others before it had."""

    request: Request
    error: str
    hint: str | None
    tried: bool
    effort: Effort


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one extract in this run; `requests` counts ranges, not pages. `left_out`
    are the starts of the buckets that are over and were not in the answer."""

    extract: Extract
    requests: int
    landed: int
    records: int
    size: int
    failures: tuple[Failure, ...]
    left_out: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Extraction:
    """What became of the plan. `http_requests` counts every try of every page; `checks` say
    whether what landed agrees with the control totals, `restated` what was closed and came back
    different, `unknown` what of it no model knows. `left` counts the ranges that were not fetched
    since somebody stopped it."""

    outcomes: tuple[Outcome, ...]
    http_requests: int
    retries: int
    checks: tuple[Check, ...] = ()
    restated: tuple[Restated, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    left: int = 0

    @property
    def failed_streams(self) -> frozenset[str]:
        """Streams of which at least one request came to nothing."""
        return frozenset(each.extract.stream.name for each in self.outcomes if each.failures)

    @property
    def differing_streams(self) -> frozenset[str]:
        """Streams whose control totals differ."""
        return frozenset(each.stream for each in self.checks if each.differing)


@dataclass(slots=True)
class _Progress:
    """The books of one extract while its requests are under way."""

    extract: Extract
    requests: int = 0
    landed: int = 0
    records: int = 0
    size: int = 0
    exhausted: int = 0
    stopped: ServerError | None = None
    failures: list[Failure] = field(default_factory=list)
    left_out: list[datetime] = field(default_factory=list)


Report = Callable[["Request", int], None]
_Asked = tuple[int, "Request", Effort]


def recover(database: Database) -> int:
    """Land what runs that died had received in full; gives the number of records.

    To be called by the only run of a database, after its tables were prepared.

    Raises:
        DatabaseBusyError: another process held the database; everything stays in the spool.
    """
    import shutil

    landed = 0
    for folder, arrivals in left_behind(database.spool):
        for arrival in arrivals:
            try:
                with database.writing() as connection:
                    landed += land(connection, [arrival])
            except DatabaseBusyError:
                raise
            except DatabaseError as error:
                log.warning(
                    "spool",
                    f"{arrival.stream} from {arrival.starting_at}, left by a run that did not end, "
                    f"can't be read; fetching it again ({error.message})",
                )
        shutil.rmtree(folder, ignore_errors=True)
        for run_id in sorted({each.run_id for each in arrivals}):
            tell_restated(database, run_id)
    if landed:
        log.info("recovered", f"landed {landed} records that a run that did not end had received")
    return landed


def extract(
    plan: Plan,
    connections: Mapping[str, Connection],
    database: Database,
    run: Run,
    report: Report = lambda request, records: None,
    first_number: int = 1,
    on_stop: Callable[[Extraction], None] = lambda done: None,
) -> Extraction:
    """Carry out all requests of the plan; what fails is told, and the others go on.

    `report` is called for each request that has landed in the spool, with its records. The
    requests are numbered from `first_number` on, which has to be new in the run. `on_stop` gets
    what was done when a Ctrl-C ends it, once the pages under way are there.

    Raises:
        UserError: a key's variable is not set, or it is another organisation's key than the one
            that what has landed came by.
        DatabaseError: what arrived could not be landed; it stays in the spool.
    """
    books = {each.key: _Progress(each) for each in plan.extracts}
    names = {each.extract.stream.connection for each in plan.requests}
    sessions = {name: open_session(connections[name]) for name in sorted(names)}
    spool = Spool(database.spool, run.id)
    try:
        waiting = enumerate(plan.requests, start=first_number)
        with Interruptions() as interruptions:
            _carry_out(
                waiting, connections, sessions, spool, database, run, books, report, interruptions
            )
    except KeyboardInterrupt:
        on_stop(_extraction(books.values(), sessions.values(), len(plan.requests)))
        raise
    finally:
        for session in sessions.values():
            session.close()
        spool.close()
    return _extraction(books.values(), sessions.values(), len(plan.requests))


def _extraction(
    books: Iterable[_Progress], sessions: Iterable[Session], planned: int
) -> Extraction:
    outcomes = tuple(_outcome(each) for each in books)
    return Extraction(
        outcomes,
        sum(each.requests for each in sessions),
        sum(each.retries for each in sessions),
        left=planned - sum(each.requests for each in outcomes),
    )


def _outcome(progress: _Progress) -> Outcome:
    return Outcome(
        progress.extract,
        progress.requests,
        progress.landed,
        progress.records,
        progress.size,
        tuple(progress.failures),
        tuple(sorted(progress.left_out)),
    )


def _carry_out(
    waiting: Iterator[tuple[int, Request]],
    connections: Mapping[str, Connection],
    sessions: Mapping[str, Session],
    spool: Spool,
    database: Database,
    run: Run,
    books: Mapping[tuple[str, str, str], _Progress],
    report: Report,
    interruptions: Interruptions,
) -> None:
    sizes = PageSizes()
    with database.reading() as connection:
        owners = owners_of(connection)
    fetchers = {
        name: Fetcher(connections[name], session, spool, run, sizes, owners)
        for name, session in sessions.items()
    }
    most = max(1, sum(connections[name].concurrency for name in sessions))
    landing = Gathering(database, spool)
    under_way: dict[Future[Arrival], _Asked] = {}
    failed: list[tuple[int, Failure]] = []
    pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix="fetch")

    def take(request: Request, arrival: Arrival) -> None:
        _count(books[request.extract.key], arrival, run)
        landing.add(arrival)
        report(request, arrival.records)

    try:
        while _fill(waiting, under_way, most, pool, fetchers, books, failed) or under_way:
            for future in interruptions.first_of(under_way):
                number, request, effort = under_way.pop(future)
                progress = books[request.extract.key]
                try:
                    take(request, future.result())
                except ServerError as error:
                    failed.append((number, _note(progress, request, error, books, effort)))
    except KeyboardInterrupt:
        for session in sessions.values():
            session.give_up()
        try:
            _finish(under_way, interruptions, take)
        finally:
            for _, request, _ in under_way.values():
                books[request.extract.key].requests -= 1
        raise
    finally:
        for session in sessions.values() if under_way else ():
            session.break_off()
        pool.shutdown(wait=True, cancel_futures=True)
        landing.flush()
        if failed:
            with database.writing() as connection:
                put_failures_on_record(connection, _rows(run, failed))


def _finish(
    under_way: dict[Future[Arrival], _Asked],
    interruptions: Interruptions,
    take: Callable[[Request, Arrival], None],
) -> None:
    """Wait for the pages under way, and take the ranges that are whole with them."""
    log.warning("interrupted", "finishing the pages under way (again: not even those)")
    interruptions.all_of(under_way)
    for future in [each for each in under_way if each.exception() is None]:
        _, request, _ = under_way.pop(future)
        take(request, future.result())


def _fill(
    waiting: Iterator[tuple[int, Request]],
    under_way: dict[Future[Arrival], _Asked],
    most: int,
    pool: ThreadPoolExecutor,
    fetchers: Mapping[str, Fetcher],
    books: Mapping[tuple[str, str, str], _Progress],
    failed: list[tuple[int, Failure]],
) -> bool:
    """Have as many requests under way as may be; False when there is nothing left to start."""
    while len(under_way) < most:
        number, request = next(waiting, (0, None))
        if request is None:
            return False
        progress = books[request.extract.key]
        progress.requests += 1
        if progress.stopped is not None:
            why = redact(f"not asked: {progress.stopped.message}")
            failure = Failure(request, why, None, tried=False, effort=Effort())
            progress.failures.append(failure)
            failed.append((number, failure))
            continue
        fetcher = fetchers[request.extract.stream.connection]
        effort = Effort()
        asked = pool.submit(fetcher.fetch, request, number, effort)
        under_way[asked] = (number, request, effort)
    return True


def _count(progress: _Progress, arrival: Arrival, run: Run) -> None:
    progress.landed += 1
    progress.records += arrival.records
    progress.size += arrival.size
    progress.exhausted = 0
    if not arrival.left_out:
        return
    over = answered_by(progress.extract, run.started_at)
    starts = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in arrival.left_out)
    progress.left_out.extend(start for start in starts if start < over)


def _note(
    progress: _Progress,
    request: Request,
    error: ServerError,
    books: Mapping[tuple[str, str, str], _Progress],
    effort: Effort,
) -> Failure:
    """Take a failure down, and decide whether asking on makes sense."""
    stream = request.extract.stream
    said = redact(error.message) + (f" [{error.request_id}]" if error.request_id else "")
    failure = Failure(request, said, error.hint, tried=True, effort=effort)
    progress.failures.append(failure)
    log.error(
        "request_failed",
        f"{stream.name} from {request.period.starting_at:%Y-%m-%d %H:%M}: {said}",
        stream=stream.name,
        connection=stream.connection,
    )
    progress.exhausted += 1
    if not isinstance(error, RetriableError) or progress.exhausted >= GIVE_UP_AFTER:
        progress.stopped = error
    if isinstance(error, UnauthorizedError):
        for other in books.values():
            if other.extract.stream.connection == stream.connection:
                other.stopped = error
    if isinstance(error, ForbiddenError | NotFoundError):
        for other in books.values():
            if other.extract.key[:2] == request.extract.key[:2]:
                other.stopped = error
    return failure


def _rows(run: Run, failed: Sequence[tuple[int, Failure]]) -> Iterator[list[object]]:
    now = naive(datetime.now(UTC))
    for number, failure in failed:
        request = failure.request
        stream = request.extract.stream
        yield [
            f"{run.id}-{number:06d}",
            run.id,
            stream.connection,
            stream.name,
            request.extract.request,
            naive(request.period.starting_at),
            naive(request.period.ending_at),
            request.reason,
            "failed" if failure.tried else "not asked",
            0,
            0,
            0,
            failure.effort.retries,
            naive(failure.effort.asked_at),
            now,
            failure.error,
        ]
