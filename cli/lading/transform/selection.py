"""Which models a person means: names, with a + for what they read or what reads them."""

from __future__ import annotations

from collections.abc import Iterable

from lading.errors import Problem, UserError, nearest
from lading.transform.graph import Graph
from lading.transform.model import Model


def selected(graph: Graph, select: Iterable[str] | None = None) -> tuple[Model, ...]:
    """The models to make, in the graph's order; all of them when nothing is selected.

    A term is a model's name; `+name` adds all that it reads, `name+` all that reads it. Several
    in one string stand apart by blanks. Resource models are not made, so that one of them gives
    only what its + reaches.

    Raises:
        UserError: a term that names no model, or one that selects nothing to make.
    """
    terms = None if select is None else [term for each in select for term in each.split()]
    if terms is None:
        return _made(graph, graph.models)
    names: set[str] = set()
    problems: list[Problem] = []
    for term in terms:
        try:
            names |= _meant(graph, term)
        except UserError as error:
            problems.extend(error.problems)
    if not terms:
        problems.append(Problem("nothing is selected", hint="name a model"))
    if problems:
        raise UserError(problems=problems)
    return _made(graph, names)


def _made(graph: Graph, names: Iterable[str]) -> tuple[Model, ...]:
    wanted = set(names)
    return tuple(
        model for name, model in graph.models.items() if name in wanted and not model.is_resource
    )


def _meant(graph: Graph, term: str) -> frozenset[str]:
    name = term.removeprefix("+").removesuffix("+")
    if name not in graph.models:
        raise UserError(f"'{term}' selects nothing", hint=nearest(name, graph.models))
    found = frozenset([name])
    if term.startswith("+"):
        found |= graph.ancestors([name])
    if term.endswith("+"):
        found |= graph.descendants([name])
    if not _made(graph, found):
        message = f"'{term}' selects nothing to make: a resource model is rendered for each mapping"
        raise UserError(message, hint=f"+{name} makes what it reads")
    return found
