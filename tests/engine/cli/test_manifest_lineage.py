"""The lineage in the manifest: from a key of a report to a property in Port."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.pipeline.lineages import own_tables
from lading.warehouse.tables import prepare

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

Json = dict[str, Any]
RESULT = "raw.usage_messages payload results []"
# Where properties come from, read off the mapping, the reports' documentation and the models.
PROPERTIES = {
    ("claude_usage_record", "properties.output_tokens"): (
        {"staging.usage_results output_tokens"}, {f"{RESULT} output_tokens"},
    ),
    ("claude_workspace_usage", "properties.workspace_id"): (
        {"staging.usage_results workspace_id"}, {f"{RESULT} workspace_id"},
    ),
    ("claude_workspace_usage", "properties.cache_creation_1h_tokens"): (
        {"staging.usage_results cache_creation_1h_input_tokens"},
        {f"{RESULT} cache_creation ephemeral_1h_input_tokens"},
    ),
    ("claude_model_usage", "title"): (
        {"staging.usage_results model", "staging.usage_buckets starting_at"},
        {f"{RESULT} model", "raw.usage_messages starting_at"},
    ),
    ("claude_model_usage", "blueprint"): (set(), set()),
    ("claude_cost_record", "properties.amount"): (
        {"staging.cost_results amount"}, {"raw.cost_report payload results [] amount"},
    ),
    ("claude_code_analytics", "properties.commits"): (
        {"staging.claude_code_records commits"},
        {"raw.claude_code payload core_metrics commits_by_claude_code"},
    ),
}  # fmt: skip
TEAMS = """
sources:
  - name: company
    files:
      - name: teams
        path: data/teams.csv
        columns: [{name: team}, {name: budget, data_type: BIGINT}]
"""
ASKING = """
resources:
  - name: teams
    kind: team-rows
    selector: {query: 'true'}
    port:
      entity:
        mappings:
          identifier: .team
          blueprint: '"team"'
          title: tojson
          properties:
            half: .spent.budget / 2
            owner: .spent.owner // "nobody"
          relations:
            parent: {combinator: '"and"', rules: [
              {property: '"team"', operator: '"="', value: .team}]}
  - name: rows
    kind: team-rows
    selector: {query: 'true'}
    port:
      itemsToParse: .all
      itemsToParseName: one
      entity:
        mappings: {identifier: .one.team, blueprint: '"team"'}
