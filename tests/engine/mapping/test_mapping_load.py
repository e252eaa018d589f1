"""What is wrong with a mapping file is told when it is read: all of it, each with its line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from lading.errors import Problem
from lading.mapping.files import Settings, read_mappings

if TYPE_CHECKING:
    from tests.engine.mapping.conftest import Desk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

USAGE = """\
resources:
  - kind: claude-usage-record
    selector:
      query: 'true'
      startingDate: '2026-01-01T00:00:00Z'
    port:
      entity:
        mappings:
          identifier: .starting_at
          blueprint: '"claude_usage_record"'
          properties:
            tokens: .results[0].output_tokens
"""
CODE = """\
resources:
  - kind: claude-code-analytics
    selector:
      startingDate: '2026-01-01'
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: .bp
"""
MOMENT = "must be a moment in UTC, written YYYY-MM-DDTHH:MM:SSZ"
EXACTLY_ONE = "exactly one of selector.timeFrame and selector.startingDate must be given"
FUTURE = "selector.startingDate is in the future"


def said(problems: tuple[Problem, ...]) -> list[tuple[str, int | None, str]]:
    return [
        (each.severity, each.place.line if each.place else None, each.message) for each in problems
    ]


def test_what_a_good_file_says(mapping_desk: Desk) -> None:
    (usage, code), problems = mapping_desk.load(USAGE, CODE)

    assert problems == ()
    assert (usage.name, usage.kind, usage.model) == (
        "claude_usage_record",
        "claude-usage-record",
        "claude-usage-record",
    )
    assert usage.selector == {
        "startingDate": "2026-01-01T00:00:00Z",
        "bucketWidth": "1d",
        "groupBy": (),
    }
    assert (usage.file, usage.index, usage.place.line) == ("mappings/a.yml", 0, 2)
    assert (code.name, code.file) == ("claude-code-analytics", "mappings/b.yml")
    assert code.selector == {"startingDate": "2026-01-01", "timeFrame": None, "team": None}


def test_another_name_of_a_kind(mapping_desk: Desk) -> None:
    text = USAGE.replace("claude-usage", "claude-platform-usage")

    (resource,), problems = mapping_desk.load(text)

    assert problems == ()
    assert resource.kind == "claude-platform-usage-record"
    assert resource.model == "claude-usage-record"


# What is replaced in a good file, what by, and what is said of it.
SELECTOR_ERRORS: list[tuple[str, str, str, int, str, str | None]] = [
    (
        USAGE,
        "kind: claude-usage-record",
        "kind: claude-usage-records",
        2,
        "unknown kind 'claude-usage-records'",
        "did you mean 'claude-usage-record'?",
    ),
    (
        USAGE,
        "startingDate:",
        "startDate:",
        5,
        "the kind 'claude-usage-record' has no selector key 'startDate'",
        "did you mean 'startingDate'?",
    ),
    (
        USAGE,
        "'2026-01-01T00:00:00Z'",
        "'2026-01-01'",
        5,
        f'selector.startingDate {MOMENT}, not "2026-01-01"',
        None,
    ),
    (
        USAGE,
        "00:00:00Z",
        "00:00:00.000Z",
        5,
        f'selector.startingDate {MOMENT}, not "2026-01-01T00:00:00.000Z"',
        None,
    ),
    (
        USAGE,
        "2026-01-01T",
        "2026-13-45T",
        5,
        'selector.startingDate must be a day and time that exist, not "2026-13-45T00:00:00Z"',
        None,
    ),
    (
        USAGE,
        "T00:00:00Z",
        "T24:00:00Z",
        5,
        'selector.startingDate must be a day and time that exist, not "2026-01-01T24:00:00Z"',
        None,
    ),
    (
        USAGE,
        "2026-01-01T",
        "٢٠٢٦-01-01T",
        5,
        f'selector.startingDate {MOMENT}, not "٢٠٢٦-01-01T00:00:00Z"',
        None,
    ),
    (
        USAGE,
        "startingDate: '2026-01-01T00:00:00Z'",
        "bucketWidth: 1w",
        5,
        'selector.bucketWidth must be one of 1m, 1h, 1d, not "1w"',
        None,
    ),
    (
        USAGE,
        "query: 'true'",
        "groupBy: [model, models]",
        4,
        'selector.groupBy must be a list of some of model, workspace_id, not ["model", "models"]',
        None,
    ),
    (
        USAGE,
        "query: 'true'",
        "groupBy: model",
        4,
        'selector.groupBy must be a list of some of model, workspace_id, not "model"',
        None,
    ),
    (
        USAGE,
        "query: 'true'",
        "query: true",
        4,
        "selector.query must be a text with JQ, not true",
        "write query: 'true'",
    ),
    (
        USAGE,
        "query: 'true'",
        "query: [a]",
        4,
        'selector.query must be a text with JQ, not ["a"]',
        "put it in quotes",
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "startingDate: 2026-02-30",
        4,
        'selector.startingDate must be a day and time that exist, not "2026-02-30"',
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "timeFrame: 0",
        4,
        "selector.timeFrame must be a number of days above 0, not 0",
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "timeFrame: '30'",
        4,
        'selector.timeFrame must be a number of days above 0, not "30"',
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "timeFrame: true",
        4,
        "selector.timeFrame must be a number of days above 0, not true",
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "timeFrame: .inf",
        4,
        "selector.timeFrame must be a number of days above 0, not Infinity",
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "team: a",
        3,
        f"{EXACTLY_ONE}, none is there",
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "startingDate: '2026-01-01'\n      timeFrame: 30",
        3,
        f"{EXACTLY_ONE}, timeFrame and startingDate are there",
        None,
    ),
    (
        CODE,
        "startingDate: '2026-01-01'",
        "startingDate: '2026-01-01'\n      team: 5",
        5,
        "selector.team must be a text, not 5",
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "good", "bad", "line", "message", "hint"),
    SELECTOR_ERRORS,
    ids=[f"{row[2]}" for row in SELECTOR_ERRORS],
)
def test_a_wrong_kind_or_selector(
    text: str,
    good: str,
    bad: str,
    line: int,
    message: str,
    hint: str | None,
    mapping_desk: Desk,
) -> None:
    assert good in text

    resources, problems = mapping_desk.load(text.replace(good, bad))

    assert ("error", line, message) in said(problems)
    assert hint in [problem.hint for problem in problems if problem.message == message]
    assert resources == []


def test_a_required_key_that_is_missing(mapping_desk: Desk) -> None:
    text = USAGE.replace("      startingDate: '2026-01-01T00:00:00Z'\n", "")

    _, problems = mapping_desk.load(text)

    assert said(problems) == [("error", 3, "selector.startingDate is missing")]
    assert problems[0].hint == "it is a moment in UTC, written YYYY-MM-DDTHH:MM:SSZ"


def test_a_value_of_a_list_given_twice_counts_once(mapping_desk: Desk) -> None:
    grouped = USAGE.replace("query: 'true'", "groupBy: [workspace_id, model, workspace_id]")

    (resource,), problems = mapping_desk.load(grouped)

    assert problems == ()
    assert resource.selector["groupBy"] == ("workspace_id", "model")


def test_the_query_may_be_left_out(mapping_desk: Desk) -> None:
    (resource,), problems = mapping_desk.load(USAGE.replace("      query: 'true'\n", ""))

    assert problems == ()
    assert "\ntrue\n" in resource.program.text


@pytest.mark.parametrize(
    ("text", "good", "future", "message"),
    [
        (
            USAGE,
            "2026-01-01T00:00:00Z",
            "2026-11-22T12:00:01Z",
            f"{FUTURE} (2026-11-22T12:00:01Z): nothing is fetched until then",
        ),
        (
            CODE,
            "2026-01-01",
            "2026-11-23",
            f"{FUTURE} (2026-11-23): nothing is fetched until then",
        ),
    ],
)
def test_a_start_in_the_future_is_a_warning(
    text: str, good: str, future: str, message: str, mapping_desk: Desk
) -> None:
    resources, problems = mapping_desk.load(text.replace(good, future))

    assert [(each.severity, each.message) for each in problems] == [("warning", message)]
    assert len(resources) == 1


def test_a_start_right_now_is_none(mapping_desk: Desk) -> None:
    now = USAGE.replace("2026-01-01T00:00:00Z", "2026-11-22T12:00:00Z")
    today = CODE.replace("2026-01-01", "2026-11-22")

    assert mapping_desk.load(now, today)[1] == ()


EXPRESSIONS = [
    (".a b", "syntax error, unexpected IDENT, expecting end of file", "column 4", "`b`"),
    ("(.a", "syntax error, unexpected end of file", "at the end of the expression", ""),
    (".a) | (.b", "syntax error, unexpected INVALID_CHARACTER", "column 3", "`) | (.b`"),
    (".a | lenght", "lenght/0 is not defined", "column 6", "`lenght`"),
    (".a + $b", "$b is not defined", "column 6", "`$b`"),
    ('"é" + lenght', "lenght/0 is not defined", "column 7", "`lenght`"),
    ('import "x" as $x; $x', "syntax error", "column", "`import"),
    ('"\\u0000\\ud800"', "surrogate", "column", ""),
    ("def f: 1;", "syntax error, unexpected end of file", "", ""),
    ("", "there is no expression", "", ""),
    ("  ", "there is no expression", "", ""),
    (".a\u0000", "has a character that JQ can't read", "", ""),
]


@pytest.mark.parametrize(("expression", "words", "column", "near"), EXPRESSIONS)
def test_an_expression_that_does_not_compile(
    expression: str, words: str, column: str, near: str, mapping_desk: Desk
) -> None:
    text = USAGE.replace(".results[0].output_tokens", json.dumps(expression))

    (resource,), problems = mapping_desk.load(text)

    (severity, line, message) = said(problems)[0]
    assert len(problems) == 1
    assert (severity, line) == ("error", 12)
    assert message.startswith("properties.tokens: ")
    assert words in message
    assert column in message
    assert near in message
    assert resource.name == "claude_usage_record"


def test_the_place_inside_an_expression_of_several_lines(mapping_desk: Desk) -> None:
    block = "|\n              .results[0]\n              | .output tokens\n"

    _, problems = mapping_desk.load(USAGE.replace(".results[0].output_tokens\n", block))

    assert said(problems)[0][2] == (
        "properties.tokens: syntax error, unexpected IDENT, expecting end of file"
        " (line 2, column 11 of the expression, at `tokens`)"
    )


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("true", "YAML reads a bare true as no text: write 'true'"),
        ("\".n + ' - ' + .id\"", "put texts in double quotes: JQ knows no single ones"),
        (
            '"\\"it \'is\' so\\""',
            'single quotes count as double ones here, as in Port: it reads "it "is" so"',
        ),
    ],
)
def test_what_to_do_about_it(written: str, hint: str, mapping_desk: Desk) -> None:
    _, problems = mapping_desk.load(USAGE.replace(".results[0].output_tokens", written))

    assert [problem.hint for problem in problems] == [hint]


def test_every_error_of_every_file_at_once(mapping_desk: Desk) -> None:
    first = USAGE.replace("query: 'true'", "query: '.a ==='").replace(".starting_at", ".a b")
    first = first.replace("'\"claude_usage_record\"'", "'.bp)'")
    second = CODE.replace("kind: claude", "kind: cloud").replace("identifier: .id", "identifier: (")

    _, problems = mapping_desk.load(first, second)

    assert [str(problem.place).rsplit(":", 1)[0] for problem in problems] == [
        "mappings/a.yml:4",
        "mappings/a.yml:9",
        "mappings/a.yml:10",
        "mappings/b.yml:2",
        "mappings/b.yml:8",
    ]
    assert [problem.message.split(":")[0] for problem in problems] == [
        "selector.query",
        "identifier",
        "blueprint",
        "unknown kind 'cloud-code-analytics'",
        "identifier",
    ]


def test_errors_below_searches_and_items_to_parse_have_their_own_lines(mapping_desk: Desk) -> None:
    text = CODE.replace("    port:\n", "    port:\n      itemsToParse: .a b\n") + (
        "          relations:\n"
        "            user:\n"
        "              combinator: '\"and\"'\n"
        "              rules:\n"
        "                - {property: '\"$email\"', operator: '\"=\"', value: .e}\n"
        "                - {property: '\"$email\"', operator: '=', value: .e}\n"
    )

    _, problems = mapping_desk.load(text)

    assert [(line, message.split(":")[0]) for _, line, message in said(problems)] == [
        (6, "itemsToParse"),
        (16, "relations.user.rules.operator"),
    ]


def test_items_to_parse_without_a_path_is_warned_of(mapping_desk: Desk) -> None:
    items = "    port:\n      itemsToParse: '[.results[] | select(.n)]'\n"
    kept = items + "      itemsToParseTopLevelTransform: false\n"

    _, problems = mapping_desk.load(USAGE.replace("    port:\n", items))
    _, none = mapping_desk.load(USAGE.replace("    port:\n", kept))

    assert [(severity, line) for severity, line, _ in said(problems)] == [("warning", 7)]
    assert problems[0].message.endswith(
        "; set itemsToParseTopLevelTransform: false: every record is skipped"
    )
    assert none == ()


def test_names_are_made_unique_and_given_names_are_kept(mapping_desk: Desk) -> None:
    def resource(name: str, kind: str = "claude-usage-record") -> str:
        given = f"name: {name}\n    " if name else ""
        return USAGE.removeprefix("resources:\n").replace(
            "kind: claude-usage-record", f"{given}kind: {kind}"
        )

    text = "resources:\n" + "".join(
        (
            resource(""),
            resource("by_model"),
            resource(""),
            resource("", "claude-platform-usage-record"),
            resource(""),
        )
    )

    found, problems = mapping_desk.load(text, USAGE)

    assert problems == ()
    assert [each.name for each in found] == [
        "claude_usage_record",
        "by_model",
        "claude_usage_record.claude-usage-record",
        "claude_usage_record.claude-platform-usage-record",
        "claude_usage_record.claude-usage-record.5",
        "claude_usage_record.claude-usage-record.1",
    ]


def test_a_given_name_goes_before_a_made_one(mapping_desk: Desk) -> None:
    named = USAGE.replace("- kind", "- name: claude_usage_record\n    kind")

    found, problems = mapping_desk.load(USAGE, named)

    assert problems == ()
    assert [each.name for each in found] == [
        "claude_usage_record.claude-usage-record",
        "claude_usage_record",
    ]


def test_a_name_given_twice_is_an_error(mapping_desk: Desk) -> None:
    named = USAGE.replace("- kind", "- name: usage\n    kind")

    _, problems = mapping_desk.load(named, named)

    assert [str(problem) for problem in problems] == [
        "mappings/b.yml:2:11: the resource name 'usage' is taken at mappings/a.yml:2:11"
    ]


def test_settings_and_their_defaults(mapping_desk: Desk) -> None:
    written = (
        "createMissingRelatedEntities: false\ndeleteDependentEntities: false\n"
        "enableMergeEntity: false\nentityDeletionThreshold: 0.5\nresources: []\n"
    )

    def settings(text: str) -> Any:
        document = mapping_desk.document(text)
        assert mapping_desk.refusals(document) == ()
        (file,), _ = read_mappings([document], None, NOW, mapping_desk.workers)
        return file.settings

    assert settings(written) == Settings(
        merge=False,
        create_missing_related_entities=False,
        delete_dependent_entities=False,
        entity_deletion_threshold=0.5,
    )
    assert settings("resources: []") == Settings(
        merge=True,
        create_missing_related_entities=True,
        delete_dependent_entities=True,
        entity_deletion_threshold=0.9,
    )


@pytest.mark.parametrize(
    ("good", "bad", "line", "message"),
    [
        ("resources:", "resource:", 1, "unknown key 'resource'"),
        ("    port:", "    prot:", 6, "unknown key 'prot'"),
        ("properties:", "property:", 11, "unknown key 'property'"),
        ("entity:", "entities:", 7, "unknown key 'entities'"),
        ("      entity:", "      itemToParse: .x\n      entity:", 7, "unknown key 'itemToParse'"),
        (
            "      entity:",
            "      itemsToParse: 5\n      entity:",
            7,
            "'itemsToParse' must be text",
        ),
        (
            ".results[0].output_tokens",
            "null",
            12,
            "'tokens' must be text or a number or true or false",
        ),
        (
            ".results[0].output_tokens",
            "[.a]",
            12,
            "'tokens' must be text or a number or true or false",
        ),
        (
            ".starting_at",
            "{combinator: '\"and\"'}",
            9,
            "the key 'rules' is missing",
        ),
        (
            ".starting_at",
            "{combinator: a, rules: [{property: b, operator: c}]}",
            9,
            "the key 'value' is missing",
        ),
        (
            ".starting_at",
            "{combinator: a, rules: [{combinator: b, rules: [{property: c, op: d, value: e}]}]}",
            9,
            "unknown key 'op'",
        ),
        ("  - kind", "  - name: a b\n    kind", 2, "'name' can't be 'a b'"),
        (
            "resources:",
            "entityDeletionThreshold: 2\nresources:",
            1,
            "'entityDeletionThreshold' must be at most 1",
        ),
    ],
)
def test_a_file_of_the_wrong_shape(
    good: str, bad: str, line: int, message: str, mapping_desk: Desk
) -> None:
    assert good in USAGE

    problems = mapping_desk.refusals(mapping_desk.document(USAGE.replace(good, bad)))

    assert ("error", line, message) in said(problems)
