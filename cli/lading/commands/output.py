"""What people read: results on stdout, findings on stderr, all through the redactor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import click

from lading.errors import Place, Problem
from lading.secrets import redact

# A column of text that is wrapped has at least so many letters on a line.
NARROWEST = 10


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    click.echo(redact(text), color=_colour())


def complain(
    message: str,
    *,
    code: str,
    severity: Literal["error", "warning"] = "error",
    place: Place | None = None,
    hint: str | None = None,
    shows_line: bool = True,
) -> None:
    """A finding, on stderr: the place with its line, if that is what is wrong; what is wrong, what
    to do. A JSON line if log lines are; for GitHub an annotation of the file."""
    from lading import log

    if log.sink.format == "json":
        say_it = log.error if severity == "error" else log.warning
        where = {"file": place.file, "line": place.line, "column": place.column} if place else {}
        say_it(code, message, **where, **({"hint": hint} if hint else {}))
        return
    if log.sink.format == "github":
        _to_stderr(_annotation(severity, message, place, hint))
    else:
        label = click.style(severity, fg="red" if severity == "error" else "yellow")
        _to_stderr(f"{f'{place}: ' if place else ''}{label}: {message}")
    for line in excerpt(place) if place and shows_line else ():
        _to_stderr(line)
    if hint and log.sink.format != "github":
        _to_stderr(f"    {hint}")


def _annotation(severity: str, message: str, place: Place | None, hint: str | None) -> str:
    """The line that GitHub's runners make an annotation of: its "workflow commands"."""
    known = (
        {"file": _in_workspace(place.file), "line": place.line, "col": place.column}
        if place
        else {}
    )
    given = (
        f"{key}={_escaped(str(each), ':,')}" for key, each in known.items() if each is not None
    )
    text = _escaped(f"{message}\n{hint}" if hint else message)
    return f"::{' '.join(filter(None, (severity, ','.join(given))))}::{text}"


def _in_workspace(file: str) -> str:
    """The file as seen from the top of the repository, where the project may be a folder of it."""
    top = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    path = ((_roots[0] if _roots else Path()) / file).resolve()
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else file


def _escaped(text: str, more: str = "") -> str:
    for each in ("%", "\r", "\n", *more):
        text = text.replace(each, f"%{ord(each):02X}")
    return text


_roots: list[Path] = []


def look_in(root: Path) -> None:
    """Have findings shown with the lines of this project's files that they are about."""
    _roots[:] = [root]


def excerpt(place: Place) -> tuple[str, ...]:
    """The line of a place with a caret below its column; nothing where there is no such line, or
    where a secret may stand in it."""
    if not _roots or place.line is None or place.column is None or not _may_be_shown(place.file):
        return ()
    try:
        lines = (_roots[0] / place.file).read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return ()
    if not 0 < place.line <= len(lines):
        return ()
    line = lines[place.line - 1].rstrip()
    # A tab before the caret is as wide as the one in the line.
    before = "".join("\t" if each == "\t" else " " for each in line[: place.column - 1])
    number = str(place.line)
    return (f"    {number} | {line}", f"    {' ' * len(number)} | {before}^")


def _may_be_shown(file: str) -> bool:
    """Whether no secret can be meant to stand there, as it may in project.yml and in `.env`."""
    return file.endswith((".sql", ".yml", ".yaml")) and "/" in file


def remark(text: str) -> None:
    """Something to know beside the findings, on stderr."""
    from lading import log

    if log.sink.format == "json":
        log.info("remark", text)
    else:
        _to_stderr(text)


def _to_stderr(text: str) -> None:
    click.echo(redact(text), err=True, color=_colour())


def _colour() -> bool | None:
    """No colour where it is not wanted (https://no-color.org); else on a terminal alone."""
    return False if os.environ.get("NO_COLOR") else None


