"""The values of a property that Port would refuse, by its definition in the blueprint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from lading.mapping.entity import json_text, plain_value
from lading.mapping.formats import FORMATS

# Says what is wrong with a value that is not null, as what it does: `is 5, not a text`.
ValueCheck = Callable[[Any], str | None]

WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}
MOST_SHOWN = 60


def shown(value: Any) -> str:
    """A value of `read_values` as JSON, cut where it gets long."""
    text = json_text(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def value_check(definition: Mapping[str, Any]) -> ValueCheck | None:
    """The check of a property's definition; None if any value will do."""
    kind = definition.get("type")
    if kind not in WORDS:
        return None
    types, wanted = _types(kind), f"not {WORDS[kind]}"
    more = tuple(_more(kind, definition))

    def check_type(value: Any) -> str | None:
        return None if type(value) in types else f"is {shown(value)}, {wanted}"

    def check(value: Any) -> str | None:
        if type(value) not in types:
            return f"is {shown(value)}, {wanted}"
        return next((fault for each in more if (fault := each(value))), None)

    return check if more else check_type


def _types(kind: str) -> frozenset[type]:
    """What `read_values` makes of a value of that type."""
    import msgspec

    known: Mapping[str, tuple[type, ...]] = {
        "string": (str,),
        "number": (int, msgspec.Raw),
        "boolean": (bool,),
        "object": (dict,),
        "array": (list,),
    }
    return frozenset(known[kind])


def _more(kind: str, definition: Mapping[str, Any]) -> Iterator[ValueCheck]:
    """What is asked beside the type."""
    if isinstance(definition.get("enum"), list):
        yield _one_of(definition["enum"])
    if kind == "string":
        if (known := FORMATS.get(str(definition.get("format")))) is not None:
            yield _of_format(*known)
        if definition.keys() & {"minLength", "maxLength"}:
            yield _of_length(definition.get("minLength"), definition.get("maxLength"))
    if kind == "number" and definition.keys() & {"minimum", "maximum"}:
        yield _between(definition.get("minimum"), definition.get("maximum"))
    if kind == "array" and isinstance(definition.get("items"), Mapping):
        inner = value_check(definition["items"])
        if inner is not None:
            yield _each(inner)


def _one_of(written: list[Any]) -> ValueCheck:
    # As text, for JSON tells 1 from true, which Python does not.
    allowed = frozenset(_comparable(each) for each in written)
    names = ", ".join(map(str, written))

    def check(value: Any) -> str | None:
        if _comparable(plain_value(value)) in allowed:
            return None
        return f"is {shown(value)}, which is none of {names}"

    return check


def _comparable(value: Any) -> object:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value))
    return repr(value)


def _of_format(is_one: Callable[[str], bool], words: str) -> ValueCheck:
    def check(text: str) -> str | None:
        return None if is_one(text) else f"is {shown(text)}, not {words}"

    return check


def _of_length(least: object, most: object) -> ValueCheck:
    low = least if isinstance(least, int) else 0
    high = most if isinstance(most, int) else None

    def check(text: str) -> str | None:
        if len(text) < low:
            return f"is {len(text)} characters long, and {low} is the least"
        if high is not None and len(text) > high:
            return f"is {len(text)} characters long, and {high} is the most"
        return None

    return check


def _between(least: object, most: object) -> ValueCheck:
    low = least if isinstance(least, int | float) else None
    high = most if isinstance(most, int | float) else None

    def check(value: Any) -> str | None:
        number = plain_value(value)
        if low is not None and number < low:
            return f"is {shown(value)}, and {low} is the least"
        if high is not None and number > high:
            return f"is {shown(value)}, and {high} is the most"
        return None

    return check


def _each(check: ValueCheck) -> ValueCheck:
    def check_all(values: list[Any]) -> str | None:
        for number, value in enumerate(values):
            # Whether a list may have null in it is nowhere said.
            fault = None if value is None else check(value)
            if fault:
                return f"has an element, number {number}, that {fault}"
        return None

    return check_all
