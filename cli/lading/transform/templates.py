"""Jinja: the sandbox, compiled templates, and the macros of a project."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError
from lading.transform.literals import literal
from lading.transform.marks import marked
from lading.transform.words import USAGE

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

    from lading.project.documents import TextFile

# What every template knows beside the words; `selector` in resource models alone.
FACTS = frozenset({"this", "run_started_at", "today", "selector"})
# Enough to know a macro's name in a file that does not parse. One that begins with an
# underscore is its own file's alone: Jinja's rule.
MACRO = re.compile(r"\{%[-+]?\s*macro\s+([A-Za-z][A-Za-z0-9_]*)")


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

    environment = SandboxedEnvironment(undefined=StrictUndefined, extensions=["jinja2.ext.do"])
    environment.filters["literal"] = literal
    return environment


def _syntax_error(source: Source, error: Any) -> UserError:
    message = str(error.message or "not readable as Jinja").rstrip(".")
    return UserError(f"Jinja: {message}", place=Place(source.file, error.lineno))


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro, the file that it stands in, and the line of its first word."""

    name: str
    source: Source
    line: int


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
        yield Macro(found[1], source, source.text.count("\n", 0, found.start()) + 1)


def _clash(macro: Macro, other: Macro | None) -> Iterator[Problem]:
    place = Place(macro.source.file, macro.line)
    if macro.name in USAGE.keys() | FACTS:
        yield Problem(f"a macro can't be called '{macro.name}': the name is taken", place)
    elif other is not None:
        where = Place(other.source.file, other.line)
        yield Problem(f"the macro '{macro.name}' is at {where} too", place)


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
