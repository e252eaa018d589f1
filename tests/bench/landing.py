"""How long landing a report takes, beside what DuckDB itself needs to read the same records."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.corpus import Corpus, make_corpus
from tests.bench.processes import run

ROUNDS = 5
WAYS = ("duckdb", "lading")


@dataclass(frozen=True, slots=True)
class Landed:
    """One process's figures: seconds by the wall and of the processor, bytes of RSS and of the
    database."""

    seconds: float
    cpu: float
    peak: int
    size: int


@dataclass(frozen=True, slots=True)
class Landing:
    """Each way's rounds, in order; `size` is that of the records, in bytes."""

    records: int
    pages: int
    size: int
    rounds: dict[str, list[Landed]]

    def median(self, way: str) -> Landed:
        """Each figure's own median over a way's rounds."""
        rounds = self.rounds[way]
        return Landed(
            seconds=median(each.seconds for each in rounds),
            cpu=median(each.cpu for each in rounds),
            peak=int(median(each.peak for each in rounds)),
            size=int(median(each.size for each in rounds)),
        )

    @property
    def ratios(self) -> list[float]:
        """How many times DuckDB's seconds each round of ours took, sorted."""
        pairs = zip(self.rounds["lading"], self.rounds["duckdb"], strict=True)
        return sorted(ours.seconds / theirs.seconds for ours, theirs in pairs)


def measure() -> Landing:
    """Interleaved rounds, each way in a process of its own; the first round is thrown away.

    Raises:
        RuntimeError: a process failed, or a database does not hold the records.
    """
    rounds: dict[str, list[Landed]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as folder:
        corpus = make_corpus(Path(folder))
        for number in range(ROUNDS + 1):
            for way in WAYS:
                landed = _once(way, corpus, Path(folder))
                if number:
                    rounds[way].append(landed)
        return Landing(corpus.records, len(corpus.days()), corpus.size, rounds)


def _once(way: str, corpus: Corpus, folder: Path) -> Landed:
    with tempfile.TemporaryDirectory(dir=folder) as database:
        command = [sys.executable, "-m", "tests.bench.landing_ways", way, str(folder), database]
        said = json.loads(run(command).out)
    rows = said.pop("rows")
    if rows != corpus.records:
        raise RuntimeError(f"{way} landed {rows:,} of {corpus.records:,} records")
    return Landed(**said)
