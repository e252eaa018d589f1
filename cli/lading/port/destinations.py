"""Where a connection pushes to, by names that stay the same from run to run."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lading.errors import UserError

if TYPE_CHECKING:
    from lading.project.model import Connection

INTEGRATION = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def destination(connection: Connection) -> str:
    """A stable name of where a connection pushes to: host, integration, and a mark of the
    organisation's credentials. What was pushed is remembered under it."""
    host = urlsplit(connection.value("base_url")).netloc.lower()
    mark = hashlib.sha256(connection.value("client_id").encode()).hexdigest()[:8]
    return f"{host}/{integration_name(connection)}/{mark}"


def integration_name(connection: Connection) -> str:
    """What Port shows as the owner of the entities.

    Raises:
        UserError: it is no name that Port takes.
    """
    name = connection.value("integration")
    if not INTEGRATION.fullmatch(name):
        raise UserError(
            f"'{name}' is no name for an integration of Port",
            place=connection.document.place("connections", connection.name, "integration"),
            hint="lower-case letters, digits and dashes; first a letter, last no dash",
        )
    return name
