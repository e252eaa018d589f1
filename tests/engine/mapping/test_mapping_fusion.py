"""One program for a resource gives what each of its expressions gives by itself."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import jq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.mapping.evaluate import Dropped, Filtered, Mapped, evaluate
from lading.mapping.expressions import Fault, constant, double_quoted, faults, gives_one_value
from lading.mapping.outline import parsed_path

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

    from lading.mapping.workers import Workers

# Each of these gives exactly one value or an error, and surely so.
ONE_VALUE = [
    ".",
    ".a",
    ".a.b",
    ".a.b.c",
    ".b[0]",
    ".b[-1]",
    ".b[1:]",
    ".a[:2]",
    '.["a"]',
    '.a["b"]',
    "(.a.b // 0)",
    '(.a // .b // "none")',
    ".a + .b",
    '.a + "-" + .b',
    ".b - 1",
    "-.b",
    ".a * 2",
    ".b / 2 % 3",
    "(.a | length) > 0",
    ".a == .b and (.c != null or .d)",
    ".a <= 1 | not",
    '(.a // "0") | tonumber',
    '.a | tostring | split("1") | join("-")',
    'if .a then .b elif .c == 1 then "c" else .d end',
    'if .a | not then "x" end',
    '.a | test("^x")',
    'has("a")',
    '.a | gsub("[^a-z]"; "_")',
    ".a | ascii_downcase | trim",
    ".b | add",
    ".b | sort | reverse",
    "12.5",
    '"text # with \\" and ; in it"',
    "null",
    "keys",
    "tojson",
    ".a.b\n  | length\t",
]
# These may give no value or several, or are beyond what is looked into.
GUARDED = [
    ".a, .b",
    ".[]",
    ".b[]",
    ".b[]?",
    ".a?",
    "..",
    ".. | numbers",
    "empty",
    "select(.a)",
    ".a[] | select(. > 1)",
    "range(3)",
    "error",
    'error("no")',
    "first(.b[])",
    "limit(2; .b[])",
    ".a as $x | $x",
    "$__loc__ | type",
    "reduce .b[] as $i (0; . + 1)",
    "foreach .b[] as $i (0; . + 1)",
    "def f: .a; f",
    "def lading_0: 5; lading_0",
    "label $out | 1, break $out",
    'try error("x") catch .',
    'try .a.b catch "caught"',
    '.a.b? // "d"',
    "{a, b}",
    "{a: .b[]}",
    "[.b[]]",
    '"\\(.a) and \\(.b)"',
    '"\\(.b[])"',
    '@text "x\\(.a)"',
    "@base64",
    ". as [$x] ?// {a: $x} | $x",
    ".a |= 5",
    ".a = 1 | .a",
    "to_entries",
    "with_entries(.value |= tostring)",
    "map(tostring)",
    "paths",
    ".a # a comment",
    "# first\n.a",
    ".a # ends in \\",
    "# a \\\n.b\n.a",
    "1 as $record | $record",
    "env.HOME",
    "input",
    "nan",
    "infinite",
    "[nan]",
    "1e1000",
    ".b | min, max",
    "-1 | sqrt",
    'getpath(["a", "b"])',
    'splits("a")',
    ".a | ltrimstr(1, 2)",
    "@json",
    "input_filename",
    "[.a]",
    "error({__jq: 0})",
    "first(error({__jq: 0}), 5)",
]
# These do not compile.
BROKEN = [
    "isvalid(.a)",
    ".a b",
    "(.a",
    ".a)",
    ".a) | (.b",
    ".a] | [.b",
    ".a; .b",
    "if .a then 1",
    '"open',
    "",
    "# nothing",
    "def f: 1;",
]
ALL = [*ONE_VALUE, *GUARDED, *BROKEN]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**53, 2**70),
    st.floats(-10, 10, allow_nan=False),
    st.text('a1xä"\\\n ', max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=6,
)
RECORDS = st.one_of(st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4), VALUES)


@cache
def compiled(text: str) -> Any:
    """A program of the expression's first value, if the expression compiles by itself."""
    shut = "def env: {}; {} as $ENV | "
    try:
        jq.compile(shut + text)
        return jq.compile(f"{shut}first({text}\n\n) | tojson")
    except ValueError:
        return None


