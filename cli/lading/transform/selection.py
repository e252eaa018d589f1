"""Which nodes a person means: the grammar of dbt's node selection, over the project's nodes.

    usage                 a node of that name, or all that lie in a folder of that name
    staging.stg_usage     folder and name; *, ? and [abc] stand for other characters
    models/marts          a file, a folder or a glob, as `path:` takes it
    tag:  kind:  source:  path:  file:  resource_type:  test_type:  config.materialized:  state:
    model:  test:  unit_test:  mapping:  mapping_test:
                          the name of a node of that type
    +x  x+  2+x+1         with what it reads, with what reads it, so many steps far
    @x                    with all that reads it, and all that this reads
    a b   a,b             either, both

Every value may be a glob, but where the values are a closed list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lading.errors import Problem, UserError, nearest
from lading.transform.nodes import Node
from lading.transform.selecting.methods import Method, methods
from lading.transform.selecting.reach import Edges, edges, reached
from lading.transform.selecting.state import State, read_state
from lading.transform.selecting.terms import Intersection, Term, parse

__all__ = ["State", "read_state", "select"]

TESTS = ("test", "unit_test", "mapping_test")
SIGNPOSTS = ("tag", "kind", "source")
LONGEST_HINT = 200


def select(
    nodes: Mapping[str, Node],
    include: Sequence[str],
    exclude: Sequence[str] = (),
    state: State | None = None,
    *,
    tests: bool = False,
    allow_empty: bool = False,
) -> tuple[str, ...]:
    """The ids of the nodes that are meant, in the order of `nodes`.

    Each text of `include` and `exclude` holds one or more terms; without any text in `include`
    all nodes are meant. With `tests`, each term also means the tests of what it means: as with
    dbt's rule `eager`, all that read any of it or are declared on it, also when they read other
    nodes too. So `usage,test_type:unit` are the unit tests of usage, and what is excluded takes
    its tests along.

    Raises:
        UserError: broken terms, unknown methods and values, `state:` without a state; terms that
            match nothing, and an empty selection, unless `allow_empty`.
    """
    (wanted, broken), (unwanted, more) = parse(include), parse(exclude)
    terms = dict.fromkeys(term for each in (*wanted, *unwanted) for term in each)
    matched, problems = _looked_up(terms, nodes, state, allow_empty=allow_empty)
    if broken or more or problems:
        raise UserError(problems=dict.fromkeys((*broken, *more, *problems)))
    search = _Search(nodes, edges(nodes), matched, tests=tests)
    chosen = search.union(wanted) if include else set(nodes)
    chosen -= search.union(unwanted)
    if not chosen and not allow_empty:
        raise UserError(_emptiness(include, exclude), hint="--allow-empty takes that for an answer")
    return tuple(name for name in nodes if name in chosen)


def _tests_of(ids: Iterable[str], nodes: Mapping[str, Node], edges: Edges) -> set[str]:
    return {
        child
        for each in ids
        for child in edges.children.get(each, ())
        if nodes[child].resource_type in TESTS
    }


@dataclass(frozen=True, slots=True)
class _Search:
    """What terms are worked out with: `matched` is what they name, without what their signs add."""

    nodes: Mapping[str, Node]
    edges: Edges
    matched: Mapping[Term, set[str]]
    tests: bool

    def union(self, intersections: Iterable[Intersection]) -> set[str]:
        return set().union(*(self._intersection(each) for each in intersections))

    def _intersection(self, terms: Intersection) -> set[str]:
        return set.intersection(*(self._meant(term) for term in terms))

    def _meant(self, term: Term) -> set[str]:
        found, parents, children = self.matched[term], self.edges.parents, self.edges.children
        if term.closure:
            meant = reached(reached(found, children), parents)
        else:
            meant = reached(found, parents, term.up) | reached(found, children, term.down)
        return meant | _tests_of(meant, self.nodes, self.edges) if self.tests else meant


def _looked_up(
    terms: Iterable[Term], nodes: Mapping[str, Node], state: State | None, *, allow_empty: bool
) -> tuple[dict[Term, set[str]], list[Problem]]:
    """What each term names; with it, what is wrong with any of them."""
    known = methods(state)
    matched: dict[Term, set[str]] = {}
    problems: list[Problem | None] = []
    for term in terms:
        wrong = _ill_formed(term, known, state)
        if wrong is None:
            means = known[term.method].matcher(term.value)
            matched[term] = {name for name, node in nodes.items() if means(node)}
            wrong = None if matched[term] or allow_empty else _fruitless(term, known, nodes)
        problems.append(wrong)
    return matched, [each for each in problems if each is not None]


def _ill_formed(term: Term, known: Mapping[str, Method], state: State | None) -> Problem | None:
    method = known.get(term.method)
    if method is None:
        message = f"'{term.text}': there is no method '{term.method}:'"
        return Problem(message, hint=nearest(term.method, known))
    if method.allowed and term.value not in method.allowed:
        message = f"'{term.text}': '{term.method}:' knows no '{term.value}'"
        return Problem(message, hint=nearest(term.value, method.allowed))
    if term.method == "state" and state is None:
        message = f"'{term.text}' compares with an earlier run, and none is given"
        return Problem(message, hint="--state DIR names the folder of its manifest.json")
    return None


def _fruitless(
    term: Term, known: Mapping[str, Method], nodes: Mapping[str, Node]
) -> Problem | None:
    """The finding on a term that matches nothing, unless that may well be so."""
    if known[term.method].allowed:
        return None
    return Problem(f"'{term.text}' selects nothing", hint=_suggestion(term, known, nodes))


def _suggestion(term: Term, known: Mapping[str, Method], nodes: Mapping[str, Node]) -> str:
    if term.method == "fqn":
        for each in SIGNPOSTS:
            if any(map(known[each].matcher(term.value), nodes.values())):
                return f"did you mean '{each}:{term.value}'?"
    words_of = known[term.method].words
    near = nearest(term.value, {word for node in nodes.values() for word in words_of(node)})
    if near.startswith("did you mean"):
        return near
    if "+" in term.value:
        return "a '+' stands before or after a name, with a whole number at most: 2+name+1"
    return near if len(near) <= LONGEST_HINT else "'lading ls' lists what there is"


def _emptiness(include: Sequence[str], exclude: Sequence[str]) -> str:
    wanted, unwanted = " ".join(include), " ".join(exclude)
    if not include and not unwanted.strip():
        return "the project has nothing to select"
    if include and not wanted.strip():
        return "nothing is named to be selected"
    if not unwanted.strip():
        return f"'{wanted}' selects nothing"
    whole = f"'{wanted}'" if include else "the project"
    return f"nothing is left of {whole} without '{unwanted}'"
