"""Where a character of a YAML text stands in its file, whatever way the text is written.

The text is put together again from the file, each character with its place. Where that does not
give the text to the letter, no place is given at all, and never a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lading.mapping.expressions import KeyPath

if TYPE_CHECKING:
    import yaml

# Line and column, from 0.
Spot = tuple[int, int]
Character = tuple[str, Spot]
Line = list[Character]

BLANKS = " \t"
ESCAPES = dict(zip('"\\/ ntrbf0', '"\\/ \n\t\r\b\f\0', strict=True))
CODE_LENGTHS = {"x": 2, "u": 4, "U": 8}


def place_within(text: str, at: KeyPath, value: str, offset: int) -> tuple[int, int] | None:
    """Line and column (from 1) of the character at `offset` of the value at the end of a path;
    None if that can't be said for sure. `text` is all of the file."""
    import yaml

    try:
        node = _found(yaml.compose(text, Loader=yaml.SafeLoader), at)
    except (yaml.YAMLError, RecursionError):
        return None
    if node is None:
        return None
    characters = list(_characters(text.splitlines(keepends=False), node))
    written = "".join(character for character, _ in characters)
    is_whole = written == value.rstrip("\n") if node.style in {"|", ">"} else written == value
    if not is_whole or not 0 <= offset < len(characters):
        return None
    line, column = characters[offset][1]
    return line + 1, column + 1


def _found(node: yaml.Node | None, at: KeyPath) -> yaml.ScalarNode | None:
    import yaml

    for step in at:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            return None
    return node if isinstance(node, yaml.ScalarNode) else None


def _characters(lines: Sequence[str], node: yaml.ScalarNode) -> Iterator[Character]:
    first, last = node.start_mark, node.end_mark
    if node.style in {"|", ">"}:
        yield from _block(lines, node)
        return
    quotes = 1 if node.style else 0
    physical = []
    for number in range(first.line, min(last.line + 1, len(lines))):
        begin = first.column + quotes if number == first.line else 0
        end = last.column - quotes if number == last.line else len(lines[number])
        physical.append(_unquoted(lines[number], number, begin, end, node.style))
    yield from _folded(_trimmed(physical))


def _unquoted(line: str, number: int, begin: int, end: int, style: str | None) -> Line:
    """A line of a plain or quoted text, its escapes read."""
    found: Line = []
    at = begin
    while at < end:
        character, width = line[at], 1
        if style == "'" and character == "'":
            width = 2
        elif style == '"' and character == "\\":
            character, width = _escaped(line, at)
        found.append((character, (number, at)))
        at += width
    return found


def _escaped(line: str, at: int) -> tuple[str, int]:
    """What a backslash stands for, and how long that is. One that is not known stays: what is put
    together is not the text then."""
    mark = line[at + 1 : at + 2]
    if mark in CODE_LENGTHS:
        digits = line[at + 2 : at + 2 + CODE_LENGTHS[mark]]
        try:
            return chr(int(digits, 16)), 2 + len(digits)
        except (ValueError, OverflowError):
            return "\\", 1
    return (ESCAPES[mark], 2) if mark in ESCAPES else ("\\", 1)


def _trimmed(physical: Sequence[Line]) -> list[Line]:
    """Without the blanks around a line break."""
    lines = [list(line) for line in physical]
    for number, line in enumerate(lines):
        while number > 0 and line and line[0][0] in BLANKS:
            del line[0]
        while number < len(lines) - 1 and line and line[-1][0] in BLANKS:
            del line[-1]
    return lines


def _block(lines: Sequence[str], node: yaml.ScalarNode) -> Iterator[Character]:
    """The lines below `|` or `>`, without their indentation and the line breaks at the end."""
    number = node.start_mark.line + 1
    header = lines[node.start_mark.line][node.start_mark.column :].partition("#")[0]
    below = lines[number : node.end_mark.line + 1]
    if any(each.isdecimal() for each in header):
        return  # the indentation counts from the parent's, which is not known here
    indents = [len(line) - len(line.lstrip(" ")) for line in below if line.strip()]
    if not indents:
        return
    indent = indents[0]
    found: list[Line] = []
    for row, line in enumerate(below, number):
        if line.strip() and len(line) - len(line.lstrip(" ")) < indent:
            break
        found.append([(each, (row, indent + at)) for at, each in enumerate(line[indent:])])
    while found and not found[-1]:
        found.pop()
    yield from _folded(found, only_plain=True) if node.style == ">" else _stacked(found)


def _stacked(lines: Sequence[Line]) -> Iterator[Character]:
    for number, line in enumerate(lines):
        yield from [_break_after(lines[number - 1])] if number else []
        yield from line


def _folded(lines: Sequence[Line], *, only_plain: bool = False) -> Iterator[Character]:
    """Lines joined: by a space, or by the empty lines between them. With `only_plain` a line that
    begins with a blank keeps its line breaks."""
    before: Line | None = None
    empty = 0
    for line in lines:
        if not line:
            empty += 1
            continue
        kept = only_plain and any(each and each[0][0] in BLANKS for each in (before, line))
        if before is None:
            breaks = "\n" * empty
        elif kept:
            breaks = "\n" * (empty + 1)
        else:
            breaks = "\n" * empty or " "
        spot = _break_after(before)[1] if before else line[0][1]
        yield from ((each, spot) for each in breaks)
        yield from line
        before, empty = line, 0


def _break_after(line: Line) -> Character:
    row, column = line[-1][1] if line else (0, 0)
    return "\n", (row, column + 1)
