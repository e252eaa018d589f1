"""From a model's file to its SQL, and from a place in the SQL back to the file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import FrameType, MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from lading.errors import LadingError, Place, Problem, UserError, nearest
from lading.transform.checks import Checks, Said
from lading.transform.config import Config
from lading.transform.files import ModelFile
from lading.transform.marks import Mark, column_of, unmarked
from lading.transform.templates import (
    TEST,
    Signature,
    Source,
    Templates,
    bind_macros,
    read_macros,
    signatures,
)
from lading.transform.test_settings import TestSettings, TestTemplate
from lading.transform.words import USAGE, Asker, SourceTable, words

if TYPE_CHECKING:
    from lading.project.model import Kind, Project
    from lading.transform.statements import Fault


@dataclass(frozen=True, slots=True)
class Rendered:
    """A model's SQL, what it said on the way, and where it referred to each model."""

    sql: str
    refs: tuple[str, ...]
    sources: tuple[SourceTable, ...]
    config: Config
    places: Mapping[str, Place]
    environment: tuple[tuple[str, str], ...]
    settings: TestSettings


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be rendered: a model or a test, for a moment (UTC, as text), with a selector, and
    whether only what is new is wanted of it; `context` is what the template knows besides."""

    model: Asker
    run_started_at: str
    selector: Mapping[str, Any] | None = None
    incremental: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)


class Selector(dict[str, Any]):
    """A resource's selector; a field that its kind does not have is an error."""

    def __missing__(self, name: str) -> Any:
        raise UserError(f"the selector has no field '{name}'", hint=nearest(name, self))


