"""What Port holds by our books against what the last plan says should be there, and what it
refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lading.warehouse.runs import aware

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context

DESTINATIONS = """
SELECT destination FROM lading.pushed UNION SELECT destination FROM lading.refused ORDER BY ALL
"""
# A plan leaves its entities; one that has none leaves at least something called plan.
PLANNED = """
SELECT EXISTS (FROM lading.entities) OR EXISTS (
    FROM information_schema.tables
    WHERE table_catalog = current_database() AND table_schema = 'lading' AND table_name = 'plan'
)
"""
# A hash of '' is on record where an entity was sent and its answer never came.
HELD = """
WITH wanted AS (
    SELECT blueprint, identifier, list(DISTINCT hash) AS hashes FROM lading.entities GROUP BY ALL
),
planned AS (FROM wanted, (SELECT unnest($destinations::VARCHAR[]) AS destination)),
held AS (
    SELECT destination, blueprint,
        count(hash) AS entities, max(pushed_at) AS pushed_at,
        count(hashes) AS planned,
        count(*) FILTER (hash IS NULL) AS missing,
        count(*) FILTER (hashes IS NULL) AS surplus,
        count(*) FILTER (hash <> '' AND NOT list_contains(hashes, hash)) AS different,
        count(*) FILTER (hash = '') AS uncertain
    FROM planned FULL JOIN lading.pushed USING (destination, blueprint, identifier)
    GROUP BY destination, blueprint
),
refused AS (
    SELECT destination, blueprint, count(*) AS refused, arg_max(message, refused_at) AS message
    FROM lading.refused GROUP BY ALL
)
SELECT destination, blueprint, coalesce(entities, 0), pushed_at, coalesce(refused, 0), message,
    coalesce(planned, 0), coalesce(missing, 0), coalesce(surplus, 0), coalesce(different, 0),
    coalesce(uncertain, 0)
FROM held FULL JOIN refused USING (destination, blueprint)
ORDER BY destination, blueprint
"""
REFUSED = """
SELECT refused_at, destination, blueprint, identifier, resource, status, error, message
FROM lading.refused ORDER BY destination, blueprint, message, status, error, identifier
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What Port holds of a blueprint by our books, and what it refuses: how many, and the reason
    that was given last.

    entities   what Port took, and what it was sent without an answer
    planned    what the last plan has; None, as are the next three, before the first plan
    missing    what of that Port does not hold
    surplus    what Port holds beside it
    different  what Port holds of it with other content
    uncertain  what Port was sent without an answer
    """

    destination: str | None
    blueprint: str
    entities: int
    pushed_at: datetime | None
    refused: int
    message: str | None
    planned: int | None
    missing: int | None
    surplus: int | None
    different: int | None
    uncertain: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An entity that Port refuses, or that it is not sent since it would: that has no `status`."""

    refused_at: datetime
    destination: str
    blueprint: str
    identifier: str
    resource: str
    status: int | None
    error: str | None
    message: str | None


def held_in_port(context: Context, connection: DuckDBPyConnection) -> tuple[Held, ...]:
    """What each destination holds that the books or the environment know, by blueprint; of none,
    with None for its name, if they know none."""
    from dataclasses import replace

    known = {name for (name,) in connection.execute(DESTINATIONS).fetchall()}
    if (own := _own_destination(context)) is not None:
        known.add(own)
    given = {"destinations": sorted(known) or [None]}
    held = tuple(_held(*row) for row in connection.execute(HELD, given).fetchall())
    if connection.execute(PLANNED).fetchall()[0][0]:
        return held
    return tuple(
        replace(each, planned=None, missing=None, surplus=None, different=None) for each in held
    )


def refused_by_port(connection: DuckDBPyConnection) -> tuple[Refused, ...]:
    """All entities that are refused, by destination, blueprint and reason."""
    rows = connection.execute(REFUSED).fetchall()
    return tuple(_refused(*row) for row in rows)


def _own_destination(context: Context) -> str | None:
    """Where a push would go to, if the environment says as much."""
    from lading.pipeline.needs import unfit
    from lading.port.destinations import destination

    if any(unfit(context.project, "destination")):
        return None
    return destination(context.port)


def _held(
    destination: str | None, blueprint: str, entities: int, pushed_at: datetime | None, *rest: Any
) -> Held:
    return Held(destination, blueprint, entities, pushed_at and aware(pushed_at), *rest)


def _refused(refused_at: datetime, *rest: Any) -> Refused:
    return Refused(aware(refused_at), *rest)
