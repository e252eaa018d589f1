"""docs/reference/ says what the code says."""

from __future__ import annotations

from tools.reference import PAGES, pages


def test_the_pages_are_as_they_would_be_made() -> None:
    made = pages()
    written = {each.name: each.read_text("utf-8") for each in PAGES.glob("*.md")}
    assert written.keys() == made.keys()
    for name, text in made.items():
        assert written[name] == text, f"docs/reference/{name}: run `make reference`"


def test_every_command_setting_and_column_is_described() -> None:
    """A row whose last cell is empty says nothing to anybody."""
    for name, text in pages().items():
        empty = [
            line for line in text.splitlines() if line.startswith("|") and line.endswith("|  |")
        ]
        assert empty == [], name
