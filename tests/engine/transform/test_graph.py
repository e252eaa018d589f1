from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.building import build

from lading.errors import Place
from lading.transform.marks import marked, unmarked
from lading.transform.templates import Source, Templates

if TYPE_CHECKING:
    import duckdb
    from tests.engine.transform.conftest import LoadGraph, MakeGraph

TEMPLATES = [
    "select 1",
    "a\n\n  b{# c #}\n",
    "a  {{- 1 -}}  b\n{%- if true %}\n c {% endif -%}\n\n d\n\n",
    "{% raw %}{{ x }}\n{% endraw %}\ne",
    "{% for i in [1, 2] %}{{ i }}, {% else %}none{% endfor %}\r\nlast\r",
    "{% macro m(x) %}<{{ x }}\n{{ caller() }}>{% endmacro %}{% call m(1) %} in\n{% endcall %}",
    "a\r\nb {{ 1 }}\rc\r\n",
    "é{{ 'ü' }}\u2028 \x0b {{ 1 }}",
    "{%+ set x = 1 +%}\n{{ x }}",
]


@pytest.mark.parametrize("source", TEMPLATES)
def test_marks_taken_out_leave_what_a_template_gives(source: str) -> None:
    templates = Templates()
    file = Source("a.sql", source)
    plain = templates.compiled(file).render()
    text, marks = unmarked(templates.compiled(file, with_marks=True).render())
    assert text == plain
    assert marks


@pytest.mark.parametrize("source", TEMPLATES)
def test_each_mark_is_where_its_text_stands(source: str) -> None:
    environment = Templates().environment
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text, marks = unmarked(marked(environment, source, "a.sql"))
    for mark, following in zip(marks, (*marks[1:], None), strict=True):
        end = following.offset if following else len(text)
        piece = text[mark.offset : end].split("\n")[0]
        assert lines[mark.line - 1][mark.column - 1 :].startswith(piece)


def test_a_template_that_looks_at_its_own_text_has_no_line(
    graph: MakeGraph, database: duckdb.DuckDBPyConnection
) -> None:
    sql = "{% set word %}a{% endset %}\nselect {{ word | length }} as a, nowhere"
    (result,) = build(graph({"models/m/x.sql": sql}), database)
    assert (result.status, result.place) == ("error", Place("models/m/x.sql"))


def test_nothing_but_problems_comes_out(
    load: LoadGraph, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _, problems = load({"models/m/x.sql": "show tables", "models/m/y.sql": "show x"})
    assert problems == []
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


# Two circles that meet in `y`: which one is told must not depend on the order of a set.
FILES = {
    "models/m/b.sql": "select 1 as x from {{ ref('a') }}, {{ ref('c') }}, {{ ref('d') }}",
    "models/m/a.sql": "select 1 as x from {{ ref('d') }}, {{ ref('c') }}",
    "models/m/c.sql": "select 1 as x from {{ ref('e') }}, {{ ref('b2') }}",
    "models/m/d.sql": "select 1 as x from {{ ref('b2') }}",
    "models/m/e.sql": "select 1 as x",
    "models/m/b2.sql": "select 1 as x",
    "models/c/a0.sql": "from c.x, c.z",
    "models/c/x.sql": "from c.y",
    "models/c/y.sql": "from c.x, c.z",
    "models/c/z.sql": "from c.y",
}

LOAD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.transform.graph import load_graph
project, _ = load_project(Path(sys.argv[1]), environment=Environment({}))
graph, problems = load_graph(project, datetime(2026, 1, 1, tzinfo=UTC))
print(list(graph.models), [str(problem) for problem in problems])
"""


def test_order_and_findings_are_the_same_in_every_process(load: LoadGraph, tmp_path: Path) -> None:
    graph, problems = load(FILES)
    said = {
        subprocess.run(
            [sys.executable, "-c", LOAD, str(tmp_path)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert said == {f"{list(graph.models)} {problems}\n"}
    assert list(graph.models) == ["b2", "e", "c", "d", "a", "b"]
    assert len(problems) == 1
    assert "circle: x -> y -> x" in problems[0]
