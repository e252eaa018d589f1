"""Bars on a terminal while something takes time; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lading import log

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """A bar for each thing that is under way; does nothing when nobody watches."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def start(self, name: str, total: int) -> None:
        """Show a bar of `total` steps; a bar of that name starts again."""
        if self._progress is None:
            return
        if name in self._tasks:
            self._progress.reset(self._tasks[name], total=total)
        else:
            self._tasks[name] = self._progress.add_task(name, total=total)

    def advance(self, name: str, steps: int = 1) -> None:
        """Move a bar on."""
        if self._progress is not None and name in self._tasks:
            self._progress.advance(self._tasks[name], steps)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars on stderr if that is a terminal, with log lines running above them."""
    if not sys.stderr.isatty() or log.sink.format == "json":
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        log.sink.write = lambda line: console.print(line, soft_wrap=True)
        try:
            yield Bars(progress)
        finally:
            log.sink.write = None
