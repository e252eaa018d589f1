"""YAML and JSON files with the place of every key and value.

Two departures from plain YAML: a duplicate key is refused instead of the last one winning,
and a bare date stays the text that was written, as it does in Port's own editor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.errors import Place, Problem, UserError

if TYPE_CHECKING:
    import yaml

KeyPath = tuple[str | int, ...]
PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of the project that is not YAML: SQL, with its Jinja."""

    file: str
    text: str

    @property
    def name(self) -> str:
        """The file's stem."""
        return Path(self.file).stem


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML or JSON file: its data, where each piece of it stands, and a digest of its text."""

    file: str
    data: Any
    values: Mapping[KeyPath, tuple[int, int]]
    keys: Mapping[KeyPath, tuple[int, int]]
    digest: str = ""

    def place(self, *path: str | int) -> Place:
        """Where the value at `path` stands; its nearest parent's place if it is not there."""
        return self._find(self.values, path)

    def key_place(self, *path: str | int) -> Place:
        """Where the key at the end of `path` stands."""
        if path in self.keys:
            return Place(self.file, *self.keys[path])
        return self.place(*path)

    def _find(self, places: Mapping[KeyPath, tuple[int, int]], path: KeyPath) -> Place:
        for end in range(len(path), -1, -1):
            if path[:end] in places:
                return Place(self.file, *places[path[:end]])
        return Place(self.file)


def read_document(file: str, text: str) -> Document:
    """Parse one YAML or JSON file; `file` is its name in messages.

    Raises:
        UserError: it does not parse, a key stands twice in one mapping, or a piece of it
            contains itself.
    """
    import yaml

    values: dict[KeyPath, tuple[int, int]] = {}
    keys: dict[KeyPath, tuple[int, int]] = {}
    data = None
    try:
        loader = yaml_loader()(_as_yaml(file, text))
        node = loader.get_single_node()
        if node is not None:
            # Before the data is made: that puts what `<<` merges in between a mapping's own keys.
            problems = _note_places(file, node, values, keys)
            data = loader.construct_document(node)
            if problems:
                raise UserError(problems=problems)
    except yaml.MarkedYAMLError as error:
        message = f"{_unreadable(file)}: {_said(error)}"
        raise UserError(message, place=_place(file, error), hint=_hint(text, error)) from error
    except yaml.YAMLError as error:
        raise UserError(f"{_unreadable(file)}: {error}", place=Place(file)) from error
    return Document(file, data, values, keys)


def _note_places(
    file: str,
    root: yaml.Node,
    values: dict[KeyPath, tuple[int, int]],
    keys: dict[KeyPath, tuple[int, int]],
) -> list[Problem]:
    problems = []
    for path, key, value in _walk(file, (), root, ()):
        if key is not None and path in keys:
            first = f"first at line {keys[path][0]}"
            where = Place(file, *_mark(key))
            problems.append(Problem(f"the key '{path[-1]}' stands twice ({first})", where))
        if key is not None:
            keys[path] = _mark(key)
        values[path] = _mark(value)
    return problems


def _as_yaml(file: str, text: str) -> str:
    """JSON is YAML but for one thing: it may write a character as two halves of UTF-16."""
    if not file.endswith(".json"):
        return text
    return PAIR.sub(lambda found: found[1] + json.loads(f'"{found[2]}"'), text)


@cache
def yaml_loader() -> Any:
    """The loader of all YAML: a bare date stays text."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own protocol
            first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
            for first, pairs in base.yaml_implicit_resolvers.items()
        }

    return Loader


def _walk(
    file: str, path: KeyPath, node: yaml.Node, above: tuple[int, ...]
) -> Iterator[tuple[KeyPath, yaml.Node | None, yaml.Node]]:
    import yaml

    if not above:
        yield path, None, node
    if id(node) in above:
        raise UserError("this contains itself", place=Place(file, *_mark(node)))
    inside = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):  # any other is refused when the data is made
                yield (*path, key.value), key, value
                yield from _walk(file, (*path, key.value), value, inside)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), None, value
            yield from _walk(file, (*path, index), value, inside)


def _mark(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _place(file: str, error: yaml.MarkedYAMLError) -> Place:
    mark = error.problem_mark or error.context_mark
    return Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)


def _unreadable(file: str) -> str:
    return f"not readable as {'JSON' if file.endswith('.json') else 'YAML'}"


def _said(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.context, error.problem) if part)


def _hint(text: str, error: yaml.MarkedYAMLError) -> str | None:
    mark = error.problem_mark
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return None
    line = lines[mark.line]
    if "{{" in line and '"{{' not in line and "'{{" not in line:
        return 'put quotes around it: "{{ … }}"'
    if "\t" in line:
        return "YAML is indented with spaces, not with tabs"
    return None  # the line itself may hold a secret
