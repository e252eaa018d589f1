"""The names of relations, quoted where DuckDB needs it and nowhere else."""

from __future__ import annotations

import re

# duckdb_keywords() of DuckDB 2.0 in the categories 'reserved' and 'type_function'.
KEYWORDS = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create default deferrable desc describe distinct do else end except false fetch for
    foreign from group having in initially intersect into lambda lateral leading limit not null
    offset on only or order pivot pivot_longer pivot_wider placing primary qualify references
    returning select show some summarize symmetric table then to trailing true union unique unpivot
    using variadic when where window with

    anti asof at authorization binary by collation columns concurrently cross freeze full generated
    glob ilike inner is isnull join left like map natural notnull outer overlaps positional right
    semi similar struct tablesample try_cast tuple unpack verbose
"""
RESERVED = frozenset(KEYWORDS.split())
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quoted(name: str) -> str:
    """A name as SQL: as it is where that reads the same, in double quotes otherwise."""
    if PLAIN.fullmatch(name) and name.lower() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def relation(schema: str, name: str) -> str:
    """`schema.name` as SQL."""
    return f"{quoted(schema)}.{quoted(name)}"
