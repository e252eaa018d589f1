"""From relation to relation, and whatever text comes in the place of SQL."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lading.transform.lineage import ColumnLineage, Origin, column_lineage, trace

LINEAGES = {
    "staging.results": (
        ColumnLineage("day", (), (Origin("raw.usage", "starting_at"),)),
        ColumnLineage("tokens", (), (Origin("raw.usage", "payload", ("results", "[]", "tokens")),)),
        ColumnLineage("tools", (), (Origin("raw.usage", "payload", ("tools",)),)),
    ),
    "marts.usage": (
        ColumnLineage("day", (), (Origin("staging.results", "DAY", computed=True),)),
        ColumnLineage("results", ("[]", "tokens"), (Origin("staging.results", "tokens"),)),
        ColumnLineage("results", ("[]", "none"), ()),
        ColumnLineage("tools", ("<key>",), (Origin("staging.results", "day"),)),
        ColumnLineage("tools", ("*", "used"), (Origin("staging.results", "tools", ("*", "used")),)),
        ColumnLineage("*", (), (Origin("staging.results", "*"),)),
    ),
}
TOKENS = ("raw.usage", "payload", ("results", "[]", "tokens"))


@pytest.mark.parametrize(
    ("column", "path", "expected"),
    [
        ("day", (), (Origin("raw.usage", "starting_at", computed=True),)),
        ("day", ("year",), (Origin("raw.usage", "starting_at", computed=True),)),
        ("results", (), (Origin(*TOKENS),)),
        ("results", ("[]", "tokens"), (Origin(*TOKENS),)),
        ("results", ("[]", "tokens", "x"), (Origin(*TOKENS[:2], (*TOKENS[2], "x")),)),
        ("results", ("[]", "none"), ()),
        ("results", ("[]", "missing"), ()),
        ("results", ("missing",), ()),
        ("tools", ("edit", "used"), (Origin("raw.usage", "payload", ("tools", "*", "used")),)),
        ("tools", ("[]", "used"), (Origin("raw.usage", "payload", ("tools", "*", "used")),)),
        ("tools", ("<key>",), (Origin("raw.usage", "starting_at"),)),
        ("Tokens", ("x",), (Origin(*TOKENS[:2], (*TOKENS[2], "x")),)),
        ("missing", (), ()),
    ],
)
def test_a_field_is_followed_to_its_end(
    column: str, path: tuple[str, ...], expected: tuple[Origin, ...]
) -> None:
    assert trace(LINEAGES, "Marts.Usage", column, path) == expected


def test_a_relation_without_lineage_is_its_own_end() -> None:
    assert trace(LINEAGES, "raw.usage", "payload", ("a",)) == (
        Origin("raw.usage", "payload", ("a",)),
    )


def test_relations_that_read_themselves_and_each_other_come_to_an_end() -> None:
    lineages = {
        "a.x": column_lineage(
            "select s.inner as s, b.v from a.x as x, a.y as b union all select j, 1 from raw.t",
            {"a.x": ["s", "v"], "a.y": ["v"], "raw.t": ["j"]},
        ),
        "a.y": column_lineage("select v from a.x", {"a.x": ["s", "v"]}),
    }
    assert Origin("raw.t", "j") in trace(lineages, "a.x", "s")
    assert trace(lineages, "a.y", "v") == ()


def test_many_ways_to_one_origin_are_gone_once() -> None:
    """Each of 200 models reads the two before it: as many ways as there are Fibonacci numbers."""
    lineages = {"m.0": column_lineage("select a from raw.t", {"raw.t": ["a"]})}
    for number in range(1, 200):
        one, two = f"m.{number - 1}", f"m.{max(number - 2, 0)}"
        lineages[f"m.{number}"] = (
            ColumnLineage("a", (), (Origin(one, "a"), Origin(two, "a", computed=True))),
        )
    assert trace(lineages, "m.199", "a") == (Origin("raw.t", "a"),)


WORDS = """
    select from with recursive a as ( ) , * . x raw.t { } [ ] 'k' : 1 union all by name exclude
    replace using join left full natural on where group case when then end unnest list map columns
    -> ->> '$.a[0]' lambda e :: JSON over order pivot unpivot values lateral coalesce error struct
    from_json '{"a":["JSON"]}' = + not is null é $ ; "q" " ' /* --
"""
PIECES = st.sampled_from([*WORDS.split(), "\0", "\n"])
KNOWN = {"raw.t": ("a", "x", "k"), "raw.u": ("a",)}


@settings(max_examples=400, deadline=None)
@example("* replace *")
@given(st.lists(PIECES, max_size=16).map(" ".join) | st.text(max_size=20))
def test_nothing_is_raised(text: str) -> None:
    assert isinstance(column_lineage(text, KNOWN), tuple)
    assert isinstance(column_lineage(f"select {text} from raw.t, raw.u", KNOWN), tuple)


@pytest.mark.parametrize("deep", ["(" * 3000 + "1" + ")" * 3000, "a" + " + a" * 5000])
def test_what_is_nested_too_deeply_is_no_error(deep: str) -> None:
    assert isinstance(column_lineage(f"select {deep} as x from raw.t", KNOWN), tuple)
