"""What Port holds by the books and the mappings no longer give: deleted, or kept and why.

Nothing goes because something failed: an entity is deleted only if everything that could have
given it was there in full and went well, and gave it no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.port.order import Relations

NO_MAPPING = "no mapping gives it any more; --prune deletes it"
LEFT_WINDOW = "it is from before what its mapping asks for; `retention: window` deletes it"
PERIOD_UNKNOWN = (
    "no property says of which day it is, so it may be from before what its mapping asks for; "
    "`retention: window` deletes it"
)
BY_SEARCH = "it was pushed by a search: which entity that is is Port's to say"
STILL_RELATED = "an entity that stays relates to it"
# What is done with an entity that Port goes on having as it is. One that Port refused before, and
# that is tried again, may be another.
AS_IT_IS = ("unchanged", "kept", "refused", "unfit", "conflict", "left out")


@dataclass(frozen=True, slots=True)
class Window:
    """From when on a resource gives entities; earlier ones are kept.

    period  the property that has the beginning of the period that an entity tells of, None if
            none has
    start   aware, UTC
    """

    period: str | None
    start: datetime


@dataclass(frozen=True, slots=True)
class Removals:
    """What may be deleted.

    Attributes:
        resources: those that the mappings have, by name with their blueprint, None if it is an
            expression.
        kept: of those whose entities stay, why.
        unknown: of these, those that gave nothing to compare with, so that nothing is to be said
            of their entities.
        windows: of those that keep what is from before their window.
        prune: delete what no resource gives any more, too.
        relations: of the blueprints, for entities that others relate to.
    """

    resources: Mapping[str, str | None] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    windows: Mapping[str, Window] = field(default_factory=dict)
    prune: bool = False
    relations: Relations = field(default_factory=dict)

    def of_blueprint(self) -> Mapping[str, str]:
        """Why no entity of a blueprint is deleted, whichever resource it was from: what one of
        its resources would have given is not known."""
        found = {}
        for resource, reason in self.kept.items():
            blueprint = self.resources.get(resource)
            if blueprint is not None:
                found[blueprint] = reason
        return found

    def of_anything(self) -> str | None:
        """Why nothing that is of no known resource is deleted: one whose blueprint is an
        expression may have given it."""
        reasons = (reason for name, reason in self.kept.items() if self.resources.get(name) is None)
        return next(reasons, None)


ALL_STAY = Removals()

GONE = """
INSERT INTO lading.planned BY NAME
WITH gone AS (
    SELECT pushed.blueprint, pushed.identifier, pushed.resource,
        CASE
            WHEN starts_with(pushed.identifier, '{') THEN $by_search
            WHEN b.reason IS NOT NULL THEN b.reason
            WHEN r.name IS NULL THEN coalesce($anything, CASE WHEN NOT $prune THEN $no_mapping END)
            WHEN r.kept IS NOT NULL THEN r.kept
            WHEN r.start IS NULL THEN NULL
            WHEN r.period IS NULL THEN $unknown
            WHEN try_cast(pushed.entity ->> r.period AS TIMESTAMPTZ) IS NULL THEN $unknown
            WHEN try_cast(pushed.entity ->> r.period AS TIMESTAMPTZ) < r.start THEN $left_window
        END AS why
    FROM lading.pushed AS pushed
    LEFT JOIN lading.planned AS planned USING (blueprint, identifier)
    LEFT JOIN removal_resources AS r ON r.name = pushed.resource
    LEFT JOIN removal_blueprints AS b ON b.name = pushed.blueprint
    WHERE pushed.destination = $destination AND planned.blueprint IS NULL
        AND NOT list_contains($not_known::VARCHAR[], pushed.resource)
)
SELECT CASE WHEN why IS NULL THEN 'delete' ELSE 'kept' END AS action,
    blueprint, identifier, resource, '' AS hash, why AS reason
