"""Entities on their way from the mappings into the database."""

from __future__ import annotations

import tempfile
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
}


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
    ) -> None:
        """One entity: `position` is its row's number in the resource, `entity` the JSON text
        that Port gets, `hash` what tells it from another of the same identifier."""
        values = (resource, kind, blueprint, identifier, position, hash, entity)
        line = self._encode(dict(zip(COLUMNS, values, strict=True))) + b"\n"
        self._longest = max(self._longest, len(line))
        self._file.write(line)

    def load(self, connection: DuckDBPyConnection) -> int:
        """Make `lading.entities` what was added; gives the number of rows."""
        self._file.flush()
        bound = max(OBJECT_BOUND, self._longest + 1)
        connection.begin()
        try:
            connection.execute("DELETE FROM lading.entities")
            connection.execute(
                "INSERT INTO lading.entities BY NAME SELECT * FROM read_json($path, "
                "format='newline_delimited', columns=$columns, maximum_object_size=$bound)",
                {"path": str(self._path), "columns": COLUMNS, "bound": bound},
            )
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        counted = connection.execute("SELECT count(*) FROM lading.entities").fetchone()
        return int(counted[0]) if counted else 0
