"""Where the columns of a query come from: FROM, joins, stars, set operations and CTEs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lading.transform.decoded import ELEMENT
from lading.transform.lineage_expressions import Evaluator, function_name
from lading.transform.lineage_scopes import Column, Scope, Source
from lading.transform.lineage_values import ANY_COLUMN, NOTHING, Origin, Value, merged

if TYPE_CHECKING:
    from sqlglot import exp

SET_OPERATIONS = frozenset({"union", "except", "intersect"})
QUERIES = SET_OPERATIONS | {"select", "subquery", "values", "pivot", "table"}
# Columns swap places at most once for each of them; this is more than anybody needs.
MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Queries:
    """Reads one statement's queries; `known` has the columns of relations in small letters."""

    known: Mapping[str, Sequence[str]]

    def rows(self, node: exp.Expr, scope: Scope) -> Value:
        """A query's columns, as the fields of a struct."""
        scope = self._with_ctes(node, scope)
        if node.key in SET_OPERATIONS:
            return self._combined(node, scope)
        if node.key == "select":
            return self._selected(node, scope)
        if node.key == "subquery":
            return self._aliased(self._pivoted(self._parenthesised(node, scope), node), node)
        if node.key == "values":
            return self._aliased(self._values(node, scope), node)
        if node.key == "pivot":
            return Value(self._source(node.this, scope).rows.computed.origins)
        return self._source(node, scope).rows if node.key == "table" else NOTHING

    def _with_ctes(self, node: exp.Expr, scope: Scope) -> Scope:
        ctes = node.args.get("with_")
        if ctes is None:
            return scope
        rows = self._recursive if ctes.args.get("recursive") else self._cte
        for cte in ctes.expressions:
            name = cte.alias.casefold()
            scope = replace(scope, tables={**scope.tables, name: rows(cte, scope)})
        return scope

    def _cte(self, cte: exp.Expr, scope: Scope) -> Value:
        return self._aliased(self.rows(cte.this, scope), cte)

    def _recursive(self, cte: exp.Expr, scope: Scope) -> Value:
        """Round after round from what the first part gives, until nothing new comes."""
        if cte.this.key != "union":
            return self._cte(cte, scope)
        name = cte.alias.casefold()
        rows = self._aliased(self.rows(cte.this.this, scope), cte)
        for _ in range(MOST_ROUNDS):
            inner = replace(scope, tables={**scope.tables, name: rows})
            before, rows = rows, self._cte(cte, inner)
            if rows == before:
                break
        return rows

    def _combined(self, node: exp.Expr, scope: Scope) -> Value:
        left, right = self.rows(node.this, scope), self.rows(node.expression, scope)
        if node.key != "union":
            return left
        if node.args.get("by_name") or left.origins or right.origins:
            return merged([left, right])
        pairs = zip(left.fields.items(), right.fields.values(), strict=False)
        return Value(fields={name: merged([one, other]) for (name, one), other in pairs})

    def _parenthesised(self, node: exp.Expr, scope: Scope) -> Value:
        """A query in parentheses, or a relation with joins."""
        if node.this.key in QUERIES - {"table"}:
            return self.rows(node.this, scope)
        return _struct(_starred(self._from([node.this], scope.inner())))

    def _values(self, node: exp.Expr, scope: Scope) -> Value:
        lists = [each.expressions for each in node.expressions]
        evaluator = Evaluator(self.rows)
        columns = zip(*lists, strict=False)
        return Value(
            fields={
                f"col{at}": merged(evaluator.value(each, scope) for each in column)
                for at, column in enumerate(columns)
            }
        )

    def _aliased(self, rows: Value, node: exp.Expr) -> Value:
        """With the columns' names of `as t(a, b)`."""
        alias = node.args.get("alias")
        names = [each.name for each in alias.columns] if alias and alias.key == "tablealias" else []
        return _renamed(rows, names)

    def _pivoted(self, rows: Value, node: exp.Expr) -> Value:
        """Of a pivot or unpivot any column may come from all columns."""
        return Value(rows.computed.origins) if node.args.get("pivots") else rows

    def _selected(self, node: exp.Expr, scope: Scope) -> Value:
        tables = [node.args["from_"].this] if node.args.get("from_") else []
        inner = self._from([*tables, *node.args.get("joins", ())], scope.inner())
        columns: list[Column] = []
        for projection in node.expressions:
            named = replace(inner, aliases={name.casefold(): value for name, value in columns})
            columns += self._projected(projection, named)
        return _struct(columns)

    def _from(self, relations: Iterable[exp.Expr], scope: Scope) -> Scope:
        for each in relations:
            scope = self._joined(each, scope)
            inner = each.this if each.key == "join" else each
            for further in inner.args.get("joins") or ():
                scope = self._joined(further, scope)
        return scope

    def _joined(self, node: exp.Expr, scope: Scope) -> Scope:
        """The scope with one relation more."""
        relation = node.this if node.key == "join" else node
        if node.args.get("kind") in {"SEMI", "ANTI"}:
            return scope
        if relation.key == "subquery" and relation.this.key == "table" and not relation.alias:
            return self._from([relation.this], scope)
        source = self._source(relation, scope)
        shared = self._shared(node, source, scope)
        joined = {name: _either(node.args.get("side"), scope, source, name) for name in shared}
        source = replace(source, hidden=frozenset(shared))
        return replace(scope, sources=(*scope.sources, source), joined={**scope.joined, **joined})

    def _shared(self, node: exp.Expr, source: Source, scope: Scope) -> list[str]:
        if node.args.get("method") == "NATURAL":
            before = {name for each in scope.sources for name in each.rows.names}
            return [name for name in source.rows.names if name in before]
        return [each.name.casefold() for each in node.args.get("using") or ()]

    def _source(self, node: exp.Expr, scope: Scope) -> Source:
        if node.key == "table" and node.this.key == "identifier":
            return self._table(node, scope)
        if node.key == "lateral":
            rows = self._aliased(self._inner(node.this, scope), node)
            return Source(node.alias.casefold(), "", rows)
        return Source(node.alias_or_name.casefold(), "", self._inner(node, scope))

    def _inner(self, node: exp.Expr, scope: Scope) -> Value:
        """What stands in FROM and is no table: it sees the relations before it."""
        if node.key in QUERIES - {"table"}:
            return self.rows(node, scope)
        if node.key == "unnest":
            return self._unnested(node, scope)
        function = node.this if node.key == "table" else node
        rows = self._pivoted(self._function(function, node.alias, scope), node)
        return self._aliased(rows, node)

    def _unnested(self, node: exp.Expr, scope: Scope) -> Value:
        evaluator = Evaluator(self.rows)
        elements = [evaluator.value(each, scope).step(ELEMENT) for each in node.expressions]
        names = [node.alias if len(elements) == 1 and node.alias else "unnest"]
        names += [f"unnest_{at}" for at in range(1, len(elements))]
        rows = self._aliased(Value(fields=dict(zip(names, elements, strict=False))), node)
        offset = node.args.get("offset")
        return Value(fields={**rows.fields, offset.name: NOTHING}) if offset else rows

    def _function(self, node: exp.Expr, alias: str, scope: Scope) -> Value:
        """A table function; one that reads a file has the file's columns."""
        arguments = list(node.iter_expressions())
        name = function_name(node)
        if name.startswith("read") and arguments:
            files = arguments[0].expressions or arguments[:1]
            return Value(frozenset(Origin(each.name.casefold(), ANY_COLUMN) for each in files))
        evaluator = Evaluator(self.rows)
        made = merged(evaluator.value(each, scope) for each in arguments).computed
        if name in {"generateseries", "range"}:
            only = "range" if node.args.get("is_end_exclusive") else "generate_series"
            return Value(fields={alias or only: made})
        return made

    def _table(self, node: exp.Expr, scope: Scope) -> Source:
        schema, name = node.db.casefold(), node.name.casefold()  # type: ignore[attr-defined]
        rows = None if schema else scope.tables.get(name)
        if rows is None:
            rows = self._relation(f"{schema}.{name}" if schema else name)
        rows = self._aliased(self._pivoted(rows, node), node)
        return Source((node.alias or name).casefold(), "" if node.alias else schema, rows)

    def _relation(self, name: str) -> Value:
        columns = self.known.get(name)
        if columns is None and "." not in name:
            same = [each for each in self.known if each.rpartition(".")[2] == name]
            name = same[0] if len(same) == 1 else name
            columns = self.known.get(name)
        if columns is None:
            return Value(frozenset({Origin(name, ANY_COLUMN)}))
        return Value(fields={each: Value(frozenset({Origin(name, each)})) for each in columns})

    def _projected(self, node: exp.Expr, scope: Scope) -> Iterator[Column]:
        from sqlglot import exp

        inner = node.this if node.key == "alias" else node
        evaluator = Evaluator(self.rows)
        if (star := _star_in(inner)) is not None:
            yield from self._star(inner, star, scope)
        elif inner.key == "explode":
            yield from _unpacked(_name(node), evaluator.value(inner.this, scope), inner)
        elif (columns := inner.find(exp.Columns)) is not None:
            matching = list(self._matching(columns.this, scope))
            if columns.args.get("unpack"):
                matching = [(_name(node), merged(value for _, value in matching))]
            for name, value in matching:
                yield node.alias or name, evaluator.value(inner, replace(scope, each_column=value))
        else:
            yield _name(node), evaluator.value(inner, scope)

    def _star(self, node: exp.Expr, star: exp.Expr, scope: Scope) -> Iterator[Column]:
        """`*`, `t.*` or `struct.*`, with EXCLUDE, REPLACE and RENAME, or `* LIKE 'a%'`."""
        qualifiers = [part.name for part in node.parts[:-1]] if node.key == "column" else []  # type: ignore[attr-defined]
        excluded = {_qualified(each) for each in star.args.get("except_") or ()}
        renamed = {each.this.name.casefold(): each.alias for each in star.args.get("rename") or ()}
        replaced = {
            each.alias.casefold(): Evaluator(self.rows).value(each.this, scope)
            for each in star.args.get("replace") or ()
        }
        for name, value in _starred(scope, qualifiers, excluded):
            folded = name.casefold()
            if node.key == "column" or node is star or _is_like(name, node):
                yield renamed.get(folded, name), replaced.get(folded, value)

    def _matching(self, which: exp.Expr, scope: Scope) -> Iterator[Column]:
        """The columns that `columns(…)` means: those of a star, or a pattern's; else all."""
        star = _star_in(which)
        if star is not None:
            yield from self._star(which, star, scope)
            return
        pattern = which.name if which.key == "literal" else ""
        for name, value in _starred(scope):
            if name == ANY_COLUMN or _is_found(pattern, name):
                yield name, value


