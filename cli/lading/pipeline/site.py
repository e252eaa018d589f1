"""What the site shows: the project as the manifest has it, SQL, samples, the books, the report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from lading.errors import DatabaseBusyError, DatabaseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.pipeline.context import Context

Json = dict[str, Any]

# As many runs as somebody looks through.
RUNS = 50
MADE = "SELECT node, status, rows, seconds, made_at FROM lading.nodes ORDER BY node"
# The last of a mapping's rows that gave an entity, which is the newest of the shipped ones.
SAMPLES = """
SELECT resource, arg_max(entity, position), count(*), count(fault)
FROM lading.entities GROUP BY resource ORDER BY resource
"""
# Whom the database knows: addresses, and names where there are any.
PEOPLE = (
    "SELECT coalesce(email, ''), coalesce(name, '') FROM marts.users",
    """
    SELECT coalesce(payload ->> '$.email', ''), coalesce(payload ->> '$.name', '') FROM raw.users
    """,
    """
    SELECT coalesce(payload ->> '$.email', ''), coalesce(payload ->> '$.name', '')
    FROM lading.vanished WHERE stream = 'users'
    """,
    """
    SELECT DISTINCT payload ->> '$.actor.email_address', '' FROM raw.claude_code
    WHERE payload ->> '$.actor.email_address' IS NOT NULL
    """,
)


def site_data(context: Context, *, anonymous: bool) -> Mapping[str, Json]:
    """The parts of the site's data by their names, as JSON values; figures are decimal texts.

    What there is no database for is None, or has a `reason` and a `hint`. With `anonymous` no
    part has an e-mail address in it.

    Raises:
        DatabaseBusyError: another process held the database all the time that we waited.
        UserError: the SQL of a mapping can't be read.
    """
    from lading.pipeline.site_report import report

    with _looking(context) as connection:
        data = {
            "project": _project(context),
            "details": {**_compiled(context), "samples": _samples(connection)},
            "books": _books(context, connection),
            "report": report(context, connection),
        }
        people = _people(connection) if anonymous else []
    plain: Json = json.loads(json.dumps(data, default=_text))
    return _nameless(plain, people) if anonymous else plain


@contextmanager
def _looking(context: Context) -> Iterator[DuckDBPyConnection | None]:
    """The database, read-only; None if there is none yet."""
    if not context.database.path.exists():
        yield None
        return
    with context.database.reading() as connection:
        yield connection


def _text(value: object) -> object:
    from lading.pipeline.books_json import plain

    return plain(value)


def _nameless(data: Json, people: list[tuple[str, str]]) -> Json:
    from lading.site.scrub import anonymous, scrubbed

    found: Json = scrubbed(data, anonymous(data, people))
    return found


def _project(context: Context) -> Json:
    from lading.pipeline.manifest import manifest

    written = manifest(context, "")
    # The present of the run, and no other: the same project gives the same site.
    written["metadata"]["generated_at"] = f"{context.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    written["nodes"] |= _blueprints(context, written["nodes"])
    return written


def _blueprints(context: Context, nodes: Mapping[str, Json]) -> Json:
    """A node for each blueprint that a mapping fills or a file of the project has."""
    filled: dict[str, list[str]] = {}
    for name, node in nodes.items():
        if node["resource_type"] == "mapping" and node["blueprint"]:
            filled.setdefault(node["blueprint"], []).append(name)
    written = {str(each.data["identifier"]): each for each in context.project.blueprints}
    return {
        f"blueprint.{name}": {
            "unique_id": f"blueprint.{name}",
            "name": name,
            "resource_type": "blueprint",
            "file": written[name].file if name in written else None,
            "depends_on": filled.get(name, []),
            **_described(written[name].data if name in written else {}),
        }
        for name in sorted({*filled, *written})
    }


def _described(body: Mapping[str, Any]) -> Json:
    schema = body.get("schema") or {}
    required = set(schema.get("required") or ())
    return {
        "title": body.get("title"),
        "description": body.get("description") or "",
        "tags": [],
        "columns": [
            {
                "name": name,
                "title": each.get("title"),
                "description": each.get("description") or "",
                "data_type": " ".join(filter(None, (each.get("type"), each.get("format")))),
                "required": name in required,
            }
            for name, each in (schema.get("properties") or {}).items()
        ],
        "calculations": [
            {
                "name": name,
                **{key: each.get(key) for key in ("title", "description", "calculation")},
            }
            for name, each in (body.get("calculationProperties") or {}).items()
        ],
        "relations": [
            {"name": name, "target": each.get("target"), "title": each.get("title")}
            for name, each in (body.get("relations") or {}).items()
        ],
    }


def _compiled(context: Context) -> Json:
    """The SQL of each node that has some, and the JQ programs of mappings, by the nodes' ids."""
    from lading.pipeline.compiled import compiled_of
    from lading.pipeline.nodes import nodes_of

    found: Json = {"sql": {}, "jq": {}}
    for node in nodes_of(context):
        for name, text in compiled_of(context, [node]):
            found[name.rpartition(".")[2]][node] = text
    return found


def _samples(connection: DuckDBPyConnection | None) -> Json:
    """An entity of each mapping, as JSON text with every digit of it, how many it gave, and how
    many of these Port would refuse."""
    import msgspec

    return {
        resource: {
            "entity": msgspec.json.format(entity, indent=2),
            "entities": entities,
            "unfit": unfit,
        }
        for resource, entity, entities, unfit in _rows(connection, SAMPLES)
    }


def _rows(connection: DuckDBPyConnection | None, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives; nothing where what it asks for is not there."""
    import duckdb

    with suppress(duckdb.CatalogException):
        return connection.execute(sql).fetchall() if connection is not None else []
    return []


def _books(context: Context, connection: DuckDBPyConnection | None) -> Json:
    """The status, when each node was made, and the results of the last command and of those
    before it."""
    made = {
        node: {"status": state, "rows": rows, "seconds": seconds, "made_at": made_at}
        for node, state, rows, seconds, made_at in _rows(connection, MADE)
    }
    return {**_status(context, connection), "made": made, "results": _results(context)}


def _status(context: Context, connection: DuckDBPyConnection | None) -> Json:
    from lading.pipeline.books import status
    from lading.pipeline.books_json import status_json
    from lading.pipeline.site_report import no_database

    if connection is None:
        return {"status": None, **no_database(context)}
    try:
        return {"status": status_json(context, status(context, RUNS))}
    except DatabaseBusyError:
        raise
    except DatabaseError as error:
        return {"status": None, "reason": error.message, "hint": error.hint}


def _results(context: Context) -> Json | None:
    """What the last command left of its results, by the ids of nodes; None if none did, or if it
    was about another target."""
    from lading.pipeline.artifacts import RUN_RESULTS

    try:
        written = json.loads((context.project.target_path / RUN_RESULTS).read_text("utf-8"))
        results = {each["unique_id"]: each for each in written["results"]}
        metadata = dict(written["metadata"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # there is none, or something else stands there
    if metadata.get("target") != context.project.target.name:
        return None
    return {"metadata": metadata, "results": results}


def _people(connection: DuckDBPyConnection | None) -> list[tuple[str, str]]:
    """The e-mail addresses and names of people that the database knows."""
    return sorted({(str(row[0]), str(row[1])) for sql in PEOPLE for row in _rows(connection, sql)})
