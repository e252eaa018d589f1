"""`lading clean`: what was made goes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import Desk


def everything(root: Path) -> set[str]:
    return {each.relative_to(root).as_posix() for each in root.rglob("*")}


def test_target_goes_and_what_landed_or_waits_to_stays(desk: Desk) -> None:
    desk.database.write_bytes(b"a database")
    desk.write("claude.duckdb.spool/pages-1/a.note", "{}")
    desk.write("target/compiled/a.sql", "select 1")
    before = everything(desk.root)
    dry = desk.run("clean", "-n")
    assert (dry.code, everything(desk.root)) == (0, before)
    assert f"Would remove {desk.root / 'target'}: 2 files, " in dry.out
    done = desk.run("clean")
    assert (done.code, done.err) == (0, "")
    assert f"Removed {desk.root / 'target'}: 2 files, " in done.out
    gone = before - everything(desk.root)
    assert gone == {each for each in before if each.partition("/")[0] == "target"}
    again = desk.run("clean")
    assert (again.code, "nothing to remove" in again.out) == (0, True)


def test_with_files_that_are_broken(desk: Desk) -> None:
    desk.write("mappings/broken.yml", "resources: [")
    desk.write("models/marts/broken.sql", "select from {{")
    done = desk.run("clean")
    assert done.code == 0, done.err
    assert not (desk.root / "target").exists()


@pytest.mark.parametrize(
    ("target_path", "reason"),
    [
        ("..", "it is outside the project"),
        ("../elsewhere", "it is outside the project"),
        (".", "it is the project itself"),
        ("models", "models is in it"),
        ("data", "budgets.csv is in it"),
        ("out", "claude.duckdb is in it"),
        ("link", "it is outside the project"),
        ("project.yml", "it is no folder"),
    ],
)
def test_a_target_path_that_holds_something_else(desk: Desk, target_path: str, reason: str) -> None:
    (desk.root.parent / "elsewhere").mkdir()
    (desk.root / "link").symlink_to(desk.root.parent / "elsewhere")
    desk.write("../elsewhere/mine.txt", "mine")
    desk.write("out/claude.duckdb", "")
    desk.write("data/budgets.csv", "team,budget\na,1\n")
    desk.write(
        "sources/files.yml",
        "sources:\n  - name: own\n    files:\n      - {name: budgets, path: data/budgets.csv}\n",
    )
    # A file that can't be read must not make its folder look like one that is not the project's.
    desk.write("models/staging/usage.yml", "models: [")
    desk.edit("project.yml", "target-path: target", f"target-path: {target_path}")
    before = everything(desk.root.parent)
    done = desk.run("clean")
    assert done.code == 2
    assert f"is not removed: {reason}" in done.err.replace(f"{desk.root}/", "").replace(
        f"{target_path}/", ""
    )
    assert done.err.startswith("project.yml: error")
    assert everything(desk.root.parent) == before


def test_a_database_beside_it_that_another_target_has(desk: Desk) -> None:
    desk.edit(
        "project.yml",
        "targets:\n",
        "targets:\n  ci: {database: \"{{ env_var('CI_DATABASE', 'target/ci.duckdb') }}\"}\n",
    )
    desk.write("target/ci.duckdb", "")
    done = desk.run("clean")
    assert done.code == 2
    assert "ci.duckdb is in it" in done.err
    assert (desk.root / "target/ci.duckdb").exists()


def test_a_project_file_that_is_wrong_or_missing(desk: Desk) -> None:
    desk.edit("project.yml", "target-path: target", "target-path: [target]")
    assert desk.run("clean").code == 2
    (desk.root / "project.yml").unlink()
    assert desk.run("clean").code == 2
    assert (desk.root / "target").exists()
