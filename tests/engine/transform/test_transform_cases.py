"""The files of cases/: projects, and what comes of them. A new case needs no Python.

A case has `files` by their names, and as it needs `variables` and `environment`. What it expects
is any of: `problems`, all of them, as a person reads them; `compiled`, the SQL of some models by
their files; `order`, the names of all models; `reads`, what some models read by their names;
`models`, other things that are known of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lading.transform.graph import Graph

if TYPE_CHECKING:
    from tests.engine.transform.conftest import LoadGraph

CASES = Path(__file__).parent / "cases"
KEYS = {
    "title", "files", "variables", "environment", "problems", "compiled", "order", "reads",
    "models",
}  # fmt: skip


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}: {case['title']}")
        for path in sorted(CASES.glob("*.yml"))
        for case in yaml.safe_load_all(path.read_text("utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_case(case: dict[str, Any], load: LoadGraph) -> None:
    assert case.keys() <= KEYS
    graph, problems = load(case["files"], case.get("variables"), case.get("environment"))

    assert problems == case.get("problems", [])
    check(graph, case)


def check(graph: Graph, case: dict[str, Any]) -> None:
    texts = {model.file: f"{model.sql.strip()}\n" for model in graph.models.values()}
    for file, sql in case.get("compiled", {}).items():
        assert texts[file] == sql
    if "order" in case:
        assert list(graph.models) == case["order"]
    for name, read in case.get("reads", {}).items():
        model = graph.models[name]
        assert [*model.depends_on, *(table.relation for table in model.sources)] == read
    for name, known in case.get("models", {}).items():
        model = graph.models[name]
        assert {key: _plain(getattr(model, key)) for key in known} == known


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
