"""Small requests that tell what a key is and may read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lading.errors import GarbledError
from lading.extract.anthropic import parse_page
from lading.extract.fetch import parameters
from lading.extract.plan import Extract, Period, Request, midnight

if TYPE_CHECKING:
    from lading.extract.streams import Stream
    from lading.http import Reply, Session

ORGANISATION = "/v1/organizations/me"


def organisation(session: Session) -> str:
    """The name of the organisation that the key belongs to.

    Raises:
        ServerError: the key is not taken, or the server is not to be had.
    """
    return session.send("GET", ORGANISATION, parse=_name)


def _name(reply: Reply) -> str:
    try:
        return str(json.loads(reply.body)["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise GarbledError("the answer names no organisation") from error


def may_read(session: Session, stream: Stream, now: datetime) -> str:
    """Ask for the least that a stream has, of yesterday.

    Raises:
        ServerError: the key may not read it, or the server is not to be had.
    """
    yesterday = midnight(now) - timedelta(days=1)
    period = Period(yesterday, midnight(now))
    extract = Extract(
        stream, "1d" if "1d" in stream.page_sizes else stream.widths[0], (), yesterday, ()
    )
    request = Request(extract, period, "new")
    session.send("GET", stream.path, params=parameters(request, period, 1, None), parse=parse_page)
    return "may be read"
