"""The books of what goes to Port: what there is, what Port has, and what is left to do.

`lading.entities` is what the mappings give now, `lading.pushed` what Port has taken at a
destination, `lading.refused` what it would not take, `lading.planned` what is to be done about it.
A hash of '' in `lading.pushed` says that what Port holds is not what a mapping gave: an entity was
sent and its answer never came, or, with `seen_at`, it was read from Port then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lading.port.batches import LARGEST_ENTITY

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

UNFIT_ERROR = f"CASE WHEN strlen(entity) > {LARGEST_ENTITY} THEN 'too_large' ELSE 'unfit' END"

# What has been done of the plan since it was made shows: what was sent is unchanged now.
PLAN_VIEW = """
-- The last plan, with what has been done of it since: each entity with what is to be done about it
-- and why, what Port has, and why Port refused it.
CREATE OR REPLACE VIEW lading.plan AS
SELECT
    CASE
        WHEN planned.action IN ('create', 'change') AND pushed.hash = planned.hash THEN 'unchanged'
        ELSE planned.action
    END AS action,
    planned.blueprint, planned.identifier, planned.resource, planned.position, planned.hash,
    coalesce(planned.entity, pushed.entity) AS entity,
    planned.fault, planned.changes, planned.reason,
    pushed.entity AS pushed_entity, pushed.pushed_at,
    refused.message AS refused_because, refused.refused_at
FROM lading.planned AS planned
LEFT JOIN lading.pushed AS pushed
    ON pushed.destination = {destination}
    AND pushed.blueprint = planned.blueprint AND pushed.identifier = planned.identifier
LEFT JOIN lading.refused AS refused
    ON refused.destination = {destination}
    AND refused.blueprint = planned.blueprint AND refused.identifier = planned.identifier
WHERE planned.action <> 'delete' OR pushed.hash IS NOT NULL
"""


def keep_plan_view(connection: DuckDBPyConnection, destination: str) -> None:
    """Make `lading.plan` the plan for a destination, for people to query."""
    connection.execute(PLAN_VIEW.format(destination=_literal(destination)))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many entities of a blueprint are to be created, changed, deleted, left alone.

    held_back    what Port has refused as it is, and is not sent again
    conflicting  identifiers that several rows give with different content: nothing is sent
    unfit        what Port would refuse, and is not sent
    kept         what the mappings no longer give, and stays in Port
    left_out     what is to be done, but not by the saved plan
    """

    blueprint: str
    create: int = 0
    change: int = 0
    delete: int = 0
    unchanged: int = 0
    held_back: int = 0
    conflicting: int = 0
    unfit: int = 0
    kept: int = 0
    left_out: int = 0

    @property
    def to_send(self) -> int:
        return self.create + self.change

    @property
    def refused(self) -> int:
        """What Port refuses, by what it said or surely would say."""
        return self.held_back + self.unfit

    @property
    def to_do(self) -> int:
        return self.to_send + self.delete


def plan_counts(connection: DuckDBPyConnection) -> tuple[PlanCounts, ...]:
    """The plan's counts for each blueprint, by its name."""
    rows = connection.execute(
        """
        SELECT
            blueprint,
            count(*) FILTER (action = 'create'),
            count(*) FILTER (action = 'change'),
            count(*) FILTER (action = 'delete'),
            count(*) FILTER (action = 'unchanged'),
            count(*) FILTER (action = 'refused'),
            count(*) FILTER (action = 'conflict'),
            count(*) FILTER (action = 'unfit'),
            count(*) FILTER (action = 'kept'),
            count(*) FILTER (action = 'left out')
        FROM lading.planned GROUP BY blueprint ORDER BY blueprint
        """
    ).fetchall()
    return tuple(PlanCounts(*row) for row in rows)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where an entity comes from, and its JSON text."""

    resource: str
    position: int
    entity: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An identifier that `rows` rows give with different content; two of them to look at."""

    blueprint: str
    identifier: str
    rows: int
    first: Occurrence
    second: Occurrence


