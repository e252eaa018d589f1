"""The tables that this package keeps: what landed, what was asked for, what was pushed.

All TIMESTAMP columns are UTC. The files are meant to be read by people with SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lading.warehouse.views import VIEWS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS raw;
CREATE SCHEMA IF NOT EXISTS raw_history;
CREATE SCHEMA IF NOT EXISTS lading;

-- One row per invocation of a command that writes. The entities that Port took in it, those that
-- it refused and those that it deleted; `looked_through` once unknown fields were looked for in
-- what it landed.
CREATE TABLE IF NOT EXISTS lading.runs (
    run_id VARCHAR PRIMARY KEY, command VARCHAR NOT NULL, version VARCHAR NOT NULL,
    started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP, status VARCHAR NOT NULL, error VARCHAR,
    entities BIGINT, refused BIGINT, looked_through BOOLEAN NOT NULL DEFAULT false,
    exit_code INTEGER, deleted BIGINT
);

-- The organisation that each connection's first figures came from; those of another are refused.
CREATE TABLE IF NOT EXISTS lading.organizations (
    connection VARCHAR PRIMARY KEY, organization VARCHAR NOT NULL, first_seen_at TIMESTAMP NOT NULL
);

-- One row per range that was asked for, with all its pages; failed ones too. A list has no range:
-- it begins and ends when it was asked for. Each page is a request over HTTP, and so is each retry.
CREATE TABLE IF NOT EXISTS lading.requests (
    request_id VARCHAR PRIMARY KEY, run_id VARCHAR NOT NULL, connection VARCHAR NOT NULL,
    stream VARCHAR NOT NULL, request JSON NOT NULL,
    starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL,
    status VARCHAR NOT NULL, pages BIGINT NOT NULL, records BIGINT NOT NULL, bytes BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    started_at TIMESTAMP NOT NULL, ended_at TIMESTAMP NOT NULL, error VARCHAR
);

-- One row per slice that has landed: a bucket or a day, also when it is empty, and the last
-- snapshot of a list, which begins when it was asked for and ends when another one is due.
CREATE TABLE IF NOT EXISTS lading.slices (
    connection VARCHAR NOT NULL, stream VARCHAR NOT NULL, request JSON NOT NULL,
    starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL, records BIGINT NOT NULL,
    closed BOOLEAN NOT NULL, fetched_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL
);

-- Members that a list (workspaces, keys, people) no longer has, as they were last seen: at
-- `last_seen_at` they were there, at `vanished_at` they were missing.
CREATE TABLE IF NOT EXISTS lading.vanished (
    connection VARCHAR NOT NULL, stream VARCHAR NOT NULL, id VARCHAR NOT NULL,
    payload JSON NOT NULL, last_seen_at TIMESTAMP NOT NULL, vanished_at TIMESTAMP NOT NULL,
    run_id VARCHAR NOT NULL
);

-- Where a grouped report and the ungrouped one differ: one row per run, bucket and field. A
-- figure that is NULL could not be added up.
CREATE TABLE IF NOT EXISTS lading.control_totals (
    run_id VARCHAR NOT NULL, connection VARCHAR NOT NULL, stream VARCHAR NOT NULL,
    request JSON NOT NULL, starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL,
    field VARCHAR NOT NULL, grouped DECIMAL(38, 15), ungrouped DECIMAL(38, 15)
);

-- One row per comparison of a stream: how many buckets, and how many of them differed.
CREATE TABLE IF NOT EXISTS lading.control_checks (
    run_id VARCHAR NOT NULL, connection VARCHAR NOT NULL, stream VARCHAR NOT NULL,
    buckets BIGINT NOT NULL, differing BIGINT NOT NULL, checked_at TIMESTAMP NOT NULL
);

-- One row per closed slice that came back different. Each figure whose sum
-- over the slice moved, with both sums (of 20 decimals); run_id is the run that fetched the new.
CREATE TABLE IF NOT EXISTS lading.restatements (
    run_id VARCHAR NOT NULL, connection VARCHAR NOT NULL, stream VARCHAR NOT NULL,
    request JSON NOT NULL, starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL,
    restated_at TIMESTAMP NOT NULL, records_before BIGINT NOT NULL, records_after BIGINT NOT NULL,
    figures STRUCT(field VARCHAR, before DECIMAL(38, 20), after DECIMAL(38, 20))[] NOT NULL
);

-- What landed that the staging models do not know: a field, or a value of one whose values
-- `values:` in sources/ lists. One row per run.
CREATE TABLE IF NOT EXISTS lading.unknown (
    run_id VARCHAR NOT NULL, connection VARCHAR NOT NULL, stream VARCHAR NOT NULL,
    field VARCHAR NOT NULL, value VARCHAR
);

-- One row per node of the graph that was made, loaded or tested: what it was made of and by what
-- SQL, so that what is up to date is known. `landed` has the moment up to which each stream had
-- landed then.
CREATE TABLE IF NOT EXISTS lading.nodes (
    node VARCHAR NOT NULL, digest VARCHAR NOT NULL, settings VARCHAR NOT NULL,
    logic VARCHAR NOT NULL, inputs JSON NOT NULL, landed JSON NOT NULL, version VARCHAR NOT NULL,
    status VARCHAR NOT NULL, rows BIGINT, seconds DOUBLE NOT NULL, made_at TIMESTAMP NOT NULL,
    run_id VARCHAR NOT NULL
);

-- What the mappings make of the database's content: the last plan's entities, and why one of
-- them is not to be sent.
CREATE TABLE IF NOT EXISTS lading.entities (
    resource VARCHAR NOT NULL, kind VARCHAR NOT NULL, blueprint VARCHAR NOT NULL,
    identifier VARCHAR NOT NULL, position BIGINT NOT NULL, hash VARCHAR NOT NULL,
    entity VARCHAR NOT NULL, fault VARCHAR
);

-- What is to be done about each entity: the last plan. `changes` has what a change changes by
-- value, each side as JSON text; `held` what Port then has, where it keeps more than is sent;
-- `reason` why something is not done, or is done again.
CREATE TABLE IF NOT EXISTS lading.planned (
    action VARCHAR NOT NULL, blueprint VARCHAR NOT NULL, identifier VARCHAR NOT NULL,
    resource VARCHAR, position BIGINT, hash VARCHAR NOT NULL, entity VARCHAR, fault VARCHAR,
    changes JSON, reason VARCHAR, basis VARCHAR, held VARCHAR
);

-- What Port has taken, as it was sent, with what Port keeps of it from before; or, with `seen_at`,
-- as it was read from Port then.
CREATE TABLE IF NOT EXISTS lading.pushed (
    destination VARCHAR NOT NULL, blueprint VARCHAR NOT NULL, identifier VARCHAR NOT NULL,
    resource VARCHAR NOT NULL, hash VARCHAR NOT NULL, entity VARCHAR NOT NULL,
    pushed_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL, seen_at TIMESTAMP,
    PRIMARY KEY (destination, blueprint, identifier)
);

-- What Port has refused, with its reason, until it takes it. What it was not even asked to take
-- has no status, and `error` is unfit or too_large. `basis` stands for the mapping and the
-- blueprint that it was refused with.
CREATE TABLE IF NOT EXISTS lading.refused (
    destination VARCHAR NOT NULL, blueprint VARCHAR NOT NULL, identifier VARCHAR NOT NULL,
    resource VARCHAR NOT NULL, hash VARCHAR NOT NULL, status INTEGER, error VARCHAR,
    message VARCHAR, refused_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL, basis VARCHAR,
    PRIMARY KEY (destination, blueprint, identifier)
);
"""

