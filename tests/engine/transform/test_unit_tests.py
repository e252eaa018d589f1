from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

from lading.project.environment import Environment
from lading.project.load import load_project
from lading.transform.graph import Graph, load_graph
from lading.transform.skeleton import skeleton
from lading.transform.unit_diffs import MOST_LINES, compare, diff_lines
from lading.transform.unit_runs import UnitTestResult, run_unit_test, unit_test_problems
from lading.transform.unit_tests import UnitTest, read_unit_tests

if TYPE_CHECKING:
    from tests.engine.transform.conftest import MakeProject

    from lading.project.model import Project

ROOT = Path(__file__).parents[3]
FILE = "tests/models/t.yml"
MODELS = {
    "models/staging/usage.sql": """
        select
            connection,
            starting_at::date as day,
            payload ->> '$.model' as model,
            (payload ->> '$.amount')::decimal(38, 12) as amount,
            payload
        from {{ source('claude_platform', 'usage_messages') }}
        """,
    "models/staging/kinds_of_values.sql": """
        select
            null::bigint as whole, null::hugeint as huge, null::decimal(10, 2) as money,
            null::double as number, null::varchar as word, null::boolean as truth,
            null::date as day, null::timestamp as moment, null::timestamptz as zoned,
            null::time as clock, null::json as payload, null::varchar[] as words,
            null::struct(name varchar, amount decimal(20, 10), raw json) as record,
            null::map(varchar, json) as tools
        """,
    "models/marts/by_day.sql": """
        select day, model, sum(amount)::decimal(38, 12) as amount
        from {{ ref('usage') }}
        group by all
        order by day, model
        """,
    "models/marts/recent.sql": """
        select day, '{{ var("word") }}' as word
        from {{ ref('usage') }}
        where day > {{ run_started_at | literal }}::date - {{ var("days", 1) }}
        """,
    "models/marts/ratio.sql": "select {{ 8 // var('parts', 2) }} as x",
    "models/marts/slow.sql": "select run_id from lading.run_totals where seconds > 60",
    "models/marts/gone.sql": "select id from lading.vanished where vanished_at is not null",
    "models/marts/more.sql": """
        select day from {{ ref('usage') }}
        {% if var('is_made', false) %} where day > (select max(day) from {{ this }}) {% endif %}
        """,
    "models/marts/values.sql": "from {{ ref('kinds_of_values') }}",
    "models/marts/failing.sql": "select error('no ' || model) as x from {{ ref('usage') }}",
    "models/marts/wide.sql": "pivot {{ ref('usage') }} on model using sum(amount) group by day",
    "models/marts/of_wide.sql": "from {{ ref('wide') }}",
    "models/resources/a-record.sql": """
        select day, {'model': model, 'amount': amount, 'words': [model]} as figures
        from {{ ref('usage') }}
        where day >= {{ selector.startingDate | literal }}::timestamp
        order by day
        """,
    "models/resources/kinds.yml": """
        models:
          - name: a-record
            kind:
              selector:
                startingDate: {type: timestamp}
                timeFrame: {type: days}
                word: {type: text}
              exactly_one_of: [[startingDate, timeFrame]]
        """,
    "project.yml": """
        name: test
        vars: {word: plain}
        targets: {dev: {database: claude.duckdb}}
        connections: {anthropic: {}}
        """,
}


def file_text(tests: str) -> str:
    return "unit_tests:\n" + indent(dedent(tests).strip("\n"), "  ") + "\n"


def where(tests: str, words: str) -> str:
    """The place in the file where words begin that stand there once."""
    text = file_text(tests)
    assert text.count(words) == 1
    before = text[: text.index(words)].split("\n")
    return f"{FILE}:{len(before)}:{len(before[-1]) + 1}"


