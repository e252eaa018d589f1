"""Parts of a report that people read on a terminal, or in the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lading.commands import markdown
from lading.commands.output import screen_width, table_lines


@dataclass(frozen=True, slots=True)
class Section:
    """A table under its title, or only a sentence if there are no rows.

    `notes` are lines that belong to each row and are too long for a column; in Markdown, whose
    columns wrap, they are one that is called `noted`. The `hint` stands below.
    """

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    notes: Sequence[Sequence[str]] = ()
    noted: str = ""
    hint: str = ""


def as_text(sections: Iterable[Section]) -> str:
    """The sections for a terminal, with an empty line between them."""
    return "\n\n".join("\n".join(_lines(each)) for each in sections)


def as_markdown(heading: str, sections: Iterable[Section]) -> str:
    """The sections below a heading, in GitHub's Markdown."""
    return "\n\n".join([f"## {markdown.escaped(heading)}", *map(_markdown, sections)])


def _lines(section: Section) -> Iterator[str]:
    if not section.rows:
        yield f"{section.title}."
        return
    yield f"{section.title}:"
    first, *rows = table_lines(section.headings, section.rows)
    yield from first
    for row, notes in zip_longest(rows, section.notes, fillvalue=()):
        yield from row
        lines = (line for note in notes for line in note.splitlines())
        yield from (f"    {part}" for line in lines for part in _fitted(line))
    if section.hint:
        yield section.hint


def _fitted(note: str) -> list[str]:
    """The lines of a note, in front of which there are four columns."""
    from textwrap import wrap

    if (width := screen_width()) is None or len(note) + 4 <= width:
        return [note]
    return wrap(note, max(20, width - 4), break_long_words=False, break_on_hyphens=False)


def _markdown(section: Section) -> str:
    title = markdown.escaped(section.title)
    if not section.rows:
        return f"{title}."
    parts = [f"### {title}", _markdown_table(section)]
    return "\n\n".join([*parts, markdown.escaped(section.hint)] if section.hint else parts)


def _markdown_table(section: Section) -> str:
    if not any(section.notes):
        return markdown.table(section.headings, section.rows)
    rows = zip(section.rows, section.notes, strict=True)
    return markdown.table(
        [*section.headings, section.noted], [[*row, "\n".join(notes)] for row, notes in rows]
    )