def screen_width() -> int | None:
    """The columns of the terminal that results are read on; None where it is none."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_problems(problems: Iterable[Problem]) -> None:
    """All findings, and how many of them are errors."""
    found = list(problems)
    for each in found:
        complain(
            each.message, code="problem", severity=each.severity, place=each.place, hint=each.hint
        )
    errors = sum(problem.severity == "error" for problem in found)
    if errors > 1:
        remark(f"{errors} errors")


def show_bug(error: BaseException) -> None:
    """An error that nobody foresaw, in one sentence; its traceback for those who ask for it."""
    from lading import log

    wish = "please report it, with what `--log-level debug` prints"
    wanted = log.sink.level == "debug"
    message = f"this is a fault in lading itself: {type(error).__name__}: {error}"
    complain(message, code="bug", hint=None if wanted else wish)
    if wanted:
        import traceback

        remark("".join(traceback.format_exception(error)))


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None
) -> str:
    """Columns under headings; numbers to the right. On a terminal, or with a `width`, that is too
    narrow for it, texts go over several lines of their column; elsewhere nothing is wrapped:
    scripts read it."""
    return "\n".join(line for lines in table_lines(headings, rows, width) for line in lines)


def table_lines(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    width: int | None = None,
    indent: int = 2,
) -> list[list[str]]:
    """The lines of a table's headings, and those of each of its rows."""
    cells = [[cell_text(value) for value in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[column]) for row in cells)) if cells else len(heading)
        for column, heading in enumerate(headings)
    ]
    right = numeric_columns(cells, len(headings))
    room = width if width is not None else screen_width()
    if room is not None:
        widths = _fitted(widths, right, room - indent - 2 * (len(widths) - 1))
    return [
        [(" " * indent + line).rstrip() for line in _lines(row, widths, right)]
        for row in (headings, *cells)
    ]


def _fitted(widths: Sequence[int], right: Sequence[bool], room: int) -> list[int]:
    """Widths that fit in so many columns, as far as texts can be made narrower: the widest first,
    and none below `NARROWEST`."""
    fitted = list(widths)
    while sum(fitted) > room:
        texts = [n for n, width in enumerate(fitted) if not right[n] and width > NARROWEST]
        if not texts:
            return list(widths)
        fitted[max(texts, key=lambda n: fitted[n])] -= 1
    return fitted


def _lines(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    from itertools import zip_longest

    parts = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for line in zip_longest(*parts, fillvalue=""):
        yield "  ".join(
            cell.rjust(width) if to_the_right else cell.ljust(width)
            for cell, width, to_the_right in zip(line, widths, right, strict=True)
        )


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_on_hyphens=False)


def counts(
    of: Sequence[Any], always: Sequence[str], sometimes: Sequence[str]
) -> tuple[list[str], list[list[object]]]:
    """Headings and rows of what is counted by blueprint; a count is left out where it is 0 in all
    of them, unless it is there `always`."""
    shown = [*always, *(each for each in sometimes if any(getattr(one, each) for one in of))]
    rows = [[each.blueprint, *(getattr(each, name) for name in shown)] for each in of]
    return ["blueprint", *(name.replace("_", " ") for name in shown)], rows


def numeric_columns(cells: Sequence[Sequence[str]], columns: int) -> list[bool]:
    """Whether each column has numbers, and nothing else but empty cells."""
    filled = ([row[column] for row in cells if row[column]] for column in range(columns))
    return [bool(each) and all(map(_is_number, each)) for each in filled]


def cell_text(value: object) -> str:
    """A value as a table has it: nothing for None, a comma for thousands."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 entity`, `1,204 entities`."""
    word = noun if number == 1 else plural or f"{noun}s"
    return f"{number:,} {word}"


def program() -> str:
    """How this program is called from here: by its name if that is on the path."""
    import shutil
    import sys

    if shutil.which("lading"):
        return "lading"
    called = Path(sys.argv[0])
    return f"{sys.executable} -m lading" if called.name == "__main__.py" else str(called)