class Bench:
    """Reads unit tests of the models above, and runs them."""

    def __init__(self, project: MakeProject, now: datetime) -> None:
        self._make = project
        self._now = now

    def loaded(self, text: str) -> tuple[Project, Graph]:
        project = self._make({**MODELS, FILE: file_text(text)})
        graph, problems = load_graph(project, self._now)
        assert problems == ()
        return project, graph

    def problems(self, text: str) -> list[str]:
        """What is wrong with tests, their columns included."""
        project, graph = self.loaded(text)
        tests, problems = read_unit_tests(project, graph)
        with skeleton(project, graph) as copy:
            found = (*problems, *unit_test_problems(copy, tests))
        return [str(each) for each in found]

    def run(self, text: str) -> list[UnitTestResult]:
        with self.running(text) as results:
            return results

    @contextmanager
    def running(self, text: str) -> Iterator[list[UnitTestResult]]:
        project, graph = self.loaded(text)
        tests, problems = read_unit_tests(project, graph)
        assert problems == ()
        with skeleton(project, graph) as copy:
            yield [run_unit_test(copy, test) for test in tests]

    def only(self, text: str) -> UnitTestResult:
        (result,) = self.run(text)
        return result


@pytest.fixture
def bench(project: MakeProject, now: datetime) -> Bench:
    return Bench(project, now)


SUMS = """
    - name: sums
      model: by_day
      given:
        - input: ref('usage')
          rows:
            - {day: 2026-11-16, model: a, amount: 0.1}
            - {day: 2026-11-16, model: a, amount: 0.2}
            - {day: 2026-11-16, model: null, amount: 12345678901234567890.000000000001}
      expect:
        rows:
          - {day: 2026-11-16, model: null, amount: 12345678901234567890.000000000001}
          - {day: 2026-11-16, model: a, amount: 0.30}
    """


def test_decimals_are_exact_and_the_order_is_no_matter(bench: Bench) -> None:
    result = bench.only(SUMS)
    assert (result.outcome, result.message, result.lines) == ("pass", "", ())
    # The two are the same DOUBLE.
    off = bench.only(
        SUMS.replace(
            "null, amount: 12345678901234567890.000000000001}\n      exp",
            "null, amount: 12345678901234567890.000000000002}\n      exp",
        )
    )
    assert off.outcome == "fail"
    assert off.lines == (
        "   day         model  amount",
        (
            "~  2026-11-16  null   12345678901234567890.000000000001 -> "
            "12345678901234567890.000000000002"
        ),
    )


def test_a_mismatch_is_shown_row_by_row(bench: Bench) -> None:
    result = bench.only("""
        - name: wrong
          model: by_day
          given:
            - input: ref('usage')
              rows:
                - {day: 2026-11-16, model: opus, amount: 1.50}
                - {day: 2026-11-17, model: opus, amount: 2}
                - {day: 2026-11-18, model: haiku, amount: 3}
                - {day: 2026-11-19, model: '', amount: 4}
          expect:
            rows:
              - {day: 2026-11-16, model: opus, amount: 1.5}
              - {day: 2026-11-17, model: opus, amount: 20}
              - {day: 2026-11-17, model: sonnet, amount: 7}
              - {day: 2026-11-19, model: null, amount: 4.001}
        """)
    assert result.outcome == "fail"
    assert str(result.place) == f"{FILE}:2:11"  # its name
    assert (
        result.message == "1 row missing, 1 row not expected, 2 rows different; 1 row as expected"
    )
    assert result.lines == (
        "   day         model       amount",
        "~  2026-11-17  opus        20 -> 2",
        "-  2026-11-17  sonnet      7",
        '~  2026-11-19  null -> ""  4.001 -> 4',
        "+  2026-11-18  haiku       3",
    )


def test_only_the_columns_that_are_expected_count(bench: Bench) -> None:
    assert (
        bench.only(
            SUMS.replace(
                "model: null, amount: 12345678901234567890.000000000001}\n"
                "          - {day: 2026-11-16, model: a, amount: 0.30}",
                "}\n          - {day: 2026-11-16}",
            )
        ).outcome
        == "pass"
    )


def test_rows_that_are_there_twice_are_expected_twice(bench: Bench) -> None:
    text = """
        - name: twice
          model: usage
          given:
            - input: source('claude_platform', 'usage_messages')
              rows:
                - {starting_at: 2026-11-16}
                - {starting_at: 2026-11-16}
          expect: {rows: [{day: 2026-11-16}]}
        """
    result = bench.only(text)
    assert (result.outcome, result.message) == ("fail", "1 row not expected; 1 row as expected")
    assert result.lines == ("   day", "+  2026-11-16")


