"""The methods of selection: what stands before the colon of a term, and what that looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import get_args

from lading.transform.nodes import Node, ResourceType
from lading.transform.selecting.globs import is_glob, path_fits, word_fits
from lading.transform.selecting.state import State

Words = Callable[[Node], Iterable[str]]
Matches = Callable[[Node], bool]

RESOURCE_TYPES: tuple[ResourceType, ...] = get_args(ResourceType)
DATA_TESTS = ("generic", "singular")


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    Attributes:
        words: what it knows of a node; what a value can be is among these.
        matcher: from a value, whether a node is meant by it.
        allowed: all values that there are, where it is not for the project to say. One of them
            may well mean no node.
    """

    words: Words
    matcher: Callable[[str], Matches]
    allowed: tuple[str, ...] = ()


def methods(state: State | None) -> Mapping[str, Method]:
    """All methods by their names. Without a state, `state:` knows nothing of any node."""
    return {
        "fqn": Method(_name, partial(_qualified_matcher, _remembered(bare_words))),
        "path": Method(_paths, _path_matcher),
        "file": _by_words(_file_names),
        "tag": _by_words(lambda node: node.tags),
        "kind": _by_words(lambda node: node.kinds),
        "config.materialized": _by_words(_materialized),
        "resource_type": _by_words(lambda node: (node.resource_type,), RESOURCE_TYPES),
        "test_type": _by_words(_test_types, (*DATA_TESTS, "unit", "data", "mapping")),
        "state": _by_words(partial(_changes, state), ("modified", "new")),
        "source": Method(_source_names, _source_matcher),
        **{each: _by_words(partial(_name_of, each)) for each in RESOURCE_TYPES if each != "source"},
    }


def _by_words(words: Words, allowed: tuple[str, ...] = ()) -> Method:
    def matcher(value: str) -> Matches:
        fits = word_fits(value)
        return lambda node: any(fits(word) for word in words(node))

    return Method(words, matcher, allowed)


def _name(node: Node) -> tuple[str]:
    return (node.name,)


def _name_of(resource_type: ResourceType, node: Node) -> tuple[str, ...]:
    return (node.name,) if node.resource_type == resource_type else ()


def _source_names(node: Node) -> tuple[str, ...]:
    if node.resource_type != "source":
        return ()
    return node.name.partition(".")[0], node.name


def _file_names(node: Node) -> tuple[str, str]:
    path = PurePosixPath(node.file)
    return path.name, path.stem


def _paths(node: Node) -> Iterable[str]:
    path = PurePosixPath(node.file)
    return map(str, (path, *path.parents[:-1]))


def _path_matcher(value: str) -> Matches:
    fits = path_fits(value)
    return lambda node: fits(node.file)


def _materialized(node: Node) -> tuple[str, ...]:
    return (node.materialized,) if node.materialized else ()


def _test_types(node: Node) -> tuple[str, ...]:
    return (node.test_type, "data") if node.test_type in DATA_TESTS else (node.test_type,)


def _changes(state: State | None, node: Node) -> tuple[str, ...]:
    """What is new counts as modified, as in dbt."""
    if state is None or state.checksums.get(node.id) == node.checksum:
        return ()
    return ("modified",) if node.id in state.checksums else ("modified", "new")


def _source_matcher(value: str) -> Matches:
    """`source` or `source.stream`, with a glob for either."""
    source, dot, stream = value.partition(".")
    source_fits, stream_fits = word_fits(source), word_fits(stream if dot else "*")

    def matches(node: Node) -> bool:
        name, _, of_stream = node.name.partition(".")
        return node.resource_type == "source" and source_fits(name) and stream_fits(of_stream)

    return matches


def _qualified_matcher(bare_words: Callable[[Node], frozenset[str]], value: str) -> Matches:
    """A name, a folder, or a name behind its folders, with dots between them.

    A glob without a dot is for names alone: `m*` does not mean all that lies in models/.
    """
    if not is_glob(value):
        return lambda node: value in bare_words(node)
    fits = word_fits(value)
    if "." not in value:
        return lambda node: fits(node.name)
    return lambda node: any(fits(each) for each in (node.name, *_qualified_names(node)))


def bare_words(node: Node) -> frozenset[str]:
    """What means this node without a method: its name, its folders, and it behind these."""
    found = {node.name}
    for name in _qualified_names(node):
        parts = name.split(".")
        found.update(".".join(parts[: count + 1]) for count in range(len(parts)))
    return frozenset(found)


def _remembered(bare_words: Callable[[Node], frozenset[str]]) -> Callable[[Node], frozenset[str]]:
    """As many terms are looked up in the same nodes."""
    known: dict[str, frozenset[str]] = {}

    def remembering(node: Node) -> frozenset[str]:
        if node.id not in known:
            known[node.id] = bare_words(node)
        return known[node.id]

    return remembering


def _qualified_names(node: Node) -> tuple[str, ...]:
    """The name behind the folders of its file, with the first of them and without it.

    A source has none: where it is declared says nothing of it.
    """
    if node.resource_type == "source":
        return ()
    folders = node.file.split("/")[:-1]
    return tuple(".".join([*path, node.name]) for path in (folders, folders[1:]))
