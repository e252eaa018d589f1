from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import (
    Bug,
    DatabaseBusyError,
    DatabaseError,
    LadingError,
    Place,
    Problem,
    ServerError,
    UserError,
    nearest,
)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("project.yml"), "project.yml"),
        (Place("project.yml", 3), "project.yml:3"),
        (Place("project.yml", 3, 7), "project.yml:3:7"),
        (Place("project.yml", None, 7), "project.yml"),
    ],
)
def test_a_place_reads_as_editors_write_it(place: Place, text: str) -> None:
    assert str(place) == text


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem("unknown key 'nam'", Place("project.yml", 2, 1), "did you mean 'name'?")
    assert str(problem) == "project.yml:2:1: unknown key 'nam'\n    did you mean 'name'?"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("x"), 2),
        (ServerError("x"), 1),
        (DatabaseError("x"), 1),
        (DatabaseBusyError("x"), 1),
        (Bug("x"), 1),
    ],
)
def test_what_a_person_wrote_exits_with_2_and_all_else_with_1(
    error: LadingError, code: int
) -> None:
    assert error.exit_code == code


def test_a_user_error_carries_all_its_problems() -> None:
    problems = (Problem("first", Place("a.yml", 1)), Problem("second", Place("b.yml", 2)))
    error = UserError(problems=iter(problems))
    assert error.problems == problems
    assert str(error) == "a.yml:1: first\nb.yml:2: second"
    assert error.message == "first"
    assert UserError("alone", hint="do it").problems == (Problem("alone", None, "do it"),)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bucketWidht", "did you mean 'bucketWidth'?"),
        ("zzz", "known: bucketWidth, groupBy"),
    ],
)
def test_the_nearest_known_name_is_told(name: str, hint: str) -> None:
    assert nearest(name, ["groupBy", "bucketWidth"]) == hint


def test_nothing_is_near_when_nothing_is_known() -> None:
    assert nearest("x", []) == "none are known"


@given(st.lists(st.text(min_size=3), min_size=1, unique=True), st.data())
def test_a_known_name_is_nearest_to_itself(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert nearest(name, names) == f"did you mean '{name}'?"
