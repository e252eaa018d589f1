"""Makes docs/reference/ of what the code itself says: commands, files, the database, the models.

`make reference` writes the pages; a test holds that they are as this would make them.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import duckdb
import yaml

from lading.commands import COMMANDS, lading
from lading.port.ledger import PLAN_VIEW, keep_plan_view
from lading.warehouse.tables import BOOKKEEPING, RAW, prepare
from lading.warehouse.views import VIEWS

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = REPOSITORY / "docs/reference"
MADE = "<!-- Made by `make reference` of what the code says; change it there. -->\n"
# An option of so many commands is described once.
SHARED_BY = 6
FILES = {
    "project": "project.yml",
    "sources": "sources/*.yml",
    "properties": "models/**/*.yml",
    "unit_tests": "tests/models/*.yml",
    "mapping": "mappings/*.yml",
    "mapping_tests": "tests/mappings/*.yml",
    "blueprint": "mappings/blueprints/*.yml",
}
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
    "null": "null",
}
STREAM = "<stream>"
COMMANDS_HEAD = """\
# The commands

`lading COMMAND --help` says the same. Each option can be set by its variable as well; the order is
flag, variable, `.env` beside `project.yml`, `project.yml`.
"""
FILES_HEAD = """\
# The files of a project

Each setting that a file may have. A key that is none of these is an error with the nearest right
name. `<name>` stands for a name of yours, `[]` for each element of a list; what must be there is
**bold**. `lading compile` leaves the same as JSON Schemas in `target/schemas/`, for editors.
"""
DATABASE_HEAD = """\
# The database

The tables and views that lading keeps, beside those of the [models](models.md). All TIMESTAMP
columns are UTC.
"""
MODELS_HEAD = """\
# The shipped models

What `lading build` makes, by its schema in the database. `lading docs generate` shows the same with
lineage; the files under `models/` are yours to change.
"""
Json = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each page by its file's name."""
    return {
        "commands.md": MADE + "\n".join(_commands_page()),
        "files.md": MADE + "\n".join(_files_page()),
        "database.md": MADE + "\n".join(_database_page()),
        "models.md": MADE + "\n".join(_models_page()),
    }


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads = list(headings)
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(each.replace('|', chr(92) + '|') for each in row)} |"
    yield ""


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


# Commands


def _commands_page() -> Iterator[str]:
    yield COMMANDS_HEAD
    found = list(_commands())
    times = Counter(_key(option) for _, command in found for option in _options(command))
    shared = {key for key, number in times.items() if number >= SHARED_BY}
    for name, command in found:
        yield from _command_section(name, command, shared)
    yield "## Options of most commands\n"
    once = {_key(each): each for _, command in found for each in _options(command)}
    yield from _option_table(each for key, each in once.items() if key in shared)


def _commands() -> Iterator[tuple[str, click.Command]]:
    """All commands; those of a group by both names, after it."""
    context = click.Context(lading)
    for name in COMMANDS:
        command = lading.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())


def _options(command: click.Command) -> Iterator[click.Option]:
    for each in command.params:
        if isinstance(each, click.Option) and not each.hidden:
            yield each


def _key(option: click.Option) -> tuple[str, ...]:
    return (*option.opts, _words(option.help))


def _command_section(
    name: str, command: click.Command, shared: set[tuple[str, ...]]
) -> Iterator[str]:
    # By the settings of the program: a command keeps the help option that it was first asked for.
    program = click.Context(lading, info_name="lading", **lading.context_settings)
    context = click.Context(command, info_name=name, parent=program)
    yield f"## {name}\n"
    yield f"```text\n{_words(command.get_usage(context).removeprefix('Usage: '))}\n```\n"
    for paragraph in (command.help or "").split("\n\n"):
        yield f"{_words(paragraph)}\n"
    options = list(_options(command))
    own = [each for each in options if _key(each) not in shared]
    if own:
        yield from _option_table(own)
    also = ", ".join(f"`{max(o.opts, key=len)}`" for o in options if _key(o) in shared)
    if also:
        yield f"And, of [those of most commands](#options-of-most-commands): {also}.\n"


def _option_table(options: Iterable[click.Option]) -> Iterator[str]:
    rows = []
    for each in options:
        variable = each.envvar if isinstance(each.envvar, str) else ""
        rows.append((_spelled(each), f"`{variable}`" if variable else "", _words(each.help)))
    yield from _table(("option", "variable", "what it does"), rows)


