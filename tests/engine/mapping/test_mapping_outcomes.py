"""What becomes of a row, beyond the conformance cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from lading.mapping.evaluate import Dropped, Faulty, Filtered, Mapped, Skipped, evaluate

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

    from lading.mapping.evaluate import Outcome
    from lading.mapping.workers import Workers

NOTHING = "gave null or nothing"


def failures(outcome: Outcome) -> dict[str, str]:
    assert isinstance(outcome, Mapped | Dropped)
    return {failure.path: failure.message for failure in outcome.failures}


def test_each_row_has_its_outcome_at_its_position(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({}, query=".keep")
    records = [
        {"id": "a", "keep": True},
        {"id": "b", "keep": False},
        {"id": "", "keep": True},
        {"id": "d", "keep": None},
        {"id": "e", "keep": True},
    ]

    found = mapping_desk.outcomes(resource, records)

    assert [type(each) for each in found] == [Mapped, Filtered, Dropped, Faulty, Mapped]
    assert [each.position for each in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("null", "selector.query gave null"),
        ('"yes"', 'selector.query gave "yes"'),
        ("{a: [1]}", 'selector.query gave {"a":[1]}'),
        ("empty", "selector.query gave nothing"),
        ('error("no\\nsuch")', "selector.query failed: no\nsuch"),
        (".id.x", 'selector.query failed: Cannot index string with string ("x")'),
        ("(", "selector.query failed: does not compile: syntax error, unexpected end of file"),
    ],
)
def test_a_selector_that_is_neither_true_nor_false(
    query: str, message: str, mapping_desk: Desk
) -> None:
    found = mapping_desk.outcomes(mapping_desk.resource({}, query=query), [{"id": "a"}])

    assert isinstance(found[0], Faulty)
    assert found[0].message.startswith(message)


@pytest.mark.parametrize(
    ("record", "path", "message"),
    [
        ({"id": None}, "identifier", NOTHING),
        ({"id": 0}, "identifier", "gave 0"),
        ({"id": 0.0}, "identifier", "gave 0"),
        ({"id": False}, "identifier", "gave false"),
        ({"id": ""}, "identifier", 'gave ""'),
        ({"id": []}, "identifier", "gave []"),
        ({"id": "a", "bp": ""}, "blueprint", 'gave ""'),
        ({"id": "a", "bp": ["x"]}, "blueprint", "gave no text"),
        ({"id": "a", "bp": 5}, "blueprint", "gave no text"),
        ({"id": "a"}, "blueprint", NOTHING),
    ],
)
def test_an_empty_identifier_or_blueprint_drops_the_entity(
    record: dict[str, Any], path: str, message: str, mapping_desk: Desk
) -> None:
    resource = mapping_desk.resource({"blueprint": ".bp"})
    record = {"bp": "b", **record} if path == "identifier" else record

    found = mapping_desk.outcomes(resource, [record])

    assert isinstance(found[0], Dropped)
    assert (found[0].path, found[0].message) == (path, message)


def test_a_failing_expression_costs_its_property_alone_and_says_why(mapping_desk: Desk) -> None:
    properties = {
        "good": ".n",
        "type": ".n.x",
        "raised": 'error({"code": 5})',
        "raised_null": "error(null)",
        "nothing": "empty",
        "null": ".missing",
        "broken": ".a b",
        "late": '1, error("after the first")',
        "many": "range(3)",
        "nan": "nan",
    }
    resource = mapping_desk.resource({"properties": properties})

    outcome = mapping_desk.outcomes(resource, [{"id": "a", "n": 7}])[0]

    assert isinstance(outcome, Mapped)
    assert outcome.entity.value()["properties"] == {
        **dict.fromkeys(properties),
        "good": 7,
        "late": 1,
        "many": 0,
    }
    assert failures(outcome) == {
        "properties.type": 'Cannot index number with string ("x")',
        "properties.raised": '{"code":5}',
        "properties.raised_null": "null",
        "properties.nothing": NOTHING,
        "properties.null": NOTHING,
        "properties.broken": "does not compile: syntax error, unexpected IDENT,"
        " expecting end of file (column 4 of the expression, at `b`)",
        "properties.nan": NOTHING,
    }


def test_a_long_error_is_cut(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"title": '"x" * 5000 | error'})

    outcome = mapping_desk.outcomes(resource, [{"id": "a"}])[0]

    assert len(failures(outcome)["title"]) == 300


def test_null_title_icon_and_team_are_left_out_of_what_port_gets(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"title": ".t", "icon": ".t", "team": ".t"})

    outcome = mapping_desk.outcomes(resource, [{"id": "a"}])[0]

    assert isinstance(outcome, Mapped)
    assert outcome.entity.text == '{"identifier":"a"}'
    assert outcome.entity.value() == {
        "identifier": "a",
        "title": None,
        "icon": None,
        "team": None,
        "blueprint": "bp",
    }


@pytest.mark.parametrize(
    ("written", "icon", "team"),
    [
        ("3.50", "3.5", "3.5"),
        ("true", "True", "True"),
        ('["x"]', None, ["x"]),
        ('{"x": 1}', None, {"x": 1}),
        ('"text"', "text", "text"),
    ],
)
def test_icon_and_team_become_text_and_a_bad_icon_costs_nothing_else(
    written: str, icon: object, team: object, mapping_desk: Desk
) -> None:
    resource = mapping_desk.resource({"icon": written, "team": written})

    outcomes = mapping_desk.outcomes(resource, [{"id": "a"}])

    assert isinstance(outcomes[0], Mapped)
    value = outcomes[0].entity.value()
    assert (value["icon"], value["team"]) == (icon, team)
    assert mapping_desk.failed(outcomes) == ([] if icon else ["icon"])


def test_searches_in_identifier_team_and_relations(mapping_desk: Desk) -> None:
    def search(value: str) -> dict[str, Any]:
        rule = {"property": '"$title"', "operator": '"="', "value": value}
        nested = {"combinator": '"or"', "rules": [rule]}
        return {"combinator": '"and"', "rules": [rule, nested]}

    resource = mapping_desk.resource(
        {"identifier": search(".id"), "team": search(".t"), "relations": {"r": search(".none")}}
    )

    outcome = mapping_desk.outcomes(resource, [{"id": 1.50, "t": "x"}])[0]

    def found(value: Any) -> dict[str, Any]:
        rule = {"property": "$title", "operator": "=", "value": value}
        return {"combinator": "and", "rules": [rule, {"combinator": "or", "rules": [rule]}]}

    assert isinstance(outcome, Mapped)
    assert outcome.entity.identifier == found(1.5)
    value = outcome.entity.value()
    assert value["team"] == found("x")
    assert value["relations"] == {"r": found(None)}
    assert [failure.path for failure in outcome.failures] == [
        "relations.r.rules.value",
        "relations.r.rules.rules.value",
    ]


def test_items_are_split_with_what_is_left_of_the_record(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource(
        {"identifier": ".item | tostring", "properties": {"rest": "del(.item)"}},
        itemsToParse=".results",
    )
    record = '{"d": 1, "item": "overwritten", "results": ["a", 2.50, null, {"x": 1}]}'

    found = mapping_desk.outcomes(resource, [record])

    made = [each.entity.value() for each in found if isinstance(each, Mapped)]
    assert [each["identifier"] for each in made] == ["a", "2.50", "null", '{"x":1}']
    assert [each["properties"]["rest"] for each in made] == [{"d": 1}] * 4


@pytest.mark.parametrize(
    ("items", "record", "message"),
    [
        (".results", {"results": {"a": 1}}, "itemsToParse gave object, not a list"),
        (".results", {}, "itemsToParse gave null, not a list"),
        ("empty", {}, "itemsToParse gave null, not a list"),
        (".results[]", {"results": [1]}, "itemsToParse gave number, not a list"),
        ('error("x")', {}, "itemsToParse failed: x"),
        (".a b", {}, "itemsToParse failed: does not compile: syntax error"),
        ("[.results[]]", {"results": [1]}, "itemsToParse does not begin with a path"),
        (".[0]", [[1], 2], "itemsToParse leaves array of the record, not an object"),
    ],
)
def test_a_row_that_can_t_be_split_is_skipped(
    items: str, record: Any, message: str, mapping_desk: Desk
) -> None:
    resource = mapping_desk.resource({"identifier": '"i"'}, itemsToParse=items)

    found = mapping_desk.outcomes(resource, [record, {"results": []}])

    assert isinstance(found[0], Skipped)
    assert found[0].message.startswith(message)
    assert found[0].position == 0


def test_an_empty_list_gives_nothing_at_all(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({}, itemsToParse="[.results[] | select(. > 1)]")

    assert mapping_desk.outcomes(resource, [{"results": [1]}]) == []


def test_only_as_many_rows_are_read_as_are_needed(mapping_desk: Desk, jq_workers: Workers) -> None:
    read: list[int] = []

    def rows() -> Iterator[str]:
        for number in range(10_000):
            read.append(number)
            yield f'{{"id":"{number}"}}'

    outcomes = evaluate(mapping_desk.resource({}), rows(), jq_workers, batch_rows=10)
    assert read == []
    first = next(outcomes)

    assert first.position == 0
    assert len(read) <= 10 * (jq_workers.count + 1)
    rest = list(outcomes)
    assert [each.position for each in rest] == list(range(1, 10_000))
    assert [each.entity.identifier for each in rest if isinstance(each, Mapped)] == [
        str(number) for number in range(1, 10_000)
    ]


def test_what_can_t_be_read_back_costs_its_row(mapping_desk: Desk) -> None:
    resource = mapping_desk.resource({"properties": {"n": ".n"}})
    huge = '{"id":"b","n":' + "7" * 5000 + "}"
    deep = '{"id":"c","n":' + "[" * 3000 + "]" * 3000 + "}"

    found = mapping_desk.outcomes(resource, [{"id": "a"}, huge, deep, {"id": "d"}])

    assert [type(each) for each in found] == [Mapped, Faulty, Faulty, Mapped]


def test_rows_that_are_no_json_are_named_and_the_others_go_on(mapping_desk: Desk) -> None:
    rows = ['{"id":"a"}', '{"id":', '{"id":"c"}', '{"id":"d"} {"id":"e"}', '{"id":"f"}']

    found = mapping_desk.outcomes(mapping_desk.resource({}), rows)

    assert [type(each) for each in found] == [Mapped, Faulty, Mapped, Faulty, Mapped]
    assert [each.position for each in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("row", ["", " ", "1 2"])
def test_a_row_that_is_not_one_value(row: str, mapping_desk: Desk) -> None:
    found = mapping_desk.outcomes(mapping_desk.resource({}), [row])

    assert found == [Faulty(0, "the row is not one JSON value")]
