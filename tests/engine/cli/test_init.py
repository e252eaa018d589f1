"""`lading init`: a project that syncs once its variables are set, or nothing at all."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning
    from tests.engine.conftest import Desk

ENV_VAR = re.compile(r"env_var\('(\w+)'")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def test_without_an_argument_it_asks_nothing_and_says_what_comes_next(
    desk: Desk, empty: Path
) -> None:
    done = desk.call("init")
    assert done.code == 0, done.err
    made = tree(empty / "claude-usage")
    assert {name.partition("/")[0] for name in made} == {
        *("project.yml", "sources", "models", "mappings", "macros", "queries", "tests"),
        *(".gitignore", ".env.example", "README.md"),
    }
    assert yaml.safe_load(made["project.yml"])["name"] == "claude_usage"
    shown = done.out.partition("Next:\n")[2].splitlines()
    assert shown[0].split("#")[0].strip() == "cd claude-usage && cp .env.example .env"
    assert [line.split("#")[0].split()[-1] for line in shown[1:]] == ["debug", "sync"]
    # Nothing of the way there is left beside it.
    assert [each.name for each in empty.iterdir()] == ["claude-usage"]


def test_the_names_of_all_variables_and_no_values_are_in_the_example(
    desk: Desk, empty: Path
) -> None:
    assert desk.call("init", "p").code == 0
    made = tree(empty / "p")
    lines = [line for line in made[".env.example"].splitlines() if line and line[0] != "#"]
    assert sorted(lines) == sorted({f"{name}=" for name in ENV_VAR.findall(made["project.yml"])})
    assert ".env" in made[".gitignore"].splitlines()
    # Copied as it is, it is as if nothing were set.
    (empty / "p/.env").write_text(made[".env.example"])
    unset: dict[str, str | None] = dict.fromkeys(ENV_VAR.findall(made["project.yml"]))
    done = desk.call("sync", "-C", "p", environment=unset)
    assert (done.code, done.err.count("is not set")) == (2, 3)


def test_the_least_that_syncs_really_does(desk: Desk, empty: Path, reckoning: Reckoning) -> None:
    whole = desk.call("init", "whole")
    least = desk.call("init", "--minimal", "--name", "least-of-all", ".")
    assert (whole.code, least.code) == (0, 0), least.err
    assert "cd " not in least.out
    small = {name for name in tree(empty) if not name.startswith("whole/")}
    assert small < set(tree(empty / "whole"))
    assert yaml.safe_load((empty / "project.yml").read_text())["name"] == "least-of-all"
    desk.root = empty
    desk.edit("mappings/claude.yml", "2026-01-01", "2026-02-01")
    planned = desk.run("plan")
    assert planned.code == 0, planned.err
    synced = desk.run("sync")
    assert synced.code == 0, synced.err
    assert "warning" not in synced.err
    first = datetime(2026, 2, 1, tzinfo=UTC)
    held = desk.held("claude_model_usage")
    assert {name: each["output_tokens"] for name, each in held.items()} == {
        f"{model or 'unknown'}-{day:%Y-%m-%d}": counts["output_tokens"]
        for (day, model), counts in reckoning.usage(desk.now, ["model"], first=first).items()
    }
    assert {blueprint for blueprint, _ in desk.port.entities} == set(desk.port.blueprints)
    assert len(desk.port.blueprints) == 5
    # Each model is there for the sake of a mapping.
    every = desk.run("ls", "--select", "resource_type:model").out.split()
    needed = desk.run("ls", "--select", "+resource_type:mapping,resource_type:model").out.split()
    assert sorted(needed) == sorted(every)
    assert desk.run("plan", "--exit-code").code == 0
    assert desk.run("compile").code == 0


def test_what_is_there_is_named_and_nothing_is_written(desk: Desk, empty: Path) -> None:
    (empty / "p/mappings").mkdir(parents=True)
    (empty / "p/mappings/claude.yml").write_text("mine")
    (empty / "p/notes.txt").write_text("mine")
    before = tree(empty)
    done = desk.call("init", "p")
    assert done.code == 2
    assert done.err.startswith("error: the starter project would overwrite p/mappings/claude.yml\n")
    assert tree(empty) == before
    (empty / "p/mappings/claude.yml").unlink()
    done = desk.call("init", "p")
    assert done.code == 0, done.err
    assert tree(empty)["p/notes.txt"] == "mine"


def test_all_of_it_or_nothing(desk: Desk, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the disk were full when most of it is there: that goes again."""
    moved = []

    def move(source: Path, target: Path) -> None:
        if target.name == "README.md":
            raise OSError(28, "No space left on device")
        moved.append(target)
        source.rename(target)

    (empty / "p").mkdir()
    (empty / "p/notes.txt").write_text("mine")
    monkeypatch.setattr(shutil, "move", move)
    done = desk.call("init", "p")
    assert done.code == 1
    assert "No space left on device" in done.err
    assert len(moved) > 50
    assert tree(empty) == {"p/notes.txt": "mine"}
    assert [each.name for each in (empty / "p").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("acme-ai", "acme_ai"), ("3 of them", "project_3_of_them"), ("ö", "project")],
)
def test_a_project_is_called_like_its_folder(
    desk: Desk, empty: Path, folder: str, name: str
) -> None:
    assert desk.call("init", folder, "--minimal").code == 0
    assert yaml.safe_load((empty / folder / "project.yml").read_text())["name"] == name
    assert (empty / folder / "README.md").read_text().startswith(f"# {name}\n")


def test_a_name_that_is_none(desk: Desk, empty: Path) -> None:
    done = desk.call("init", "--name", "7 up: x")
    assert done.code == 2
    assert "letters, digits" in done.err
    assert list(empty.iterdir()) == []
