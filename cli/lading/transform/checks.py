"""What can be found wrong in a template without rendering it, so that all of it is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError, nearest
from lading.transform.marks import column_of
from lading.transform.templates import FACTS, TEST
from lading.transform.test_settings import TestTemplate
from lading.transform.words import USAGE, Asker, Words

if TYPE_CHECKING:
    from jinja2 import nodes

    from lading.project.model import Kind

# Jinja defines these itself where they have a meaning.
JINJAS_OWN = frozenset({"loop", "caller", "varargs", "kwargs", "self", "super"})


@dataclass(frozen=True, slots=True)
class Said:
    """A word with constant arguments, its line, and what it means, or why it means nothing. `name`
    is its first argument that is text, or ''."""

    word: str
    line: int
    meaning: Any
    name: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """What one template may use: names of macros, the words, and its model or test (None:
    macros). `text` is the file's, as far as its lines are those of the template."""

    file: str
    words: Words
    macros: frozenset[str]
    jinja: frozenset[str]
    model: Asker | None = None
    kind: Kind | None = None
    text: str = ""

    def problems(self, tree: nodes.Template) -> tuple[Problem, ...]:
        """All findings, in the order of the lines."""
        found = {
            *self._names(tree),
            *self._calls(tree),
            *self._inclusions(tree),
            *self._selector_fields(tree),
        }
        return tuple(sorted(found, key=_by_line))

    @property
    def _known(self) -> frozenset[str]:
        facts = FACTS
        if isinstance(self.model, TestTemplate):
            facts -= {"this", "selector"}
        elif self.model is not None:
            facts -= {"this"} if self.model.is_resource else {"selector"}
        return facts | self.macros | USAGE.keys() | self.jinja

    def _names(self, tree: nodes.Template) -> Iterator[Problem]:
        from jinja2 import nodes

        called = {id(call.node) for call in tree.find_all(nodes.Call)}
        names = list(tree.find_all(nodes.Name))
        known = self._known | JINJAS_OWN | {each.name for each in names if each.ctx != "load"}
        known |= {macro.name for macro in tree.find_all(nodes.Macro)} | _asked_for(tree)
        for each in names:
            if each.name not in known:
                yield self._unknown(each.name, each.lineno, is_called=id(each) in called)

    def _unknown(self, name: str, line: int, *, is_called: bool) -> Problem:
        place = self._place(line, name)
        if name in FACTS:
            here = "tests" if isinstance(self.model, TestTemplate) else "resource models"
            only = name == "selector"
            said = "is known in resource models only" if only else f"is not known in {here}"
            return Problem(f"'{name}' {said}", place)
        if is_called:
            functions = self.macros | USAGE.keys()
            return Problem(f"there is no macro '{name}'", place, nearest(name, functions))
        return Problem(f"'{name}' is not defined", place, nearest(name, self._known - self.jinja))

    def said(self, tree: nodes.Template) -> Iterator[Said]:
        """The words whose meaning can be known from the text alone, whether the template comes
        to say them or not."""
        from jinja2 import nodes

        of_tests = _calls_of_tests(tree)
        for call in tree.find_all(nodes.Call):
            if not isinstance(call.node, nodes.Name) or call.node.name not in USAGE:
                continue
            asker = self.model or of_tests.get(id(call))
            try:
                args, named = _constants(call)
                meaning = self.words.ask(asker, call.node.name, args, named)
            except nodes.Impossible:
                continue
            except UserError as error:
                meaning = error
            name = next((each for each in args if isinstance(each, str)), "")
            yield Said(call.node.name, call.lineno, meaning, name)

    def _calls(self, tree: nodes.Template) -> Iterator[Problem]:
        for said in self.said(tree):
            if isinstance(said.meaning, UserError):
                place = self._place(said.line, said.name or said.word)
                yield Problem(said.meaning.message, place, said.meaning.hint)

    def _place(self, line: int, name: str) -> Place:
        """Where a name stands."""
        return Place(self.file, line, column_of(self.text, line, name) if self.text else None)

    def _inclusions(self, tree: nodes.Template) -> Iterator[Problem]:
        from jinja2 import nodes

        for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
            for node in tree.find_all(kind):
                yield Problem(
                    "a template can't take in another one",
                    Place(self.file, node.lineno),
                    "put what is shared into a macro: all macros of macros/*.sql are known "
                    "everywhere by their names",
                )

    def _selector_fields(self, tree: nodes.Template) -> Iterator[Problem]:
        from jinja2 import nodes

        if self.kind is None:
            return
        for node in tree.find_all(nodes.Getattr):
            is_selector = isinstance(node.node, nodes.Name) and node.node.name == "selector"
            if is_selector and node.attr not in self.kind.fields and not hasattr(dict, node.attr):
                message = f"the selector has no field '{node.attr}'"
                hint = nearest(node.attr, self.kind.fields)
                yield Problem(message, self._place(node.lineno, node.attr), hint)


def _calls_of_tests(tree: nodes.Template) -> Mapping[int, TestTemplate]:
    """The calls within generic tests, by their identity: `config` means another thing there."""
    from jinja2 import nodes

    return {
        id(call): TestTemplate(macro.name, "", "")
        for macro in tree.find_all(nodes.Macro)
        if macro.name.startswith(TEST)
        for call in macro.find_all(nodes.Call)
    }


def _by_line(problem: Problem) -> tuple[int, int, str]:
    place = problem.place or Place("")
    return place.line or 0, place.column or 0, problem.message


def _asked_for(tree: nodes.Template) -> set[str]:
    """Names that the template itself asks about: `x is defined`, `x | default(…)`."""
    from jinja2 import nodes

    tests = {"defined", "undefined"}
    asked = [each.node for each in tree.find_all(nodes.Test) if each.name in tests]
    asked += [
        each.node
        for each in tree.find_all(nodes.Filter)
        if each.name in {"default", "d"} and each.node is not None
    ]
    return {node.name for node in asked if isinstance(node, nodes.Name)}


def _constants(call: nodes.Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """A call's arguments where the text alone says what they are; `Impossible` otherwise."""
    from jinja2 import nodes

    if call.dyn_args is not None or call.dyn_kwargs is not None:
        raise nodes.Impossible
    args = tuple(each.as_const() for each in call.args)
    return args, {each.key: each.value.as_const() for each in call.kwargs}
