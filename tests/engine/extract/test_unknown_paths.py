"""Which part of a path no model knows, and which fields models know by what they decode."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading.extract.unknown import Unknown, first_unknown
from lading.project.cache import Cache
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.starter import lay_out
from lading.transform.decoded import known_fields
from lading.transform.graph import Graph, load_graph

KNOWN = {
    "date": {},
    "actor": {"type": {}},
    "shares": {"[]": {"model": {}, "tokens": {"input": {}}}},
    "tools": {"*": {"accepted": {}}},
    "free": {"*": {}},
}


@pytest.mark.parametrize(
    ("path", "unknown"),
    [
        ("$", None),
        ("$.date", None),
        ("$.new", "new"),
        ("$.new.inner[].more", "new"),
        ("$.actor.type", None),
        ("$.actor.seat", "actor.seat"),
        ("$.shares[]", None),
        ("$.shares[].tokens.input", None),
        ("$.shares[].tokens.cached", "shares[].tokens.cached"),
        ("$.shares[].speed", "shares[].speed"),
        ("$.tools.bash.accepted", None),
        ("$.tools.bash.undone", "tools.*.undone"),
        ("$.free.any.thing", None),
        # What is in a leaf is a type that changed: the model that needs it says so.
        ("$.date.year", None),
        ("$.actor[].type", None),
        ('$."a.b"', '"a.b"'),
        ('$.actor."q\\"r"', 'actor."q\\"r"'),
        ('$.""', '""'),
    ],
)
def test_the_first_key_that_is_not_known(path: str, unknown: str | None) -> None:
    assert first_unknown(path, KNOWN) == unknown


def test_what_a_run_says() -> None:
    found = Unknown("anthropic", "claude_code", ("a", "b.c", "d"), {})
    assert str(found) == "3 new fields in claude_code: a, b.c, d"
    both = Unknown("anthropic", "cost_report", ("a",), {"cost_type": ("x", "y")})
    said = "1 new field in cost_report: a; 2 new values of cost_type in cost_report: x, y"
    assert str(both) == said
    many = Unknown("anthropic", "claude_code", tuple(f"f{n:02}" for n in range(12)), {})
    assert str(many).startswith("12 new fields in claude_code: f00, ")
    assert str(many).endswith("f09 and 2 more")


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    lay_out(tmp_path)
    return load(tmp_path)


def load(root: Path) -> Graph:
    project, problems = load_project(root, environment=Environment({}))
    assert project is not None, problems
    graph, problems = load_graph(project, datetime(2026, 11, 22, tzinfo=UTC))
    assert problems == ()
    return graph


def known(graph: Graph, stream: str) -> dict[str, Any] | None:
    return known_fields(graph, stream, Cache(Path("nowhere"), writes=False))


def test_the_shipped_models_know_what_the_reference_describes(graph: Graph) -> None:
    code = known(graph, "claude_code")
    assert code is not None
    assert set(code["actor"]) == {"type", "email_address", "api_key_name"}
    # The values of the map are decoded by a model that reads the one that has the map.
    assert code["tool_actions"] == {"*": {"accepted": {}, "rejected": {}}}
    tokens = code["model_breakdown"]["[]"]["tokens"]
    assert set(tokens) == {"input", "output", "cache_read", "cache_creation"}
    cost = known(graph, "cost_report")
    assert cost is not None
    assert set(cost) == {"results"}
    assert {"amount", "currency", "cost_type"} < set(cost["results"]["[]"])


def test_what_is_kept_of_the_models_says_the_same(tmp_path: Path, graph: Graph) -> None:
    cache = Cache(tmp_path / "kept")
    found = known_fields(graph, "claude_code", cache)
    cache.save()
    assert found == known_fields(graph, "claude_code", Cache(tmp_path / "kept"))


def test_a_model_of_ones_own_adds_what_it_decodes(tmp_path: Path, graph: Graph) -> None:
    (tmp_path / "models/staging/previews.sql").write_text(
        """select from_json(payload, '{"research_preview": {"background_agents": "BIGINT"}}') as p
        from {{ source('claude_platform', 'claude_code') }}"""
    )
    added = known(load(tmp_path), "claude_code")
    before = known(graph, "claude_code")
    assert added is not None
    assert before is not None
    assert added == {**before, "research_preview": {"background_agents": {}}}


def test_a_stream_that_nothing_decodes_is_not_known_at_all(tmp_path: Path, graph: Graph) -> None:
    for name in ("records", "models", "tools"):
        (tmp_path / f"models/staging/claude_code_{name}.sql").write_text("select 1 as one")
    (tmp_path / "models/marts/claude_code_daily.sql").write_text("select 1 as one")
    (tmp_path / "models/resources/claude-code-analytics.sql").write_text("select 1 as one")
    assert known(load(tmp_path), "claude_code") is None
    assert known(graph, "claude_code") is not None
