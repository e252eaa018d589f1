"""What is a change and what is only another way to write the same."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.mapping.entity import exact_value
from lading.port.values import Change, Terms, changes, left_in_place, moments_of

SENT, HELD = Terms(frozenset(["at"])), Terms(frozenset(["at"]), held=True)
WHOLE = Terms(merge=False)


def entity(**properties: Any) -> dict[str, Any]:
    return {"identifier": "e", "properties": properties}


def paths(before: Any, after: Any, terms: Terms) -> list[str]:
    return [each.path for each in changes(before, after, terms)]


SAME = [
    ({"a": 1}, {"a": Decimal("1.0")}, SENT),
    ({"a": [1, {"b": 2}]}, {"a": [Decimal("1.0"), {"b": 2}]}, SENT),
    ({"at": "2026-01-02T00:00:00Z"}, {"at": "2026-01-02T00:00:00.000Z"}, SENT),
    ({"at": "2026-01-02T02:00:00+02:00"}, {"at": "2026-01-02T00:00:00Z"}, SENT),
    ({"a": 1, "b": 2}, {"a": 1}, SENT),  # what is not sent stays as it is
    ({}, {"a": None}, HELD),  # Port has no null
    ({"a": 9007199254740992}, {"a": 9007199254740993}, HELD),  # nor more than a double has
    ({"a": 0.1}, {"a": Decimal("0.1000000000000000055")}, HELD),
    ({"a": None}, {}, WHOLE),
]
DIFFERENT = [
    ({"a": 1}, {"a": "1"}, SENT),
    ({"a": 1}, {"a": True}, SENT),
    ({"a": 0}, {"a": False}, HELD),
    ({"a": 0}, {"a": None}, HELD),
    ({"a": [1, 2]}, {"a": [2, 1]}, SENT),
    ({"a": {"b": 1}}, {"a": {"b": 1, "c": None}}, SENT),
    ({"a": "2026-01-02T00:00:00Z"}, {"a": "2026-01-02T00:00:00.000Z"}, SENT),  # no moment
    ({"at": "2026-01-02T00:00:00Z"}, {"at": "2026-01-02T00:00:01Z"}, SENT),
    ({"at": "soon"}, {"at": "later"}, SENT),
    ({}, {"a": None}, SENT),  # what Port has of it is not known
    ({"a": 9007199254740992}, {"a": 9007199254740993}, SENT),
    ({"a": 1}, {}, WHOLE),
]


@pytest.mark.parametrize(("before", "after", "terms"), SAME)
def test_no_change(before: Any, after: Any, terms: Terms) -> None:
    assert paths(entity(**before), entity(**after), terms) == []


@pytest.mark.parametrize(("before", "after", "terms"), DIFFERENT)
def test_a_change(before: Any, after: Any, terms: Terms) -> None:
    (path,) = paths(entity(**before), entity(**after), terms)
    assert path == f"properties.{next(iter({**before, **after}))}"


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"relations": {"r": ["a", "b"]}}, {"relations": {"r": ["b", "a"]}}, True),
        ({"relations": {"r": ["a"]}}, {"relations": {"r": "a"}}, True),
        ({"relations": {}}, {"relations": {"r": []}}, True),
        ({"relations": {"r": "a"}}, {"relations": {"r": None}}, False),
        ({"relations": {"r": "a"}}, {"relations": {"r": {"combinator": "and"}}}, False),
        ({"team": ["x"]}, {"team": "x"}, True),
        ({"team": ["x"]}, {"team": ["x", "y"]}, False),
        ({"title": "a"}, {"title": "b"}, False),
        ({"title": "a"}, {}, True),
    ],
)
def test_of_relations_teams_and_titles(before: Any, after: Any, same: bool) -> None:
    assert (paths(before, after, HELD) == []) is same


def test_a_change_has_both_values() -> None:
    found = changes(entity(a=1, b=2), entity(a=3, b=2, c=None), SENT)
    assert found == (Change("properties.a", 1, 3), Change("properties.c", None, None))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
PROPERTIES = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(PROPERTIES, PROPERTIES, st.booleans(), st.booleans())
def test_what_was_done_is_no_change(
    before: dict[str, Any], after: dict[str, Any], merge: bool, held: bool
) -> None:
    """Port after an upsert, reckoned by its two rules, differs in nothing from what was sent."""
    stored = {**before, **after} if merge else after
    port = {key: value for key, value in stored.items() if value is not None or not held}
    assert paths(entity(**port), entity(**after), Terms(merge=merge, held=held)) == []


@given(PROPERTIES, PROPERTIES, st.booleans())
def test_what_port_keeps_is_known(
    before: dict[str, Any], after: dict[str, Any], merge: bool
) -> None:
    left = left_in_place({**entity(**before), "title": "Old"}, entity(**after), Terms(merge=merge))
    if merge:
        assert left == {**entity(**{**before, **after}), "title": "Old"}
    else:
        assert left is None
    assert left_in_place(entity(**before), entity(**{**before, **after}), SENT) is None


@given(PROPERTIES, PROPERTIES)
def test_a_change_is_told_for_each_key_that_moves(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    told = {path.partition(".")[2] for path in paths(entity(**before), entity(**after), HELD)}

    def canonical(value: Any) -> str:
        return json.dumps(value, sort_keys=True, default=lambda number: repr(number.normalize()))

    for name in told:
        assert canonical(before.get(name)) != canonical(after[name])


def test_moments_are_those_of_the_blueprint() -> None:
    properties = {"at": {"type": "string", "format": "date-time"}, "a": {"type": "string"}}
    assert moments_of({"schema": {"properties": properties}}) == {"at"}
    assert moments_of({}) == frozenset()


def test_texts_are_read_to_the_last_digit() -> None:
    assert exact_value('{"a": 1.10, "b": 12345678901234567890}') == {
        "a": Decimal("1.10"),
        "b": 12345678901234567890,
    }
