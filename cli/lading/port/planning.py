"""The plan: what there is to do with each entity, as the table `lading.planned`.

What the mappings give now (`lading.entities`) is compared with what Port has by the books
(`lading.pushed`): first by hash, in SQL; then what differs by value, key by key, so that another
way to write a number or a moment is no change. What the mappings no longer give is looked at by
`removals`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.port.removals import ALL_STAY, Removals, plan_removals, spare_related
from lading.port.values import Change, Terms, changes, left_in_place
from lading.project.exact import json_of
from lading.secrets import redact

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000
# Refusals that are about what was sent: asking again with the same would give the same answer.
# Others, such as a related entity that is not there, may be over when it is asked again.
FINAL = (400, 409, 413, 422)

# One row for each entity, however many resources give it, with what is to be done about it.
# The texts stay out of the grouping: with them it takes three times as long.
WANTED = """
CREATE OR REPLACE TABLE lading.planned AS
WITH given AS (
    SELECT min(hash) <> max(hash) AS conflicting,
        arg_min(rowid, (resource, position))
            FILTER (resource IN (FROM plan_resources)) AS first_row
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
        WHEN NOT $retry AND refused.hash = wanted.hash AND refused.basis = basis.basis
            AND list_contains($final::INTEGER[], refused.status) THEN 'refused'
        WHEN pushed.hash IS NULL THEN 'create'
        ELSE 'change'
    END AS action,
    wanted.blueprint, wanted.identifier, wanted.resource, wanted.position, wanted.hash,
    CASE WHEN action <> 'unchanged' THEN wanted.entity END AS entity,
    wanted.fault, NULL::JSON AS changes, NULL::VARCHAR AS held,
    CASE
        WHEN action = 'refused' THEN refused.message
        WHEN action = 'unfit' THEN wanted.fault
        WHEN action = 'conflict' THEN 'rows that differ give it'
        WHEN action IN ('create', 'change') AND refused.hash IS NOT NULL
            THEN 'Port refused it before: ' || refused.message
        WHEN action = 'change' AND pushed.hash = '' AND pushed.seen_at IS NULL
            THEN 'whether Port took it is not known'
    END AS reason,
    basis.basis,
    -- What Port has of it is known, since what was sent last was refused.
    refused.hash IS NOT NULL AND (pushed.hash IS NULL OR pushed.hash <> ''
        OR pushed.seen_at IS NOT NULL) AS again
FROM wanted
LEFT JOIN lading.pushed AS pushed
    ON pushed.destination = $destination
    AND pushed.blueprint = wanted.blueprint AND pushed.identifier = wanted.identifier
LEFT JOIN lading.refused AS refused
    ON refused.destination = $destination
    AND refused.blueprint = wanted.blueprint AND refused.identifier = wanted.identifier
LEFT JOIN plan_basis AS basis ON basis.resource = wanted.resource
"""

# What is not sent, for what is wrong with it, may be what Port has all the same.
DIFFERING = """
SELECT planned.blueprint, planned.identifier, planned.resource, planned.entity, pushed.entity,
    pushed.seen_at IS NOT NULL
FROM lading.planned AS planned
JOIN lading.pushed AS pushed
    ON pushed.destination = $destination
    AND pushed.blueprint = planned.blueprint AND pushed.identifier = planned.identifier
WHERE planned.action IN ('change', 'unfit', 'refused')
"""
COMPARED = {
    "blueprint": "VARCHAR",
    "identifier": "VARCHAR",
    "changes": "JSON",
    "held": "VARCHAR",
}

# An answer that never came leaves it open what Port holds: that is sent again, whatever it says.
SAME_VALUE = """
CREATE OR REPLACE TEMP TABLE same_value AS
SELECT blueprint, identifier, planned.hash
FROM compared JOIN lading.planned AS planned USING (blueprint, identifier)
JOIN lading.pushed AS pushed USING (blueprint, identifier)
WHERE json_array_length(compared.changes) = 0 AND pushed.destination = $destination
    AND (pushed.hash <> '' OR pushed.seen_at IS NOT NULL)
"""
SETTLE = """
UPDATE lading.planned AS planned SET action = 'unchanged', entity = NULL
FROM same_value AS same
WHERE planned.blueprint = same.blueprint AND planned.identifier = same.identifier
"""
REMEMBER = """
UPDATE lading.pushed AS pushed SET hash = same.hash
FROM same_value AS same
WHERE pushed.destination = $destination
    AND pushed.blueprint = same.blueprint AND pushed.identifier = same.identifier
"""
TELL_CHANGES = """
UPDATE lading.planned AS planned SET held = compared.held,
    changes = CASE WHEN json_array_length(compared.changes) > 0 THEN compared.changes END
FROM compared
WHERE planned.action = 'change'
    AND planned.blueprint = compared.blueprint AND planned.identifier = compared.identifier
"""


# What another resource gives now goes when that one no longer gives it.
HAND_OVER = """
UPDATE lading.pushed AS pushed SET resource = planned.resource
FROM lading.planned AS planned
WHERE pushed.destination = $destination AND planned.action = 'unchanged'
    AND pushed.blueprint = planned.blueprint AND pushed.identifier = planned.identifier
    AND pushed.resource <> planned.resource
"""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plan is made for.

    Attributes:
        destination: where to.
        resources: those whose entities count.
        merge: of each resource, whether what an entity leaves out stays as it is in Port.
        moments: of each blueprint, the properties that hold a moment.
        basis: of each resource, a digest of its mapping and its blueprint: what Port refused is
            tried again when it changes.
        retry: try all that Port refused again.
        removals: what may be deleted.
    """

    destination: str
    resources: Sequence[str]
    merge: Mapping[str, bool] = field(default_factory=dict)
    moments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    basis: Mapping[str, str] = field(default_factory=dict)
    retry: bool = False
    removals: Removals = ALL_STAY

    def terms(self, resource: str, blueprint: str, *, held: bool) -> Terms:
        """How entities are compared."""
        moments = self.moments.get(blueprint, frozenset())
        return Terms(moments, self.merge.get(resource, True), held)


def draw_up(connection: DuckDBPyConnection, aim: Aim) -> None:
    """Make `lading.planned` the plan; what is the same by value counts as pushed from now on."""
    connection.begin()
    try:
        _compare_hashes(connection, aim)
        _compare_values(connection, aim)
        connection.execute(HAND_OVER, {"destination": aim.destination})
        plan_removals(connection, aim.destination, aim.removals)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _compare_hashes(connection: DuckDBPyConnection, aim: Aim) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE plan_resources AS SELECT unnest($names::VARCHAR[]) AS name",
        {"names": list(aim.resources)},
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE plan_basis AS "
        "SELECT unnest($names::VARCHAR[]) AS resource, unnest($basis::VARCHAR[]) AS basis",
        {"names": list(aim.basis), "basis": list(aim.basis.values())},
    )
    connection.execute(
        WANTED,
        {"destination": aim.destination, "retry": aim.retry, "final": list(FINAL)},
    )


