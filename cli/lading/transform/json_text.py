"""Rows as JSON text, written by DuckDB.

What DuckDB's own `to_json` does with each type (2.0, measured), and what is done about it:

| type | `to_json` | here |
| --- | --- | --- |
| whole numbers, HUGEINT and UHUGEINT included | exact | the same |
| DECIMAL | exact (of a width up to 15, without trailing zeros) | the same |
| DECIMAL(16, 16) and the like, all digits after the point | `.5000…`: not JSON | `0.5000…` |
| DOUBLE, FLOAT | shortest text of the DOUBLE; `NaN`, `Infinity`: not JSON | null for these |
| TIMESTAMP of any precision | `"2026-01-01 00:00:00"` | `"2026-01-01T00:00:00Z"` |
| TIMESTAMP WITH TIME ZONE | the same with `+00` | `"2026-01-01T00:00:00Z"` |
| DATE | `"2026-01-01"` | the same |
| JSON | printed anew, numbers by way of DOUBLE | as it is in the column |
| VARCHAR, ENUM, UUID, TIME, INTERVAL, BLOB | text | the same |
| STRUCT, MAP, lists | objects and lists of the above | by what is in them |

A fraction of a second is cut off: what reads the rows takes `YYYY-MM-DDTHH:MM:SSZ` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lading.transform.literals import literal
from lading.transform.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duckdb.sqltypes import DuckDBPyType

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
MOMENTS = frozenset({"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"})
FLOATS = frozenset({"float", "double"})
LISTS = frozenset({"list", "array"})


def row_text(columns: Iterable[tuple[str, DuckDBPyType]], row: str) -> str:
    """A SQL expression: the row called `row` as the text of one JSON object."""
    members = ((name, f"{row}.{quoted(name)}", kind) for name, kind in columns)
    return _object(members)


def _object(members: Iterable[tuple[str, str, DuckDBPyType]]) -> str:
    pieces = [
        f"to_json({literal(name)})::VARCHAR || ':' || {json_text(value, kind)}"
        for name, value, kind in members
    ]
    return "'{' || " + " || ',' || ".join(pieces) + " || '}'"


def json_text(value: str, kind: DuckDBPyType) -> str:
    """A SQL expression: the JSON text of the expression `value`, never NULL."""
    if not _is_special(kind):
        return f"coalesce(to_json({value})::VARCHAR, 'null')"
    if str(kind) == "JSON":
        return f"coalesce({value}::VARCHAR, 'null')"
    if _is_all_fraction(kind):
        return f"coalesce(replace({value}::VARCHAR, '.', '0.'), 'null')"
    if kind.id in FLOATS:
        return f"CASE WHEN isfinite({value}) THEN to_json({value})::VARCHAR ELSE 'null' END"
    if kind.id in MOMENTS or kind.id == "timestamp with time zone":
        return _moment(value, kind)
    return f"CASE WHEN {value} IS NULL THEN 'null' ELSE {_nested(value, kind)} END"


def _is_special(kind: DuckDBPyType) -> bool:
    """Whether `to_json` writes it, or something in it, in another way than it is wanted."""
    if kind.id in {"struct", "map", *LISTS}:
        return any(_is_special(child) for child in _children(kind).values())
    return (
        str(kind) == "JSON"
        or kind.id in MOMENTS | FLOATS
        or kind.id == "timestamp with time zone"
        or _is_all_fraction(kind)
    )


def _is_all_fraction(kind: DuckDBPyType) -> bool:
    """Whether it is a DECIMAL without a digit before the point, which DuckDB then begins with."""
    if kind.id != "decimal":
        return False
    numbers = dict(kind.children)
    return numbers["precision"] == numbers["scale"]


def _children(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The types within a nested type; an ARRAY has its size among them, as a number."""
    from duckdb.sqltypes import DuckDBPyType

    return {name: child for name, child in kind.children if isinstance(child, DuckDBPyType)}


def _moment(value: str, kind: DuckDBPyType) -> str:
    if kind.id == "timestamp with time zone":
        # As UTC, whatever the session's zone is.
        value = f"make_timestamp(epoch_us({value}))"
    return f"coalesce('\"' || strftime({value}, '{UTC_FORMAT}') || '\"', 'null')"


def _nested(value: str, kind: DuckDBPyType) -> str:
    children = _children(kind)
    if kind.id == "struct":
        return _object(
            (name, f"struct_extract({value}, {literal(name)})", child)
            for name, child in children.items()
        )
    if kind.id == "map":
        member = json_text("each.value", children["value"])
        member = f"to_json(each.key::VARCHAR)::VARCHAR || ':' || {member}"
        return _joined("{", f"map_entries({value})", member, "}")
    return _joined("[", value, json_text("each", children["child"]), "]")


def _joined(opening: str, values: str, member: str, closing: str) -> str:
    texts = f"list_transform({values}, lambda each: {member})"
    return f"'{opening}' || array_to_string({texts}, ',') || '{closing}'"
