from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.engine.building import build

from lading.project.environment import Environment
from lading.project.load import load_project
from lading.transform.graph import load_graph
from lading.transform.properties import Column
from lading.transform.skeleton import Bound, contract_problems, skeleton, type_names
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.transform.conftest import MakeProject

BindFiles = Callable[..., Bound]

ROOT = Path(__file__).parents[3]
USAGE = """
    select
        connection,
        starting_at::date as day,
        payload ->> '$.model' as model,
        (payload ->> '$.tokens')::bigint as tokens,
        {'input': 1, 'cache': {'read': 2}} as counts
    from {{ source('claude_platform', 'usage_messages') }}
    """
MACROS = "{% macro doubled(x) %}\n  ({{ x }} * 2)\n{% endmacro %}"
# DuckDB puts its keywords in quotes.
COUNTS = 'STRUCT("input" INTEGER, "cache" STRUCT("read" INTEGER))'
BASE = {"models/marts/usage.sql": USAGE, "macros/m.sql": MACROS}


@pytest.fixture
def bound(project: MakeProject, now: datetime) -> BindFiles:
    """Binds the models of files by their names, with `usage` beside them."""

    def make(files: Mapping[str, str], extra: Mapping[str, str] | None = None) -> Bound:
        made = project({**BASE, **files})
        graph, problems = load_graph(made, now)
        assert problems == ()
        with skeleton(made, graph, extra) as empty:
            return empty.bound

    return make


def told(bound: Bound) -> list[str]:
    return [str(problem) for problem in bound.problems]


def test_each_model_has_its_columns_and_their_types(bound: BindFiles) -> None:
    found = bound(
        {
            "models/marts/by_day.sql": "{{ config(materialized='table') }}\n"
            "select day, sum(tokens) as tokens, list(model) as models, null as nothing\n"
            "from {{ ref('usage') }} group by day",
            "models/marts/twice.sql": "from {{ ref('by_day') }} select day, day, tokens * 0.01",
            "models/resources/a-record.sql": "select counts, '{{ selector.word }}' as word\n"
            "from {{ ref('usage') }}",
            "models/resources/kinds.yml": "models: [{name: a-record, "
            "kind: {selector: {word: {type: text, default: x}}}}]",
        }
    )
    assert told(found) == []
    assert found.columns == {
        "usage": (
            ("connection", "VARCHAR"),
            ("day", "DATE"),
            ("model", "VARCHAR"),
            ("tokens", "BIGINT"),
            ("counts", COUNTS),
        ),
        "by_day": (
            ("day", "DATE"),
            ("tokens", "HUGEINT"),
            ("models", "VARCHAR[]"),
            ("nothing", '"NULL"'),
        ),
        "twice": (
            ("day", "DATE"),
            ("day_1", "DATE"),
            ("(tokens * 0.01)", "DECIMAL(38,2)"),
        ),
        "a-record": (
            ("counts", COUNTS),
            ("word", "VARCHAR"),
        ),
    }


