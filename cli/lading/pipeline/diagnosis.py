"""Is everything there that a sync needs? Each thing by itself: half of it may be missing."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lading import __version__
from lading.errors import DatabaseBusyError, LadingError, Problem, ServerError

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.project.model import Project
    from lading.warehouse.database import Database

State = Literal["ok", "warn", "error"]

NO_ANSWER = "check base_url in project.yml, and the network: HTTPS_PROXY, firewall, DNS"
LIBRARIES = ("duckdb", "jq", "sqlglot")
# Whoever looks for a fault wants to hear of it now.
LONGEST_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do if it is not well."""

    name: str
    state: State
    said: str
    hint: str | None = None


def tried(name: str, look: Callable[[], str]) -> Finding:
    """What looking at something gives: a sentence, or why there is none."""
    try:
        return Finding(name, "ok", look())
    except LadingError as error:
        return of_error(name, error)


def of_error(name: str, error: LadingError) -> Finding:
    """A finding about what could not be looked at."""
    if not isinstance(error, ServerError):
        return Finding(name, "error", error.message, error.hint)
    number = f" [{error.request_id}]" if error.request_id else ""
    # Without a status there was no answer at all.
    hint = error.hint or (NO_ANSWER if error.status is None else None)
    return Finding(name, "error", f"{error.message}{number}", hint)


def of_problem(name: str, problem: Problem) -> Finding:
    """A finding about files or settings."""
    place = f"{problem.place}: " if problem.place else ""
    state: State = "error" if problem.severity == "error" else "warn"
    return Finding(name, state, f"{place}{problem.message}", problem.hint)


def of_program() -> Finding:
    """What runs here."""
    from importlib.metadata import version

    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return Finding(
        "versions", "ok", f"lading {__version__}, Python {platform.python_version()}, {libraries}"
    )


def of_files(context: Context) -> Iterator[Finding]:
    """What a project whose files are all right is made of, and what to know of it."""
    numbers = (
        (len(context.graph.models), "model"),
        (len(context.mappings), "mapping file"),
        (len(context.resources), "resource"),
    )
    counted = (f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in numbers)
    yield Finding("files", "ok", ", ".join(counted))
    for warning in context.warnings:
        yield of_problem("files", warning)


def of_project(project: Project) -> Finding:
    """Which project it is."""
    where = f"{project.name} in {project.root.resolve()}, target {project.target.name}"
    return Finding("project", "ok", where)


def of_database(project: Project, wait: float) -> Iterator[Finding]:
    """Whether the database can be read, and what waits to get into it."""
    from lading.extract.spool import is_anything_left
    from lading.warehouse.database import Database

    target = project.target
    seconds = min(wait, LONGEST_WAIT)
    database = Database(target.database, target.storage_version, target.threads, seconds)
    try:
        yield Finding("database", "ok", _database(database))
    except DatabaseBusyError as busy:
        yield Finding("database", "warn", busy.message, "look again when it is done")
    except LadingError as error:
        yield of_error("database", error)
    if is_anything_left(database.spool):
        hint = "the next run loads it; do not remove the folder"
        yield Finding("database", "warn", f"a run left something in {database.spool.name}", hint)


def _database(database: Database) -> str:
    path = database.path
    if not path.exists():
        return f"{path.name} is not there yet; the first sync makes it"
    with database.reading() as connection:
        tables, version = connection.execute(
            "SELECT (SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'lading'), "
            "tags['storage_version'] FROM duckdb_databases() "
            "WHERE database_name = current_database()"
        ).fetchall()[0]
    kind = "" if tables else ", but lading has not written to it"
    size = path.stat().st_size / 1_048_576
    return f"{path.name}, {size:,.1f} MiB, storage version {version}{kind}"


def exit_code(findings: Sequence[Finding]) -> int:
    """2 if the files are wrong, 1 if anything else is."""
    wrong = {each.name for each in findings if each.state == "error"}
    return 2 if "files" in wrong else int(bool(wrong))
