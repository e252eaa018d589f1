"""All that can be chosen: sources, models, their tests, and the mappings' resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from lading.transform.digests import digest
from lading.transform.nodes import Node

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.project.documents import Document
    from lading.transform.model import Model


def nodes_of(context: Context) -> Mapping[str, Node]:
    """Every node by its id: sources first, then models in the graph's order, then what hangs on
    them."""
    from lading.transform.kept import time_in

    texts = "".join(file.text for file in (*context.project.models, *context.project.macros))
    entry = f"{context.everything}{time_in(texts, context.graph.run_started_at)}"
    kept = context.cache.get("nodes", entry, tuple[Node, ...])
    if kept is None:
        kept = tuple(_nodes(context))
        context.cache.put("nodes", entry, kept)
        context.cache.save()
    return {node.id: node for node in kept}


def _nodes(context: Context) -> Iterator[Node]:
    for document in context.project.sources:
        yield from _sources(document)
    for model in context.graph.models.values():
        yield _model(context, model)
    for test in context.tests:
        yield Node(
            f"test.{test.name}",
            test.name,
            "test",
            test.place.file,
            test.depends_on,
            digest(test.sql, test.severity, test.warn_if, test.error_if, test.limit),
            test.tags,
            test_type="singular" if test.test == "singular" else "generic",
            attached_to=test.attached_to,
            description=test.description,
        )
    yield from _unit_tests(context)
    written = {document.file: document.data for document in context.project.mappings}
    for resource in context.resources:
        yield Node(
            f"mapping.{resource.name}",
            resource.name,
            "mapping",
            resource.place.file,
            (f"model.{resource.model}",) if resource.model in context.graph.models else (),
            digest(written[resource.file]["resources"][resource.index]),
            kinds=tuple(dict.fromkeys((resource.kind, resource.model))),
        )


def _sources(document: Document) -> Iterator[Node]:
    for source in document.data["sources"]:
        for each in source.get("streams") or source.get("files") or ():
            yield Node(
                f"source.{source['name']}.{each['name']}",
                f"{source['name']}.{each['name']}",
                "source",
                document.file,
                (),
                digest({key: each[key] for key in sorted(each)}),
                description=(each.get("description") or "").strip(),
            )


def _model(context: Context, model: Model) -> Node:
    kind = context.project.kinds.get(model.name)
    reads = (*(f"model.{each}" for each in model.depends_on), *(s.id for s in model.sources))
    return Node(
        model.id,
        model.name,
        "model",
        model.file,
        tuple(sorted(reads)),
        digest(model.digest, model.config, model.columns, model.description),
        model.tags,
        kind.names if kind is not None and model.is_resource else (),
        materialized=model.materialized,
        description=model.description,
    )


def _unit_tests(context: Context) -> Iterator[Node]:
    for document in context.project.unit_tests:
        for test in document.data["unit_tests"]:
            yield Node(
                f"unit_test.{test['name']}",
                test["name"],
                "unit_test",
                document.file,
                (f"model.{test['model']}",),
                digest(test),
                tuple(test.get("tags") or ()),
                test_type="unit",
                attached_to=f"model.{test['model']}",
                description=(test.get("description") or "").strip(),
            )
