from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from tests.engine.building import build

from lading.errors import Place
from lading.transform.build import NodeResult
from lading.transform.graph import Graph

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from tests.engine.transform.conftest import MakeGraph


CHAIN = {
    "models/staging/a.sql": "select 1 as x union all select 2",
    "models/marts/b.sql": "{{ config(materialized='table') }} select x * 10 as x from staging.a",
    "models/marts/c.sql": "select sum(x)::int as x from {{ ref('b') }}",
}


def _name(result: NodeResult) -> str:
    return result.node.removeprefix("model.")


def statuses(results: tuple[NodeResult, ...]) -> dict[str, str]:
    return {_name(result): result.status for result in results}


def content(connection: DuckDBPyConnection, relation: str) -> list[Any]:
    return sorted(row[0] for row in connection.execute(f"SELECT * FROM {relation}").fetchall())


def relations(connection: DuckDBPyConnection) -> dict[str, str]:
    found = (
        "SELECT table_schema || '.' || table_name, table_type FROM information_schema.tables "
        "WHERE table_schema <> 'lading'"
    )
    return dict(connection.execute(found).fetchall())


def rows(connection: DuckDBPyConnection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()


def test_views_and_tables_are_made_in_order(graph: MakeGraph, database: DuckDBPyConnection) -> None:
    results = build(graph(CHAIN), database)
    assert [_name(result) for result in results] == ["a", "b", "c"]
    assert statuses(results) == dict.fromkeys("abc", "ok")
    assert relations(database) == {
        "staging.a": "VIEW",
        "marts.b": "BASE TABLE",
        "marts.c": "VIEW",
    }
    assert content(database, "marts.c") == [30]


def test_only_tables_have_a_number_of_rows(graph: MakeGraph, database: DuckDBPyConnection) -> None:
    results = build(graph(CHAIN), database)
    assert [result.rows for result in results] == [None, 2, None]


def test_each_result_is_told_when_it_is_there(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    told: list[tuple[NodeResult, int]] = []

    def note(result: NodeResult) -> None:
        told.append((result, len(relations(database))))

    results = build(graph(CHAIN), database, on_node=note)
    assert tuple(result for result, _ in told) == results
    assert [made for _, made in told] == [1, 2, 3]


def test_a_second_build_replaces_what_is_there(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    build(graph(CHAIN), database)
    changed = {**CHAIN, "models/staging/a.sql": "select 5 as x, 'new' as y"}
    assert statuses(build(graph(changed), database)) == dict.fromkeys("abc", "ok")
    assert content(database, "marts.b") == [50]


@pytest.mark.parametrize(("first", "second"), [("view", "table"), ("table", "view")])
def test_a_changed_materialisation_replaces_the_other_kind(
    first: str, second: str, graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    for number, kind in enumerate((first, second, first)):
        sql = f"{{{{ config(materialized='{kind}') }}}} select {number} as x"
        results = build(graph({"models/marts/Some_Model.sql": sql}), database)
        assert [result.message for result in results] == [""]
        assert content(database, "marts.some_model") == [number]
        assert list(relations(database).values()) == ["VIEW" if kind == "view" else "BASE TABLE"]


@pytest.mark.parametrize("kind", ["view", "table"])
@pytest.mark.parametrize("before", ["view", "table"])
def test_a_failing_model_leaves_the_last_good_one(
    kind: str, before: str, graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    good = {"models/m/a.sql": f"{{{{ config(materialized='{before}') }}}} select 1 as x"}
    build(graph(good), database)
    bad = {"models/m/a.sql": f"{{{{ config(materialized='{kind}') }}}} select nowhere as x"}
    assert statuses(build(graph(bad), database)) == {"a": "error"}
    assert content(database, "m.a") == [1]
    assert list(relations(database).values()) == ["VIEW" if before == "view" else "BASE TABLE"]


def test_a_table_that_fails_on_its_last_row_is_not_half_made(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    sql = "{{ config(materialized='table') }}\nselect %s as x from range(300000) t(i)"
    build(graph({"models/m/a.sql": sql % "1"}), database)
    failing = sql % "case when i = 299999 then error('the last') else 2 end"
    (result,) = build(graph({"models/m/a.sql": failing}), database)
    assert (result.status, result.message) == ("error", "the last")
    assert rows(database, "SELECT DISTINCT x, count(*) FROM m.a GROUP BY ALL") == [(1, 300000)]


def test_what_depends_on_a_failed_model_is_skipped_and_the_rest_goes_on(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    files = {
        "models/m/a.sql": "select nowhere as x",
        "models/m/b.sql": "select * from {{ ref('a') }}",
        "models/m/c.sql": "select * from {{ ref('b') }}, {{ ref('free') }}",
        "models/m/free.sql": "select 1 as x",
        "models/m/later.sql": "select * from {{ ref('free') }}",
    }
    results = build(graph(files), database)
    assert {_name(each): (each.status, each.message) for each in results} == {
        "a": ("error", results[0].message),
        "b": ("skipped", "'a' failed"),
        "c": ("skipped", "'b' was skipped"),
        "free": ("ok", ""),
        "later": ("ok", ""),
    }
    assert "nowhere" in results[0].message
    assert set(relations(database)) == {"m.free", "m.later"}


def test_without_keep_going_the_first_failure_ends_it(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    files = {
        "models/m/a.sql": "select 1 as x",
        "models/m/b.sql": "select nowhere as x",
        "models/m/c.sql": "select 1 as x",
        "models/m/d.sql": "select 1 as x from {{ ref('a') }}",
    }
    results = build(graph(files), database, keep_going=False)
    assert statuses(results) == {"a": "ok", "b": "error", "c": "skipped", "d": "skipped"}
    assert {each.message for each in results[2:]} == {"stopped after 'b' failed"}
    assert set(relations(database)) == {"m.a"}


ERRORS = [
    ("select\n  1 as a,\n  nowhere\nfrom (select 1 as b)", Place("models/m/x.sql", 3, 3)),
    ("{# é\né #}\nselect 'é', *\nfrom\n  no.such", Place("models/m/x.sql", 5, 3)),
    ("select 1 as é,\n é + nowhere as d from (select 1 as é)", Place("models/m/x.sql", 2, 6)),
    ("select a, sum(b)\nfrom (select 1 as a, 2 as b)", Place("models/m/x.sql", 1, 8)),
    ("select\n no_such_function(1)", Place("models/m/x.sql", 2, 2)),
    ("select\n {{ cents('nowhere') }} as x\nfrom range(1)", Place("models/m/x.sql", 2, 2)),
]


@pytest.mark.parametrize("kind", ["view", "table"])
@pytest.mark.parametrize(("sql", "place"), ERRORS)
def test_duckdbs_errors_are_at_the_users_own_line(
    kind: str, sql: str, place: Place, graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    files = {
        "models/m/x.sql": sql,
        "models/m/x.yml": f"models: [{{name: x, config: {{materialized: {kind}}}}}]",
        "macros/m.sql": "\n{% macro cents(x) -%}\n({{ x }} * 0.01)\n{%- endmacro %}",
    }
    (result,) = build(graph(files), database)
    assert result.status == "error"
    assert result.place == place
    assert "LINE" not in result.message
    assert "{" not in result.message
    in_macro = "the SQL comes from a macro, at macros/m.sql:3"
    assert (in_macro in (result.hint or "")) == ("cents" in sql)


def test_an_error_while_it_runs_names_the_file(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    sql = "{{ config(materialized='table') }}\nselect error('no: ' || i) as x from range(1) t(i)"
    (result,) = build(graph({"models/m/x.sql": sql}), database)
    assert (result.message, result.place) == ("no: 0", Place("models/m/x.sql"))


def test_errors_read_as_duckdb_writes_them_again_afterwards(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    build(graph({"models/m/x.sql": "select nowhere"}), database)
    with pytest.raises(duckdb.Error, match="LINE 1"):
        database.execute("select nowhere")


def test_a_build_leaves_no_transaction_open(graph: MakeGraph, database: DuckDBPyConnection) -> None:
    build(graph({"models/m/x.sql": "select nowhere", "models/m/y.sql": "select 1 as x"}), database)
    database.execute("BEGIN TRANSACTION")
    database.execute("ROLLBACK")


def test_other_peoples_objects_stay(graph: MakeGraph, database: DuckDBPyConnection) -> None:
    database.execute("CREATE SCHEMA marts; CREATE TABLE marts.mine AS SELECT 7 AS x")
    build(graph(CHAIN), database)
    build(graph({"models/marts/b.sql": "select 1 as x"}), database)
    assert content(database, "marts.mine") == [7]
    assert {"staging.a", "marts.b", "marts.c"} < set(relations(database))


def test_resource_models_are_never_made(graph: MakeGraph, database: DuckDBPyConnection) -> None:
    files = {**CHAIN, **RESOURCE}
    assert statuses(build(graph(files), database)) == dict.fromkeys("abc", "ok")


RESOURCE = {
    "models/resources/a-kind.sql": "select * from {{ ref('b') }}",
    "models/resources/kinds.yml": "models: [{name: a-kind, kind: {}}]",
}


def test_a_chain_that_is_built_in_part_reads_what_was_there(
    graph: MakeGraph, database: DuckDBPyConnection
) -> None:
    made: Graph = graph(CHAIN)
    (result,) = build(made, database, ["c"])
    assert result.status == "error"
    assert result.message == "there is no table 'b'"
    build(made, database, ["a", "b"])
    assert statuses(build(made, database, ["c"])) == {"c": "ok"}
