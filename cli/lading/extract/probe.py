"""Small requests that tell what a key is and may read."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lading.errors import GarbledError
from lading.extract.fetch import parameters, parser_of
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
    """Ask for the least that a stream has: of yesterday, or of a list as it is.

    Raises:
        ServerError: the key may not read it, or the server is not to be had.
    """
    yesterday = midnight(now) - timedelta(days=1)
    period = Period(yesterday, midnight(now))
    widths = stream.widths or ("1d",)
    extract = Extract(stream, "1d" if "1d" in widths else widths[0], (), yesterday, ())
    request = Request(extract, period, "new")
    least = 1 if stream.page_sizes else 0
    params = parameters(request, period, least, None)
    session.send("GET", stream.path, params=params, parse=parser_of(stream))
    return "may be read"
