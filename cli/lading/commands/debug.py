"""`lading debug`: is everything there that a sync needs?"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lading import __version__
from lading.commands.options import project_options
from lading.errors import LadingError, ServerError

if TYPE_CHECKING:
    from lading.http import Session
    from lading.pipeline.context import Context
    from lading.project.model import Connection

NO_ANSWER = "check base_url in project.yml, and the network: HTTPS_PROXY, firewall, DNS"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do if it is not well."""

    name: str
    ok: bool
    said: str
    hint: str | None = None


@click.command("debug", short_help="Check files, keys, rights and Port.")
@project_options
def command(**options: Any) -> int:
    """Check the files, the database, the key's rights, and Port; each line is OK or what to do.

    Makes a handful of small requests and writes nothing.
    """
    from lading.commands.output import say
    from lading.commands.project import open_project

    say(f"lading {__version__}, Python {platform.python_version()}, {_library('duckdb')}")
    context = open_project(options, writes=False)
    project = context.project
    say(f"project {project.name} in {project.root.resolve()}, target {project.target.name}")
    well = True
    for finding in _findings(context):
        well &= finding.ok
        label = click.style("OK   ", fg="green") if finding.ok else click.style("ERROR", fg="red")
        say(f"  {label}  {finding.name}: {finding.said}")
        if finding.hint and not finding.ok:
            say(f"         {finding.hint}")
    return 0 if well else 1


def _findings(context: Context) -> Iterator[Finding]:
    from lading.commands.output import count
    from lading.http import RetryPolicy
    from lading.pipeline.needs import unfit

    # Whoever looks for a fault wants to hear of it now.
    once_more = RetryPolicy(tries=2, seconds=30, first_wait=0.5, longest_wait=2)
    counted = (
        count(len(context.graph.models), "model"),
        count(len(context.mappings), "mapping file"),
        count(len(context.resources), "resource"),
    )
    yield Finding("files", True, ", ".join(counted))
    yield _tried("database", lambda: _database(context))
    for connection in context.project.connections.values():
        problems = connection.problems()
        for problem in problems:
            yield Finding(connection.name, False, problem.message, problem.hint)
        if problems:
            continue
        impatient = replace(connection, retry=once_more)
        if connection.type == "anthropic":
            yield from _anthropic(context, impatient)
        else:
            yield _tried(connection.name, partial(_port, context, impatient))
    if len(context.project.connections_of("port")) != 1:
        for problem in unfit(context.project, "port"):
            yield Finding("port", False, problem.message, problem.hint)


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, look())
    except ServerError as error:
        number = f" [{error.request_id}]" if error.request_id else ""
        # Without a status there was no answer at all.
        hint = error.hint or (NO_ANSWER if error.status is None else None)
        return Finding(name, False, f"{error.message}{number}", hint)
    except LadingError as error:
        return Finding(name, False, error.message, error.hint)


def _database(context: Context) -> str:
    path = context.database.path
    if not path.exists():
        return f"{path.name} is not there yet; the first sync makes it"
    with context.database.reading() as connection:
        runs = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'lading'"
        ).fetchall()[0][0]
    kind = "" if runs else ", but lading has not written to it"
    return f"{path.name}, {path.stat().st_size / 1_048_576:,.1f} MiB{kind}"


def _anthropic(context: Context, connection: Connection) -> Iterator[Finding]:
    from lading.extract.anthropic import open_session
    from lading.extract.probe import may_read, organisation

    session: Session = open_session(connection)
    try:
        first = _tried(connection.name, lambda: f"organisation {organisation(session)}")
        yield first
        if first.hint == NO_ANSWER:
            return
        for stream in context.streams:
            if stream.connection == connection.name:
                name = f"{connection.name} {stream.name}"
                yield _tried(name, partial(may_read, session, stream, context.now))
    finally:
        session.close()


def _port(context: Context, connection: Connection) -> str:
    from lading.port.blueprint_files import read_blueprints
    from lading.port.client import PortClient

    with PortClient(connection) as client:
        client.check()
        declared = read_blueprints(context.project.blueprints)
        there = [name for name in declared if client.blueprint(name) is not None]
    missing = len(declared) - len(there)
    return (
        f"{connection.value('base_url')}, integration {connection.value('integration')}; "
        f"{len(there)} of {len(declared)} blueprints are there"
        + (", the others are made by the first push" if missing else "")
    )


def _library(name: str) -> str:
    from importlib.metadata import version

    return f"{name} {version(name)}"
