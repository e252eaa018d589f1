"""Data tests: from the properties of models and streams, and from tests/data/, to SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lading.errors import Place, Problem, UserError
from lading.transform.data_test import DataTest
from lading.transform.files import DEFAULT_SCHEMA
from lading.transform.generic_entries import Fragment, generic_sql
from lading.transform.generic_tests import Relation
from lading.transform.properties import Properties, WrittenTest, read_properties, written_tests
from lading.transform.render import Renderer, Wish
from lading.transform.statements import HINT, Fault, TableName, read_statement
from lading.transform.test_entries import TestEntry, read_entry
from lading.transform.test_names import WantedName, detail, identifier, unique_names
from lading.transform.test_settings import TestSettings, TestTemplate
from lading.transform.test_values import model_id, source_id
from lading.transform.words import FILES, RAW, SourceTable

if TYPE_CHECKING:
    from lading.project.documents import TextFile
    from lading.project.model import Project
    from lading.transform.graph import Graph

SINGULAR = "singular"


@dataclass(frozen=True, slots=True)
class Subject:
    """What tests are declared on: a node and its relation; `label` and `prefix` go into the names
    of the tests. What is rendered for each mapping has no relation."""

    id: str
    label: str
    relation: Relation | None
    tests: tuple[WrittenTest, ...]
    prefix: str = ""


def compile_tests(
    project: Project, graph: Graph
) -> tuple[tuple[DataTest, ...], tuple[Problem, ...]]:
    """All data tests of a project: those of models, by the models' names, those of streams, and
    the singular ones; with them, all that is wrong with them.

    Tests that read a model which is not in the graph are left out: what is wrong with the model
    is known from `load_graph`, and so is what is wrong with the macros of generic tests.
    """
    compiler = _Compiler(project, graph)
    for subject in (*_models(project, graph), *_sources(project, compiler.problems)):
        for written in subject.tests:
            compiler.generic(subject, written)
    for file in sorted(project.data_tests, key=lambda each: each.file):
        compiler.singular(file)
    names, problems = unique_names([wanted for _, wanted in compiler.found])
    tests = [
        replace(test, name=name) for (test, _), name in zip(compiler.found, names, strict=True)
    ]
    found = sorted({*compiler.problems, *problems}, key=_by_place)
    return tuple(test for test in tests if _is_whole(test, graph)), tuple(found)


def location(renderer: Renderer, test: DataTest, offset: int) -> tuple[Place, str | None]:
    """Where the character at `offset` of a test's SQL was written, and a hint when it comes out
    of a macro."""
    place, hint = renderer.origin(test.wish, offset) if test.wish else (test.place, None)
    if test.test == SINGULAR:
        return place, hint
    fragments: tuple[Fragment, ...] = test.fragments
    around = [each for each in fragments if _is_in(each.sql, test.sql, offset)]
    return min(around, key=lambda each: len(each.sql)).place if around else test.place, hint


def _is_in(fragment: str, sql: str, offset: int) -> bool:
    """Whether an offset is in the fragment, or at what follows it, where its end is missed."""
    start = sql.find(fragment)
    while start >= 0:
        if start <= offset <= start + len(fragment) + 1:
            return True
        start = sql.find(fragment, start + 1)
    return False


def _is_whole(test: DataTest, graph: Graph) -> bool:
    models = {model_id(name) for name in graph.models}
    return all(each in models for each in test.depends_on if each.startswith(model_id("")))


def _by_place(problem: Problem) -> tuple[str, int, int, str]:
    place = problem.place or Place("")
    return place.file, place.line or 0, place.column or 0, problem.message


def _models(project: Project, graph: Graph) -> Iterator[Subject]:
    files = graph.compiler.renderer.files
    properties, _ = read_properties(project, files)
    for name, file in files.items():
        relation = None if file.is_resource else Relation(name, file.relation)
        tests = properties.get(name, Properties()).tests
        yield Subject(model_id(name), name, relation, tests)


def _sources(project: Project, problems: list[Problem]) -> Iterator[Subject]:
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            key, schema = ("files", FILES) if "files" in source else ("streams", RAW)
            for index, each in enumerate(source[key]):
                tests, more = written_tests(document, ("sources", number, key, index), each)
                problems.extend(more)
                table = SourceTable(source["name"], each["name"], schema)
                relation = Relation(table.stream, table.relation)
                label = identifier(table.source, table.stream)
                yield Subject(source_id(table), label, relation, tests, "source")


class _Compiler:
    """Compiles test by test, and keeps what it finds."""

    def __init__(self, project: Project, graph: Graph) -> None:
        self.found: list[tuple[DataTest, WantedName]] = []
        self.problems: list[Problem] = []
        self._renderer = graph.compiler.renderer
        self._run_started_at = graph.run_started_at
        self._catalogs = {"", project.target.database.stem.casefold()}
        self._models = {
            (file.schema.casefold(), name.casefold()): name
            for name, file in self._renderer.files.items()
        }
        self._tables = {
            (table.schema, table.stream.casefold()): table
            for table in reversed(self._renderer.tables)
        }

    def generic(self, subject: Subject, written: WrittenTest) -> None:
        """A test of a model or a stream, or of a column of one."""
        try:
            entry = read_entry(written)
            if entry.test in self._renderer.unread_tests:
                return  # what is wrong with its macro is known
            if subject.relation is None:
                message = f"'{subject.label}' is rendered for each mapping, and never made"
                hint = "declare the test on the model that it reads from"
                raise UserError(message, place=entry.place, hint=hint)
            found = generic_sql(
                self._renderer, written, entry, subject.relation, self._run_started_at
            )
        except UserError as error:
            self.problems.extend(error.problems)
            return
        test = DataTest(
            name="",
            test=entry.test,
            sql=found.sql,
            depends_on=(),
            attached_to=subject.id,
            column=written.column,
            place=entry.place,
            description=entry.description,
            order=found.order,
            wish=found.wish,
            fragments=found.fragments,
        )
        test = _with_settings(test, entry.settings.over(found.settings))
        reads = {subject.id, *found.reads}
        wanted = _wanted(subject, written, entry)
        if found.is_safe:
            self.found.append((replace(test, depends_on=tuple(sorted(reads))), wanted))
        else:
            self._read(test, reads, wanted)

    def singular(self, file: TextFile) -> None:
        """A test that is a file of SQL."""
        template = TestTemplate(file.name, file.file, file.text)
        wish = Wish(template, self._run_started_at)
        try:
            rendered = self._renderer.render(wish)
        except UserError as error:
            self.problems.extend(error.problems)
            return
        place = Place(file.file)
        test = DataTest("", SINGULAR, rendered.sql, (), "", "", place, wish=wish)
        reads = {*map(model_id, rendered.refs), *map(source_id, rendered.sources)}
        test = _with_settings(test, rendered.settings)
        self._read(test, reads, WantedName(file.name, place))

    def _read(self, test: DataTest, reads: set[str], wanted: WantedName) -> None:
        """Read the SQL of a test, and keep it if it is one query."""
        statement = read_statement(test.sql)
        problems = [self._problem(test, _of_test(fault)) for fault in statement.faults]
        for table in statement.tables:
            try:
                reads |= self._node(table)
            except UserError as error:
                fault = Fault(error.message, table.offset, error.hint)
                problems.append(self._problem(test, fault))
        self.problems.extend(problems)
        if all(problem.severity == "warning" for problem in problems):
            test = replace(test, sql=statement.sql, depends_on=tuple(sorted(reads)))
            self.found.append((test, wanted))

    def _problem(self, test: DataTest, fault: Fault) -> Problem:
        place, origin = location(self._renderer, test, fault.offset)
        hint = "; ".join(filter(None, [fault.hint, origin])) or None
        return Problem(fault.message, place, hint, fault.severity)

    def _node(self, table: TableName) -> set[str]:
        """The id of a node that SQL names by its plain name."""
        if table.catalog.casefold() not in self._catalogs:
            return set()
        schema, name = (table.schema or DEFAULT_SCHEMA).casefold(), table.name.casefold()
        if schema in {RAW, FILES}:
            stream = self._tables.get((schema, name))
            return {source_id(stream)} if stream else set()
        if (model := self._models.get((schema, name))) is None:
            return set()
        self._renderer.ask(None, "ref", (model,), {})
        return {model_id(model)}


def _of_test(fault: Fault) -> Fault:
    """A fault of SQL that is said of a model, said of a test."""
    if fault.hint != HINT:
        return fault
    return replace(
        fault, message=fault.message.replace("model", "test"), hint=HINT.replace("model", "test")
    )


def _with_settings(test: DataTest, settings: TestSettings) -> DataTest:
    return replace(
        test,
        severity=settings.severity or test.severity,
        warn_if=settings.warn_if or test.warn_if,
        error_if=settings.error_if or test.error_if,
        limit=settings.limit,
        store_failures=bool(settings.store_failures),
        tags=settings.tags,
    )


def _wanted(subject: Subject, written: WrittenTest, entry: TestEntry) -> WantedName:
    if entry.name:
        return WantedName(entry.name, entry.name_place)
    columns = entry.arguments.get("columns")
    parts = columns.value if columns else written.column
    listed = map(str, parts) if isinstance(parts, list) else [str(parts)]
    name = identifier(subject.prefix, entry.test, subject.label, *listed)
    said = {key: given.value for key, given in entry.arguments.items() if key != "columns"}
    return WantedName(name, entry.place, detail(said), is_given=False)
