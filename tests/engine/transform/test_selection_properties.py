"""What holds of every selection, on any graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.commands import listing
from lading.transform.nodes import Node, ResourceType
from lading.transform.selection import select

# Names that are also folders, tags or other nodes' names, and ones that the grammar has uses for.
NAMES = (
    "a",
    "b",
    "staging",
    "models",
    "a-b",
    "+a",
    "b+1",
    "@a",
    "x.sql",
    "a*",
    "b[c]",
    "t?",
    "a.b",
)
FOLDERS = ("models", "models/staging", "models/staging/b", "tests/a")
TAGS = ("a", "nightly")
# How long an example takes says nothing on a machine that does other things as well.
PATIENT = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIGNS = ("", "+", "1+", "2+", "@")


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Node]:
    """Nodes of all types; each may read any before it."""
    nodes: dict[str, Node] = {}
    for resource_type in get_args(ResourceType):
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5)):
            each = draw(node(resource_type, name, tuple(sorted(nodes))))
            nodes[each.id] = each
    return dict(draw(st.permutations(sorted(nodes.items()))))


def node(
    resource_type: ResourceType, name: str, before: tuple[str, ...]
) -> st.SearchStrategy[Node]:
    name = f"harbour.{name}" if resource_type == "source" else name
    some = st.lists(st.sampled_from(before), unique=True, max_size=3) if before else st.just([])
    return st.builds(
        Node,
        id=st.just(f"{resource_type}.{name}"),
        name=st.just(name),
        resource_type=st.just(resource_type),
        file=st.sampled_from(FOLDERS).map(lambda folder: f"{folder}/{name}.sql"),
        depends_on=some.map(sorted).map(tuple),
        checksum=st.just(""),
        tags=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    )


TERMS = st.one_of(
    st.sampled_from(["a", "b", "staging", "*a*", "?", "[ab]", "a.*", "models/**/b*", "x.sql"]),
    st.sampled_from(["tag:a", "tag:*", "path:models/staging", "source:*", "model:a", "test:*"]),
    st.sampled_from([f"resource_type:{each}" for each in get_args(ResourceType)]),
)
SIGNED = st.builds(
    lambda sign, term, after: f"{sign}{term}{'' if sign == '@' else after}",
    st.sampled_from(SIGNS),
    TERMS,
    st.sampled_from(["", "+", "+1"]),
)
SELECTIONS = st.lists(SIGNED, min_size=1, max_size=3).map(",".join)


def meant(nodes: Mapping[str, Node], *include: str, tests: bool = False) -> set[str]:
    found = select(nodes, include, tests=tests, allow_empty=True)
    assert list(found) == [each for each in nodes if each in found]
    return set(found)


@PATIENT
@given(graphs(), SELECTIONS, SELECTIONS, st.booleans())
def test_a_blank_is_the_union(nodes: dict[str, Node], one: str, other: str, tests: bool) -> None:
    both = meant(nodes, one, tests=tests) | meant(nodes, other, tests=tests)
    assert meant(nodes, f"{one} {other}", tests=tests) == both
    assert meant(nodes, one, other, tests=tests) == both


@PATIENT
@given(graphs(), SELECTIONS, SELECTIONS, st.booleans())
def test_a_comma_is_the_intersection(
    nodes: dict[str, Node], one: str, other: str, tests: bool
) -> None:
    both = meant(nodes, one, tests=tests) & meant(nodes, other, tests=tests)
    assert meant(nodes, f"{one},{other}", tests=tests) == both


@PATIENT
@given(graphs(), SELECTIONS, SELECTIONS, st.booleans())
def test_what_is_excluded_is_taken_away(
    nodes: dict[str, Node], one: str, other: str, tests: bool
) -> None:
    left = select(nodes, [one], [other], tests=tests, allow_empty=True)
    assert set(left) == meant(nodes, one, tests=tests) - meant(nodes, other, tests=tests)


@PATIENT
@given(graphs(), TERMS)
def test_steps_lead_along_the_edges(nodes: dict[str, Node], term: str) -> None:
    start = meant(nodes, term)
    parents = {read for each in start for read in nodes[each].depends_on}
    children = {each for each, node in nodes.items() if start & {*node.depends_on}}
    assert meant(nodes, f"1+{term}") == start | parents
    assert meant(nodes, f"{term}+1") == start | children
    assert meant(nodes, f"1+{term}+1") == start | parents | children
    assert meant(nodes, f"0+{term}+0") == start


@PATIENT
@given(graphs(), TERMS)
def test_all_steps_are_as_many_as_there_are_nodes(nodes: dict[str, Node], term: str) -> None:
    assert meant(nodes, f"+{term}") == meant(nodes, f"{len(nodes)}+{term}")
    assert meant(nodes, f"{term}+") == meant(nodes, f"{term}+{len(nodes)}{'0' * 5000}")
    assert meant(nodes, f"+{term}+") == meant(nodes, f"+{term}") | meant(nodes, f"{term}+")


@PATIENT
@given(graphs(), TERMS)
def test_what_an_at_selects_lacks_nothing_to_be_made(nodes: dict[str, Node], term: str) -> None:
    found = meant(nodes, f"@{term}")
    assert found >= meant(nodes, f"{term}+")
    assert all(found.issuperset(nodes[each].depends_on) for each in found)
    wanted = meant(nodes, f"{term}+")
    assert all(each in wanted or meant(nodes, listed(nodes, each) + "+") & wanted for each in found)


def listed(nodes: dict[str, Node], each: str) -> str:
    (line,) = listing.text(nodes, [each])
    return line


@PATIENT
@given(graphs(), SELECTIONS)
def test_tests_are_those_that_read_what_is_selected(nodes: dict[str, Node], terms: str) -> None:
    found = meant(nodes, terms)
    named = [listed(nodes, each) for each in found]
    assert set(select(nodes, named, tests=True) if named else ()) == found | {
        each
        for each, node in nodes.items()
        if node.resource_type in ("test", "unit_test", "mapping_test")
        and found & {*node.depends_on}
    }


@PATIENT
@given(graphs())
def test_each_listed_line_selects_just_its_node(nodes: dict[str, Node]) -> None:
    assert {each: meant(nodes, listed(nodes, each)) for each in nodes} == {
        each: {each} for each in nodes
    }


@PATIENT
@given(graphs(), SELECTIONS)
def test_the_lines_of_a_selection_select_it_again(nodes: dict[str, Node], terms: str) -> None:
    found = select(nodes, [terms], allow_empty=True)
    lines = listing.text(nodes, found)
    assert select(nodes, lines or [""], allow_empty=True) == found


@PATIENT
@given(graphs(), SELECTIONS)
def test_a_tree_shows_each_node_once_in_full_and_each_edge_once(
    nodes: dict[str, Node], terms: str
) -> None:
    found = set(select(nodes, [terms], allow_empty=True))
    lines = [line.lstrip("│├└─ ") for line in listing.tree(nodes, found)]
    marked = [line for line in lines if line.endswith(listing.SHOWN_ABOVE)]
    edges = [(each, read) for each in found for read in nodes[each].depends_on if read in found]
    roots = found - {each for each, _ in edges}
    assert sorted(line for line in lines if line not in marked) == sorted(
        listing.text(nodes, found)
    )
    assert len(lines) == len(roots) + len(edges)
