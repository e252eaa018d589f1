"""The generic tests that every project has: what they take, and the SQL of their failing rows.

As in dbt a NULL is no failure of a test that compares values: `accepted_values`, `relationships`
and `expression` let it pass, and `unique` of one column leaves it out. In a key of several columns
NULL is a value like any other, so that two rows of it are one too many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lading.errors import UserError
from lading.transform.files import ModelFile
from lading.transform.literals import literal
from lading.transform.names import quoted
from lading.transform.words import SourceTable

Pairs = Mapping[str, str]
MOST_OFTEN = "ORDER BY count(*) DESC, 1"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a test reads: its name for people, and its SQL, which may be a query in parentheses."""

    name: str
    sql: str

    def filtered(self, where: str | None) -> Relation:
        """The rows that a condition holds for."""
        if where is None:
            return self
        return Relation(self.name, f"(SELECT * FROM {self.sql} WHERE {enclosed(where)})")


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A generic test: what it may be declared on, and a reader of each of its arguments, which
    raises a `UserError` that goes on from the argument's name. `order` sorts the failing rows for
    people; to count them it would be in vain."""

    sql: Callable[..., str]
    takes: Literal["column", "model", "either"]
    readers: Mapping[str, Callable[[Any], Any]]
    required: frozenset[str] = frozenset()
    order: str = ""


def enclosed(condition: str) -> str:
    """A condition in parentheses that no comment in it takes away."""
    if "\n" in condition or "--" in condition:
        return f"(\n{condition}\n)"
    return f"({condition})"


def _listed(columns: Iterable[str]) -> str:
    """Columns of a query within another one, each in a line of its own."""
    return ",\n        ".join(["", *columns]).removeprefix(",")


def not_null(model: Relation, column_name: str) -> str:
    """The rows without a value."""
    return f"SELECT *\nFROM {model.sql}\nWHERE {column_name} IS NULL"


def unique(
    model: Relation, column_name: str | None = None, columns: tuple[str, ...] | None = None
) -> str:
    """Each key that several rows have, and how many have it."""
    if (column_name is None) == (columns is None):
        said = "needs" if column_name is None else "has a column already: leave out"
        hint = "write it below a column, or on a model as unique: {columns: [a, b]}"
        raise UserError(f"the test 'unique' {said} the argument 'columns'", hint=hint)
    keys = [column_name] if column_name else [quoted(each) for each in columns or ()]
    condition = f"{keys[0]} IS NOT NULL" if len(keys) == 1 else None
    return _counted(keys, model, condition, "count(*) > 1")


def accepted_values(
    model: Relation, column_name: str, values: Sequence[Any], *, quote: bool = True
) -> str:
    """Each value that is not among the accepted ones, and how many rows have it.

    With `quote` the values are written as text, which DuckDB takes for a value of the column's
    type; without, text among them is SQL.
    """
    accepted = ", ".join(_accepted(each, quote=quote) for each in values)
    return _counted([column_name], model, f"{column_name} NOT IN ({accepted})")


def relationships(model: Relation, column_name: str, to: Relation, field: str) -> str:
    """Each value that no row of the other relation has, and how many rows have it."""
    # Within the condition itself, a field that is not there would be taken for one of the model.
    parent = f"WITH parent AS (SELECT {quoted(field)} AS id FROM {to.sql})\n"
    condition = (
        f"{column_name} IS NOT NULL\n"
        f"  AND {column_name} NOT IN (SELECT parent.id FROM parent WHERE parent.id IS NOT NULL)"
    )
    return parent + _counted([column_name], model, condition)


def expression(model: Relation, expression: str, column_name: str | None = None) -> str:
    """The rows that a condition does not hold for; below a column, the column's name stands left
    of it."""
    condition = f"{column_name} {expression}" if column_name else expression
    return f"SELECT *\nFROM {model.sql}\nWHERE NOT {enclosed(condition)}"


# The arguments are called as YAML calls them.
def row_count(
    model: Relation,
    min: int | None = None,  # noqa: A002
    max: int | None = None,  # noqa: A002
    equals: int | None = None,
) -> str:
    """The number of rows, if it is another than it may be."""
    bounds = {"<": min, ">": max, "<>": equals}
    wrong = [f"count(*) {sign} {bound}" for sign, bound in bounds.items() if bound is not None]
    is_mixed = equals is not None and len(wrong) > 1
    if not wrong or is_mixed or (min is not None and max is not None and min > max):
        hint = "write min, max or both (min the smaller one), or equals alone"
        raise UserError("the bounds of row_count make no sense", hint=hint)
    return f"SELECT count(*) AS row_count\nFROM {model.sql}\nHAVING {' OR '.join(wrong)}"


def sum_equals(
    model: Relation,
    to: Relation,
    sum: Pairs,  # noqa: A002
    by: Pairs | None = None,
    to_where: str | None = None,
) -> str:
    """Each key and figure whose sums differ, with both; where one side has no row, its sum is 0.

    Keys are equal when both are NULL. Whole numbers and decimals are summed and compared exactly.
    `by` and `sum` give each column of the model and the other's that it is compared with.
    """
    keys = dict(by or {})
    names = _names(["figure", f"sum_in_{model.name}", f"sum_in_{to.name}"], keys)
    here = _sums("here", model, keys.keys(), sum.keys())
    there = _sums("there", to.filtered(to_where), keys.values(), sum.values())
    figures = [_differing(number, figure, keys, names, sum) for number, figure in enumerate(sum)]
    every = range(len(keys))
    matched = [f"here.key_{each} IS NOT DISTINCT FROM there.key_{each}" for each in every]
    compared = [f"coalesce(here.key_{each}, there.key_{each}) AS key_{each}" for each in every]
    for number in range(len(sum)):
        compared += [f"here.sum_{number} AS here_{number}", f"there.sum_{number} AS there_{number}"]
    return (
        f"WITH {here}, {there}, compared AS (\n    SELECT{_listed(compared)}\n"
        f"    FROM here FULL JOIN there ON {' AND '.join(matched) or 'true'}\n)\n"
        + "\nUNION ALL\n".join(figures)
    )


def _sums(name: str, of: Relation, keys: Iterable[str], figures: Iterable[str]) -> str:
    columns = [f"{quoted(each)} AS key_{number}" for number, each in enumerate(keys)]
    columns += [f"sum({quoted(each)}) AS sum_{number}" for number, each in enumerate(figures)]
    grouped = "\n    GROUP BY ALL" if any(" AS key_" in each for each in columns) else ""
    return f"{name} AS (\n    SELECT{_listed(columns)}\n    FROM {of.sql}{grouped}\n)"


def _differing(number: int, figure: str, keys: Pairs, names: list[str], sums: Pairs) -> str:
    # Figures of several types stand in one column: as text none of them is rounded.
    cast = "::VARCHAR" if len(sums) > 1 else ""
    columns = [f"key_{each} AS {quoted(key)}" for each, key in enumerate(keys)]
    columns += [
        f"{literal(figure)} AS {names[0]}",
        f"here_{number}{cast} AS {quoted(names[1])}",
        f"there_{number}{cast} AS {quoted(names[2])}",
    ]
    here, there = f"coalesce(here_{number}, 0)", f"coalesce(there_{number}, 0)"
    return f"SELECT {', '.join(columns)}\nFROM compared\nWHERE {here} <> {there}"


def _counted(
    keys: list[str], model: Relation, condition: str | None, having: str | None = None
) -> str:
    (name,) = _names(["occurrences"], keys)
    key = ", ".join(keys)
    lines = [f"SELECT {key}, count(*) AS {name}", f"FROM {model.sql}"]
    lines += [f"WHERE {condition}"] if condition else []
    lines += [f"GROUP BY {key}"]
    lines += [f"HAVING {having}"] if having else []
    return "\n".join(lines)


def _names(wanted: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Names for columns that no other column has."""
    seen = {each.strip('"').casefold() for each in taken}
    found = []
    for each in wanted:
        name, number = each, 2
        while name.casefold() in seen:
            name, number = f"{each}_{number}", number + 1
        seen.add(name.casefold())
        found.append(name)
    return found


