"""Tables on a terminal: as wide as that is, with every word of theirs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lading.commands.output import table

HEADINGS = ["stream", "width", "grouped by", "ranges", "records"]
GROUPED = "api_key_id, workspace_id, model, service_tier, context_window"
WIDE = f"""\
  stream          width  {"grouped by":<61}  ranges  records
  usage_messages  1d     {GROUPED}      11    3,320
  cost_report     1d     {"-":<61}       1       35"""
NARROW = f"""\
  stream          width  {"grouped by":<38}  ranges  records
  usage_messages  1d     {"api_key_id, workspace_id, model,":<38}      11    3,320
                         service_tier, context_window
  cost_report     1d     {"-":<38}       1       35"""
WORDS = st.text("abc_é", min_size=1, max_size=30)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 10**12)), min_size=1, max_size=5)


def test_what_is_too_long_goes_on_in_its_column() -> None:
    rows = [("usage_messages", "1d", GROUPED, 11, 3320), ("cost_report", "1d", "-", 1, 35)]
    assert table(HEADINGS, rows) == table(HEADINGS, rows, 120) == WIDE
    assert table(HEADINGS, rows, 80) == NARROW


@given(ROWS, st.integers(60, 100))
def test_nothing_is_lost_and_nothing_is_wider(rows: list[tuple[str, str, int]], width: int) -> None:
    shown = table(["one", "two", "n"], rows, width)
    assert all(len(line) <= width for line in shown.split("\n"))
    whole = "".join("".join([one, two, f"{n:,}"]) for one, two, n in rows)
    assert sorted(shown.replace("\n", "").replace(" ", "")) == sorted(
        f"onetwon{whole}".replace(" ", "")
    )
