"""Mapping files, read and checked: what they ask for, and the program of each resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lading.errors import Place, Problem, nearest
from lading.mapping.expressions import Expression, constant, faults
from lading.mapping.outline import NO_PATH, Outline, read_outline
from lading.mapping.program import Program, fuse
from lading.mapping.selector import read_selector
from lading.mapping.workers import Workers
from lading.project.documents import Document
from lading.project.model import Kind, Project


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mapping file says about all its resources; the defaults are Port's."""

    merge: bool = True
    create_missing_related_entities: bool = True
    delete_dependent_entities: bool = True
    entity_deletion_threshold: float = 0.9


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry of `resources`.

    Attributes:
        name: its own name, else its blueprint's, else its kind's; unique in the project.
        kind: the kind as written, `model` the name of the model behind it.
        selector: every field of the kind, None for one without a value; without `query`.
        program: what is run on the model's rows.
        index: its number in the file, from 0.
    """

    name: str
    kind: str
    model: str
    selector: Mapping[str, Any]
    program: Program = field(repr=False)
    place: Place
    file: str
    index: int


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A mapping file with its settings and resources."""

    file: str
    settings: Settings
    resources: tuple[Resource, ...]


def load_mappings(
    project: Project, now: datetime
) -> tuple[tuple[MappingFile, ...], tuple[Problem, ...]]:
    """All mapping files of the project, and everything that is wrong with them.

    `now` is aware; a start after it is a warning. An expression that does not compile is an
    error here; its resource is given all the same, with an expression that fails in its place.
    A resource whose kind is unknown or whose selector is wrong is left out.

    Raises:
        MappingError: no process for JQ could be started.
    """
    return read_mappings(
        project.mappings, project.kinds, now, all_kinds_known="properties" not in project.unread
    )


def read_mappings(
    documents: Sequence[Document],
    kinds: Mapping[str, Kind] | None,
    now: datetime,
    workers: Workers | None = None,
    all_kinds_known: bool = True,
) -> tuple[tuple[MappingFile, ...], tuple[Problem, ...]]:
    """As `load_mappings`; without `kinds` any kind and any selector will do. Without `workers`
    a process is started for the time that this takes."""
    problems: list[Problem] = [each for document in documents for each in _without_effect(document)]
    drafts = [draft for document in documents for draft in _drafts(document)]
    names = _names(drafts, problems)
    broken = _broken(drafts, workers)
    resources: dict[str, list[Resource]] = {document.file: [] for document in documents}
    for draft, name in zip(drafts, names, strict=True):
        problems.extend(draft.expression_problems(broken))
        model, selector, more = draft.kind_and_selector(kinds, now)
        if draft.has_kind_of(kinds) or all_kinds_known:
            problems.extend(more)
        if model is not None:
            program = fuse(draft.outline, broken)
            resources[draft.document.file].append(draft.resource(name, model, selector, program))
    files = tuple(
        MappingFile(document.file, _settings(document.data), tuple(resources[document.file]))
        for document in documents
    )
    return files, tuple(sorted(problems, key=_by_place))


def _by_place(problem: Problem) -> tuple[str, int]:
    place = problem.place or Place("")
    return place.file, place.line or 0