WRONG = [
    (
        "select\n  day,\n  modle\nfrom {{ ref('usage') }}",
        "3:3: there is no column 'modle'\n    did you mean 'model'?",
    ),
    (
        "select u.day, u.modle from {{ ref('usage') }} as u",
        "1:15: 'u' has no column 'modle'\n    did you mean 'model'?",
    ),
    (
        "select day,\n  counts.cache.raed from {{ ref('usage') }}",
        "2:16: the struct has no field 'raed'\n    did you mean 'read'?",
    ),
    (
        "select * exclude (modle) from {{ ref('usage') }}",
        "1:19: there is no column 'modle'\n    did you mean 'model'?",
    ),
    (
        "select a.day from {{ ref('usage') }} as usage",
        "1:8: there is no table 'a' in FROM\n    known: usage",
    ),
    (
        "select summ(tokens) from {{ ref('usage') }}",
        "1:8: there is no function 'summ'\n    did you mean 'sum'?",
    ),
    (
        "select date_trunk('month', day) from {{ ref('usage') }}",
        "1:8: there is no function 'date_trunk'\n    did you mean 'date_trunc'?",
    ),
    (
        "select tokens::integre from {{ ref('usage') }}",
        "1:16: there is no type 'integre'\n    did you mean 'integer'?",
    ),
    (
        "select md5(tokens) from {{ ref('usage') }}",
        (
            "1:8: no function takes md5(BIGINT)\n"
            "    cast what it is given; it takes md5(string VARCHAR) -> VARCHAR, "
            "md5(blob BLOB) -> VARCHAR"
        ),
    ),
    (
        "select model + 1 from {{ ref('usage') }}",
        (
            "1:14: no function takes +(VARCHAR, INTEGER_LITERAL)\n"
            "    cast what it is given to a type that it takes"
        ),
    ),
    (
        "select model, sum(tokens) from {{ ref('usage') }}",
        (
            '1:8: column "model" must appear in the GROUP BY clause or must be part of an '
            "aggregate function\n"
            '    Either add it to the GROUP BY list, or use ANY_VALUE("model") if the exact value '
            'of "model" is not important.'
        ),
    ),
    (
        "select * from raw.usage_message",
        "1:15: there is no table 'usage_message'\n    did you mean 'usage_messages'?",
    ),
    (
        "select * from lading.vanishd",
        "1:15: there is no table 'vanishd'\n    did you mean 'vanished'?",
    ),
    (
        "select 'ü' as x,\n  {{ doubled('tokenz') }} from {{ ref('usage') }}",
        (
            "2:3: there is no column 'tokenz'\n"
            "    did you mean 'tokens'?; the SQL comes from a macro, at macros/m.sql:2"
        ),
    ),
    (
        "select 1 union select 1, 2",
        " Set operations can only apply to expressions with the same number of result columns",
    ),
]


@pytest.mark.parametrize(("sql", "said"), WRONG)
def test_sql_that_does_not_bind_is_told_where_it_was_written(
    bound: BindFiles, sql: str, said: str
) -> None:
    found = bound({"models/marts/x.sql": sql})
    assert told(found) == [f"models/marts/x.sql:{said}"]
    assert "x" not in found.columns


def test_all_wrong_models_are_told_and_none_for_what_it_reads(bound: BindFiles) -> None:
    found = bound(
        {
            "models/marts/one.sql": "select nowhere from {{ ref('usage') }}",
            "models/marts/reader.sql": "select no_such_thing from {{ ref('one') }}",
            "models/marts/two.sql": "select neither from {{ ref('usage') }}",
            "models/resources/a-record.sql": "select tokns from {{ ref('usage') }}",
            "models/resources/kinds.yml": "models: [{name: a-record, kind: {}}]",
        }
    )
    assert [each.split(": ")[1].splitlines()[0] for each in told(found)] == [
        "there is no column 'tokns'",
        "there is no column 'nowhere'",
        "there is no column 'neither'",
    ]
    assert list(found.columns) == ["usage"]


def test_nothing_of_a_model_is_run(bound: BindFiles) -> None:
    found = bound({"models/marts/x.sql": "select error('now') as x, cast('a' as integer) as y"})
    assert told(found) == []
    assert found.columns["x"] == (("x", '"NULL"'), ("y", "INTEGER"))


def test_a_pivot_over_whatever_values_there_are_has_no_known_columns(bound: BindFiles) -> None:
    pivot = "pivot {{ ref('usage') }} on model using sum(tokens) group by day"
    found = bound(
        {
            "models/marts/wide.sql": pivot,
            "models/marts/reader.sql": "select opus from {{ ref('wide') }}",
            "models/marts/named.sql": pivot.replace("on model", "on model in ('a', 'b')"),
        }
    )
    assert told(found) == []
    assert found.columns.keys() == {"usage", "named"}
    assert found.columns["named"] == (("day", "DATE"), ("a", "HUGEINT"), ("b", "HUGEINT"))


def test_what_lies_outside_the_project_is_left_to_the_build(bound: BindFiles) -> None:
    found = bound(
        {
            "models/marts/file.sql": "from read_csv('nowhere.csv')",
            "models/marts/table.sql": "from budgets.by_team",
            "models/marts/reader.sql": "select x from {{ ref('table') }}",
        }
    )
    assert told(found) == []
    assert found.columns.keys() == {"usage"}


