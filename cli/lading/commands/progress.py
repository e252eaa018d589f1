"""Bars on a terminal while something takes longer than a moment; nothing anywhere else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lading import log
from lading.commands.output import count

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, Task, TaskID

# What is over sooner, in seconds, needs no bar.
A_MOMENT = 1.0
# A bar is no wider than this; on a narrow screen it is the first to give way.
WIDEST = 24
# What a line of the log begins with: the time of day, and two spaces.
CLOCK = len("00:00:00  ")
# Rates are told of what goes on for some time, in steps a second.
RATED = frozenset({"entities"})


class Bars:
    """A bar for each thing that is under way; does nothing when nobody watches."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def start(self, name: str, total: int, unit: str = "") -> None:
        """Show a bar of `total` steps; a bar of that name starts again."""
        if self._progress is None:
            return
        if name in self._tasks:
            self._progress.reset(self._tasks[name], total=total, unit=unit, rows=0)
        else:
            self._tasks[name] = self._progress.add_task(name, total=total, unit=unit, rows=0)

    def advance(self, name: str, steps: int = 1, rows: int = 0) -> None:
        """Move a bar on."""
        if self._progress is None or name not in self._tasks:
            return
        task = self._progress.tasks[self._tasks[name]]
        self._progress.update(task.id, advance=steps, rows=task.fields["rows"] + rows)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on stderr if that is a terminal on which lines can be drawn anew, with log lines running
    above them."""
    if not _are_wanted():
        yield Bars(None)
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    progress = _progress(console)
    begun = _Later(progress.start)
    log.sink.write = lambda line: console.print(_wrapped(line, console.width), soft_wrap=True)
    try:
        yield Bars(progress)
    finally:
        if begun.cancel():
            progress.stop()
        log.sink.write = None


def _are_wanted() -> bool:
    drawn = sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    return drawn and log.sink.format != "json" and log.sink.level not in {"warning", "error"}


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, ProgressColumn
    from rich.table import Column
    from rich.text import Text

    class Name(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.description, style="bold")

    class Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(figures(task))

    return Progress(
        Name(Column(no_wrap=True, overflow="ellipsis", max_width=20)),
        BarColumn(None, table_column=Column(max_width=WIDEST)),
        Figures(Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
    )


def figures(task: Task) -> str:
    """How far it is: `212 of 331 days, 4,410 rows`, `4,200 of 5,557 entities, 410/s, 0:03 left`."""
    done, total = int(task.completed), int(task.total or 0)
    unit, rows = task.fields["unit"], task.fields["rows"]
    parts = [f"{done:,} of {total:,} {unit}".rstrip()]
    parts += [count(rows, "row")] if rows else []
    if unit in RATED and not task.finished and task.speed:
        parts.append(f"{task.speed:,.0f}/s")
        if (left := task.time_remaining) is not None:
            parts.append(f"{int(left) // 60}:{int(left) % 60:02} left")
    return ", ".join(parts)


def _wrapped(line: str, width: int) -> str:
    """A line of the log on a screen, with what goes on below the message and no word cut."""
    from textwrap import wrap

    parts = wrap(
        line,
        max(width, 2 * CLOCK),
        subsequent_indent=" " * CLOCK,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )
    return "\n".join(parts)


class _Later:
    """Something that is done once a moment is over, unless that is cancelled before."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._cancelled = self._begun = False
        self._timer = threading.Timer(A_MOMENT, self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        with self._lock:
            if not self._cancelled:
                self._begun = True
                self._begin()

    def cancel(self) -> bool:
        """See that it does not begin any more; whether it had."""
        self._timer.cancel()
        with self._lock:
            self._cancelled = True
            return self._begun
