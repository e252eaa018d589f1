"""GitHub-flavoured Markdown, for summaries of CI jobs and for pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lading.commands.output import cell_text, numeric_columns
from lading.secrets import redact

# What Markdown would take for its own: emphasis, code, links, tags, entities; and a table's pipes.
MARKS = re.compile(r"[\\|<*`\[~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose cells show just what is given; columns of numbers to the right.

    Lines of a cell stay lines. Secrets are masked first: with marks in them they would not be
    known again.
    """
    cells = [[cell_text(value) for value in row] for row in rows]
    right = numeric_columns(cells, len(headings))
    lines = [headings, ["---:" if each else "---" for each in right]]
    written = [[escaped(cell) for cell in row] for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, *written])


def escaped(text: str) -> str:
    """A text as Markdown that shows it as it is, on one line of the source."""
    lines = (MARKS.sub(r"\\\g<0>", line) for line in redact(text).splitlines())
    return "<br>".join(lines)
