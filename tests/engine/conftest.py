"""What the tests of all rooms share: the stand-ins, a project, and the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings

from lading import secrets
from lading.commands import invoke
from lading.sandbox.anthropic import AnthropicStandIn
from lading.sandbox.organisation import Organisation
from lading.sandbox.port import PortStandIn
from lading.starter import lay_out

FIRST_DAY = date(2026, 1, 1)
NOW = datetime(2026, 2, 5, 15, 30, tzinfo=UTC)
# Waits short enough for tests; the number of tries is the tool's own.
RETRY = "retry: {tries: 5, seconds: 60, first_wait: 0.01, longest_wait: 0.05}"


# Enough to meet what is likely; a property that needs more says so.
settings.register_profile("short", max_examples=40, deadline=None)
settings.load_profile("short")

Variables = Mapping[str, str | None]


@dataclass(frozen=True)
class Done:
    """A finished command: its exit code and what it printed."""

    code: int
    out: str
    err: str


class Desk:
    """A laid-out project, stand-ins to sync with, and a command line to do it with.

    `now` is the moment that the tool and both stand-ins take for the present.
    """

    def __init__(
        self,
        root: Path,
        anthropic: AnthropicStandIn,
        port: PortStandIn,
    ) -> None:
        self.root = root
        self.anthropic = anthropic
        self.port = port
        self.now = NOW
        anthropic.now = lambda: self.now
        port.now = lambda: self.now

    @classmethod
    def laid_out(cls, root: Path, anthropic: AnthropicStandIn, port: PortStandIn) -> Desk:
        """A desk with a new project in the folder `root`."""
        _lay_out(root)
        made = cls(root, anthropic, port)
        made.keep_what_is_known()
        return made

    def without_marts(self) -> Desk:
        """Leave what the mappings need, which takes half as long to build."""
        _take_marts_away(self.root)
        self.keep_what_is_known("without marts")
        return self

    def keep_what_is_known(self, shape: str = "whole") -> None:
        """Begin with what the tool works out of the files of a new project of this shape."""
        kept = self.root / "target/cache.msgpack"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(_worked_out(shape, self.environment))

    @property
    def database(self) -> Path:
        """The project's DuckDB file."""
        return self.root / "claude.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a sync with the stand-ins needs."""
        return {
            "ANTHROPIC_BASE_URL": self.anthropic.base_url,
            "ANTHROPIC_ADMIN_API_KEY": self.anthropic.api_key,
            "PORT_BASE_URL": self.port.base_url,
            "PORT_CLIENT_ID": self.port.client_id,
            "PORT_CLIENT_SECRET": self.port.client_secret,
            "LADING_NOW": self.now.isoformat(),
        }

    def run(self, *arguments: str, environment: Variables | None = None) -> Done:
        """A command of the tool on the project, in this process."""
        return self.call(
            arguments[0], "-C", str(self.root), *arguments[1:], environment=environment
        )

    def call(self, *arguments: str, environment: Variables | None = None) -> Done:
        """A command line of the tool, in this process, with the stand-ins' environment.

        Variables in `environment` are set besides, or taken out when they are None.
        """
        variables = {**self.environment, **(environment or {})}
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("LADING_")]:
                patch.delenv(name)
            for name, value in variables.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            out, err = StringIO(), StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = invoke(arguments)
        return Done(code, out.getvalue(), err.getvalue())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command of the tool in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "lading", arguments[0], "-C", str(self.root), *arguments[1:]],
            env={**self.environment, "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def held(self, blueprint: str) -> dict[str, dict[str, Any]]:
        """What Port holds of a blueprint: properties and `title`, by identifier."""
        return {
            each.identifier: {"title": each.title, **each.properties}
            for each in self.port.entities.values()
            if each.blueprint == blueprint
        }

    def sent(self) -> list[dict[str, Any]]:
        """The entities that Port was sent, in the order of their requests."""
        return [
            entity
            for request in self.port.requests
            if request.path.endswith("/entities/bulk")
            for entity in json.loads(request.body)["entities"]
        ]

    def forget_requests(self) -> None:
        """Have the stand-ins' lists of requests begin anew."""
        self.anthropic.requests.clear()
        self.port.requests.clear()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        import duckdb

        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def edit(self, file: str, old: str, new: str, count: int = -1) -> None:
        """Replace a text in one of the project's files, the first `count` times; it must be
        there."""
        path = self.root / file
        text = path.read_text("utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, count), "utf-8")

    def write(self, file: str, text: str) -> None:
        """Put a file into the project."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


MakeDesk = Callable[[], Desk]


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another test has registered, such as six zeros, would be masked in this one's output."""
    monkeypatch.setattr(secrets, "_forms", set())


def _lay_out(root: Path) -> None:
    lay_out(root)
    settings = root / "project.yml"
    text = settings.read_text("utf-8")
    # Of both connections; tests count on how much is under way when something happens.
    text, found = re.subn(r"concurrency: \d+", f"{RETRY}\n    concurrency: 4", text)
    assert found == 2
    settings.write_text(text, "utf-8")


def _take_marts_away(root: Path) -> None:
    rmtree(root / "models/marts")
    rmtree(root / "tests/models")
    rmtree(root / "queries")


# Where the processes that share the tests leave for each other what is made once for all of them.
_SHARED = Path()


@pytest.fixture(scope="session", autouse=True)
def _shared(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _SHARED
    own = tmp_path_factory.getbasetemp()
    _SHARED = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def _worked_out(shape: str, environment: Mapping[str, str]) -> bytes:
    """What the tool keeps of a new project's files, worked out once for all tests."""
    made = _SHARED / f"{shape}.msgpack"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            made.write_bytes(_work_out(shape, environment))
    return made.read_bytes()


def _work_out(shape: str, environment: Mapping[str, str]) -> bytes:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        _lay_out(Path(folder))
        if shape == "without marts":
            _take_marts_away(Path(folder))
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            assert invoke(["compile", "-C", folder]) == 0
        return (Path(folder) / "target/cache.msgpack").read_bytes()


@pytest.fixture(scope="session")
def organisation() -> Organisation:
    """The invented organisation, from the first day of 2026."""
    return Organisation(first_day=FIRST_DAY)


@pytest.fixture
def anthropic(organisation: Organisation) -> Iterator[AnthropicStandIn]:
    """Anthropic's stand-in, running."""
    with AnthropicStandIn(organisation, now=lambda: NOW) as stand_in:
        yield stand_in


@pytest.fixture
def port() -> Iterator[PortStandIn]:
    """Port's stand-in, running."""
    with PortStandIn(now=lambda: NOW) as stand_in:
        yield stand_in


@pytest.fixture
def desk(
    tmp_path: Path,
    anthropic: AnthropicStandIn,
    port: PortStandIn,
) -> Desk:
    """A project as a user gets it, but for shorter waits between tries."""
    return Desk.laid_out(tmp_path / "project", anthropic, port)


@pytest.fixture(scope="module")
def make_desk(
    tmp_path_factory: pytest.TempPathFactory, organisation: Organisation
) -> Iterator[MakeDesk]:
    """Desks that last as long as the module, for results that many tests look at."""
    with ExitStack() as running:

        def make() -> Desk:
            anthropic = running.enter_context(AnthropicStandIn(organisation))
            port = running.enter_context(PortStandIn())
            return Desk.laid_out(tmp_path_factory.mktemp("desk") / "project", anthropic, port)

        yield make
