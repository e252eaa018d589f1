"""A compiled model."""

from __future__ import annotations

from dataclasses import dataclass

from lading.transform.names import relation
from lading.transform.properties import Column
from lading.transform.words import Materialization, SourceTable


@dataclass(frozen=True, slots=True)
class Model:
    """One model, compiled.

    `sql` is one query without a semicolon; a resource model's is that for its kind's default
    selector. `depends_on` names the models that it reads, `sources` the streams that it reads
    itself, both sorted.
    """

    name: str
    folder: str
    schema: str
    file: str
    materialized: Materialization
    description: str
    tags: tuple[str, ...]
    columns: tuple[Column, ...]
    depends_on: tuple[str, ...]
    sources: tuple[SourceTable, ...]
    sql: str

    @property
    def relation(self) -> str:
        """`schema.name` as SQL."""
        return relation(self.schema, self.name)

    @property
    def is_resource(self) -> bool:
        """Whether it is rendered for each mapping instead of being made once."""
        return self.materialized == "resource"
