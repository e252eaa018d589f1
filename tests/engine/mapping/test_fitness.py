"""What Port would refuse is known before it is sent; what Port takes is never refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.mapping.entity import read_values
from lading.mapping.evaluate import Failure
from lading.mapping.fitness import Fitness, identifier_fault
from lading.mapping.property_values import value_check
from lading.sandbox.port_values import FORMATS, entity_identifier_fault, value_fault

BLUEPRINT = {
    "identifier": "bp",
    "schema": {
        "properties": {"model": {"type": "string"}, "tokens": {"type": "number"}},
        "required": ["model"],
    },
    "relations": {
        "team": {"target": "_team", "many": False, "required": True},
        "services": {"target": "service", "many": True},
    },
}
GOOD = {"identifier": "e-1", "properties": {"model": "m"}, "relations": {"team": "t"}}
SEARCH = {"combinator": "and", "rules": [{"property": "email", "operator": "=", "value": None}]}


ONLY = "has {} in it, and Port takes letters, digits and @ _ . + : \\ / = ' - alone"


def checked(body: Any, *, merge: bool = True, blueprint: Any = BLUEPRINT) -> list[Failure]:
    check = Fitness({"bp": blueprint}.get, merge)
    return list(check("bp", read_values(json.dumps(body))))


def fault_of(definition: dict[str, Any], literal: str) -> str | None:
    check = value_check(definition)
    return check(read_values(literal)) if check else None


def test_a_good_entity_has_no_fault() -> None:
    assert checked(GOOD) == []
    assert checked(GOOD, merge=False) == []
    assert checked({**GOOD, "title": "t", "team": ["a"], "identifier": SEARCH}) == []


# A definition, JSON that it takes, JSON that it does not take, and why not.
VALUES: list[tuple[dict[str, Any], list[str], str, str]] = [
    ({"type": "string"}, ['""', '"5"'], "5", "is 5, not a text"),
    ({"type": "number"}, ["0", "-1.5", "12345678901234567890"], '"5"', 'is "5", not a number'),
    ({"type": "number"}, ["1e3"], "true", "is true, not a number"),
    ({"type": "boolean"}, ["true", "false"], "1", "is 1, not true or false"),
    ({"type": "object"}, ["{}"], "[]", "is [], not an object"),
    ({"type": "array"}, ["[]", "[1, null]"], '{"a":1}', 'is {"a":1}, not a list'),
    (
        {"type": "string", "enum": ["a", "b"]},
        ['"a"'],
        '"c"',
        'is "c", which is none of a, b',
    ),
    ({"type": "number", "enum": [1, 2.5]}, ["1", "2.50"], "3", "is 3, which is none of 1, 2.5"),
    (
        {"type": "string", "minLength": 2, "maxLength": 3},
        ['"äö"', '"abc"'],
        '"abcd"',
        "is 4 characters long, and 3 is the most",
    ),
    (
        {"type": "string", "minLength": 2},
        ['"ab"'],
        '"a"',
        "is 1 characters long, and 2 is the least",
    ),
    (
        {"type": "number", "minimum": 0, "maximum": 1.5},
        ["0", "1.5"],
        "1.50000000000000000001",
        "is 1.50000000000000000001, and 1.5 is the most",
    ),
    ({"type": "number", "minimum": 0}, ["0"], "-0.1", "is -0.1, and 0 is the least"),
    (
        {"type": "array", "items": {"type": "string"}},
        ['["a"]', '["a", null]'],
        '["a", 5]',
        "has an element, number 1, that is 5, not a text",
    ),
    (
        {"type": "string", "format": "date-time"},
        [
            '"2026-01-31T00:00:00Z"',
            '"2026-01-31t23:59:60.123456+02:00"',
            '"2024-02-29T00:00:00Z"',
            # Whether Port takes a time without its zone is Port's to say.
            '"2026-01-31T00:00:00"',
        ],
        '"2026-01-31"',
        'is "2026-01-31", not a date and time (2026-01-31T00:00:00Z)',
    ),
    (
        {"type": "string", "format": "date-time"},
        [],
        '"2026-02-29T00:00:00Z"',
        'is "2026-02-29T00:00:00Z", not a date and time (2026-01-31T00:00:00Z)',
    ),
    (
        {"type": "string", "format": "url"},
        ['"https://a.b/c?d=e"', '"mailto:a@b.c"'],
        '"www.a.b"',
        'is "www.a.b", not an address with its scheme (https://…)',
    ),
    (
        {"type": "string", "format": "email"},
        ['"a+b@c.de"'],
        '"a.c"',
        'is "a.c", not an e-mail address',
    ),
    (
        {"type": "string", "format": "user"},
        ['"a@b.c"'],
        '"CI key"',
        'is "CI key", not a user\'s e-mail address',
    ),
    (
        {"type": "string", "format": "ipv4"},
        ['"10.0.0.1"'],
        '"::1"',
        'is "::1", not an IPv4 address',
    ),
    ({"type": "string", "format": "ipv6"}, ['"::1"'], '"10"', 'is "10", not an IPv6 address'),
    ({"type": "string", "format": "markdown"}, ['"# a"'], "1", "is 1, not a text"),
]


@pytest.mark.parametrize(("definition", "taken", "refused", "why"), VALUES)
def test_a_value_by_its_definition(
    definition: dict[str, Any], taken: list[str], refused: str, why: str
) -> None:
    assert [fault_of(definition, each) for each in taken] == [None] * len(taken)
    assert fault_of(definition, refused) == why


@pytest.mark.parametrize(
    ("change", "path", "why"),
    [
        ({"identifier": 42}, "identifier", "is 42, not a text"),
        ({"identifier": ["a"]}, "identifier", 'is ["a"], not a text'),
        (
            {"identifier": "CI key #1"},
            "identifier",
            ONLY.format('" " "#"'),
        ),
        ({"identifier": ".."}, "identifier", 'is "..", which Port does not take'),
        ({"identifier": "a" * 1001}, "identifier", "has 1,001 characters, and 1,000 are the most"),
        (
            {"identifier": {**SEARCH, "combinator": None}},
            "identifier",
            'is a search whose combinator is null, not "and" or "or"',
        ),
        (
            {"identifier": {"combinator": "or", "rules": [{"property": None, "operator": "="}]}},
            "identifier",
            "is a search with a rule whose property is null, not a text",
        ),
        ({"title": 5}, "title", "is 5, not a text"),
        ({"team": ["a", 1]}, "team", 'is ["a",1], not a text or a list of texts'),
        (
            {"properties": {"model": None}},
            "properties.model",
            "is null, and the blueprint requires it",
        ),
        (
            {"properties": {"model": "m", "tokens": "5"}},
            "properties.tokens",
            'is "5", not a number',
        ),
        (
            {"relations": {"team": ["t"]}},
            "relations.team",
            'is ["t"], and the relation is to one entity: a text',
        ),
        (
            {"relations": {"team": "t", "services": "s"}},
            "relations.services",
            'is "s", and the relation is to many: a list',
        ),
        ({"relations": {"team": 5}}, "relations.team", "is 5, not a text"),
        (
            {"relations": {"team": "t", "services": ["s", 5]}},
            "relations.services",
            'is ["s",5], not texts',
        ),
        (
            {"relations": {"team": "a#"}},
            "relations.team",
            'leads to "a#", which ' + ONLY.format('"#"'),
        ),
        ({"relations": {"team": None}}, "relations.team", "is null, and the blueprint requires it"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], path: str, why: str) -> None:
    assert checked({**GOOD, **change}) == [Failure(path, why)]


def test_what_may_be_null_or_missing() -> None:
    assert checked({"identifier": "e", "properties": {"model": "m", "tokens": None}}) == []
    assert checked({"identifier": "e"}) == []
    assert [each.path for each in checked({"identifier": "e"}, merge=False)] == [
        "properties.model",
        "relations.team",
    ]
    # Port may take an empty text for none.
    assert checked({**GOOD, "relations": {"team": "", "services": []}}) == []


def test_without_a_blueprint_only_the_shape_is_looked_at() -> None:
    body = {
        "identifier": "a b",
        "title": 5,
        "properties": {"x": 1},
        "relations": {"r": ["a", "b c"]},
    }
    assert [each.path for each in checked(body, blueprint=None)] == [
        "identifier",
        "title",
        "relations.r",
    ]


LETTERS = st.text(
    st.one_of(st.sampled_from("@_.+:\\/='- #(),|%~äßжéΩ٣²½a1"), st.characters(codec="utf-8")),
    max_size=12,
)


@given(LETTERS)
def test_no_identifier_is_refused_that_the_stand_in_takes(identifier: str) -> None:
    if entity_identifier_fault(identifier) is None:
        assert identifier_fault(identifier) is None
        assert checked({"identifier": identifier}, blueprint=None) == []


@given(st.characters(codec="utf-8"))
def test_a_character_that_is_refused_alone_is_refused_among_others(character: str) -> None:
    alone = {each.path for each in checked({"identifier": character * 3}, blueprint=None)}
    among = {each.path for each in checked({"identifier": f"a{character}b"}, blueprint=None)}
    assert among == (set() if character in ".." else alone)


DEFINITIONS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "number", "boolean", "array"])}),
    st.fixed_dictionaries({"type": st.just("string"), "format": st.sampled_from(sorted(FORMATS))}),
    st.builds(
        lambda low, high: {"type": "number", "minimum": low, "maximum": high},
        st.integers(-5, 5),
        st.integers(0, 9),
    ),
    st.just({"type": "string", "enum": ["a", "b"], "minLength": 1}),
    st.just({"type": "array", "items": {"type": "string", "format": "email"}}),
)
TEXTS = st.one_of(
    st.sampled_from(["a", "c@d.e", "10.0.0.1", "::1", "https://a.b", "2026-01-02T03:04:05Z"]),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.emails(),
    st.text("abc@.:/-_123é", max_size=9),
)
JSON = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(DEFINITIONS, JSON)
def test_no_value_is_refused_that_the_stand_in_takes(
    definition: dict[str, Any], value: Any
) -> None:
    if value_fault(definition, value) is None:
        assert fault_of(definition, json.dumps(value)) is None
