"""How a list takes the place of the one before: SQL for the transaction that lands it.

A member that the new list lacks goes to `lading.vanished` as it was last seen, and comes back from
there if a later list has it again. The temporary table `arrivals` holds the one that arrived.
"""

from __future__ import annotations

# Whatever its query was: a list is of a stream, not of a period that could be asked in many ways.
OF_THIS_STREAM = "old.connection = a.connection AND old.stream = a.stream"

SET_ASIDE = """
CREATE OR REPLACE TEMP TABLE former AS
SELECT old.* FROM {table} AS old JOIN arrivals AS a USING (connection);
DELETE FROM {table} AS old USING arrivals AS a WHERE old.connection = a.connection
"""

CAME_BACK = f"""
DELETE FROM lading.vanished AS old USING arrivals AS a
WHERE {OF_THIS_STREAM} AND old.id IN (
    SELECT new.payload ->> '$.id' FROM {{table}} AS new WHERE new.connection = a.connection
)
"""

VANISHED = """
INSERT INTO lading.vanished
SELECT a.connection, a.stream, f.payload ->> '$.id', f.payload, f.starting_at, a.starting_at,
    a.run_id
FROM former AS f JOIN arrivals AS a USING (connection)
WHERE NOT EXISTS (
    FROM {table} AS new
    WHERE new.connection = f.connection AND new.payload ->> '$.id' = f.payload ->> '$.id'
)
"""

NO_SLICE = f"DELETE FROM lading.slices AS old USING arrivals AS a WHERE {OF_THIS_STREAM}"

# What was at that moment will not change, so the slice is closed; it ends when another one is due.
SLICE = """
INSERT INTO lading.slices
SELECT connection, stream, request, starting_at, starting_at + slice, records, true, fetched_at,
    run_id
FROM arrivals
"""

REPLACE = (CAME_BACK, VANISHED, NO_SLICE, SLICE)
