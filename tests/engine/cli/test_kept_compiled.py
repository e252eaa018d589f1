"""What one command compiled, the next one need not compile again."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

# Without these nothing can be read, rendered or parsed.
HEAVY = {"yaml", "jinja2", "sqlglot"}
CODE = f"""
import sys
from lading.commands import invoke
assert invoke(sys.argv[1:]) == 0
print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)
"""


def heavy_packages(desk: Desk, *arguments: str) -> str:
    """Which of them a command imports."""
    command = [sys.executable, "-c", CODE, *arguments, "-C", str(desk.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


def test_a_plan_of_a_build_compiles_what_changed_once(desk: Desk) -> None:
    """Data tests too, which nothing but the plan asks for."""
    (desk.root / "target/cache.msgpack").unlink()
    assert heavy_packages(desk, "build", "-n") == str(sorted(HEAVY))
    assert heavy_packages(desk, "build", "-n") == "[]"


def test_a_list_after_a_build_compiles_nothing(desk: Desk) -> None:
    heavy_packages(desk, "build", "-n")
    heavy_packages(desk, "ls")
    assert heavy_packages(desk, "ls") == "[]"
