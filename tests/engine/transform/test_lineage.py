"""Queries of cases/lineage/: what is said of them, and that DuckDB gives the same columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from lading.transform.lineage import ColumnLineage, Origin, column_lineage

CASES = Path(__file__).parent / "cases" / "lineage" / "queries.yml"
KEYS = {"title", "known", "unknown", "sql", "lineage", "differs"}


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["title"]) for case in yaml.safe_load(CASES.read_text("utf-8"))
    ]


def origin_text(origin: Origin) -> str:
    text = " ".join((origin.relation, origin.column, *origin.path))
    return f"~{text}" if origin.computed else text


def as_written(lineage: tuple[ColumnLineage, ...]) -> dict[str, list[str]]:
    return {
        " ".join((each.column, *each.path)): [origin_text(origin) for origin in each.origins]
        for each in lineage
    }


def lineage_of(case: dict[str, Any], folder: Path) -> tuple[ColumnLineage, ...]:
    known = {name: list(columns) for name, columns in case.get("known", {}).items()}
    return column_lineage(case["sql"].replace("{folder}", str(folder)), known)


@pytest.mark.parametrize("case", cases())
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    assert case.keys() <= KEYS
    expected = {
        column: sorted(each.replace("{folder}", str(tmp_path).casefold()) for each in origins)
        for column, origins in case["lineage"].items()
    }
    found = as_written(lineage_of(case, tmp_path))
    assert {column: sorted(origins) for column, origins in found.items()} == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize("case", [each for each in cases() if "differs" not in each.values[0]])
def test_columns_are_those_that_duckdb_gives(case: dict[str, Any], tmp_path: Path) -> None:
    found = list(dict.fromkeys(each.column for each in lineage_of(case, tmp_path)))
    (tmp_path / "teams.csv").write_text("name,owner\na,b\n")
    columns = columns_in_duckdb(case, tmp_path)
    if columns and "*" in found:
        assert set(found) - {"*"} <= set(columns)
    elif columns:
        assert found == columns


def columns_in_duckdb(case: dict[str, Any], folder: Path) -> list[str]:
    if not case["lineage"]:
        return []
    with duckdb.connect() as connection:
        for name, columns in {**case.get("known", {}), **case.get("unknown", {})}.items():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
            types = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"CREATE TABLE {name} ({types})")
        connection.execute(f"CREATE TABLE it AS {case['sql'].replace('{folder}', str(folder))}")
        return [row[0] for row in connection.execute("DESCRIBE it").fetchall()]
