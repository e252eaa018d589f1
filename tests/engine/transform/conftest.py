"""Projects of a few files, read as the tool reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest

from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project
from lading.transform.graph import Graph, load_graph
from lading.transform.local_files import LocalFile, local_files

BASE = {
    "project.yml": """
        name: test
        targets: {dev: {database: claude.duckdb}}
        connections: {anthropic: {}}
        """,
    "sources/claude.yml": """
        sources:
          - name: claude_platform
            connection: anthropic
            streams:
              - {name: usage_messages, path: /usage, iterate: window, page_size: 31}
              - {name: cost_report, path: /cost, iterate: window, page_size: 31}
        """,
}

MakeProject = Callable[..., Project]
MakeGraph = Callable[..., Graph]
LoadGraph = Callable[..., tuple[Graph, list[str]]]
MakeFile = Callable[..., LocalFile]


@pytest.fixture
def now() -> datetime:
    """The moment of each test's run."""
    return datetime(2026, 11, 22, 14, 49, 5, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> MakeProject:
    """Makes a project of files by their names, and of variables; it must be free of findings."""

    def make(
        files: Mapping[str, str],
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Project:
        for name, text in {**BASE, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dedent(text).encode())
        read, problems = load_project(
            tmp_path, environment=Environment(environment or {}), variables=variables
        )
        assert read is not None
        assert problems == ()
        return read

    return make


@pytest.fixture
def load(project: MakeProject, now: datetime) -> LoadGraph:
    """Loads the graph of files by their names; with it, its findings as people read them."""

    def make(files: Mapping[str, str], *options: Any) -> tuple[Graph, list[str]]:
        graph, problems = load_graph(project(files, *options), now)
        return graph, [str(problem) for problem in problems]

    return make


@pytest.fixture
def graph(load: LoadGraph) -> MakeGraph:
    """Loads the graph of files by their names; it must be free of findings."""

    def make(files: Mapping[str, str], *options: Any) -> Graph:
        loaded, problems = load(files, *options)
        assert problems == []
        return loaded

    return make


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database file, open for writing."""
    with duckdb.connect(tmp_path / "claude.duckdb") as connection:
        yield connection


def sources(*entries: str) -> str:
    """A file of sources/ with the entries of files on lines of their own, from line 4 on."""
    return "sources:\n  - name: company\n    files:\n" + "".join(
        f"      - {entry}\n" for entry in entries
    )


@pytest.fixture
def file(tmp_path: Path, project: MakeProject) -> MakeFile:
    """Makes the one file of a project: its content, and its entry beside name and path."""

    def make(path: str, content: str | bytes, entry: str = "") -> LocalFile:
        full = tmp_path / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        written = path.replace('"', '\\"')
        text = sources(f'{{name: t, path: "{written}"{", " if entry else ""}{entry}}}')
        files, problems = local_files(project({"sources/company.yml": text}))
        assert problems == ()
        return files[0]

    return make
