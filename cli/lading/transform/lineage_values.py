"""Where a value comes from, with the fields that a query built around it.

A relation is one as well: a struct whose fields are its columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from lading.transform.decoded import ANY_KEY, ELEMENT

# The keys of a map that a query builds, beside ANY_KEY for its values.
KEYS = "<key>"
# In the place of a column's name: whatever column it is.
ANY_COLUMN = "*"


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A column, or a field within a JSON or STRUCT column, that a value comes from.

    `relation` is as the SQL names it, in small letters (`staging.usage_results`). In `path`, `[]`
    is any element of a list and `*` any value of a map. A `computed` value was made of it and has
    none of its fields; any other is the same value, maybe of another type.
    """

    relation: str
    column: str
    path: tuple[str, ...] = ()
    computed: bool = False

    def within(self, step: str) -> Origin:
        """Where a field of the value comes from."""
        if self.computed:
            return self
        if self.column == ANY_COLUMN:
            return Origin(self.relation, step)
        return Origin(self.relation, self.column, (*self.path, step))

    def as_computed(self) -> Origin:
        return self if self.computed else replace(self, computed=True)


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """Where an output column comes from; with a `path`, a field within it that the query builds.

    `column` is `*` where the columns can't be known: what is said holds for all others then.
    """

    column: str
    path: tuple[str, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class Value:
    """A value of a query. A list that was written out has a field `[1]`, `[2]`, … for each element,
    any other list that was built has `[]`. `shape` is the struct that JSON was decoded with."""

    origins: frozenset[Origin] = frozenset()
    fields: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    shape: Any = None

    def step(self, name: str) -> Value:
        """A field of a struct, an element of a list (`[]`, `[1]`) or a value of a map."""
        name, shape = _step_in(self.shape, name)
        inner = [child for key, child in self.fields.items() if _matches(key, name, self.fields)]
        origins = frozenset(origin.within(_plain(name)) for origin in self.origins)
        return merged([Value(origins, shape=shape), *inner]) if inner else Value(origins, {}, shape)

    def has(self, name: str) -> bool:
        """Whether it surely has this field."""
        return name.casefold() in self.names

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The names of its fields as they are written, by their folded form."""
        return {key.casefold(): key for key in self.fields}

    @cached_property
    def computed(self) -> Value:
        """What is made of it."""
        return Value(frozenset(origin.as_computed() for origin in self.all_origins()))

    def all_origins(self) -> Iterator[Origin]:
        yield from self.origins
        for child in self.fields.values():
            yield from child.all_origins()

    @property
    def members(self) -> tuple[str, ...]:
        """The names of a struct's fields, if it is known to be one."""
        names = self.fields or (self.shape if isinstance(self.shape, dict) else {})
        return tuple(name for name in names if name[:1] != "[" and name not in {ANY_KEY, KEYS})

    @property
    def is_struct(self) -> bool:
        return bool(self.members) and not any(key[:1] == "[" for key in self.fields)

    def lineage(self, column: str, path: tuple[str, ...] = ()) -> Iterator[ColumnLineage]:
        """What is known of it as an output column."""
        if self.origins or not self.fields:
            yield ColumnLineage(column, path, distinct(self.origins))
        children: dict[str, Value] = {}
        for key, child in self.fields.items():
            plain = _plain(key)
            children[plain] = merged([children[plain], child]) if plain in children else child
        for key, child in children.items():
            yield from child.lineage(column, (*path, key))


NOTHING = Value()


def merged(values: Iterable[Value]) -> Value:
    """What may be any of these values."""
    several = [each for each in values if each.origins or each.fields or each.shape is not None]
    if len(several) <= 1:
        return several[0] if several else NOTHING
    fields: dict[str, list[Value]] = {}
    names: dict[str, str] = {}
    for each in several:
        for key, child in each.fields.items():
            fields.setdefault(names.setdefault(key.casefold(), key), []).append(child)
    return Value(
        frozenset().union(*(each.origins for each in several)),
        {key: merged(children) for key, children in fields.items()},
        next((each.shape for each in several if each.shape is not None), None),
    )


def listed(element: Value) -> Value:
    """A list of such elements."""
    return Value(fields={ELEMENT: element})


def list_of(elements: Iterable[Value]) -> Value:
    """A list that is written out."""
    return Value(fields={f"[{at}]": each for at, each in enumerate(elements, 1)})


def distinct(origins: Set[Origin]) -> tuple[Origin, ...]:
    """The origins in order; one that is also there as it is counts as that."""
    as_they_are = {each for each in origins if not each.computed}
    computed = {each for each in origins if replace(each, computed=False) not in as_they_are}
    return tuple(sorted(as_they_are | computed))


def _plain(step: str) -> str:
    return ELEMENT if step[:1] == "[" else step


def _matches(key: str, step: str, fields: Mapping[str, Value]) -> bool:
    if step == ELEMENT:
        return key[:1] == "["
    if step[:1] == "[":
        return key == step or (key == ELEMENT and step not in fields)
    if step == ANY_KEY:
        return key[:1] != "[" and key != KEYS
    return key.casefold() == step.casefold() or (key == ANY_KEY and step != KEYS)


def _step_in(shape: Any, step: str) -> tuple[str, Any]:
    """The step as the shape spells it, and the shape that it leads to."""
    if isinstance(shape, dict):
        spelled = next((key for key in shape if key.casefold() == step.casefold()), step)
        return spelled, shape.get(spelled)
    if isinstance(shape, list) and shape and step[:1] == "[":
        return step, shape[0]
    return step, None
