"""What a resource of a mapping file evaluates: its expressions, and the entity's shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lading.mapping.expressions import Expression, KeyPath, expression

# An entity with the number of an expression in the place of each value.
Shape = int | dict[str, "Shape"] | list["Shape"]

SIMPLE_PATH = re.compile(r"(?:\.\w+|\.\[[^\]]+\])(?:\.\w+|\.?\[[^\]]+\])*")
NO_PATH = (
    "itemsToParse does not begin with a path, so nothing would be left of the record;"
    " set itemsToParseTopLevelTransform: false"
)


@dataclass(frozen=True, slots=True)
class Split:
    """How a record becomes several: `items` gives the list, each element joins what is `left`
    of the record (all of it when that is None) under `name`."""

    items: Expression
    left: Expression | None
    name: str
    leaves_nothing: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """A resource's expressions; `shape` refers to `values` by number."""

    selector: Expression
    split: Split | None
    values: tuple[Expression, ...]
    shape: Mapping[str, Shape]

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything that a person wrote and JQ must compile."""
        split = (self.split.items,) if self.split else ()
        return (self.selector, *split, *self.values)

    def value(self, path: str) -> Expression | None:
        """The expression of that path, if there is just one."""
        return next((each for each in self.values if each.path == path), None)


def read_outline(resource: Mapping[str, Any], at: KeyPath) -> Outline:
    """The outline of one entry of `resources`, which has the right shape already."""
    port = resource["port"]
    query = resource.get("selector", {}).get("query", "true")
    values: list[Expression] = []
    here = (*at, "port", "entity", "mappings")
    shape = {
        key: _shape(key, written, (*here, key), values)
        for key, written in port["entity"]["mappings"].items()
    }
    selector = expression("selector.query", query, (*at, "selector", "query"))
    return Outline(selector, _read_split(port, (*at, "port")), tuple(values), shape)


def _shape(path: str, written: Any, at: KeyPath, values: list[Expression]) -> Shape:
    """Collects the expressions below `written`; the elements of a list share its path."""
    if isinstance(written, dict):
        return {
            str(key): _shape(f"{path}.{key}", value, (*at, str(key)), values)
            for key, value in written.items()
        }
    if isinstance(written, list):
        return [_shape(path, value, (*at, index), values) for index, value in enumerate(written)]
    values.append(expression(path, written, at))
    return len(values) - 1


def _read_split(port: Mapping[str, Any], at: KeyPath) -> Split | None:
    if "itemsToParse" not in port:
        return None
    written = str(port["itemsToParse"])
    items = expression("itemsToParse", written, (*at, "itemsToParse"))
    name = port.get("itemsToParseName", "item")
    if not port.get("itemsToParseTopLevelTransform", True):
        return Split(items, None, name, leaves_nothing=False)
    path = parsed_path(written)
    left = f"del({path})" if path else f'error("{NO_PATH}")'
    return Split(items, Expression(items.path, left, items.at), name, leaves_nothing=path is None)


def parsed_path(items: str) -> str | None:
    """The path that `itemsToParse` takes out of the record, found as Port's integrations do.

    The first part between pipes that begins with a plain path has it; a binding (`. as $x`), `.`
    and variables are passed over. Of an expression that begins with a parenthesis only what is
    before the first closing one counts.
    """
    chain = items.strip()
    if chain.startswith("("):
        chain, closed, _ = chain[1:].partition(")")
        if not closed:
            return None
    for part in (each.strip() for each in chain.split("|")):
        if found := SIMPLE_PATH.match(part):
            return found[0]
    return None
