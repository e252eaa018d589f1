"""What Port takes as an identifier and as a property's value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

BLUEPRINT_CHARACTERS = frozenset("@_.+:\\/-")
ENTITY_CHARACTERS = BLUEPRINT_CHARACTERS | frozenset("='")
BLUEPRINT_LENGTH = 100
ENTITY_LENGTH = 1_000
PROPERTY_IDENTIFIER = re.compile(r"[A-Za-z0-9@_=\\-]{1,100}")

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)")
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def blueprint_identifier_fault(identifier: object) -> str | None:
    """What is wrong with a blueprint's identifier, if anything."""
    return _identifier_fault(identifier, BLUEPRINT_CHARACTERS, BLUEPRINT_LENGTH)


def entity_identifier_fault(identifier: object) -> str | None:
    """What is wrong with an entity's identifier, if anything."""
    return _identifier_fault(identifier, ENTITY_CHARACTERS, ENTITY_LENGTH)


def _identifier_fault(identifier: object, extra: frozenset[str], longest: int) -> str | None:
    if not isinstance(identifier, str):
        return "must be string"
    if not identifier:
        return "must NOT have fewer than 1 characters"
    if len(identifier) > longest:
        return f"must NOT have more than {longest} characters"
    if identifier in {".", ".."} or not all(_is_allowed(each, extra) for each in identifier):
        return f"must match the pattern: letters, digits and {' '.join(sorted(extra))}"
    return None


def _is_allowed(character: str, extra: frozenset[str]) -> bool:
    return character.isalpha() or "0" <= character <= "9" or character in extra


def value_fault(definition: Mapping[str, Any], value: object) -> str | None:
    """What is wrong with a property's value by its definition in the blueprint, if anything."""
    kind = str(definition["type"])
    if not _TYPES[kind](value):
        return f"must be {kind}"
    if "enum" in definition and value not in definition["enum"]:
        return "must be equal to one of the allowed values"
    return _CHECKS[kind](definition, value) if kind in _CHECKS else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def _number_fault(definition: Mapping[str, Any], value: Any) -> str | None:
    if "minimum" in definition and value < definition["minimum"]:
        return f"must be >= {definition['minimum']}"
    if "maximum" in definition and value > definition["maximum"]:
        return f"must be <= {definition['maximum']}"
    return None


def _string_fault(definition: Mapping[str, Any], value: str) -> str | None:
    if len(value) < definition.get("minLength", 0):
        return f"must NOT have fewer than {definition['minLength']} characters"
    if "maxLength" in definition and len(value) > definition["maxLength"]:
        return f"must NOT have more than {definition['maxLength']} characters"
    if "pattern" in definition and not re.search(definition["pattern"], value):
        return f'must match pattern "{definition["pattern"]}"'
    format = str(definition.get("format"))
    if format in FORMATS and not FORMATS[format](value):
        return f'must match format "{format}"'
    return None


def _array_fault(definition: Mapping[str, Any], value: list[Any]) -> str | None:
    items = definition.get("items")
    if not items or "type" not in items:
        return None
    faults = ((index, value_fault(items, item)) for index, item in enumerate(value))
    return next((f"/{index} {fault}" for index, fault in faults if fault), None)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Any], str | None]] = {
    "string": _string_fault,
    "number": _number_fault,
    "array": _array_fault,
}


def _is_moment(text: str) -> bool:
    if not MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _is_email(text: str) -> bool:
    return EMAIL.fullmatch(text) is not None


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and " " not in text


def _is_address(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _is_any(text: str) -> bool:
    return True


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date-time": _is_moment,
    "timer": _is_moment,
    "url": _is_url,
    "email": _is_email,
    "idn-email": _is_email,
    "user": _is_email,
    "ipv4": _is_address(4),
    "ipv6": _is_address(6),
    **dict.fromkeys(("markdown", "yaml", "blueprints", "team", "proto"), _is_any),
}