class Renderer:
    """Renders the models of one project; its templates are compiled once."""

    def __init__(self, project: Project, files: Mapping[str, ModelFile]) -> None:
        self._templates = Templates()
        self._words = words(project, files)
        self._kinds = project.kinds
        self._macros, trees, problems = read_macros(self._templates, project.macros)
        self._checked: dict[Asker, tuple[Said, ...]] = {}
        self.tests: Mapping[str, Signature] = signatures(trees)
        self.unread_tests = frozenset(
            macro.name.removeprefix(TEST)
            for macro in self._macros.values()
            if macro.name.startswith(TEST) and macro.source not in trees
        )
        found = [
            self._checks(each.file, text=each.text).problems(tree) for each, tree in trees.items()
        ]
        self.problems: tuple[Problem, ...] = (*problems, *(each for some in found for each in some))

    def render(self, wish: Wish) -> Rendered:
        """Render one model.

        Raises:
            UserError: with everything that is wrong with the template.
        """
        try:
            return self._render(wish)
        except UserError as error:
            if not isinstance(wish.model, ModelFile) or not wish.model.lines:
                raise
            raise UserError(problems=_at_home(wish.model, error.problems)) from error

    def _render(self, wish: Wish) -> Rendered:
        source = Source(wish.model.file, wish.model.text)
        notes = Notes(self, wish.model)
        if wish.model not in self._checked:
            self._checked[wish.model] = self._check(source, wish)
        for said in self._checked[wish.model]:
            notes.reads(said.meaning, said.line)
        sql = self._run(source, wish, notes, with_marks=False)
        return Rendered(
            sql=sql,
            refs=tuple(notes.refs),
            sources=tuple(notes.sources),
            config=notes.config,
            places=MappingProxyType(notes.refs),
            environment=tuple(sorted(notes.environment.items())),
            settings=notes.settings,
        )

    def origin(self, wish: Wish, offset: int) -> tuple[Place, str | None]:
        """Where the character at `offset` of the rendered SQL was written: a place in the
        model's file, and a hint that names the macro's when a macro wrote it."""
        place, hint = self._origin(wish, offset)
        return wish.model.at_home(place), hint

    def _origin(self, wish: Wish, offset: int) -> tuple[Place, str | None]:
        source = Source(wish.model.file, wish.model.text)
        nowhere = Place(source.file), None
        try:
            text = self._run(source, wish, Notes(self, wish.model), with_marks=True)
        except LadingError:
            return nowhere
        sql, marks = unmarked(text)
        if sql != self.render(wish).sql:
            # The template looks at its own text, and the marks in it changed what it does.
            return nowhere
        return _origin(source.file, [mark for mark in marks if mark.offset <= offset], offset)

    def problem(self, wish: Wish, fault: Fault) -> Problem:
        """A fault of the rendered SQL, where the person wrote it."""
        place, origin = self.origin(wish, fault.offset)
        hint = "; ".join(filter(None, [fault.hint, origin])) or None
        return Problem(fault.message, place, hint, fault.severity)

    @property
    def tables(self) -> tuple[SourceTable, ...]:
        """The streams and files of all sources."""
        return tuple(table for each in self._words.sources.values() for table in each.values())

    @property
    def files(self) -> Mapping[str, ModelFile]:
        """The models' files, by the models' names."""
        return self._words.files

    def ask(self, model: Asker | None, word: str, args: tuple[Any, ...], named: Any) -> Any:
        """What a word means in a model or a test."""
        return self._words.ask(model, word, args, named)

    def variable(self, name: str) -> str:
        """What the environment says, '' if nothing."""
        return self._words.environment.get(name, "")

    def meaning(self, template: TestTemplate) -> Said | None:
        """What a template says that is nothing but one word; None of any other.

        Raises:
            UserError: it is not Jinja.
        """
        from jinja2 import nodes

        tree = self._templates.parse(Source(template.file, template.text))
        match tree.body:
            case [nodes.Output(nodes=[nodes.Call() as call])]:
                if len(list(tree.find_all(nodes.Call))) == 1 and isinstance(call.node, nodes.Name):
                    said = self._checks(template.file, template).said(tree)
                    return next(iter(said), None)
        return None

    def _check(self, source: Source, wish: Wish) -> tuple[Said, ...]:
        """Check a template; of a resource model, all that it says, since another selector may
        take another way through it."""
        model = wish.model
        kind = self._kinds.get(model.name) if model.is_resource else None
        text = source.text if source.file.endswith(".sql") else ""
        checks = self._checks(source.file, model, kind, frozenset(wish.context), text)
        tree = self._templates.parse(source)
        faults = model.faults if isinstance(model, ModelFile) else ()
        if problems := (*faults, *checks.problems(tree)):
            raise UserError(problems=problems)
        return tuple(checks.said(tree)) if model.is_resource else ()

    def _checks(
        self,
        file: str,
        model: Asker | None = None,
        kind: Kind | None = None,
        context: frozenset[str] = frozenset(),
        text: str = "",
    ) -> Checks:
        jinja = context | self._templates.environment.globals.keys()
        return Checks(file, self._words, frozenset(self._macros), jinja, model, kind, text)

    def _run(self, source: Source, wish: Wish, notes: Notes, *, with_marks: bool) -> str:
        template = self._templates.compiled(source, with_marks=with_marks)
        context = {**notes.vocabulary(), **_times(wish.run_started_at)}
        context["is_incremental"] = lambda: wish.incremental
        if isinstance(wish.model, TestTemplate):
            context |= deepcopy(dict(wish.context))
        elif wish.model.is_resource:
            context["selector"] = Selector(deepcopy(dict(wish.selector or {})))
        else:
            context["this"] = wish.model.relation
        bind_macros(self._templates, self._macros, context, with_marks=with_marks)
        try:
            return "".join(template.root_render_func(template.new_context(context)))
        except Exception as error:
            raise _failure(source.file, error) from error


