"""Numbers reach Port as they were reported, and the same value is always written in one way."""

from __future__ import annotations

import json
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.mapping.entity import json_text, make_entity, plain_number, read_values
from lading.mapping.evaluate import Mapped, evaluate

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

    from lading.mapping.workers import Workers

WIDE = Context(prec=200)
DIGITS = st.text("0123456789", min_size=1, max_size=30)


@st.composite
def literals(draw: st.DrawFn) -> str:
    """Numbers as JSON may have them, up to 60 digits."""
    sign = draw(st.sampled_from(["", "-"]))
    whole = draw(DIGITS).lstrip("0") or "0"
    fraction = draw(st.one_of(st.just(""), DIGITS.map(lambda digits: f".{digits}")))
    power = st.builds("{}{}".format, st.sampled_from(["e", "E+", "e-"]), st.integers(0, 40))
    return sign + whole + fraction + draw(st.one_of(st.just(""), power))


@pytest.mark.parametrize(
    ("reported", "sent"),
    [
        ("3.0", "3"),
        ("12.50", "12.5"),
        ("92.1150", "92.115"),
        ("9007199254740993", "9007199254740993"),
        ("12345678901234567890", "12345678901234567890"),
        ("12345678901234567890.1234567890", "12345678901234567890.123456789"),
        ("0.000000001", "0.000000001"),
        ("1e-9", "0.000000001"),
        ("1E+3", "1000"),
        ("1.5e3", "1500"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("-1.10", "-1.1"),
        ("1e1200", "1e1200"),
        ("-1.250e-1200", "-1.25e-1200"),
    ],
)
def test_a_number_that_is_only_passed_on(reported: str, sent: str, mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"n": ".n"}})

    found = mapping_desk.outcomes(resource, [f'{{"id":"a","n":{reported}}}'])

    assert isinstance(found[0], Mapped)
    assert found[0].entity.text == f'{{"identifier":"a","properties":{{"n":{sent}}}}}'


@pytest.mark.parametrize("text", ["92.1150", "307.726800", "0.0004", "12345678901234567.89"])
def test_a_text_that_tonumber_reads(text: str, mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"amount": ".amount | tonumber"}})

    found = mapping_desk.outcomes(resource, [{"id": "a", "amount": text}])

    assert isinstance(found[0], Mapped)
    assert found[0].entity.value()["properties"]["amount"] == Decimal(text)


@given(literals())
def test_a_plain_number_is_the_same_number(literal: str) -> None:
    plain = plain_number(literal)

    assert Decimal(plain) == Decimal(literal)
    assert "e" not in plain.lower()
    whole, _, fraction = plain.removeprefix("-").partition(".")
    assert whole == "0" or not whole.startswith("0")
    assert not fraction.endswith("0")
    assert plain != "-0"


@given(literals(), st.integers(0, 8))
def test_the_same_number_in_another_form_is_written_alike(literal: str, shift: int) -> None:
    mantissa, _, power = literal.lower().partition("e")
    shifted = f"{Decimal(mantissa).scaleb(shift, WIDE):f}e{int(power or 0) - shift}"

    assert plain_number(shifted) == plain_number(literal)


@given(literals())
def test_a_number_that_is_read_has_that_one_form(literal: str) -> None:
    for form in (literal, plain_number(literal)):
        assert json_text(read_values(form)) == plain_number(literal)


@settings(max_examples=60, deadline=None)
@given(st.lists(literals(), min_size=1, max_size=20))
def test_numbers_come_through_jq_exactly(
    jq_workers: Workers, numbers_resource: object, numbers: list[str]
) -> None:
    rows = [f'{{"id":"a","n":{number},"deep":{{"z":[{number}]}}}}' for number in numbers]

    found = list(evaluate(numbers_resource, rows, jq_workers))  # type: ignore[arg-type]

    for outcome, number in zip(found, numbers, strict=True):
        assert isinstance(outcome, Mapped)
        properties = outcome.entity.value()["properties"]
        assert Decimal(properties["n"]) == Decimal(number)
        assert properties["deep"] == {"z": [properties["n"]]}


@pytest.fixture(scope="module")
def numbers_resource(mapping_desk: Desk) -> object:
    return mapping_desk.resource({"properties": {"n": ".n", "deep": ".deep"}})


def test_the_hash_knows_values_not_forms(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"o": ".o", "n": ".n"}})
    alike = [
        '{"id":"a","n":1.50,"o":{"x":1,"y":[{"p":2,"q":null}]}}',
        '{"o":{"y":[{"q":null,"p":2.0}],"x":1e0},"n":15e-1,"id":"a"}',
    ]
    other = '{"id":"a","n":1.50,"o":{"x":1,"y":[{"p":2,"q":false}]}}'

    first, second, third = mapping_desk.outcomes(resource, [*alike, other])

    assert isinstance(first, Mapped)
    assert isinstance(second, Mapped)
    assert isinstance(third, Mapped)
    assert first.entity.hash == second.entity.hash != third.entity.hash
    assert len(first.entity.hash) == 64


def test_the_text_keeps_the_mapping_s_order_and_every_character() -> None:
    values = read_values(json.dumps(['ä\u2028"\\\n', 1]))

    entity = make_entity("bp", {"identifier": "x", "properties": {"z": values[0], "a": values[1]}})

    assert entity.text.startswith('{"identifier":"x","properties":{"z":"ä')
    assert json.loads(entity.text)["properties"] == {"z": 'ä\u2028"\\\n', "a": 1}
