"""A compiled model."""

from __future__ import annotations

from dataclasses import dataclass

from lading.transform.config import Config, Materialization
from lading.transform.names import relation
from lading.transform.properties import Column
from lading.transform.words import SourceTable


@dataclass(frozen=True, slots=True)
class Model:
    """One model, compiled.

    `sql` is one query without a semicolon; a resource model's is that for its kind's default
    selector, an incremental one's that for all rows, and `incremental_sql` that for new ones.
    `digest` stands for both but for comments and white space. `depends_on` names the models that
    it reads, `sources` the streams and files that it reads itself, `others` further relations of
    the database, all sorted. `volatile` says why its rows may change though nothing that it reads
    does; '' if they don't. `environment` has the variables that it read.
    """

    name: str
    schema: str
    file: str
    is_resource: bool
    config: Config
    description: str
    columns: tuple[Column, ...]
    depends_on: tuple[str, ...]
    sources: tuple[SourceTable, ...]
    others: tuple[str, ...]
    sql: str
    incremental_sql: str
    digest: str
    volatile: str
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """The name of its node."""
        return f"model.{self.name}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Words to select it by."""
        return self.config.tags

    @property
    def relation(self) -> str:
        """`schema.name` as SQL."""
        return relation(self.schema, self.name)

    @property
    def materialized(self) -> Materialization:
        """What it is made as; `resource` if it is rendered for each mapping instead."""
        return "resource" if self.is_resource else self.config.materialized or "view"
