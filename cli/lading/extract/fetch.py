"""One request to its last page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lading import log
from lading.errors import GarbledError, PageTooDenseError, ServerError
from lading.extract.anthropic import (
    Page,
    bucket_of,
    days_of,
    ids_of,
    parse_list,
    parse_object,
    parse_page,
)
from lading.extract.plan import Period, Request, closes_at, slice_of
from lading.extract.spool import Arrival, Spool
from lading.extract.streams import SNAPSHOT, WIDTHS, Stream

if TYPE_CHECKING:
    from lading.extract.owners import Owners
    from lading.http import Params, Reply, Session
    from lading.project.model import Connection
    from lading.warehouse.runs import Run


class PageSizes:
    """The most buckets that a page of each extract may have; less once one was too dense."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str, str], int] = {}

    def of(self, request: Request) -> int:
        """The page size to ask for; 0 where there are no pages."""
        extract = request.extract
        return self._sizes.get(extract.key, extract.stream.page_sizes.get(extract.width, 0))

    def halve(self, request: Request, refused: int) -> int:
        """Half of the size that was refused, for the rest of the run."""
        smaller = min(self.of(request), max(1, refused // 2))
        self._sizes[request.extract.key] = smaller
        return smaller


_PARTS = {"window": "buckets", "day": "records", "snapshot": "members"}


@dataclass(slots=True)
class Effort:
    """What a request has cost so far, also one that comes to nothing."""

    asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    retries: int = 0

    def retry(self) -> None:
        self.retries += 1


@dataclass(slots=True)
class _Received:
    """What came of one request so far."""

    files: list[str] = field(default_factory=list)
    answered: set[datetime] = field(default_factory=set)
    records: int = 0
    size: int = 0
    largest: int = 0
    organization: str = ""

    def add(self, file: str, page: Page) -> None:
        self.organization = page.organization
        self.files.append(file)
        self.records += len(page.records)
        self.size += page.size
        self.largest = max(self.largest, max(map(len, page.records), default=0))


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What all requests of one connection share in one run."""

    connection: Connection
    session: Session
    spool: Spool
    run: Run
    sizes: PageSizes
    owners: Owners

    def fetch(self, request: Request, number: int, effort: Effort | None = None) -> Arrival:
        """Ask for all pages of the request and leave them in the spool; `effort` is counted on.

        Raises:
            ServerError: a page could not be had; nothing of the request counts as arrived.
            UserError: it is another organisation's.
        """
        spent = effort or Effort()
        spent.asked_at = datetime.now(UTC)
        name = f"{self.run.id}-{number:06d}"
        got = self._received(request, name, spent)
        stream = request.extract.stream
        arrival = Arrival(
            request_id=name,
            run_id=self.run.id,
            connection=stream.connection,
            stream=stream.name,
            request=request.extract.request,
            reason=request.reason,
            starting_at=_text(request.period.starting_at),
            ending_at=_text(request.period.ending_at),
            slice_seconds=int(slice_of(request.extract).total_seconds()),
            closes_at=_text(closes_at(stream, self.run.started_at)),
            asked_at=_text(spent.asked_at),
            fetched_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}",
            files=tuple(got.files),
            records=got.records,
            size=got.size,
            retries=spent.retries,
            largest=got.largest,
            left_out=tuple(map(_text, _left_out(request, got.answered))),
            organization=got.organization,
        )
        self.spool.arrived(arrival)
        return arrival

    def _received(self, request: Request, name: str, effort: Effort) -> _Received:
        while True:
            got = _Received()
            limit = self.sizes.of(request)
            try:
                for page in self._asked(request, got.answered, effort):
                    self.owners.check(self.connection, page.organization)
                    file = self.spool.write_page(f"{name}-{len(got.files):05d}", page.records)
                    got.add(file, page)
            except PageTooDenseError as dense:
                if request.extract.stream.iterate == "window":
                    raise
                # A day's cursor is good for its own limit: its chain begins anew, as a list's does.
                self._make_smaller(request, limit, dense)
            else:
                return got

    def _make_smaller(self, request: Request, limit: int, dense: PageTooDenseError) -> None:
        if limit <= 1:
            raise dense
        stream = request.extract.stream
        log.info(
            "page_too_dense",
            f"{stream.name}: a page of {limit} {_PARTS[stream.iterate]} is too much for the API; "
            f"going on with {self.sizes.halve(request, limit)} ({dense.message})",
        )

    def _asked(self, request: Request, answered: set[datetime], effort: Effort) -> Iterator[Page]:
        if request.extract.width == SNAPSHOT:
            return self._members(request, effort)
        return self._pages(request, answered, effort)

    def _pages(self, request: Request, answered: set[datetime], effort: Effort) -> Iterator[Page]:
        rest = request.period
        while True:
            limit = self.sizes.of(request)
            try:
                for page in self._chain(request, rest, limit, effort):
                    rest = _after(request, rest, page, answered)
                    yield page
            except PageTooDenseError as dense:
                if request.extract.stream.iterate == "day":
                    raise
                self._make_smaller(request, limit, dense)
                if rest.starting_at >= rest.ending_at:
                    return
            else:
                return

    def _members(self, request: Request, effort: Effort) -> Iterator[Page]:
        """A list's pages; refuses a member that comes twice, since one may be missing for it."""
        known: set[str] = set()
        for page in self._chain(request, request.period, self.sizes.of(request), effort):
            for member in ids_of(page.records):
                if member in known:
                    name = request.extract.stream.name
                    raise GarbledError(f"{name}: {member} is in the list twice")
                known.add(member)
            yield page

    def _chain(
        self, request: Request, period: Period, limit: int, effort: Effort
    ) -> Iterator[Page]:
        cursors: set[str] = set()
        cursor: str | None = None
        while True:
            page = self.session.send(
                "GET",
                request.extract.stream.path,
                params=parameters(request, period, limit, cursor),
                headers=_headers(request),
                parse=parser_of(request.extract.stream),
                on_retry=lambda error: effort.retry(),
            )
            cursor = page.next_page
            if cursor in cursors:
                raise ServerError(
                    f"the cursor of {request.extract.stream.name} repeats after "
                    f"{len(cursors) + 1} pages; its pages would never end",
                    hint="nothing of this range was kept; try again later",
                )
            yield page
            if cursor is None:
                return
            cursors.add(cursor)


def parser_of(stream: Stream) -> Callable[[Reply], Page]:
    """What cuts the stream's answers into records."""
    if stream.iterate != "snapshot":
        return parse_page
    return parse_list if stream.page_sizes else parse_object


def parameters(request: Request, period: Period, limit: int, cursor: str | None) -> Params:
    """The query of one page, with the names and forms that the API wants."""
    extract = request.extract
    asked: list[tuple[str, str]] = []
    if extract.stream.iterate == "snapshot":
        asked.extend(extract.stream.query.items())
        asked.extend([("limit", str(limit))] if limit else [])
        return asked if cursor is None else [*asked, ("after_id", cursor)]
    if extract.stream.iterate == "day":
        asked.append(("starting_at", f"{period.starting_at:%Y-%m-%d}"))
    else:
        asked.append(("starting_at", f"{_text(period.starting_at)}Z"))
        asked.append(("ending_at", f"{_text(period.ending_at)}Z"))
        asked.append(("bucket_width", extract.width))
        asked.extend(("group_by[]", dimension) for dimension in extract.dimensions)
    asked.append(("limit", str(limit)))
    if cursor is not None:
        asked.append(("page", cursor))
    return asked


def _headers(request: Request) -> dict[str, str]:
    beta = request.extract.stream.beta
    needed = [beta[each] for each in request.extract.dimensions if each in beta]
    return {"anthropic-beta": ",".join(needed)} if needed else {}


def _after(request: Request, rest: Period, page: Page, answered: set[datetime]) -> Period:
    """What is still to come after a page, whose buckets' starts are added to `answered`; refuses
    one that answers another question."""
    if request.extract.stream.iterate == "day":
        strangers = days_of(page.records) - {f"{rest.starting_at:%Y-%m-%d}"}
        if strangers:
            message = f"asked for {rest.starting_at:%Y-%m-%d}, got {', '.join(sorted(strangers))}"
            raise GarbledError(f"{request.extract.stream.name}: {message}")
        return rest
    width = WIDTHS[request.extract.width]
    start = rest.starting_at
    for record in page.records:
        bucket = bucket_of(record)
        begins, ends = _moment(bucket.starting_at), _moment(bucket.ending_at)
        inside = start <= begins and ends <= request.period.ending_at
        aligned = ends - begins == width and not (begins - rest.starting_at) % width
        if not inside or not aligned:
            raise GarbledError(
                f"{request.extract.stream.name}: a bucket from {bucket.starting_at} to "
                f"{bucket.ending_at} is no answer to what was asked "
                f"({_text(start)} to {_text(request.period.ending_at)})"
            )
        answered.add(begins)
        start = ends
    return Period(start, rest.ending_at)


def _left_out(request: Request, answered: set[datetime]) -> Iterator[datetime]:
    """The starts of the buckets that the report should have and has not."""
    if request.extract.stream.iterate != "window":
        return
    start = request.period.starting_at
    while start < request.period.ending_at:
        if start not in answered:
            yield start
        start += WIDTHS[request.extract.width]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GarbledError(f"'{text}' is no moment") from error
    if moment.utcoffset():
        raise GarbledError(f"'{text}' is not in UTC")
    return moment.replace(tzinfo=UTC)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
