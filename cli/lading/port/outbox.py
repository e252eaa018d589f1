"""What is to be sent, as a file beside the database, which can be closed while it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.port.batches import LARGEST_BODY
from lading.port.order import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Entities of a ring go twice: without the relations that lead back to it, then whole.
SELECT = f"""
WITH sendable AS (
    SELECT planned.*, coalesce(p.phase, 0) AS phase, coalesce(p.ring, []) AS ring,
        strlen(entity) AS size,
        CASE WHEN size <= {LARGEST_BODY} THEN entity ELSE '' END AS text,
        coalesce(len(p.ring), 0) > 0 AND list_contains($careful::VARCHAR[], resource)
            AND size <= {LARGEST_BODY} AS is_of_ring
    FROM lading.planned AS planned LEFT JOIN outbox_places AS p USING (blueprint)
    WHERE action IN ('create', 'change')
),
steps AS (
    SELECT 2 * phase + is_of_ring::INTEGER AS step, action, blueprint, identifier, resource, hash,
        position, basis, text, []::VARCHAR[] AS without, again, held
    FROM sendable
    UNION ALL
    SELECT 2 * phase, 'bare', blueprint, identifier, resource, hash, position, basis, text, ring,
        again, held
    FROM sendable WHERE is_of_ring
    UNION ALL
    SELECT {{last}} - 2 * coalesce(p.phase, 0), 'delete', blueprint, identifier,
        coalesce(resource, ''), '', 0, NULL, '', [], false, NULL
    FROM lading.planned LEFT JOIN outbox_places AS p USING (blueprint)
    WHERE $deletes AND action = 'delete'
)
SELECT row_number() OVER (ORDER BY step, blueprint, resource, position, identifier) - 1 AS ordinal,
    step, action, blueprint, identifier, resource, hash, strlen(text) AS size, basis,
    text AS entity, without, again, held
FROM steps ORDER BY ordinal
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the outbox.

    action   `create`, `change`, `delete`, or `bare`: first without some relations
    step     those of a lower one are done before
    size     of its JSON text `entity`, in bytes; the text is '' if no request can carry it
    without  relations that are left out of a `bare` one
    again    whether Port refused it before: then what it relates to in Port stays, whatever
             becomes of it now
    """

    ordinal: int
    step: int
    action: str
    blueprint: str
    identifier: str
    resource: str
    hash: str
    size: int
    basis: str | None
    entity: str
    without: tuple[str, ...] = ()
    again: bool = False

    @property
    def place(self) -> tuple[int, str, str, bool]:
        """What all entities of a request have in common."""
        return self.step, self.blueprint, self.resource, self.again

    @staticmethod
    def read(line: bytes) -> Entry:
        entry: Entry = _decoder().decode(line)
        return _bared(entry) if entry.without else entry


@cache
def _decoder() -> Any:
    import msgspec

    return msgspec.json.Decoder(Entry)


def _bared(entry: Entry) -> Entry:
    import msgspec

    whole: dict[str, msgspec.Raw] = msgspec.json.decode(entry.entity, type=dict[str, msgspec.Raw])
    if "relations" in whole:
        links = msgspec.json.decode(whole["relations"], type=dict[str, msgspec.Raw])
        left = {name: link for name, link in links.items() if name not in entry.without}
        whole["relations"] = msgspec.Raw(msgspec.json.encode(left))
    text = msgspec.json.encode(whole).decode()
    return replace(entry, entity=text, size=len(text.encode()))


def write_outbox(
    connection: DuckDBPyConnection,
    path: Path,
    places: Mapping[str, Place],
    careful: frozenset[str],
    *,
    deletes: bool,
) -> None:
    """Write what `lading.planned` says is to be done to a file, a JSON object a line: see `Entry`.

    places   when the entities of each blueprint go
    careful  the resources whose entities need what they relate to to be there
    deletes  whether deletions are to be carried out; they come last, and what is related to after
             what relates to it
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE outbox_places "
        "(blueprint VARCHAR, phase INTEGER, ring VARCHAR[])"
    )
    for name, place in places.items():
        row = [name, place.phase, sorted(place.ring)]
        connection.execute("INSERT INTO outbox_places VALUES (?, ?, ?)", row)
    last = 4 * (1 + max((place.phase for place in places.values()), default=0))
    connection.execute(
        f"COPY ({SELECT.format(last=last)}) TO '{_quoted(path)}' (FORMAT json)",
        {"careful": sorted(careful), "deletes": deletes},
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
