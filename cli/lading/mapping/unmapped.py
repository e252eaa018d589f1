"""The fields of records that no expression of a resource reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lading.mapping.paths import ELEMENT, Path, read_paths

if TYPE_CHECKING:
    from lading.mapping.outline import Outline

PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Unmapped:
    """Collects, record by record, the fields that a resource does not read."""

    def __init__(self, outline: Outline) -> None:
        items = outline.split.items.text if outline.split else None
        name = outline.split.name if outline.split else "item"
        values = [path for each in outline.values for path in read_paths(each.text, items, name)]
        looks = [*read_paths(outline.selector.text, items, name)]
        if items is not None:
            # What decides over the elements; an element is read where an expression uses it.
            looks += read_paths(f"({items}\n) as $items | null")
        self._values, self._looks = frozenset(values), frozenset(looks)
        self._seen: dict[Path, bool] = {}

    def look_at(self, record: str) -> None:
        """Take down the fields of a record, a JSON text."""
        for path in _fields(json.loads(record, parse_int=str, parse_float=str), ()):
            if path not in self._seen:
                self._seen[path] = self._is_read(path)

    def _is_read(self, field: Path) -> bool:
        """Who takes an object takes what is in it. A selector only looks at one: its fields are
        none the more in the entity because it asks how many there are."""
        looks = (each for each in self._looks if len(each) >= len(field))
        return any(_meet(field, each) for each in (*self._values, *looks))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that nothing reads, as JQ writes their paths, in the records' order."""
        return tuple(_as_text(path) for path, is_read in self._seen.items() if not is_read)


def _fields(value: Any, path: Path) -> Iterator[Path]:
    """The paths of values that hold no others."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _fields(child, (*path, key))
    elif isinstance(value, list) and value:
        for child in value:
            yield from _fields(child, (*path, ELEMENT))
    else:
        yield path


def _meet(field: Path, read: Path) -> bool:
    """Whether one is a part of the other: who looks into what is null has read that."""
    return all(
        step == other or ELEMENT in (step, other) for step, other in zip(field, read, strict=False)
    )


def _as_text(path: Path) -> str:
    text = "".join(_step(step) for step in path)
    return text if text.startswith(".") else f".{text}"


def _step(name: str) -> str:
    if name == ELEMENT:
        return ELEMENT
    return f".{name}" if PLAIN.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"