def test_rows_in_order(bench: Bench) -> None:
    ordered = SUMS.replace("expect:\n", "expect:\n        ordered: true\n")
    result = bench.only(ordered)
    assert result.outcome == "fail"
    assert result.message == "the rows are the expected ones, in another order"
    right = ordered.replace(
        "model: null, amount: 12345678901234567890.000000000001}\n          -",
        "model: a, amount: 0.3}\n          -",
    ).replace("model: a, amount: 0.30", "model: null, amount: 12345678901234567890.000000000001")
    assert bench.only(right).outcome == "pass"


def test_no_rows_are_expected_and_some_are_there(bench: Bench) -> None:
    result = bench.only("""
        - name: none
          model: gone
          given:
            - input: lading.vanished
              rows: [{id: wrkspc_1, vanished_at: 2026-11-16}, {id: wrkspc_2}]
          expect: {rows: []}
        """)
    assert result.outcome == "fail"
    assert result.lines == ("   id", "+  wrkspc_1")


def test_a_view_of_the_books_is_an_input_too(bench: Bench) -> None:
    result = bench.only("""
        - name: slow
          model: slow
          given: [{input: lading.run_totals, rows: [{run_id: a, seconds: 61}, {run_id: b}]}]
          expect: {rows: [{run_id: a}]}
        """)
    assert (result.outcome, result.message) == ("pass", "")


def test_inputs_that_are_not_given_are_empty_and_stay_so(bench: Bench) -> None:
    empty = """
    - {name: empty, model: by_day, given: [], expect: {rows: []}}
    """
    results = bench.run(SUMS + empty)
    assert [result.outcome for result in results] == ["pass", "pass"]


VALUES = """
    - name: values
      model: values
      given: [{{input: ref('kinds_of_values'), rows: [{given}]}}]
      expect: {{rows: [{expected}]}}
    """
SAME = [
    ("whole: 9007199254740993", "whole: '9007199254740993'"),
    (
        "huge: 170141183460469231731687303715884105727",
        "huge: 170141183460469231731687303715884105727",
    ),
    ("money: 1.10", "money: 1.1"),
    ("number: 0.1", "number: 0.1"),
    ("number: .nan", "number: .nan"),
    ("word: 'null'", "word: 'null'"),
    ("word: 1", "word: '1'"),
    ("word: it's", "word: it's"),
    ("word: ~", "word: null"),
    ("truth: true", "truth: true"),
    ("day: 2026-11-16", "day: '2026-11-16'"),
    ("moment: 2026-11-16T10:00:00.25Z", "moment: 2026-11-16 10:00:00.250"),
    ("moment: 2026-11-16", "moment: 2026-11-16T00:00:00Z"),
    ("zoned: 2026-11-16T10:00:00+02:00", "zoned: 2026-11-16T08:00:00Z"),
    ("clock: '10:30:00'", "clock: '10:30'"),
    ("payload: {a: 0.10, b: [1, null]}", 'payload: \'{"b": [1.0, null], "a": 0.1}\''),
    ("payload: 12345678901234567890.123456789", "payload: 12345678901234567890.123456789"),
    ("words: [a, null, '']", "words: [a, null, '']"),
    ("record: {name: x, amount: 0.1, raw: {a: 1}}", "record: {raw: {a: 1}, amount: 0.10, name: x}"),
    ("record: {name: x}", "record: {name: x, amount: null, raw: null}"),
    ("record: {amount: 1234567890.1234567891}", "record: {amount: 1234567890.1234567891}"),
    ("tools: {edit: {accepted: 1}, write: 2}", "tools: {write: 2, edit: {accepted: 1}}"),
]
OTHERS = [
    ("whole: 9007199254740993", "whole: 9007199254740992"),
    ("money: 1.10", "money: 1.101"),
    ("money: 0", "money: null"),
    ("word: ''", "word: null"),
    ("truth: true", "truth: false"),
    ("moment: 2026-11-16T10:00:00.25Z", "moment: 2026-11-16T10:00:00Z"),
    ("day: 2026-11-16", "day: 2026-11-16T10:00:00Z"),
    ("payload: 12345678901234567890.123456789", "payload: 12345678901234567890.123456788"),
    ("payload: {a: '1'}", "payload: {a: 1}"),
    ("payload: {a: null}", "payload: {}"),
    ("words: [a, b]", "words: [b, a]"),
    ("words: [a, null]", "words: [a, 'null']"),
    ("words: ['a, b']", "words: [a, b]"),
    ("record: {name: x, amount: 1}", "record: {name: x}"),
    ("tools: {edit: 1}", "tools: {edit: 1, write: 1}"),
]


