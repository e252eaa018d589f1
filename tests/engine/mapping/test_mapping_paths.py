"""What expressions read: the cases of paths/, and that jq finds nothing else of matter to them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.mapping.paths import read_paths

CASES = Path(__file__).parent / "paths" / "expressions.yml"
REPOSITORY = Path(__file__).resolve().parents[3]
MAPPINGS = ("mappings/claude.yml", "tests/engine/cli/seed_default_mapping.yml")
ROW = {
    "starting_at": "2026-11-18T00:00:00Z",
    "at": 1,
    "actor": {"email": "ada@example.com", "api key": "one", "name": "Ada"},
    "results": [
        {"model": "a", "output_tokens": 3, "other": 5},
        {"model": "b", "output_tokens": 2, "other": 7},
    ],
    "tools": {"edit": {"accepted": 3, "rejected": 5}, "write": {"accepted": 1, "rejected": 2}},
}


def cases() -> list[Any]:
    return [
        pytest.param(each, id=f"{each['jq']} of {each['items']}" if "items" in each else each["jq"])
        for each in yaml.safe_load(CASES.read_text("utf-8"))
    ]


def paths_of(case: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    return read_paths(case["jq"], case.get("items"), case.get("name", "item"))


@pytest.mark.parametrize("case", cases())
def test_case(case: dict[str, Any]) -> None:
    found = paths_of(case)
    assert [" ".join(path) or "." for path in found] == case["reads"]
    assert case.get("steps", [list(path) for path in found]) == [list(path) for path in found]


@pytest.mark.parametrize("case", [each for each in cases() if "items" not in each.values[0]])
def test_what_is_not_read_does_not_matter(case: dict[str, Any]) -> None:
    if case.get("differs"):
        return
    before, read = answers(case["jq"], ROW), paths_of(case)
    for way in leaves(ROW):
        if not any(is_below(way, path) for path in read):
            assert answers(case["jq"], changed(ROW, way)) == before, way


def answers(expression: str, row: Any) -> list[Any]:
    try:
        return list(jq.compile(expression).input_text(json.dumps(row)).all())
    except ValueError as error:
        return [type(error).__name__]


def leaves(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in members:
            yield from leaves(child, (*way, key))
    else:
        yield way


def is_below(way: tuple[str | int, ...], path: tuple[str, ...]) -> bool:
    return len(path) <= len(way) and all(
        asked in {"[]", step} for step, asked in zip(way, path, strict=False)
    )


def changed(row: Any, way: tuple[str | int, ...]) -> Any:
    row = copy.deepcopy(row)
    *outer, last = way
    inner = row
    for step in outer:
        inner = inner[step]
    inner[last] = inner[last] + (1000 if isinstance(inner[last], int) else " changed")
    return row


def expressions() -> Iterator[str]:
    for file in MAPPINGS:
        for resource in yaml.safe_load((REPOSITORY / file).read_text("utf-8"))["resources"]:
            yield resource["selector"]["query"]
            mappings = resource["port"]["entity"]["mappings"]
            yield from (value for key, value in mappings.items() if key != "properties")
            yield from mappings["properties"].values()


def test_each_expression_of_the_known_mappings_is_a_case() -> None:
    listed = {each["jq"] for each in yaml.safe_load(CASES.read_text("utf-8"))}
    assert set(expressions()) - listed == set()


WORDS = """
    . .. .a .b [] [0] [ ] { } ( ) | , : ; // ? ?// = |= + - * as $x reduce foreach if then elif
    else end try catch def f map select label break "a" "\\( \\ " # @base64 and 1 .5 $ é
"""
PIECES = st.sampled_from([*WORDS.split(), "\0", "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=20))
def test_nothing_is_raised(text: str) -> None:
    assert isinstance(read_paths(text), tuple)
    assert isinstance(read_paths(".item", text), tuple)


@pytest.mark.parametrize(
    "text", ["(" * 5000 + ".a", "[" * 5000 + "]" * 5000, "." + "a|." * 5000 + "b", "-" * 5000 + "1"]
)
def test_what_is_nested_too_deeply_is_no_error(text: str) -> None:
    assert isinstance(read_paths(text), tuple)


def test_a_function_that_calls_itself_many_times_comes_to_an_end() -> None:
    assert read_paths(f"def f: {'f + ' * 9} .a; .b | f") == (("b",), ("b", "a"))
