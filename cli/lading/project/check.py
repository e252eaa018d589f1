"""A document against its JSON Schema: every finding with its line, in people's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, nearest

if TYPE_CHECKING:
    from jsonschema import ValidationError

    from lading.project.documents import Document

WORDS = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


def check_document(document: Document, schema: str) -> tuple[Problem, ...]:
    """All findings of the schema named `schema` on the document, in the order of the lines."""
    found = [
        problem
        for error in _validator(schema).iter_errors(document.data)
        for problem in _problems(document, error)
    ]
    return tuple(sorted(set(found), key=_by_line))


def _by_line(problem: Problem) -> tuple[int, int, str]:
    place = problem.place or Place(".")
    return place.line or 0, place.column or 0, problem.message


def schema_text(schema: str) -> str:
    """The JSON Schema as it is shipped."""
    from importlib.resources import files

    return files("lading.project").joinpath(f"schemas/{schema}.json").read_text("utf-8")


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text(schema)))


def _problems(document: Document, error: ValidationError) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    wanted: Any = error.validator_value
    given: Any = error.instance
    if error.context:
        deepest = max(error.context, key=_how_telling)
        yield from _problems(document, deepest)
    elif error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in given:
            if key not in known:
                yield Problem(
                    f"unknown key '{key}'",
                    document.key_place(*path, str(key)),
                    nearest(str(key), known),
                )
    elif error.validator == "required":
        for key in wanted:
            if key not in given:
                yield Problem(f"the key '{key}' is missing", document.place(*path), _about(error))
    else:
        yield Problem(_message(error), document.place(*path), _about(error))


def _how_telling(error: ValidationError) -> tuple[int, bool]:
    return len(error.absolute_path), error.validator != "type"


def _name(error: ValidationError) -> str:
    path = error.absolute_path
    if not path:
        return "the file"
    if isinstance(path[-1], int) and len(path) > 1:
        return f"item {path[-1] + 1} of '{path[-2]}'"
    return f"'{path[-1]}'"


def _message(error: ValidationError) -> str:
    name = _name(error)
    wanted: Any = error.validator_value
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"{name} must be {' or '.join(WORDS[kind] for kind in kinds)}"
    if error.validator == "enum":
        allowed = ", ".join(str(value) for value in wanted)
        return f"{name} can't be '{error.instance}'; it is one of: {allowed}"
    if error.validator == "pattern":
        return f"{name} can't be '{error.instance}'"
    if error.validator in {"minimum", "exclusiveMinimum", "maximum"}:
        bound = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
        return f"{name} must be {bound[error.validator]} {wanted}"
    if error.validator in {"minItems", "minLength", "minProperties"}:
        return f"{name} must not be empty"
    return f"{name}: {error.message}"


def _about(error: ValidationError) -> str | None:
    described = error.schema.get("description") if isinstance(error.schema, dict) else None
    return str(described) if described else None
