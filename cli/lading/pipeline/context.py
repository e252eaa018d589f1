"""A project that is fit to run, and the run itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.errors import LadingError, Place, Problem, UserError
from lading.pipeline.so_far import SoFar, Stopped

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.plan import Asking
    from lading.extract.streams import Stream
    from lading.mapping.files import MappingFile, Resource
    from lading.mapping.workers import Workers
    from lading.pipeline.needs import Need
    from lading.port.client import PortClient
    from lading.project.cache import Cache
    from lading.project.environment import Environment
    from lading.project.model import Connection, Project
    from lading.transform.data_test import DataTest
    from lading.transform.graph import Graph
    from lading.transform.local_files import LocalFile
    from lading.transform.unit_tests import UnitTest
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run


@dataclass(frozen=True)
class Context:
    """A project whose files are all right, and what is read out of them when it is needed.

    `jq` starts no process before one is needed; whoever opened the context closes it when done.
    """

    project: Project
    graph: Graph
    database: Database
    now: datetime
    cache: Cache
    everything: str
    jq: Workers
    warnings: tuple[Problem, ...] = ()

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """The streams of all sources."""
        from lading.extract.streams import read_streams

        return read_streams(self.project)

    @cached_property
    def mappings(self) -> tuple[MappingFile, ...]:
        """All mapping files."""
        from lading.mapping.files import load_mappings

        return load_mappings(self.project, self.now, self.jq, self.cache)[0]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All resources of all mapping files, in their order."""
        return tuple(each for mapping in self.mappings for each in mapping.resources)

    @cached_property
    def askings(self) -> tuple[Asking, ...]:
        """What mappings, models and sources want fetched."""
        from lading.extract.declared import declared_askings
        from lading.pipeline.askings import askings_of, askings_of_models

        asked = askings_of(self.project, self.streams, self.resources, self.now)
        of_models = askings_of_models(self.streams, self.graph, self.resources)
        return (*asked, *of_models, *declared_askings(self.project)[0])

    @cached_property
    def tests(self) -> tuple[DataTest, ...]:
        """All data tests."""
        tests, _ = self.checked_tests()
        self.cache.save()
        return tests

    def checked_tests(self) -> tuple[tuple[DataTest, ...], tuple[Problem, ...]]:
        """All data tests, and what is wrong with any of them."""
        from lading.transform.kept_tests import keep_tests, kept_tests

        at = self.cache, self.project, self.everything, self.graph.run_started_at
        kept = kept_tests(*at)
        if kept is not None:
            return kept, ()
        from lading.transform.data_tests import compile_tests

        tests, problems = compile_tests(self.project, self.graph)
        if not problems:
            keep_tests(*at, tests)
        return tests, problems

    @cached_property
    def unit_tests(self) -> tuple[UnitTest, ...]:
        """All unit tests of models."""
        from lading.transform.unit_tests import read_unit_tests

        return read_unit_tests(self.project, self.graph)[0]

    def rows(self, connection: DuckDBPyConnection, resource: Resource) -> Iterator[str]:
        """What a mapping gets: each row of its model for its selector, as JSON text.

        Raises:
            UserError: the selector leads to SQL that can't be read.
            DatabaseError: what DuckDB said, with the place in the model's file.
        """
        from lading.transform.resources import resource_rows

        batches = resource_rows(
            self.graph, self.project, connection, resource.model, resource.selector, self.now
        )
        return (text for batch in batches for text in batch)

    def locate(self, test: DataTest, offset: int) -> tuple[Place, str | None]:
        """Where the character at an offset of a test's SQL was written, and a hint."""
        from lading.transform.data_tests import compile_tests, location

        compiled = {each.name: each for each in compile_tests(self.project, self.graph)[0]}
        whole = compiled.get(test.name, test)
        return location(self.graph.compiler.renderer, whole, offset)

    @cached_property
    def files(self) -> Mapping[str, LocalFile]:
        """The local files that are sources, by the ids of their nodes."""
        sources = (each for document in self.project.sources for each in document.data["sources"])
        if not any("files" in source for source in sources):
            return {}
        from lading.transform.local_files import local_files

        return {f"source.{each.source}.{each.name}": each for each in local_files(self.project)[0]}

    @cached_property
    def file_versions(self) -> Mapping[str, str]:
        """What the local files have in them, as digests."""
        from lading.transform.local_files import version

        return {node: version(each) for node, each in self.files.items()}

    @property
    def port(self) -> Connection:
        """The connection to Port, of a context that was opened as one that needs it."""
        (connection,) = self.project.connections_of("port")
        return connection


@dataclass(slots=True)
class Work:
    """A run that has begun: the only one that writes to its database.

    A step that did only part of its work says so in `incomplete`, one that was asked a question
    whose answer is exit code 1 in `says_no`; a push says how many entities Port took, refused and,
    where it was asked to, deleted.
    """

    context: Context
    run: Run
    incomplete: bool = False
    says_no: bool = False
    entities: int | None = None
    refused: int | None = None
    deleted: int | None = None
    # What Port said of blueprints in this run, by name; None where it has none.
    held_blueprints: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    so_far: SoFar = field(default_factory=SoFar)
    _port: PortClient | None = None

    def port_if_known(self) -> PortClient | None:
        """Port, if its credentials are set."""
        return None if self.context.port.problems() else self.port_client()

    def port_client(self) -> PortClient:
        """Port, with one token for all that the run asks of it; closed when the run ends.

        Raises:
            UserError: a setting of the connection is missing or wrong.
        """
        from lading.port.client import PortClient

        if self._port is None:
            self._port = PortClient(self.context.port)
        return self._port

    def close(self) -> None:
        """End what was opened for the run."""
        if self._port is not None:
            self._port.close()


