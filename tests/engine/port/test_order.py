"""What is related to is written first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lading.port.order import Place, places, relations_of

NAMES = "abcdef"
GRAPHS = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from("xyz"), st.sampled_from(NAMES), max_size=3),
)


def reaches(one: str, other: str, graph: dict[str, dict[str, str]]) -> bool:
    """Whether relations lead from one to the other, by walking them."""
    seen, left = set[str](), list(graph.get(one, {}).values())
    while left:
        name = left.pop()
        if name == other:
            return True
        if name not in seen:
            seen.add(name)
            left += graph.get(name, {}).values()
    return False


@given(GRAPHS)
def test_targets_come_before_what_points_to_them(graph: dict[str, dict[str, str]]) -> None:
    found = places(NAMES, graph)
    assert set(found) == set(NAMES)
    for name, links in graph.items():
        for relation, target in links.items():
            if reaches(target, name, graph):
                assert relation in found[name].ring
                assert found[name].phase == found[target].phase
            else:
                assert relation not in found[name].ring
                assert found[target].phase < found[name].phase


def test_a_chain_a_ring_and_one_that_points_to_itself() -> None:
    graph = {
        "usage": {"workspace": "workspace"},
        "workspace": {"lead": "person"},
        "person": {"home": "workspace", "boss": "person"},
        "note": {"about": "usage"},
    }
    assert places(["note", "usage", "workspace", "person"], graph) == {
        "workspace": Place(0, frozenset(["lead"])),
        "person": Place(0, frozenset(["home", "boss"])),
        "usage": Place(1),
        "note": Place(2),
    }


def test_relations_are_read_from_blueprints() -> None:
    bodies = {"a": {"relations": {"b": {"target": "b", "many": True}}}, "b": {}}
    assert relations_of(bodies) == {"a": {"b": "b"}, "b": {}}
