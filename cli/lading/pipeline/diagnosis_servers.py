"""What the servers say of the keys, and of the time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from lading.errors import (
    ForbiddenError,
    LadingError,
    NotFoundError,
    ServerError,
    UnauthorizedError,
)
from lading.pipeline.diagnosis import Finding, of_error, of_problem, tried

if TYPE_CHECKING:
    from datetime import datetime

    from lading.extract.streams import Stream
    from lading.http import Reply, Session
    from lading.port.client import PortClient
    from lading.project.model import Connection, Project

# Seconds. Which days are over, and which windows are asked for, is reckoned by this clock.
WRONG_CLOCK, MUCH_TOO_WRONG_CLOCK = 180, 3600
CLOCK_HINT = "set this machine's clock (NTP): by it lading reckons which days are over"


@dataclass(slots=True)
class Clock:
    """This machine's clock beside that of the first server that told the time."""

    server: str = ""
    ahead: float | None = None

    def note(self, server: str, reply: Reply) -> None:
        """Compare with the time at which an answer says it was written."""
        from email.utils import parsedate_to_datetime

        if self.ahead is not None or "date" not in reply.headers:
            return
        try:
            told = parsedate_to_datetime(reply.headers["date"]).timestamp()
        except ValueError:
            return
        self.server, self.ahead = server, time.time() - told

    def finding(self) -> Finding:
        """How far they are apart."""
        if self.ahead is None:
            return Finding("clock", "warn", "no server has told the time to compare it with")
        seconds = abs(self.ahead)
        way = "ahead of" if self.ahead > 0 else "behind"
        said = f"{_span(seconds)} {way} that of {self.server}"
        if seconds < WRONG_CLOCK:
            return Finding("clock", "ok", said)
        return Finding(
            "clock", "warn" if seconds < MUCH_TOO_WRONG_CLOCK else "error", said, CLOCK_HINT
        )


def _span(seconds: float) -> str:
    from datetime import timedelta

    from lading.project.spans import span_text

    return f"{seconds:.0f} s" if seconds < 60 else span_text(timedelta(seconds=seconds))


def of_connections(project: Project, streams: Sequence[Stream], now: datetime) -> Iterator[Finding]:
    """Each server: whether it answers, what the key is and may do, and what its clock says."""
    from lading.http import RetryPolicy
    from lading.pipeline.needs import unfit

    once_more = RetryPolicy(tries=2, seconds=30, first_wait=0.5, longest_wait=2)
    clock = Clock()
    for connection in project.connections.values():
        if problems := connection.problems():
            yield from (of_problem(connection.name, each) for each in problems)
            continue
        impatient = replace(connection, retry=once_more)
        if connection.type == "anthropic":
            yield from of_anthropic(streams, now, impatient, clock)
        else:
            yield from of_port(project, impatient, clock)
    if len(project.connections_of("port")) != 1:
        yield from (of_problem("port", each) for each in unfit(project, "port"))
    yield clock.finding()


def of_anthropic(
    streams: Sequence[Stream], now: datetime, connection: Connection, clock: Clock
) -> Iterator[Finding]:
    """What the key is, whose, and which reports it may read."""
    from lading.extract.anthropic import classify, open_session
    from lading.extract.probe import may_read

    def noted(reply: Reply) -> ServerError | None:
        clock.note(connection.name, reply)
        return classify(reply)

    session = open_session(connection, noted)
    try:
        try:
            yield Finding(connection.name, "ok", _key(session, connection))
        except ServerError as error:
            yield of_error(connection.name, error)
            # Nobody answers, or not to this key: none of the others will say anything else.
            if error.status is None or isinstance(error, UnauthorizedError):
                return
        for stream in streams:
            if stream.connection == connection.name:
                name = f"{connection.name} {stream.name}"
                yield tried(name, partial(may_read, session, stream, now))
    finally:
        session.close()


def _key(session: Session, connection: Connection) -> str:
    """Whose key it is; only an Admin API key is answered."""
    from lading.extract.anthropic import kind_of_key
    from lading.extract.probe import organisation

    kind = kind_of_key(connection.value("api_key"))
    try:
        return f"an Admin API key of the organisation {organisation(session)}"
    except (UnauthorizedError, ForbiddenError, NotFoundError) as error:
        begins = f"begins like {kind}" if kind else "begins like no key of Anthropic's"
        error.message = f"{error.message}; the key {begins}"
        raise


def of_port(project: Project, connection: Connection, clock: Clock) -> Iterator[Finding]:
    """Where in Port we are, as whom, and what of the project is there."""
    from lading.port.client import PortClient

    try:
        client = PortClient(connection)
    except LadingError as error:
        yield Finding(connection.name, "error", error.message, error.hint)
        return
    with client:
        first = tried(connection.name, partial(_place, client, connection))
        yield first
        if first.state == "error":
            return
        if clock.ahead is None:
            _ask_time(connection, clock)
        yield tried(f"{connection.name} blueprints", partial(_blueprints, client, project))
        yield _integration(client, connection)


def _place(client: PortClient, connection: Connection) -> str:
    from lading.port.identity import organisation, region, role

    address = connection.value("base_url")
    name, told = organisation(client), role(client)
    parts = [f"{address} ({region(address)})"]
    parts += [f"organisation {name}" if name else "an organisation that it does not name"]
    parts += [f"role {told}"] if told else []
    return ", ".join(parts)


def _blueprints(client: PortClient, project: Project) -> str:
    from lading.port.blueprint_files import read_blueprints

    declared = read_blueprints(project.blueprints)
    missing = [name for name in declared if client.blueprint(name) is None]
    there = f"{len(declared) - len(missing)} of {len(declared)} blueprints are there"
    return f"{there}; the first push makes {', '.join(missing)}" if missing else there


def _integration(client: PortClient, connection: Connection) -> Finding:
    """Whether Port has the integration, and that it is none of Port's own."""
    from lading.port.answers import as_object
    from lading.project.model import TYPE

    name = f"{connection.name} integration"
    path = f"/v1/integration/{client.integration}"
    try:
        shown = client.call("GET", path, parse=as_object).get("integration")
    except NotFoundError:
        return Finding(
            name, "ok", f"{client.integration} is not there yet; the first sync makes it"
        )
    except ForbiddenError as error:
        hint = (
            "a sync pushes all the same; to show its runs, it needs a moderator's or admin's role"
        )
        return Finding(name, "warn", error.message, hint)
    except ServerError as error:
        return Finding(name, "error", error.message, error.hint)
    kind = shown.get("installationAppType") if isinstance(shown, dict) else None
    if kind not in (None, TYPE):
        hint = "give connections: port: integration: another name"
        return Finding(
            name, "error", f"{client.integration} is another one's, of type {kind}", hint
        )
    return Finding(name, "ok", f"{client.integration} is registered")


def _ask_time(connection: Connection, clock: Clock) -> None:
    """Have Port tell the time, without a key."""
    from lading.http import Session
    from lading.limiter import Limiter

    def noted(reply: Reply) -> None:
        clock.note(connection.name, reply)

    session = Session(
        base_url=connection.value("base_url"),
        headers={},
        classify=noted,
        limiter=Limiter(1),
        retry=replace(connection.retry, tries=1),
    )
    try:
        session.send("GET", "/", parse=lambda reply: None)
    except ServerError:
        return
    finally:
        session.close()
