"""How long `lading --help` takes, beside an empty interpreter."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.processes import REPOSITORY, Finished, run

ROUNDS = 21
WAYS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "lading --help": [str(Path(sys.executable).with_name("lading")), "--help"],
}
IMPORTED = """
import json, sys
before = set(sys.modules)
from lading.commands import invoke
assert invoke(sys.argv[1:]) == 0
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(names - sys.stdlib_module_names - {"lading"})))
"""


@dataclass(frozen=True, slots=True)
class Startup:
    """Median seconds of each way, by the wall and of the processor; the packages that
    `lading --help` imports, besides its own and the standard library, and those of them that the
    lint rule calls heavy."""

    seconds: dict[str, float]
    cpu: dict[str, float]
    imported: tuple[str, ...]
    heavy: tuple[str, ...]


def measure() -> Startup:
    """Interleaved rounds of whole processes; the first round is thrown away."""
    rounds: dict[str, list[Finished]] = {name: [] for name in WAYS}
    for number in range(ROUNDS + 1):
        for name, command in WAYS.items():
            finished = run(command)
            if number:
                rounds[name].append(finished)
    imported = imported_by("--help")
    return Startup(
        {name: median(each.wall for each in found) for name, found in rounds.items()},
        {name: median(each.cpu for each in found) for name, found in rounds.items()},
        imported,
        heavy(imported),
    )


def imported_by(*arguments: str) -> tuple[str, ...]:
    """The packages that a command imports, besides this one and the standard library."""
    out = run([sys.executable, "-c", IMPORTED, *arguments]).out
    return tuple(json.loads(out.splitlines()[-1]))


def heavy(packages: Iterable[str]) -> tuple[str, ...]:
    """Those of them that the lint rule calls heavy."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    lint = settings["tool"]["ruff"]["lint"]
    banned = lint["flake8-tidy-imports"]["banned-module-level-imports"]
    return tuple(sorted(set(packages) & set(banned)))
