"""What people read: results on stdout, findings on stderr, all through the redactor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import click

from lading.errors import Problem
from lading.secrets import redact


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    click.echo(redact(text), color=_colour())


def complain(text: str) -> None:
    """A line for people who look at what went wrong, on stderr."""
    click.echo(redact(text), err=True, color=_colour())


def _colour() -> bool | None:
    """No colour where it is not wanted (https://no-color.org); else on a terminal alone."""
    return False if os.environ.get("NO_COLOR") else None


def show_problems(problems: Iterable[Problem]) -> None:
    """All findings: the place, what is wrong, what to do."""
    found = list(problems)
    for problem in found:
        label = click.style(problem.severity, fg="red" if problem.severity == "error" else "yellow")
        where = f"{problem.place}: " if problem.place else ""
        complain(f"{where}{label}: {problem.message}")
        if problem.hint:
            complain(f"    {problem.hint}")
    errors = sum(problem.severity == "error" for problem in found)
    if errors > 1:
        complain(f"{errors} errors")


def show_bug(error: BaseException) -> None:
    """An error that nobody foresaw, in one sentence; its traceback for those who ask for it."""
    from lading import log

    complain(f"error: this is a fault in lading itself: {type(error).__name__}: {error}")
    if log.sink.level == "debug":
        import traceback

        complain("".join(traceback.format_exception(error)))
    else:
        complain("    please report it, with what `--log-level debug` prints")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under headings; numbers to the right. Never wrapped: scripts read it too."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[column]) for row in cells)) if cells else len(heading)
        for column, heading in enumerate(headings)
    ]
    right = [
        bool(cells) and all(_is_number(row[column]) for row in cells)
        for column in range(len(headings))
    ]
    lines = [_line(headings, widths, right)]
    lines += [_line(row, widths, right) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return "  " + "  ".join(
        cell.rjust(width) if to_the_right else cell.ljust(width)
        for cell, width, to_the_right in zip(cells, widths, right, strict=True)
    )


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 entity`, `1,204 entities`."""
    word = noun if number == 1 else plural or f"{noun}s"
    return f"{number:,} {word}"
