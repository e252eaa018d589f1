from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lading.errors import UserError
from lading.project.environment import Environment
from lading.project.load import load_project

if TYPE_CHECKING:
    from tests.engine.project.conftest import Files


def test_everything_that_the_files_say(files: Files) -> None:
    project = files.project({"X": "1"})
    assert (project.root, project.name, project.version) == (files.root, "claude_usage", "1.0.0")
    assert [document.file for document in project.sources] == ["sources/claude.yml"]
    assert [document.file for document in project.properties] == [
        "models/marts/marts.yml",
        "models/resources/resources.yml",
    ]
    assert [(text.file, text.name) for text in project.models] == [
        ("models/marts/usage_by_day.sql", "usage_by_day"),
        ("models/resources/usage-record.sql", "usage-record"),
    ]
    assert [text.name for text in project.macros] == ["money"]
    assert [document.file for document in project.mappings] == ["mappings/claude.yml"]
    assert [document.file for document in project.blueprints] == ["mappings/blueprints/usage.json"]
    assert project.variables == {"start": "2026-01-01", "days": 3}
    assert project.environment == {"X": "1"}
    assert project.target_path == files.root / "target"


def test_the_target_that_is_named_counts(files: Files) -> None:
    default = files.project().target
    assert (default.name, default.database) == ("dev", files.root / "claude.duckdb")
    assert (default.threads, default.storage_version) == (2, "v1.0.0")
    ci = files.project({"CI_FOLDER": "out"}, target="ci").target
    assert (ci.name, ci.database) == ("ci", files.root / "out" / "ci.duckdb")
    assert files.project(target="ci").target.database == files.root / "build" / "ci.duckdb"


def test_a_target_of_the_command_line_that_is_not_there(files: Files) -> None:
    _, (problem,) = files.load(target="cii")
    assert problem.message == "there is no target 'cii'"
    assert (str(problem.place), problem.hint) == ("--target", "did you mean 'ci'?")


def test_without_a_default_the_first_target_counts(files: Files) -> None:
    files.edit("project.yml", {"target: dev\n": ""})
    assert files.project().target.name == "dev"


def test_an_absolute_path_of_a_database_is_taken_as_it_is(files: Files, tmp_path: Path) -> None:
    files.edit("project.yml", {"claude.duckdb": str(tmp_path / "else" / "x.duckdb")})
    assert files.project().target.database == tmp_path / "else" / "x.duckdb"


def test_variables_of_the_command_line_win(files: Files) -> None:
    project = files.project(variables={"days": 7, "more": "x"})
    assert project.variables == {"start": "2026-01-01", "days": 7, "more": "x"}


def test_kinds_have_all_their_names(files: Files) -> None:
    kinds = files.project().kinds
    kind = kinds["usage-record"]
    assert kinds["usage-row"] is kind
    assert (kind.name, kind.names) == ("usage-record", ("usage-record", "usage-row"))
    assert kind.asks is not None
    assert (kind.asks.stream, kind.asks.width, kind.asks.dimensions, kind.asks.start) == (
        "usage",
        "bucketWidth",
        "groupBy",
        ("startingDate",),
    )
    width, start = kind.fields["bucketWidth"], kind.fields["startingDate"]
    assert (width.type, width.values, width.required, width.default) == (
        "choice",
        ("1d",),
        False,
        "1d",
    )
    assert (start.type, start.required, start.default) == ("timestamp", True, None)
    assert str(kind.place) == "models/resources/resources.yml:3:5"
    assert "usage_by_day" not in kinds


def test_a_kind_may_ask_for_nothing(files: Files) -> None:
    files.edit("models/marts/marts.yml", {"    description:": "    kind: {}\n    description:"})
    kind = files.project().kinds["usage_by_day"]
    assert (kind.asks, kind.fields, kind.names) == (None, {}, ("usage_by_day",))


def test_other_folders_may_be_named(files: Files, tmp_path: Path) -> None:
    files.root.joinpath("models").rename(tmp_path / "shared-models")
    files.root.joinpath("sources").rename(files.root / "reports")
    paths = "source-paths: [reports]\nmodel-paths: [../shared-models]\ntarget-path: out\nvars:"
    files.edit("project.yml", {"vars:": paths})
    project = files.project()
    assert [document.file for document in project.sources] == ["reports/claude.yml"]
    assert [text.name for text in project.models] == ["usage_by_day", "usage-record"]
    assert project.target_path == files.root / "out"


def test_a_folder_may_be_anywhere(files: Files, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    files.root.joinpath("macros").rename(elsewhere)
    files.edit("project.yml", {"vars:": f"macro-paths: [{elsewhere}]\nvars:"})
    (macro,) = files.project().macros
    assert macro.file == (elsewhere / "money.sql").as_posix()


def test_a_project_in_a_hidden_folder_is_read_like_any_other(tmp_path: Path, files: Files) -> None:
    hidden = tmp_path / ".work" / "blueprints"
    hidden.parent.mkdir()
    files.root.rename(hidden)
    project, problems = load_project(hidden, environment=Environment({}))
    assert problems == ()
    assert project is not None
    assert (len(project.models), len(project.mappings), len(project.blueprints)) == (2, 1, 1)


def test_a_folder_without_a_project_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no project\.yml in /") as refused:
        load_project(tmp_path, environment=Environment({}))
    assert refused.value.hint is not None
    assert "-C DIR" in refused.value.hint


def test_nothing_is_written_by_reading(files: Files) -> None:
    before = sorted(files.root.rglob("*"))
    files.project()
    files.edit("project.yml", {"name:": "nam:"})
    files.load()
    assert sorted(files.root.rglob("*")) == before
