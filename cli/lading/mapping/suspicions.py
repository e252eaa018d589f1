"""What compiles and is surely not meant: told when a mapping is read, as warnings.

Expressions are looked at, never run. Where the grammar here does not understand one, nothing is
said about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lading.errors import Problem, nearest
from lading.mapping.expressions import Expression, constant
from lading.mapping.jq_syntax import Node, NotUnderstoodError, parse
from lading.mapping.jq_tokens import tokens
from lading.mapping.outline import Outline, parsed_path
from lading.project.documents import Document
from lading.project.model import Kind

Path = tuple[str, ...]

# Of these calls each gives something that is neither true nor false, or an error.
_CALLS = (
    "length utf8bytelength keys keys_unsorted tostring tonumber tojson ascii_downcase ascii_upcase"
    " floor ceil round sqrt abs type trim ltrim rtrim ltrimstr rtrimstr split join sub gsub"
    " to_entries from_entries with_entries map sort sort_by group_by unique unique_by reverse"
    " todate fromdate now explode implode range"
)
NEVER_BOOLEAN = frozenset(_CALLS.split())
ARITHMETIC = frozenset("+-*/%")
LIST_OF_RESULTS = "results"
SAMPLE_DAY = "2026-01-01"
DATES = frozenset({"starting_at", "ending_at", "date", "day"})


@dataclass(frozen=True, slots=True)
class Suspect:
    """A resource to be looked at; `kind` and `blueprint` as far as the project has them."""

    document: Document
    outline: Outline
    selector: Mapping[str, Any]
    kind: Kind | None
    blueprint: Mapping[str, Any] | None

    def suspicions(self, broken: Mapping[str, object]) -> Iterator[Problem]:
        """All of them; expressions that do not compile are left out."""
        for each in self.outline.expressions:
            if each.text not in broken:
                yield from self._quotes(each)
        query, identifier = self.outline.selector, self.outline.value("identifier")
        if query.text not in broken:
            yield from self._no_boolean(query)
        if identifier is not None and identifier.text not in broken:
            yield from self._constant(identifier)
            yield from self._null_part(identifier)
        yield from self._unknown_names()

    def _warning(self, each: Expression, message: str, hint: str | None = None) -> Problem:
        place = self.document.place(*each.at)
        return Problem(f"{each.path} {message}", place, hint, severity="warning")

    def _quotes(self, each: Expression) -> Iterator[Problem]:
        written = written_at(self.document.data, each)
        if isinstance(written, str) and written != each.text:
            message = f"has single quotes, which count as double ones here, as in Port: {each.text}"
            yield self._warning(each, message, "write double ones")

    def _no_boolean(self, query: Expression) -> Iterator[Problem]:
        node = _tree(query.text)
        if node is not None and (what := _never_boolean(node)):
            hint = "compare it with something, such as: … > 0"
            yield self._warning(query, f"gives {what}, never true or false: no row passes", hint)

    def _constant(self, identifier: Expression) -> Iterator[Problem]:
        node = _tree(identifier.text)
        if node is not None and _is_constant(node):
            message = "is the same for every row: all of them become one entity"
            yield self._warning(identifier, message, "name what tells one row from another in it")

    def _null_part(self, identifier: Expression) -> Iterator[Problem]:
        node = _tree(identifier.text)
        parts = list(_added(_body(node))) if node is not None else []
        for part in parts if len(parts) > 1 else ():
            dimension = self._dimension(_path(part))
            if dimension is None:
                continue
            written = _as_written(part)
            example = "".join(_sample(each, part) for each in parts)
            message = f"is {example} where {written} is null"
            if dimension not in self._grouped:
                message += f", and it always is: selector.{self._group_key} has no {dimension}"
            yield self._warning(identifier, message, f'write ({written} // "unknown")')

    @property
    def _group_key(self) -> str | None:
        """The selector key that has the dimensions of a grouped report."""
        return self.kind.asks.dimensions if self.kind and self.kind.asks else None

    @property
    def _grouped(self) -> Sequence[str]:
        return self.selector.get(self._group_key or "") or ()

    def _dimension(self, path: Path) -> str | None:
        """The dimension of a grouped report that a path leads to, if it does."""
        if self.kind is None or self._group_key is None or not path:
            return None
        split = self.outline.split
        if split is not None and path[0] == split.name:
            items = parsed_path(split.items.text)
            path = (LIST_OF_RESULTS, "[]", *path[1:]) if items == f".{LIST_OF_RESULTS}" else ()
        known = self.kind.fields[self._group_key].values
        is_one = len(path) == 3 and path[:2] == (LIST_OF_RESULTS, "[]") and path[2] in known
        return path[2] if is_one else None

    def _unknown_names(self) -> Iterator[Problem]:
        """Properties and relations that the project's own blueprint does not have."""
        if self.blueprint is None:
            return
        known = {
            "properties": (self.blueprint.get("schema") or {}).get("properties") or {},
            "relations": self.blueprint.get("relations") or {},
        }
        at = (*self.outline.selector.at[:-2], "port", "entity", "mappings")
        for what, one in (("properties", "property"), ("relations", "relation")):
            shape = self.outline.shape.get(what)
            for name in shape if isinstance(shape, dict) else ():
                if name not in known[what]:
                    blueprint = self.blueprint["identifier"]
                    message = f"the blueprint '{blueprint}' has no {one} '{name}'"
                    place = self.document.key_place(*at, what, name)
                    yield Problem(message, place, nearest(name, known[what]), severity="warning")


