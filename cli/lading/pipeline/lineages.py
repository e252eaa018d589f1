"""From the keys of the reports through every model's columns to the properties in Port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.project.cache import entry_key
from lading.transform.files import RESOURCES
from lading.transform.lineage import ANY_COLUMN, ColumnLineage, Origin, column_lineage, trace
from lading.transform.lineage_values import distinct
from lading.transform.words import FILES, RAW

if TYPE_CHECKING:
    from lading.mapping.files import Resource
    from lading.mapping.outline import Outline
    from lading.pipeline.context import Context
    from lading.transform.model import Model

Lineage = tuple[ColumnLineage, ...]
Path = tuple[str, ...]
Columns = tuple[str, ...]
# The query that gives a mapping its rows, beside the relations of the database.
ROW = "<row>"


@dataclass(frozen=True, slots=True)
class PropertyLineage:
    """Where one part of an entity (`identifier`, `properties.amount`) comes from.

    Attributes:
        reads: the paths of the row that its expressions read; `()` is all of the row.
        columns: what these are in the relations that the mapping's query reads.
        raw: what they are in the end, in relations that no model makes.
    """

    name: str
    expressions: tuple[str, ...]
    reads: tuple[Path, ...]
    columns: tuple[Origin, ...]
    raw: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Lineages:
    """Of all models and all mappings, by the ids of their nodes; `relations` are the ids of the
    nodes behind the relations that origins name."""

    relations: Mapping[str, str]
    models: Mapping[str, Lineage]
    mappings: Mapping[str, tuple[PropertyLineage, ...]]


def lineages_of(context: Context) -> Lineages:
    """The lineages of a project; what was worked out of the same SQL before is not again."""
    tracing = _Tracing(context)
    models = {model.id: tracing.model(model) for model in context.graph.models.values()}
    mappings = {
        f"mapping.{resource.name}": tuple(tracing.properties(resource))
        for resource in context.resources
    }
    return Lineages(dict(_relations(context)), models, mappings)


def relation_key(schema: str, name: str) -> str:
    """A relation as origins name it."""
    return f"{schema}.{name}".casefold()


@cache
def own_tables() -> Mapping[str, Columns]:
    """The columns of this package's own tables; those of every stream as the stream `*`."""
    from sqlglot import exp, parse

    from lading.transform.statements import DIALECT
    from lading.warehouse.tables import BOOKKEEPING
    from lading.warehouse.tables import RAW as RAW_TABLES

    found = {}
    for statement in parse(BOOKKEEPING + RAW_TABLES.format(stream="*"), dialect=DIALECT):
        schema = statement.this if isinstance(statement, exp.Create) else None
        if isinstance(schema, exp.Schema):
            table = schema.this
            columns = [each.name for each in schema.expressions if isinstance(each, exp.ColumnDef)]
            found[relation_key(table.db, table.name)] = tuple(columns)
    return found


def _relations(context: Context) -> Iterator[tuple[str, str]]:
    for document in context.project.sources:
        for source in document.data["sources"]:
            for key, schema in (("streams", RAW), ("files", FILES)):
                for each in source.get(key, ()):
                    node = f"source.{source['name']}.{each['name']}"
                    yield relation_key(schema, each["name"]), node
    for model in context.graph.models.values():
        if not model.is_resource:
            yield relation_key(model.schema, model.name), model.id


class _Tracing:
    """Goes from model to model, each after those that it reads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lineages: dict[str, Lineage] = {}
        self._columns: dict[str, Columns] = {
            relation_key(FILES, file.name): tuple(each.name for each in file.columns)
            for file in context.files.values()
            if file.columns
        }

    def model(self, model: Model) -> Lineage:
        """The lineage of a model; of a resource model, as it is for its kind's default selector."""
        reads = [self._context.graph.models[each] for each in model.depends_on]
        relations = {relation_key(each.schema, each.name) for each in reads}
        relations |= {relation_key(FILES, each.stream) for each in model.sources if each.is_file}
        known = {each: self._columns[each] for each in relations & self._columns.keys()}
        key = entry_key(model.sql, sorted(known.items()))
        found = self._kept(key, lambda: column_lineage(model.sql, {**self._own(), **known}))
        name = relation_key(model.schema, model.name)
        columns = tuple(dict.fromkeys(each.column for each in found))
        if ANY_COLUMN not in columns:
            self._columns[name] = columns
        if model.schema != RESOURCES:
            self._lineages[name] = found
        return found

    def properties(self, resource: Resource) -> Iterator[PropertyLineage]:
        """The lineage of each part of an entity, in the order of the file."""
        outline = self._outline(resource)
        known = {**self._lineages, ROW: self._rows(resource)}
        split = (outline.split.items.text, outline.split.name) if outline.split else (None, "item")
        for name in dict.fromkeys(each.path for each in outline.values):
            expressions = tuple(each.text for each in outline.values if each.path == name)
            yield _property(name, expressions, split, known)

    def _rows(self, resource: Resource) -> Lineage:
        """The lineage of the query that gives a mapping its rows."""
        context = self._context
        texts = [file.text for file in context.project.models if file.name == resource.model]
        known = sorted(self._columns.items())
        kind = context.project.kinds.get(resource.kind)
        key = entry_key(
            resource.model,
            sorted(resource.selector.items(), key=repr),
            texts,
            [file.text for file in context.project.macros],
            context.graph.models[resource.model].environment,
            sorted(context.project.variables.items(), key=repr),
            sorted(kind.fields.items()) if kind else [],
            known,
        )
        return self._kept(key, lambda: self._lineage_of_rows(resource))

    def _lineage_of_rows(self, resource: Resource) -> Lineage:
        from lading.pipeline.nodes import LONG_AGO
        from lading.transform.resources import resource_sql

        graph, project = self._context.graph, self._context.project
        sql = resource_sql(graph, project, resource.model, resource.selector, LONG_AGO)
        return column_lineage(sql, {**self._own(), **self._columns})

    def _outline(self, resource: Resource) -> Outline:
        from lading.mapping.outline import read_outline

        documents = {document.file: document.data for document in self._context.project.mappings}
        written: Mapping[str, Any] = documents[resource.file]["resources"][resource.index]
        return read_outline(written, ("resources", resource.index))

    def _own(self) -> Mapping[str, Columns]:
        tables = own_tables()
        streams = {
            relation_key(schema, stream.name): tables[f"{schema}.*"]
            for stream in self._context.streams
            for schema in (RAW, "raw_history")
        }
        return {**tables, **streams}

    def _kept(self, key: str, make: Callable[[], Lineage]) -> Lineage:
        found = self._context.cache.get("lineage", key, Lineage)
        if found is None:
            found = make()
            self._context.cache.put("lineage", key, found)
        return found


def _property(
    name: str,
    expressions: tuple[str, ...],
    split: tuple[str | None, str],
    known: Mapping[str, Lineage],
) -> PropertyLineage:
    from lading.mapping.paths import read_paths

    items, item = split
    reads = sorted({path for each in expressions for path in read_paths(each, items, item)})
    return PropertyLineage(
        name,
        expressions,
        tuple(reads),
        _origins({ROW: known[ROW]}, reads),
        _origins(known, reads),
    )


def _origins(lineages: Mapping[str, Lineage], reads: Iterable[Path]) -> tuple[Origin, ...]:
    """What parts of a row are in the relations without a lineage."""
    all_columns = dict.fromkeys(each.column for each in lineages[ROW])
    wanted = [(column, path[1:]) for path in reads for column in (path[:1] or all_columns)]
    return distinct(
        {each for column, path in wanted for each in trace(lineages, ROW, column, path)}
    )
