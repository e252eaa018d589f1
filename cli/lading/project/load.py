"""From a folder to a `Project`: all files read, checked, and every finding collected."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lading import __version__
from lading.errors import Place, Problem, UserError, nearest
from lading.http import RetryPolicy
from lading.project.cache import Cache, entry_key, open_cache
from lading.project.check import check_document
from lading.project.documents import Document, TextFile, read_document
from lading.project.environment import Environment, MissingVariableError
from lading.project.kinds import read_kinds
from lading.project.model import (
    CONCURRENCY,
    SECRET_SETTINGS,
    SETTINGS,
    Connection,
    Project,
    Target,
)

FILE = "project.yml"
YAML = frozenset({".yml", ".yaml"})
# The keys that name the folders of a project's files, and what they say if they are left out.
FOLDERS = {
    "model-paths": "models",
    "source-paths": "sources",
    "mapping-paths": "mappings",
    "macro-paths": "macros",
    "test-paths": "tests",
    "query-paths": "queries",
}
# A secret is named, never written: one variable, without a default.
SECRET = re.compile(r"^\s*\{\{\s*env_var\(\s*(['\"])[A-Za-z_][A-Za-z0-9_]*\1\s*\)\s*\}\}\s*$")
# What a database's file is called up to its first dot is its catalog's name in DuckDB; one of
# these, in capital or small letters, would make names ambiguous.
SCHEMAS = frozenset(
    {"raw", "raw_history", "files", "lading", "lading_tests", "main"}
    | {"temp", "system", "pg_catalog", "information_schema"}
)
STORAGE_VERSION = "v1.0.0"


def load_project(
    root: Path,
    *,
    environment: Environment,
    target: str | None = None,
    variables: Mapping[str, Any] | None = None,
    cache: Cache | None = None,
) -> tuple[Project | None, tuple[Problem, ...]]:
    """The project in the folder `root`, and all that is wrong with its files.

    The project is None when project.yml itself can't be used; what is wrong with the files
    below its folders is told all the same.

    Raises:
        UserError: there is no project.yml.
    """
    if not (root / FILE).is_file():
        message = f"there is no {FILE} in {root.resolve()}"
        raise UserError(message, hint="go to a project's folder, or name it with -C DIR")
    reader = Reader(root, cache or open_cache(root))
    document, problems = reader.read(root / FILE, "project")
    if document is None or problems:
        named = document.data if document and isinstance(document.data, dict) else {}
        return None, (*problems, *_Files(reader, named).problems)
    settings = document.data
    found = [*_check_settings(document, reader.cache)]
    chosen, more = _target(root, document, environment, target)
    found.extend(more)
    files = _Files(reader, settings)
    connections = _connections(document, environment)
    found.extend(files.problems)
    found.extend(_check_database(document, chosen, files.files_of_models()))
    found.extend(_check_sources(files.sources, connections))
    # Of a file that can't be read, nobody knows what streams it has.
    streams = None if files.broken["sources"] else frozenset(_stream_names(files.sources))
    kinds, more = read_kinds(files.properties, streams)
    found.extend(more)
    project = Project(
        root=root,
        name=settings["name"],
        version=str(settings.get("version", "")),
        target=chosen,
        target_path=root / settings.get("target-path", "target"),
        variables={**(settings.get("vars") or {}), **(variables or {})},
        environment=environment.variables,
        connections=connections,
        sources=files.sources,
        properties=files.properties,
        models=files.models,
        macros=files.macros,
        mappings=files.mappings,
        blueprints=files.blueprints,
        data_tests=files.data_tests,
        unit_tests=files.unit_tests,
        mapping_tests=files.mapping_tests,
        queries=files.queries,
        kinds=kinds,
        folders={key: tuple(_folders(settings, key)) for key in FOLDERS},
        unread=frozenset(files.broken),
    )
    return project, tuple(found)


class _Files:
    """The files below the paths that project.yml names; `broken` counts, by their schema, those
    that can't be used."""

    def __init__(self, reader: Reader, settings: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self.broken: Counter[str] = Counter()
        self._reader = reader
        self._root = reader.root
        models = _folders(settings, "model-paths")
        mappings = _folders(settings, "mapping-paths")
        self.sources = self._documents(_folders(settings, "source-paths"), "sources")
        self.properties = self._documents(models, "properties")
        self.models = self._texts(models)
        self.macros = self._texts(_folders(settings, "macro-paths"))
        self.mappings = self._documents(mappings, "mapping", without="blueprints")
        self.blueprints = self._documents(
            [f"{folder}/blueprints" for folder in mappings], "blueprint", suffixes=YAML | {".json"}
        )
        tests = _folders(settings, "test-paths")
        self.data_tests = self._texts([f"{folder}/data" for folder in tests])
        self.unit_tests = self._documents([f"{folder}/models" for folder in tests], "unit_tests")
        self.mapping_tests = self._documents(
            [f"{folder}/mappings" for folder in tests], "mapping_tests"
        )
        self.queries = self._texts(_folders(settings, "query-paths"))

    def files_of_models(self) -> Iterator[str]:
        """The files that models are in: SQL, and properties files with roll-ups."""
        yield from (model.file for model in self.models)
        for document in self.properties:
            if any("rollup" in entry for entry in document.data["models"]):
                yield document.file

    def _documents(
        self,
        folders: list[str],
        schema: str,
        *,
        without: str | None = None,
        suffixes: frozenset[str] = YAML,
    ) -> tuple[Document, ...]:
        read = []
        for path in _below(self._root, folders, suffixes):
            if without is not None and without in Path(_relative(self._root, path)).parts:
                continue
            document, problems = self._reader.read(path, schema)
            self.problems.extend(problems)
            if document is not None and not problems:
                read.append(document)
            else:
                self.broken[schema] += 1
        return tuple(read)

    def _texts(self, folders: list[str]) -> tuple[TextFile, ...]:
        read = []
        for path in _below(self._root, folders, frozenset({".sql"})):
            name = _relative(self._root, path)
            try:
                read.append(TextFile(name, path.read_text("utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(Problem(f"can't be read: {error}", Place(name)))
        return tuple(read)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads documents, those that have not changed out of the cache."""

    root: Path
    cache: Cache

    def read(self, path: Path, schema: str) -> tuple[Document | None, tuple[Problem, ...]]:
        """The document (None if it can't be read), and what is wrong with it."""
        name = _relative(self.root, path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            return None, (Problem(f"can't be read: {error}", Place(name)),)
        entry = entry_key(schema, name, text)
        if (kept := self.cache.get("document", entry, Document)) is not None:
            return kept, ()
        try:
            document = replace(read_document(name, text), digest=entry)
        except UserError as error:
            return None, error.problems
        problems = check_document(document, schema)
        if not problems:
            self.cache.put("document", entry, document)
        return document, problems


def _below(root: Path, folders: list[str], suffixes: frozenset[str]) -> Iterator[Path]:
    for folder in folders:
        found: list[Path] = []
        for place, inside, names in os.walk(root / folder):
            inside[:] = [each for each in inside if not each.startswith(".")]
            found += [Path(place, each) for each in names if not each.startswith(".")]
        yield from (path for path in sorted(found) if path.suffix in suffixes and path.is_file())


def _relative(root: Path, path: Path) -> str:
    inside = path.is_relative_to(root)
    return (path.relative_to(root) if inside else path).as_posix()


def _folders(settings: Mapping[str, Any], key: str) -> list[str]:
    """The folders that project.yml names, as far as what it says makes sense."""
    named = settings.get(key, [FOLDERS[key]])
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []


def _target(
    root: Path, document: Document, environment: Environment, name: str | None
) -> tuple[Target, tuple[Problem, ...]]:
    targets = document.data["targets"]
    chosen = name or document.data.get("target") or next(iter(targets))
    problems: list[Problem] = []
    if chosen not in targets:
        place = Place("--target") if name else document.place("target")
        problems.append(Problem(f"there is no target '{chosen}'", place, nearest(chosen, targets)))
        chosen = next(iter(targets))
    settings = targets[chosen]
    database = settings["database"]
    try:
        database = environment.render(database)
    except (MissingVariableError, UserError) as error:
        place = document.place("targets", chosen, "database")
        problems.append(Problem(error.message, place, error.hint))
    return Target(
        chosen,
        root / database,
        settings.get("threads", 2),
        settings.get("storage-version", STORAGE_VERSION),
    ), tuple(problems)


def _check_database(
    document: Document, target: Target, files_of_models: Iterator[str]
) -> Iterator[Problem]:
    folders = {Path(file).parts[1] for file in files_of_models if file.count("/") > 1}
    catalog = target.database.name.partition(".")[0]
    if catalog.casefold() in SCHEMAS | {folder.casefold() for folder in folders}:
        yield Problem(
            f"a database can't be called '{target.database.name}': '{catalog}' is a schema "
            "inside it, and DuckDB takes the file's name as the catalog's",
            document.place("targets", target.name, "database"),
            "give the file another name",
        )


def _connections(document: Document, environment: Environment) -> dict[str, Connection]:
    made = {}
    for name, settings in document.data["connections"].items():
        kind = settings.get("type", name)
        if kind not in SETTINGS:
            continue
        made[name] = Connection(
            name,
            kind,
            document,
            {key: value for key, value in settings.items() if key in SETTINGS[kind]},
            environment,
            settings.get("concurrency", CONCURRENCY[kind]),
            RetryPolicy(**settings.get("retry", {})),
        )
        made[name].register_secrets()
    return made


def _check_settings(document: Document, cache: Cache) -> Iterator[Problem]:
    settings = document.data
    yield from _check_version(document, cache)
    for name, connection in settings["connections"].items():
        at = ("connections", name)
        kind = connection.get("type", name)
        if kind not in SETTINGS:
            hint = "say type: anthropic or type: port"
            yield Problem(
                f"of what type is the connection '{name}'?", document.key_place(*at), hint
            )
            continue
        known = {*SETTINGS[kind], "type", "concurrency", "retry"}
        for key, value in connection.items():
            if key not in known:
                place = document.key_place(*at, key)
                yield Problem(f"unknown key '{key}' of {kind}", place, nearest(key, known))
            elif key in SECRET_SETTINGS and not SECRET.match(value):
                yield Problem(
                    f"{key} is a secret and must come from the environment alone",
                    document.place(*at, key),
                    f"write {key}: \"{{{{ env_var('NAME') }}}}\", without a default, and set NAME "
                    "in the environment or in .env; a secret that stood here is known: renew it",
                )


def _check_version(document: Document, cache: Cache) -> Iterator[Problem]:
    wanted = document.data.get("require-lading")
    fits = entry_key(wanted, __version__)
    if wanted is None or cache.get("version", fits, bool):
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    place = document.place("require-lading")
    try:
        if SpecifierSet(wanted).contains(__version__, prereleases=True):
            cache.put("version", fits, True)
        else:
            message = f"the project requires lading {wanted}, and this is {__version__}"
            yield Problem(message, place, "install a version that fits")
    except InvalidSpecifier:
        yield Problem(f"'{wanted}' is no version specifier", place, 'write it like ">=0.1"')


def _check_sources(
    sources: tuple[Document, ...], connections: Mapping[str, Connection]
) -> Iterator[Problem]:
    anthropic = {name for name, each in connections.items() if each.type == "anthropic"}
    seen: dict[str, str] = {}
    for document in sources:
        for index, source in enumerate(document.data["sources"]):
            at: tuple[str | int, ...] = ("sources", index)
            if "files" in source:
                yield from _check_no_streams(document, at, source)
                continue
            if source["connection"] not in anthropic:
                message = f"there is no Anthropic connection '{source['connection']}'"
                hint = nearest(source["connection"], anthropic)
                yield Problem(message, document.place(*at, "connection"), hint)
            for number, stream in enumerate(source["streams"]):
                key = f"{source['connection']}.{stream['name']}"
                place = document.place(*at, "streams", number, "name")
                if key in seen:
                    yield Problem(f"the stream '{key}' is at {seen[key]} too", place)
                seen.setdefault(key, str(place))


def _check_no_streams(
    document: Document, at: tuple[str | int, ...], source: Mapping[str, Any]
) -> Iterator[Problem]:
    for key in ("connection", "streams"):
        if key in source:
            message = f"a source of files has no {key}"
            hint = "a source has either a connection and its streams, or files: make two of it"
            yield Problem(message, document.key_place(*at, key), hint)


def _stream_names(sources: tuple[Document, ...]) -> Iterator[str]:
    for document in sources:
        for source in document.data["sources"]:
            for stream in source.get("streams", ()):
                yield stream["name"]
