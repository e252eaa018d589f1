"""A generic test with its arguments: checked, and turned into the SQL of its failing rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lading.errors import Place, Problem, UserError, nearest
from lading.project.documents import KeyPath
from lading.transform.files import ModelFile
from lading.transform.generic_tests import (
    BUILT_IN,
    RELATIONS,
    SQL_ARGUMENTS,
    BuiltIn,
    Relation,
    sql_text,
)
from lading.transform.names import quoted
from lading.transform.properties import WrittenTest
from lading.transform.render import Renderer, Wish
from lading.transform.templates import TEST, Signature
from lading.transform.test_entries import TestEntry
from lading.transform.test_settings import READERS, TestSettings, TestTemplate, read_setting
from lading.transform.test_values import Values, model_id, source_id
from lading.transform.words import SourceTable

Takes = Literal["column", "model", "either"]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a test's SQL that stands in its entry too, and where."""

    sql: str
    place: Place


@dataclass(frozen=True, slots=True)
class GenericSql:
    """What a generic test comes to: its SQL, the ids of what it refers to, and the settings of
    its macro; `wish` is how the macro was rendered, None of a test that every project has.
    `is_safe` if no piece of it is SQL that a person wrote, so that it is known to be one query."""

    sql: str
    reads: frozenset[str]
    fragments: tuple[Fragment, ...] = ()
    settings: TestSettings = field(default_factory=TestSettings)
    wish: Wish | None = None
    order: str = ""
    is_safe: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a generic test takes besides the model and its column."""

    names: frozenset[str]
    required: frozenset[str]
    takes: Takes
    is_open: bool = False


def generic_sql(
    renderer: Renderer,
    written: WrittenTest,
    entry: TestEntry,
    relation: Relation,
    run_started_at: str,
) -> GenericSql:
    """The SQL of an entry's test on a relation. A person's own test goes before the one that
    every project has under its name.

    Raises:
        UserError: with all that is wrong with the test's name and its arguments.
    """
    known = renderer.tests.get(entry.test) or BUILT_IN.get(entry.test)
    if known is None:
        hint = nearest(entry.test, renderer.tests.keys() | BUILT_IN.keys())
        raise UserError(f"there is no test '{entry.test}'", place=entry.place, hint=hint)
    if problems := [*_misfits(_parameters(known, entry), written, entry)]:
        raise UserError(problems=problems)
    values = Values(renderer, written, run_started_at)
    where = _where(values, entry)
    relations: frozenset[str] = frozenset() if isinstance(known, Signature) else RELATIONS
    arguments = _arguments(values, entry, relations)
    model = relation.filtered(where)
    if isinstance(known, Signature):
        found = _of_macro(values, entry, model, arguments)
    else:
        sql = _of_built_in(known, written, entry, model, arguments)
        has_sql = where is not None or arguments.get("quote") is False
        is_safe = not has_sql and SQL_ARGUMENTS.isdisjoint(arguments)
        found = GenericSql(sql, frozenset(values.reads), order=known.order, is_safe=is_safe)
    return replace(found, fragments=tuple(_fragments(written, entry, arguments, where)))


def _parameters(known: Signature | BuiltIn, entry: TestEntry) -> Parameters:
    if isinstance(known, BuiltIn):
        return Parameters(frozenset(known.readers), known.required, known.takes)
    if "model" not in known.parameters and not known.is_open:
        message = f"the test '{entry.test}' does not take the model, at {known.place}"
        raise UserError(message, place=entry.place, hint="its first parameter is called model")
    takes: Takes = "either" if known.is_open else "model"
    if "column_name" in known.parameters:
        takes = "column" if "column_name" in known.required else "either"
    own = {"model", "column_name"}
    names = frozenset(known.parameters) - own
    return Parameters(names, known.required - own, takes, known.is_open)


def _misfits(parameters: Parameters, written: WrittenTest, entry: TestEntry) -> Iterator[Problem]:
    """Arguments that are missing or not known, and a test that does not belong where it stands."""
    title, column = f"the test '{entry.test}'", entry.arguments.get("column_name")
    if written.column and parameters.takes == "model":
        yield Problem(f"{title} is one of whole models", entry.place, "move it out of the columns")
    elif written.column and column:
        place = written.key_place(*column.path)
        yield Problem("'column_name' is the column above it: leave it out", place)
    elif not written.column and not column and parameters.takes == "column":
        yield Problem(f"{title} is one of columns", entry.place, "write it below a column")
    for name in sorted(parameters.required - entry.arguments.keys()):
        yield Problem(f"{title} needs the argument '{name}'", entry.place)
    known = parameters.names | ({"column_name"} if parameters.takes != "model" else set())
    for name, given in entry.arguments.items():
        if name == "model" or (name not in known and not parameters.is_open):
            place = written.key_place(*given.path)
            hint = nearest(name, known | READERS.keys())
            yield Problem(f"{title} has no argument '{name}'", place, hint)


def _where(values: Values, entry: TestEntry) -> str | None:
    if entry.where is None:
        return None
    condition = values.of(entry.where.value, entry.where.path)
    try:
        return str(read_setting("where", condition))
    except UserError as error:
        place = values.written.place(*entry.where.path)
        raise UserError(error.message, place=place, hint=error.hint) from error


def _arguments(values: Values, entry: TestEntry, relations: frozenset[str]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, given in entry.arguments.items():
        read = values.relation if key in relations else values.of
        try:
            found[key] = read(given.value, given.path)
        except UserError as error:
            problems.extend(error.problems)
    if problems:
        raise UserError(problems=problems)
    return found


def _of_built_in(
    test: BuiltIn,
    written: WrittenTest,
    entry: TestEntry,
    model: Relation,
    arguments: Mapping[str, Any],
) -> str:
    read: dict[str, Any] = {}
    problems: list[Problem] = []
    readers = {"column_name": sql_text, **test.readers}
    for key, value in arguments.items():
        try:
            read[key] = readers[key](value)
        except UserError as error:
            place = written.place(*entry.arguments[key].path)
            problems.append(Problem(f"'{key}' {error.message}", place, error.hint))
    if problems:
        raise UserError(problems=problems)
    if written.column:
        read["column_name"] = quoted(written.column)
    try:
        return test.sql(model, **read)
    except UserError as error:
        raise UserError(error.message, place=entry.place, hint=error.hint) from error


def _of_macro(
    values: Values, entry: TestEntry, model: Relation, arguments: Mapping[str, Any]
) -> GenericSql:
    given = {key: _plain(value) for key, value in arguments.items()} | {"model": model.sql}
    if values.written.column:
        given["column_name"] = quoted(values.written.column)
    call = f"{{{{ {TEST}{entry.test}(**arguments) }}}}"
    template = TestTemplate(entry.test, values.written.document.file, call)
    wish = Wish(template, values.run_started_at, context={"arguments": given})
    try:
        rendered = values.renderer.render(wish)
    except UserError as error:
        raise UserError(problems=_in_entry(error, template.file, entry.place)) from error
    reads = {*values.reads, *map(model_id, rendered.refs), *map(source_id, rendered.sources)}
    return GenericSql(rendered.sql, frozenset(reads), (), rendered.settings, wish)


def _in_entry(error: UserError, file: str, place: Place) -> Iterator[Problem]:
    """What is wrong with a rendering, at the entry instead of in the call that stands for it."""
    for each in error.problems:
        is_in_call = each.place is None or each.place.file == file
        yield replace(each, place=place) if is_in_call else each


def _plain(value: Any) -> Any:
    """A value as a macro gets it: models and streams as SQL."""
    if isinstance(value, ModelFile | SourceTable):
        return value.relation
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _fragments(
    written: WrittenTest, entry: TestEntry, arguments: Mapping[str, Any], where: str | None
) -> Iterator[Fragment]:
    if entry.where is not None and where is not None:
        yield Fragment(where, written.place(*entry.where.path))
    for key, value in arguments.items():
        for path, text in _texts(value, entry.arguments[key].path):
            for sql in dict.fromkeys([text, quoted(text)]):
                yield Fragment(sql, written.place(*path))


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str) and value.strip():
        yield path, value.strip()
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, (*path, str(key)))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*path, index))
