"""Entities as Port gets them: numbers exactly as reported, written in one way.

    3.0 -> 3        12.50 -> 12.5        92.1150 -> 92.115        1E+2 -> 100        -0 -> 0

Integers of any size and decimals of any length keep every digit, as long as no expression
computes with them: JQ keeps the literal of a number that it only passes on, and what follows here
never makes a float of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.mapping.outline import Shape

if TYPE_CHECKING:
    import msgspec

# Beyond this many digits before or behind the point a number is written with an exponent.
PLAIN_DIGITS = 1000

# A decimal that stands in its one form already; most do, and Decimal takes twenty times as long.
PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,500})\.[0-9]{0,300}[1-9]")

# Port's upsert takes texts here (team: or a list), and no null.
TEXTS = ("title", "icon", "team")


@dataclass(frozen=True, slots=True)
class Entity:
    """One Port entity.

    Attributes:
        blueprint: the blueprint's identifier.
        identifier: as the expression gave it: text if Port is to take it, or a search object.
        text: the JSON that Port gets: all but the blueprint, keys in the mapping's order.
        hash: SHA-256 in hex of the same JSON with its keys sorted.
        left_out: those of title, icon and team that gave null. Port's API takes no null for them,
            so they are not in `text`, and Port keeps what it has.
    """

    blueprint: str
    identifier: Any
    text: str
    hash: str
    left_out: tuple[str, ...] = ()

    def value(self) -> dict[str, Any]:
        """Everything that the mapping gave, blueprint and nulls included; numbers that are no
        integers are Decimals."""
        found: dict[str, Any] = exact_value(self.text)
        return {**found, **dict.fromkeys(self.left_out), "blueprint": self.blueprint}


def plain_number(literal: str) -> str:
    """The one way in which a JSON number is written: no exponent, no needless zero or sign."""
    number = Decimal(literal)
    if not number:
        return "0"
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or abs(number.adjusted()) > PLAIN_DIGITS:
        return _with_exponent(sign, digits, number.adjusted())
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_exponent(sign: int, digits: tuple[int, ...], exponent: int) -> str:
    text = "".join(map(str, digits)).lstrip("0").rstrip("0")
    point = "." if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{point}{text[1:]}e{exponent}"


def read_values(text: str) -> Any:
    """The JSON value, its numbers in their one form: int, or else msgspec.Raw.

    Raises:
        ValueError: it nests too deeply, or has an integer of more than 4,300 digits.
    """
    try:
        return _canonical_decoder().decode(text)
    except RecursionError as error:
        raise ValueError("a value is nested too deeply") from error


def plain_value(value: Any) -> Any:
    """A value of `read_values` as Python has it, with Decimal for numbers that are no integers."""
    if isinstance(value, str):
        return value
    return _exact_decoder().decode(_encoder().encode(value))


def exact_value(text: str) -> Any:
    """A JSON text as Python has it, with Decimal for numbers that are no integers."""
    return _exact_decoder().decode(text)


def is_number(value: Any) -> bool:
    """Whether a value of `read_values` is a number."""
    import msgspec

    return isinstance(value, int | msgspec.Raw) and not isinstance(value, bool)


def json_text(value: Any) -> str:
    """A value of `read_values` as JSON."""
    return _encoder().encode(value).decode()


def make_entity(blueprint: str, body: dict[str, Any]) -> Entity:
    """The entity of a body whose values come from `read_values`."""
    left_out = tuple(key for key in TEXTS if key in body and body[key] is None)
    for key in left_out:
        del body[key]
    return Entity(
        blueprint,
        plain_value(body["identifier"]),
        _encoder().encode(body).decode(),
        hashlib.sha256(_sorting_encoder().encode(body)).hexdigest(),
        left_out,
    )


def fill(shape: Shape, values: list[Any]) -> Any:
    """The shape with each number replaced by the value of that number."""
    if isinstance(shape, int):
        return values[shape]
    if isinstance(shape, list):
        return [fill(each, values) for each in shape]
    return {
        key: values[each] if type(each) is int else fill(each, values)
        for key, each in shape.items()
    }


def fill_entity(shape: Mapping[str, Shape], values: list[Any]) -> dict[str, Any]:
    """An entity's body, blueprint included."""
    return {key: fill(each, values) for key, each in shape.items()}


def _canonical(literal: str) -> int | msgspec.Raw:
    import msgspec

    if PLAIN.fullmatch(literal):
        return msgspec.Raw(literal.encode())
    plain = plain_number(literal)
    whole = plain.removeprefix("-").isdecimal()
    return int(plain) if whole else msgspec.Raw(plain.encode())


@cache
def _canonical_decoder() -> msgspec.json.Decoder[Any]:
    import msgspec

    return msgspec.json.Decoder(float_hook=_canonical)


@cache
def _exact_decoder() -> msgspec.json.Decoder[Any]:
    import msgspec

    return msgspec.json.Decoder(float_hook=Decimal)


@cache
def _encoder() -> msgspec.json.Encoder:
    import msgspec

    return msgspec.json.Encoder()


@cache
def _sorting_encoder() -> msgspec.json.Encoder:
    import msgspec

    return msgspec.json.Encoder(order="sorted")
