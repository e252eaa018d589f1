"""A mapping and blueprints of Port's as files of the project, and what could not be taken over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError
from lading.pipeline.imports import Found, Given, mappings_of

if TYPE_CHECKING:
    from lading.mapping.importing.resources import Known, Taken
    from lading.pipeline.context import Context

Body = Mapping[str, Any]
BLUEPRINT_KEYS = (
    *("identifier", "title", "icon", "description", "schema", "calculationProperties"),
    *("mirrorProperties", "aggregationProperties", "relations", "teamInheritance", "ownership"),
    "includeInGlobalSearch",
)
# What Port notes of its own on a blueprint.
NOTED = frozenset({"id", "createdAt", "createdBy", "updatedAt", "updatedBy", "orgId"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import comes to.

    Attributes:
        files: what is written, by names within the project.
        resources: how many resources were taken over.
        blueprints: those that are written, by their identifiers.
        known: those that the project has already, just so.
        problems: errors say what was left out, warnings what is not as it was.
    """

    files: Mapping[PurePosixPath, bytes]
    resources: int
    blueprints: tuple[str, ...]
    known: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def left_out(self) -> tuple[Problem, ...]:
        """Why each part that is not taken over is not."""
        return tuple(each for each in self.problems if each.severity == "error")


def imported(context: Context, given: Given, name: str, *, blueprints: bool = True) -> Imported:
    """The files that take over what is given; the mapping's is called `name`. Nothing is written.

    Raises:
        UserError: the project has one of the blueprints otherwise, or there is nothing to import.
    """
    folder = PurePosixPath(next(iter(context.project.folders["mapping-paths"]), "mappings"))
    problems: list[Problem] = []
    bodies, known = _blueprints(context, given.blueprints if blueprints else (), problems)
    files = {
        folder / "blueprints" / f"{_file_name(identifier)}.yml": text.encode()
        for identifier, text in bodies.items()
    }
    resources = 0
    if given.mapping is not None:
        text, resources = _mapping_text(context, given, problems)
        if resources:
            files[folder / f"{name}.yml"] = text.encode()
    made = Imported(files, resources, tuple(bodies), known, tuple(problems))
    if not (made.files or made.known or made.left_out):
        hint = "a mapping has its resources below resources:"
        raise UserError(f"there is nothing to import in {given.origin or 'it'}", hint=hint)
    return made


def _file_name(identifier: str) -> str:
    import re

    return re.sub(r"[^\w.-]", "_", identifier)