"""
ORDER = """
select teams.*, {'budget': budget, 'owner': upper(team)} as spent, [{'team': team}] as all
from {{ source('company', 'teams') }} as teams
"""


def manifest(desk: Desk) -> Json:
    found: Json = json.loads((desk.root / "target" / "manifest.json").read_text("utf-8"))
    return found


def words(origins: list[Json]) -> set[str]:
    return {" ".join((each["relation"], each["column"], *each["path"])) for each in origins}


@pytest.fixture(scope="module")
def shipped(make_desk: MakeDesk) -> tuple[Desk, Json]:
    desk = make_desk()
    assert desk.run("build").code == 0
    assert desk.run("compile").code == 0
    return desk, manifest(desk)


def test_each_model_has_all_of_its_columns(shipped: tuple[Desk, Json]) -> None:
    desk, found = shipped
    there: dict[str, list[str]] = {}
    for schema, table, column in desk.query(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
        "WHERE schema_name IN ('staging', 'marts') ORDER BY column_index"
    ):
        there.setdefault(f"{schema}.{table}", []).append(column)
    traced = {}
    for model, lineage in found["lineage"]["models"].items():
        relation = found["nodes"][model]["relation"]
        if relation is not None:
            traced[relation] = list(dict.fromkeys(each["column"] for each in lineage))
    assert len(there) > 20
    assert traced == there


def test_origins_of_columns_are_what_their_model_reads(shipped: tuple[Desk, Json]) -> None:
    _, found = shipped
    relations = found["lineage"]["relations"]
    for model, lineage in found["lineage"]["models"].items():
        assert lineage
        read = {origin["relation"] for each in lineage for origin in each["origins"]}
        outside = {each for each in read if each.startswith("lading.")}
        assert {relations[each] for each in read - outside} <= set(found["parent_map"][model])


@pytest.mark.parametrize(("mapping", "name"), PROPERTIES)
def test_each_property_comes_from_a_key(
    shipped: tuple[Desk, Json], mapping: str, name: str
) -> None:
    parts = shipped[1]["lineage"]["mappings"][f"mapping.{mapping}"]
    (part,) = [each for each in parts if each["property"] == name]
    assert (words(part["columns"]), words(part["raw"])) == PROPERTIES[mapping, name]


def test_the_edges_are_those_of_the_nodes(shipped: tuple[Desk, Json]) -> None:
    _, found = shipped
    parents, children = found["parent_map"], found["child_map"]
    assert parents.keys() == children.keys() == found["nodes"].keys()
    assert parents["mapping.claude_cost_record"] == ["model.claude-cost-record"]
    assert "source.claude_platform.usage_messages" in parents["model.usage_results"]
    assert "model.usage_results" in children["source.claude_platform.usage_messages"]
    pairs = {(parent, child) for child, those in parents.items() for parent in those}
    assert pairs == {(parent, child) for parent, those in children.items() for child in those}


def test_nodes_tell_how_they_are_made(shipped: tuple[Desk, Json]) -> None:
    desk, found = shipped
    nodes = found["nodes"]
    usage = nodes["model.usage"]
    assert (usage["schema"], usage["relation"]) == ("marts", "marts.usage")
    assert usage["config"]["materialized"] == "table"
    described = {each["name"]: each for each in usage["columns"]}
    assert described["connection"]["description"]
    assert (desk.root / "target" / usage["compiled_path"]).is_file()
    test = nodes["test.not_null_usage_connection"]
    assert (test["attached_to"], test["column"], test["severity"]) == (
        "model.usage",
        "connection",
        "error",
    )
    source = nodes["source.claude_platform.cost_report"]
    assert (source["kind"], source["path"]) == ("stream", "/v1/organizations/cost_report")
    mapping = nodes["mapping.claude_workspace_usage"]
    assert mapping["blueprint"] == "claude_workspace_usage"
    assert mapping["selector"]["groupBy"] == ["workspace_id"]
    compiled = [each["compiled_path"] for each in nodes.values() if "compiled_path" in each]
    assert all((desk.root / "target" / each).is_file() for each in compiled)


def test_a_model_and_a_mapping_of_ones_own(desk: Desk) -> None:
    """Names in capitals, a file, structs that are built, whole rows, rows that are split."""
    desk.write("data/teams.csv", "team,budget\nred,1\n")
    desk.write("sources/company.yml", TEAMS)
    desk.write("models/marts/Order.sql", ORDER)
    desk.write("models/resources/team-rows.sql", "select * from {{ ref('Order') }}")
    desk.write("models/resources/team.yml", "models: [{name: team-rows, kind: {}}]")
    desk.write("mappings/teams.yml", ASKING)
    done = desk.run("compile")
    assert done.code == 0, done.err
    found = manifest(desk)
    assert found["lineage"]["relations"]["files.teams"] == "source.company.teams"
    assert found["lineage"]["relations"]["marts.order"] == "model.Order"
    assert found["nodes"]["source.company.teams"]["kind"] == "file"
    parts = {
        each["property"]: (words(each["columns"]), words(each["raw"]))
        for each in found["lineage"]["mappings"]["mapping.teams"]
    }
    team, budget = "files.teams team", "files.teams budget"
    assert parts["identifier"] == ({"marts.order team"}, {team})
    assert parts["properties.half"] == ({"marts.order spent budget"}, {budget})
    assert parts["properties.owner"] == ({"marts.order spent owner"}, {team})
    assert parts["relations.parent.rules.value"] == ({"marts.order team"}, {team})
    columns = {f"marts.order {each}" for each in ("team", "budget", "spent", "all")}
    assert parts["title"] == (columns, {team, budget})
    (split, _) = found["lineage"]["mappings"]["mapping.rows"]
    assert split["reads"] == [["all", "[]", "team"]]
    assert words(split["raw"]) == {team}


def test_a_column_that_is_added_is_seen_by_all_that_read_it(desk: Desk) -> None:
    desk.write("models/marts/first.sql", "select 1 as one, starting_at from raw.cost_report")
    desk.write("models/marts/second.sql", "select * from {{ ref('first') }}")

    def second() -> list[str]:
        assert desk.run("compile").code == 0
        return [each["column"] for each in manifest(desk)["lineage"]["models"]["model.second"]]

    assert second() == ["one", "starting_at"]
    desk.edit("models/marts/first.sql", " from", ", ending_at from")
    assert second() == ["one", "starting_at", "ending_at"]


def test_the_columns_of_our_own_tables_are_those_that_duckdb_makes() -> None:
    with duckdb.connect() as connection:
        prepare(connection, ["*"])
        found: dict[str, tuple[str, ...]] = {}
        for relation, column in connection.execute(
            "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() "
            "WHERE table_oid IN (SELECT table_oid FROM duckdb_tables()) ORDER BY column_index"
        ).fetchall():
            found[relation] = (*found.get(relation, ()), column)
    assert len(found) > 10
    assert own_tables() == found
