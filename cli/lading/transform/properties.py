"""What models/**/*.yml say of the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest
from lading.transform.config import Config, read_config

if TYPE_CHECKING:
    from lading.project.documents import Document, KeyPath
    from lading.project.model import Project
    from lading.transform.files import ModelFile


TEST_KEYS = ("data_tests", "tests")


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """An entry of `data_tests:` or `tests:`, as it stands in a document; `column` is '' of one
    that is no column's."""

    written: Any
    column: str
    document: Document
    path: KeyPath

    def place(self, *path: str | int) -> Place:
        """Where something of it stands."""
        return self.document.place(*self.path, *path)

    def key_place(self, *path: str | int) -> Place:
        """Where a key of it stands."""
        return self.document.key_place(*self.path, *path)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its model's properties describe it."""

    name: str
    description: str = ""
    data_type: str | None = None


@dataclass(frozen=True, slots=True)
class Properties:
    """One model's entry; without one, all of it is empty."""

    description: str = ""
    config: Config = field(default_factory=Config)
    columns: tuple[Column, ...] = ()
    tests: tuple[WrittenTest, ...] = ()
    place: Place | None = None


def read_properties(
    project: Project, files: Mapping[str, ModelFile]
) -> tuple[Mapping[str, Properties], tuple[Problem, ...]]:
    """Each model's properties by its name, and the entries that fit no model."""
    read: dict[str, Properties] = {}
    problems: list[Problem] = []
    for document, index, entry in _entries(project):
        place = document.place("models", index, "name")
        tests, more = written_tests(document, ("models", index), entry)
        problems.extend((*_problems(document, index, entry, files), *more))
        if entry["name"] in read:
            first = read[entry["name"]].place
            message = f"the model '{entry['name']}' is described at {first} too"
            problems.append(Problem(message, place, "put the two together"))
        read.setdefault(entry["name"], _properties(entry, tests, place))
    return read, tuple(problems)


def _entries(project: Project) -> Iterator[tuple[Document, int, Mapping[str, Any]]]:
    for document in project.properties:
        for index, entry in enumerate(document.data.get("models") or ()):
            yield document, index, entry


def written_tests(
    document: Document, at: KeyPath, entry: Mapping[str, Any]
) -> tuple[tuple[WrittenTest, ...], tuple[Problem, ...]]:
    """The tests of an entry at a path of a document, those of its columns last."""
    tested = [("", at, entry)]
    for index, column in enumerate(entry.get("columns") or ()):
        tested.append((column["name"], (*at, "columns", index), column))
    tests = [
        WrittenTest(written, column, document, (*path, key, number))
        for column, path, each in tested
        for key in TEST_KEYS
        for number, written in enumerate(each.get(key) or ())
    ]
    both = [path for _, path, each in tested if all(key in each for key in TEST_KEYS)]
    return tuple(tests), tuple(_twice(document, path) for path in both)


def _twice(document: Document, path: KeyPath) -> Problem:
    message = "'tests' is the older name of 'data_tests': one entry can't have both"
    return Problem(message, document.key_place(*path, "tests"), "put the two lists together")


def _properties(
    entry: Mapping[str, Any], tests: tuple[WrittenTest, ...], place: Place
) -> Properties:
    return Properties(
        description=(entry.get("description") or "").strip(),
        config=read_config({**_beside(entry), **(entry.get("config") or {})}),
        columns=tuple(
            Column(each["name"], (each.get("description") or "").strip(), each.get("data_type"))
            for each in entry.get("columns") or ()
        ),
        tests=tests,
        place=place,
    )


def _beside(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that may stand beside `config:` as well."""
    return {key: entry[key] for key in ("tags", "contract") if key in entry}


def _problems(
    document: Document, index: int, entry: Mapping[str, Any], files: Mapping[str, ModelFile]
) -> Iterator[Problem]:
    name, at = entry["name"], ("models", index)
    model = files.get(name)
    if model is None:
        place = document.place(*at, "name")
        yield Problem(f"there is no model '{name}'", place, nearest(name, files))
    elif "rollup" in entry and not model.is_rollup:
        place = document.key_place(*at, "rollup")
        message = f"'{name}' has a file of its own, {model.file}, so it can't be a roll-up"
        yield Problem(message, place, "leave rollup out, or remove the file")
    elif model.is_resource and "materialized" in (entry.get("config") or {}):
        place = document.key_place(*at, "config", "materialized")
        message = f"'{name}' is rendered for each mapping, and never made in the database"
        yield Problem(message, place, "leave materialized out")
    elif not model.is_resource and "kind" in entry:
        place = document.key_place(*at, "kind")
        message = f"'{name}' is no resource model, so it can't have a kind"
        yield Problem(message, place, f"move {model.file} to models/resources/, or leave kind out")
