"""What Port takes as a blueprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lading.sandbox.port_values import (
    FORMATS,
    PROPERTY_IDENTIFIER,
    blueprint_identifier_fault,
)

REQUIRED = ("identifier", "title", "schema")
KEYS = frozenset(
    (
        *REQUIRED,
        "icon",
        "description",
        "calculationProperties",
        "mirrorProperties",
        "aggregationProperties",
        "relations",
        "teamInheritance",
        "ownership",
        "includeInGlobalSearch",
    )
)
PROPERTY_KEYS = frozenset(
    (
        "type",
        "title",
        "description",
        "icon",
        "default",
        "enum",
        "enumColors",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "format",
        "spec",
        "specAuthentication",
        "items",
    )
)
TYPES = frozenset(("string", "number", "boolean", "object", "array"))
RELATION_KEYS = frozenset(("target", "required", "many", "title", "description"))
MAPS = ("calculationProperties", "mirrorProperties", "aggregationProperties", "relations")


def blueprint_fault(body: object, *, required: tuple[str, ...] = REQUIRED) -> str | None:
    """What is wrong with a blueprint's body, if anything; `required` differs by method."""
    if not isinstance(body, dict):
        return "body must be object"
    return next(_faults(body, required), None)


def change_fault(old: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    """Why a blueprint cannot become what a body without fault makes of it, if it cannot."""
    if body.get("identifier", old["identifier"]) != old["identifier"]:
        return "body/identifier: the stand-in renames no blueprints"
    held = old["schema"]["properties"]
    for name, definition in body.get("schema", {}).get("properties", {}).items():
        if name in held and definition["type"] != held[name]["type"]:
            return f"body/schema/properties/{name}: the type of a property cannot be changed"
    return None


def _faults(body: Mapping[str, Any], required: tuple[str, ...]) -> Iterator[str]:
    yield from _unknown("body", body, KEYS)
    missing = (key for key in required if key not in body)
    yield from (f'body must have required property "{key}"' for key in missing)
    if "identifier" in body and (fault := blueprint_identifier_fault(body["identifier"])):
        yield f"body/identifier {fault}"
    if "title" in body and not _is_text(body["title"], 1, 100):
        yield "body/title must be a string of 1 to 100 characters"
    if "description" in body and not _is_text(body["description"], 0, 200):
        yield "body/description must be a string of at most 200 characters"
    for name in MAPS:
        yield from _map_faults(name, body.get(name, {}))
    if "schema" in body:
        yield from _schema_faults(body["schema"])
    if isinstance(body.get("relations"), dict):
        yield from _relation_faults(body["relations"])
    if isinstance(body.get("calculationProperties"), dict):
        yield from _calculation_faults(body["calculationProperties"])


def _map_faults(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"body/{name} must be object"
        return
    for key, inside in value.items():
        if not PROPERTY_IDENTIFIER.fullmatch(key):
            yield f"body/{name}/{key} is not an identifier of a property"
        if not isinstance(inside, dict):
            yield f"body/{name}/{key} must be object"


def _schema_faults(schema: object) -> Iterator[str]:
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        yield "body/schema must have an object of properties"
        return
    yield from _unknown("body/schema", schema, frozenset(("properties", "required")))
    yield from _map_faults("schema/properties", schema["properties"])
    for name, definition in schema["properties"].items():
        if isinstance(definition, dict):
            yield from _property_faults(f"body/schema/properties/{name}", definition)
    required = schema.get("required", [])
    if not isinstance(required, list):
        yield "body/schema/required must be array"
        return
    missing = (name for name in required if name not in schema["properties"])
    yield from (f'body/schema/required names "{name}", which is no property' for name in missing)


def _property_faults(place: str, definition: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(place, definition, PROPERTY_KEYS)
    if definition.get("type") not in TYPES:
        yield f"{place}/type must be equal to one of the allowed values"
    allowed = {"string": set(FORMATS), "object": {"labeled-url"}}
    formats = allowed.get(str(definition.get("type")), set())
    if "format" in definition and definition["format"] not in formats:
        yield f"{place}/format must be equal to one of the allowed values"


def _relation_faults(relations: Mapping[str, Any]) -> Iterator[str]:
    for name, relation in relations.items():
        if isinstance(relation, dict):
            yield from _unknown(f"body/relations/{name}", relation, RELATION_KEYS)
            if not isinstance(relation.get("target"), str):
                yield f'body/relations/{name} must have required property "target"'


def _calculation_faults(calculations: Mapping[str, Any]) -> Iterator[str]:
    for name, calculation in calculations.items():
        if not isinstance(calculation, dict):
            continue
        for key in ("calculation", "type"):
            if not isinstance(calculation.get(key), str):
                yield f'body/calculationProperties/{name} must have required property "{key}"'


def _unknown(place: str, given: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    for key in sorted(given.keys() - known):
        yield f'{place} must NOT have additional properties: "{key}"'


def _is_text(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest
