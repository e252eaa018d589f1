"""What became of each resource's entities in a push, by the books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOADS = """
WITH planned AS (
    SELECT resource, count(*) AS entities, count(*) FILTER (action = 'unchanged') AS held
    FROM lading.plan WHERE action <> 'delete' GROUP BY resource
),
taken AS (
    SELECT resource, count(*) AS loaded FROM lading.pushed
    WHERE destination = $destination AND run_id = $run_id AND hash <> '' GROUP BY resource
)
SELECT resource, least(coalesce(loaded, 0), held), greatest(held - coalesce(loaded, 0), 0),
    entities - held
FROM planned LEFT JOIN taken USING (resource)
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Entities that Port took, that it had, and that it does not have as they should be."""

    loaded: int = 0
    unchanged: int = 0
    failed: int = 0


def loads(connection: DuckDBPyConnection, destination: str, run_id: str) -> Mapping[str, Load]:
    """By resource, after the run's push; `lading.plan` is the view of what it had to do."""
    rows = connection.execute(LOADS, {"destination": destination, "run_id": run_id}).fetchall()
    return {resource: Load(*counts) for resource, *counts in rows}