@dataclass(frozen=True, slots=True)
class _Draft:
    """A resource as it is written."""

    document: Document
    index: int
    written: Mapping[str, Any]
    outline: Outline

    @property
    def at(self) -> tuple[str | int, ...]:
        return ("resources", self.index)

    @property
    def base_name(self) -> str:
        blueprint = self.outline.value("blueprint")
        return (blueprint and constant(blueprint.text)) or str(self.written["kind"])

    def resource(
        self, name: str, model: str, selector: Mapping[str, Any], program: Program
    ) -> Resource:
        return Resource(
            name=name,
            kind=self.written["kind"],
            model=model,
            selector=selector,
            program=program,
            place=self.document.place(*self.at),
            file=self.document.file,
            index=self.index,
        )

    def has_kind_of(self, kinds: Mapping[str, Kind] | None) -> bool:
        return kinds is None or self.written["kind"] in kinds

    def kind_and_selector(
        self, kinds: Mapping[str, Kind] | None, now: datetime
    ) -> tuple[str | None, Mapping[str, Any], tuple[Problem, ...]]:
        """The model's name (None if anything is wrong), the selector, the problems."""
        name = self.written["kind"]
        if kinds is None:
            written = self.written.get("selector", {})
            return name, {key: written[key] for key in written if key != "query"}, ()
        if not self.has_kind_of(kinds):
            place = self.document.place(*self.at, "kind")
            problem = Problem(f"unknown kind '{name}'", place, nearest(name, kinds))
            return None, {}, (problem,)
        selector, problems = read_selector(self.document, self.at, kinds[name], now)
        wrong = any(problem.severity == "error" for problem in problems)
        return None if wrong else kinds[name].name, selector, problems

    def expression_problems(self, broken: Mapping[str, str]) -> Iterator[Problem]:
        for each in self.outline.expressions:
            # A query that is no text at all is told by the selector's own rules.
            if each.text in broken and not (each.path == "selector.query" and self._odd_query):
                message = f"{each.path}: {broken[each.text]}"
                yield Problem(message, self.document.place(*each.at), _hint(each, self._raw(each)))
        split = self.outline.split
        if split and (split.leaves_nothing or (split.left and split.left.text in broken)):
            place = self.document.place(*split.items.at)
            yield Problem(f"{NO_PATH}: every record is skipped", place, severity="warning")

    @property
    def _odd_query(self) -> bool:
        return not isinstance(self.written.get("selector", {}).get("query", ""), str)

    def _raw(self, each: Expression) -> Any:
        found: Any = self.document.data
        for step in each.at:
            if isinstance(found, dict) and step not in found:
                return each.text
            found = found[step]
        return found


def _drafts(document: Document) -> Iterator[_Draft]:
    for index, written in enumerate(document.data.get("resources", ())):
        outline = read_outline(written, ("resources", index))
        yield _Draft(document, index, written, outline)


def _names(drafts: Sequence[_Draft], problems: list[Problem]) -> list[str]:
    """A name for each: the given ones first, then what is free for the others."""
    taken: dict[str, Place] = {}
    for draft in drafts:
        name = draft.written.get("name")
        place = draft.document.place(*draft.at, "name")
        if name in taken:
            message = f"the resource name '{name}' is taken at {taken[name]}"
            problems.append(Problem(message, place))
        elif name is not None:
            taken[name] = place
    return [draft.written.get("name") or _free_name(draft, taken) for draft in drafts]


def _free_name(draft: _Draft, taken: dict[str, Place]) -> str:
    """The blueprint's name, else with the kind, else with the number in the file, from 1."""
    base, kind, number = draft.base_name, draft.written["kind"], draft.index + 1
    candidates = (base, f"{base}.{kind}", f"{base}.{kind}.{number}")
    named_by_file = f"{draft.document.file}.{number}"
    name = next((each for each in candidates if each not in taken), named_by_file)
    taken[name] = draft.document.place(*draft.at)
    return name


def _broken(drafts: Sequence[_Draft], workers: Workers | None) -> dict[str, str]:
    texts = [each.text for draft in drafts for each in draft.outline.expressions]
    texts += [
        draft.outline.split.left.text
        for draft in drafts
        if draft.outline.split and draft.outline.split.left
    ]
    if not texts:
        return {}
    if workers is not None:
        return faults(texts, workers)
    with Workers(1) as own:
        return faults(texts, own)


def _hint(each: Expression, written: Any) -> str | None:
    if isinstance(written, bool):
        bare = str(written).lower()
        return f"YAML reads a bare {bare} as no text: write '{bare}'"
    if isinstance(written, str) and "'" in written:
        if written != each.text:
            return f"single quotes count as double ones here, as in Port: it reads {each.text}"
        return "put texts in double quotes: JQ knows no single ones"
    return None


def _without_effect(document: Document) -> Iterator[Problem]:
    for key in ("deleteDependentEntities", "entityDeletionThreshold"):
        if key in document.data:
            message = f"{key} has no effect: lading deletes nothing in Port"
            yield Problem(message, document.key_place(key), severity="warning")


def _settings(data: Mapping[str, Any]) -> Settings:
    plain = Settings()
    return Settings(
        data.get("enableMergeEntity", plain.merge),
        data.get("createMissingRelatedEntities", plain.create_missing_related_entities),
        data.get("deleteDependentEntities", plain.delete_dependent_entities),
        data.get("entityDeletionThreshold", plain.entity_deletion_threshold),
    )
