"""The failing rows of tests with `store_failures`: kept in tables of the database.

They are found in a transaction that may be rolled back, with a model that may then be gone. So
they leave it in a file, and come back when it is over.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lading.transform.data_test import DataTest
from lading.transform.literals import literal
from lading.transform.names import quoted, relation

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA = "lading_tests"
# What a Parquet file gives back as it was; any other type goes through it as text. HUGEINT, the
# type of a sum of whole numbers, would come back as DOUBLE.
KEPT_BY_PARQUET = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "BLOB", "DATE", "TIMESTAMP",
}  # fmt: skip
# The type of a column of NULLs alone, which no cast knows by this name.
OF_NULLS = '"NULL"'
# A type that text can't be turned back into.
OF_NO_TEXT = "UNION("


def stored_relation(test: DataTest) -> str:
    """The table that holds a test's failing rows, as SQL."""
    return relation(SCHEMA, test.name)


def save_failures(cursor: DuckDBPyConnection, test: DataTest, path: Path) -> None:
    """Write the failing rows, up to the test's `limit`, to a file that `store_failures` reads.

    The cursor may be in a transaction; the file outlives it.

    Raises:
        duckdb.Error: the SQL of the test, or writing the file, failed.
    """
    limit = "" if test.limit is None else f"\nLIMIT {test.limit}"
    rows = f"FROM (\n{test.sql}\n)"
    cursor.execute(f"SELECT * {rows} LIMIT 0")
    types = {column[0]: str(column[1]) for column in cursor.description or ()}
    names = [f"column_{number}" for number in range(len(types))]
    written = ", ".join(
        name if _is_kept(kind) else f"{name}::VARCHAR AS {name}"
        for name, kind in zip(names, types.values(), strict=True)
    )
    columns = json.dumps([(name, _stored_type(kind)) for name, kind in types.items()])
    path.parent.mkdir(parents=True, exist_ok=True)
    cursor.execute(
        f"COPY (SELECT {written} {rows} AS failing({', '.join(names)}){limit}) "
        f"TO {literal(str(path))} "
        f"(FORMAT parquet, KV_METADATA {{columns: {literal(columns)}}})"
    )


def store_failures(connection: DuckDBPyConnection, test: DataTest, path: Path) -> None:
    """Put the rows of a file that `save_failures` wrote into the test's table, in place of those
    of an earlier run."""
    file = literal(str(path))
    metadata = (
        f"SELECT decode(value) FROM parquet_kv_metadata({file}) WHERE decode(key) = 'columns'"
    )
    columns = json.loads(connection.execute(metadata).fetchall()[0][0])
    read = ", ".join(
        f"CAST(column_{number} AS {kind}) AS {quoted(name)}"
        for number, (name, kind) in enumerate(columns)
    )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    table = stored_relation(test)
    connection.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT {read} FROM read_parquet({file})"
    )


def forget_failures(connection: DuckDBPyConnection, test: DataTest) -> None:
    """Drop the table of a test, if there is one: for a test that passes now."""
    connection.execute(f"DROP TABLE IF EXISTS {stored_relation(test)}")


def _stored_type(kind: str) -> str:
    if kind == OF_NULLS:
        return "INTEGER"
    return "VARCHAR" if OF_NO_TEXT in kind else kind


def _is_kept(kind: str) -> bool:
    return kind.partition("(")[0] in KEPT_BY_PARQUET
