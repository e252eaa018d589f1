"""A data test: a query whose rows are what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lading.errors import Place

Severity = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class DataTest:
    """A test, compiled: `sql` is one SELECT whose rows are the failures (`where` is in it,
    `limit` is not), and `depends_on` the ids of the nodes that it reads, sorted.

    `test` is a generic test's name, or 'singular'; `column` is '' of what is no column's, and
    `attached_to` the id of the node that it is declared on, '' of a singular one. `wish` is how
    the SQL was rendered, None where no template was, and `fragments` are pieces of the SQL that
    stand in a .yml file; `order` is an ORDER BY for failing rows that are shown.
    """

    name: str
    test: str
    sql: str
    depends_on: tuple[str, ...]
    attached_to: str
    column: str
    place: Place
    severity: Severity = "error"
    warn_if: str = "!= 0"
    error_if: str = "!= 0"
    limit: int | None = None
    store_failures: bool = False
    tags: tuple[str, ...] = ()
    description: str = ""
    order: str = ""
    # Of any type to those who keep tests from run to run: these two are not kept.
    wish: Any = field(default=None, repr=False, compare=False)
    fragments: Any = field(default=(), repr=False, compare=False)
