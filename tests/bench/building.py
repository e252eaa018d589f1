"""How long `lading build` and `lading ls` take, beside a plain script and an empty interpreter."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from statistics import median

from tests.bench.invented_models import STORAGE_VERSION, THREADS, Invented, few, many
from tests.bench.processes import Finished, run
from tests.bench.startup import heavy, imported_by

ROUNDS = 7
LADING = str(Path(sys.executable).with_name("lading"))
SCRIPT = str(Path(__file__).with_name("building_script.py"))


@dataclass(frozen=True, slots=True)
class Way:
    """A command, words that show that it did what it is measured for, and what is done before
    each run of it, which is not measured."""

    command: Sequence[str]
    says: str = ""
    before: Callable[[int], object] = int


@dataclass(frozen=True, slots=True)
class Building:
    """Each way's rounds, in order; the heavy packages that `lading ls` imports."""

    few: Invented
    many: Invented
    rounds: dict[str, list[Finished]]
    heavy_of_ls: tuple[str, ...]

    def seconds(self, way: str) -> float:
        """The median by the wall."""
        return median(each.wall for each in self.rounds[way])

    def cpu(self, way: str) -> float:
        """The median of the processor's."""
        return median(each.cpu for each in self.rounds[way])


def measure() -> Building:
    """Interleaved rounds of whole processes; the first round is thrown away.

    Raises:
        RuntimeError: a process failed, or did something else than what it is measured for.
    """
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as name:
        folder = Path(name)
        small, large = few(folder / "few"), many(folder / "many")
        for project in (small, large):
            run(_build(project))
        ways = _ways(small, large, folder)
        rounds: dict[str, list[Finished]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                finished = _once(name, way, number)
                if number:
                    rounds[name].append(finished)
        of_ls = heavy(imported_by("ls", "-C", str(large.root)))
        return Building(small, large, rounds, of_ls)


def _ways(small: Invented, large: Invented, folder: Path) -> dict[str, Way]:
    """By name, in the order of a round."""
    all_of_few = f"PASS={small.models + small.tests} "
    all_of_many = f"PASS={large.models + large.tests} "
    return {
        "python -c pass": Way([sys.executable, "-c", "pass"]),
        "ls": Way([LADING, "ls", "-C", str(large.root)], large.last),
        "script": Way(_script(small, folder)),
        "few, all": Way(_build(small, "-B"), all_of_few),
        "few, nothing": Way(_build(small), f"NO-OP={small.models} TOTAL={small.models}"),
        "few, cold": Way(_build(small, "-B"), all_of_few, lambda _: small.kept.unlink()),
        "many, all": Way(_build(large, "-B"), all_of_many),
        "many, one": Way(_build(large), "PASS=6 ", large.change),
        "many, nothing": Way(_build(large), f"NO-OP={large.models} TOTAL={large.models}"),
    }


def _once(name: str, way: Way, number: int) -> Finished:
    way.before(number)
    finished = run(way.command)
    if way.says not in finished.out:
        raise RuntimeError(f"{name}: not '{way.says}' but\n{finished.out}")
    return finished


def _build(project: Invented, *options: str) -> list[str]:
    return [LADING, "build", "-C", str(project.root), *options]


def _script(project: Invented, folder: Path) -> list[str]:
    """The command of the script, with the statements of a build that was made, on a database of
    its own that is like the project's."""
    database = folder / "script.duckdb"
    shutil.copyfile(project.database, database)
    statements = folder / "statements"
    statements.mkdir()
    for number, (kind, sql) in enumerate(_statements(project)):
        (statements / f"{number:03}.{kind}.sql").write_text(sql, "utf-8")
    return [sys.executable, SCRIPT, str(database), str(statements), f"{THREADS}", STORAGE_VERSION]


def _statements(project: Invented) -> Iterator[tuple[str, str]]:
    """Models in an order in which they can be made, then tests, as they are compiled."""
    run([LADING, "compile", "-C", str(project.root)])
    compiled = project.root / "target" / "compiled"
    listed = run([LADING, "ls", "-C", str(project.root), "-o", "json"]).out.splitlines()
    for node in map(json.loads, listed):
        if node["resource_type"] == "model":
            file = PurePosixPath(node["file"]).with_name(f"{node['name']}.sql")
            what = f"{node['materialized']} {file.parts[1]}.{node['name']}"
            sql = (compiled / file).read_text("utf-8")
            yield "model", f"CREATE OR REPLACE {what} AS\n{sql}"
        elif node["resource_type"] == "test":
            sql = (compiled / "tests" / f"{node['name']}.sql").read_text("utf-8")
            yield "test", f"SELECT count(*) FROM (\n{sql})"
