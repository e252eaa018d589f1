"""The resources of mapping files, read to be tried out: an expression that does not compile is told
and refuses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lading.errors import Problem, UserError, nearest

if TYPE_CHECKING:
    from datetime import datetime

    from lading.errors import Place
    from lading.mapping.expressions import Fault
    from lading.mapping.files import Read, Resource
    from lading.mapping.outline import Outline
    from lading.mapping.workers import Workers
    from lading.project.documents import Document
    from lading.project.model import Kind


@dataclass(frozen=True, slots=True)
class Trial:
    """A resource to try out. `faults` are its expressions that do not compile, by their path;
    `problems` say the same with file and line."""

    resource: Resource
    outline: Outline = field(repr=False)
    document: Document = field(repr=False)
    broken: Mapping[str, Fault] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()

    @property
    def faults(self) -> Mapping[str, str]:
        return {
            each.path: str(self.broken[each.text])
            for each in self.outline.expressions
            if each.text in self.broken
        }


def read_mapping(file: str, text: str) -> Document:
    """A mapping file that belongs to no project.

    Raises:
        UserError: it has not the shape of one.
    """
    from lading.project.check import check_document
    from lading.project.documents import read_document

    document = read_document(file, text)
    if problems := check_document(document, "mapping"):
        raise UserError(problems=problems)
    return document


def read_trials(
    documents: Sequence[Document], now: datetime, workers: Workers, read: Read
) -> tuple[tuple[Trial, ...], tuple[Problem, ...]]:
    """The resources of mapping files, whatever their kinds, with warnings about the files. `read`
    gives the text of each.

    Raises:
        UserError: something else is wrong with them than an expression.
        MappingError: no process for JQ could be started.
    """
    from lading.mapping.expressions import faults
    from lading.mapping.files import read_mappings
    from lading.mapping.outline import read_outline

    files, found = read_mappings(documents, None, now, workers, read=read)
    written = {document.file: document for document in documents}
    resources = [resource for file in files for resource in file.resources]
    outlines = [
        read_outline(written[each.file].data["resources"][each.index], ("resources", each.index))
        for each in resources
    ]
    texts = [each.text for outline in outlines for each in outline.expressions]
    broken = faults(texts, workers) if texts else {}
    trials = []
    left = list(found)
    for resource, outline in zip(resources, outlines, strict=True):
        document = written[resource.file]
        places = set(_places(document, outline, broken, read))
        ours = [each for each in left if each.place in places and each.severity == "error"]
        left = [each for each in left if each not in ours]
        trials.append(Trial(resource, outline, document, broken, tuple(ours)))
    if any(each.severity == "error" for each in left):
        raise UserError(problems=left)
    return tuple(trials), tuple(left)


def _places(
    document: Document, outline: Outline, broken: Mapping[str, Fault], read: Read
) -> Iterator[Place]:
    from lading.mapping.files import place_of

    for each in outline.expressions:
        if each.text in broken:
            yield place_of(document, each, broken[each.text], read)


def chosen(trials: Sequence[Trial], names: Sequence[str]) -> tuple[Trial, ...]:
    """Those that are named, each by its own name or, all that have it, by their kind.

    Raises:
        UserError: there is no such resource.
    """
    known = {name for each in trials for name in (each.resource.name, each.resource.kind)}
    for name in names:
        if name not in known:
            raise UserError(f"there is no resource '{name}'", hint=nearest(name, known))
    if not names:
        return tuple(trials)
    return tuple(
        each for each in trials if {each.resource.name, each.resource.kind} & frozenset(names)
    )


def with_rows(
    trials: Sequence[Trial], kinds: Mapping[str, Kind], now: datetime
) -> tuple[tuple[Trial, ...], tuple[Problem, ...]]:
    """Those whose kind has rows, with the selector that these are read by, and what is said of the
    others.

    Raises:
        UserError: a selector is wrong, or there is no kind of any of them.
    """
    from lading.mapping.selector import read_selector

    found: list[Trial] = []
    strangers: list[Problem] = []
    wrong: list[Problem] = []
    for each in trials:
        at, kind = ("resources", each.resource.index), kinds.get(each.resource.kind)
        if kind is None:
            strangers.append(_stranger(each, kinds))
            continue
        selector, problems = read_selector(each.document, at, kind, now)
        wrong += [each for each in problems if each.severity == "error"]
        found.append(
            replace(each, resource=replace(each.resource, model=kind.name, selector=selector))
        )
    if wrong or (strangers and not found):
        raise UserError(problems=(*wrong, *strangers))
    return tuple(found), tuple(replace(each, severity="warning") for each in strangers)


def _stranger(trial: Trial, kinds: Mapping[str, Kind]) -> Problem:
    kind = trial.resource.kind
    place = trial.document.place("resources", trial.resource.index, "kind")
    hint = f"{nearest(kind, kinds)}; `--records FILE` gives it records of your own"
    return Problem(f"no rows have landed for the unknown kind '{kind}'", place, hint)