def open_context(
    root: Path,
    *,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    now: datetime,
    wait: float = 10.0,
    environment: Environment | None = None,
    needs: Sequence[Need] = (),
    writes: bool = True,
    checks_mappings: bool = True,
) -> Context:
    """Read and check all files of the project, and the connections that will be needed.

    `environment` stands in for that of the process and `.env`. Unless it `writes`, what is worked
    out is not kept for the next run. Unless it `checks_mappings`, what is wrong with them and with
    their tests is left to the caller, who reads them himself.

    Raises:
        UserError: all findings at once, when one of them is an error.
    """
    from lading.mapping.workers import Workers
    from lading.pipeline.needs import unfit
    from lading.project.cache import open_cache
    from lading.project.environment import read_environment
    from lading.project.load import load_project
    from lading.transform.graph import load_graph
    from lading.warehouse.database import Database

    cache = open_cache(root, writes=writes)
    project, problems = load_project(
        root,
        environment=environment or read_environment(root),
        target=target,
        variables=variables,
        cache=cache,
    )
    if project is None:
        raise UserError(problems=problems)
    graph, graph_problems = load_graph(project, now, cache)
    settings = project.target
    database = Database(settings.database, settings.storage_version, settings.threads, wait)
    jq = Workers(settings.threads)
    context = Context(project, graph, database, now, cache, _everything(project), jq)
    found = [*problems]
    with ExitStack() as closing:
        closing.enter_context(jq)
        if problems or graph_problems or not cache.get("fit", context.everything, bool):
            found += _check(context, graph_problems, mappings=checks_mappings)
            if not found and checks_mappings:
                cache.put("fit", context.everything, not found)
        found += [problem for kind in needs for problem in unfit(project, kind)]
        if any(each.severity == "error" for each in found):
            raise UserError(problems=found)
        cache.save()
        closing.pop_all()
    return replace(context, warnings=tuple(found))


def _everything(project: Project) -> str:
    """A digest of all that is checked."""
    from lading.project.cache import entry_key

    documents = (
        *project.sources,
        *project.properties,
        *project.mappings,
        *project.blueprints,
        *project.unit_tests,
        *project.mapping_tests,
    )
    texts = (*project.models, *project.macros, *project.data_tests)
    return entry_key(
        [(document.file, document.data) for document in documents],
        [(text.file, text.text) for text in texts],
        sorted(project.variables.items(), key=repr),
        sorted(project.unread),
        project.target.database.stem,
    )


def _check(
    context: Context, graph_problems: Sequence[Problem], *, mappings: bool
) -> Iterator[Problem]:
    """What is wrong with the files beyond what the project knows."""
    from lading.extract.declared import declared_askings
    from lading.extract.plan import check_askings
    from lading.extract.streams import check_streams
    from lading.pipeline.row_paths import unknown_paths
    from lading.transform.local_files import local_files
    from lading.transform.unit_tests import read_unit_tests

    project = context.project
    yield from declared_askings(project)[1]
    yield from check_streams(project)
    yield from local_files(project)[1]
    yield from graph_problems
    if mappings:
        yield from _check_mappings(context)
    yield from check_askings(context.streams, context.askings)
    yield from _check_resources(project, context.graph, context.resources, context.now)
    yield from unknown_paths(project, context.graph, context.resources, context.now)
    yield from _check_blueprints(project)
    yield from context.checked_tests()[1]
    yield from read_unit_tests(project, context.graph)[1]


def _check_mappings(context: Context) -> Iterator[Problem]:
    from lading.mapping.files import load_mappings
    from lading.mapping.mapping_tests import read_mapping_tests

    yield from load_mappings(context.project, context.now, context.jq, context.cache)[1]
    yield from read_mapping_tests(context.project, context.resources)[1]


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
    from lading.port.blueprint_files import read_blueprints

    try:
        read_blueprints(project.blueprints)
    except UserError as error:
        yield from error.problems


@contextmanager
def working(context: Context, command: str, *, held: bool = False) -> Iterator[Work]:
    """A run of the command: alone with the database, and on record from begin to end.

    What a run that did not end had received is landed first. One that waits for no server may
    have the database `held` from begin to end, instead of opening it each time.

    Raises:
        DatabaseBusyError: another run, or another process with the file open, did not end.
        Stopped: a Ctrl-C ended it.
    """
    from lading.extract.spool import is_anything_left
    from lading.warehouse.runs import begin, end, new_run, only_run
    from lading.warehouse.tables import prepare

    run = new_run(command, context.now)
    with only_run(context.database, run), ExitStack() as hold:
        database = hold.enter_context(context.database.held()) if held else context.database
        with database.writing() as connection:
            prepare(connection, [stream.name for stream in context.streams])
            begin(connection, run)
        status, error, exit_code = "failed", None, 1
        work = Work(replace(context, database=database) if held else context, run)
        try:
            if is_anything_left(database.spool):
                from lading.extract.run import recover

                recover(database)
            with closing(work):
                yield work
            exit_code = int(work.incomplete or work.says_no)
            status = "incomplete" if work.incomplete else "done"
        except LadingError as failure:
            error, exit_code = failure.message, failure.exit_code
            raise
        except KeyboardInterrupt as failure:
            error, exit_code = type(failure).__name__, 130
            raise Stopped(work.so_far) from failure
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            if status == "failed":
                # After some errors DuckDB takes nothing more from whom it told of them.
                hold.close()
                database = context.database
            with database.writing() as connection:
                end(
                    connection,
                    run,
                    status=status,
                    error=error,
                    exit_code=exit_code,
                    entities=work.entities,
                    refused=work.refused,
                    deleted=work.deleted,
                )
