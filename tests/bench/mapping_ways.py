"""The ways to map rows in Python, each to be run in a process of its own.

    python -m tests.bench.mapping_ways WAY ROWS

prints an entity a line, as JSON, and on stderr a JSON object: `seconds` by the wall and `cpu`
seconds from after the imports until the last entity is written, without those of workers. WAY is
`call`, for one call of JQ per row and expression, or `fused-N` for the engine with N workers;
`core` is `fused-1` on one processor. ROWS has a row a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jq
import msgspec  # noqa: F401 - not to be imported within the time that is measured
import yaml
from tests.bench.processes import REPOSITORY

from lading.mapping.evaluate import Mapped, evaluate
from lading.mapping.trials import read_mapping, read_trials
from lading.mapping.workers import Workers

if TYPE_CHECKING:
    from lading.mapping.files import Resource

KIND = "claude-code-analytics"
# What stands in the request for this project, and so is what its users have.
MAPPING = REPOSITORY / "tests/engine/cli/seed_default_mapping.yml"


def by_call(file: str) -> Iterator[str]:
    """What a plain engine does, and Port's own: each expression is compiled once, and called for
    each row; the row is read once."""
    (written,) = (each for each in _mapping()["resources"] if each["kind"] == KIND)
    query = jq.compile(written["selector"]["query"])
    programs = _compiled(written["port"]["entity"]["mappings"])
    with Path(file).open(encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            if query.input_value(row).first() is True:
                yield json.dumps(_filled(programs, row))


def _mapping() -> Any:
    return yaml.safe_load(MAPPING.read_text("utf-8"))


def _compiled(mappings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _compiled(each) if isinstance(each, dict) else jq.compile(each)
        for key, each in mappings.items()
    }


def _filled(programs: Mapping[str, Any], row: Any) -> dict[str, Any]:
    return {
        key: _filled(each, row) if isinstance(each, dict) else each.input_value(row).first()
        for key, each in programs.items()
    }


def fused(file: str, count: int = 1, *, one_core: bool = False) -> Iterator[str]:
    """The engine: rows as they come from the database, entities as they go to Port."""
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with Workers(count) as workers, Path(file).open(encoding="utf-8") as rows:
        resource = _resource(workers)
        for each in evaluate(resource, (row.rstrip("\n") for row in rows), workers):
            if isinstance(each, Mapped):
                yield each.entity.text


def _resource(workers: Workers) -> Resource:
    text = MAPPING.read_text("utf-8")
    documents = (read_mapping(MAPPING.name, text),)
    trials, _ = read_trials(documents, datetime.now(UTC), workers, lambda _: text)
    (found,) = (each.resource for each in trials if each.resource.kind == KIND)
    return found


WAYS: Mapping[str, Callable[[str], Iterator[str]]] = {
    "call": by_call,
    "core": partial(fused, one_core=True),
    "fused-1": fused,
    "fused-2": partial(fused, count=2),
}


def main(way: str, file: str) -> None:
    began = time.perf_counter()
    cpu = time.process_time()
    for line in WAYS[way](file):
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    print(json.dumps(took), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