def duplicates(connection: DuckDBPyConnection, most: int = 20) -> tuple[Duplicate, ...]:
    """Identifiers with different content, by blueprint and identifier, at most `most` of them.

    The same content twice is one entity and no duplicate.
    """
    rows = connection.execute(
        """
        WITH clashing AS (
            SELECT blueprint, identifier, count(*) AS rows FROM lading.entities
            GROUP BY blueprint, identifier HAVING count(DISTINCT hash) > 1
            ORDER BY blueprint, identifier LIMIT $most
        ),
        versions AS (
            SELECT entities.*, clashing.rows FROM lading.entities AS entities
            JOIN clashing USING (blueprint, identifier)
            QUALIFY row_number() OVER (
                PARTITION BY blueprint, identifier, hash ORDER BY resource, position
            ) = 1
        )
        SELECT blueprint, identifier, rows, resource, position, entity FROM versions
        QUALIFY row_number() OVER (
            PARTITION BY blueprint, identifier ORDER BY resource, position
        ) <= 2
        ORDER BY blueprint, identifier, resource, position
        """,
        {"most": most},
    ).fetchall()
    return tuple(
        Duplicate(one[0], one[1], one[2], Occurrence(*one[3:]), Occurrence(*other[3:]))
        for one, other in zip(rows[::2], rows[1::2], strict=True)
    )


@dataclass(frozen=True, slots=True)
class NotSent:
    """An entity that is not sent, and why: Port would refuse it, or has refused it as it is."""

    blueprint: str
    identifier: str
    resource: str
    status: int | None
    error: str
    message: str


def not_sent(connection: DuckDBPyConnection, destination: str) -> tuple[NotSent, ...]:
    """Those of the plan that are not sent for what is in them, in their order."""
    rows = connection.execute(
        f"""
        SELECT planned.blueprint, planned.identifier, planned.resource,
            CASE WHEN action = 'refused' THEN refused.status END,
            CASE WHEN action = 'refused' THEN refused.error ELSE {UNFIT_ERROR} END,
            CASE WHEN action = 'refused' THEN refused.message ELSE fault END
        FROM lading.planned AS planned
        LEFT JOIN lading.refused AS refused
            ON refused.destination = $destination
            AND refused.blueprint = planned.blueprint AND refused.identifier = planned.identifier
        WHERE action IN ('unfit', 'refused')
        ORDER BY planned.blueprint, planned.resource, planned.position
        """,
        {"destination": destination},
    ).fetchall()
    return tuple(NotSent(*row) for row in rows)


def record_unfit(
    connection: DuckDBPyConnection, destination: str, moment: datetime, run_id: str
) -> None:
    """Put what Port would refuse on the list of the refused. `moment` is in UTC, without a
    zone."""
    connection.execute(
        f"""
        INSERT OR REPLACE INTO lading.refused BY NAME
        SELECT $destination AS destination, blueprint, identifier, resource, hash,
            NULL AS status, {UNFIT_ERROR} AS error, fault AS message,
            $moment::TIMESTAMP AS refused_at, $run_id AS run_id, basis
        FROM lading.planned WHERE action = 'unfit'
        """,
        {"destination": destination, "moment": moment, "run_id": run_id},
    )


def settled_refusals(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Refused entities that are no longer to be sent: gone, or again what Port holds.

    What comes from other resources than `resources` stays as it is."""
    rows = connection.execute(
        """
        SELECT blueprint, identifier FROM lading.refused
        WHERE destination = $destination AND list_contains($resources::VARCHAR[], resource)
        AND (blueprint, identifier) NOT IN (
            SELECT (blueprint, identifier) FROM lading.planned
            WHERE action NOT IN ('unchanged', 'kept')
        )
        """,
        {"destination": destination, "resources": list(resources)},
    ).fetchall()
    return tuple((blueprint, identifier) for blueprint, identifier in rows)


def forget_refusals(
    connection: DuckDBPyConnection, destination: str, settled: Sequence[tuple[str, str]]
) -> None:
    """Take entities off the list of the refused."""
    connection.execute(
        """
        DELETE FROM lading.refused WHERE destination = $destination AND (blueprint, identifier)
        IN (SELECT (unnest($blueprints::VARCHAR[]), unnest($identifiers::VARCHAR[])))
        """,
        {
            "destination": destination,
            "blueprints": [blueprint for blueprint, _ in settled],
            "identifiers": [identifier for _, identifier in settled],
        },
    )


def forget_pushed(
    connection: DuckDBPyConnection, destination: str, blueprints: Sequence[str]
) -> int:
    """Take all entities of some blueprints off the list of what Port has; gives their number."""
    return int(
        connection.execute(
            "DELETE FROM lading.pushed WHERE destination = ? AND list_contains(?, blueprint)",
            [destination, list(blueprints)],
        ).fetchall()[0][0]
    )
