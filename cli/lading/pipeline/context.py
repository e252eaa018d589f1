"""A project that is fit to run, and the run itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lading.errors import LadingError, Place, Problem, UserError

if TYPE_CHECKING:
    from lading.extract.plan import Asking
    from lading.extract.streams import Stream
    from lading.mapping.files import MappingFile, Resource
    from lading.project.environment import Environment
    from lading.project.model import Connection, ConnectionType, Project
    from lading.transform.graph import Graph
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run


# A server to talk to, or only the name under which what Port was sent is on record.
Need = Literal["anthropic", "port", "destination"]


class Watcher(Protocol):
    """Somebody who wants to see how far things are."""

    def start(self, name: str, total: int) -> None:
        """Something of `total` steps begins."""

    def advance(self, name: str, steps: int = 1) -> None:
        """Some of its steps are done."""


@dataclass(frozen=True, slots=True)
class Context:
    """A project whose files are all right, and what was read out of them."""

    project: Project
    streams: tuple[Stream, ...]
    askings: tuple[Asking, ...]
    graph: Graph
    mappings: tuple[MappingFile, ...]
    database: Database
    now: datetime
    warnings: tuple[Problem, ...]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All resources of all mapping files, in their order."""
        return tuple(each for mapping in self.mappings for each in mapping.resources)

    @property
    def port(self) -> Connection:
        """The connection to Port, of a context that was opened as one that needs it."""
        (connection,) = self.project.connections_of("port")
        return connection


@dataclass(slots=True)
class Work:
    """A run that has begun: the only one that writes to its database.

    A step that did only part of its work says so in `incomplete`; a push says how many entities
    Port took and refused.
    """

    context: Context
    run: Run
    incomplete: bool = False
    entities: int | None = None
    refused: int | None = None


def open_context(
    root: Path,
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    now: datetime,
    wait: float = 10.0,
    environment: Environment | None = None,
    needs: Sequence[Need] = (),
) -> Context:
    """Read and check all files of the project, and the connections that will be needed.

    `environment` stands in for that of the process and `.env`.

    Raises:
        UserError: all findings at once, when one of them is an error.
    """
    from lading.extract.declared import declared_askings
    from lading.extract.plan import check_askings
    from lading.extract.streams import check_streams, read_streams
    from lading.mapping.files import load_mappings
    from lading.pipeline.askings import askings_of, askings_of_models
    from lading.project.environment import read_environment
    from lading.project.load import load_project
    from lading.transform.graph import load_graph
    from lading.warehouse.database import Database

    project, problems = load_project(
        root, environment=environment or read_environment(root), target=target, variables=variables
    )
    if project is None:
        raise UserError(problems=problems)
    streams = read_streams(project)
    graph, graph_problems = load_graph(project, now)
    mappings, mapping_problems = load_mappings(project, now)
    resources = [each for mapping in mappings for each in mapping.resources]
    declared, declared_problems = declared_askings(project)
    asked = askings_of(project, streams, resources, now)
    askings = (*asked, *askings_of_models(streams, graph, resources), *declared)
    found = [
        *problems,
        *declared_problems,
        *check_streams(project),
        *graph_problems,
        *mapping_problems,
        *check_askings(streams, askings),
        *_check_resources(project, graph, resources, now),
        *_check_blueprints(project),
        *(problem for kind in needs for problem in unfit(project, kind)),
    ]
    if any(each.severity == "error" for each in found):
        raise UserError(problems=found)
    settings = project.target
    database = Database(settings.database, settings.storage_version, settings.threads, wait)
    return Context(project, streams, askings, graph, mappings, database, now, tuple(found))


def _check_resources(
    project: Project, graph: Graph, resources: Sequence[Resource], now: datetime
) -> Iterator[Problem]:
    """What is wrong with the resource models as the mappings' selectors render them."""
    from lading.transform.resources import resource_sql

    for resource in resources:
        if resource.model in graph.models:
            try:
                resource_sql(graph, project, resource.model, resource.selector, now)
            except UserError as error:
                yield from error.problems


def _check_blueprints(project: Project) -> Iterator[Problem]:
    from lading.port.blueprints import read_blueprints

    try:
        read_blueprints(project.blueprints)
    except UserError as error:
        yield from error.problems


def unfit(project: Project, need: Need) -> Iterator[Problem]:
    """What keeps the connections from being used for it, as far as no server is asked."""
    from lading.project.load import FILE

    kind: ConnectionType = "anthropic" if need == "anthropic" else "port"
    connections = project.connections_of(kind)
    if kind == "port" and len(connections) != 1:
        message = f"there are {len(connections)} connections to Port, and one is needed"
        hint = "below connections: one entry is called port, or has type: port"
        yield Problem(message, Place(FILE), hint)
        return
    for connection in connections:
        found = () if need == "destination" else connection.problems()
        yield from found or _without_destination(connection)


def _without_destination(connection: Connection) -> tuple[Problem, ...]:
    from lading.port.client import destination

    if connection.type == "port":
        try:
            destination(connection)
        except UserError as error:
            return error.problems
    return ()


@contextmanager
def working(context: Context, command: str) -> Iterator[Work]:
    """A run of the command: alone with the database, and on record from begin to end.

    What a run that did not end had received is landed first.

    Raises:
        DatabaseBusyError: another run, or another process with the file open, did not end.
    """
    from lading.extract.run import recover
    from lading.warehouse.runs import begin, end, new_run, only_run
    from lading.warehouse.tables import prepare

    run = new_run(command, context.now)
    with only_run(context.database, run):
        with context.database.writing() as connection:
            prepare(connection, [stream.name for stream in context.streams])
            begin(connection, run)
        status, error = "failed", None
        work = Work(context, run)
        try:
            recover(context.database)
            yield work
            status = "incomplete" if work.incomplete else "done"
        except LadingError as failure:
            error = failure.message
            raise
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            with context.database.writing() as connection:
                end(
                    connection,
                    run,
                    status=status,
                    error=error,
                    entities=work.entities,
                    refused=work.refused,
                )