def _accepted(value: Any, *, quote: bool) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
        return literal(text) if quote else text
    return literal(str(value)) if quote else str(value)


def _columns(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    is_list = isinstance(names, list | tuple) and bool(names)
    if not is_list or not all(isinstance(each, str) and each for each in names):
        raise UserError("must be a list of columns")
    return tuple(dict.fromkeys(names))


def _pairs(value: Any) -> Pairs:
    if not isinstance(value, dict):
        return {each: each for each in _columns(value)}
    if not value or not all(isinstance(each, str) and each for each in (*value, *value.values())):
        raise UserError("must be a list of columns, or pairs {column: column of the other}")
    return value


def _values(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise UserError("must be a list of values")
    if any(each is None or isinstance(each, list | dict) for each in value):
        hint = "NULL passes in any case; write 'null' in quotes if it is a text"
        raise UserError("must be a list of texts, numbers, and true or false", hint=hint)
    return tuple(value)


def sql_text(value: Any) -> str:
    """An argument that is SQL, or a name."""
    if not isinstance(value, str) or not value.strip():
        raise UserError("must be text")
    return value.strip()


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UserError("must be true or false")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UserError("must be a whole number, 0 or above")
    return value


def _relation(value: Any) -> Relation:
    if isinstance(value, ModelFile):
        return Relation(value.name, value.relation)
    if isinstance(value, SourceTable):
        return Relation(value.stream, value.relation)
    hint = "write a model's name, ref('model') or source('source', 'stream')"
    raise UserError("must be a relation", hint=hint)


# The arguments that are SQL; all others become names and literals.
SQL_ARGUMENTS = frozenset({"column_name", "expression", "to_where"})
# The arguments that are relations: a bare text is a model's name there.
RELATIONS = frozenset({"to"})
BUILT_IN: Mapping[str, BuiltIn] = {
    "not_null": BuiltIn(not_null, "column", {}),
    "unique": BuiltIn(unique, "either", {"columns": _columns}, order=MOST_OFTEN),
    "accepted_values": BuiltIn(
        accepted_values,
        "column",
        {"values": _values, "quote": _switch},
        frozenset({"values"}),
        MOST_OFTEN,
    ),
    "relationships": BuiltIn(
        relationships,
        "column",
        {"to": _relation, "field": sql_text},
        frozenset({"to", "field"}),
        MOST_OFTEN,
    ),
    "expression": BuiltIn(
        expression, "either", {"expression": sql_text}, frozenset({"expression"})
    ),
    "row_count": BuiltIn(row_count, "model", dict.fromkeys(["min", "max", "equals"], _number)),
    "sum_equals": BuiltIn(
        sum_equals,
        "model",
        {"to": _relation, "by": _pairs, "sum": _pairs, "to_where": sql_text},
        frozenset({"to", "sum"}),
        "ORDER BY ALL",
    ),
}