def _spelled(option: click.Option) -> str:
    names = [f"`{each}`" for each in (*option.opts, *option.secondary_opts)]
    context = click.Context(click.Command("any"))
    value = "" if option.is_flag or option.count else f" `{option.make_metavar(context)}`"
    return ", ".join(names) + value


# Files


def _files_page() -> Iterator[str]:
    yield FILES_HEAD
    for name, where in FILES.items():
        text = files("lading.project").joinpath(f"schemas/{name}.json").read_text("utf-8")
        schema = json.loads(text)
        yield f"## {where}\n"
        rows = _settings(schema, schema, "", frozenset())
        yield from _table(("key", "value", "what it says"), dict.fromkeys(rows))


def _settings(
    root: Json, schema: Json, path: str, seen: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    """A row for each key below `path`, depth first; what refers to itself is gone into once."""
    required = frozenset(schema.get("required", ()))
    for key, each in schema.get("properties", {}).items():
        inner = f"{path}.{key}" if path else key
        label = f"**`{inner}`**" if key in required else f"`{inner}`"
        whole, names = _resolved(root, each)
        yield (
            label,
            _value(root, whole),
            _words(each.get("description") or whole.get("description")),
        )
        if not names & seen:
            yield from _below(root, whole, inner, seen | names)


def _below(
    root: Json, schema: Json, path: str, seen: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        whole, names = _resolved(root, part)
        if names & seen:
            continue
        yield from _settings(root, whole, path, seen | names)
        for key, step in (("items", "[]"), ("additionalProperties", ".<name>")):
            if isinstance(inner := whole.get(key), Mapping):
                found, more = _resolved(root, inner)
                if not more & seen:
                    yield from _below(root, found, f"{path}{step}", seen | names | more)


def _resolved(root: Json, schema: Json) -> tuple[Json, frozenset[str]]:
    """A schema with what it refers to, and the names of that."""
    names = set()
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        names.add(name)
        schema = {**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema, frozenset(names)


def _value(root: Json, schema: Json) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if branches and "type" not in schema:
        found = (_value(root, _resolved(root, each)[0]) for each in branches)
        return " or ".join(dict.fromkeys(each for each in found if each))
    kinds = schema.get("type", [])
    named = [TYPES[each] for each in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(named)


# The database


COMMENTED = re.compile(
    r"((?:^--.*\n)+)^CREATE (?:TABLE IF NOT EXISTS|OR REPLACE VIEW) (\S+)", re.MULTILINE
)
COLUMNS = """
SELECT schema_name || '.' || table_name AS relation, column_name, data_type
FROM duckdb_columns() WHERE schema_name IN ('lading', 'raw', 'raw_history')
ORDER BY column_index
"""


def _database_page() -> Iterator[str]:
    yield DATABASE_HEAD
    columns = _columns()
    sql = "\n".join((BOOKKEEPING, RAW.format(stream=STREAM), VIEWS, PLAN_VIEW))
    for comment, name in COMMENTED.findall(sql):
        relation = name.replace('"', "")
        yield f"## {relation}\n"
        text = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
        yield f"{text}\n"
        yield from _table(("column", "type"), columns[relation])


def _columns() -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns of each table and view, as DuckDB has them."""
    with duckdb.connect() as connection:
        prepare(connection, [STREAM])
        keep_plan_view(connection, "")
        found: dict[str, list[tuple[str, str]]] = {}
        for relation, column, kind in connection.execute(COLUMNS).fetchall():
            found.setdefault(relation, []).append((f"`{column}`", f"`{kind}`"))
    return found


# The shipped models


def _models_page() -> Iterator[str]:
    yield MODELS_HEAD
    for path in sorted((REPOSITORY / "models").rglob("*.yml")):
        for model in yaml.safe_load(path.read_text("utf-8")).get("models", ()):
            schema = path.parent.relative_to(REPOSITORY / "models").as_posix()
            yield f"## {schema}.{model['name']}\n"
            yield f"{_words(model.get('description'))}\n"
            columns = model.get("columns", ())
            if columns:
                yield from _table(
                    ("column", "what it says"),
                    ((f"`{each['name']}`", _words(each.get("description"))) for each in columns),
                )


def main() -> int:
    """Write the pages; with `--check` say which are not as they would be made."""
    made = pages()
    stale = [
        name
        for name, text in made.items()
        if not (PAGES / name).exists() or (PAGES / name).read_text("utf-8") != text
    ]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{name}: run `make reference`" for name in stale))
        return int(bool(stale))
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (PAGES / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
