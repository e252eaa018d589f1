"""Where each column of the shipped models comes from, and each property of the shipped mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tests.engine.building import build
from tests.engine.models.conftest import NOW, STREAMS

from lading.mapping.paths import read_paths
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project
from lading.transform.graph import Graph, load_graph
from lading.transform.lineage import ColumnLineage, Origin, column_lineage, trace
from lading.transform.resources import resource_sql
from lading.warehouse.tables import prepare

REPOSITORY = Path(__file__).resolve().parents[3]
Lineages = Mapping[str, tuple[ColumnLineage, ...]]
# What is kept about reports beside them: members that a list lost, slices that came back different.
BOOKS = {"lading.vanished", "lading.restatements"}
# Columns of staging models that are not in the records, but are known of them.
USAGE_RESULT = {
    **{
        name: f"payload results [] {name}"
        for name in (
            "account_id", "api_key_id", "context_window", "inference_geo", "model",
            "service_account_id", "service_tier", "speed", "workspace_id", "uncached_input_tokens",
            "cache_read_input_tokens", "output_tokens",
        )
    },
    "cache_creation_5m_input_tokens": "payload results [] cache_creation ephemeral_5m_input_tokens",
    "cache_creation_1h_input_tokens": "payload results [] cache_creation ephemeral_1h_input_tokens",
    "web_search_requests": "payload results [] server_tool_use web_search_requests",
    "bucket_width": "request bucket_width",
    "group_by": "request group_by",
}  # fmt: skip
CODE = {
    ("claude_code_records", "day"): "payload date",
    ("claude_code_records", "actor_email"): "payload actor email_address",
    ("claude_code_records", "lines_added"): "payload core_metrics lines_of_code added",
    ("claude_code_records", "commits"): "payload core_metrics commits_by_claude_code",
    ("claude_code_models", "model"): "payload model_breakdown [] model",
    ("claude_code_models", "input_tokens"): "payload model_breakdown [] tokens input",
    ("claude_code_models", "estimated_cost"): "payload model_breakdown [] estimated_cost amount",
    ("claude_code_tools", "tool"): "payload tool_actions",
    ("claude_code_tools", "accepted"): "payload tool_actions * accepted",
}
# Properties of the shipped mapping by blueprint and name; `record_date` and the like are plain.
PROPERTIES = {
    ("claude_usage_record", "output_tokens"): "payload results [] output_tokens",
    ("claude_usage_record", "record_date"): "starting_at",
    ("claude_usage_record", "cache_creation_5m_tokens"): (
        "payload results [] cache_creation ephemeral_5m_input_tokens"
    ),
    ("claude_cost_record", "amount"): "payload results [] amount",
    ("claude_cost_record", "currency"): "payload results [] currency",
    ("claude_workspace_usage", "workspace_id"): "payload results [] workspace_id",
    ("claude_model_usage", "model"): "payload results [] model",
    ("claude_model_usage", "web_search_requests"): (
        "payload results [] server_tool_use web_search_requests"
    ),
    ("claude_code_analytics", "lines_added"): "payload core_metrics lines_of_code added",
    ("claude_code_analytics", "edit_tool_accepted"): "payload tool_actions * accepted",
    ("claude_code_analytics", "actor_type"): "payload actor type",
    ("claude_code_analytics", "record_date"): "payload date",
}


@pytest.fixture(scope="module")
def shipped() -> tuple[Project, Graph]:
    project, problems = load_project(REPOSITORY, environment=Environment({}))
    assert project is not None
    assert problems == ()
    graph, problems = load_graph(project, NOW)
    assert problems == ()
    return project, graph


@pytest.fixture(scope="module")
def columns(shipped: tuple[Project, Graph]) -> Iterator[dict[str, list[str]]]:
    """The columns of all relations, by DuckDB; those of resource models as well."""
    _, graph = shipped
    with duckdb.connect() as connection:
        prepare(connection, STREAMS)
        assert {result.status for result in build(graph, connection)} == {"ok"}
        found: dict[str, list[str]] = {}
        query = "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns()"
        for relation, column in connection.execute(f"{query} ORDER BY ALL").fetchall():
            found.setdefault(relation, []).append(column)
        for relation in found:
            described = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
            found[relation] = [row[0] for row in described]
        for name, model in graph.models.items():
            if model.is_resource:
                described = connection.execute(f"DESCRIBE {model.sql}").fetchall()
                found[f"resources.{name}"] = [row[0] for row in described]
        yield found


@pytest.fixture(scope="module")
def lineages(shipped: tuple[Project, Graph], columns: dict[str, list[str]]) -> Lineages:
    _, graph = shipped
    return {
        f"{model.schema}.{name}": column_lineage(model.sql, columns)
        for name, model in graph.models.items()
    }


def ends(found: tuple[Origin, ...], relation: str) -> set[str]:
    return {" ".join((each.column, *each.path)) for each in found if each.relation == relation}


def test_each_model_has_a_lineage_for_all_columns_that_duckdb_gives_it(
    lineages: Lineages, columns: dict[str, list[str]]
) -> None:
    assert len(lineages) > 20
    for relation, lineage in lineages.items():
        assert list(dict.fromkeys(each.column for each in lineage)) == columns[relation], relation


def test_a_model_is_known_without_the_columns_that_it_reads(
    shipped: tuple[Project, Graph], lineages: Lineages
) -> None:
    """Staging names what it takes, so that nothing has to be known of the raw tables."""
    for name, model in shipped[1].models.items():
        if model.schema == "staging" and not model.depends_on:
            assert column_lineage(model.sql, {}) == lineages[f"staging.{name}"]


def test_each_staging_column_comes_from_what_landed(lineages: Lineages) -> None:
    for relation, lineage in lineages.items():
        if relation.startswith("staging."):
            assert [each.column for each in lineage if not each.origins] == []


def test_each_column_ends_in_what_landed(lineages: Lineages) -> None:
    for relation, lineage in lineages.items():
        for each in lineage:
            found = trace(lineages, relation, each.column, each.path)
            assert bool(found) == bool(each.origins), (relation, each)
            outside = {
                origin.relation for origin in found if not origin.relation.startswith("raw.")
            }
            assert outside <= BOOKS, (relation, each)


@pytest.mark.parametrize(("column", "path"), USAGE_RESULT.items())
def test_usage_results_come_from_their_keys(lineages: Lineages, column: str, path: str) -> None:
    found = trace(lineages, "staging.usage_results", column)
    assert {each.relation for each in found} == {"raw.usage_messages"}
    assert ends(found, "raw.usage_messages") == {path}
    assert [each.computed for each in found] == [False]


@pytest.mark.parametrize(("model", "column", "path"), [(*key, path) for key, path in CODE.items()])
def test_claude_code_comes_from_its_keys(
    lineages: Lineages, model: str, column: str, path: str
) -> None:
    found = trace(lineages, f"staging.{model}", column)
    assert {each.relation for each in found} == {"raw.claude_code"}
    assert ends(found, "raw.claude_code") == {path}


def test_each_property_of_the_mapping_comes_from_a_key_of_a_report(
    shipped: tuple[Project, Graph], columns: dict[str, list[str]], lineages: Lineages
) -> None:
    project, graph = shipped
    found: dict[tuple[str, str], set[str]] = {}
    for resource in yaml.safe_load((REPOSITORY / "mappings" / "claude.yml").read_text())[
        "resources"
    ]:
        kind, mappings = resource["kind"], resource["port"]["entity"]["mappings"]
        selector = {key: each for key, each in resource["selector"].items() if key != "query"}
        sql = resource_sql(graph, project, kind, selector, NOW)
        known = {**lineages, "resource": column_lineage(sql, columns)}
        for name, expression in mappings["properties"].items():
            origins = origins_of(expression, resource["port"].get("itemsToParse"), known)
            assert origins, (kind, name)
            assert all(each.relation.startswith("raw.") for each in origins)
            blueprint = mappings["blueprint"].strip('"')
            found[blueprint, name] = {" ".join((each.column, *each.path)) for each in origins}
    assert {key: found[key] for key in PROPERTIES} == {
        key: {path} for key, path in PROPERTIES.items()
    }


def origins_of(expression: str, items: Any, known: Lineages) -> set[Origin]:
    return {
        origin
        for column, *path in read_paths(expression, items)
        for origin in trace(known, "resource", column, tuple(path))
    }
