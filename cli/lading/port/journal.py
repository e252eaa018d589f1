"""What became of each bulk, written down the moment Port answers.

A push has two files beside the database: the outbox (what is to be sent, see `ledger`) and the
journal, whose lines name entities by their ordinals in the outbox. A line before each bulk says
that it is on its way, one after it what Port said. At the end, or by the next run if this one
died, both are loaded in one transaction. So what Port took is known even if the process was
killed, and what was under way then is known to be uncertain.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lading import log
from lading.errors import DatabaseError
from lading.warehouse.runs import naive

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.warehouse.database import Database
    from lading.warehouse.runs import Run

PREFIX = "pushed-"
OUTBOX_PREFIX = "outbox-"
SUFFIX = ".ndjson"
# DuckDB's bound on one line: the largest entity that Port takes, escaped, with room to spare.
OBJECT_BOUND = 4 * 1_048_576

LINES = {
    "attempt": "BIGINT",
    "sent": "BIGINT[]",
    "answered": "BIGINT[]",
    "accepted": "BIGINT[]",
    "refused": "STRUCT(ordinal BIGINT, status INTEGER, error VARCHAR, message VARCHAR)[]",
}
OUTBOX_LINES = {
    "ordinal": "BIGINT",
    "action": "VARCHAR",
    "basis": "VARCHAR",
    "blueprint": "VARCHAR",
    "identifier": "VARCHAR",
    "resource": "VARCHAR",
    "hash": "VARCHAR",
    "entity": "VARCHAR",
    "held": "VARCHAR",
}


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """Why Port did not take the entity with this ordinal."""

    ordinal: int
    status: int | None
    error: str
    message: str


def outbox_path(spool: Path, run: Run) -> Path:
    """Where a run's outbox is."""
    return spool / f"{OUTBOX_PREFIX}{run.id}{SUFFIX}"


class Journal:
    """One push's journal; safe to use from several threads."""

    def __init__(self, spool: Path, run: Run, destination: str) -> None:
        self._path = spool / f"{PREFIX}{run.id}{SUFFIX}"
        self._lock = threading.Lock()
        self._attempts = 0
        self._file = self._path.open("wb")
        started_at = naive(run.started_at).isoformat(sep=" ")
        self._write({"run_id": run.id, "started_at": started_at, "destination": destination})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def sending(self, ordinals: Sequence[int]) -> int:
        """These entities are about to be sent; gives the attempt's number."""
        with self._lock:
            self._attempts += 1
            self._write({"attempt": self._attempts, "sent": ordinals})
            return self._attempts

    def answered(
        self,
        attempt: int,
        ordinals: Sequence[int],
        accepted: Sequence[int] = (),
        refused: Iterable[RefusedLine] = (),
    ) -> None:
        """What Port said: `ordinals` are those whose fate is certain, `accepted` those of them
        that Port took."""
        line = {
            "attempt": attempt,
            "answered": ordinals,
            "accepted": accepted,
            "refused": [asdict(each) for each in refused],
        }
        with self._lock:
            self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise DatabaseError(
                f"can't write down what Port took, in {self._path}: {error.strerror}",
                hint="make room on the disk; what Port took until now is on record",
            ) from error


def recover(database: Database) -> int:
    """Load the journals beside the database, oldest first; gives how many there were.

    For the end of a push, and before anything that looks at what was pushed. The caller is the
    only run (`only_run`). Loading one twice gives what loading it once gives.
    """
    journals = sorted(database.spool.glob(f"{PREFIX}*{SUFFIX}"))
    for journal in journals:
        outbox = journal.with_name(OUTBOX_PREFIX + journal.name.removeprefix(PREFIX))
        header = _cut_torn_end(journal)
        if not outbox.exists():
            log.warning("journal_alone", f"{outbox.name} is gone: what it held is sent again")
        elif header is not None:
            with database.writing() as connection:
                _load(connection, header, journal, outbox)
        journal.unlink()
    for outbox in database.spool.glob(f"{OUTBOX_PREFIX}*{SUFFIX}"):
        outbox.unlink()
    return len(journals)


