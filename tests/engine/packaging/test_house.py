from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / "cli" / "lading"

HALL = frozenset({"errors", "http", "limiter", "log", "secrets", "waiting"})
EVERY_ROOM = frozenset({"project", "warehouse", "extract", "transform", "mapping", "port"})
MAY_IMPORT = {
    "commands": EVERY_ROOM | {"pipeline", "sandbox", "site", "starter"},
    "extract": frozenset({"project", "warehouse"}),
    "mapping": frozenset({"project"}),
    "pipeline": EVERY_ROOM | {"site"},
    "port": frozenset({"mapping", "project", "warehouse"}),
    "project": frozenset[str](),
    "sandbox": frozenset[str](),
    "site": frozenset[str](),
    "starter": frozenset[str](),
    "transform": frozenset({"project", "warehouse"}),
    "warehouse": frozenset({"project"}),
    "__main__": frozenset({"commands"}),
} | dict.fromkeys(HALL, frozenset[str]())


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    named = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return named


@cache
def imported_names(module: str) -> frozenset[str]:
    """Dotted names that the module imports, at its top or in a function, for types or for use."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def imported_modules(module: str) -> frozenset[str]:
    """The package's own modules among them; `lading.x.name` is `lading.x` for a name in it."""
    ours = (name for name in imported_names(module) if name.split(".")[0] == "lading")
    return frozenset(name if name in modules() else name.rpartition(".")[0] for name in ours)


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def requirement_names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_module_has_its_place_in_the_import_table() -> None:
    assert {room(module) for module in modules()} - {""} == MAY_IMPORT.keys()


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in modules()
        for imported in sorted(imported_modules(module))
        if room(imported)
        not in MAY_IMPORT.get(room(module), frozenset()) | HALL | {room(module), ""}
    ]
    assert wrong == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module: imported_modules(module) for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" -> ".join(cycle.args[1]))


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        str(file.relative_to(REPOSITORY)): len(file.read_text(encoding="utf-8").splitlines())
        for file in (REPOSITORY / "cli").rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def third_party(imported: frozenset[str]) -> set[str]:
    tops = {name.split(".")[0] for name in imported}
    return tops - set(sys.stdlib_module_names) - {"lading", "__future__"}


def test_dependencies_are_what_the_package_imports() -> None:
    distributions = packages_distributions()
    imported = set[str]().union(*(third_party(imported_names(module)) for module in modules()))
    used = {canonicalize_name(distributions[name][0]) for name in imported}
    assert used == requirement_names(pyproject()["project"]["dependencies"])


def test_everything_but_click_is_banned_from_the_top_of_a_module() -> None:
    tidy = pyproject()["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
    banned = {
        canonicalize_name(packages_distributions()[name][0])
        for name in tidy["banned-module-level-imports"]
    }
    assert banned | {"click"} == requirement_names(pyproject()["project"]["dependencies"])


HELP_OF_EACH = """
import contextlib, io, json, sys
before = set(sys.modules)
from lading.commands import main
said = {}
for words in json.loads(sys.argv[1]):
    sys.argv = ["lading", *words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            main()
        except SystemExit as end:
            assert not end.code, (words, end.code)
    said[" ".join(words)] = output.getvalue()
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"said": said, "loaded": sorted(loaded)}))
"""


@dataclass(frozen=True, slots=True)
class Help:
    said: dict[str, str]
    loaded: set[str]


@cache
def help_of(*commands: str) -> Help:
    """What `--help` of each command says ("" is lading itself), and the modules it took."""
    ended = subprocess.run(
        [sys.executable, "-c", HELP_OF_EACH, json.dumps([command.split() for command in commands])],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    return Help(answer["said"], set(answer["loaded"]))


def commands() -> list[str]:
    listed = help_of("").said[""].partition("Commands:\n")[2]
    return re.findall(r"^  (\w[\w-]*)", listed, re.MULTILINE)


def test_help_lists_the_commands_of_the_job() -> None:
    job = {"sync", "extract", "build", "plan", "push", "query", "debug", "demo"}
    assert job - set(commands()) == set()


def test_every_command_explains_itself() -> None:
    unhelpful = [
        name
        for name, text in help_of(*commands()).said.items()
        if not re.match(rf"Usage: lading {name}\b.*\n\n +\S", text)
    ]
    assert unhelpful == []


def test_start_up_loads_no_library_but_click() -> None:
    libraries = set(packages_distributions()) - {"lading"}
    assert help_of("", *commands()).loaded & libraries == {"click"}


def pins(lock: str) -> dict[str, str]:
    """Name to version, as requirements/`lock` pins them."""
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==(\S+)(?: ; .+)? \\\n +--hash=sha256:", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_locks_hold_versions_that_the_project_allows(lock: str) -> None:
    project = pyproject()["project"]
    wanted = list(project["dependencies"])
    if lock == "dev.txt":
        wanted += project["optional-dependencies"]["dev"]
    pinned = pins(lock)
    outside = [
        line
        for line in wanted
        if not Requirement(line).specifier.contains(
            pinned[canonicalize_name(Requirement(line).name)]
        )
    ]
    assert outside == []


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_locks_pin_and_hash_every_line_and_name_no_server(lock: str) -> None:
    text = (REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")
    named = [line.split("=")[0] for line in text.splitlines() if re.match(r"[^\s#]", line)]
    assert [canonicalize_name(name) for name in named] == list(pins(lock))
    assert "://" not in text


def test_what_runs_is_what_the_tests_ran_with() -> None:
    assert pins("runtime.txt").items() <= pins("dev.txt").items()
