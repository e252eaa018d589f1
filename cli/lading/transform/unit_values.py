"""The values of unit tests: from YAML, exactly as they are written, to SQL of a column's type."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lading.errors import nearest
from lading.project.exact import json_of
from lading.transform.literals import literal

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType


INTEGERS = frozenset(
    f"{sign}{size}int" for sign in ("", "u") for size in ("", "tiny", "small", "big", "huge")
) - {"int", "uint"} | {"integer", "uinteger", "bignum"}
# A time of day with an offset from UTC that is not zero.
ELSEWHERE = re.compile(r":[0-9.]+\s*[-+](?=[0-9:]*[1-9])[0-9]{1,2}(?::?[0-9]{2})?$")


class InexactError(ValueError):
    """A value that its column's type can hold only when it is rounded or cut."""


def sql_value(value: Any, kind: DuckDBPyType) -> str:
    """A SQL expression: a value of YAML as one of a column's type.

    What stands in a JSON column is a mapping, a list or a number, or text that is JSON. Fields of
    a STRUCT that are left out are NULL.

    Raises:
        InexactError: the type can't hold it exactly.
        ValueError: it is of another kind than the type. (Whether text is such a value as its
            type needs, DuckDB finds out.)
    """
    if value is None:
        return f"CAST(NULL AS {kind})"
    if str(kind) == "JSON":
        return _cast(value if isinstance(value, str) else json_of(value), kind)
    if isinstance(value, dict | list):
        return _nested(value, kind)
    written = plain_text(value)
    _check_exact(written, kind)
    return _cast(written, kind)


def _cast(text: str, kind: DuckDBPyType) -> str:
    return f"CAST({literal(text)} AS {kind})"


def _nested(value: dict[Any, Any] | list[Any], kind: DuckDBPyType) -> str:
    if isinstance(value, list) and kind.id in {"list", "array"}:
        child = dict(kind.children)["child"]
        pieces = ", ".join(sql_value(each, child) for each in value)  # type: ignore[arg-type]
        return f"CAST([{pieces}] AS {kind})"
    if isinstance(value, dict) and kind.id == "struct":
        return _struct(value, kind)
    if isinstance(value, dict) and kind.id == "map":
        parts: Any = dict(kind.children)
        keys = ", ".join(sql_value(str(key), parts["key"]) for key in value)
        values = ", ".join(sql_value(each, parts["value"]) for each in value.values())
        return f"CAST(map([{keys}], [{values}]) AS {kind})"
    if kind.id == "varchar":
        return _cast(json_of(value), kind)
    raise ValueError(f"{'a list' if isinstance(value, list) else 'a mapping'} is no {kind}")


def _struct(value: dict[Any, Any], kind: DuckDBPyType) -> str:
    fields: dict[str, Any] = dict(kind.children)
    for key in value:
        if key not in fields:
            raise ValueError(f"the struct has no field '{key}'; {nearest(str(key), fields)}")
    pieces = (
        f"{literal(name)}: {sql_value(value.get(name), child)}" for name, child in fields.items()
    )
    return f"CAST({{{', '.join(pieces)}}} AS {kind})"


def plain_text(value: Any) -> str:
    """A number, a truth value or text, as DuckDB reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def _check_exact(text: str, kind: DuckDBPyType) -> None:
    if kind.id in INTEGERS or kind.id == "decimal":
        scale = int(str(dict(kind.children)["scale"])) if kind.id == "decimal" else 0
        if _decimals(text) > scale:
            has = f"has more than {scale} decimals" if scale else "is no whole number"
            raise InexactError(f"{text} {has}, and the column is {kind}")
    elif kind.id == "date" and ":" in text:
        raise InexactError(f"'{text}' has a time of day, and the column is {kind}")
    elif kind.id.startswith("timestamp") and "zone" not in kind.id and ELSEWHERE.search(text):
        raise InexactError(f"'{text}' is not in UTC, as {kind} is here; write it with a Z")


def _decimals(text: str) -> int:
    """How many digits a number has behind its point, zeros at its end left out."""
    try:
        exponent = Decimal(text).normalize().as_tuple().exponent
    except ArithmeticError:
        return 0
    return max(-exponent, 0) if isinstance(exponent, int) else 0
