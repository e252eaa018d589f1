from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lading.transform.resources import resource_sql

if TYPE_CHECKING:
    from tests.engine.models.conftest import Landing

SELECTORS: dict[str, dict[str, Any]] = {
    "claude-usage-record": {"startingDate": "2026-01-01T00:00:00Z"},
    "claude-cost-record": {"startingDate": "2026-01-01T00:00:00Z"},
    "claude-code-analytics": {"timeFrame": 1},
}


def test_each_model_and_each_of_its_columns_is_described(landing: Landing) -> None:
    made = [name for name, model in landing.graph.models.items() if not model.is_resource]
    assert landing.failures(*made) == {}
    for name, model in landing.graph.models.items():
        sql = f"SELECT * FROM {model.relation}"
        if model.is_resource:
            now = landing.now
            sql = resource_sql(landing.graph, landing.project, name, SELECTORS[name], now)
        columns = landing.connection.sql(sql).columns
        assert [column.name for column in model.columns] == columns, name
        assert model.description, name
        assert [column.name for column in model.columns if not column.description] == [], name


def test_columns_have_the_types_that_are_said_of_them(landing: Landing) -> None:
    made = [name for name, model in landing.graph.models.items() if not model.is_resource]
    assert landing.failures(*made) == {}
    for name in made:
        model = landing.graph.models[name]
        described = landing.connection.execute(f"DESCRIBE {model.relation}").fetchall()
        types = {column: data_type for column, data_type, *_ in described}
        said = {column.name: column.data_type for column in model.columns}
        if model.schema == "staging":
            types = {column: types[column] for column, data_type in said.items() if data_type}
            said = {column: data_type for column, data_type in said.items() if data_type}
        assert said == types, name


def test_figures_have_exact_types(landing: Landing) -> None:
    made = [name for name, model in landing.graph.models.items() if not model.is_resource]
    assert landing.failures(*made) == {}
    types = landing.connection.execute(
        "SELECT DISTINCT data_type FROM information_schema.columns "
        "WHERE table_schema IN ('staging', 'marts')"
    ).fetchall()
    assert not {name for (name,) in types} & {"DOUBLE", "FLOAT", "HUGEINT"}


def test_staging_and_marts_are_tables(landing: Landing) -> None:
    kinds = {model.materialized for model in landing.graph.models.values() if not model.is_resource}
    assert kinds == {"table"}
