"""docs/migrate.md: its commands, one after the other, from a custom integration to lading."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine.cli.importing.conftest import HERE, give_port

from lading.project.documents import read_document

if TYPE_CHECKING:
    import pytest
    from tests.engine.conftest import Desk, Done

GUIDE = (Path(__file__).parents[4] / "docs/migrate.md").read_text("utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = [
    line.removeprefix("$ ").partition("  #")[0].strip()
    for block in BLOCK.findall(GUIDE)
    for line in block.splitlines()
]


def carried_out(desk: Desk, line: str, chdir: Callable[[str], None]) -> Done | None:
    program, *words = shlex.split(line)
    if program == "lading":
        # The least of a project is built in half the time.
        return desk.call(*words, environment={"LADING_MINIMAL": "1"} if words[0] == "init" else {})
    if program == "cd":
        desk.root = Path.cwd() / words[0]
        chdir(words[0])
        return None
    assert program == "cp", line
    shutil.copy(*words)
    return None


def test_its_commands_lead_from_one_to_the_other(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_document("custom.yml", (HERE / "custom.yml").read_text("utf-8")).data
    # Its last resource is of people, for whom the starter has no blueprint.
    give_port(desk, {"resources": config["resources"][:-1]}, kind="custom")
    done: dict[str, Done] = {}
    for line in LINES:
        if line == "lading sync":
            assert desk.port.entities == {}
        answer = carried_out(desk, line, monkeypatch.chdir)
        if answer is not None:
            assert answer.code == 0, f"{line}: {answer.err}"
            done[line] = answer
    assert len(done) == len(LINES) - 2 == 11
    assert "to create" in done["lading plan --of my-claude"].out
    there = len(desk.port.entities)
    assert there > 20
    assert f"{there} unchanged" in done["lading plan --against port"].out
    # Had the old one made them, the plan would have said that they are the same.
    for key, entity in desk.port.entities.items():
        old = "port-ocean/custom/0.3.0/my-claude/exporter"
        desk.port.entities[key] = replace(entity, datasource=old)
    assert f"{there} unchanged" in desk.call("plan", "--of", "my-claude").out
