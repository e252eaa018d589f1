"""The names that an expression of a query can mean, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from lading.transform.lineage_values import NOTHING, Value, merged

Column = tuple[str, Value]


@dataclass(frozen=True, slots=True)
class Source:
    """A relation in FROM. `hidden` are its columns (folded) that USING has made one with those of
    a relation before it."""

    name: str
    schema: str
    rows: Value
    hidden: frozenset[str] = frozenset()

    def columns(self, *, qualified: bool = False) -> Iterator[Column]:
        for name, value in self.rows.fields.items():
            if qualified or name.casefold() not in self.hidden:
                yield name, value

    def is_called(self, name: str) -> bool:
        return self.name == name.casefold()


@dataclass(frozen=True, slots=True)
class Scope:
    """What is in sight. Parameters of lambdas come first, then columns, then the columns of SELECT
    that are before the expression, then what the query around sees."""

    tables: Mapping[str, Value] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    joined: Mapping[str, Value] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    aliases: Mapping[str, Value] = field(default_factory=dict)
    around: Scope | None = None
    each_column: Value = NOTHING

    def inner(self, sources: tuple[Source, ...] = ()) -> Scope:
        """The scope of a query within this one."""
        return Scope(self.tables, sources, around=self)

    def with_parameters(self, names: Iterable[str], values: Iterable[Value]) -> Scope:
        new = zip((name.casefold() for name in names), values, strict=False)
        return replace(self, parameters={**self.parameters, **dict(new)})

    def parameter(self, name: str) -> Value | None:
        found = self.parameters.get(name.casefold())
        return found if found is not None or not self.around else self.around.parameter(name)

    def resolve(self, parts: list[str]) -> Value:
        """What a name with its qualifiers (and fields behind it) stands for."""
        parameter = self.parameter(parts[0])
        value, rest = (parameter, parts[1:]) if parameter is not None else self._column(parts)
        for part in rest:
            value = value.step(part)
        return value

    def _column(self, parts: list[str]) -> tuple[Value, list[str]]:
        for scope in self._outwards():
            for find in (Scope._qualified, Scope._unqualified):
                if (found := find(scope, parts)) is not None:
                    return found
        for scope in self._outwards():
            if rows := [each.rows for each in scope.sources if each.is_called(parts[0])]:
                return rows[0], parts[1:]
        return NOTHING, []

    def column(self, name: str) -> Value | None:
        """A column of the relations of this very query, by its name alone."""
        found = self._unqualified([name])
        return found[0] if found else None

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.around

    def _qualified(self, parts: list[str]) -> tuple[Value, list[str]] | None:
        for source in self.sources:
            for depth in (1, 2, 3):
                if len(parts) > depth and _names(source, parts[:depth]):
                    rows = source.rows
                    if rows.has(parts[depth]) or rows.origins:
                        return rows.step(parts[depth]), parts[depth + 1 :]
        return None

    def _unqualified(self, parts: list[str]) -> tuple[Value, list[str]] | None:
        name, rest = parts[0].casefold(), parts[1:]
        if name in self.joined:
            return self.joined[name], rest
        for source in self.sources:
            if source.rows.has(name) and name not in source.hidden:
                return source.rows.step(name), rest
        if name in self.aliases:
            return self.aliases[name], rest
        if any(source.is_called(name) for source in self.sources):
            return None
        unknown = [each.rows for each in self.sources if each.rows.origins]
        return (merged(rows.step(parts[0]) for rows in unknown), rest) if unknown else None


def _names(source: Source, qualifiers: list[str]) -> bool:
    """Whether `name`, `schema.name` or `catalog.schema.name` means this source."""
    if not source.is_called(qualifiers[-1]):
        return False
    return len(qualifiers) == 1 or source.schema == qualifiers[-2].casefold()