FROM gone
"""

# Of those that are to go, the ones that an entity relates to that stays, or is to be there; as it
# is to be, and, where it may stay as it is in Port, as that is. A relation that is no longer sent
# stays, too, where entities are merged.
SPARE = """
UPDATE lading.planned SET action = 'kept', reason = $reason
WHERE action = 'delete' AND blueprint = $target AND identifier IN (
    WITH staying AS (
        SELECT entity FROM lading.entities WHERE blueprint = $blueprint
        UNION ALL
        SELECT pushed.entity FROM lading.pushed AS pushed
        JOIN lading.planned AS planned USING (blueprint, identifier)
        WHERE pushed.destination = $destination AND blueprint = $blueprint
            AND (list_contains($as_it_is::VARCHAR[], planned.action)
                OR (planned.action = 'change' AND planned.again))
        UNION ALL
        SELECT held FROM lading.planned WHERE blueprint = $blueprint AND held IS NOT NULL
    ),
    related AS (SELECT json_extract(entity, $path) AS found FROM staying)
    SELECT unnest(
        CASE json_type(found)
            WHEN 'ARRAY' THEN from_json(found, '["VARCHAR"]')
            WHEN 'VARCHAR' THEN [found ->> '$']
        END
    )
    FROM related
)
"""


def plan_removals(connection: DuckDBPyConnection, destination: str, removals: Removals) -> None:
    """Put what the mappings no longer give into `lading.planned`, as `delete` or `kept`."""
    connection.execute("SET TimeZone = 'UTC'")  # of a moment that names no zone
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE removal_resources "
        "(name VARCHAR, kept VARCHAR, period VARCHAR, start TIMESTAMPTZ)"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE removal_blueprints (name VARCHAR, reason VARCHAR)"
    )
    _fill(connection, "removal_resources", [_row(removals, name) for name in removals.resources])
    _fill(connection, "removal_blueprints", list(removals.of_blueprint().items()))
    connection.execute(
        GONE,
        {
            "destination": destination,
            "not_known": sorted(removals.unknown),
            "prune": removals.prune,
            "anything": removals.of_anything(),
            "by_search": BY_SEARCH,
            "no_mapping": NO_MAPPING,
            "unknown": PERIOD_UNKNOWN,
            "left_window": LEFT_WINDOW,
        },
    )
    spare_related(connection, destination, removals.relations)


def spare_related(connection: DuckDBPyConnection, destination: str, relations: Relations) -> None:
    """Keep of what is to be deleted in `lading.planned` what an entity that stays relates to."""
    while sum(
        _spare(connection, destination, *link) for link in _links_to_deleted(connection, relations)
    ):
        pass  # what is spared may relate to others


def _spare(
    connection: DuckDBPyConnection, destination: str, blueprint: str, relation: str, target: str
) -> int:
    given = {
        "reason": STILL_RELATED,
        "target": target,
        "blueprint": blueprint,
        "destination": destination,
        "as_it_is": list(AS_IT_IS),
        "path": f"$.relations.{json.dumps(relation)}",
    }
    return int(connection.execute(SPARE, given).fetchall()[0][0])


def _row(removals: Removals, name: str) -> tuple[object, ...]:
    window = removals.windows.get(name)
    period = window and window.period and f"$.properties.{json.dumps(window.period)}"
    return name, removals.kept.get(name), period, window and window.start


def _fill(connection: DuckDBPyConnection, table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _links_to_deleted(
    connection: DuckDBPyConnection, relations: Relations
) -> list[tuple[str, str, str]]:
    rows = connection.execute(
        "SELECT DISTINCT blueprint FROM lading.planned WHERE action = 'delete'"
    ).fetchall()
    deleted = {blueprint for (blueprint,) in rows}
    return [
        (blueprint, relation, target)
        for blueprint, links in relations.items()
        for relation, target in links.items()
        if target in deleted
    ]


def owned(connection: DuckDBPyConnection, destination: str) -> int:
    """How many entities Port holds of ours, by the books."""
    found = connection.execute(
        "SELECT count(*) FROM lading.pushed WHERE destination = ?", [destination]
    ).fetchall()
    return int(found[0][0])


def is_too_much(deletes: int, of: int, threshold: float) -> bool:
    """Whether so many deletions of all that is owned are more than a mapping allows (0 to 1)."""
    return deletes > threshold * of
