"""The books of what goes to Port: what there is, what Port has, and what is left to send.

`lading.entities` is what the mappings give now, `lading.pushed` what Port has taken at a
destination, `lading.refused` what it would not take. All of it is worked out in SQL; an entity's
text is never decoded here. A hash of '' in `lading.pushed` says that an entity was sent and its
answer never came: whatever Port holds, it is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lading.port.batches import LARGEST_BODY, LARGEST_ENTITY

if TYPE_CHECKING:
    from datetime import datetime

    from duckdb import DuckDBPyConnection

# One row for each entity, however many resources give it, with what is to be done about it.
# The texts stay out of the grouping: with them it takes three times as long.
# What Port refused before is not there, or is old there: so it is a create or a change again.
PLAN = """
WITH given AS (
    SELECT min(hash) <> max(hash) AS conflicting,
        arg_min(rowid, (resource, position)) FILTER ({allowed}) AS first_row
    FROM lading.entities GROUP BY blueprint, identifier
),
wanted AS (
    SELECT entities.*, given.conflicting
    FROM lading.entities AS entities JOIN given ON entities.rowid = given.first_row
)
SELECT
    CASE
        WHEN wanted.conflicting THEN 'conflict'
        WHEN pushed.hash = wanted.hash THEN 'unchanged'
        WHEN wanted.fault IS NOT NULL THEN 'unfit'
        WHEN pushed.hash IS NULL THEN 'create'
        ELSE 'change'
    END AS action,
    wanted.blueprint, wanted.identifier, wanted.resource, wanted.position,
    wanted.hash, wanted.entity, wanted.fault,
    pushed.entity AS pushed_entity, pushed.pushed_at,
    refused.message AS refused_because, refused.refused_at
FROM wanted
LEFT JOIN lading.pushed AS pushed
    ON pushed.destination = {destination}
    AND pushed.blueprint = wanted.blueprint AND pushed.identifier = wanted.identifier
LEFT JOIN lading.refused AS refused
    ON refused.destination = {destination}
    AND refused.blueprint = wanted.blueprint AND refused.identifier = wanted.identifier
"""


UNFIT_ERROR = f"CASE WHEN strlen(entity) > {LARGEST_ENTITY} THEN 'too_large' ELSE 'unfit' END"


def plan_sql(destination: str, resources: Sequence[str] | None = None) -> str:
    """The plan for a destination as a query; with `resources`, only what those give."""
    allowed = "true"
    if resources is not None:
        names = ", ".join(_literal(name) for name in resources)
        allowed = f"resource IN ({names})" if names else "false"
    return PLAN.format(destination=_literal(destination), allowed=allowed)


def keep_plan_view(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str] | None = None
) -> None:
    """Make `lading.plan` the plan for a destination, for people to query."""
    connection.execute(f"CREATE OR REPLACE VIEW lading.plan AS {plan_sql(destination, resources)}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many entities of a blueprint are to be created, changed, left alone.

    refused      those among `create` and `change` that Port refused the last time
    conflicting  identifiers that several rows give with different content: nothing is sent
    unfit        what Port would refuse, and is not sent
    """

    blueprint: str
    create: int
    change: int
    unchanged: int
    refused: int
    conflicting: int
    unfit: int = 0

    @property
    def to_send(self) -> int:
        return self.create + self.change


def plan_counts(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str] | None = None
) -> tuple[PlanCounts, ...]:
    """The plan's counts for each blueprint, by its name."""
    rows = connection.execute(
        f"""
        SELECT
            blueprint,
            count(*) FILTER (action = 'create'),
            count(*) FILTER (action = 'change'),
            count(*) FILTER (action = 'unchanged'),
            count(*) FILTER (action IN ('create', 'change') AND refused_at IS NOT NULL),
            count(*) FILTER (action = 'conflict'),
            count(*) FILTER (action = 'unfit')
        FROM ({plan_sql(destination, resources)})
        GROUP BY blueprint ORDER BY blueprint
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


def write_outbox(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str], path: Path
) -> None:
    """Write what is to be sent to a file, a JSON object a line, so that the database can be
    closed while it is sent: `ordinal` from 0, action, blueprint, identifier, resource, hash,
    size (bytes), entity (the text, '' if no request can carry it). Entities of one blueprint and
    resource are neighbours."""
    connection.execute(
        f"""
        COPY (
            SELECT row_number() OVER (ORDER BY blueprint, resource, position) - 1 AS ordinal,
                action, blueprint, identifier, resource, hash, strlen(entity) AS size,
                CASE WHEN size <= {LARGEST_BODY} THEN entity ELSE '' END AS entity
            FROM ({plan_sql(destination, resources)})
            WHERE action IN ('create', 'change')
            ORDER BY ordinal
        ) TO {_literal(str(path))} (FORMAT json)
        """
    )


@dataclass(frozen=True, slots=True)
class Unfit:
    """An entity that is not sent, and why Port would refuse it."""

    blueprint: str
    identifier: str
    resource: str
    error: Literal["unfit", "too_large"]
    message: str


def unfit_entities(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str]
) -> tuple[Unfit, ...]:
    """Those of the plan that are not sent for what is in them, in their order."""
    rows = connection.execute(
        f"""
        SELECT blueprint, identifier, resource, {UNFIT_ERROR}, fault
        FROM ({plan_sql(destination, resources)}) WHERE action = 'unfit'
        ORDER BY blueprint, resource, position
        """
    ).fetchall()
    return tuple(Unfit(*row) for row in rows)


def record_unfit(
    connection: DuckDBPyConnection,
    destination: str,
    resources: Sequence[str],
    moment: datetime,
    run_id: str,
) -> None:
    """Put them on the list of the refused. `moment` is in UTC, without a zone."""
    connection.execute(
        f"""
        INSERT OR REPLACE INTO lading.refused BY NAME
        SELECT $destination AS destination, blueprint, identifier, resource, hash,
            NULL AS status, {UNFIT_ERROR} AS error, fault AS message,
            $moment::TIMESTAMP AS refused_at, $run_id AS run_id
        FROM ({plan_sql(destination, resources)}) WHERE action = 'unfit'
        """,
        {"destination": destination, "moment": moment, "run_id": run_id},
    )


def settled_refusals(
    connection: DuckDBPyConnection, destination: str, resources: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Refused entities that are no longer to be sent: gone, or again what Port holds.

    What comes from other resources than `resources` stays as it is."""
    names = ", ".join(_literal(name) for name in resources) or "NULL"
    rows = connection.execute(
        f"""
        SELECT blueprint, identifier FROM lading.refused
        WHERE destination = $destination AND resource IN ({names})
        AND (blueprint, identifier) NOT IN (
            SELECT (blueprint, identifier) FROM ({plan_sql(destination, resources)})
            WHERE action <> 'unchanged'
        )
        """,
        {"destination": destination},
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