def test_a_table_from_outside_that_may_be_a_misspelt_one_is_a_warning(bound: BindFiles) -> None:
    (found,) = bound({"models/marts/x.sql": "select day from usagee"}).problems
    assert (found.severity, found.message) == ("warning", "there is no table 'usagee'")
    assert found.hint == "did you mean 'marts.usage'?"


def test_other_relations_have_the_columns_of_a_query(bound: BindFiles) -> None:
    files = {"models/marts/x.sql": "select team, budget * 2 as twice from files.teams"}
    extra = {"files.teams": "select 'a' as team, 1.5::decimal(10, 2) as budget"}
    found = bound(files, extra)
    assert told(found) == []
    assert found.columns["x"] == (("team", "VARCHAR"), ("twice", "DECIMAL(18,2)"))
    files = {"models/marts/x.sql": "select taem from files.teams"}
    assert told(bound(files, extra)) == [
        "models/marts/x.sql:1:8: there is no column 'taem'\n    did you mean 'team'?"
    ]


@pytest.mark.parametrize("name", ["claude", "memory", "a-b", "select"])
def test_tables_can_be_named_with_the_catalog(bound: BindFiles, name: str) -> None:
    found = bound(
        {
            "project.yml": f"name: test\ntargets: {{dev: {{database: {name}.duckdb}}}}\n"
            "connections: {anthropic: {}}",
            "models/marts/x.sql": f'select model from "{name}".marts.usage',
        }
    )
    assert told(found) == []
    assert found.columns["x"] == (("model", "VARCHAR"),)


def test_the_shipped_models_have_the_columns_that_they_are_built_with(
    now: datetime, database: duckdb.DuckDBPyConnection
) -> None:
    project, _ = load_project(ROOT, environment=Environment({}))
    assert project is not None
    graph, _ = load_graph(project, now)
    with skeleton(project, graph) as empty:
        found = empty.bound
    assert found.problems == ()
    assert found.columns.keys() == graph.models.keys()
    prepare(database, [table.stream for table in graph.compiler.renderer.tables])
    build(graph, database)
    for name, model in graph.models.items():
        if not model.is_resource:
            rows = database.execute(f"DESCRIBE {model.relation}").fetchall()
            assert found.columns[name] == tuple((row[0], row[1]) for row in rows)


def test_the_copy_is_empty_and_not_the_database(project: MakeProject, now: datetime) -> None:
    made = project(BASE)
    graph, _ = load_graph(made, now)
    with skeleton(made, graph) as copy:
        rows = copy.connection.execute("SELECT count(*) FROM claude.marts.usage").fetchall()
        assert rows == [(0,)]
    assert not made.target.database.exists()


COLUMNS = (("day", "DATE"), ("amount_usd", "DECIMAL(38,9)"), ("Model", "VARCHAR"))


def differences(*declared: Column) -> list[tuple[str, ...]]:
    with duckdb.connect(":memory:") as connection:
        found = contract_problems(COLUMNS, declared, type_names(connection))
    return [(each.kind, each.column, each.message, each.hint or "") for each in found]


def test_a_contract_that_is_kept() -> None:
    assert (
        differences(
            Column("day", data_type="date"),
            Column("model", data_type="text"),
            Column("amount_usd", data_type="decimal( 38, 9 )"),
        )
        == []
    )


def test_columns_that_are_missing_surplus_or_of_another_type() -> None:
    assert differences(
        Column("days", data_type="DATE"),
        Column("amount_usd", data_type="DECIMAL(38, 2)"),
        Column("model", data_type="STRING(5"),
    ) == [
        (
            "missing",
            "days",
            "the contract has a column 'days', and the model has none",
            "did you mean 'day'?",
        ),
        (
            "type",
            "amount_usd",
            "the column 'amount_usd' is DECIMAL(38,9), and its contract says DECIMAL(38,2)",
            "cast it in the model: amount_usd::DECIMAL(38,2)",
        ),
        (
            "type",
            "model",
            "DuckDB has no type 'STRING(5' (of the column 'model')",
            "the model gives VARCHAR",
        ),
        (
            "surplus",
            "day",
            "the model has a column 'day', and the contract has none",
            "declare it under columns:",
        ),
    ]


def test_a_column_that_declares_no_type_may_have_any() -> None:
    assert differences(Column("day"), Column("amount_usd"), Column("Model")) == []
