"""What a command needs of the project's connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from lading.errors import Place, Problem, UserError

if TYPE_CHECKING:
    from lading.project.model import Connection, ConnectionType, Project

# A server to talk to, or only the name under which what Port was sent is on record.
Need = Literal["anthropic", "port", "destination"]


def unfit(project: Project, need: Need) -> Iterator[Problem]:
    """What keeps the connections from being used for it, as far as no server is asked."""
    from lading.project.load import FILE

    kind: ConnectionType = "anthropic" if need == "anthropic" else "port"
    connections = project.connections_of(kind)
    if kind == "port" and len(connections) != 1:
        message = f"there are {len(connections)} connections to Port, and one is needed"
        hint = "below connections: one entry is called port, or has type: port"
        yield Problem(message, Place(FILE), hint)
        return
    for connection in connections:
        found = () if need == "destination" else connection.problems()
        yield from found or _without_destination(connection)


def _without_destination(connection: Connection) -> tuple[Problem, ...]:
    from lading.port.destinations import destination

    if connection.type == "port":
        try:
            destination(connection)
        except UserError as error:
            return error.problems
    return ()