def exactly(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def by_itself(text: str, record: Any) -> Any:
    """The expression's first value through jq alone, exactly; None if there is none."""
    program = compiled(double_quoted(text))
    try:
        return program and exactly(next(iter(program.input_text(json.dumps(record)))))
    except (ValueError, StopIteration):
        return None


@pytest.fixture(scope="module")
def everything(mapping_desk: Desk) -> Any:
    properties = {f"p{number}": text for number, text in enumerate(ALL)}
    return mapping_desk.resource({"identifier": '"i"', "properties": properties})


@settings(max_examples=20, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_fused_is_as_each_alone(everything: Any, jq_workers: Workers, records: list[Any]) -> None:
    found = list(evaluate(everything, map(json.dumps, records), jq_workers))

    for outcome, record in zip(found, records, strict=True):
        assert isinstance(outcome, Mapped)
        properties = exactly(outcome.entity.text)["properties"]
        failed = {failure.path for failure in outcome.failures}
        for number, text in enumerate(ALL):
            value = by_itself(text, record)
            assert properties[f"p{number}"] == value, text
            assert (f"properties.p{number}" in failed) is (value is None), text


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(ONE_VALUE), min_size=1, max_size=4),
    st.sampled_from(ALL),
    st.lists(RECORDS, min_size=1, max_size=4),
)
def test_small_mappings_without_a_failure_among_them(
    mapping_desk: Desk, texts: list[str], title: str, records: list[Any]
) -> None:
    """Here rows often take the quick way, where nothing fails."""
    properties = {f"p{number}": text for number, text in enumerate(texts)}
    resource = mapping_desk.resource(
        {"identifier": "tojson", "title": title, "properties": properties}
    )

    found = mapping_desk.outcomes(resource, [json.dumps(each) for each in records])

    for outcome, record in zip(found, records, strict=True):
        assert isinstance(outcome, Mapped)
        value = exactly(outcome.entity.text)
        assert value["properties"] == {
            name: by_itself(text, record) for name, text in properties.items()
        }
        assert value.get("title") == by_itself(title, record)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), RECORDS)
def test_a_selector_decides_by_its_first_value(mapping_desk: Desk, text: str, record: Any) -> None:
    resource = mapping_desk.resource({"identifier": '"i"'}, query=text)

    (outcome,) = mapping_desk.outcomes(resource, [json.dumps(record)])

    value = by_itself(text, record)
    assert isinstance(outcome, Mapped) is (value is True)
    assert isinstance(outcome, Filtered) is (value is False)
    assert not isinstance(outcome, Dropped)


@pytest.mark.parametrize("text", ONE_VALUE)
def test_what_surely_gives_one_value_is_seen(text: str) -> None:
    assert gives_one_value(text)


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_what_surely_gives_one_value_gives_it(record: Any) -> None:
    parts = ", ".join(f"(try [{text}] catch [null] | length)" for text in ONE_VALUE)

    lengths = jq.compile(f"[{parts}]").input_text(json.dumps(record)).first()

    assert lengths == [1] * len(ONE_VALUE)


@pytest.mark.parametrize("text", GUARDED)
def test_what_may_give_none_or_several_is_guarded(text: str) -> None:
    assert not gives_one_value(text)


def test_a_text_that_jq_could_not_even_be_given(jq_workers: Workers) -> None:
    fault = "has a character that JQ can't read"

    assert faults([".a", ".\ud800", ".a\0"], jq_workers) == {
        ".\ud800": Fault(fault, 1),
        ".a\0": Fault(fault, 2),
    }


def test_the_look_into_an_expression_takes_no_time() -> None:
    assert not gives_one_value(" " * 5000 + "@")
    assert not gives_one_value("/" * 5001 + "@")
    assert not gives_one_value('"' + "\\x" * 5000)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'lit'", '"lit"'),
        (".n == 'x'", '.n == "x"'),
        ("'true' == 'true'", '"true" == "true"'),
        (".n + ' - ' + .id", ".n + ' - ' + .id"),
        (".['k-v']", ".['k-v']"),
        ("'it's'", '"it\'s"'),
        ("'\"'", "'\"'"),
        ('.a + "it\'s"', '.a + "it\'s"'),
    ],
)
def test_single_quotes_as_port_reads_them(written: str, read: str) -> None:
    assert double_quoted(written) == read


@pytest.mark.parametrize(
    ("items", "path"),
    [
        (".results", ".results"),
        ("(.results)", ".results"),
        (".results // []", ".results"),
        (".results | map(.x)", ".results"),
        (". as $r | .results", ".results"),
        (".a.b", ".a.b"),
        (".a | .b", ".a"),
        (".m | to_entries", ".m"),
        (". | .a[0].b", ".a[0].b"),
        ('.a["b"]', '.a["b"]'),
        (".[0].a", ".[0].a"),
        ("$x | .a", ".a"),
        ("(.a | map(.b)) | .c", ".a"),
        ("[.results[] | select(.x)]", None),
        ("to_entries", None),
        ("keys", None),
        (".", None),
        ("(", None),
        ('."a"', None),
    ],
)
def test_the_path_that_items_to_parse_takes_out(items: str, path: str | None) -> None:
    assert parsed_path(items) == path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"bp"', "bp"),
        (' "a b\\u00e9" ', "a bé"),
        ('"\\(.x)"', None),
        (".bp", None),
        ('"a" + "b"', None),
    ],
)
def test_a_constant_text(text: str, value: str | None) -> None:
    assert constant(text) == value


def test_a_thousand_properties_make_one_program(mapping_desk: Desk) -> None:
    """JQ bounds the size of a function; no mapping should meet that bound."""
    properties = {f"p{n}": f'(.a.b.c.d{n} // .x.y.z // "{n}")' for n in range(1000)}
    resource = mapping_desk.resource({"properties": properties})

    (entity,) = mapping_desk.entities(resource, [{"id": "a"}])

    assert entity["properties"] == {f"p{n}": str(n) for n in range(1000)}
