"""Files of the project as sources: what `files:` in sources/*.yml declares.

A file's rows stand in the table `files.<name>`, which is made anew when `version` changes. How its
text becomes typed rows is in `local_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from lading.errors import Place, Problem, nearest
from lading.project.spans import Limits, judged, read_limits, span_text
from lading.transform.literals import literal
from lading.transform.names import quoted, relation
from lading.transform.words import FILES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.project.documents import Document, KeyPath
    from lading.project.model import Project

Format = Literal["csv", "json", "parquet"]
FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
}
MOMENTS = frozenset({"DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"})


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file as its source describes it."""

    name: str
    data_type: str | None
    description: str
    place: Place


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the project: `path` is absolute, `file` as it is written. `columns` are those
    that are described, which need not be all. `loaded_at` is the column that says how fresh the
    rows are; without one, the file's own time does."""

    source: str
    name: str
    path: Path
    file: str
    format: Format
    columns: tuple[FileColumn, ...]
    limits: Limits | None
    loaded_at: str | None
    description: str
    place: Place

    @property
    def relation(self) -> str:
        """`files.name` as SQL."""
        return relation(FILES, self.name)


def local_files(project: Project) -> tuple[tuple[LocalFile, ...], tuple[Problem, ...]]:
    """The files that sources declare, in their order, and what is wrong with them; the files
    with an error are left out."""
    files: dict[str, LocalFile] = {}
    problems: list[Problem] = []
    streams = _streams(project)
    for document, at, source, entry in _entries(project):
        file = _local_file(project, document, at, source, entry)
        found = list(_problems(project, document, at, entry, file))
        if file.name in files:
            message = f"the file '{file.name}' is declared at {files[file.name].place} too"
            found.append(Problem(message, file.place, "give one of them another name"))
        if (source, file.name) in streams:
            message = f"the source '{source}' has a stream '{file.name}' too"
            found.append(Problem(message, file.place, "give the file another name"))
        problems.extend(found)
        if not found:
            files[file.name] = file
    return tuple(files.values()), tuple(problems)


def _entries(project: Project) -> Iterator[tuple[Document, KeyPath, str, Mapping[str, Any]]]:
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            for index, entry in enumerate(source.get("files", ())):
                yield document, ("sources", number, "files", index), source["name"], entry


def _streams(project: Project) -> frozenset[tuple[str, str]]:
    return frozenset(
        (source["name"], stream["name"])
        for document in project.sources
        for source in document.data["sources"]
        for stream in source.get("streams", ())
    )


def _local_file(
    project: Project, document: Document, at: KeyPath, source: str, entry: Mapping[str, Any]
) -> LocalFile:
    written = entry["path"]
    columns = tuple(
        FileColumn(
            column["name"],
            column.get("data_type"),
            (column.get("description") or "").strip(),
            document.place(*at, "columns", number, "name"),
        )
        for number, column in enumerate(entry.get("columns", ()))
    )
    return LocalFile(
        source=source,
        name=entry["name"],
        path=project.root.resolve() / written,
        file=written,
        format=entry.get("format") or FORMATS.get(PurePosixPath(written).suffix.lower(), "csv"),
        columns=columns,
        limits=read_limits(entry["freshness"]) if "freshness" in entry else None,
        loaded_at=entry.get("loaded_at"),
        description=(entry.get("description") or "").strip(),
        place=document.place(*at, "name"),
    )


def _problems(
    project: Project, document: Document, at: KeyPath, entry: Mapping[str, Any], file: LocalFile
) -> Iterator[Problem]:
    yield from _problems_of_path(project.root, file, document.place(*at, "path"))
    if "format" not in entry and PurePosixPath(file.file).suffix.lower() not in FORMATS:
        message = f"of what format is '{file.file}'?"
        hint = "add format: csv, json or parquet"
        yield Problem(message, document.place(*at, "path"), hint)
    yield from _problems_of_columns(file)
    if file.loaded_at is not None:
        yield from _problems_of_loaded_at(file, document.place(*at, "loaded_at"))
    if file.limits is not None and file.limits.never_warn:
        place = document.place(*at, "freshness", "warn_after")
        yield Problem("warn_after is longer than error_after: nobody would be warned", place)


