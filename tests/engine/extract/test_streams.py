from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lading.errors import Problem
from lading.extract.streams import Stream, check_streams, read_streams
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project

PROJECT = """\
name: x
targets: {dev: {database: x.duckdb}}
connections: {anthropic: {api_key: "{{ env_var('KEY') }}"}}
"""
STREAM = """\
sources:
  - name: claude
    connection: anthropic
    streams:
      - name: usage
        path: /v1/usage
"""
SHIPPED = Path(__file__).parents[3] / "sources" / "claude.yml"


def load(root: Path, sources: str) -> Project:
    (root / "sources").mkdir()
    (root / "project.yml").write_text(PROJECT)
    (root / "sources" / "claude.yml").write_text(sources)
    project, problems = load_project(root, environment=Environment({}))
    assert (problems, project is None) == ((), False)
    assert project is not None
    return project


def with_stream(*lines: str) -> str:
    return STREAM + "".join(f"        {line}\n" for line in lines)


def problems(root: Path, *lines: str) -> list[Problem]:
    return list(check_streams(load(root, with_stream(*lines))))


def test_the_shipped_streams(tmp_path: Path) -> None:
    project = load(tmp_path, SHIPPED.read_text("utf-8"))
    assert list(check_streams(project)) == []
    usage, cost, code = read_streams(project)
    assert isinstance(usage, Stream)
    assert [each.name for each in (usage, cost, code)] == [
        "usage_messages",
        "cost_report",
        "claude_code",
    ]
    assert usage.path == "/v1/organizations/usage_report/messages"
    assert (usage.widths, usage.page_sizes) == (
        ("1d", "1h", "1m"),
        {"1d": 31, "1h": 168, "1m": 1440},
    )
    assert (usage.most_dimensions, len(usage.dimensions)) == (5, 9)
    assert usage.beta == {"speed": "fast-mode-2026-02-01"}
    assert (cost.widths, cost.has_current_period) == (("1d",), False)
    assert (set(cost.dimensions), cost.most_dimensions) == ({"workspace_id", "description"}, 2)
    assert (code.iterate, code.widths, code.page_sizes, code.has_current_period) == (
        "day",
        (),
        {"1d": 1000},
        True,
    )
    assert {each.lookback for each in (usage, cost, code)} == {timedelta(days=3)}
    assert usage.place.file == "sources/claude.yml"
    assert "usage_messages" in SHIPPED.read_text("utf-8").splitlines()[(usage.place.line or 0) - 1]


def test_what_a_stream_leaves_out(tmp_path: Path) -> None:
    lines = ("iterate: window", "params: {bucket_width: [1h, 1d]}", "page_size: 12")
    (stream,) = read_streams(load(tmp_path, with_stream(*lines, "lookback: 36h")))
    assert stream.page_sizes == {"1h": 12, "1d": 12}
    assert (stream.dimensions, stream.most_dimensions, stream.beta) == ((), 0, {})
    assert (stream.lookback, stream.has_current_period) == (timedelta(hours=36), True)


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["iterate: window", "page_size: 5"], 5, "needs its bucket widths"),
        (
            ["iterate: day", "page_size: 5", "params: {bucket_width: [1d]}"],
            7,
            "has no bucket widths",
        ),
        (["iterate: day", "page_size: {1d: 5}"], 7, "page_size is one number"),
        (
            ["iterate: day", "page_size: 5", "params: {group_by: {max: 2, values: [model]}}"],
            7,
            "group_by",
        ),
        (
            ["iterate: window", "page_size: {1d: 5}", "params: {bucket_width: [1d, 1h]}"],
            8,
            "says nothing of the width 1h",
        ),
        (
            [
                "iterate: window",
                "page_size: 5",
                "params: {bucket_width: [1d], group_by: {max: 2, values: [speed]}}",
                "beta: {sped: x}",
            ],
            10,
            "unknown dimension 'sped'",
        ),
    ],
    ids=["no-width", "day-width", "day-sizes", "day-groups", "size", "beta"],
)
def test_what_does_not_fit_together(
    tmp_path: Path, lines: list[str], line: int, message: str
) -> None:
    (problem,) = problems(tmp_path, *lines)
    assert message in problem.message
    assert problem.place is not None
    assert (problem.place.file, problem.place.line) == ("sources/claude.yml", line)
