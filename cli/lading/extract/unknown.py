"""What landed and is not known to the models: new fields, and new values of listed ones.

It stays in the raw tables as it came; a run says that it is there. Only records that no run has
looked through yet are looked through, all of them: records with the same keys all the way down
have one hash, and of each hash one record is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.extract.streams import Stream
    from lading.warehouse.runs import Run

Fields = Mapping[str, Any]

NEW_RUNS = """
SELECT q.connection, q.stream, list(DISTINCT q.run_id ORDER BY q.run_id)
FROM lading.requests AS q JOIN lading.runs AS r USING (run_id)
WHERE NOT r.looked_through AND q.records > 0
GROUP BY ALL
"""
LOOKED_THROUGH = "UPDATE lading.runs SET looked_through = true WHERE NOT looked_through"

# The ids of runs grow with time, so that the range alone leaves most of the table unread.
NEW_ROWS = """
    SELECT payload FROM raw."{stream}"
    WHERE run_id BETWEEN $first AND $last AND list_contains($runs, run_id)
        AND connection = $connection
"""
RECORDS = {
    "day": "SELECT payload AS record FROM rows",
    "snapshot": "SELECT payload AS record FROM rows",
    "window": "SELECT unnest(payload -> '$.results[*]') AS record FROM rows",
}
# In a list of its own, so that the record's own keys count as well.
FIELDS = """
WITH rows AS ({rows}),
records AS ({records}),
shapes AS (
    SELECT any_value(record) AS record FROM records
    GROUP BY hash(json_keys('[' || record || ']', '$..*'))
)
SELECT DISTINCT regexp_replace(fullkey, '\\[[0-9]+\\]', '[]', 'g')
FROM shapes, json_tree(shapes.record)
"""
BUCKET_FIELDS = """
WITH rows AS ({rows})
SELECT DISTINCT unnest(json_keys(payload)) FROM rows
"""
VALUES = """
WITH rows AS ({rows}),
records AS ({records}),
found AS (
    SELECT DISTINCT json_extract_string(record, {paths}) AS texts FROM records
)
SELECT DISTINCT unnest({names}) AS name, unnest(texts) AS value FROM found
ORDER BY ALL
"""

# What the landing itself reads of a bucket.
OF_BUCKETS = frozenset({"starting_at", "ending_at"})
STEP = re.compile(r"""(\[\])|\."((?:[^"\\]|\\.)*)"|\.([^.\[]*)""")


@dataclass(frozen=True, slots=True)
class Unknown:
    """What is new in the records of a stream that a run has looked through: paths of fields, below
    a bucket's results, and values of fields whose values are listed."""

    connection: str
    stream: str
    fields: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        parts = []
        if self.fields:
            noun = "field" if len(self.fields) == 1 else "fields"
            parts.append(f"{len(self.fields)} new {noun} in {self.stream}: {_few(self.fields)}")
        for name, values in self.values.items():
            noun = "value" if len(values) == 1 else "values"
            parts.append(f"{len(values)} new {noun} of {name} in {self.stream}: {_few(values)}")
        return "; ".join(parts)


def look_through(
    connection: DuckDBPyConnection, streams: Iterable[Stream], known: Mapping[str, Fields]
) -> tuple[Unknown, ...]:
    """What is unknown in the records that no run has looked through yet.

    `known` are the fields that models know, by stream; a stream that is not in it is left out.
    """
    # Otherwise DuckDB keeps in memory whatever of a backfill it has read.
    connection.execute("SET memory_limit = '256MB'")
    found = []
    runs = {(name, stream): ids for name, stream, ids in connection.execute(NEW_RUNS).fetchall()}
    for stream in streams:
        ids = runs.get((stream.connection, stream.name))
        if ids and stream.name in known:
            new = _look(connection, stream, known[stream.name], ids)
            found.extend([new] if new.fields or new.values else [])
    return tuple(found)


def put_on_record(connection: DuckDBPyConnection, found: Iterable[Unknown], run: Run) -> None:
    """Keep what looking through has found, and that it has been done."""
    insert = "INSERT INTO lading.unknown VALUES (?, ?, ?, ?, ?)"
    connection.execute("BEGIN TRANSACTION")
    for each in found:
        connection.executemany(insert, _rows(each, run))
    connection.execute(LOOKED_THROUGH)
    connection.execute("COMMIT")


def _look(
    connection: DuckDBPyConnection, stream: Stream, known: Fields, runs: Sequence[str]
) -> Unknown:
    parts = {"rows": NEW_ROWS.format(stream=stream.name), "records": RECORDS[stream.iterate]}
    given = {"first": runs[0], "last": runs[-1], "runs": runs, "connection": stream.connection}

    def ask(sql: str, **more: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql.format(**parts, **more), given).fetchall()

    in_buckets = stream.iterate == "window"
    of_records = known.get("results", {}).get("[]", {}) if in_buckets else known
    fields = {new for (path,) in ask(FIELDS) if (new := first_unknown(path, of_records))}
    if in_buckets:
        keys = {key for (key,) in ask(BUCKET_FIELDS)} - known.keys() - OF_BUCKETS
        fields |= {f"bucket.{key}" for key in keys}
    values: dict[str, tuple[str, ...]] = {}
    if stream.values:
        # As literals: only then does DuckDB read a record once for all paths.
        paths = [f"$.{name}" for name in stream.values]
        for name, value in ask(VALUES, paths=str(paths), names=str(list(stream.values))):
            if value is not None and value not in stream.values[name]:
                values[name] = (*values.get(name, ()), value)
    return Unknown(stream.connection, stream.name, tuple(sorted(fields)), values)


def first_unknown(path: str, known: Fields) -> str | None:
    """The part of a path, such as `$.model_breakdown[].tokens.input`, up to the first key that is
    not known; None if all of it is, or if it goes into what is not looked into."""
    said = ""
    for element, quoted, plain in STEP.findall(path.removeprefix("$")):
        key = element or quoted or plain
        if not known:
            return None
        if element:
            said += element
        elif key in known or "*" not in known:
            said += f".{plain}" if plain else f'."{quoted}"'
        else:
            said, key = f"{said}.*", "*"
        if key not in known:
            # An element where no list is known is a type that changed: the model will say so.
            return None if element else said.lstrip(".")
        known = known[key]
    return None


def _rows(unknown: Unknown, run: Run) -> list[list[object]]:
    about = [run.id, unknown.connection, unknown.stream]
    fields: list[list[object]] = [[*about, field, None] for field in unknown.fields]
    pairs = ((field, value) for field, values in unknown.values.items() for value in values)
    return fields + [[*about, field, value] for field, value in pairs]


def _few(names: Sequence[str]) -> str:
    most = 10
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
