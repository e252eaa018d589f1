"""The tests of mappings, as the files of tests/mappings/ have them.

A test gives records to a resource and says which entities they become. A resource that is not
there is no reason to refuse the project: whoever puts a mapping of his own in the place of another
can still work. Its tests fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest
from lading.project.exact import json_of, with_exact_numbers

if TYPE_CHECKING:
    from lading.mapping.files import Resource
    from lading.project.documents import Document, KeyPath
    from lading.project.model import Project


@dataclass(frozen=True, slots=True)
class MappingTest:
    """One test of a resource, or of one that is not there: a problem. Its records are JSON texts,
    or in a `file` of the project."""

    name: str
    resource: Resource | Problem
    place: Place
    expected: Mapping[str, Any] = field(repr=False)
    records: tuple[str, ...] = field(default=(), repr=False)
    file: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def node(self) -> str:
        """Its id in the graph."""
        return f"mapping_test.{self.name}"


def read_mapping_tests(
    project: Project, resources: Sequence[Resource]
) -> tuple[tuple[MappingTest, ...], tuple[Problem, ...]]:
    """All tests, and what is wrong with them. Files of records are not looked at here."""
    tests: list[MappingTest] = []
    problems: list[Problem] = []
    seen: dict[str, Place] = {}
    for document, index in _entries(project):
        at: KeyPath = ("mapping_tests", index)
        entry = document.data["mapping_tests"][index]
        place = document.place(*at, "name")
        if (first := seen.setdefault(entry["name"], place)) is not place:
            message = f"the mapping test '{entry['name']}' is at {first} too"
            problems.append(Problem(message, place, "give one of them another name"))
            continue
        more = [*_wrong_names(document, at), *_no_numbers(document, at, entry)]
        problems += more
        if not more:
            tests.append(_test(document, at, _resource(document, at, resources)))
    return tuple(tests), tuple(problems)


def _entries(project: Project) -> Iterator[tuple[Document, int]]:
    for document in project.mapping_tests:
        exact = with_exact_numbers(project, document)
        for index in range(len(exact.data["mapping_tests"])):
            yield exact, index


def _test(document: Document, at: KeyPath, resource: Resource | Problem) -> MappingTest:
    entry = document.data["mapping_tests"][at[1]]
    given = entry["records"]
    has_file = isinstance(given, dict)
    return MappingTest(
        entry["name"],
        resource,
        document.place(*at, "name"),
        entry["expect"],
        () if has_file else tuple(json_of(each) for each in given),
        str(PurePosixPath(document.file).parent / given["file"]) if has_file else "",
        (entry.get("description") or "").strip(),
        tuple(entry.get("tags") or ()),
    )


def _wrong_names(document: Document, at: KeyPath) -> Iterator[Problem]:
    entry = document.data["mapping_tests"][at[1]]
    by_name, by_file = "resource" in entry, "mapping" in entry
    if by_name == by_file or by_file != ("index" in entry):
        hint = "write resource: NAME, or mapping: FILE and index: NUMBER"
        yield Problem("a mapping test is about one resource", document.place(*at, "name"), hint)


def _resource(document: Document, at: KeyPath, resources: Sequence[Resource]) -> Resource | Problem:
    """The resource that a test names."""
    entry = document.data["mapping_tests"][at[1]]
    if "resource" in entry:
        name = entry["resource"]
        place = document.place(*at, "resource")
        hint = nearest(name, (each.name for each in resources))
        missing = Problem(f"there is no resource '{name}'", place, hint)
        return next((each for each in resources if each.name == name), missing)
    file, index = str(PurePosixPath(entry["mapping"])), entry["index"]
    of_file = {each.index: each for each in resources if each.file == file}
    if not of_file:
        place = document.place(*at, "mapping")
        hint = nearest(file, {each.file for each in resources})
        return Problem(f"there is no mapping file '{file}' with resources", place, hint)
    place = document.place(*at, "index")
    hint = f"they are counted from 0 to {max(of_file)}"
    return of_file.get(index) or Problem(f"{file} has no resource {index}", place, hint)


def _no_numbers(document: Document, at: KeyPath, value: Any) -> list[Problem]:
    """What YAML takes for a number and JSON does not: .inf and .nan."""
    if isinstance(value, float):
        hint = "put it in quotes if it is a text"
        return [Problem("this is no number of JSON", document.place(*at), hint)]
    items: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, each in items for found in _no_numbers(document, (*at, key), each)]
