"""`lading demo` in a process of its own, with an empty environment and no way to the network."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

import lading
from lading.sandbox.organisation import Organisation
from lading.starter import lay_out

if TYPE_CHECKING:
    from tests.engine.cli.conftest import Reckoning

# Python runs this before anything else: whoever looks for the network is stopped.
GUARD = """
import sys

def watch(event, arguments):
    if event == "socket.connect" and arguments[1][0] != "127.0.0.1":
        raise RuntimeError(f"the network: {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", None):
        raise RuntimeError(f"the network: {arguments[0]}")

sys.addaudithook(watch)
"""
Start = Callable[..., subprocess.Popen[str]]


@dataclass(frozen=True)
class Printed:
    """A demo that has ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Starts the tool in an empty folder, with PATH and HOME and no network."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "sitecustomize.py").write_text(GUARD, "utf-8")
    home = tmp_path_factory.mktemp("home")

    def begin(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lading", *arguments],
            cwd=home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "TMPDIR": str(home),
                "PYTHONPATH": f"{folder}{os.pathsep}{Path(lading.__file__).parents[1]}",
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def ended(process: subprocess.Popen[str]) -> Printed:
    out, err = process.communicate(timeout=120)
    return Printed(process.returncode, out, err)


@pytest.fixture(scope="module")
def done(start: Start) -> Printed:
    return ended(start("demo"))


def arguments(line: str) -> list[str]:
    """What comes after the tool's name in a command line that it printed."""
    words = shlex.split(line)
    assert words[:3] == [sys.executable, "-m", "lading"]
    return words[3:]


def held(printed: str) -> dict[str, int]:
    """The counts of the last table: what Port holds."""
    table = printed.split("Port holds ")[1]
    rows = re.findall(r"^  (claude_\w+) +([\d,]+)$", table, re.MULTILINE)
    return {blueprint: int(count.replace(",", "")) for blueprint, count in rows}


def project_of(printed: str) -> Path:
    """The folder that the demo says it put its project into."""
    return Path(printed.split("a project in ")[1].splitlines()[0])


def test_it_ends_well(done: Printed) -> None:
    assert done.code == 0, done.err
    assert "error" not in done.err.lower()
    assert "Traceback" not in done.err


def test_entity_counts_are_those_of_the_organisation(done: Printed, reckoning: Reckoning) -> None:
    root = project_of(done.out)
    with duckdb.connect(str(root / "claude.duckdb"), read_only=True) as connection:
        [(started_at,)] = connection.execute("SELECT min(started_at) FROM lading.runs").fetchall()
    now = started_at.replace(tzinfo=UTC)
    ours = type(reckoning)(Organisation(seed=7))
    expected = {
        "claude_usage_record": len(ours.usage(now)),
        "claude_workspace_usage": len(ours.usage(now, ["workspace_id"])),
        "claude_model_usage": len(ours.usage(now, ["model"])),
        "claude_cost_record": len(ours.cost(now)),
        "claude_code_analytics": len(ours.code(now)),
    }
    assert held(done.out) == expected
    assert f"Port holds {sum(expected.values()):,} entities" in done.out


def test_the_second_sync_sends_nothing(done: Printed) -> None:
    said = re.search(r"nothing new: (\d+) requests to Anthropic, (\d+) entities", done.out)
    assert said is not None
    assert int(said[1]) <= 20
    assert said[2] == "0"


def test_the_queries_that_it_names_work(done: Printed, start: Start) -> None:
    lines = re.findall(r"^  (.* query -C .*)$", done.out, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        asked = ended(start(*arguments(line)))
        assert asked.code == 0, asked.err
        assert len(asked.out.splitlines()) > 1


def test_the_project_stays_and_is_one_as_init_would_lay_it_out(done: Printed) -> None:
    root = project_of(done.out)
    assert (root / "mappings/claude.yml").is_file()
    assert (root / "claude.duckdb").is_file()


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A project of the last three days, so that a demo in it is quick."""
    lay_out(tmp_path / "short")
    mapping = tmp_path / "short/mappings/claude.yml"
    first = datetime.now(UTC) - timedelta(days=2)
    text = mapping.read_text("utf-8")
    mapping.write_text(text.replace("2026-01-01", f"{first:%Y-%m-%d}"), "utf-8")
    return tmp_path / "short"


def test_a_folder_may_be_used_again(start: Start, short: Path) -> None:
    first = ended(start("demo", "--dir", str(short)))
    second = ended(start("demo", "--dir", str(short)))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert str(short) in second.out
    # Another stand-in for Port, which has nothing yet: all of it is pushed again.
    assert held(first.out).keys() == held(second.out).keys()
    assert all(count <= held(second.out)[name] for name, count in held(first.out).items())


def test_served_stand_ins_can_be_used_by_hand_until_they_are_stopped(
    start: Start, short: Path
) -> None:
    process = start("demo", "--serve", "--dir", str(short))
    assert process.stdout is not None
    try:
        exports: dict[str, str] = {}
        for line in process.stdout:
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").strip().partition("=")
                exports[name] = value
            elif exports:
                break
        assert exports.keys() == {
            *("ANTHROPIC_BASE_URL", "ANTHROPIC_ADMIN_API_KEY"),
            *("PORT_BASE_URL", "PORT_CLIENT_ID", "PORT_CLIENT_SECRET"),
        }
        assert " sync -C " in line
        by_hand = ended(start(*arguments(line), **exports))
        assert by_hand.code == 0, by_hand.err
        # The demo has pushed all of it, but for what happened since.
        assert created(by_hand.out) <= 5
        debugged = ended(start("debug", "-C", str(short), **exports))
        assert debugged.code == 0, debugged.out
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def created(printed: str) -> int:
    lines = printed.split("Pushed to Port")[1].splitlines()[2:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("  claude_"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("anthropic:nonsense", "nonsense"),
        ("everywhere:429", "everywhere"),
        ("port:207:every=x", "every"),
    ],
)
def test_a_fault_that_there_is_none_of(start: Start, short: Path, fault: str, said: str) -> None:
    printed = ended(start("demo", "--dir", str(short), "--fault", fault))
    assert printed.code == 2
    assert said in printed.err
    assert printed.out == ""
    assert not (short / "claude.duckdb").exists()


def test_faults_are_met_and_told(start: Start, short: Path) -> None:
    printed = ended(
        start(
            *("demo", "--dir", str(short)),
            *("--fault", "anthropic:429:times=2,retry_after=0"),
            *("--fault", "port:207:path=/bulk,every=1,times=1"),
        )
    )
    assert printed.code == 1
    assert "refused by a fault that is switched on" in printed.err
    # Tried again by the second sync, which brings it to an end.
    assert "Port holds" in printed.out


def test_another_seed_is_another_organisation(start: Start, short: Path) -> None:
    printed = ended(start("demo", "--dir", str(short), "--seed", "8"))
    assert printed.code == 0, printed.err
    assert "seed 8" in printed.out
    with duckdb.connect(str(short / "claude.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT day, amount FROM marts.cost_by_day").fetchall()
    ours = Organisation(seed=8)
    assert {day: amount for day, amount in rows if amount} == {
        day: total
        for day, _ in rows
        if (total := sum(line.amount for line in ours.cost_lines(day)))
    }
