from __future__ import annotations

import json
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.errors import Place, Problem, UserError
from lading.project.documents import TextFile, read_document

TEXT = """\
# a comment
name: claude
resources:
  - kind: usage-record
    selector: {query: 'true',
               groupBy: [model, workspace]}
  - kind: cost-record
"""


def test_every_value_and_key_has_its_place() -> None:
    document = read_document("mappings/claude.yml", TEXT)
    places = {
        ("name",): (2, 7),
        ("resources", 0): (4, 5),
        ("resources", 0, "kind"): (4, 11),
        ("resources", 0, "selector", "groupBy"): (6, 25),
        ("resources", 0, "selector", "groupBy", 1): (6, 33),
        ("resources", 1, "kind"): (7, 11),
    }
    for path, (line, column) in places.items():
        assert document.place(*path) == Place("mappings/claude.yml", line, column)
    assert document.key_place("resources", 0, "selector", "groupBy").column == 16
    assert document.key_place("resources", 1, "kind") == Place("mappings/claude.yml", 7, 5)


def test_what_is_not_there_is_placed_at_its_nearest_parent() -> None:
    document = read_document("x.yml", TEXT)
    assert document.place("resources", 1, "port", "entity") == Place("x.yml", 7, 5)
    assert document.key_place("resources", 1, "port") == Place("x.yml", 7, 5)
    assert document.place("resources", 7) == document.place("resources")
    assert document.place("nothing") == Place("x.yml", 2, 1)
    assert read_document("empty.yml", "# nothing\n").place("a", "b") == Place("empty.yml")


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01 10:00:00 +02:00",
        "2026-13-45",
    ],
)
def test_a_date_without_quotes_stays_the_text_that_was_written(written: str) -> None:
    assert read_document("x.yml", f"start: {written}").data == {"start": written}


def test_other_plain_values_are_what_yaml_says() -> None:
    text = "{a: 1, b: 1.5, c: true, d: null, e: '1', f: v1.0.0, g: 3d, h: ~, i: 1d}"
    document = read_document("x.yml", text)
    assert document.data == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "1",
        "f": "v1.0.0",
        "g": "3d",
        "h": None,
        "i": "1d",
    }


def test_a_merged_mapping_may_be_overridden() -> None:
    """`<<` is how YAML says "as above, but …": no key stands twice in it."""
    text = "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n  c: 4\n"
    document = read_document("x.yml", text)
    assert document.data["other"] == {"a": 1, "b": 3, "c": 4}
    assert document.place("other", "b") == Place("x.yml", 4, 6)
    assert document.place("other", "a") == Place("x.yml", 3, 3)


def test_an_alias_has_places_at_both_ends() -> None:
    document = read_document("x.yml", "a: &x\n  b: 1\nc: *x\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.place("c", "b") == document.place("a", "b") == Place("x.yml", 2, 6)


def test_json_with_tabs_and_a_byte_order_mark() -> None:
    data = {"identifier": "x", "schema": {"properties": {"a": {"type": "number"}}}, "e": "é\n\t/"}
    text = "\ufeff" + json.dumps(data, indent="\t", ensure_ascii=False)
    document = read_document("x.json", text)
    assert document.data == data
    assert document.place("schema", "properties", "a", "type").line == 6


@pytest.mark.parametrize(
    "text", ["😀", "a 🇩🇪 flag", "\\ud83d\\ude00", "\\😀", "\\\\😀", "é/", "𝄞" * 9]
)
def test_json_as_most_programs_write_it(text: str) -> None:
    """They escape all that is not ASCII, an emoji in two halves."""
    assert read_document("x.json", json.dumps({"a": text})).data == {"a": text}


def test_lines_may_end_as_they_do_on_windows() -> None:
    document = read_document("x.yml", TEXT.replace("\n", "\r\n"))
    assert document.data == read_document("x.yml", TEXT).data
    assert document.place("resources", 1, "kind").line == 7


def test_what_json_is_called_when_it_is_broken() -> None:
    with pytest.raises(UserError, match="not readable as JSON"):
        read_document("x.json", '{"a": 1')


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="ascii")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=30)
@given(values)
def test_what_was_dumped_is_read_again(data: object) -> None:
    for text in (yaml.safe_dump(data), yaml.safe_dump(data, default_flow_style=True)):
        assert read_document("x.yml", text).data == data


@settings(max_examples=30)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), values, min_size=1))
def test_places_point_at_the_keys(data: dict[str, object]) -> None:
    text = yaml.safe_dump(data)
    document, lines = read_document("x.yml", text), text.splitlines()
    for key in data:
        place = document.key_place(key)
        assert place.line is not None
        found = lines[place.line - 1].removeprefix("? ").lstrip("'\"")
        assert found.startswith(key)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_whatever_is_in_a_file_it_is_read_or_refused(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        read_document("x.yml", text)
    except UserError as error:
        problems = error.problems
    assert all(problem.place is not None for problem in problems)


def test_a_text_file_is_called_by_its_stem() -> None:
    assert TextFile("models/marts/usage_by_day.sql", "select 1").name == "usage_by_day"


def test_dates_are_not_dates_for_yaml_either() -> None:
    """The loader's change is its own: PyYAML as such still reads dates."""
    read_document("x.yml", "a: 2026-01-01")
    assert yaml.safe_load("a: 2026-01-01") == {"a": date(2026, 1, 1)}
