from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.building import build

from lading.errors import DatabaseError, UserError
from lading.transform.graph import load_graph
from lading.transform.resources import resource_rows, resource_sql, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    from tests.engine.transform.conftest import LoadGraph, MakeProject

KIND = """
    models:
      - name: a-record
        kind:
          aliases: [an-old-name]
          selector:
            startingDate: {type: timestamp}
            timeFrame: {type: days}
            bucketWidth: {type: choice, values: [1h, 1d], default: 1d}
            groupBy: {type: choices, values: [model, workspace_id], default: []}
            word: {type: text}
          exactly_one_of: [[timeFrame, startingDate]]
    """
SQL = """\
{% set by = selector.groupBy %}
select '{{ selector.bucketWidth }}' as width{% for each in by %}, {{ each }}{% endfor %}
from {{ ref('usage') }}
where true
{%- if selector.timeFrame is not none %}
  and day > {{ run_started_at | literal }}::DATE - {{ selector.timeFrame }}
{%- else %}
  and day >= {{ selector.startingDate | literal }}::TIMESTAMP
{%- endif %};
"""
FILES = {
    "models/resources/a-record.sql": SQL,
    "models/resources/kinds.yml": KIND,
    "models/marts/usage.sql": "select date '2026-01-01' as day, 'm' as model, 'w' as workspace_id",
}


def sql_of(
    project: MakeProject,
    now: datetime,
    selector: dict[str, Any],
    name: str = "a-record",
    files: dict[str, str] | None = None,
) -> str:
    made = project({**FILES, **(files or {})})
    graph, problems = load_graph(made, now)
    assert problems == ()
    return resource_sql(graph, made, name, selector, datetime(2026, 12, 1, tzinfo=UTC))


