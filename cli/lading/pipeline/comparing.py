"""A plan as if the entities of another integration in Port were this one's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.pipeline.context import Context


def in_place_of(context: Context, integration: str) -> Context:
    """The context with the other one's name and type for its own. What Port has is kept under
    another destination then, so nothing of it counts for a push.

    Raises:
        UserError: Port has no integration of that name.
        ServerError: Port is not to be had.
    """
    from lading.port.client import PortClient
    from lading.port.shown_integrations import shown_integration

    own = context.port
    with PortClient(own) as client:
        shown = shown_integration(client, integration)
    other = replace(
        own,
        owner=str(shown.get("installationAppType") or own.owner),
        written={**own.written, "integration": integration},
    )
    connections = {**context.project.connections, own.name: other}
    return replace(context, project=replace(context.project, connections=connections))
