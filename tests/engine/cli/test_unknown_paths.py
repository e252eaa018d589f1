"""A path that no row has is warned of when the project is read; a path that some row has never."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from lading.errors import Problem
from lading.pipeline.context import Context, open_context
from lading.pipeline.row_paths import fields_of
from lading.project.environment import Environment
from lading.transform.resources import resource_sql

if TYPE_CHECKING:
    from tests.engine.conftest import Desk, MakeDesk

Path = tuple[str, ...]
SELECTORS: list[tuple[str, dict[str, Any]]] = [
    ("claude-usage-record", {"startingDate": "2026-02-01T00:00:00Z", "groupBy": ()}),
    (
        "claude-usage-record",
        {"startingDate": "2026-02-01T00:00:00Z", "groupBy": ("speed", "model")},
    ),
    ("claude-cost-record", {"startingDate": "2026-02-01T00:00:00Z"}),
    ("claude-code-analytics", {"startingDate": "2026-02-01"}),
]


@pytest.fixture(scope="module")
def built(make_desk: MakeDesk) -> Desk:
    desk = make_desk()
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    assert desk.run("extract").code == 0
    assert desk.run("build").code == 0
    return desk


def opened(desk: Desk) -> Context:
    return open_context(desk.root, now=desk.now, environment=Environment({}), writes=False)


def said(desk: Desk) -> list[tuple[str, str, str | None]]:
    """Everything that is said of the project: place, message, hint."""
    problems: tuple[Problem, ...] = opened(desk).warnings
    assert {each.severity for each in problems} <= {"warning"}
    return [(str(each.place), each.message, each.hint) for each in problems]


def paths_of(kind: Any) -> Iterator[Path]:
    """Every path that a value of a type has; what may have any key ends with it."""
    children = dict(kind.children) if kind.id in {"struct", "list", "map"} else {}
    if kind.id == "struct":
        for name, child in children.items():
            yield from ((name, *path) for path in paths_of(child))
    elif kind.id == "list":
        yield from (("[]", *path) for path in paths_of(children["child"]))
    elif kind.id == "map":
        yield from (("any key", *path) for path in paths_of(children["value"]))
    else:
        yield ()


def test_no_path_of_the_rows_of_any_model_is_unknown(built: Desk) -> None:
    context = opened(built)
    project, graph = context.project, context.graph
    others: list[tuple[str, dict[str, Any]]] = [
        (name, {}) for name, model in graph.models.items() if not model.is_resource
    ]
    known = 0
    for model, selector in [*SELECTORS, *others]:
        fields = fields_of(project, graph, model, selector, built.now)
        with duckdb.connect(str(built.database), read_only=True) as connection:
            asked = connection.sql(resource_sql(graph, project, model, selector, built.now))
            types = dict(zip(asked.columns, asked.types, strict=True))
        assert len(types) > 1
        if fields is None or fields.is_open:
            continue
        known += 1
        for column, kind in types.items():
            for path in paths_of(kind):
                assert fields.missing((column, *path)) is None, (model, column, path)
        assert fields.missing(("nobody_has_this",)) == 0
    assert known > 25
    assert len(others) > 25


def test_the_shipped_mapping_reads_nothing_that_is_not_there(built: Desk) -> None:
    assert said(built) == []


# What is replaced in the shipped mapping, what by, and what is said of it.
SLIPS = [
    (
        "(.results[0].output_tokens // 0)",
        "(.results[0].output_token // 0)",
        "properties.output_tokens reads .results[].output_token",
        "did you mean 'output_tokens'?",
    ),
    (
        "(.item.server_tool_use.web_search_requests // 0)",
        "(.item.server_tool_use.web_searches // 0)",
        "properties.web_search_requests reads .results[].server_tool_use.web_searches",
        "did you mean 'web_search_requests'?",
    ),
    (
        "actor_type: .actor.type",
        "actor_type: .actr.type",
        "properties.actor_type reads .actr.type",
        "did you mean 'actor'?",
    ),
    (
        "      itemsToParse: .results\n",
        "      itemsToParse: .result\n",
        "itemsToParse reads .result",
        "did you mean 'results'?",
    ),
]


@pytest.mark.parametrize(("good", "bad", "message", "hint"), SLIPS)
def test_a_path_that_no_row_has(good: str, bad: str, message: str, hint: str, built: Desk) -> None:
    file = built.root / "mappings/claude.yml"
    kept = file.read_text("utf-8")
    built.edit("mappings/claude.yml", good, bad, 1)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if bad.strip() in text)
    try:
        found = said(built)
    finally:
        file.write_text(kept, "utf-8")

    kind = "claude-code-analytics" if "actr" in bad else "claude-usage-record"
    assert [each[1:] for each in found if each[0].startswith(f"mappings/claude.yml:{line}:")] == [
        (f"{message}, which no row of '{kind}' has", hint)
    ]


@pytest.mark.parametrize(
    "good",
    [
        "(.tool_actions.any_tool_at_all.accepted // 0)",  # a map has any key
        ".actor.nothing?",
        'if has("terminal") then .terminal else null end',
    ],
)
def test_what_may_be_meant_to_be_missing(good: str, built: Desk) -> None:
    file = built.root / "mappings/claude.yml"
    kept = file.read_text("utf-8")
    built.edit("mappings/claude.yml", "terminal_type: .terminal_type", f"terminal_type: {good}")
    try:
        assert said(built) == []
    finally:
        file.write_text(kept, "utf-8")


def test_the_rows_of_any_model(built: Desk) -> None:
    mapping = (
        "resources:\n  - kind: users\n    port: {entity: {mappings: {identifier: .user_id, "
        "blueprint: '\"u\"', properties: {a: .emial, b: .email}}}}\n"
    )
    built.write("mappings/users.yml", mapping)
    try:
        found = said(built)
    finally:
        (built.root / "mappings/users.yml").unlink()

    assert found == [
        (
            "mappings/users.yml:3:88",
            "properties.a reads .emial, which no row of 'users' has",
            "did you mean 'email'?",
        )
    ]
