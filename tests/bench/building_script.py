"""What a person would write who has no tool: the statements of a build, one after the other.

    python tests/bench/building_script.py DATABASE FOLDER THREADS STORAGE_VERSION

runs each file of FOLDER in the order of their names: those that end in .model.sql make a relation,
those that end in .test.sql count the rows that fail.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb


def main(database: str, folder: str, threads: str, storage_version: str) -> None:
    config: dict[str, Any] = {"threads": threads, "storage_compatibility_version": storage_version}
    with duckdb.connect(database, config=config) as connection:
        for path in sorted(Path(folder).iterdir()):
            answer = connection.execute(path.read_text("utf-8")).fetchall()
            if path.name.endswith(".test.sql") and answer[0][0]:
                sys.exit(f"{path.name}: {answer[0][0]} rows fail")


if __name__ == "__main__":
    main(*sys.argv[1:])
