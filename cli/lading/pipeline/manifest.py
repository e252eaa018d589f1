"""The manifest: what the project is made of, for other programs to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lading import __version__
from lading.pipeline.compiled import compiled_name
from lading.pipeline.nodes import nodes_of
from lading.project.spans import span_text
from lading.transform.selecting.reach import edges

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.pipeline.lineages import Lineages, PropertyLineage
    from lading.transform.config import Config
    from lading.transform.lineage import ColumnLineage, Origin
    from lading.transform.nodes import Node

SCHEMA = "urn:lading:schema:manifest"

Json = dict[str, Any]


def manifest(context: Context, generated_from: str) -> Json:
    """The manifest as JSON values. Connections are not in it; `generated_from` is a digest of all
    that is."""
    from lading.pipeline.lineages import lineages_of

    project, nodes = context.project, nodes_of(context)
    details = _Details(context)
    between = edges(nodes)
    return {
        "metadata": {
            "schema": SCHEMA,
            "lading_version": __version__,
            "generated_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "generated_from": generated_from,
            "project": project.name,
            "project_version": project.version,
            "target": project.target.name,
        },
        "nodes": {name: {**_common(node), **details.of(node)} for name, node in nodes.items()},
        "parent_map": {name: list(read) for name, read in between.parents.items()},
        "child_map": {name: list(read) for name, read in between.children.items()},
        "lineage": _lineage(lineages_of(context)),
    }


def _common(node: Node) -> Json:
    return {
        "unique_id": node.id,
        "name": node.name,
        "resource_type": node.resource_type,
        "file": node.file,
        "description": node.description,
        "tags": list(node.tags),
        "depends_on": list(node.depends_on),
        "checksum": node.checksum,
    }


class _Details:
    """What nodes of each type say beside what all of them do."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tests = {f"test.{test.name}": test for test in context.tests}
        self._resources = {f"mapping.{each.name}": each for each in context.resources}
        self._sources = {
            f"source.{source['name']}.{each['name']}": (kind, each)
            for document in context.project.sources
            for source in document.data["sources"]
            for kind, key in (("stream", "streams"), ("file", "files"))
            for each in source.get(key, ())
        }

    def of(self, node: Node) -> Json:
        meanings = {
            "source": self._source,
            "model": self._model,
            "test": self._test,
            "unit_test": self._unit_test,
            "mapping": self._mapping,
            "mapping_test": self._mapping_test,
        }
        return meanings[node.resource_type](node)

    def _source(self, node: Node) -> Json:
        kind, written = self._sources[node.id]
        schema = "raw" if kind == "stream" else "files"
        return {
            "kind": kind,
            "relation": f"{schema}.{written['name']}",
            "path": written["path"],
            "columns": _columns(written.get("columns", ())),
        }

    def _model(self, node: Node) -> Json:
        model = self._context.graph.models[node.name]
        return {
            "kinds": list(node.kinds),
            "schema": model.schema,
            "relation": None if model.is_resource else model.relation,
            "config": _config(model.config, model.materialized),
            "columns": _columns([asdict(each) for each in model.columns]),
            "compiled_path": f"compiled/{compiled_name(node)}",
        }

    def _test(self, node: Node) -> Json:
        test = self._tests[node.id]
        return {
            "test_type": node.test_type,
            "test": test.test,
            "attached_to": node.attached_to or None,
            "column": test.column or None,
            "severity": test.severity,
            "warn_if": test.warn_if,
            "error_if": test.error_if,
            "limit": test.limit,
            "store_failures": test.store_failures,
            "place": str(test.place),
            "compiled_path": f"compiled/{compiled_name(node)}",
        }

    def _unit_test(self, node: Node) -> Json:
        return {"test_type": node.test_type, "attached_to": node.attached_to}

    def _mapping_test(self, node: Node) -> Json:
        return {"test_type": node.test_type, "attached_to": node.attached_to or None}

    def _mapping(self, node: Node) -> Json:
        from lading.mapping.expressions import constant, double_quoted

        resource = self._resources[node.id]
        documents = {each.file: each.data for each in self._context.project.mappings}
        written = documents[resource.file]["resources"][resource.index]
        blueprint = written["port"]["entity"]["mappings"]["blueprint"]
        return {
            "kind": resource.kind,
            "kinds": list(node.kinds),
            "blueprint": constant(double_quoted(str(blueprint))),
            "selector": written.get("selector", {}),
            "place": str(resource.place),
            "compiled_path": f"compiled/{compiled_name(node)}",
        }


def _config(config: Config, materialized: str) -> Json:
    return {
        "materialized": materialized,
        "tags": list(config.tags),
        "unique_key": list(config.unique_key),
        "time_column": config.time_column,
        "lookback": None if config.lookback is None else span_text(config.lookback),
        "contract": bool(config.contract),
        "meta": dict(config.meta),
    }


def _columns(columns: Iterable[Mapping[str, Any]]) -> list[Json]:
    return [
        {
            "name": each["name"],
            "description": (each.get("description") or "").strip(),
            "data_type": each.get("data_type"),
        }
        for each in columns
    ]


def _lineage(lineages: Lineages) -> Json:
    return {
        "relations": dict(lineages.relations),
        "models": {name: list(map(_column, found)) for name, found in lineages.models.items()},
        "mappings": {name: list(map(_part, found)) for name, found in lineages.mappings.items()},
    }


def _column(lineage: ColumnLineage) -> Json:
    return {
        "column": lineage.column,
        "path": list(lineage.path),
        "origins": _origins(lineage.origins),
    }


def _part(lineage: PropertyLineage) -> Json:
    return {
        "property": lineage.name,
        "expressions": list(lineage.expressions),
        "reads": [list(path) for path in lineage.reads],
        "columns": _origins(lineage.columns),
        "raw": _origins(lineage.raw),
    }


def _origins(origins: Sequence[Origin]) -> list[Json]:
    return [{**asdict(each), "path": list(each.path)} for each in origins]
