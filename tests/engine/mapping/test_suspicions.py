"""What compiles and is surely not meant is warned of; what may be meant is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.mapping.conftest import KINDS, NOW

from lading.errors import Problem
from lading.mapping.files import read_mappings
from lading.mapping.workers import Workers
from lading.project.documents import read_document

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

HEAD = """\
resources:
  - kind: claude-usage-record
    selector:
      query: {query}
      startingDate: '2026-01-01T00:00:00Z'
      groupBy: [{by}]
    port:
{port}      entity:
        mappings:
          identifier: {identifier}
          blueprint: '"usage"'
          properties:
            tokens: {tokens}
"""
SPLIT = "      itemsToParse: .results\n      itemsToParseTopLevelTransform: false\n"
GOOD = {
    "query": "'true'",
    "by": "",
    "port": "",
    "identifier": ".starting_at",
    "tokens": ".results[0].output_tokens",
}


def told(desk: Desk, **change: str) -> list[tuple[int | None, str, str | None]]:
    """What is said of the file, all of it warnings: line, message, hint."""
    _, problems = desk.load(HEAD.format(**{**GOOD, **change}))
    assert {each.severity for each in problems} <= {"warning"}
    return [(each.place.line if each.place else None, each.message, each.hint) for each in problems]


def test_a_good_resource_is_not_warned_of(mapping_desk: Desk) -> None:
    assert told(mapping_desk) == []


CONSTANT = "identifier is the same for every row: all of them become one entity"


@pytest.mark.parametrize(
    "text", ['"all"', '("a" + "b")', '"a\\("b")"', "5 | tostring | .", '["a"]']
)
def test_a_constant_identifier(text: str, mapping_desk: Desk) -> None:
    expected = [] if "tostring" in text else [CONSTANT]
    assert [each[1] for each in told(mapping_desk, identifier=f"'{text}'")] == expected


@pytest.mark.parametrize(
    "text", [".a", '"a" + .a', '"a\\(.b)"', "now | tostring", "input_filename"]
)
def test_an_identifier_that_depends_on_something(text: str, mapping_desk: Desk) -> None:
    assert told(mapping_desk, identifier=f"'{text}'") == []


@pytest.mark.parametrize(
    ("identifier", "example", "part"),
    [
        ('.item.model + "-" + .starting_at[:10]', "-2026-01-01", ".item.model"),
        ('.starting_at[:10] + "-" + (.item.model)', "2026-01-01-", ".item.model"),
        ('.item["model"] + "-" + .x', "-…", '.item["model"]'),
        ('"u-" + .results[0].model + "-" + .date', "u--2026-01-01", ".results[0].model"),
        ('def f: 1; .item.model + "-" + .starting_at', "-2026-01-01", ".item.model"),
    ],
)
def test_a_part_of_an_identifier_that_may_be_null(
    identifier: str, example: str, part: str, mapping_desk: Desk
) -> None:
    (found,) = told(mapping_desk, by="model", port=SPLIT, identifier=f"'{identifier}'")

    assert found == (
        12,
        f"identifier is {example} where {part} is null",
        f'write ({part} // "unknown")',
    )


def test_a_dimension_that_is_not_grouped_by_is_always_null(mapping_desk: Desk) -> None:
    identifier = """'.item.model + "-" + .starting_at'"""
    (found,) = told(mapping_desk, by="workspace_id", port=SPLIT, identifier=identifier)

    assert found[1] == (
        "identifier is -2026-01-01 where .item.model is null, and it always is: "
        "selector.groupBy has no model"
    )


@pytest.mark.parametrize(
    "identifier",
    [
        '(.item.model // "unknown") + "-" + .starting_at[:10]',
        '"\\(.item.model)-\\(.starting_at)"',
        ".item.model",  # null drops the entity
        '.item.name + "-" + .starting_at',
        '.organization_id + "-" + .date[:10]',
        '(.item.model | tostring) + "-" + .starting_at',
        '[.item.model, .starting_at] | join("-")',
    ],
)
def test_parts_of_an_identifier_that_are_not_warned_of(identifier: str, mapping_desk: Desk) -> None:
    assert told(mapping_desk, by="model", port=SPLIT, identifier=f"'{identifier}'") == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ('"true"', "a text"),
        ("1", "a number"),
        (".results | length", "what `length` gives"),
        (".a + .b", "a number or a text"),
        ("-1", "a number or a text"),
        ("[.a == 1]", "a list"),
        ("{a: true}", "an object"),
        ("select(.a == 1)", "the row or nothing"),
        (".", "the row"),
        ("empty", "nothing"),
        ("null", "null"),
        ("if .a then 1 else 0 end", "a number"),
        ("1, true", "a number"),
        (".a | tostring", "what `tostring` gives"),
    ],
)
def test_a_selector_that_is_never_true_or_false(query: str, what: str, mapping_desk: Desk) -> None:
    ((line, message, _),) = told(mapping_desk, query=f"'{query}'")

    assert (line, message) == (
        4,
        f"selector.query gives {what}, never true or false: no row passes",
    )


@pytest.mark.parametrize(
    "query",
    [
        ".results | length > 0",
        ".flag",
        ".a and (.b | not)",
        ".a // false",
        ".a // 0",
        "true",
        "false, 1",
        '.name | test("x")',
        ".flag | select(. != null)",
        ".flag | .",
        "any(.results[]; .n > 1)",
        "if .a then true else 0 end",
        "if .a then .b end",
        '. as $x | $x.a == "b"',
        "def length: true; length",
        'has("a")',
        "try .a catch false",
    ],
)
def test_selectors_that_may_be_meant(query: str, mapping_desk: Desk) -> None:
    assert told(mapping_desk, query=f"'{query}'") == []


def test_single_quotes_that_count_as_double_ones(mapping_desk: Desk) -> None:
    assert told(mapping_desk, tokens="'(.x // \"a\")'") == []
    ((line, message, hint),) = told(mapping_desk, tokens="\".x == 'a'\"")
    assert (line, hint) == (13, "write double ones")
    assert message == (
        "properties.tokens has single quotes, which count as double ones here, as in Port: "
        '.x == "a"'
    )


def test_exported_variables_have_no_effect(mapping_desk: Desk) -> None:
    (found,) = told(mapping_desk, by="]\n      exportEnvVariables: [HOME")

    assert found[:2] == (
        7,
        "selector.exportEnvVariables has no effect: no expression sees the environment here",
    )


def test_names_that_the_project_s_blueprint_does_not_have(jq_workers: Workers) -> None:
    blueprint: dict[str, Any] = {
        "identifier": "usage",
        "schema": {"properties": {"token": {"type": "number"}}},
        "relations": {},
    }
    document = read_document("mappings/a.yml", HEAD.format(**GOOD))

    def problems(name: str) -> tuple[Problem, ...]:
        known = {name: blueprint}
        return read_mappings([document], KINDS, NOW, jq_workers, blueprints=known)[1]

    (found,) = problems("usage")
    assert str(found.place) == "mappings/a.yml:13:13"
    assert found.message == "the blueprint 'usage' has no property 'tokens'"
    assert found.hint == "did you mean 'token'?"
    assert problems("another") == ()


def test_an_error_within_an_expression_is_placed_in_the_file(
    tmp_path: Path, jq_workers: Workers
) -> None:
    text = HEAD.format(**{**GOOD, "tokens": ">-\n              (.a // 0)\n              | lenght"})
    document = read_document("a.yml", text)
    (tmp_path / "a.yml").write_text(text, "utf-8")

    def place(text: str | None) -> str:
        found = read_mappings([document], KINDS, NOW, jq_workers, read=lambda _: text or _fail())
        _, (problem,) = found
        assert problem.severity == "error"
        return str(problem.place)

    assert place(text) == "a.yml:15:17"
    # Another text than was read, and none at all: where the expression begins.
    assert place(text.replace("(.a", "( .a")) == "a.yml:13:21"
    assert place(None) == "a.yml:13:21"


def _fail() -> str:
    raise FileNotFoundError