@pytest.mark.parametrize(("given", "expected"), SAME)
def test_values_that_are_the_same(bench: Bench, given: str, expected: str) -> None:
    text = VALUES.format(given=f"{{{given}}}", expected=f"{{{expected}}}")
    result = bench.only(text)
    assert (result.outcome, result.message, result.lines) == ("pass", "", ())


@pytest.mark.parametrize(("given", "expected"), OTHERS)
def test_values_that_differ(bench: Bench, given: str, expected: str) -> None:
    text = VALUES.format(given=f"{{{given}}}", expected=f"{{{expected}}}")
    assert bench.only(text).outcome == "fail"


NO_VALUES = [
    ("whole: 1.5", "1.5 is no whole number, and the column is BIGINT"),
    ("whole: abc", "whole: 'abc' can't be read as BIGINT"),
    ("whole: true", "whole: 'true' can't be read as BIGINT"),
    ("money: 0.125", "0.125 has more than 2 decimals, and the column is DECIMAL(10,2)"),
    ("money: 123456789", "money: '123456789' can't be read as DECIMAL(10,2)"),
    ("day: someday", "day: 'someday' can't be read as DATE"),
    ("day: 2026-11-16T10:00:00Z", "'2026-11-16T10:00:00Z' has a time of day"),
    ("moment: 2026-11-16T10:00:00+02:00", "'2026-11-16T10:00:00+02:00' is not in UTC"),
    ("payload: model", "payload: 'model' can't be read as JSON"),
    ("record: {nmae: x}", "record: the struct has no field 'nmae'; did you mean 'name'?"),
    ("record: [1]", "record: a list is no STRUCT"),
]


@pytest.mark.parametrize(("given", "said"), NO_VALUES)
def test_values_that_a_column_can_not_have(bench: Bench, given: str, said: str) -> None:
    text = VALUES.format(given=f"{{word: x}}, {{{given}}}", expected="")
    result = bench.only(text)
    assert result.outcome == "error"
    assert result.message.startswith(said)
    column, value = given.split(": ", 1)
    place = where(text, f"{column}: {value}}}]").rpartition(":")
    assert str(result.place) == f"{place[0]}:{int(place[2]) + len(column) + 2}"


def test_an_expected_value_that_can_not_be_is_an_error_with_its_place(bench: Bench) -> None:
    text = """
        - name: wrong
          model: by_day
          given: []
          expect:
            rows:
              - {day: 2026-11-16}
              - day: today
        """
    result = bench.only(text)
    assert (result.outcome, str(result.place)) == ("error", where(text, "today"))
    assert result.message == "day: 'today' can't be read as DATE"


def test_moment_and_variables_are_the_tests_own(bench: Bench) -> None:
    results = bench.run("""
        - name: project
          model: recent
          given: &given
            - input: ref("usage")
              rows: [{day: 2026-11-15}, {day: 2026-11-16}, {day: 2026-11-22}]
          expect: {rows: [{day: 2026-11-22, word: plain}]}
        - name: moment
          model: recent
          now: 2026-11-16
          given: *given
          expect: {rows: [{day: 2026-11-16, word: plain}, {day: 2026-11-22, word: plain}]}
        - name: variables
          model: recent
          now: 2026-11-23T10:00:00Z
          vars: {word: other, days: 8}
          given: *given
          expect: {rows: [{day: 2026-11-16, word: other}, {day: 2026-11-22, word: other}]}
        """)
    assert [(each.test.name, each.outcome, each.lines) for each in results] == [
        ("project", "pass", ()),
        ("moment", "pass", ()),
        ("variables", "pass", ()),
    ]


