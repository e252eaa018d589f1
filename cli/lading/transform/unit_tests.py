"""The unit tests of models, as the files of tests/models/ have them.

A test gives rows for what a model reads, and says which rows the model then has. It needs neither
the project's database nor any key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError, nearest
from lading.project.exact import json_of, with_exact_numbers
from lading.transform.names import relation
from lading.transform.render import Renderer, Wish
from lading.transform.selectors import complete
from lading.transform.statements import read_statement

if TYPE_CHECKING:
    from lading.project.documents import Document, KeyPath
    from lading.project.model import Kind, Project
    from lading.transform.graph import Graph
    from lading.transform.skeleton import Columns
    from lading.transform.words import SourceTable

THIS = "this"
REF = re.compile(r"""ref\(\s*(['"])(?P<name>[^'"]+)\1\s*\)""")
SOURCE = re.compile(
    r"""source\(\s*(['"])(?P<source>[^'"]+)\1\s*,\s*(['"])(?P<stream>[^'"]+)\3\s*\)"""
)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as they are written, and where. A row has the columns that matter."""

    rows: tuple[Mapping[str, Any], ...]
    document: Document = field(repr=False, compare=False)
    path: KeyPath = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that a row has, in their order, each once, as it is first written."""
        names = {str(name).casefold(): str(name) for name in reversed([*chain(*self.rows)])}
        return tuple(dict.fromkeys(names[str(name).casefold()] for name in chain(*self.rows)))

    def key_place(self, row: int, column: str) -> Place:
        return self.document.key_place(*self.path, row, column)

    def place(self, row: int, column: str) -> Place:
        return self.document.place(*self.path, row, column)


@dataclass(frozen=True, slots=True)
class Given:
    """The rows of one input: as the test names it, and the relation in the database."""

    input: str
    relation: str
    rows: Rows
    place: Place


@dataclass(frozen=True, slots=True)
class UnitTest:
    """One test. `sql` is the model's, for the test's moment, variables and selector.

    `depends_on` names the model and those models of its inputs that the test gives rows for,
    sorted; `checksum` stands for all that the test's entry says.
    """

    name: str
    model: str
    place: Place
    sql: str = field(repr=False)
    given: tuple[Given, ...]
    expected: Rows
    ordered: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    checksum: str = ""

    @property
    def is_incremental(self) -> bool:
        """Whether the model has rows already when it is made."""
        return any(each.input == THIS for each in self.given)


def read_unit_tests(
    project: Project, graph: Graph
) -> tuple[tuple[UnitTest, ...], tuple[Problem, ...]]:
    """The tests of all models that are in the graph, and what is wrong with the tests.

    Columns are not looked at here: `column_problems` does, with the columns of all relations.
    """
    tests: list[UnitTest] = []
    problems: list[Problem] = []
    seen: dict[str, Place] = {}
    for document, index in _entries(project):
        entry = document.data["unit_tests"][index]
        place = document.place("unit_tests", index, "name")
        if (first := seen.setdefault(entry["name"], place)) is not place:
            message = f"the unit test '{entry['name']}' is at {first} too"
            problems.append(Problem(message, place, "give one of them another name"))
            continue
        test, more = _unit_test(project, graph, document, index)
        problems.extend(more)
        if test is not None and not more:
            tests.append(test)
    return tuple(tests), tuple(problems)


def column_problems(
    tests: tuple[UnitTest, ...], columns: Mapping[str, Columns], of_models: Mapping[str, Columns]
) -> tuple[Problem, ...]:
    """The columns of the tests' rows that are not there.

    `columns` are those of the inputs by their relation, `of_models` those of models by their name;
    what is in neither is not looked at.
    """
    return tuple(_column_problems(tests, columns, of_models))


def _column_problems(
    tests: tuple[UnitTest, ...], columns: Mapping[str, Columns], of_models: Mapping[str, Columns]
) -> Iterator[Problem]:
    for test in tests:
        for given in test.given:
            yield from _unknown(given.rows, columns.get(given.relation), given.input)
        yield from _unknown(test.expected, of_models.get(test.model), test.model)


def _unknown(rows: Rows, columns: Columns | None, name: str) -> Iterator[Problem]:
    if columns is None:
        return
    known = {column.casefold() for column, _ in columns}
    told = set()
    for number, row in enumerate(rows.rows):
        for key in map(str, row):
            if key.casefold() not in known and key not in told:
                told.add(key)
                hint = nearest(key, (column for column, _ in columns))
                yield Problem(f"{name} has no column '{key}'", rows.key_place(number, key), hint)


def _entries(project: Project) -> Iterator[tuple[Document, int]]:
    for document in project.unit_tests:
        exact = with_exact_numbers(project, document)
        for index in range(len(exact.data["unit_tests"])):
            yield exact, index


def _unit_test(
    project: Project, graph: Graph, document: Document, index: int
) -> tuple[UnitTest | None, list[Problem]]:
    entry, at = document.data["unit_tests"][index], ("unit_tests", index)
    name = entry["model"]
    if name not in graph.models:
        return None, list(_no_model(project, graph, name, document.place(*at, "model")))
    problems = list(_wrong_facts(project, graph, document, at))
    if problems:
        return None, problems
    try:
        reading = _reading(project, graph, entry)
    except UserError as error:
        message = f"{name} can't be rendered for this test: {error.message}"
        hint = "; ".join(str(part) for part in (error.problems[0].place, error.hint) if part)
        return None, [Problem(message, document.place(*at, "name"), hint or None)]
    given, problems = _given(document, at, name, reading.inputs)
    depends_on = {name} | {
        found["name"] for each in given if (found := REF.fullmatch(each.input.strip()))
    }
    expected = entry["expect"]
    return UnitTest(
        name=entry["name"],
        model=name,
        place=document.place(*at, "name"),
        sql=reading.sql,
        given=tuple(given),
        expected=Rows(tuple(expected["rows"]), document, (*at, "expect", "rows")),
        ordered=expected.get("ordered", False),
        description=(entry.get("description") or "").strip(),
        tags=tuple(entry.get("tags") or ()),
        depends_on=tuple(sorted(depends_on)),
        checksum=sha256(json_of(entry).encode()).hexdigest(),
    ), problems


def _no_model(project: Project, graph: Graph, name: str, place: Place) -> Iterator[Problem]:
    # A model that has an error itself is not in the graph, and told of elsewhere.
    declared = {
        each["name"] for document in project.properties for each in document.data.get("models", ())
    }
    files = {text.name for text in project.models}
    if name not in files | declared and "properties" not in project.unread:
        yield Problem(f"there is no model '{name}'", place, nearest(name, graph.models))


def _wrong_facts(
    project: Project, graph: Graph, document: Document, at: KeyPath
) -> Iterator[Problem]:
    """What is wrong with the selector."""
    entry = document.data["unit_tests"][at[1]]
    selector = entry.get("selector")
    name = entry["model"]
    kind = project.kinds.get(name)
    if not graph.models[name].is_resource:
        if selector is not None:
            message = f"'{name}' is no resource model, so it has no selector"
            yield Problem(message, document.key_place(*at, "selector"), "leave selector out")
        return
    fields = kind.fields if kind is not None else {}
    for key in selector or {}:
        if key not in fields:
            place = document.key_place(*at, "selector", str(key))
            message = f"the selector has no field '{key}'"
            yield Problem(message, place, nearest(str(key), fields))
    if lacking := list(_lacking(kind, selector or {})):
        place = document.key_place(*at, "selector")
        yield Problem(f"the selector lacks {', '.join(lacking)}", place)


def _lacking(kind: Kind | None, selector: Mapping[str, Any]) -> Iterator[str]:
    if kind is None:
        return
    whole = complete(kind, selector)
    for each in kind.fields.values():
        if each.required and whole.get(each.name) is None:
            yield each.name
    for group in kind.exactly_one_of:
        if all(whole.get(name) is None for name in group):
            yield " or ".join(group)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A model's SQL as a test sees it, and what it reads: relations by how a test names them."""

    sql: str
    inputs: Mapping[str, str]


def _reading(project: Project, graph: Graph, entry: Mapping[str, Any]) -> _Reading:
    model = graph.models[entry["model"]]
    wish = graph.compiler.wish(model.name)
    selector = wish.selector
    if model.is_resource:
        selector = complete(project.kinds.get(model.name), entry.get("selector") or {})
    wish = Wish(wish.model, _moment(entry.get("now"), wish.run_started_at), selector)
    rendered = _renderer(project, graph, entry.get("vars")).render(wish)
    statement = read_statement(rendered.sql)
    if faults := [each for each in statement.faults if each.severity == "error"]:
        raise UserError(faults[0].message, place=Place(model.file), hint=faults[0].hint)
    inputs = {
        f"ref('{name}')": graph.models[name].relation
        for name in (*model.depends_on, *rendered.refs)
    }
    inputs.update(_source_input(each) for each in (*model.sources, *rendered.sources))
    if not model.is_resource:
        inputs[THIS] = model.relation
    taken = set(inputs.values())
    for table in (*read_statement(model.sql).tables, *statement.tables):
        plain = relation(table.schema, table.name) if table.schema else table.name
        if plain not in taken:
            inputs[f"{table.schema}.{table.name}".strip(".")] = plain
    return _Reading(statement.sql, inputs)


def _source_input(table: SourceTable) -> tuple[str, str]:
    return f"source('{table.source}', '{table.stream}')", table.relation


def _moment(now: str | None, otherwise: str) -> str:
    if now is None:
        return otherwise
    return now if "T" in now else f"{now}T00:00:00Z"


def _renderer(project: Project, graph: Graph, variables: Mapping[str, Any] | None) -> Renderer:
    if not variables:
        return graph.compiler.renderer
    changed = replace(project, variables={**project.variables, **variables})
    return Renderer(changed, graph.compiler.renderer.files)


def _given(
    document: Document, at: KeyPath, model: str, inputs: Mapping[str, str]
) -> tuple[list[Given], list[Problem]]:
    entry = document.data["unit_tests"][at[1]]
    found: dict[str, Given] = {}
    problems: list[Problem] = []
    for number, each in enumerate(entry["given"]):
        path = (*at, "given", number)
        place = document.place(*path, "input")
        name = _as_listed(each["input"])
        if name not in inputs:
            message = f"{model} does not read {each['input']}"
            problems.append(Problem(message, place, _inputs_hint(name, inputs)))
        elif name in found:
            message = f"the rows of {each['input']} are at {found[name].place} too"
            problems.append(Problem(message, place, "put the two together"))
        else:
            rows = Rows(tuple(each["rows"]), document, (*path, "rows"))
            found[name] = Given(name, inputs[name], rows, place)
    return list(found.values()), problems


def _as_listed(written: str) -> str:
    """An input as this module lists it: `ref("x")` is `ref('x')`."""
    text = written.strip().removeprefix("{{").removesuffix("}}").strip()
    if found := REF.fullmatch(text):
        return f"ref('{found['name']}')"
    if found := SOURCE.fullmatch(text):
        return f"source('{found['source']}', '{found['stream']}')"
    return text


def _inputs_hint(name: str, inputs: Mapping[str, str]) -> str:
    read = [each for each in inputs if each != THIS]
    if not read:
        return "it reads nothing"
    hint = nearest(name, read)
    return hint if hint.startswith("did you mean") else f"it reads {', '.join(sorted(read))}"
