"""An error within an expression is placed in the file to the column, or where the text begins."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.mapping.scalars import place_within

# A file, what of it is looked for in its value, and where that stands: line and column.
PLACES = [
    ("k: .a b\n", "b", (1, 7)),
    ("k:   .a  b  # c\n", "b", (1, 10)),
    ("k: .a\n   b c\n", "c", (2, 6)),
    ("k: .a\n\n\n  b\n", "b", (4, 3)),
    ("k: '.a b'\n", "b", (1, 8)),
    ("k: 'it''s b'\n", "b", (1, 11)),
    ("k: 'a\n  b'\n", "b", (2, 3)),
    ('k: "\\"é\\" + b"\n', "b", (1, 13)),
    ('k: "\\u0041\\x42\\n\\tb"\n', "b", (1, 19)),
    ('k: "a\n\n   b"\n', "b", (3, 4)),
    ("k: |\n  .a\n    .c b\n", "b", (3, 8)),
    ("k: |-\n\n  .a\n\n  b\n\n", "b", (5, 3)),
    ("k: >-\n  a\n  c b\n", "b", (3, 5)),
    ("k: >-\n  a\n    c\n  b\n", "b", (4, 3)),
    ("k: >- # why\n  a\n\n\n  b\nl: 1\n", "b", (5, 3)),
    ('{"k": "a\\/b"}\n', "b", (1, 11)),
]


@pytest.mark.parametrize(("text", "wanted", "place"), PLACES)
def test_the_place_of_a_character(text: str, wanted: str, place: tuple[int, int]) -> None:
    value = yaml.safe_load(text)["k"]

    assert place_within(text, ("k",), value, value.index(wanted)) == place


@pytest.mark.parametrize(
    "text",
    [
        'k: "a\\\n  b"\n',  # a line that goes on without a space
        'k: "a\\_\\N b"\n',  # escapes that nobody writes
        "k: |2\n   a b\n",  # an indentation that is counted from another line's
        "j: &x .a b\nk: *x\n",  # an anchor stands before it
        "j: {k: b}\n",
        "k: [",
    ],
)
def test_no_place_where_there_is_a_doubt(text: str) -> None:
    try:
        value = yaml.safe_load(text).get("k", "b")
    except yaml.YAMLError:
        value = "b"

    assert place_within(text, ("k",), value, value.index("b")) is None


def test_no_place_of_another_text_or_beyond_it() -> None:
    assert place_within("k: a b\n", ("k",), "a c", 2) is None
    assert place_within("k: a b\n", ("k",), "a b", 3) is None
    assert place_within("k: [a, b]\n", ("k", 1), "b", 0) == (1, 8)
    assert place_within("k: [a, b]\n", ("k", 2), "b", 0) is None


VALUES = st.text("ab'\"\\#:|>- .{}[](),é\n", min_size=1, max_size=40).filter(str.strip)


@settings(max_examples=300)
@given(VALUES, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(5, 30))
def test_a_place_is_never_wrong(value: str, style: str | None, width: int) -> None:
    text = yaml.safe_dump(
        {"a": {"k": value, "l": 1}}, default_style=style, width=width, allow_unicode=True
    )
    lines = text.split("\n")

    for offset, character in enumerate(value):
        place = place_within(text, ("a", "k"), value, offset)
        if place is not None and character not in " \n":
            found = lines[place[0] - 1][place[1] - 1 :]
            assert found.startswith((character, "\\" + character, "\\x", "\\u")), (text, offset)


@given(st.text("abc+|. ()", min_size=1, max_size=20).map(str.strip).filter(bool))
def test_what_stands_on_one_line_always_has_a_place(value: str) -> None:
    for text in (
        f"k: '{value}'\n",
        f'k: "{value}"\n',
        f"k: |-\n  {value}\n",
        f"k: >-\n  {value}\n",
    ):
        last = len(value) - 1
        line, column = place_within(text, ("k",), value, last) or (0, 0)
        assert text.split("\n")[line - 1][column - 1] == value[last]
