"""All that can be chosen: sources, models, the mappings' resources, and the tests of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lading.errors import Problem
from lading.transform.digests import digest
from lading.transform.nodes import Node

if TYPE_CHECKING:
    from lading.pipeline.context import Context
    from lading.project.documents import Document
    from lading.transform.data_test import DataTest
    from lading.transform.model import Model

# The moment of which the SQL is that checksums stand for: a new day modifies nothing.
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def nodes_of(context: Context) -> Mapping[str, Node]:
    """Every node by its id: sources first, then models in the graph's order, then what hangs on
    them."""
    entry = nodes_key(context)
    kept = context.cache.get("nodes", entry, tuple[Node, ...])
    if kept is None:
        kept = tuple(_nodes(context))
        context.cache.put("nodes", entry, kept)
        context.cache.save()
    return {node.id: node for node in kept}


def nodes_key(context: Context) -> str:
    """A digest of all that the nodes are made from."""
    from lading.project.cache import entry_key
    from lading.transform.kept import environment_in

    project, models = context.project, context.graph.models
    texts = "".join(file.text for file in (*project.macros, *project.data_tests))
    read = {variable for model in models.values() for variable in model.environment}
    read.update(environment_in(texts, project.environment))
    return entry_key(context.everything, _time(context), sorted(read))


def _time(context: Context) -> str:
    """As much of the present as the project's SQL shows; that of mappings always shows all."""
    from lading.transform.kept import time_in

    project, models = context.project, context.graph.models
    made = [file for file in project.models if not _is_resource(models.get(file.name))]
    texts = (file.text for file in (*made, *project.macros, *project.data_tests))
    # A plain search is many times as fast as one for a whole word.
    likely = [text for text in texts if "run_started_at" in text or "today" in text]
    return time_in("\n".join(likely), context.graph.run_started_at)


def _is_resource(model: Model | None) -> bool:
    return model is not None and model.is_resource


@dataclass(frozen=True, slots=True)
class _Digests:
    """The digests of models and tests, by their names, as they come out at a moment that is the
    same in every run."""

    models: Mapping[str, str]
    tests: Mapping[str, str]

    @classmethod
    def of(cls, context: Context) -> _Digests:
        graph, tests = context.graph, context.tests
        if _time(context):
            from lading.transform.data_tests import compile_tests
            from lading.transform.graph import load_graph

            graph, _ = load_graph(context.project, LONG_AGO, context.cache)
            tests, _ = compile_tests(context.project, graph)
        return cls(
            {name: model.digest for name, model in graph.models.items()},
            {test.name: _digest(test) for test in tests},
        )


def _digest(test: DataTest) -> str:
    settings = (test.severity, test.warn_if, test.error_if, test.limit, test.store_failures)
    return digest(_sql_digest(test), settings, test.tags, test.description)


def _sql_digest(test: DataTest) -> str:
    """What stands for the SQL, without the comments and the white space that a person wrote."""
    from lading.transform.digests import query_digest
    from lading.transform.generic_tests import BUILT_IN

    if test.test in BUILT_IN:
        return test.sql
    from sqlglot import tokenize

    from lading.transform.statements import DIALECT

    return query_digest(tokenize(test.sql, dialect=DIALECT))


def _nodes(context: Context) -> Iterator[Node]:
    for document in context.project.sources:
        yield from _sources(document)
    digests = _Digests.of(context)
    for model in context.graph.models.values():
        yield _model(context, model, digests.models.get(model.name, model.digest))
    for test in context.tests:
        yield Node(
            f"test.{test.name}",
            test.name,
            "test",
            test.place.file,
            test.depends_on,
            digests.tests.get(test.name) or _digest(test),
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
    yield from _mapping_tests(context)


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


def _model(context: Context, model: Model, sql: str) -> Node:
    kind = context.project.kinds.get(model.name)
    reads = (*(f"model.{each}" for each in model.depends_on), *(s.id for s in model.sources))
    return Node(
        model.id,
        model.name,
        "model",
        model.file,
        tuple(sorted(reads)),
        digest(sql, model.config, model.columns, model.description),
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


def _mapping_tests(context: Context) -> Iterator[Node]:
    from lading.mapping.mapping_tests import read_mapping_tests

    written = {
        test["name"]: test
        for document in context.project.mapping_tests
        for test in document.data["mapping_tests"]
    }
    for test in read_mapping_tests(context.project, context.resources)[0]:
        # One whose resource is not there is a node all the same: it fails when it is run.
        about = "" if isinstance(test.resource, Problem) else f"mapping.{test.resource.name}"
        yield Node(
            test.node,
            test.name,
            "mapping_test",
            test.place.file,
            (about,) if about else (),
            digest(written[test.name]),
            test.tags,
            test_type="mapping",
            attached_to=about,
            description=test.description,
        )