def _problems_of_path(root: Path, file: LocalFile, place: Place) -> Iterator[Problem]:
    written = PurePosixPath(file.file)
    hint = "write the path from the project's folder on, such as data/teams.csv"
    if written.is_absolute() or ".." in written.parts:
        yield Problem(f"'{file.file}' does not stay within the project's folder", place, hint)
    elif any(part.startswith(".") for part in written.parts):
        yield Problem(f"{file.file} is hidden, as files with secrets are", place, "rename it")
    elif not file.path.is_file():
        folder = file.path.parent
        there = (
            [each.name for each in folder.iterdir() if each.is_file()] if folder.is_dir() else []
        )
        yield Problem(f"there is no file {file.file}", place, nearest(file.path.name, there))
    elif not file.path.resolve().is_relative_to(root.resolve()):
        yield Problem(f"{file.file} is a link out of the project's folder", place, hint)


def _problems_of_columns(file: LocalFile) -> Iterator[Problem]:
    seen: dict[str, FileColumn] = {}
    for column in file.columns:
        # DuckDB makes no difference between capital and small letters in a name.
        other = seen.setdefault(column.name.casefold(), column)
        if other is not column:
            message = f"the column '{column.name}' is described at {other.place} too"
            yield Problem(message, column.place, "put the two together")


def _problems_of_loaded_at(file: LocalFile, place: Place) -> Iterator[Problem]:
    types = {column.name: (column.data_type or "").upper() for column in file.columns}
    if types.get(file.loaded_at or "") not in MOMENTS:
        message = f"loaded_at needs '{file.loaded_at}' described as a DATE or a TIMESTAMP"
        hint = f"under columns: {{name: {file.loaded_at}, data_type: TIMESTAMP}}"
        yield Problem(message, place, hint)


def version(file: LocalFile) -> str:
    """A hash of what the table is made from: the file's bytes, its format and the types that are
    declared."""
    from hashlib import file_digest, sha256

    declared = [(column.name, column.data_type) for column in file.columns]
    with file.path.open("rb") as stream:
        digest = file_digest(stream, "sha256")
    digest.update(sha256(repr((file.format, declared)).encode()).digest())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class FileStanding:
    """How fresh a file is: it is of the moment `up_to`, for the time `behind`; both are None if
    `loaded_at` has no value yet."""

    file: LocalFile
    state: Literal["ok", "warn", "error", "never"]
    up_to: datetime | None
    behind: timedelta | None

    @property
    def failed(self) -> bool:
        """Whether it is an error: too old, or without a time where an error is asked for."""
        strict = self.file.limits is not None and self.file.limits.error_after is not None
        return self.state == "error" or (self.state == "never" and strict)

    def __str__(self) -> str:
        if self.up_to is None or self.behind is None:
            return f"no row has a {self.file.loaded_at}"
        limits = self.file.limits or Limits(None, None)
        limit = {"warn": limits.warn_after, "error": limits.error_after}.get(self.state)
        over = f", more than {span_text(limit)}" if limit is not None else ""
        return f"of {self.up_to:%Y-%m-%d %H:%M}, {span_text(self.behind)} old{over}"


def standing(file: LocalFile, up_to: datetime | None, now: datetime) -> FileStanding:
    """How a file whose newest rows are of the moment `up_to` stands at the moment `now`."""
    if up_to is None:
        return FileStanding(file, "never", None, None)
    behind = max(now - up_to, timedelta(0))
    return FileStanding(file, judged(behind, file.limits), up_to, behind)


def fresh_up_to(connection: DuckDBPyConnection, file: LocalFile) -> datetime | None:
    """The latest `loaded_at` in the file's table (UTC; a DATE is its first moment), or else when
    the file was last changed. None if no row has one, or the table is not there yet."""
    if file.loaded_at is None:
        return datetime.fromtimestamp(file.path.stat().st_mtime, UTC)
    there = f"""
        SELECT 1 FROM duckdb_tables() WHERE database_name = current_database()
        AND schema_name = {literal(FILES)} AND table_name = {literal(file.name)}
    """
    if not connection.execute(there).fetchall():
        return None
    latest = f"SELECT epoch_us(max({quoted(file.loaded_at)})) FROM {file.relation}"
    ((microseconds,),) = connection.execute(latest).fetchall()
    if microseconds is None:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
