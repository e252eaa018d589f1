from __future__ import annotations

from pathlib import Path

import pytest

from lading.errors import UserError
from lading.project.environment import Environment, MissingVariableError, read_environment

VARIABLES = Environment({"KEY": "value", "EMPTY": "", "BRACES": "{{ 7 * 7 }}"})


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain", "plain"),
        ("{{ env_var('KEY') }}", "value"),
        ('{{env_var("KEY")}}/v1', "value/v1"),
        ("{{ env_var('KEY', 'other') }}", "value"),
        ("{{ env_var('NONE', 'other') }}", "other"),
        ("{{ env_var('EMPTY', 'other') }}", "other"),
        ("{{ env_var('NONE', '') }}", ""),
        ("{{ env_var('NONE', default=7) }}", "7"),
        ("{{ env_var('BRACES') }}", "{{ 7 * 7 }}"),
    ],
)
def test_variables_stand_in_texts(text: str, rendered: str) -> None:
    assert VARIABLES.render(text) == rendered


@pytest.mark.parametrize("name", ["NONE", "EMPTY"])
def test_a_variable_that_is_not_set_is_named(name: str) -> None:
    with pytest.raises(MissingVariableError, match=f"{name} is not set") as missing:
        VARIABLES.render(f"{{{{ env_var('{name}') }}}}")
    assert missing.value.variable == name


@pytest.mark.parametrize(
    "text",
    [
        "{{ env_var('hunter2' }}",
        "{{ env_var }",
        "{{ env_vars('hunter2') }}",
        "{{ env_var() }}",
        "{{ env_var('a', 'b', 'hunter2') }}",
        "{{ hunter2.x }}",
        "{{ 1 / 0 }}",
        "{{ 'hunter2' + 1 }}",
        "{{ ''.__class__.__mro__ }}",
    ],
)
def test_what_can_not_be_worked_out_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UserError) as refused:
        VARIABLES.render(text)
    assert "hunter2" not in str(refused.value)
    assert refused.value.hint is not None
    assert "env_var('NAME')" in refused.value.hint


def test_a_variable_that_is_set_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# the key\nFILE=from-file\nexport BOTH='from file'\nQUOTED=\"a b\"\nBARE\nREF=${FILE}\n"
    )
    read = read_environment(tmp_path, {"BOTH": "from-process", "PROCESS": "from-process"})
    assert read.variables == {
        "FILE": "from-file",
        "BOTH": "from-process",
        "PROCESS": "from-process",
        "QUOTED": "a b",
        "REF": "${FILE}",
    }


def test_the_process_is_where_variables_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("LADING_TEST_A=file\nLADING_TEST_B=file\n")
    monkeypatch.setenv("LADING_TEST_A", "process")
    monkeypatch.delenv("LADING_TEST_B", raising=False)
    read = read_environment(tmp_path)
    assert (read.env_var("LADING_TEST_A"), read.env_var("LADING_TEST_B")) == ("process", "file")


def test_without_the_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read_environment(tmp_path, {"A": "1"}).variables == {"A": "1"}


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("KEY=é".encode("latin-1"))
    with pytest.raises(UserError, match="can't be read") as refused:
        read_environment(tmp_path, {})
    assert str(refused.value.place) == ".env"