# Columns that came later than their tables, which older databases have without them: the table of
# lading, and the column with its type as it stands in ALTER TABLE. New ones go to the end.
ADDED_COLUMNS = (
    ("runs", "exit_code INTEGER"),
    ("runs", "deleted BIGINT"),
    ("pushed", "seen_at TIMESTAMP"),
    ("refused", "basis VARCHAR"),
)

RAW = """
-- The records of a stream as they came, a row each: `payload` is the API's own JSON, `request` what
-- was asked for, `ordinal` the record's place in the slice.
CREATE TABLE IF NOT EXISTS raw."{stream}" (
    connection VARCHAR NOT NULL, request JSON NOT NULL,
    starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL, ordinal BIGINT NOT NULL,
    payload JSON NOT NULL, extracted_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL
);

-- The rows of slices that were restated: when the new ones were fetched, and by which run.
CREATE TABLE IF NOT EXISTS raw_history."{stream}" (
    connection VARCHAR NOT NULL, request JSON NOT NULL,
    starting_at TIMESTAMP NOT NULL, ending_at TIMESTAMP NOT NULL, ordinal BIGINT NOT NULL,
    payload JSON NOT NULL, extracted_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL,
    superseded_at TIMESTAMP NOT NULL, superseded_by VARCHAR NOT NULL
);
"""


def prepare(connection: DuckDBPyConnection, streams: Iterable[str]) -> None:
    """Make the tables and columns that are not there yet, with a raw table and its history for
    each stream.

    No transaction may be under way. In one of its own all of it is written to the disk at once.
    """
    connection.begin()
    try:
        connection.execute(BOOKKEEPING)
        for table, column in ADDED_COLUMNS:
            connection.execute(f"ALTER TABLE lading.{table} ADD COLUMN IF NOT EXISTS {column}")
        connection.execute(VIEWS)
        for stream in sorted(set(streams)):
            connection.execute(RAW.format(stream=stream))
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def has_books(connection: DuckDBPyConnection, table: str = "slices") -> bool:
    """Whether this package has kept books, this one of them, in the database yet."""
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'lading' "
        "AND table_name = ? AND database_name = current_database()",
        [table],
    ).fetchall()
    return bool(found[0][0])
