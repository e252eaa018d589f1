"""Column lineage: which columns, and which fields within them, each column of a model comes from.

Only values count: what a WHERE, a join or an ORDER BY looks at is no origin of any column. The
condition of a CASE is, if it chooses between values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lading.transform.decoded import ANY_KEY, ELEMENT
from lading.transform.lineage_values import (
    ANY_COLUMN,
    KEYS,
    ColumnLineage,
    Origin,
    Value,
    distinct,
)

__all__ = ["ANY_COLUMN", "KEYS", "ColumnLineage", "Origin", "column_lineage", "trace"]

# A relation that reads itself could lengthen a path without end.
LONGEST_PATH = 32


def column_lineage(sql: str, known: Mapping[str, Sequence[str]]) -> tuple[ColumnLineage, ...]:
    """The lineage of each output column of a query in DuckDB's SQL, in the columns' order.

    `known` has the columns of relations (`schema.name`) in their order. A relation that is not in
    it may have any column; where a query takes all of them, the output has a column `*`. A column
    that the query builds of structs, lists or maps has a lineage for each field, by its path in the
    column. SQL that can't be read has none.
    """
    rows = _rows(sql, {name.casefold(): columns for name, columns in known.items()})
    found = [each for name, value in rows.fields.items() for each in value.lineage(name)]
    if rows.origins:
        found.append(ColumnLineage(ANY_COLUMN, (), distinct(rows.origins)))
    return tuple(found)


def _rows(sql: str, known: Mapping[str, Sequence[str]]) -> Value:
    from sqlglot import parse
    from sqlglot.errors import SqlglotError

    from lading.transform.lineage_queries import QUERIES, Queries
    from lading.transform.lineage_scopes import Scope
    from lading.transform.statements import DIALECT, silent

    with silent():
        try:
            query = next(iter(parse(sql, dialect=DIALECT)), None)
        except (SqlglotError, ValueError, RecursionError):
            return Value()
        if query is None or query.key not in QUERIES:
            return Value()
        try:
            return Queries(known).rows(query, Scope())
        except RecursionError:
            return Value()


def trace(
    lineages: Mapping[str, Sequence[ColumnLineage]],
    relation: str,
    column: str,
    path: tuple[str, ...] = (),
) -> tuple[Origin, ...]:
    """Where a column, or a field within it, comes from in the end: relations without a lineage.

    `lineages` is by relation as `Origin.relation` has it. An origin is computed if any relation on
    the way to it computes. A column or field that a relation does not have has no origins.
    """
    waiting = [Origin(relation.casefold(), column, path)]
    seen, ends = set(waiting), set()
    while waiting:
        here = waiting.pop()
        if here.relation not in lineages:
            ends.add(here)
            continue
        for origin in _before(lineages[here.relation], here):
            if origin not in seen and len(origin.path) <= LONGEST_PATH:
                seen.add(origin)
                waiting.append(origin)
    return distinct(ends)


def _before(lineage: Sequence[ColumnLineage], here: Origin) -> Iterator[Origin]:
    """The origins of one column or field in the relations that its relation reads."""
    folded = here.column.casefold()
    named = [each for each in lineage if each.column.casefold() == folded]
    path = here.path
    if not named:
        named = [each for each in lineage if each.column == ANY_COLUMN]
        path = (here.column, *path)
    for each in named:
        if not all(map(_same, each.path, path)):
            continue
        for origin in each.origins:
            for step in path[len(each.path) :]:
                origin = origin.within(step)
            yield replace(origin, computed=origin.computed or here.computed)


def _same(step: str, asked: str) -> bool:
    """Whether a step that a query builds can be meant by one that is asked for."""
    if KEYS in (step, asked):
        return step == asked
    return step == asked or ANY_KEY in (step, asked) or asked == ELEMENT