def test_a_resource_model_is_rendered_for_a_selector(bench: Bench) -> None:
    text = """
        - name: record
          model: a-record
          selector: {startingDate: 2026-11-16T00:00:00Z}
          given:
            - input: ref('usage')
              rows: [{day: 2026-11-15}, {day: 2026-11-16, model: opus, amount: 1.25}]
          expect:
            rows: [{figures: {model: opus, amount: 1.25, words: [opus]}}]
        """
    assert bench.only(text).outcome == "pass"
    result = bench.only(text.replace("amount: 1.25, words: [opus]", "amount: 1.5, words: [o]"))
    assert result.lines == (
        "   figures",
        "~  amount: 1.5 -> 1.25; words[0]: o -> opus",
    )


def test_a_model_reads_the_rows_that_it_has_already(bench: Bench) -> None:
    result = bench.only("""
        - name: later
          model: more
          vars: {is_made: true}
          given:
            - {input: this, rows: [{day: 2026-11-16}]}
            - {input: ref('usage'), rows: [{day: 2026-11-16}, {day: 2026-11-17}]}
          expect: {rows: [{day: 2026-11-17}]}
        """)
    assert result.outcome == "pass"
    assert result.test.is_incremental


def test_a_pivot_over_the_given_values(bench: Bench) -> None:
    result = bench.only("""
        - name: wide
          model: wide
          given:
            - input: ref('usage')
              rows: [{day: 2026-11-16, model: a, amount: 1}, {day: 2026-11-16, model: b, amount: 2}]
          expect: {rows: [{day: 2026-11-16, a: 1, b: 2}]}
        """)
    assert (result.outcome, result.message, result.lines) == ("pass", "", ())


def test_an_input_whose_columns_nobody_knows(bench: Bench) -> None:
    result = bench.only("""
        - name: wide
          model: of_wide
          given: [{input: ref('wide'), rows: [{a: 1}]}]
          expect: {rows: []}
        """)
    assert result.outcome == "error"
    assert result.message == "the columns of ref('wide') can't be known from its SQL alone"


def test_a_model_that_stops_on_the_given_rows(bench: Bench) -> None:
    results = bench.run("""
        - name: stops
          model: failing
          given: [{input: ref('usage'), rows: [{model: opus}]}]
          expect: {rows: []}
        - {name: after, model: by_day, given: [], expect: {rows: []}}
        """)
    assert [result.outcome for result in results] == ["error", "pass"]
    assert results[0].message == "failing can't be made of the given rows: no opus"
    assert str(results[0].place) == f"{FILE}:2:11"


def test_what_a_test_reads_and_what_it_is(bench: Bench) -> None:
    def read(text: str) -> UnitTest:
        (test,), problems = read_unit_tests(*bench.loaded(text))
        assert problems == ()
        return test

    test = read(SUMS)
    assert (test.name, test.model, test.depends_on) == ("sums", "by_day", ("by_day", "usage"))
    assert test.checksum == read(f"# a remark\n{dedent(SUMS)}").checksum
    assert test.checksum != read(SUMS.replace("0.30", "0.31")).checksum


# What stands in a test, the words that the finding is at, and the finding.
PROBLEMS = [
    (
        "{model: by_dya, given: []",
        "by_dya",
        "there is no model 'by_dya'\n    did you mean 'by_day'?",
    ),
    (
        "{model: by_day, given: [{input: ref('usages'), rows: []}]",
        "ref('usages')",
        "by_day does not read ref('usages')\n    did you mean 'ref('usage')'?",
    ),
    (
        "{model: by_day, given: [{input: lading.runs, rows: []}]",
        "lading.runs",
        "by_day does not read lading.runs\n    it reads ref('usage')",
    ),
    (
        "{model: values, given: [{input: ref('kinds_of_values'), rows: [{word: x}, {wrod: x}]}]",
        "wrod",
        "ref('kinds_of_values') has no column 'wrod'\n    did you mean 'word'?",
    ),
    (
        "{model: by_day, selector: {word: x}, given: []",
        "selector",
        "'by_day' is no resource model, so it has no selector\n    leave selector out",
    ),
    (
        "{model: a-record, selector: {startingDate: 2026-11-16, wrod: x}, given: []",
        "wrod",
        "the selector has no field 'wrod'\n    did you mean 'word'?",
    ),
    (
        "{model: a-record, selector: {word: x}, given: []",
        "selector",
        "the selector lacks startingDate or timeFrame",
    ),
    (
        "{model: recent, vars: {days: [1]}, now: 2026-11-16, given: [{input: x, rows: []}]",
        "x, rows",
        "recent does not read x\n    it reads ref('usage')",
    ),
]


