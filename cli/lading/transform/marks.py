"""From a position in rendered SQL back to the line that a person wrote.

A template is rendered a second time with a mark before each piece of its text and each of its
expressions. The marks say where in which file the piece stands; taken out again, they leave the
SQL as it was, and a list of where each stretch of it came from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

# Noncharacters of Unicode: no text has them.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
MARK = re.compile(f"{OPEN}([^{CLOSE}]*):([0-9]+):([0-9]+):([tx]){CLOSE}")
NEWLINE = re.compile(r"\r\n|\r|\n")
LINE = re.compile(r"[^\n]*\n|[^\n]+")
BEGINNINGS = frozenset({"variable_begin", "block_begin"})


def column_of(text: str, line: int | None, name: str) -> int | None:
    """The column of a name in a line of a text, for Jinja tells the line alone; None unless the
    name is in it once."""
    lines = NEWLINE.split(text)
    if line is None or line > len(lines):
        return None
    found = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", lines[line - 1]))
    return found[0].start() + 1 if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the SQL from `offset` on comes from; `is_text` if it stands there letter by letter."""

    offset: int
    file: str
    line: int
    column: int
    is_text: bool

    def column_at(self, offset: int) -> int:
        return self.column + (offset - self.offset if self.is_text else 0)


def marked(environment: Environment, source: str, file: str) -> str:
    """The template with a mark before each line of its text and before each `{{` and `{%`."""
    source = NEWLINE.sub("\n", source)
    pieces: list[str] = []
    position = 0
    for _, kind, value in environment.lex(source):
        # Jinja's tokens lack the blanks that a `{%-` takes away, and a newline at the very end.
        position = source.index(value, position)
        if kind == "data":
            pieces.append(_marked_text(source, position, value, file))
        elif kind in BEGINNINGS:
            pieces.append(_mark(source, position, file, "x") + value)
        else:
            pieces.append(value)
        position += len(value)
    return "".join(pieces) + "\n"


def _marked_text(source: str, position: int, text: str, file: str) -> str:
    pieces = []
    for line in LINE.findall(text):
        pieces.append(_mark(source, position, file, "t") + line)
        position += len(line)
    return "".join(pieces)


def _mark(source: str, position: int, file: str, kind: str) -> str:
    line = source.count("\n", 0, position) + 1
    column = position - source.rfind("\n", 0, position)
    return f"{OPEN}{file}:{line}:{column}:{kind}{CLOSE}"


def unmarked(text: str) -> tuple[str, tuple[Mark, ...]]:
    """The text without its marks, and the marks, in order."""
    marks: list[Mark] = []
    pieces: list[str] = []
    length = end = 0
    for found in MARK.finditer(text):
        piece = text[end : found.start()]
        pieces.append(piece)
        length += len(piece)
        file, line, column, kind = found.groups()
        marks.append(Mark(length, file, int(line), int(column), kind == "t"))
        end = found.end()
    return "".join([*pieces, text[end:]]), tuple(marks)
