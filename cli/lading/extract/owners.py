"""Whose figures a database holds: one organisation for each connection, and no other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lading.errors import UserError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lading.project.model import Connection

# What landed first says to whom a connection belongs.
NOTE = """
INSERT OR IGNORE INTO lading.organizations
SELECT connection, first(organization), min(fetched_at) FROM arrivals
WHERE organization <> '' GROUP BY connection
"""


class Owners:
    """The organisations that the connections' keys belong to; safe to use from several threads."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._lock = threading.Lock()

    def check(self, connection: Connection, organization: str) -> None:
        """Take a page's organisation in, which is empty where a server does not tell it.

        Raises:
            UserError: what landed by this connection is another organisation's.
        """
        if not organization:
            return
        with self._lock:
            owner = self._known.setdefault(connection.name, organization)
        if owner != organization:
            raise UserError(
                f"the key of the connection '{connection.name}' belongs to the organisation "
                f"{organization}, and what has landed by it is of {owner}",
                place=connection.document.place("connections", connection.name),
                hint="give each organisation a target with a database of its own (targets: in "
                "project.yml, --target); nothing of this one was kept",
            )


def owners_of(connection: DuckDBPyConnection) -> Owners:
    """Those that a database knows of."""
    found = connection.execute("SELECT connection, organization FROM lading.organizations")
    return Owners(dict(found.fetchall()))