def _blueprints(
    context: Context, given: Iterable[Found], problems: list[Problem]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts of those that are new, by identifier, and the names of those that are not."""
    from lading.project.check import check_document
    from lading.project.documents import read_document
    from lading.project.yaml_text import yaml_text

    there = {str(each.data["identifier"]): each for each in context.project.blueprints}
    texts: dict[str, str] = {}
    known: list[str] = []
    conflicts: list[Problem] = []
    for found in given:
        body = _blueprint(found, problems)
        identifier, text = str(body["identifier"]), yaml_text(body)
        if identifier in there:
            document = there[identifier]
            if document.data == body:
                known.append(identifier)
            else:
                conflicts.append(_conflict(identifier, document.place("identifier")))
        elif errors := check_document(read_document(found.document.file, text), "blueprint"):
            problems.extend(_left_out(found, f"blueprint '{identifier}'", errors))
        else:
            texts.setdefault(identifier, f"# From Port, by `lading import`.\n{text}")
    if conflicts:
        raise UserError(problems=conflicts)
    return texts, tuple(known)


def _conflict(identifier: str, place: Place) -> Problem:
    hint = "remove this file, or import with --no-blueprints and keep it"
    return Problem(f"the project has another blueprint '{identifier}'", place, hint)


def _blueprint(found: Found, problems: list[Problem]) -> dict[str, Any]:
    """Its body without what Port notes of its own, and without what no file can say."""
    body = {key: found.body[key] for key in BLUEPRINT_KEYS if found.body.get(key) is not None}
    lost = [
        str(key)
        for key in found.body
        if key not in BLUEPRINT_KEYS and key not in NOTED
        if found.body[key]
    ]
    if lost:
        said = f"blueprint '{body['identifier']}': without {', '.join(lost)}"
        hint = "lading leaves that of a blueprint which Port has as it is there"
        problems.append(Problem(said, found.place(), hint, severity="warning"))
    return body


def _left_out(found: Found, what: str, errors: Iterable[Problem]) -> Iterator[Problem]:
    for each in errors:
        yield Problem(f"{what} is left out: {each.message}", found.place(), each.hint)


def _mapping_text(context: Context, given: Given, problems: list[Problem]) -> tuple[str, int]:
    """The mapping's file, and how many resources are in it."""
    from lading.mapping.importing.resources import Known
    from lading.mapping.kinds import all_kinds
    from lading.project.yaml_text import yaml_text

    mapping = given.mapping
    assert mapping is not None
    known = Known.of(context.project, all_kinds(context.project))
    pieces = [_header(given), *_settings(mapping, problems), "resources:\n"]
    number = 0
    for index, written in enumerate(mapping.body["resources"]):
        for taken in _taken(context, known, mapping, index, written, problems):
            pieces += [f"  # {line}\n" for line in _comments(taken)]
            lines = yaml_text([taken.resource]).splitlines()
            pieces += [f"  {line}".rstrip() + "\n" for line in lines]
            number += 1
    problems.extend(_made_twice(context, mapping))
    return "".join(pieces), number


def _header(given: Given) -> str:
    return (
        f"# From {_one_line(given.origin)}, by `lading import`. What is not as it was there has\n"
        "# a comment. From now on this file counts.\n"
    )


def _comments(taken: Taken) -> Iterator[str]:
    yield from (f"{_one_line(each[:1].upper() + each[1:])}." for each in taken.notes)
    yield from (f"Differs: {_one_line(each)}." for each in taken.changes)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _settings(mapping: Found, problems: list[Problem]) -> Iterator[str]:
    """What the mapping says of all its resources."""
    from lading.port.shown_mapping import DEFAULTS
    from lading.project.yaml_text import yaml_text

    known = {*DEFAULTS, "sendRawDataExamples"}
    for key, value in mapping.body.items():
        if key in known:
            yield yaml_text({key: value})
        elif key != "resources":
            message = f"the mapping: without {key}, which Port does not read"
            problems.append(Problem(message, mapping.place(str(key)), severity="warning"))


def _taken(
    context: Context,
    known: Known,
    mapping: Found,
    index: int,
    written: Any,
    problems: list[Problem],
) -> Iterator[Taken]:
    """What a resource becomes; what is said of it goes to `problems`."""
    from lading.mapping.importing.resources import take_over

    place = mapping.place("resources", index)
    what = f"resource {index + 1} ({_name(written)})"
    try:
        taken = tuple(take_over(written, known))
    except UserError as error:
        problems.append(Problem(f"{what} is left out: {error.message}", place, error.hint))
        return
    for each in taken:
        found = tuple(_wrong(context, each.resource))
        errors = [problem for problem in found if problem.severity == "error"]
        said = errors or found
        verb = " is left out" if errors else ""
        problems.extend(
            replace(problem, message=f"{what}{verb}: {problem.message}", place=place)
            for problem in said
        )
        if not errors:
            problems.extend(
                Problem(f"{what}: {change}", place, severity="warning") for change in each.changes
            )
            yield each


def _name(written: Any) -> str:
    """What a resource is known by: its blueprint, if it says so, and its kind."""
    kind = str((written.get("kind") if isinstance(written, dict) else None) or "no kind")
    blueprints = [str(each.get("blueprint", "")).strip("\"'") for each in mappings_of(written)]
    return " → ".join(each for each in (kind.partition("?")[0], *blueprints[:1]) if each)


def _wrong(context: Context, resource: Body) -> Iterator[Problem]:
    """What the project would say of it."""
    from lading.extract.plan import check_askings
    from lading.mapping.files import read_mappings
    from lading.mapping.kinds import all_kinds
    from lading.pipeline.askings import askings_of
    from lading.project.check import check_document
    from lading.project.documents import read_document
    from lading.project.yaml_text import yaml_text

    document = read_document("import", yaml_text({"resources": [resource]}))
    if problems := check_document(document, "mapping"):
        yield from problems
        return
    kinds = all_kinds(context.project)
    files, problems = read_mappings([document], kinds, context.now, context.jq)
    yield from problems
    resources = [each for file in files for each in file.resources]
    asked = askings_of(context.project, context.streams, resources, context.now)
    yield from check_askings(context.streams, asked)


def _made_twice(context: Context, mapping: Found) -> Iterator[Problem]:
    """Blueprints whose entities the project's own mappings make already."""
    made = {
        str(each.get("blueprint"))
        for resource in mapping.body["resources"]
        for each in mappings_of(resource)
    }
    for document in context.project.mappings:
        for index, resource in enumerate(document.data["resources"]):
            blueprint = resource["port"]["entity"]["mappings"]["blueprint"]
            if str(blueprint) in made:
                place = document.place("resources", index)
                message = f"this makes entities of the blueprint {blueprint} as well"
                hint = "keep one of the two: two rows that make the same entity are an error"
                yield Problem(message, place, hint, severity="warning")