def _compare_values(connection: DuckDBPyConnection, aim: Aim) -> None:
    with tempfile.TemporaryDirectory(prefix="lading-") as folder:
        path = Path(folder) / "compared.ndjson"
        longest = _write(path, _compared(connection, aim))
        if not longest:
            return
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE compared AS SELECT * FROM read_json($path, "
            "format='newline_delimited', columns=$columns, maximum_object_size=$bound)",
            {"path": str(path), "columns": COMPARED, "bound": longest + 1},
        )
    where = {"destination": aim.destination}
    connection.execute(SAME_VALUE, where)
    connection.execute(SETTLE)
    connection.execute(REMEMBER, where)
    connection.execute(TELL_CHANGES)


def _write(path: Path, lines: Iterable[bytes]) -> int:
    """Gives the length of the longest line, 0 if there is none."""
    longest = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            longest = max(longest, len(line))
    return longest


def _compared(connection: DuckDBPyConnection, aim: Aim) -> Iterator[bytes]:
    """A JSON line for each entity whose hash differs: what of it differs by value."""
    import msgspec

    from lading.mapping.entity import exact_value

    encode = msgspec.json.Encoder().encode
    rows = connection.execute(DIFFERING, {"destination": aim.destination})
    while batch := rows.fetchmany(BATCH):
        for blueprint, identifier, resource, text, before, held in batch:
            terms = aim.terms(resource, blueprint, held=held)
            old, new = exact_value(before), exact_value(text)
            left = left_in_place(old, new, terms)
            line = {
                "blueprint": blueprint,
                "identifier": identifier,
                "changes": [_described(each) for each in changes(old, new, terms)],
                "held": None if left is None else redact(json_of(left)),
            }
            yield encode(line) + b"\n"


def _described(change: Change) -> dict[str, Any]:
    """The values are JSON texts: a number keeps its digits."""
    return {
        "path": change.path,
        "before": redact(json_of(change.before)),
        "after": redact(json_of(change.after)),
    }


def narrow(
    connection: DuckDBPyConnection, doing: Collection[tuple[str, str, str, str]], aim: Aim
) -> None:
    """Leave of what is to be done only what is named by action, blueprint, identifier and hash;
    what is left out so keeps what it relates to in Port."""
    columns = [list(column) for column in zip(*doing, strict=True)] or [[], [], [], []]
    names = ("actions", "blueprints", "identifiers", "hashes")
    connection.execute(
        """
        UPDATE lading.planned SET action = 'left out', reason = 'the saved plan has it not'
        WHERE action IN ('create', 'change', 'delete')
        AND (action, blueprint, identifier, hash) NOT IN (
            SELECT (unnest($actions::VARCHAR[]), unnest($blueprints::VARCHAR[]),
                unnest($identifiers::VARCHAR[]), unnest($hashes::VARCHAR[]))
        )
        """,
        dict(zip(names, columns, strict=True)),
    )
    spare_related(connection, aim.destination, aim.removals.relations)
