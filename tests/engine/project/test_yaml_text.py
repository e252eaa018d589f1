"""What is written as YAML is read as it was."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lading.project.documents import read_document
from lading.project.yaml_text import yaml_text

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")) | st.sampled_from(
    ["2026-01-01", "yes", "on", "null", "1.0", "0x1F", "1_000", "=", "<<", "~", "- a", "a: b", "#"]
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_it_is_read_as_it_was(data: Any) -> None:
    assert read_document("a.yml", yaml_text(data)).data == data


def test_an_expression_stays_on_a_line_and_what_stands_twice_is_written_twice() -> None:
    long = {"a": ".results | " + "map(.x) | " * 40 + "add"}
    assert yaml_text([long, long]).count("\n") == 2
    assert "&" not in yaml_text([long, long])
