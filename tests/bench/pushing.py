"""Plans and pushes of 50,000 entities against Port's stand-in, with nothing to fetch."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from tests.bench.processes import Finished, run
from tests.bench.pushing_project import CHANGES_OF, FRESH, lay_out
from tests.bench.tables import megabytes, table

from lading.sandbox.faults import Fault
from lading.sandbox.port import PortStandIn
from lading.sandbox.server import Request

ENTITIES = 50_000
CONCURRENCY = 16
# With an answer that takes as long as Port's.
SECONDS_OF_AN_ANSWER = 0.1
FEW = 10_000
WAYS = (4, 16)
MANY_REQUESTS = ("bulk", "search", "delete")
CHANGED = ("--vars", "{revision: 1}")
GONE = ("--vars", f"{{revision: 1, gone: {ENTITIES // CHANGES_OF}}}")
STEPS = (
    ("first push", ("push",)),
    ("plan, nothing changed", ("plan",)),
    ("push, nothing changed", ("push",)),
    ("push, 1 % changed", ("push", *CHANGED)),
    ("plan against Port, empty books", ("plan", "--against", "port", "-t", FRESH, *CHANGED)),
    ("push that deletes 1 %", ("push", *GONE)),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command: the child process, what Port's stand-in was asked for and what it took.

    requests  how many, by what for
    sent      entities in bulk requests
    deleted   entities in deletions
    beside    CPU seconds that the stand-in took meanwhile, in this process
    phases    seconds until the table was made, until its rows were mapped, until the end
    """

    name: str
    child: Finished
    requests: Counter[str]
    sent: int
    deleted: int
    beside: float
    phases: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pushing:
    """The steps with all entities, and a first push of some of them with each concurrency,
    where each answer to a bulk request takes `SECONDS_OF_AN_ANSWER`."""

    steps: tuple[Step, ...]
    waiting: dict[int, Step]


def measure() -> Pushing:
    """Port's stand-in in this process, the tool in another.

    Raises:
        RuntimeError: a command failed.
    """
    with _folder() as folder, PortStandIn() as port:
        root = Path(folder)
        lay_out(root, entities=ENTITIES, concurrency=CONCURRENCY)
        steps = tuple(_step(root, port, name, command) for name, command in STEPS)
    return Pushing(steps, {way: _waiting(way) for way in WAYS})


def _waiting(concurrency: int) -> Step:
    with _folder() as folder, PortStandIn() as port:
        slow = Fault("slow", path="/entities/bulk", times=None, seconds=SECONDS_OF_AN_ANSWER)
        port.faults.add(slow)
        lay_out(Path(folder), entities=FEW, concurrency=concurrency)
        return _step(Path(folder), port, f"{concurrency} under way", ("push",))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="lading-bench-")


def _step(root: Path, port: PortStandIn, name: str, command: Sequence[str]) -> Step:
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "PORT_BASE_URL": port.base_url,
        "PORT_CLIENT_ID": port.client_id,
        "PORT_CLIENT_SECRET": port.client_secret,
    }
    whole = [sys.executable, "-m", "lading", *command, "-C", str(root), "--log-format", "json"]
    port.requests.clear()
    clock, began = time.time(), time.process_time()
    child = run(whole, environment=variables, watched=True)
    beside = time.process_time() - began
    return Step(
        name,
        child,
        Counter(map(_purpose, port.requests)),
        _entities(port.requests, "bulk"),
        _entities(port.requests, "delete"),
        beside,
        _phases(child, clock),
    )


def _purpose(request: Request) -> str:
    last = request.path.rpartition("/")[2]
    return last if request.method == "POST" and last in MANY_REQUESTS else "other"


def _entities(requests: Iterable[Request], purpose: str) -> int:
    bodies = (each.body for each in requests if _purpose(each) == purpose)
    return sum(len(json.loads(body)["entities"]) for body in bodies)


def _phases(child: Finished, began: float) -> tuple[float, ...]:
    """By the moments of its log: the model is made, its rows are mapped, the end."""
    lines = (json.loads(line) for line in child.err.splitlines() if line.startswith("{"))
    moments = {each["code"]: datetime.fromisoformat(each["ts"]).timestamp() for each in lines}
    ends = (began, moments["node"], moments["mapped"], began + child.wall)
    return tuple(late - early for early, late in pairwise(ends))


def pushing_lines(found: Pushing) -> list[str]:
    """The part of the report."""
    return [
        f"7. Plan and push: {ENTITIES:,} entities of 8 properties; one round",
        *table(("", "s", "CPU s", "peak MB", "with workers"), list(map(_cost, found.steps))),
        "",
        *table(
            ("requests to Port", *MANY_REQUESTS, "other", "entities sent", "deleted"),
            list(map(_asked, found.steps)),
        ),
        "",
        *table(
            ("seconds until", "table made", "rows mapped", "the end", "stand-in's CPU s"),
            list(map(_spent, found.steps)),
        ),
        "",
        *_waiting_lines(found.waiting),
    ]


def _cost(step: Step) -> tuple[str, ...]:
    child = step.child
    peaks = (megabytes(child.peaks.alone), megabytes(child.peaks.with_children))
    return (step.name, f"{child.wall:.1f}", f"{child.cpu:.1f}", *peaks)


def _asked(step: Step) -> tuple[str, ...]:
    counts = (*(step.requests[name] for name in (*MANY_REQUESTS, "other")), step.sent, step.deleted)
    return (step.name, *(f"{count:,}" for count in counts))


def _spent(step: Step) -> tuple[str, ...]:
    return (step.name, *(f"{seconds:.1f}" for seconds in (*step.phases, step.beside)))


def _waiting_lines(waiting: dict[int, Step]) -> list[str]:
    rows = [
        (
            f"first push, {each.name}",
            f"{each.child.wall:.1f}",
            f"{each.phases[-1]:.1f}",
            f"{each.child.cpu:.1f}",
            megabytes(each.child.peaks.alone),
            f"{each.requests['bulk']:,}",
        )
        for each in waiting.values()
    ]
    slow, fast = (waiting[way].phases[-1] for way in WAYS)
    return [
        *table(("", "s", "plan and push", "CPU s", "peak MB", "bulk requests"), rows),
        f"   {FEW:,} entities, each answer to a bulk request after {SECONDS_OF_AN_ANSWER:g} s.",
        f"   With {WAYS[0]} under way, plan and push take {slow / fast:.1f} times as long.",
    ]
