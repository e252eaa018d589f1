from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lading
from lading import starter
from lading.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[3]
STARTER = "lading/starter/"


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """The command's output; a failed one fails the test with what it said."""
    ended = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def build(folder: Path, *kinds: str) -> Path:
    """Builds from the repository into `folder`, with nothing fetched; returns the wheel."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds]
    run(*command, "--outdir", folder, REPOSITORY, cwd=folder)
    return next(folder.glob("*.whl"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def starter_contents() -> dict[str, bytes]:
    return {str(name): source.read_bytes() for name, source in starter.files()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"), "--wheel")


@dataclass(frozen=True, slots=True)
class Machine:
    """A home of its own, and an environment that has the wheel and its dependencies alone."""

    python: Path
    home: Path

    def lading(self, *arguments: str | Path) -> str:
        """Runs the installed command in an empty folder, with no variable set that it could use."""
        folder = self.home / "empty"
        folder.mkdir(exist_ok=True)
        path = os.pathsep.join([str(self.python.parent), os.defpath])
        env = {"PATH": path, "HOME": str(self.home)}
        said = run("lading", *arguments, cwd=folder, env=env)
        assert list(folder.iterdir()) == []
        return said


@pytest.fixture(scope="module")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    home = tmp_path_factory.mktemp("home")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--quiet")
    run(*pip, "install", "--no-index", "--no-deps", wheel, cwd=home)
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home)
    # No index is asked in a test: the dependencies are lent by the environment that runs it.
    Path(purelib.strip(), "lent.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return Machine(python, home)


def test_wheel_carries_the_starter_project_byte_for_byte(wheel: Path) -> None:
    carried = {
        name.removeprefix(STARTER): data
        for name, data in contents(wheel).items()
        if name.startswith(STARTER)
    }
    assert carried == starter_contents()
    assert {name.partition("/")[0] for name in carried} >= {
        *("project.yml", "sources", "models", "mappings")
    }


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    package = {
        file.relative_to(REPOSITORY / "cli").as_posix()
        for file in (REPOSITORY / "cli" / "lading").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    carried = {
        name
        for name in contents(wheel)
        if not name.startswith((STARTER, f"lading-{lading.__version__}.dist-info/"))
    }
    assert carried == package
    assert "lading/py.typed" in carried


def test_wheel_is_the_same_when_built_from_the_sdist(wheel: Path, tmp_path: Path) -> None:
    from_sdist = contents(build(tmp_path))
    assert from_sdist == contents(wheel)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"Makefile", "LICENSE", "requirements/dev.txt"} <= names


def test_installed_wheel_tells_its_version(machine: Machine) -> None:
    assert lading.__version__ in machine.lading("--version")


def test_installed_wheel_runs_from_its_own_files(machine: Machine) -> None:
    where = "import lading; print(lading.__file__)"
    imported = run(machine.python, "-c", where, cwd=machine.home)
    assert Path(imported.strip()).is_relative_to(machine.home)


def test_installed_wheel_does_the_whole_job_in_the_demo(machine: Machine) -> None:
    folder = machine.home / "demo"
    assert machine.lading("demo", "--dir", folder)
    laid_out = {name: (folder / name).read_bytes() for name in starter_contents()}
    assert laid_out == starter_contents()
    assert list(folder.rglob("*.duckdb"))


def test_starter_names_are_those_the_wheel_is_told_to_carry() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    told = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert told == {name: STARTER + name for name in starter.NAMES}


@pytest.fixture
def strict_umask() -> Iterator[None]:
    usual = os.umask(0o077)
    yield
    os.umask(usual)


@pytest.mark.usefixtures("strict_umask")
def test_lay_out_writes_plain_files_that_can_be_edited(tmp_path: Path) -> None:
    written = starter.lay_out(tmp_path / "new" / "project")
    assert {
        file.relative_to(tmp_path / "new" / "project").as_posix(): file.read_bytes()
        for file in written
    } == starter_contents()
    assert {stat.S_IMODE(file.stat().st_mode) for file in written} == {0o644}


def test_lay_out_names_what_it_would_overwrite_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "project.yml").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"project\.yml"):
        starter.lay_out(tmp_path)
    assert [file.name for file in tmp_path.rglob("*")] == ["project.yml"]
    assert (tmp_path / "project.yml").read_text(encoding="utf-8") == "mine"


def test_lay_out_refuses_where_a_file_stands_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"overwrite \S+/models\n"):
        starter.lay_out(tmp_path)
    assert [file.name for file in tmp_path.rglob("*")] == ["models"]


def test_starter_leaves_out_what_is_hidden_or_made_by_a_run(tmp_path: Path) -> None:
    checkout = tmp_path / "cli" / "lading"
    checkout.mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "starter.py"):
        shutil.copy(REPOSITORY / "cli" / "lading" / name, checkout)
    kept = ["project.yml", "models/marts/usage.sql", "macros/money.sql"]
    dropped = [
        *("models/.usage.sql.swp", "models/.hidden/a.sql", "macros/__pycache__/a.pyc"),
        *("models/claude.duckdb", "models/claude.duckdb.wal", "setup.cfg"),
    ]
    for name in kept + dropped:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    list_files = "from lading import starter; print(*dict(starter.files()))"
    listed = run(
        *(sys.executable, "-c", list_files), cwd=tmp_path, env={"PYTHONPATH": str(checkout.parent)}
    )
    assert sorted(listed.split()) == sorted(kept)
