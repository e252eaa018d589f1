"""A mapping at the desk: read it, run records through it, look at what came out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from lading.errors import Place, Problem
from lading.mapping.evaluate import Dropped, Mapped, Outcome, evaluate
from lading.mapping.files import Resource, read_mappings
from lading.mapping.process import MIB
from lading.mapping.workers import Workers
from lading.project.check import check_document
from lading.project.documents import Document, read_document
from lading.project.model import Asks, Field, Kind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

USAGE = Kind(
    name="claude-usage-record",
    names=("claude-usage-record", "claude-platform-usage-record"),
    fields={
        "startingDate": Field("startingDate", "timestamp", required=True),
        "bucketWidth": Field("bucketWidth", "choice", ("1m", "1h", "1d"), default="1d"),
        "groupBy": Field("groupBy", "choices", ("model", "workspace_id"), default=[]),
    },
    exactly_one_of=(),
    asks=Asks("usage_messages", "bucketWidth", "groupBy", ("startingDate",)),
    place=Place("models/resources/resources.yml", 3),
)
CODE = Kind(
    name="claude-code-analytics",
    names=("claude-code-analytics",),
    fields={
        "timeFrame": Field("timeFrame", "days"),
        "startingDate": Field("startingDate", "date"),
        "team": Field("team", "text"),
    },
    exactly_one_of=(("timeFrame", "startingDate"),),
    asks=Asks("claude_code", None, None, ("timeFrame", "startingDate")),
    place=Place("models/resources/resources.yml", 9),
)
COST = Kind(
    name="claude-cost-record",
    names=("claude-cost-record",),
    fields={
        "startingDate": Field("startingDate", "timestamp", required=True),
        "bucketWidth": Field("bucketWidth", "choice", ("1d",), default="1d"),
    },
    exactly_one_of=(),
    asks=Asks("cost_report", "bucketWidth", None, ("startingDate",)),
    place=Place("models/resources/resources.yml", 15),
)
KINDS = {name: kind for kind in (USAGE, CODE, COST) for name in kind.names}


@dataclass(frozen=True)
class Desk:
    """What a test does with a mapping."""

    workers: Workers

    def document(self, text: str) -> Document:
        return read_document("mappings/test.yml", text)

    def refusals(self, document: Document) -> tuple[Problem, ...]:
        return check_document(document, "mapping")

    def load(self, *texts: str) -> tuple[list[Resource], tuple[Problem, ...]]:
        """The resources of mapping files, checked against the kinds above."""
        documents = [
            read_document(f"mappings/{'abc'[number]}.yml", text)
            for number, text in enumerate(texts)
        ]
        assert [problem for each in documents for problem in self.refusals(each)] == []
        files, problems = read_mappings(documents, KINDS, NOW, self.workers)
        return [resource for file in files for resource in file.resources], problems

    def resource(self, mappings: Mapping[str, Any], **around: Any) -> Resource:
        """A resource with these mappings; `query` and what belongs below `port` may be given."""
        query = around.pop("query", "true")
        port = {"entity": {"mappings": {"identifier": ".id", "blueprint": '"bp"', **mappings}}}
        written = {"kind": "k", "selector": {"query": query}, "port": {**port, **around}}
        return self.lenient({"resources": [written]})

    def lenient(self, data: Mapping[str, Any]) -> Resource:
        """The first resource of a mapping of any kind; what does not compile is left to fail."""
        document = self.document(json.dumps(data))
        assert self.refusals(document) == ()
        (file,), _ = read_mappings([document], None, NOW, self.workers)
        return file.resources[0]

    def outcomes(self, resource: Resource, records: Sequence[Any]) -> list[Outcome]:
        """A record may be given as its JSON text."""
        rows = [each if isinstance(each, str) else json.dumps(each) for each in records]
        return list(evaluate(resource, rows, self.workers))

    def entities(self, resource: Resource, records: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            each.entity.value()
            for each in self.outcomes(resource, records)
            if isinstance(each, Mapped)
        ]

    def failed(self, found: Sequence[Outcome]) -> list[str]:
        """The paths of all expressions that gave nothing."""
        with_failures = [each for each in found if isinstance(each, Mapped | Dropped)]
        return [failure.path for each in with_failures for failure in each.failures]


@pytest.fixture(scope="session")
def jq_workers() -> Iterator[Workers]:
    with Workers(2, memory_limit=256 * MIB, time_limit=30.0) as workers:
        yield workers


@pytest.fixture(scope="session")
def mapping_desk(jq_workers: Workers) -> Desk:
    return Desk(jq_workers)