def _star_in(node: exp.Expr) -> exp.Expr | None:
    """The star that a projection is."""
    if node.key == "star":
        return node
    if node.key in {"column", "like", "ilike", "similarto"} and node.this.key == "star":
        return node.this  # type: ignore[no-any-return]
    return None


def _starred(
    scope: Scope, qualifiers: Sequence[str] = (), excluded: Iterable[tuple[str, str]] = ()
) -> Iterator[Column]:
    """All columns, a relation's or a struct's; ANY_COLUMN stands for those of unknown relations."""
    left_out = set(excluded)
    for source in _sources(scope, qualifiers):
        for name, value in source.columns(qualified=bool(qualifiers)):
            folded = name.casefold()
            if not {("", folded), (source.name, folded)} & left_out:
                yield name, value if qualifiers else scope.joined.get(folded, value)
        if source.rows.origins:
            yield ANY_COLUMN, Value(source.rows.origins)


def _sources(scope: Scope, qualifiers: Sequence[str]) -> Sequence[Source]:
    if not qualifiers:
        return scope.sources
    named = [each for each in scope.sources if each.is_called(qualifiers[-1])]
    if named:
        return named
    struct = scope.resolve(list(qualifiers))
    if not struct.members:
        return [Source("", "", struct)]
    return [Source("", "", Value(fields={name: struct.step(name) for name in struct.members}))]


