"""What `lading.planned` says is to be done, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000
# What changes something comes first, then what is not done and why.
ACTIONS = ("create", "change", "delete", "refused", "unfit", "conflict", "left out", "kept")
MARKS: Mapping[str, str] = {"create": "+", "change": "~", "delete": "-"}

SELECT = """
SELECT action, blueprint, identifier, coalesce(resource, ''), hash, entity, changes, reason
FROM lading.planned WHERE action <> 'unchanged'
QUALIFY row_number() OVER (PARTITION BY blueprint, action ORDER BY resource, position, identifier)
    <= coalesce($most, 9223372036854775807)
ORDER BY blueprint, list_position($actions::VARCHAR[], action), resource, position, identifier
"""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One key of an entity that gets another value; both as JSON text."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done about one entity, or why it is not. `entity` is the JSON text that Port
    is to get, None where it gets none."""

    action: str
    blueprint: str
    identifier: str
    resource: str
    hash: str
    entity: str | None
    changes: tuple[PlannedChange, ...]
    reason: str | None

    @property
    def mark(self) -> str:
        return MARKS.get(self.action, "!")


def planned(connection: DuckDBPyConnection, most: int | None = None) -> Iterator[Planned]:
    """All that is not unchanged, by blueprint and action; `most` of each of these."""
    given = {"most": most, "actions": list(ACTIONS)}
    rows = connection.execute(SELECT, given)
    while batch := rows.fetchmany(BATCH):
        for row in batch:
            action, blueprint, identifier, resource, hash_, entity, changes, reason = row
            yield Planned(
                action, blueprint, identifier, resource, hash_, entity, _read(changes), reason
            )


def kept(connection: DuckDBPyConnection) -> tuple[tuple[str, str, int], ...]:
    """What the mappings no longer give and stays in Port: blueprint, reason, how many."""
    rows = connection.execute(
        "SELECT blueprint, reason, count(*) FROM lading.planned WHERE action = 'kept' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return tuple((blueprint, reason, int(number)) for blueprint, reason, number in rows)


def _read(changes: str | None) -> tuple[PlannedChange, ...]:
    import json

    found: list[dict[str, Any]] = json.loads(changes) if changes else []
    return tuple(PlannedChange(**each) for each in found)
