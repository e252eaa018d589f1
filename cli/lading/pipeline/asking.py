"""Questions by their names: which there are, and what DuckDB gets of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.errors import Problem, UserError, nearest

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.transform.graph import Graph
    from lading.transform.questions import Question
    from lading.transform.skeleton import Skeleton
    from lading.warehouse.database import Database


@dataclass(frozen=True)
class Named:
    """A question that is to be asked, with its variables: `sql` is what DuckDB gets of it."""

    question: Question
    sql: str
    graph: Graph = field(repr=False)

    def placed(self, error: Exception) -> Problem:
        """What DuckDB said to it, with the place in its file."""
        from lading.transform.bind_messages import taken_apart
        from lading.transform.questions import place_in
        from lading.transform.statements import explained

        message, offset = explained(error, self.sql)
        place, origin = place_in(self.question, self.graph, offset)
        said, hint, _ = taken_apart(message)
        if said.startswith("there is no table"):
            hint = "`lading build` makes what the models give; `lading sync` fetches it first"
        return Problem(said, place, "; ".join(filter(None, [hint, origin])) or None)


@dataclass(frozen=True)
class Desk:
    """A project as far as it is needed to ask its database something."""

    database: Database
    questions: Mapping[str, Question]
    make_graph: Callable[[Mapping[str, Any]], Graph] = field(repr=False)

    @cached_property
    def graph(self) -> Graph:
        """The models; they are only read if something is asked of them."""
        return self.make_graph({})

    def named(self, name: str, variables: Mapping[str, Any] | None = None) -> Named:
        """A question by its name; `variables` come before those of the project.

        Raises:
            UserError: there is none of that name, or something is wrong with it.
        """
        from lading.transform.questions import sql_of

        if name not in self.questions:
            raise UserError(f"there is no question '{name}'", hint=nearest(name, self.questions))
        graph = self.make_graph(variables) if variables else self.graph
        return Named(self.questions[name], sql_of(self.questions[name], graph), graph)

    def described(self, schema: str, table: str) -> Mapping[str, str]:
        """What is said of a model's columns, by their names; of other tables, nothing."""
        model = self.graph.models.get(table)
        if model is None or model.schema.casefold() != schema.casefold():
            return {}
        return {each.name: each.description for each in model.columns}


def open_desk(
    root: Path,
    *,
    target: str | None,
    variables: Mapping[str, Any],
    now: datetime,
    wait: float,
) -> Desk:
    """The database and the questions of a project. What else is wrong with its files is no reason
    not to ask: a question that reads a broken model says so itself.

    Raises:
        UserError: findings about project.yml and the target.
    """
    from lading.project.cache import open_cache
    from lading.project.environment import read_environment
    from lading.project.load import FILE, load_project
    from lading.transform.graph import load_graph
    from lading.transform.questions import questions_of
    from lading.warehouse.database import Database

    cache = open_cache(root, writes=False)
    project, problems = load_project(
        root,
        environment=read_environment(root),
        target=target,
        variables=variables,
        cache=cache,
    )
    ours = [each for each in problems if each.place and each.place.file in {FILE, "--target"}]
    if project is None or ours:
        raise UserError(problems=ours or problems)
    settings = project.target
    database = Database(settings.database, settings.storage_version, settings.threads, wait)
    return Desk(
        database,
        questions_of(project),
        lambda given: load_graph(
            replace(project, variables={**project.variables, **given}), now, cache
        )[0],
    )


def question_problems(context: Context, made: Skeleton) -> Iterator[Problem]:
    """What is wrong with the questions, also with the columns and tables that they name. Nothing
    but the question itself depends on that."""
    import duckdb

    from lading.transform.bind_messages import taken_apart
    from lading.transform.questions import place_in, read_questions
    from lading.transform.skeleton import CLOSING, OPENING, described
    from lading.transform.statements import explained

    questions, problems = read_questions(context.project, context.graph)
    yield from problems
    for question, sql in questions:
        try:
            described(made.connection, sql)
        except duckdb.IOException:
            continue  # a file that it reads is not there yet
        except duckdb.Error as error:
            message, offset = explained(error, OPENING + sql + CLOSING)
            at = None if offset is None else min(max(offset - len(OPENING), 0), len(sql))
            place, origin = place_in(question, context.graph, at)
            said, hint, is_near = taken_apart(message)
            # What people keep in the database beside the project can't be seen from here.
            is_elsewhere = isinstance(error, duckdb.CatalogException) and not is_near
            hints = "; ".join(filter(None, [hint, origin])) or None
            yield Problem(said, place, hints, "warning" if is_elsewhere else "error")
