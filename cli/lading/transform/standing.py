"""What stands in the database, and what of it was made when, of what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from lading.transform.digests import digest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RelationKind = Literal["table", "view"]

RELATIONS = """
SELECT schema_name, table_name, 'table' FROM duckdb_tables()
WHERE database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view' FROM duckdb_views()
WHERE database_name = current_database() AND NOT internal
"""
LANDED = """
SELECT stream, max(fetched_at), count(*),
    bit_xor(hash(connection, request::VARCHAR, starting_at, fetched_at, run_id))
FROM lading.slices GROUP BY stream
"""
MADE = """
SELECT node, digest, settings, logic, inputs::VARCHAR, landed::VARCHAR, version, status, rows
FROM lading.nodes
"""


@dataclass(frozen=True, slots=True)
class Made:
    """How a node was made last: by which query and settings, of which versions of its inputs.

    `logic` stands for its query and those of all that it comes from, `landed` has the moment (UTC)
    up to which each stream that feeds it had landed, and the versions of files and other tables
    that do, by names with a dot; `version` names its content.
    """

    digest: str
    settings: str
    logic: str
    inputs: Mapping[str, str]
    landed: Mapping[str, str]
    version: str
    status: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """What has landed of a stream: when the last of it was fetched (UTC), and a name for all."""

    latest: str
    version: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Relations by schema and name in small letters, nodes by id, streams by name, and versions
    of further relations and of files."""

    relations: Mapping[tuple[str, str], RelationKind] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    streams: Mapping[str, Landed] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def standing(
    connection: DuckDBPyConnection, others: Iterable[str], files: Mapping[str, str]
) -> Standing:
    """Look at the database: `others` are relations that models read beside models and sources,
    `files` the versions of local files by the ids of their nodes."""
    rows = connection.execute(RELATIONS).fetchall()
    relations = {(schema.lower(), name.lower()): kind for schema, name, kind in rows}
    has = {name for schema, name in relations if schema == "lading"}
    return Standing(
        relations,
        _made(connection) if "nodes" in has else {},
        _streams(connection) if "slices" in has else {},
        {name: _version(connection, name) for name in sorted(set(others))},
        files,
    )


def slices_since(connection: DuckDBPyConnection, stream: str, latest: str) -> int:
    """How many slices of a stream were fetched after a moment."""
    sql = "SELECT count(*) FROM lading.slices WHERE stream = ? AND fetched_at > ?::TIMESTAMP"
    return int(connection.execute(sql, [stream, latest]).fetchall()[0][0])


def oldest_since(connection: DuckDBPyConnection, landed: Mapping[str, str]) -> datetime | None:
    """The start of the oldest slice that was fetched after the moment of its stream, as `Made`
    has them. That of a list begins when it was asked for."""
    found = [
        connection.execute(
            "SELECT min(starting_at) FROM lading.slices WHERE stream = ? "
            "AND fetched_at > ?::TIMESTAMP",
            [stream, latest or "0001-01-01"],
        ).fetchall()[0][0]
        for stream, latest in landed.items()
        if "." not in stream
    ]
    return min((each for each in found if each is not None), default=None)


def landed_before(connection: DuckDBPyConnection, node: str) -> Mapping[str, str]:
    """What had landed of all that feeds a node as it was made last, as `Made` has it."""
    sql = "SELECT landed::VARCHAR FROM lading.nodes WHERE node = ?"
    found = connection.execute(sql, [node]).fetchall()
    landed: Mapping[str, str] = json.loads(found[0][0]) if found else {}
    return landed


def put_on_record(
    connection: DuckDBPyConnection,
    nodes: Iterable[tuple[str, Made, int | None]],
    seconds: float,
    run_id: str,
) -> None:
    """Note down how nodes were made by a run, with their numbers of rows, within the transaction
    that is under way."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        (
            node,
            made.digest,
            made.settings,
            made.logic,
            json.dumps(dict(made.inputs)),
            json.dumps(dict(made.landed)),
            made.version,
            made.status,
            count,
            seconds,
            now,
            run_id,
        )
        for node, made, count in nodes
    ]
    if not rows:
        return
    names = [row[0] for row in rows]
    marks = ", ".join("?" * len(names))
    connection.execute(f"DELETE FROM lading.nodes WHERE node IN ({marks})", names)
    places = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
    values = [value for row in rows for value in row]
    connection.execute(f"INSERT INTO lading.nodes VALUES {places}", values)


def _made(connection: DuckDBPyConnection) -> dict[str, Made]:
    return {
        node: Made(sql, settings, logic, json.loads(inputs), json.loads(landed), *rest)
        for node, sql, settings, logic, inputs, landed, *rest in connection.execute(MADE).fetchall()
    }


def _streams(connection: DuckDBPyConnection) -> dict[str, Landed]:
    rows = connection.execute(LANDED).fetchall()
    return {
        stream: Landed(latest.isoformat(), digest(latest.isoformat(), count, hashed))
        for stream, latest, count, hashed in rows
    }


def _version(connection: DuckDBPyConnection, relation: str) -> str:
    """A name for the rows of a relation, whatever their order."""
    import duckdb

    try:
        sql = f"SELECT count(*), bit_xor(hash(each)), sum(hash(each)) FROM {relation} AS each"
        return digest(connection.execute(sql).fetchall())
    except duckdb.Error:
        return "not there"
