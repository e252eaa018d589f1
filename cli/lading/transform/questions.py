"""Ready-made questions: files of SQL with Jinja in them, asked by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lading.errors import Place, Problem, UserError
from lading.transform.files import DEFAULT_SCHEMA, ModelFile
from lading.transform.render import Wish
from lading.transform.statements import HINT, Fault, read_statement

if TYPE_CHECKING:
    from lading.project.documents import TextFile
    from lading.project.model import Project
    from lading.transform.graph import Graph

# The comment that a file begins with: lines, a block, or a block of Jinja's.
OPENING_COMMENT = re.compile(
    r"\s*(?:((?:--[^\n]*(?:\n|\Z))+)|/\*(.*?)\*/|\{#-?(.*?)-?#\})", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question: called as its file is, and described by the comment that this begins with."""

    name: str
    file: str
    text: str

    @property
    def description(self) -> str:
        """What it asks, on one line."""
        found = OPENING_COMMENT.match(self.text)
        said = next(filter(None, found.groups()), "") if found else ""
        return " ".join(re.sub(r"(?m)^\s*(?:--+|\*)", "", said).split())


def questions_of(project: Project) -> dict[str, Question]:
    """All questions by their names, sorted; of two of one name, the first."""
    found: dict[str, Question] = {}
    for file in project.queries:
        found.setdefault(file.name, _question(file))
    return dict(sorted(found.items()))


def read_questions(
    project: Project, graph: Graph
) -> tuple[tuple[tuple[Question, str], ...], tuple[Problem, ...]]:
    """All questions with their SQL, by their names, and what is wrong with the others."""
    found: list[tuple[Question, str]] = []
    problems = list(_twins(project))
    for question in questions_of(project).values():
        try:
            found.append((question, sql_of(question, graph)))
        except UserError as error:
            problems.extend(error.problems)
    return tuple(found), tuple(problems)


def sql_of(question: Question, graph: Graph) -> str:
    """The question as DuckDB gets it.

    Raises:
        UserError: its Jinja or its SQL is wrong, with the place in its file.
    """
    renderer, wish = graph.compiler.renderer, _wish(question, graph)
    statement = read_statement(renderer.render(wish).sql)
    if faults := [each for each in statement.faults if each.severity == "error"]:
        raise UserError(problems=[renderer.problem(wish, _of_question(each)) for each in faults])
    return statement.sql.strip()


def place_in(question: Question, graph: Graph, offset: int | None) -> tuple[Place, str | None]:
    """Where the character at an offset of a question's SQL was written, and a hint."""
    if offset is None:
        return Place(question.file), None
    renderer, wish = graph.compiler.renderer, _wish(question, graph)
    whole = read_statement(renderer.render(wish).sql).sql
    return renderer.origin(wish, offset + len(whole) - len(whole.lstrip()))


def _question(file: TextFile) -> Question:
    return Question(file.name, file.file, file.text)


def _wish(question: Question, graph: Graph) -> Wish:
    file = ModelFile(question.name, DEFAULT_SCHEMA, question.file, question.text)
    return Wish(file, graph.run_started_at)


def _of_question(fault: Fault) -> Fault:
    if fault.hint != HINT:
        return fault
    said = fault.message.replace("model", "question")
    return replace(fault, message=said, hint=HINT.replace("model", "question"))


def _twins(project: Project) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for file in project.queries:
        if seen.setdefault(file.name, file.file) != file.file:
            message = f"there are two questions '{file.name}': the other one is {seen[file.name]}"
            yield Problem(message, Place(file.file), "a question is called as its file is")