@dataclass(slots=True)
class Notes:
    """What one rendering says by its words."""

    renderer: Renderer
    model: Asker
    refs: dict[str, Place] = field(default_factory=dict)
    sources: dict[SourceTable, None] = field(default_factory=dict)
    config: Config = field(default_factory=Config)
    environment: dict[str, str] = field(default_factory=dict)
    settings: TestSettings = field(default_factory=TestSettings)

    def vocabulary(self) -> dict[str, Any]:
        """The words, as functions for a template."""
        return {word: self._function(word) for word in USAGE}

    def _function(self, word: str) -> Callable[..., Any]:
        def say(*args: Any, **named: Any) -> Any:
            meaning = self.renderer.ask(self.model, word, args, named)
            if isinstance(meaning, ModelFile | SourceTable):
                self.reads(meaning, _last_line(self.model.file, _above(sys._getframe())))
                return meaning.relation
            if word == "env_var":
                self.environment[args[0]] = self.renderer.variable(args[0])
            if isinstance(meaning, Config):
                self.settles(meaning)
                return ""
            if isinstance(meaning, TestSettings):
                self.settings = meaning.over(self.settings)
                return ""
            return meaning

        return say

    def reads(self, meaning: object, line: int | None) -> None:
        """Note that the model reads another one or a stream, if that is what a word means."""
        if isinstance(meaning, ModelFile):
            text = self.model.text if self.model.file.endswith(".sql") else ""
            place = Place(self.model.file, line, column_of(text, line, meaning.name))
            self.refs.setdefault(meaning.name, self.model.at_home(place))
        elif isinstance(meaning, SourceTable):
            self.sources.setdefault(meaning)

    def settles(self, config: Config) -> None:
        """Note settings; those of a later `config` win."""
        self.config = config.over(self.config)


def _times(run_started_at: str) -> dict[str, str]:
    return {"run_started_at": run_started_at, "today": run_started_at[:10]}


def _at_home(model: ModelFile, problems: Iterable[Problem]) -> Iterator[Problem]:
    for each in problems:
        if each.place is None or each in model.faults:
            yield each
        else:
            yield replace(each, place=model.at_home(each.place))


Step = tuple[str, int]


def _failure(file: str, error: Exception) -> UserError:
    """What a template raised, with the place in the model's own file."""
    if isinstance(error, UserError) and error.place is not None:
        return error
    steps = list(_below(error.__traceback__))
    line = _last_line(file, reversed(steps))
    hint = error.hint if isinstance(error, LadingError) else None
    if macro := _macro_to_name(file, steps, error):
        hint = "; ".join(filter(None, [hint, f"it happens in a macro, at {Place(*macro)}"]))
    message = error.message if isinstance(error, LadingError) else _said(error)
    return UserError(message, place=Place(file, line), hint=hint)


def _macro_to_name(file: str, steps: list[Step], error: Exception) -> Step | None:
    if isinstance(error, RecursionError):
        # Which of the macros in the circle is the innermost is a matter of chance.
        return next((step for step in steps if step[0] != file), None)
    return steps[-1] if steps and steps[-1][0] != file else None


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "macros call each other without an end"
    return str(error) or type(error).__name__


def _last_line(file: str, steps: Iterator[Step]) -> int | None:
    """The innermost line of `file` among steps that go from the inside out."""
    return next((line for name, line in steps if name == file), None)


def _above(frame: FrameType | None) -> Iterator[Step]:
    """The lines of templates that are being rendered, from the inside out."""
    while frame is not None:
        if step := _step(frame, frame.f_lineno):
            yield step
        frame = frame.f_back


def _below(traceback: TracebackType | None) -> Iterator[Step]:
    """The lines of templates that an error came through, from the outside in."""
    while traceback is not None:
        if step := _step(traceback.tb_frame, traceback.tb_lineno):
            yield step
        traceback = traceback.tb_next


def _step(frame: FrameType, line: int) -> Step | None:
    # Jinja leaves the template in the globals of the code that it compiles.
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return None
    return template.filename, template.get_corresponding_lineno(line)


def _origin(file: str, marks: list[Mark], offset: int) -> tuple[Place, str | None]:
    own = [mark for mark in marks if mark.file == file]
    if not own:
        return Place(file), None
    place = Place(file, own[-1].line, own[-1].column_at(offset))
    inner = marks[-1]
    if inner.file == file:
        return place, None
    return place, f"the SQL comes from a macro, at {Place(inner.file, inner.line)}"
