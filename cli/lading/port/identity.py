"""Who we are to Port, as far as its answers tell."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lading.errors import RefusedError
from lading.port.answers import as_object

if TYPE_CHECKING:
    from lading.port.client import PortClient

# Facts: Port's API reference; those with `get` in them are the older names.
REGIONS = {
    "api.port.io": "EU",
    "api.getport.io": "EU",
    "api.us.port.io": "US",
    "api.us.getport.io": "US",
}


def region(base_url: str) -> str:
    """The region of an address of Port's; of another one that it is none of them."""
    found = REGIONS.get(urlsplit(base_url).hostname or "")
    return f"{found} region" if found else "no region of Port's"


def organisation(client: PortClient) -> str | None:
    """The organisation's name, else its id; None if these credentials may not see it.

    Raises:
        ServerError: the credentials are not taken, or Port is not to be had.
    """
    client.check()
    try:
        answer = client.call("GET", "/v1/organization", parse=as_object)
    except RefusedError:
        return None
    found = answer.get("organization")
    named = found if isinstance(found, dict) else {}
    return str(named.get("name") or named.get("id") or "") or None


def role(client: PortClient) -> str | None:
    """What the token may do in Port, if it says so itself. Nothing is decided by that."""
    claims = _claims(client.tokens.current().authorization)
    told = claims.get("role") or claims.get("roles")
    names = told if isinstance(told, list) else [told]
    return ", ".join(each for each in names if isinstance(each, str)) or None


def _claims(authorization: str) -> Mapping[str, Any]:
    """What a signed token says of itself; nothing of a token that is none."""
    _, _, payload = authorization.partition(".")
    part = payload.partition(".")[0]
    try:
        read = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
