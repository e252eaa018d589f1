"""Tables in GitHub's Markdown show what is in their cells, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lading.commands.markdown import table
from lading.secrets import register

if TYPE_CHECKING:
    from markdown_it.token import Token

# What Markdown, HTML and tables make something of, and a few letters to make it of.
TEXT = st.text("ab1 |\\`*_~<>[]()!&;#:-.,/\"'é", max_size=12).map(str.strip)


def cells(text: str) -> list[list[tuple[str, str]]]:
    """Each cell of each row: what is shown, and to which side it is aligned."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert (tokens[0].type, tokens[-1].type) == ("table_open", "table_close")
    rows: list[list[tuple[str, str]]] = []
    for before, token in pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append((shown(token), str(before.attrs.get("style", ""))))
    return rows


def shown(token: Token) -> str:
    """What stands in a cell, which must be text or line breaks and no markup."""
    children = token.children or []
    assert {each.type for each in children} <= {"text", "html_inline"}
    assert {each.content for each in children if each.type == "html_inline"} <= {"<br>"}
    return "".join("\n" if each.type == "html_inline" else each.content for each in children)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_whatever_is_in_a_cell_is_shown_as_it_is(rows: list[tuple[str, str]]) -> None:
    found = cells(table(["one", "two"], rows))
    texts = [tuple(text for text, _ in row) for row in found]
    assert texts == [("one", "two"), *rows]


def test_numbers_lines_secrets_and_nothing() -> None:
    register("a_secret_*_of_0001")
    rows = [[1204, None, "one\r\nof | two", 1], [-5, None, "a_secret_*_of_0001", "1 day"]]
    right, left = "text-align:right", ""
    assert cells(table(["number", "empty", "text", "mixed"], rows)) == [
        [("number", right), ("empty", left), ("text", left), ("mixed", left)],
        [("1,204", right), ("", left), ("one\nof | two", left), ("1", left)],
        [("-5", right), ("", left), ("********", left), ("1 day", left)],
    ]
    assert table(["one"], []) == "| one |\n| --- |"
