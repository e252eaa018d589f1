"""Integrations that Port has, whosever they are: read, never written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lading.errors import NotFoundError, UserError
from lading.port.answers import as_object

if TYPE_CHECKING:
    from lading.port.client import PortClient

PATH = "/v1/integration"


def shown_integration(client: PortClient, identifier: str) -> Mapping[str, Any]:
    """An integration as Port shows it; its mapping is its `config`.

    Raises:
        UserError: Port has none of that name; the hint says which it has.
        ServerError: Port is not to be had, or does not let these credentials see it.
    """
    try:
        answer = client.call("GET", f"{PATH}/{quote(identifier, safe='')}", parse=as_object)
    except NotFoundError as error:
        names = ", ".join(integration_names(client))
        message = f"Port has no integration '{identifier}'"
        raise UserError(message, hint=f"it has {names}" if names else "it has none") from error
    found = answer.get("integration")
    return found if isinstance(found, dict) else {}


def integration_names(client: PortClient) -> tuple[str, ...]:
    """The names of all integrations, sorted."""
    listed = client.call("GET", PATH, parse=as_object).get("integrations")
    found = listed if isinstance(listed, list) else []
    names = (each.get("installationId") for each in found if isinstance(each, dict))
    return tuple(sorted(name for name in names if isinstance(name, str)))
