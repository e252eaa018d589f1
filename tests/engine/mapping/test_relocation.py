"""JQ that was written for one record gives the same for a row that has it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.mapping.importing.relocation import Relocation

# What a flattened answer had, and where it is in a bucket that is split.
FLAT = Relocation(".item + {day: .starting_at}", "item.", {"day": "starting_at"})
LIST = Relocation("{id: .user_id, name: .name}", "", {"id": "user_id", "name": "name"})

ATOMS = (
    *(".a", ".b", ".day", ".a.b", ".day[:4]", ".a[0]", '.b["a"]', ".a?", ".missing", "."),
    *("1", "2.5", '"x"', "null", "true", "length", ".. | numbers", '"\\(.a)"', ". as $x | $x.a"),
    *("if .a then .b else .day end", "[.a, .b]", "{a, c: .day}", "(.a | tostring) + .day # end"),
)
# Of which each path gives something else, so that none can be taken for another.
DEEP: Mapping[str, Any] = {
    "a": {"a": {"a": 1, "b": "x"}, "b": {"a": "2", "item": 3}, "day": "none", "item": {"a": 4}},
    "b": {"a": {"b": 5}, "b": 6, "item": {"a": 7, "b": 8}, "starting_at": "never"},
    "item": {"a": {"a": 9}, "b": 10},
}
RECORDS = st.sampled_from(
    [DEEP, {"a": "1", "b": "2"}, {"a": [1, 2], "b": None}, {"a": 1, "b": 2}, {"a": None}, {}]
)
EXPRESSIONS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("({}\n)".format, inner),
        st.builds("{} + ({}\n)".format, inner, inner),
        st.builds("({}\n) // {}".format, inner, inner),
        st.builds("({}\n) | tostring".format, inner),
        st.builds("({}\n) | {}".format, inner, inner),
        st.builds("({}\n) == .a".format, inner),
        st.builds("({}\n).a".format, inner),
    ),
    max_leaves=5,
)


def outcome(program: str, value: Any) -> Any:
    try:
        return jq.compile(program).input_value(value).all()
    except ValueError as error:
        return type(error)


@settings(max_examples=200)
@given(EXPRESSIONS, RECORDS, st.sampled_from(["", "2026-02"]))
def test_the_same_comes_out_of_the_row_as_of_the_record(
    text: str, item: Mapping[str, Any], day: str
) -> None:
    record = {**item, "day": day}
    row = {"starting_at": day, "ending_at": "later", "item": item, "results": [item], "a": 7}
    assert outcome(FLAT.moved(text), row) == outcome(text, record)


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ('(.workspace_id // "default") + "-" + .day[:10]',
         '(.item.workspace_id // "default") + "-" + .starting_at[:10]'),
        ('((.a // "0") | tonumber)', '((.item.a // "0") | tonumber)'),
        (".cache_creation.day // 0", ".item.cache_creation.day // 0"),
        ("(.a | .b)", ".item + {day: .starting_at} | ((.a | .b))"),
        (".a | tonumber + .b", ".item + {day: .starting_at} | (.a | tonumber + .b)"),
        ("'x' + .a # y", '.item + {day: .starting_at} | ("x" + .a # y\n\n)'),
        ("'x' # y", "'x' # y"),
        ('"claude_usage"', '"claude_usage"'),
        ("true", "true"),
        ("5", "5"),
        ("now", ".item + {day: .starting_at} | (now)"),
    ],
)  # fmt: skip
def test_how_it_is_written(written: str, moved: str) -> None:
    assert FLAT.moved(written) == moved


def test_columns_of_a_list() -> None:
    assert LIST.moved('.id + " " + .name') == '.user_id + " " + .name'
    assert LIST.moved("[.id]") == "{id: .user_id, name: .name} | ([.id])"
