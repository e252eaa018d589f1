"""Model by model: from the file to a `Model`, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lading.errors import Place, Problem, UserError
from lading.transform.config import Config, incomplete
from lading.transform.digests import digest
from lading.transform.files import DEFAULT_SCHEMA, ModelFile
from lading.transform.model import Model
from lading.transform.names import relation
from lading.transform.properties import Properties
from lading.transform.render import Rendered, Renderer, Wish
from lading.transform.selectors import sample_selector
from lading.transform.statements import Statement, TableName, read_statement
from lading.transform.words import SourceTable

if TYPE_CHECKING:
    from lading.project.model import Project


SAMPLE_TIME = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Reading:
    """That a model reads another: by `ref`, at a place, or by its plain name, at an offset."""

    reader: str
    read: str
    place: Place | None
    offset: int


@dataclass(frozen=True, slots=True)
class Version:
    """One rendering of a model: for all rows, or for new ones."""

    rendered: Rendered
    statement: Statement
    readings: tuple[Reading, ...]
    problems: tuple[Problem, ...]


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

    def wish(self, name: str, *, incremental: bool = False) -> Wish:
        """What is rendered to see whether the model compiles; for a resource model, of a moment
        of long ago, so that it comes out the same in every run."""
        file = self._files[name]
        if file.is_resource:
            return Wish(file, SAMPLE_TIME, sample_selector(self._kinds.get(name), SAMPLE_TIME))
        return Wish(file, self._run_started_at, None, incremental)

    def compile(self, name: str) -> tuple[Model | None, tuple[Problem, ...]]:
        """The model (None with an error), and the findings."""
        file, wish = self._files[name], self.wish(name)
        if file.is_resource and name not in self._kinds:
            return None, () if self._some_kinds_unread else (_no_kind(file),)
        try:
            rendered = self.renderer.render(wish)
            config = self._config(file, rendered)
            versions = [self._version(wish, rendered)]
            if config.is_incremental:
                again = self.wish(name, incremental=True)
                versions.append(self._version(again, self.renderer.render(again)))
        except UserError as error:
            return None, error.problems
        problems = list(dict.fromkeys(each for one in versions for each in one.problems))
        if any(problem.severity == "error" for problem in problems):
            return None, tuple(problems)
        return self._model(file, config, versions), tuple(problems)

    def declared_at(self, name: str) -> Place:
        """Where a model's properties begin; its file if it has none."""
        return self._properties.get(name, Properties()).place or Place(self._files[name].file)

    def place(self, reader: str, read: str) -> Place:
        """Where a model names another one first."""
        wish = self.wish(reader)
        rendered = self.renderer.render(wish)
        statement = read_statement(rendered.sql)
        readings = {each.read: each for each in self._readings(wish, rendered, statement)}
        return self._place(readings[read]) if read in readings else Place(self._files[reader].file)

    def _place(self, reading: Reading) -> Place:
        if reading.place is not None:
            return reading.place
        return self.renderer.origin(self.wish(reading.reader), reading.offset)[0]

    def _config(self, file: ModelFile, rendered: Rendered) -> Config:
        """Its settings as both its file and its properties say.

        Raises:
            UserError: they don't go together.
        """
        properties = self._properties.get(file.name, Properties())
        config = rendered.config.over(properties.config)
        if error := incomplete(config):
            place = properties.place if rendered.config == Config() else None
            raise UserError(error.message, place=place or Place(file.file), hint=error.hint)
        return config

    def _version(self, wish: Wish, rendered: Rendered) -> Version:
        statement = read_statement(rendered.sql)
        readings = tuple(self._readings(wish, rendered, statement))
        faults = (self.renderer.problem(wish, fault) for fault in statement.faults)
        problems = (*faults, *self._refused(wish, readings))
        return Version(rendered, statement, readings, problems)

    def _readings(self, wish: Wish, rendered: Rendered, statement: Statement) -> Iterator[Reading]:
        name = wish.model.name
        for read in rendered.refs:
            yield Reading(name, read, rendered.places[read], 0)
        seen = set(rendered.refs)
        for table in statement.tables:
            plain = self._model_named(table)
            # An incremental model reads itself as it stands.
            if plain is not None and plain not in seen and not (wish.incremental and plain == name):
                seen.add(plain)
                yield Reading(name, plain, None, table.offset)

    def _refused(self, wish: Wish, readings: tuple[Reading, ...]) -> Iterator[Problem]:
        for reading in readings:
            try:
                self.renderer.ask(wish.model, "ref", (reading.read,), {})
            except UserError as error:
                yield Problem(error.message, self._place(reading), error.hint)

    def _model(self, file: ModelFile, config: Config, versions: Sequence[Version]) -> Model:
        properties = self._properties.get(file.name, Properties())
        sources: set[SourceTable] = set()
        others: set[str] = set()
        for version in versions:
            sources.update(version.rendered.sources)
            for table in version.statement.tables:
                stream = self._source_named(table)
                if stream is not None:
                    sources.add(stream)
                elif self._is_other(table):
                    others.add(relation(table.schema or DEFAULT_SCHEMA, table.name))
        return Model(
            name=file.name,
            schema=file.schema,
            file=file.file,
            is_resource=file.is_resource,
            config=config,
            description=properties.description,
            columns=properties.columns,
            depends_on=tuple(
                sorted({each.read for version in versions for each in version.readings})
            ),
            sources=tuple(sorted(sources, key=lambda table: (table.source, table.stream))),
            others=tuple(sorted(others)),
            sql=versions[0].statement.sql,
            incremental_sql=versions[1].statement.sql if len(versions) > 1 else "",
            digest=digest([version.statement.digest for version in versions]),
            volatile=next(filter(None, (each.statement.volatile for each in versions)), ""),
            environment=tuple(
                sorted({each for version in versions for each in version.rendered.environment})
            ),
        )

    def _is_other(self, table: TableName) -> bool:
        """Whether it is a relation of this database that is neither a model nor a source."""
        if table.catalog.casefold() not in {"", self._catalog}:
            return False
        return self._model_named(table) is None and self._source_named(table) is None

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
