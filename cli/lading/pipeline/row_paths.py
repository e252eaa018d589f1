"""Paths that mappings read and no row has: what a model's SQL gives is known without a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lading.errors import Problem, UserError, nearest
from lading.mapping.jq_tokens import tokens
from lading.mapping.outline import Outline, read_outline
from lading.mapping.paths import ELEMENT, read_paths

if TYPE_CHECKING:
    from lading.mapping.expressions import Expression
    from lading.mapping.files import Resource
    from lading.project.documents import Document
    from lading.project.model import Project
    from lading.transform.graph import Graph

# With one of these an expression may ask for what it knows to be missing.
CAUTIOUS = frozenset({"has", "try", "?", "getpath"})

Path = tuple[str, ...]


@dataclass(slots=True)
class Fields:
    """What is known within a value; `is_open` if there may be more."""

    inner: dict[str, Fields] = field(default_factory=dict)
    is_open: bool = False

    def missing(self, path: Path) -> int | None:
        """The number of the first step that leads to nothing, from 0; None if none surely does."""
        here = self
        for number, step in enumerate(path):
            if here.is_open or not here.inner:
                return None
            if step not in here.inner:
                # DuckDB may write a column's name as another query did, in capitals or small.
                may_be = {ELEMENT, *(name.casefold() for name in here.inner)}
                is_list = ELEMENT in here.inner
                return None if is_list or step.casefold() in may_be else number
            here = here.inner[step]
        return None

    def within(self, path: Path) -> Fields:
        here = self
        for step in path:
            here = here.inner[step]
        return here


def unknown_paths(
    project: Project, graph: Graph, resources: Sequence[Resource], now: datetime
) -> Iterator[Problem]:
    """A warning for each path of an expression that no row of its resource has."""
    documents = {each.file: each for each in project.mappings}
    for resource in resources:
        document = documents[resource.file]
        rows = fields_of(project, graph, resource.model, resource.selector, now)
        if rows is not None and not rows.is_open:
            yield from _of_resource(document, resource, rows)


def _of_resource(document: Document, resource: Resource, rows: Fields) -> Iterator[Problem]:
    written = document.data["resources"][resource.index]
    outline = read_outline(written, ("resources", resource.index))
    for each in outline.expressions:
        for path in _read_by(each, outline):
            if (number := rows.missing(path)) is not None:
                names = rows.within(path[:number]).inner
                known = nearest(path[number], names)
                message = f"{each.path} reads {_shown(path)}, which no row of '{resource.kind}' has"
                yield Problem(message, document.place(*each.at), known, severity="warning")


def _read_by(each: Expression, outline: Outline) -> tuple[Path, ...]:
    """The paths in the row that an expression reads for sure."""
    if any(token.text in CAUTIOUS for token in tokens(each.text) if token.kind != "text"):
        return ()
    split = outline.split
    if split is None or each is split.items:
        return read_paths(each.text)
    return read_paths(each.text, split.items.text, split.name)


def _shown(path: Path) -> str:
    return "".join(step if step == ELEMENT else f".{step}" for step in path)


def fields_of(
    project: Project, graph: Graph, name: str, selector: Mapping[str, Any], now: datetime
) -> Fields | None:
    """The fields of a model's rows for a selector; None if they can't be known."""
    from lading.transform.lineage import column_lineage
    from lading.transform.resources import resource_sql

    model = graph.models.get(name)
    if model is None:
        return None
    try:
        sql = resource_sql(graph, project, name, selector, now)
    except UserError:
        return None
    found = column_lineage(sql if model.is_resource else model.sql, {})
    return _as_fields([(each.column, each.path) for each in found]) if found else None


def _as_fields(columns: Sequence[tuple[str, Path]]) -> Fields:
    """Columns and the fields within them, as far as a query builds them itself."""
    from lading.transform.decoded import ANY_KEY
    from lading.transform.lineage import ANY_COLUMN

    whole = Fields()
    for column, path in columns:
        if column == ANY_COLUMN:
            whole.is_open = True
            continue
        here = whole.inner.setdefault(column, Fields())
        if not path:
            here.is_open = True
        for step in path:
            if step == ANY_KEY:
                here.is_open = True
                break
            here = here.inner.setdefault(step, Fields())
        else:
            here.is_open = here.is_open or not here.inner
    return whole