def _cut_torn_end(journal: Path) -> Mapping[str, str] | None:
    """Drop a last line that was not written to its end; gives the first line, if there is one."""
    with journal.open("r+b") as file:
        whole = file.read()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            log.debug("journal_torn", f"{journal.name}: left out a last line that is torn")
            file.truncate(end)
    header: Mapping[str, str] | None = json.loads(whole[:end].split(b"\n", 1)[0] or b"null")
    return header


def _load(
    connection: DuckDBPyConnection, header: Mapping[str, str], journal: Path, outbox: Path
) -> None:
    _read(connection, "journal", journal, LINES)
    _read(connection, "outbox", outbox, OUTBOX_LINES)
    given = {
        "destination": header["destination"],
        "moment": header["started_at"],
        "run_id": header["run_id"],
    }
    connection.begin()
    try:
        for statement in (RECORD_SENT, FORGET_DELETED, FORGET_ACCEPTED, RECORD_REFUSED):
            names = [name for name in given if f"${name}" in statement]
            connection.execute(statement, {name: given[name] for name in names})
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _read(
    connection: DuckDBPyConnection, table: str, path: Path, columns: Mapping[str, str]
) -> None:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_json($path, "
        "format='newline_delimited', columns=$columns, maximum_object_size=$bound)",
        {"path": str(path), "columns": dict(columns), "bound": OBJECT_BOUND},
    )


# Taken: with its hash. On its way without an answer, or taken without some of its relations: with
# none, so that it is sent again. Of an entity that went twice the second time counts. What Port
# keeps of it beside what was sent stays on record, for what it relates to.
RECORD_SENT = """
INSERT OR REPLACE INTO lading.pushed BY NAME
WITH sent AS (SELECT attempt, unnest(sent) AS ordinal FROM journal),
answered AS (SELECT attempt, unnest(answered) AS ordinal FROM journal),
accepted AS (SELECT DISTINCT unnest(accepted) AS ordinal FROM journal),
uncertain AS (
    SELECT DISTINCT ordinal FROM (FROM sent EXCEPT FROM answered)
    WHERE ordinal NOT IN (FROM accepted)
),
outcomes AS (
    SELECT ordinal, true AS certain FROM accepted
    UNION ALL SELECT ordinal, false AS certain FROM uncertain
)
SELECT $destination AS destination, blueprint, identifier, resource,
    CASE WHEN certain AND action <> 'bare' THEN hash ELSE '' END AS hash,
    coalesce(held, entity) AS entity,
    $moment::TIMESTAMP AS pushed_at, $run_id AS run_id
FROM outbox JOIN outcomes USING (ordinal)
WHERE action <> 'delete'
QUALIFY row_number() OVER (PARTITION BY blueprint, identifier ORDER BY ordinal DESC) = 1
"""

# What was on its way to be deleted is on record still, and is deleted again.
FORGET_DELETED = """
DELETE FROM lading.pushed WHERE destination = $destination AND (blueprint, identifier) IN (
    SELECT (blueprint, identifier) FROM outbox
    WHERE action = 'delete' AND ordinal IN (SELECT unnest(accepted) FROM journal)
)
"""

FORGET_ACCEPTED = """
DELETE FROM lading.refused WHERE destination = $destination AND (blueprint, identifier) IN (
    SELECT (blueprint, identifier) FROM outbox
    WHERE action <> 'bare' AND ordinal IN (SELECT unnest(accepted) FROM journal)
)
"""

RECORD_REFUSED = """
INSERT OR REPLACE INTO lading.refused BY NAME
WITH refused AS (SELECT unnest(refused, recursive := true) FROM journal)
SELECT $destination AS destination, blueprint, identifier, resource, hash,
    status, error, message, $moment::TIMESTAMP AS refused_at, $run_id AS run_id, basis
FROM outbox JOIN refused USING (ordinal)
QUALIFY row_number() OVER (PARTITION BY blueprint, identifier ORDER BY ordinal DESC, status) = 1
"""
