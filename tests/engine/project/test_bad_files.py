"""Everything that can be wrong with a project's files, as data: the cases are in bad/*.yml."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lading.errors import Problem

if TYPE_CHECKING:
    from tests.engine.project.conftest import Files

BAD = Path(__file__).parent / "bad"
CASES = {
    f"{path.stem}: {case['name']}": case
    for path in sorted(BAD.glob("*.yml"))
    for case in yaml.safe_load(path.read_text("utf-8"))
}


def is_told(wanted: dict[str, str], problem: Problem) -> bool:
    at, exact = str(problem.place), wanted["at"]
    return (
        (at == exact or at.startswith(f"{exact}:"))
        and wanted["says"] in problem.message
        and wanted.get("hint", "") in (problem.hint or "")
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_file_is_told_with_its_place_and_what_to_do(
    files: Files, case: dict[str, Any]
) -> None:
    for file, text in case.get("write", {}).items():
        files.write(file, text)
    for file, changes in case.get("edit", {}).items():
        files.edit(file, changes)
    _, problems = files.load()
    shown = "\n".join(map(str, problems))
    missing = [each for each in case["finds"] if not any(is_told(each, one) for one in problems)]
    assert not missing, shown
    assert len(problems) == len(case["finds"]), shown
    assert all(problem.severity == "error" for problem in problems)


SECRETS = [name for name in CASES if name.startswith("secrets: ")]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_was_written_down_is_not_repeated(files: Files, name: str) -> None:
    for file, changes in CASES[name]["edit"].items():
        files.edit(file, changes)
    project, problems = files.load()
    connections = project.connections.values() if project else ()
    told = [*problems, *(one for each in connections for one in each.problems())]
    assert "hunter2" in (files.root / "project.yml").read_text()
    assert "hunter2" not in "\n".join(map(str, told))


def test_the_good_project_is_good(files: Files) -> None:
    files.project()


def test_findings_come_in_the_order_of_the_lines(files: Files) -> None:
    wrong = "".join(f"  - {{nam: model_{number}}}\n" for number in range(20))
    files.write("models/marts/more.yml", f"models:\n{wrong}")
    _, problems = files.load()
    lines = [problem.place.line for problem in problems if problem.place]
    assert lines == sorted(lines, key=lambda line: line or 0)
    assert Counter(lines) == dict.fromkeys(range(2, 22), 2)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("models/marts/latin.sql", "select 'é'".encode("latin-1"), "can't be read"),
        ("sources/latin.yml", "sources: [é]".encode("latin-1"), "can't be read"),
        (".hidden/x.yml", b": : :", None),
        ("models/.#marts.yml", b": : :", None),
        ("models/notes.txt", b"\xff\xfe", None),
    ],
)
def test_files_that_are_no_text(files: Files, file: str, content: bytes, said: str | None) -> None:
    path = files.root / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    _, problems = files.load()
    if said is None:
        assert problems == ()
    else:
        (problem,) = problems
        assert said in problem.message
        assert str(problem.place) == file