@pytest.mark.parametrize(("test", "words", "said"), PROBLEMS)
def test_what_is_wrong_with_a_test(bench: Bench, test: str, words: str, said: str) -> None:
    text = f"- {test}, name: a, expect: {{rows: []}}}}"
    assert bench.problems(text) == [f"{where(text, words)}: {said}"]


def test_an_input_that_is_given_twice(bench: Bench) -> None:
    text = """
        - name: a
          model: by_day
          given:
            - {input: ref('usage'), rows: []}
            - {input: 'ref("usage")', rows: []}
          expect: {rows: []}
        """
    first, second = where(text, "ref('usage')"), where(text, "'ref(\"usage\")'")
    said = f'the rows of ref("usage") are at {first} too\n    put the two together'
    assert bench.problems(text) == [f"{second}: {said}"]


def test_a_template_that_fails_for_a_tests_variables(bench: Bench) -> None:
    text = """
        - name: a
          model: ratio
          vars: {parts: 0}
          given: []
          expect: {rows: []}
        """
    (said,) = bench.problems(text)
    assert said.startswith(f"{FILE}:2:11: ratio can't be rendered for this test: ")
    assert said.endswith("models/marts/ratio.sql:1")


def test_rows_of_a_column_that_the_model_does_not_have(bench: Bench) -> None:
    text = SUMS.replace("model: a, amount: 0.30", "modle: a, amount: 0.30")
    place, said = where(text, "modle"), "by_day has no column 'modle'"
    assert bench.problems(text) == [f"{place}: {said}\n    did you mean 'model'?"]
    result = bench.only(text)
    assert (result.outcome, result.message) == ("error", said)
    assert (str(result.place), result.hint) == (place, "did you mean 'model'?")


def test_names_are_given_once(bench: Bench) -> None:
    one = "- {name: a, model: by_day, given: [], expect: {rows: []}}\n"
    assert bench.problems(one + one) == [
        f"{FILE}:3:12: the unit test 'a' is at {FILE}:2:12 too\n    give one of them another name"
    ]


def test_a_model_that_has_an_error_itself_is_not_told_to_be_missing(
    project: MakeProject, now: datetime
) -> None:
    text = "unit_tests: [{name: a, model: x, given: [], expect: {rows: []}}]"
    made = project({"models/m/x.sql": "select from", FILE: text})
    graph, problems = load_graph(made, now)
    assert len(problems) == 1
    assert read_unit_tests(made, graph) == ((), ())


def test_a_long_diff_is_cut() -> None:
    expected = [(str(number),) for number in range(MOST_LINES + 5)]
    lines = diff_lines(["a"], compare(expected, []))
    assert len(lines) == 1 + MOST_LINES + 1
    assert lines[-1] == "… and 5 rows more"


def test_long_texts_are_shown_where_they_differ() -> None:
    text = "x" * 200
    (_, line) = diff_lines(["a", "b"], compare([("1", f"{text}left")], [("1", f"{text}right")]))
    assert line == f"~  1  …{'x' * 25}left -> …{'x' * 25}right"


def test_the_shipped_tests_pass(now: datetime) -> None:
    project, problems = load_project(ROOT, environment=Environment({}))
    assert project is not None
    assert problems == ()
    graph, _ = load_graph(project, now)
    tests, problems = read_unit_tests(project, graph)
    assert problems == ()
    assert tests
    with skeleton(project, graph) as copy:
        assert unit_test_problems(copy, tests) == ()
        results = [run_unit_test(copy, test) for test in tests]
    assert [(each.test.name, each.lines, each.message) for each in results if each.message] == []
    assert {each.outcome for each in results} == {"pass"}
