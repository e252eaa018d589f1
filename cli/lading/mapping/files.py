"""Mapping files, read and checked: what they ask for, and the program of each resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from lading.errors import Place, Problem, nearest
from lading.mapping.expressions import Expression, Fault, faults
from lading.mapping.kinds import all_kinds
from lading.mapping.outline import NO_PATH, Outline, read_outline
from lading.mapping.program import Program, fuse
from lading.mapping.scalars import place_within
from lading.mapping.selector import read_selector
from lading.mapping.suspicions import Suspect, blueprint_name, written_at
from lading.mapping.workers import Workers
from lading.project.cache import Cache, entry_key
from lading.project.documents import Document
from lading.project.model import Kind, Project

OnDuplicate = Literal["error", "first", "last"]
Retention = Literal["keep", "window"]
ROW_KEY = re.compile(r"\.([A-Za-z_]\w*)")
# The text of a project's file by its name.
Read = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mapping file says about all its resources; the defaults are Port's."""

    merge: bool = True
    create_missing_related_entities: bool = True
    delete_dependent_entities: bool = True
    entity_deletion_threshold: float = 0.9


@dataclass(frozen=True, slots=True)
class Sends:
    """The properties and relations that a resource's entities have, and where the file says so."""

    properties: Mapping[str, Place] = field(default_factory=dict)
    relations: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry of `resources`.

    Attributes:
        name: its own name, else its blueprint's, else its kind's; unique in the project.
        kind: the kind as written, `model` the name of the model behind it.
        selector: every field of the kind, None for one without a value; without `query`.
        program: what is run on the model's rows.
        index: its number in the file, from 0.
        on_duplicate: what is made of two rows with the same identifier that differ.
        blueprint: of all its entities, if it is written out.
        retention: what becomes of entities from before what the selector asks for.
        copies: the properties that are a key of the row and nothing else, by that key.
        sends: the names of what they have.
    """

    name: str
    kind: str
    model: str
    selector: Mapping[str, Any]
    program: Program = field(repr=False)
    place: Place
    file: str
    index: int
    on_duplicate: OnDuplicate = "error"
    blueprint: str | None = None
    retention: Retention = "keep"
    copies: Mapping[str, str] = field(default_factory=dict)
    sends: Sends = Sends()


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A mapping file with its settings and resources."""

    file: str
    settings: Settings
    resources: tuple[Resource, ...]


def load_mappings(
    project: Project, now: datetime, workers: Workers, cache: Cache | None = None
) -> tuple[tuple[MappingFile, ...], tuple[Problem, ...]]:
    """All mapping files of the project, and everything that is wrong with them.

    `now` is aware; a start after it is a warning. An expression that does not compile is an
    error here; its resource is given all the same, with an expression that fails in its place.
    A resource whose kind is unknown or whose selector is wrong is left out. What compiles and is
    surely not meant is a warning. Expressions that `cache` knows to compile are not tried again.

    Raises:
        MappingError: no process for JQ could be started.
    """
    return read_mappings(
        project.mappings,
        all_kinds(project),
        now,
        workers,
        all_kinds_known="properties" not in project.unread,
        blueprints={str(each.data["identifier"]): each.data for each in project.blueprints},
        read=lambda file: (project.root / file).read_text("utf-8"),
        cache=cache,
    )


