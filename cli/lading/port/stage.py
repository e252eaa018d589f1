"""Entities on their way from the mappings into the database."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's own bound on one JSON object, in bytes; raised where an entity needs it.
OBJECT_BOUND = 16 * 1_048_576

COLUMNS = {
    "resource": "VARCHAR",
    "kind": "VARCHAR",
    "blueprint": "VARCHAR",
    "identifier": "VARCHAR",
    "position": "BIGINT",
    "hash": "VARCHAR",
    "entity": "VARCHAR",
    "fault": "VARCHAR",
}

# The table is made anew each time: it holds one plan, and an older one may lack columns.
TABLE = """
CREATE OR REPLACE TABLE lading.entities (
    resource VARCHAR NOT NULL, kind VARCHAR NOT NULL, blueprint VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL, position BIGINT NOT NULL, hash VARCHAR NOT NULL,
    entity VARCHAR NOT NULL, fault VARCHAR
)
"""
# Of the rows of a resource that give the same identifier, all but one.
LEAVE_OUT = """
DELETE FROM lading.entities WHERE rowid IN (
    SELECT rowid FROM lading.entities WHERE resource IN (SELECT unnest($resources::VARCHAR[]))
    QUALIFY row_number() OVER (
        PARTITION BY resource, blueprint, identifier ORDER BY position {order}, rowid {order}
    ) > 1
)
"""


class EntityStage:
    """Lines in a temporary file while the mappings run, loaded in one statement at the end.

    Rows that are inserted one by one would take DuckDB most of a millisecond each, and the
    database would be held all the time. Not for several threads.
    """

    def __init__(self) -> None:
        import msgspec

        self._encode = msgspec.json.Encoder().encode
        self._folder = tempfile.TemporaryDirectory(prefix="lading-")
        self._path = Path(self._folder.name) / "entities.ndjson"
        self._file = self._path.open("wb")
        self._longest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._folder.cleanup()

    def add(
        self,
        *,
        resource: str,
        kind: str,
        blueprint: str,
        identifier: str,
        position: int,
        hash: str,  # noqa: A002 - the column's name
        entity: str,
        fault: str | None = None,
    ) -> None:
        """One entity: `position` is its row's number in the resource, `entity` the JSON text
        that Port gets, `hash` what tells it from another of the same identifier, `fault` why it
        is not to be sent."""
        values = (resource, kind, blueprint, identifier, position, hash, entity, fault)
        line = self._encode(dict(zip(COLUMNS, values, strict=True))) + b"\n"
        self._longest = max(self._longest, len(line))
        self._file.write(line)

    def load(
        self,
        connection: DuckDBPyConnection,
        first: Sequence[str] = (),
        last: Sequence[str] = (),
    ) -> int:
        """Make `lading.entities` what was added; gives the number of rows that were left out.

        Of the rows of a resource in `first` or `last` that give the same identifier, the first or
        last one counts.
        """
        self._file.flush()
        bound = max(OBJECT_BOUND, self._longest + 1)
        connection.begin()
        try:
            connection.execute(TABLE)
            connection.execute(
                "INSERT INTO lading.entities BY NAME SELECT * FROM read_json($path, "
                "format='newline_delimited', columns=$columns, maximum_object_size=$bound)",
                {"path": str(self._path), "columns": COLUMNS, "bound": bound},
            )
            left_out = _leave_out(connection, first, "ASC") + _leave_out(connection, last, "DESC")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return left_out


def _leave_out(connection: DuckDBPyConnection, resources: Sequence[str], order: str) -> int:
    if not resources:
        return 0
    deleted = connection.execute(LEAVE_OUT.format(order=order), {"resources": list(resources)})
    return int(deleted.fetchall()[0][0])