def read(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return [
        json.loads(row, parse_float=Decimal) for batch in rows(connection, sql) for row in batch
    ]


def value(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The value of an expression, as it comes out in a row."""
    ((row,),) = rows(connection, f"SELECT {sql} AS x")
    return json.loads(row, parse_float=Decimal)["x"]


def test_a_selector_decides_and_what_it_lacks_has_the_kinds_defaults(
    project: MakeProject, now: datetime
) -> None:
    assert sql_of(project, now, {"startingDate": "2026-01-01T00:00:00Z"}) == dedent("""\

        select '1d' as width
        from marts.usage
        where true
          and day >= '2026-01-01T00:00:00Z'::TIMESTAMP""")


def test_the_moment_is_that_of_the_call(project: MakeProject, now: datetime) -> None:
    selector = {"timeFrame": 7, "bucketWidth": "1h", "groupBy": ["model"], "query": "true"}
    assert sql_of(project, now, selector) == dedent("""\

        select '1h' as width, model
        from marts.usage
        where true
          and day > '2026-12-01T00:00:00Z'::DATE - 7""")


def test_a_selector_can_not_break_out_of_its_literal(
    project: MakeProject, now: datetime, database: duckdb.DuckDBPyConnection
) -> None:
    text = "' union all select 'it''s out' --"
    files = {"models/resources/a-record.sql": "select {{ selector.word | literal }} as word"}
    sql = sql_of(project, now, {"word": text}, files=files)
    assert read(database, sql) == [{"word": text}]


def test_a_template_can_not_change_its_selector(project: MakeProject, now: datetime) -> None:
    files = {
        "models/resources/a-record.sql": "{% do selector.groupBy.append('x') %}select 1 as x"
        "{% for each in selector.groupBy %}, {{ each }}{% endfor %}"
    }
    selector = {"groupBy": ["model"]}
    assert sql_of(project, now, selector, files=files) == "select 1 as x, model, x"
    assert selector == {"groupBy": ["model"]}


def test_any_other_model_is_read_as_it_stands(project: MakeProject, now: datetime) -> None:
    assert sql_of(project, now, {"query": "true"}, "usage") == "SELECT * FROM marts.usage"


def test_a_model_that_is_not_there(project: MakeProject, now: datetime) -> None:
    with pytest.raises(UserError) as raised:
        sql_of(project, now, {}, "usages")
    assert str(raised.value) == "there is no model 'usages'\n    did you mean 'usage'?"


def test_sql_that_one_selector_breaks_is_told_with_its_line(
    project: MakeProject, now: datetime
) -> None:
    files = {
        "models/resources/a-record.sql": "select 1 as x\n"
        "{% if selector.word %}\n  {{ selector.word }} x y\n{% endif %}"
    }
    assert sql_of(project, now, {}, files=files) == "select 1 as x"
    with pytest.raises(UserError) as raised:
        sql_of(project, now, {"word": ", 2 as"}, files=files)
    assert str(raised.value) == ('models/resources/a-record.sql:3:25: syntax error at or near "y"')


def test_a_rendering_that_one_selector_breaks_is_told_with_its_line(
    project: MakeProject, now: datetime
) -> None:
    sql = "select 1 as x\n{% if selector.word %}\n{{ 8 // (selector.groupBy | length) }}{% endif %}"
    files = {"models/resources/a-record.sql": sql}
    with pytest.raises(UserError, match=r"a-record\.sql:3: .*by zero"):
        sql_of(project, now, {"word": "x"}, files=files)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (
            "select 1 as x\n{% if false %}{{ selector.groupby }}{% endif %}",
            """models/resources/a-record.sql:2:27: the selector has no field 'groupby'
    did you mean 'groupBy'?""",
        ),
        (
            "select {{ selector['width'] }} as x",
            """models/resources/a-record.sql:1: the selector has no field 'width'
    known: bucketWidth, groupBy, startingDate, timeFrame, word""",
        ),
        (
            "select '{{ this }}'",
            "models/resources/a-record.sql:1:12: 'this' is not known in resource models",
        ),
        (
            "\n{{ config(materialized='view') }} select 1 as x",
            "models/resources/a-record.sql:2:4: 'a-record' is rendered for each mapping, and never",
        ),
    ],
)
def test_what_a_resource_model_can_not_do(sql: str, problem: str, load: LoadGraph) -> None:
    _, (found,) = load({**FILES, "models/resources/a-record.sql": sql})
    assert found.startswith(problem)


def test_other_models_have_no_selector_and_can_not_read_resource_models(load: LoadGraph) -> None:
    files = {
        **FILES,
        "models/marts/a.sql": "select {{ selector.groupBy }}",
        "models/marts/b.sql": "select 1 as x\nfrom {{ ref('a-record') }}",
        "models/marts/c.sql": 'select 1 as x\nfrom resources."a-record"',
    }
    _, problems = load(files)
    refused = (
        "'a-record' can't be referred to: it is rendered for each mapping, and never made in the "
        "database\n    refer to the model that it reads from"
    )
    assert problems == [
        "models/marts/a.sql:1:11: 'selector' is known in resource models only",
        f"models/marts/b.sql:2:14: {refused}",
        f"models/marts/c.sql:2:16: {refused}",
    ]


def test_a_resource_model_without_a_kind(load: LoadGraph) -> None:
    _, problems = load({**FILES, "models/resources/other.sql": "select {{ selector.x }}"})
    (problem,) = problems
    assert problem == (
        "models/resources/other.sql: the resource model 'other' has no kind, so no mapping can "
        "use it\n    declare it in a .yml file beside it: models: [{name: other, kind: …}]"
    )


def test_materialized_has_no_meaning_for_a_resource_model(load: LoadGraph) -> None:
    kind = KIND.replace("        kind:", "        config: {materialized: table}\n        kind:")
    _, problems = load({**FILES, "models/resources/kinds.yml": kind})
    (problem,) = problems
    assert problem == (
        "models/resources/kinds.yml:4:14: 'a-record' is rendered for each mapping, and never made "
        "in the database\n    leave materialized out"
    )


def test_it_compiles_with_values_that_its_kind_accepts(load: LoadGraph) -> None:
    kind = """
        models:
          - name: a-record
            kind:
              selector:
                since: {type: timestamp, required: true}
                day: {type: date, required: true}
                days: {type: days, required: true}
                width: {type: choice, values: [1h, 1d], required: true}
                by: {type: choices, values: [model], required: true}
                word: {type: text, required: true}
                given: {type: choice, values: [1h, 1d], default: 1d, required: true}
                first: {type: days}
                second: {type: days}
                third: {type: days}
              exactly_one_of: [[first, second]]
        """
    sql = "select {% for each in selector.values() %}{{ each | literal }}, {% endfor %} 1 as x"
    files = {"models/resources/a-record.sql": sql, "models/resources/kinds.yml": kind}
    graph, problems = load({**FILES, **files})
    assert problems == []
    assert graph.models["a-record"].sql == (
        "select '2026-01-01T00:00:00Z', '2026-01-01', 1, '1h', [], '', '1d', 1, NULL, NULL,  1 as x"
    )


def test_the_streams_behind_a_model(load: LoadGraph) -> None:
    usage = "select * from {{ source('claude_platform', 'usage_messages') }}"
    cost = "select * from raw.cost_report, {{ ref('usage') }}"
    graph, _ = load({**FILES, "models/marts/usage.sql": usage, "models/marts/cost.sql": cost})
    assert graph.streams("a-record") == {"usage_messages"}
    assert graph.streams("cost") == {"usage_messages", "cost_report"}


def test_a_resource_model_reads_all_that_any_selector_leads_to(load: LoadGraph) -> None:
    files = {
        "models/marts/daily.sql": "select * from {{ source('claude_platform', 'usage_messages') }}",
        "models/resources/a-record.sql": "select * from {{ ref('usage') }}"
        "{% if selector.word %}, {{ ref('daily') }}, "
        "{{ source('claude_platform', 'cost_report') }}{% endif %}",
        "models/marts/other.sql": "select 1 as x{% if false %} from {{ ref('usage') }}{% endif %}",
    }
    graph, problems = load({**FILES, **files})
    assert problems == []
    assert graph.models["a-record"].depends_on == ("daily", "usage")
    assert graph.streams("a-record") == {"usage_messages", "cost_report"}
    assert graph.models["other"].depends_on == ()


def test_rows_of_a_mart_that_was_built(
    load: LoadGraph, project: MakeProject, now: datetime, database: duckdb.DuckDBPyConnection
) -> None:
    graph, _ = load(FILES)
    build(graph, database)
    sql = sql_of(project, now, {}, "usage")
    assert read(database, sql) == [{"day": "2026-01-01", "model": "m", "workspace_id": "w"}]


RESOURCE_ERRORS = [
    (
        "select 1 as x,\n  {{ selector.word }} as y",
        {"word": "nowhere"},
        'models/resources/a-record.sql:2:3: Referenced column "nowhere" was not found',
    ),
    (
        "select 1 as x,\n  é from {{ ref('usage') }}",
        {},
        'models/resources/a-record.sql:2:3: Referenced column "é" not found in FROM clause!',
    ),
    (
        "select case when i = 0 then error('no: ' || i) else 1 end as x from range(1) t(i)",
        {},
        "models/resources/a-record.sql: Invalid Input Error: no: 0",
    ),
]


@pytest.mark.parametrize(("sql", "selector", "message"), RESOURCE_ERRORS)
def test_duckdbs_errors_are_at_the_users_own_line(
    sql: str,
    selector: dict[str, Any],
    message: str,
    project: MakeProject,
    now: datetime,
    database: duckdb.DuckDBPyConnection,
) -> None:
    made = project({**FILES, "models/resources/a-record.sql": sql})
    graph, _ = load_graph(made, now)
    build(graph, database)
    with pytest.raises(DatabaseError) as raised:
        list(resource_rows(graph, made, database, "a-record", selector, now))
    assert str(raised.value).startswith(message)
    assert "LINE" not in str(raised.value)


def test_a_mart_that_was_not_built(
    project: MakeProject, now: datetime, database: duckdb.DuckDBPyConnection
) -> None:
    made = project(FILES)
    graph, _ = load_graph(made, now)
    with pytest.raises(DatabaseError, match=r"^models/marts/usage\.sql: .* does not exist"):
        list(resource_rows(graph, made, database, "usage", {}, now))
    build(graph, database)
    ((row,),) = resource_rows(graph, made, database, "usage", {}, now)
    assert json.loads(row)["model"] == "m"


VALUES: list[tuple[str, Any]] = [
    ("timestamp '2026-01-02 03:04:05'", "2026-01-02T03:04:05Z"),
    ("timestamp '2026-01-02 03:04:05.678901'", "2026-01-02T03:04:05Z"),
    ("timestamp_s '2026-01-02 03:04:05'", "2026-01-02T03:04:05Z"),
    ("timestamp_ms '2026-01-02 03:04:05'", "2026-01-02T03:04:05Z"),
    ("timestamp_ns '2026-01-02 03:04:05'", "2026-01-02T03:04:05Z"),
    ("timestamptz '2026-01-02 03:04:05+02:00'", "2026-01-02T01:04:05Z"),
    ("date '2026-01-02'", "2026-01-02"),
    ("time '03:04:05'", "03:04:05"),
    ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
    ("(-170141183460469231731687303715884105728)::HUGEINT", -(2**127)),
    ("340282366920938463463374607431768211455::UHUGEINT", 2**128 - 1),
    ("9223372036854775807", 2**63 - 1),
    ("(SELECT sum(i) FROM range(3) t(i))", 3),
    ("0.5::DECIMAL(16, 16)", Decimal("0.5")),
    ("'-0.1'::DECIMAL(3, 3)", Decimal("-0.1")),
    ("'0.1'::DOUBLE", Decimal("0.1")),
    ("'nan'::DOUBLE", None),
    ("'-inf'::FLOAT", None),
    ("1 / 0", None),
    ("true", True),
    ("NULL", None),
    ("NULL::TIMESTAMP", None),
    ("NULL::DOUBLE", None),
    ("NULL::JSON", None),
    ("NULL::STRUCT(a TIMESTAMP)", None),
    ("NULL::TIMESTAMP[]", None),
    ("NULL::MAP(VARCHAR, DOUBLE)", None),
    ("'\"a\\b\nc\té€😀'", '"a\\b\nc\té€😀'),
    ("uuid '00000000-0000-0000-0000-00000000000a'", "00000000-0000-0000-0000-00000000000a"),
    ("'x'::ENUM('x', 'y')", "x"),
    ("[]", []),
    ("[timestamp '2026-01-01', NULL]", ["2026-01-01T00:00:00Z", None]),
    ("[date '2026-01-01']::DATE[1]", ["2026-01-01"]),
    ("[timestamp '2026-01-01']::TIMESTAMP[1]", ["2026-01-01T00:00:00Z"]),
    ("[[1.5::DOUBLE, 'nan'::DOUBLE], NULL, []]", [[Decimal("1.5"), None], None, []]),
    ("{'a b': timestamp '2026-01-01', 'it''s \"q\"': 1}",
     {"a b": "2026-01-01T00:00:00Z", 'it\'s "q"': 1}),
    ("{'a': [{'b': timestamp '2026-01-01', 'c': NULL::DOUBLE}]}",
     {"a": [{"b": "2026-01-01T00:00:00Z", "c": None}]}),
    ("map {'k': timestamp '2026-01-01'}", {"k": "2026-01-01T00:00:00Z"}),
    ("map {'a\"b': {'t': [timestamp '2026-01-01']}, 'z': NULL}",
     {'a"b': {"t": ["2026-01-01T00:00:00Z"]}, "z": None}),
    ("map {1: 'x'}", {"1": "x"}),
    ("map {date '2026-01-01': 1.5::DOUBLE}", {"2026-01-01": Decimal("1.5")}),
    ("map {}", {}),
    ("""'{"n": 12345678901234567890.123, "s": "é"}'::JSON""",
     {"n": Decimal("12345678901234567890.123"), "s": "é"}),
    ("""{'j': ['[0.12345678901234567890]'::JSON, NULL]}""",
     {"j": [[Decimal("0.12345678901234567890")], None]}),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), VALUES)
def test_each_type_as_json(
    sql: str, expected: Any, database_in_memory: duckdb.DuckDBPyConnection
) -> None:
    found = value(database_in_memory, sql)
    assert found == expected
    assert type(found) is type(expected)


def test_the_sessions_zone_does_not_matter(database: duckdb.DuckDBPyConnection) -> None:
    database.execute("SET GLOBAL TimeZone = 'America/New_York'")
    assert value(database, "timestamptz '2026-01-02 03:04:05+02:00'") == "2026-01-02T01:04:05Z"
    assert value(database, "timestamp '2026-01-02 03:04:05'") == "2026-01-02T03:04:05Z"


@st.composite
def decimals(draw: st.DrawFn) -> tuple[int, int, Decimal]:
    width = draw(st.integers(1, 38))
    scale = draw(st.integers(0, width))
    unscaled = draw(st.integers(-(10**width) + 1, 10**width - 1))
    return width, scale, Decimal(f"{unscaled}E-{scale}")


@settings(max_examples=100, deadline=None)
@given(drawn=decimals())
def test_every_decimal_is_exact(
    database_in_memory: duckdb.DuckDBPyConnection, drawn: tuple[int, int, Decimal]
) -> None:
    width, scale, number = drawn
    sql = f"'{number:f}'::DECIMAL({width}, {scale})"
    assert Decimal(value(database_in_memory, sql)) == number
    assert Decimal(value(database_in_memory, f"{{'a': [{sql}]}}")["a"][0]) == number


@pytest.fixture(scope="module")
def database_in_memory() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect() as connection:
        yield connection


def test_rows_come_in_order_in_batches(database: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT i, i % 7 AS g FROM range(2500) t(i) ORDER BY g, i DESC"
    batches = list(rows(database, sql, 1000))
    assert [len(batch) for batch in batches] == [1000, 1000, 500]
    numbers = [json.loads(row)["i"] for batch in batches for row in batch]
    assert numbers == sorted(range(2500), key=lambda i: (i % 7, -i))


def test_a_query_that_ends_in_a_comment(database: duckdb.DuckDBPyConnection) -> None:
    assert read(database, 'SELECT 1 AS "a ""b""" -- the end') == [{'a "b"': 1}]


def test_no_rows(database: duckdb.DuckDBPyConnection) -> None:
    assert list(rows(database, "SELECT 1 AS x WHERE false")) == []


def test_the_connection_is_free_while_rows_are_read(database: duckdb.DuckDBPyConnection) -> None:
    database.execute("CREATE TABLE t AS SELECT i FROM range(30000) t(i)")
    reading = rows(database, "FROM t", 1000)
    first = next(reading)
    database.execute("DELETE FROM t")
    assert len(first) + sum(len(batch) for batch in reading) == 30000
    assert database.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_a_reader_that_stops_lets_go(database: duckdb.DuckDBPyConnection) -> None:
    reading = rows(database, "SELECT i FROM range(5000000) t(i)")
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert database.execute("SELECT 1").fetchall() == [(1,)]