def read_mappings(
    documents: Sequence[Document],
    kinds: Mapping[str, Kind] | None,
    now: datetime,
    workers: Workers,
    all_kinds_known: bool = True,
    blueprints: Mapping[str, Mapping[str, Any]] | None = None,
    read: Read | None = None,
    cache: Cache | None = None,
) -> tuple[tuple[MappingFile, ...], tuple[Problem, ...]]:
    """As `load_mappings`; without `kinds` any kind and any selector will do, and without `read` an
    error within an expression is placed where the expression begins."""
    problems: list[Problem] = []
    drafts = [draft for document in documents for draft in _drafts(document)]
    names = _names(drafts, problems)
    broken = _broken(drafts, workers, cache)
    resources: dict[str, list[Resource]] = {document.file: [] for document in documents}
    for draft, name in zip(drafts, names, strict=True):
        problems.extend(draft.expression_problems(broken, read, any_kind=kinds is None))
        model, selector, more = draft.kind_and_selector(kinds, now)
        if draft.has_kind_of(kinds) or all_kinds_known:
            problems.extend(more)
        suspect = draft.suspect(selector, kinds or {}, blueprints or {})
        problems.extend(suspect.suspicions(broken))
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
        return blueprint_name(self.outline) or str(self.written["kind"])

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
            on_duplicate=self.written.get("onDuplicate", "error"),
            blueprint=blueprint_name(self.outline),
            retention=self.written.get("retention", "keep"),
            copies=_copies(self.outline),
            sends=Sends(self._sent("properties"), self._sent("relations")),
        )

    def _sent(self, what: str) -> Mapping[str, Place]:
        shape = self.outline.shape.get(what)
        at = (*self.at, "port", "entity", "mappings", what)
        names = shape if isinstance(shape, dict) else ()
        return {name: self.document.key_place(*at, name) for name in names}

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

    def suspect(
        self,
        selector: Mapping[str, Any],
        kinds: Mapping[str, Kind],
        blueprints: Mapping[str, Mapping[str, Any]],
    ) -> Suspect:
        blueprint = blueprints.get(blueprint_name(self.outline) or "")
        kind = kinds.get(self.written["kind"])
        return Suspect(self.document, self.outline, selector, kind, blueprint)

    def expression_problems(
        self, broken: Mapping[str, Fault], read: Read | None, *, any_kind: bool
    ) -> Iterator[Problem]:
        for each in self.outline.expressions:
            # A query that is no text at all is told by the rules for the selector of its kind.
            is_told = each.path == "selector.query" and self._odd_query and not any_kind
            if each.text in broken and not is_told:
                fault = broken[each.text]
                hint = _hint(each, written_at(self.document.data, each))
                place = place_of(self.document, each, fault, read)
                yield Problem(f"{each.path}: {fault}", place, hint)
        split = self.outline.split
        if split and (split.leaves_nothing or (split.left and split.left.text in broken)):
            place = self.document.place(*split.items.at)
            yield Problem(f"{NO_PATH}: every record is skipped", place, severity="warning")

    @property
    def _odd_query(self) -> bool:
        return not isinstance(self.written.get("selector", {}).get("query", ""), str)


def place_of(document: Document, each: Expression, fault: Fault, read: Read | None) -> Place:
    """Where jq points at, if that is a place of the file; else where the expression begins."""
    place = document.place(*each.at)
    if read is None or fault.offset is None:
        return place
    written = written_at(document.data, each)
    try:
        text = read(document.file)
    except (OSError, UnicodeDecodeError):
        return place
    spot = place_within(text, each.at, str(written), fault.offset)
    return place if spot is None else replace(place, line=spot[0], column=spot[1])


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


def _broken(drafts: Sequence[_Draft], workers: Workers, cache: Cache | None) -> dict[str, Fault]:
    texts = [each.text for draft in drafts for each in draft.outline.expressions]
    texts += [
        draft.outline.split.left.text
        for draft in drafts
        if draft.outline.split and draft.outline.split.left
    ]
    key = entry_key(sorted(set(texts)))
    if not texts or (cache is not None and cache.get("expressions", key, bool)):
        return {}
    found = faults(texts, workers)
    if cache is not None and not found:
        cache.put("expressions", key, not found)
    return found


def _hint(each: Expression, written: Any) -> str | None:
    if isinstance(written, bool):
        bare = str(written).lower()
        return f"YAML reads a bare {bare} as no text: write '{bare}'"
    if isinstance(written, str) and "'" in written:
        if written != each.text:
            return f"single quotes count as double ones here, as in Port: it reads {each.text}"
        return "put texts in double quotes: JQ knows no single ones"
    return None


def _copies(outline: Outline) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in outline.values:
        part, _, name = each.path.partition(".")
        if part == "properties" and (key := ROW_KEY.fullmatch(each.text.strip())):
            found.setdefault(key[1], name)
    return found


def _settings(data: Mapping[str, Any]) -> Settings:
    plain = Settings()
    return Settings(
        data.get("enableMergeEntity", plain.merge),
        data.get("createMissingRelatedEntities", plain.create_missing_related_entities),
        data.get("deleteDependentEntities", plain.delete_dependent_entities),
        data.get("entityDeletionThreshold", plain.entity_deletion_threshold),
    )
