"""Jinja: the sandbox, compiled templates, and the macros of a project."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError
from lading.transform.literals import literal
from lading.transform.marks import marked
from lading.transform.words import USAGE

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser

    from lading.project.documents import TextFile

# What every template knows beside the words; `selector` in resource models alone.
FACTS = frozenset({"this", "run_started_at", "today", "selector"})
# Enough to know a macro's name in a file that does not parse. One that begins with an
# underscore is its own file's alone: Jinja's rule.
MACRO = re.compile(r"\{%[-+]?\s*(?:macro\s+([A-Za-z]\w*)|test\s+([A-Za-z_]\w*))", re.ASCII)
# What dbt puts before the name of a test, to have the name of the macro that it is.
TEST = "test_"


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file with Jinja in it."""

    file: str
    text: str


class Templates:
    """Templates of one sandboxed environment, each compiled once."""

    def __init__(self) -> None:
        self.environment = _environment()
        self._trees: dict[Source, nodes.Template] = {}
        self._compiled: dict[tuple[Source, bool], Template] = {}

    def parse(self, source: Source) -> nodes.Template:
        """The file's syntax tree.

        Raises:
            UserError: it is not Jinja.
        """
        if source not in self._trees:
            self._trees[source] = self._parse(source, source.text)
        return self._trees[source]

    def compiled(self, source: Source, *, with_marks: bool = False) -> Template:
        """The file as a template, marked or not.

        Raises:
            UserError: it is not Jinja, or has a filter or a test that is not there.
        """
        from jinja2 import Template, TemplateSyntaxError

        key = (source, with_marks)
        if key not in self._compiled:
            tree = self.parse(source)
            if with_marks:
                tree = self._parse(source, marked(self.environment, source.text, source.file))
            try:
                code = self.environment.compile(tree, source.file, source.file)
            except TemplateSyntaxError as error:
                raise _syntax_error(source, error) from error
            known = self.environment.make_globals(None)
            self._compiled[key] = Template.from_code(self.environment, code, known)
        return self._compiled[key]

    def _parse(self, source: Source, text: str) -> nodes.Template:
        from jinja2 import TemplateSyntaxError

        try:
            return self.environment.parse(text, source.file, source.file)
        except TemplateSyntaxError as error:
            raise _syntax_error(source, error) from error


def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    extensions: list[Any] = ["jinja2.ext.do", _test_tag()]
    environment = SandboxedEnvironment(undefined=StrictUndefined, extensions=extensions)
    environment.filters["literal"] = literal
    return environment


@cache
def _test_tag() -> type[Extension]:
    """The tag of a generic test: `{% test name(model, column_name) %} … {% endtest %}`."""
    from jinja2 import nodes
    from jinja2.ext import Extension

    class TestTag(Extension):
        tags = {"test"}  # noqa: RUF012 - Jinja's own protocol

        def parse(self, parser: Parser) -> nodes.Node:
            macro = nodes.Macro(lineno=next(parser.stream).lineno)
            macro.name = TEST + parser.parse_assign_target(name_only=True).name
            parser.parse_signature(macro)
            macro.body = parser.parse_statements(("name:endtest",), drop_needle=True)
            return macro

    return TestTag


def _syntax_error(source: Source, error: Any) -> UserError:
    message = str(error.message or "not readable as Jinja").rstrip(".")
    return UserError(f"Jinja: {message}", place=Place(source.file, error.lineno))


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro, the file that it stands in, and the line of its first word."""

    name: str
    source: Source
    line: int

    @property
    def title(self) -> str:
        """What people call it."""
        if self.name.startswith(TEST):
            return f"the test '{self.name.removeprefix(TEST)}'"
        return f"the macro '{self.name}'"


def read_macros(
    templates: Templates, files: tuple[TextFile, ...]
) -> tuple[Mapping[str, Macro], Mapping[Source, nodes.Template], tuple[Problem, ...]]:
    """The macros by name, the trees of the files that parse, and what is wrong with the rest."""
    macros: dict[str, Macro] = {}
    trees: dict[Source, nodes.Template] = {}
    problems: list[Problem] = []
    for file in sorted(files, key=lambda each: each.file):
        source = Source(file.file, file.text)
        try:
            tree = templates.parse(source)
            templates.compiled(source)
            trees[source] = tree
        except UserError as error:
            problems.extend(error.problems)
        for macro in _macros(source):
            problems.extend(_clash(macro, macros.get(macro.name)))
            macros.setdefault(macro.name, macro)
    return macros, trees, tuple(problems)


def _macros(source: Source) -> Iterator[Macro]:
    for found in MACRO.finditer(source.text):
        name = found[1] or TEST + found[2]
        yield Macro(name, source, source.text.count("\n", 0, found.start()) + 1)


def _clash(macro: Macro, other: Macro | None) -> Iterator[Problem]:
    place = Place(macro.source.file, macro.line)
    if macro.name in USAGE.keys() | FACTS:
        yield Problem(f"a macro can't be called '{macro.name}': the name is taken", place)
    elif other is not None:
        where = Place(other.source.file, other.line)
        yield Problem(f"{macro.title} is at {where} too", place)


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a generic test that a person wrote; `is_open` if it takes others too."""

    parameters: tuple[str, ...]
    required: frozenset[str]
    is_open: bool
    place: Place


def signatures(trees: Mapping[Source, nodes.Template]) -> Mapping[str, Signature]:
    """The generic tests of macro files, by their names. As in dbt, each macro whose name begins
    with `test_` is one."""
    from jinja2 import nodes

    return {
        macro.name.removeprefix(TEST): _signature(macro, source.file)
        for source, tree in trees.items()
        for macro in tree.find_all(nodes.Macro)
        if macro.name.startswith(TEST)
    }


def _signature(macro: nodes.Macro, file: str) -> Signature:
    from jinja2 import nodes

    names = tuple(each.name for each in macro.args)
    required = frozenset(names[: len(names) - len(macro.defaults)])
    is_open = any(each.name == "kwargs" for each in macro.find_all(nodes.Name))
    return Signature(names, required, is_open, Place(file, macro.lineno))


def bind_macros(
    templates: Templates,
    macros: Mapping[str, Macro],
    context: dict[str, Any],
    *,
    with_marks: bool,
) -> None:
    """Put all macros into a context. They see that context, and so each other."""
    modules: dict[str, Any] = {}

    def late(macro: Macro) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if macro.source.file not in modules:
                template = templates.compiled(macro.source, with_marks=with_marks)
                modules[macro.source.file] = template.make_module(context)
            return getattr(modules[macro.source.file], macro.name)(*args, **named)

        return call

    for macro in macros.values():
        context[macro.name] = late(macro)