def _struct(columns: Iterable[Column]) -> Value:
    """Columns as a relation has them: a name that was there before gets a number."""
    fields: dict[str, Value] = {}
    unknown: frozenset[Origin] = frozenset()
    taken: set[str] = set()
    for name, value in columns:
        if name == ANY_COLUMN:
            unknown |= value.origins
            continue
        number, free = 0, name
        while free.casefold() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.casefold())
        fields[free] = value
    return Value(unknown, fields)


def _renamed(rows: Value, names: Sequence[str]) -> Value:
    if not names:
        return rows
    if not rows.fields:
        return Value(fields=dict.fromkeys(names, rows.computed))
    given = [*names, *list(rows.fields)[len(names) :]]
    return Value(rows.origins, dict(zip(given, rows.fields.values(), strict=False)))


def _either(side: str | None, scope: Scope, source: Source, name: str) -> Value:
    """What a column that USING made of two has."""
    right, left = source.rows.step(name), scope.column(name)
    if left is None or side == "RIGHT":
        return right
    return merged([left, right]) if side == "FULL" else left


def _unpacked(name: str, value: Value, node: exp.Expr) -> Iterator[Column]:
    """`unnest` in SELECT: a list's elements, or a column for each field of a struct."""
    is_recursive = any(each.this.name.casefold() == "recursive" for each in node.expressions)
    if not value.is_struct:
        value = value.step(ELEMENT)
        if not (is_recursive and value.is_struct):
            yield name, value
            return
    for member in value.members:
        inner = value.step(member)
        if is_recursive and inner.is_struct:
            yield from _unpacked(member, inner, node)
        else:
            yield member, inner


def _name(node: exp.Expr) -> str:
    """What DuckDB calls a column; without an alias, nearly."""
    while node.key == "paren":
        node = node.this
    if node.key == "dot" and node.expression.key == "identifier":
        return str(node.expression.name)
    if name := node.alias_or_name if node.key in {"alias", "column"} else "":
        return name
    if node.key == "count" and node.this.key == "star":
        return "count_star()"
    try:
        return node.sql("duckdb", normalize_functions="lower")
    except ValueError:
        return node.key


def _qualified(node: exp.Expr) -> tuple[str, str]:
    return str(getattr(node, "table", "")).casefold(), node.name.casefold()


def _is_like(name: str, node: exp.Expr) -> bool:
    if node.key == "similarto":
        return _is_found(f"^(?:{node.expression.name})$", name)
    pattern = re.escape(node.expression.name).replace("%", ".*").replace("_", ".")
    flags = re.IGNORECASE if node.key == "ilike" else 0
    return name == ANY_COLUMN or re.fullmatch(pattern, name, flags) is not None


def _is_found(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True
