"""The files of cases/selection/: what a selection gives, and what is wrong with one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import yaml

from lading.errors import UserError
from lading.transform.nodes import Node
from lading.transform.selection import State, read_state, select

CASES = Path(__file__).parent / "cases" / "selection"
KEYS = {"select", "exclude", "changed", "new", "tests", "allow_empty", "gives", "problems"}


def read(name: str) -> Any:
    return yaml.safe_load((CASES / name).read_text("utf-8"))


def node(name: str, reads: Iterable[str] = (), **known: Any) -> Node:
    resource_type, _, rest = name.partition(".")
    known = {key: tuple(each) if isinstance(each, list) else each for key, each in known.items()}
    return Node(
        id=name,
        name=rest,
        resource_type=resource_type,  # type: ignore[arg-type]
        depends_on=tuple(reads),
        checksum=f"of {name}",
        **known,
    )


NODES = {name: node(name, **known) for name, known in read("project.yml").items()}


def cases(file: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{number}: {case.get('select')} - {case.get('exclude', '')}")
        for number, case in enumerate(read(file), start=1)
    ]


def texts(written: str | list[str] | None) -> list[str]:
    if written is None:
        return []
    return [written] if isinstance(written, str) else written


def state(case: Mapping[str, Any]) -> State | None:
    if not case.keys() & {"changed", "new"}:
        return None
    checksums = {name: each.checksum for name, each in NODES.items()}
    checksums |= dict.fromkeys(case.get("changed", ()), "another")
    return State(
        {name: each for name, each in checksums.items() if name not in case.get("new", ())}
    )


def run(case: Mapping[str, Any]) -> tuple[str, ...]:
    assert case.keys() <= KEYS
    return select(
        NODES,
        texts(case.get("select")),
        texts(case.get("exclude")),
        state(case),
        tests=case.get("tests", False),
        allow_empty=case.get("allow_empty", False),
    )


@pytest.mark.parametrize("case", cases("selection.yml"))
def test_a_selection_gives(case: dict[str, Any]) -> None:
    assert list(run(case)) == case["gives"]


@pytest.mark.parametrize("case", cases("problems.yml"))
def test_a_selection_is_wrong(case: dict[str, Any]) -> None:
    with pytest.raises(UserError) as raised:
        run(case)
    assert str(raised.value).splitlines() == case["problems"].splitlines()


def test_without_a_selection_everything_is_meant() -> None:
    assert select(NODES, []) == tuple(NODES)


def test_a_project_without_nodes_has_nothing_to_select() -> None:
    with pytest.raises(UserError, match="nothing to select"):
        select({}, [])
    assert select({}, [], allow_empty=True) == ()


def test_a_node_that_reads_what_is_not_there_is_selected_with_the_rest() -> None:
    nodes = {"model.a": node("model.a", ["source.x.y"], file="models/a.sql")}
    assert select(nodes, ["@a", "+a+"]) == ("model.a",)


def test_tests_of_whatever_they_read_come_along_in_the_order_of_the_project() -> None:
    assert select(NODES, ["tonnage stg_arrivals"], tests=True) == (
        "model.stg_arrivals",
        "model.tonnage",
        "test.not_null_stg_arrivals_ship",
        "test.relationships_berths_ship",
        "test.no_ghost_ships",
    )


def test_state_is_read_from_a_manifest(tmp_path: Path) -> None:
    nodes = {"model.a": {"checksum": "1", "file": "models/a.sql"}, "test.b": {"checksum": "2"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes, "version": 1}), "utf-8")
    assert read_state(tmp_path).checksums == {"model.a": "1", "test.b": "2"}


HINT = (
    "keep the target/manifest.json of an earlier run in a folder of its own, and name that folder"
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"nodes":\n {"model.a": }}', "{file}:2:14: not JSON: Expecting value"),
        (b"\xff", "{file}: not JSON in UTF-8"),
        (b"[" * 100_000, "{file}: not JSON in UTF-8"),
        (b"[]", "{file}: not a manifest of lading: it has no checksum for each node"),
        (b'{"nodes": []}', "{file}: not a manifest of lading: it has no checksum for each node"),
        (
            b'{"nodes": {"model.a": {"checksum": {"name": "sha256"}}}}',
            "{file}: not a manifest of lading: it has no checksum for each node",
        ),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "manifest.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_state(tmp_path)
    assert str(raised.value) == f"{message.format(file=file)}\n    {HINT}"


def test_a_state_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"has no manifest\.json to compare with\n.*keep the target"
    ):
        read_state(tmp_path / "nowhere")
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(UserError, match=r"can't be read: Is a directory\n.*keep the target"):
        read_state(tmp_path)


def test_selection_loads_no_library() -> None:
    program = """
import sys
before = set(sys.modules)
from lading.transform.nodes import Node
from lading.transform.selection import select
node = Node("model.a", "a", "model", "models/a.sql", (), "")
assert select({"model.a": node}, ["@a", "models/**", "tag:?"], allow_empty=True) == ("model.a",)
print(*{name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.split() == ["lading"]


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python a piece of work takes."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def ladder(length: int) -> dict[str, Node]:
    """Models that each read the two before them, and a test of each."""
    models = {
        f"model.m_{step}": node(
            f"model.m_{step}",
            [f"model.m_{before}" for before in (step - 2, step - 1) if before >= 0],
            file=f"models/part_{step % 10}/m_{step}.sql",
            tags=[f"t_{step % 7}"],
        )
        for step in range(length)
    }
    tests = [
        node(
            f"test.of_m_{step}", [f"model.m_{step}"], file="tests/data/x.sql", test_type="singular"
        )
        for step in range(length)
    ]
    return models | {each.id: each for each in tests}


def test_work_grows_with_the_number_of_nodes_and_not_with_its_square() -> None:
    terms = ["@m_*", "+m_*5+", "@tag:t_*", "3+models/**/m_*.sql+3", "part_?.*,test:*"]
    small, large = ladder(100), ladder(1000)
    few = lines_run(lambda: select(small, terms, tests=True, allow_empty=True))
    many = lines_run(lambda: select(large, terms, tests=True, allow_empty=True))
    assert few < many < 13 * few
