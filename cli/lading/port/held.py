"""The books of what Port has, read anew from Port itself.

What a person changed or deleted there, and what another runner pushed, is known afterwards. Only
entities count that this integration wrote last: Port knows its owner by the User-Agent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lading import log
from lading.errors import RefusedError
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.port.answers import HeldEntity
    from lading.port.client import PortClient
    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

COLUMNS = {"blueprint": "VARCHAR", "identifier": "VARCHAR", "entity": "VARCHAR"}

# What it is by now is compared with what the mappings give by value: it has no hash of theirs.
REPLACE = """
CREATE OR REPLACE TEMP TABLE held AS
SELECT found.blueprint, found.identifier, found.entity,
    coalesce(known.resource, maker.resource, '') AS resource,
    coalesce(known.pushed_at, $moment::TIMESTAMP) AS pushed_at,
    coalesce(known.run_id, $run_id) AS run_id
FROM read_json($path, format='newline_delimited', columns=$columns, maximum_object_size=$bound)
    AS found
LEFT JOIN lading.pushed AS known
    ON known.destination = $destination
    AND known.blueprint = found.blueprint AND known.identifier = found.identifier
LEFT JOIN (
    SELECT blueprint, min(resource) AS resource FROM lading.entities GROUP BY blueprint
) AS maker ON maker.blueprint = found.blueprint
QUALIFY row_number() OVER (PARTITION BY found.blueprint, found.identifier) = 1
"""
FORGET = """
DELETE FROM lading.pushed WHERE destination = $destination
AND ($all OR list_contains($blueprints::VARCHAR[], blueprint))
"""
RECORD = """
INSERT INTO lading.pushed BY NAME
SELECT $destination AS destination, blueprint, identifier, resource, '' AS hash, entity,
    pushed_at, run_id, $moment::TIMESTAMP AS seen_at
FROM held
"""


def refresh(
    database: Database,
    run: Run,
    client: PortClient,
    blueprints: Collection[str],
    *,
    everywhere: bool,
) -> int:
    """Have the books say of some blueprints what Port has; gives how many entities that is.

    everywhere  also of all others, as far as Port tells; of those only which entities there are

    Raises:
        ServerError: Port can't be read; the books stay as they were.
    """
    with tempfile.TemporaryDirectory(prefix="lading-") as folder:
        path = Path(folder) / "held.ndjson"
        others, complete = _others(client, blueprints) if everywhere else ([], False)
        number, longest = _write(path, chain(_owned(client, blueprints), others))
        with database.writing() as connection:
            _load(connection, run, client.destination, path, longest, blueprints, all_=complete)
    log.info("held", f"read {number:,} entities from Port", entities=number)
    return number


def _owned(client: PortClient, blueprints: Collection[str]) -> Iterator[HeldEntity]:
    for blueprint in sorted(blueprints):
        yield from client.owned_entities(blueprint)


def _others(client: PortClient, blueprints: Collection[str]) -> tuple[list[HeldEntity], bool]:
    """Those of other blueprints, and whether these are all."""
    try:
        everything = client.owned_anywhere()
        return [each for each in everything if each.blueprint not in blueprints], True
    except RefusedError as error:
        said = f"what Port has of blueprints that no mapping names is not known: {error.message}"
        log.warning("held_elsewhere", said)
        return [], False


def _write(path: Path, entities: Iterator[HeldEntity]) -> tuple[int, int]:
    """How many there are, and the bytes of the longest line."""
    import msgspec

    encode = msgspec.json.Encoder().encode
    number = longest = 0
    with path.open("wb") as file:
        for each in entities:
            values = (each.blueprint, each.identifier, each.text)
            line = encode(dict(zip(COLUMNS, values, strict=True))) + b"\n"
            file.write(line)
            number, longest = number + 1, max(longest, len(line))
    return number, longest


def _load(
    connection: DuckDBPyConnection,
    run: Run,
    destination: str,
    path: Path,
    longest: int,
    blueprints: Collection[str],
    *,
    all_: bool,
) -> None:
    where, moment = {"destination": destination}, {"moment": naive(run.started_at)}
    file = {"path": str(path), "columns": COLUMNS, "bound": longest + 1}
    connection.begin()
    try:
        connection.execute(REPLACE, {**where, **moment, **file, "run_id": run.id})
        connection.execute(FORGET, {**where, "blueprints": sorted(blueprints), "all": all_})
        connection.execute(RECORD, {**where, **moment})
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
