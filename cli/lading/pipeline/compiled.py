"""The SQL of models, tests and mappings as DuckDB gets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lading.secrets import redact

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.transform.nodes import Node

INLINE = "--inline"


def compiled_name(node: Node) -> str | None:
    """The file below `target/compiled/` with what a node is compiled to; None if there is none."""
    if node.resource_type == "model":
        return str(PurePosixPath(node.file).with_name(f"{node.name}.sql"))
    folder = {"test": "tests", "mapping": "mappings"}.get(node.resource_type)
    return f"{folder}/{node.name}.sql" if folder else None


def compiled_of(context: Context, ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What nodes are compiled to, under the names of their files: SQL, and of a mapping the JQ
    program that is run on its rows, too. Sources have none."""
    tests = {f"test.{test.name}": test for test in context.tests}
    resources = None
    for each in ids:
        kind, _, name = each.partition(".")
        if kind == "model":
            model = context.graph.models[name]
            yield str(PurePosixPath(model.file).with_name(f"{name}.sql")), model.sql.strip()
        elif kind == "test":
            yield f"tests/{name}.sql", tests[each].sql.strip()
        elif kind == "mapping":
            from lading.transform.resources import resource_sql

            resources = resources or {each.name: each for each in context.resources}
            resource = resources[name]
            graph, project = context.graph, context.project
            sql = resource_sql(graph, project, resource.model, resource.selector, context.now)
            yield f"mappings/{name}.sql", sql.strip()
            yield f"mappings/{name}.jq", resource.program.text.strip()


def write_compiled(context: Context, ids: Iterable[str]) -> int:
    """Leave what nodes are compiled to in `target/compiled/`; gives the number of files."""
    folder = context.project.target_path / "compiled"
    number = 0
    for name, sql in compiled_of(context, ids):
        number += 1
        path = folder / name
        text = f"{redact(sql)}\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return number


def compiled_inline(context: Context, text: str) -> str:
    """A query with Jinja in it, that stands in no file.

    Raises:
        UserError: it is none.
    """
    from lading.errors import UserError
    from lading.transform.files import DEFAULT_SCHEMA, ModelFile
    from lading.transform.render import Wish
    from lading.transform.statements import read_statement

    renderer = context.graph.compiler.renderer
    file = ModelFile("inline", DEFAULT_SCHEMA, INLINE, text)
    wish = Wish(file, context.graph.run_started_at)
    statement = read_statement(renderer.render(wish).sql)
    if faults := [fault for fault in statement.faults if fault.severity == "error"]:
        raise UserError(problems=[renderer.problem(wish, fault) for fault in faults])
    return statement.sql.strip()
