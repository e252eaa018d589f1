"""What there is in a database: its relations and their columns, and DuckDB's own words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = """
SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND NOT internal
ORDER BY schema_name, table_name, column_index
"""
RELATIONS = """
SELECT schema_name, table_name, 'table' AS kind, estimated_size FROM duckdb_tables()
WHERE database_name = current_database() AND NOT internal
UNION ALL
SELECT schema_name, view_name, 'view', NULL FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal
ORDER BY ALL
"""
WORDS = """
SELECT upper(keyword_name) FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'
UNION
SELECT * FROM (VALUES ('BY'), ('PARTITION'), ('OVER'), ('REPLACE'), ('FILTER'), ('ORDER BY'),
    ('GROUP BY'), ('GROUP BY ALL'), ('FIRST'), ('LAST'))
ORDER BY ALL
"""
FUNCTIONS = r"""
SELECT DISTINCT function_name FROM duckdb_functions()
WHERE regexp_full_match(function_name, '[a-z]\w+') ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view. `rows` are as many as DuckDB takes a table to have; of a view, None."""

    schema: str
    name: str
    kind: str
    rows: int | None
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The relations by `schema.name`, and the words of DuckDB's SQL; functions in small letters."""

    relations: Mapping[str, Relation] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()

    def found(self, name: str) -> Relation | None:
        """The relation that a name means, with its schema or, if no other is called so, without;
        capital and small letters are no matter."""
        wanted = name.replace('"', "").casefold()
        those = [each for each in self.relations.values() if each.path.casefold() == wanted]
        those = those or [
            each for each in self.relations.values() if each.name.casefold() == wanted
        ]
        return those[0] if len(those) == 1 else None


def read_catalog(connection: DuckDBPyConnection) -> Catalog:
    """Look through the database that is open."""
    columns: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for schema, table, name, kind in connection.execute(COLUMNS).fetchall():
        columns[schema, table].append((name, kind))
    relations = (
        Relation(schema, name, kind, rows, tuple(columns[schema, name]))
        for schema, name, kind, rows in connection.execute(RELATIONS).fetchall()
    )
    return Catalog(
        {each.path: each for each in relations},
        tuple(word for (word,) in connection.execute(WORDS).fetchall()),
        tuple(name for (name,) in connection.execute(FUNCTIONS).fetchall()),
    )
