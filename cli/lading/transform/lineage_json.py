"""What a path within JSON leads to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lading.transform.decoded import ANY_KEY, ELEMENT
from lading.transform.lineage_values import Value, list_of, listed

if TYPE_CHECKING:
    from sqlglot import exp

# A step to each element, which makes the result a list.
EACH = "[*]"
_STEP = re.compile(r'(\[\*\])|\[[^\]]*\]|\."([^"]*)"|\.([^.\["]+)|(.)', re.DOTALL)


def shape_of(text: str) -> Any:
    """The struct that `from_json` is told."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def at_path(value: Value, path: exp.Expr) -> Value:
    """A value within JSON; a path that can't be followed leads to the last that could."""
    if path.key == "array":
        return list_of(at_path(value, each) for each in path.expressions)
    if path.key == "literal":
        steps = _text_steps(path.name, is_text=path.is_string)
    elif path.key == "jsonpath":
        steps = [_parsed_step(each) for each in path.expressions if each.key != "jsonpathroot"]
    else:
        return value.computed
    return (
        listed(_along(value, steps)) if ANY_KEY in steps or EACH in steps else _along(value, steps)
    )


def _parsed_step(part: exp.Expr) -> str | None:
    if part.key not in {"jsonpathkey", "jsonpathsubscript"}:
        return None
    if part.key == "jsonpathsubscript":
        return ELEMENT if isinstance(part.this, int) else EACH
    return part.this if isinstance(part.this, str) else ANY_KEY


def _text_steps(path: str, *, is_text: bool = True) -> list[str | None]:
    """The steps of a JSON path, pointer, key or index; None for one that is not followed."""
    if not is_text:
        return [ELEMENT]
    if path.startswith("/"):
        return [ELEMENT if part.isdecimal() else part for part in path[1:].split("/")]
    if not path.startswith("$"):
        return [path]
    parts = _STEP.findall(path[1:])
    return [
        None if wrong else EACH if each else quoted or plain or ELEMENT
        for each, quoted, plain, wrong in parts
    ]


def _along(value: Value, steps: Iterable[str | None]) -> Value:
    for step in steps:
        if step is None:
            return value.computed
        value = value.step(ELEMENT if step == EACH else step)
    return value