def blueprint_name(outline: Outline) -> str | None:
    """The blueprint of all the resource's entities, if there is just one."""
    found = outline.value("blueprint")
    return constant(found.text) if found else None


def written_at(data: Any, each: Expression) -> Any:
    """What the file has in an expression's place; its text if that is a default."""
    for step in each.at:
        if isinstance(data, dict) and step not in data:
            return each.text
        data = data[step]
    return data


def _tree(text: str) -> Node | None:
    try:
        return parse(tokens(text))
    except (NotUnderstoodError, RecursionError):
        return None


def _body(node: Node) -> Node:
    """What an expression gives that defines functions first."""
    return _body(node.parts[1]) if node.kind == "def" else node


def _is_constant(node: Node) -> bool:
    if node.kind in {"text", "number"}:
        return True
    kinds = {"interpolated", "operator", "either", "pipe", "array"}
    return node.kind in kinds and all(map(_is_constant, node.parts))


def _added(node: Node) -> Iterator[Node]:
    """The parts of a chain of additions."""
    if node.kind == "operator" and node.text == "+" and len(node.parts) == 2:
        for part in node.parts:
            yield from _added(part)
    else:
        yield node


def _path(node: Node) -> Path:
    """The path that a part is, `[]` for any element; () if it is more, or less, than a path."""
    if node.kind == "slice":
        return _path(node.parts[0])
    if node.kind == "field":
        step = node.text
    elif node.kind == "index" and node.parts[1].kind in {"text", "number"}:
        step = node.parts[1].text if node.parts[1].kind == "text" else "[]"
    else:
        return ()
    base = node.parts[0]
    before = () if base.kind == "here" else _path(base)
    return (*before, step) if before or base.kind == "here" else ()


def _as_written(node: Node) -> str:
    if node.kind == "here":
        return ""
    if node.kind == "field":
        return f"{_as_written(node.parts[0])}.{node.text}"
    if node.kind == "index":
        base, index = _as_written(node.parts[0]), node.parts[1]
        return f'{base}["{index.text}"]' if index.kind == "text" else f"{base}[{index.text}]"
    return _as_written(node.parts[0])


def _sample(node: Node, null: Node) -> str:
    """What a part of an identifier may look like, and nothing for the one that is null."""
    if node is null:
        return ""
    if node.kind == "text":
        return node.text
    return SAMPLE_DAY if set(_path(node)) & DATES else "…"


def _never_boolean(node: Node, of_row: bool = True) -> str | None:
    """What an expression gives that surely gives neither true nor false; None if it may. `of_row`
    says that it is given a row, and not whatever stands before it in a pipe."""
    match node.kind:
        case "operator":
            return "a number or a text" if node.text in ARITHMETIC else None
        case "pipe":
            return _never_boolean(node.parts[1], of_row=False)
        case "comma":
            return _never_boolean(node.parts[0], of_row)
        case "either":
            return _all_never_boolean(node.parts, of_row)
        case "if":
            return _all_never_boolean((*node.parts[1::2], node.parts[-1]), of_row)
        case "call":
            return _call_never_boolean(node, of_row)
        case "here":
            return "the row" if of_row else None
    return NO_BOOLEANS.get(node.kind)


def _all_never_boolean(results: Sequence[Node], of_row: bool) -> str | None:
    found = [_never_boolean(each, of_row) for each in results]
    return found[0] if all(found) else None


def _call_never_boolean(node: Node, of_row: bool) -> str | None:
    if node.text in {"null", "empty"}:
        return "null" if node.text == "null" else "nothing"
    if node.text == "select" and of_row:
        return "the row or nothing"
    return f"what `{node.text}` gives" if node.text in NEVER_BOOLEAN else None


NO_BOOLEANS = {
    "text": "a text",
    "interpolated": "a text",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}
