"""How long the default mapping takes, beside one call per expression and the command jq."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from tests.bench.processes import Finished, Peaks, run

from lading.sandbox.organisation import Organisation

ROUNDS = 3
ROWS = 50_000
MANY = 10 * ROWS
# One call per expression is slow: it is measured on so many rows, and reckoned up.
CALLED = 2500
FIRST_DAY = date(2026, 1, 1)
HAND_WRITTEN = str(Path(__file__).with_name("mapping_hand.jq"))
BLUEPRINT = "claude_code_analytics"
# The ways of which the memory is looked at.
WORKERS = ("fused-1", "fused-2")


@dataclass(frozen=True, slots=True)
class Mapping:
    """Medians by the way: seconds for all rows, by the wall and of the processor, workers
    included; the most memory for few and for many rows; the version of the command jq, if it is
    there."""

    seconds: dict[str, float]
    cpu: dict[str, float]
    few: dict[str, Peaks]
    many: dict[str, Peaks]
    jq: str


@dataclass(frozen=True, slots=True)
class _Files:
    """`few` has all rows, `called` the first of them, and `many` all of them many times."""

    few: str
    called: str
    many: str


def measure() -> Mapping:
    """Interleaved rounds, each way in a process of its own; the first round is thrown away.

    Raises:
        RuntimeError: a process failed, or two ways do not give the same entities.
    """
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as folder:
        files = _written(Path(folder))
        commands = dict(_commands(files))
        rounds: dict[str, list[Finished]] = {way: [] for way in commands}
        for number in range(ROUNDS + 1):
            for way, command in commands.items():
                finished = run(command)
                if number == 0:
                    _compare(way, finished, files)
                else:
                    rounds[way].append(finished)
        few, many = (
            {way: _peaks(way, file) for way in WORKERS} for file in (files.few, files.many)
        )
    taken = {way: [_taken(way, each) for each in found] for way, found in rounds.items()}
    return Mapping(
        {way: median(wall for wall, _ in each) for way, each in taken.items()},
        {way: median(cpu for _, cpu in each) for way, each in taken.items()},
        few,
        many,
        _version(),
    )


def _commands(files: _Files) -> Iterator[tuple[str, list[str]]]:
    if binary := shutil.which("jq"):
        yield "jq", [binary, "-c", "-f", HAND_WRITTEN, files.few]
    yield "call", _way("call", files.called)
    if hasattr(os, "sched_setaffinity"):
        yield "core", _way("core", files.few)
    for way in WORKERS:
        yield way, _way(way, files.few)


def _way(way: str, file: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.mapping_ways", way, file]


def _peaks(way: str, file: str) -> Peaks:
    return run(_way(way, file), watched=True).peaks


def _taken(way: str, finished: Finished) -> tuple[float, float]:
    """Seconds by the wall and of the processor for all rows: those of the whole process; of one
    call per expression without its start, which must not be reckoned up."""
    if way != "call":
        return finished.wall, finished.cpu
    said = json.loads(finished.err)
    return said["seconds"] * ROWS / CALLED, said["cpu"] * ROWS / CALLED


def _written(folder: Path) -> _Files:
    rows = [json.dumps(each, separators=(",", ":")) for each in islice(_rows(), ROWS)]
    parts = {"few": rows, "called": rows[:CALLED]}
    for name, part in parts.items():
        (folder / name).write_text("\n".join(part) + "\n", "utf-8")
    with (folder / "many").open("wb") as file:
        for _ in range(MANY // ROWS):
            file.write((folder / "few").read_bytes())
    return _Files(*(str(folder / name) for name in ("few", "called", "many")))


def _rows() -> Iterator[dict[str, object]]:
    """Rows of the kind: records of the report, with the address under its other name, too."""
    organisation = Organisation(first_day=FIRST_DAY, workspaces=20, models=6, developers=1000)
    day = FIRST_DAY
    while True:
        for record in organisation.code_records(day):
            actor = record["actor"]
            if "email_address" in actor:
                actor = {**actor, "email": actor["email_address"]}
            yield {**record, "actor": actor}
        day += timedelta(days=1)


def _compare(way: str, finished: Finished, files: _Files) -> None:
    """Whether the entities are those that the first way gave."""
    lines = finished.out.splitlines()
    wanted = CALLED if way == "call" else ROWS
    if len(lines) != wanted:
        raise RuntimeError(f"{way} gave {len(lines):,} of {wanted:,} entities")
    found = [{"blueprint": BLUEPRINT, **json.loads(line)} for line in lines[:CALLED]]
    kept = Path(files.called).with_name("entities.json")
    if not kept.exists():
        kept.write_text(json.dumps(found), "utf-8")
    elif json.loads(kept.read_text("utf-8")) != found:
        raise RuntimeError(f"{way} gives other entities")


def _version() -> str:
    binary = shutil.which("jq")
    return run([binary, "--version"]).out.strip() if binary else ""
