"""Model by model: from the file to a `Model`, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError
from lading.transform.files import DEFAULT_SCHEMA, ModelFile
from lading.transform.model import Model
from lading.transform.properties import Properties
from lading.transform.render import Rendered, Renderer, Wish
from lading.transform.selectors import sample_selector
from lading.transform.statements import Statement, TableName, read_statement
from lading.transform.words import Materialization, SourceTable

if TYPE_CHECKING:
    from lading.project.model import Project


@dataclass(frozen=True, slots=True)
class Reading:
    """That a model reads another: by `ref`, at a place, or by its plain name, at an offset."""

    reader: str
    read: str
    place: Place | None
    offset: int


class Compiler:
    """Compiles the models of one project for one moment."""

    def __init__(
        self,
        project: Project,
        files: Mapping[str, ModelFile],
        properties: Mapping[str, Properties],
        run_started_at: str,
    ) -> None:
        self.renderer = Renderer(project, files)
        self._files = files
        self._properties = properties
        self._run_started_at = run_started_at
        self._kinds = project.kinds
        self._some_kinds_unread = "properties" in project.unread
        self._catalog = project.target.database.stem.casefold()
        self._models = {
            (file.schema.casefold(), name.casefold()): name for name, file in files.items()
        }
        self._tables = {
            (table.schema, table.stream.casefold()): table
            for table in reversed(self.renderer.tables)
        }

    def wish(self, name: str) -> Wish:
        """What is rendered to see whether the model compiles."""
        file = self._files[name]
        selector: Mapping[str, Any] | None = None
        if file.is_resource:
            selector = sample_selector(self._kinds.get(name), self._run_started_at)
        return Wish(file, self._run_started_at, selector)

    def compile(self, name: str) -> tuple[Model | None, tuple[Reading, ...], tuple[Problem, ...]]:
        """The model (None with an error), what it reads, and the findings."""
        wish = self.wish(name)
        if wish.model.is_resource and name not in self._kinds:
            return None, (), () if self._some_kinds_unread else (_no_kind(wish.model),)
        try:
            rendered = self.renderer.render(wish)
        except UserError as error:
            return None, (), error.problems
        statement = read_statement(rendered.sql)
        problems = [self.renderer.problem(wish, fault) for fault in statement.faults]
        readings = tuple(self._readings(name, rendered, statement))
        problems.extend(self._refused(wish, readings))
        if any(problem.severity == "error" for problem in problems):
            return None, (), tuple(problems)
        return self._model(wish.model, rendered, statement, readings), readings, tuple(problems)

    def place(self, reading: Reading) -> Place:
        """Where a model names the other one."""
        if reading.place is not None:
            return reading.place
        return self.renderer.origin(self.wish(reading.reader), reading.offset)[0]

    def _readings(self, name: str, rendered: Rendered, statement: Statement) -> Iterator[Reading]:
        for read in rendered.refs:
            yield Reading(name, read, rendered.places[read], 0)
        seen = set(rendered.refs)
        for table in statement.tables:
            plain = self._model_named(table)
            if plain is not None and plain not in seen:
                seen.add(plain)
                yield Reading(name, plain, None, table.offset)

    def _refused(self, wish: Wish, readings: tuple[Reading, ...]) -> Iterator[Problem]:
        for reading in readings:
            try:
                self.renderer.ask(wish.model, "ref", (reading.read,), {})
            except UserError as error:
                yield Problem(error.message, self.place(reading), error.hint)

    def _model(
        self,
        file: ModelFile,
        rendered: Rendered,
        statement: Statement,
        readings: tuple[Reading, ...],
    ) -> Model:
        properties = self._properties.get(file.name, Properties())
        plain = (self._source_named(table) for table in statement.tables)
        sources = {*rendered.sources, *(table for table in plain if table is not None)}
        return Model(
            name=file.name,
            folder=file.schema,
            schema=file.schema,
            file=file.file,
            materialized=_materialized(file, rendered, properties),
            description=properties.description,
            tags=tuple(dict.fromkeys((*properties.tags, *rendered.config.tags))),
            columns=properties.columns,
            depends_on=tuple(sorted(reading.read for reading in readings)),
            sources=tuple(sorted(sources, key=lambda table: (table.source, table.stream))),
            sql=statement.sql,
        )

    def _model_named(self, table: TableName) -> str | None:
        if table.catalog.casefold() not in {"", self._catalog}:
            return None
        schema = table.schema or DEFAULT_SCHEMA
        return self._models.get((schema.casefold(), table.name.casefold()))

    def _source_named(self, table: TableName) -> SourceTable | None:
        if table.catalog.casefold() not in {"", self._catalog}:
            return None
        return self._tables.get((table.schema.casefold(), table.name.casefold()))


def _no_kind(file: ModelFile) -> Problem:
    return Problem(
        f"the resource model '{file.name}' has no kind, so no mapping can use it",
        Place(file.file),
        f"declare it in a .yml file beside it: models: [{{name: {file.name}, kind: …}}]",
    )


def _materialized(file: ModelFile, rendered: Rendered, properties: Properties) -> Materialization:
    if file.is_resource:
        return "resource"
    return rendered.config.materialized or properties.materialized or "view"
