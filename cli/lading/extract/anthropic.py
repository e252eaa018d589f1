"""The Admin API's manners: headers, what its errors mean, and what a page looks like.

Facts: the Admin API reference and the API's error page; `anthropic-version` 2023-06-01 is the
version whose shapes the shipped models read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lading import __version__
from lading.errors import (
    ForbiddenError,
    GarbledError,
    NotFoundError,
    PageTooDenseError,
    RefusedError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from lading.http import Classify, Reply, Session, seconds_to_wait
from lading.limiter import Limiter
from lading.secrets import redact

if TYPE_CHECKING:
    from lading.project.model import Connection

ADMIN_KEY = (
    "the reports need an Admin API key of the organisation (made by an admin in the Console); "
    "a workspace's key, or one of Claude Enterprise, reads none of them"
)
HINTS = {
    401: f"check the key: {ADMIN_KEY}",
    403: f"the key lacks the right to this report: {ADMIN_KEY}",
    404: f"check base_url; a key without the right scope may see this too: {ADMIN_KEY}",
    402: "the organisation's billing has to be put right in the Console",
}
# How keys of each kind begin; which kind one is can't be asked for.
KEYS = {
    "sk-ant-admin": "an Admin API key",
    "sk-ant-api": "the key of a workspace",
    "sk-ant-oat": "a token of Claude Code",
}
REFUSALS: dict[int, type[RefusedError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
}
# How the API words it that a page would hold too much; any other 400 is final.
TOO_DENSE = ("too large", "too dense", "too many results", "reduce limit", "reduce the limit")


def open_session(connection: Connection, classifier: Classify | None = None) -> Session:
    """A session with the connection's key; `classifier` stands in for `classify`.

    Raises:
        UserError: the key's variable is not set.
    """
    return Session(
        base_url=connection.value("base_url"),
        headers={
            "x-api-key": connection.value("api_key"),
            "anthropic-version": connection.value("version"),
            "user-agent": f"lading/{__version__} (Claude usage into Port)",
            "accept": "application/json",
        },
        classify=classifier or classify,
        limiter=Limiter(connection.concurrency),
        retry=connection.retry,
        name="Anthropic",
    )


def kind_of_key(key: str) -> str | None:
    """What a key is by how it begins; None if it does not begin like any that is known."""
    return next((kind for begun, kind in KEYS.items() if key.startswith(begun)), None)


def classify(reply: Reply) -> ServerError | None:
    """The error that an answer amounts to, or None if it is a success."""
    status = reply.status
    if status == 200:
        return None
    message = f"Anthropic answers {status}: {_said(reply)}"
    more: dict[str, Any] = {
        "status": status,
        "request_id": reply.headers.get("request-id"),
    }
    if status == 429:
        throttled = ThrottledError(message, **more)
        throttled.retry_after = _wish(reply, "retry-after", "anthropic-ratelimit-requests-reset")
        return throttled
    if status == 408 or status >= 500:
        unavailable = UnavailableError(message, **more)
        unavailable.retry_after = _wish(reply, "retry-after")
        return unavailable
    if status == 400 and any(words in message.lower() for words in TOO_DENSE):
        return PageTooDenseError(message, **more)
    kind = REFUSALS.get(status, RefusedError)
    return kind(message, hint=HINTS.get(status), **more)


def _wish(reply: Reply, *headers: str) -> float | None:
    for header in headers:
        seconds = seconds_to_wait(reply.headers.get(header))
        if seconds is not None:
            return seconds
    return None


def _said(reply: Reply) -> str:
    try:
        error = json.loads(reply.body)["error"]
        return f"{error['type']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        # Masked before it is cut: a part of a secret would not be known for one.
        text = redact(reply.body[:2000].decode("utf-8", "replace").strip())
        return text[:200] or "(nothing more)"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a report or a list: its records' bytes as they came, where the next one is, and
    whose it is ("" if the answer does not say)."""

    records: tuple[bytes, ...]
    next_page: str | None
    size: int
    organization: str = ""


def parse_page(reply: Reply) -> Page:
    """Cut a page into its records without reading them any further.

    Raises:
        GarbledError: the body is not a whole page.
    """
    envelope = _envelope(reply)
    next_page = envelope.next_page if envelope.has_more is not False else None
    return _page(reply, envelope, next_page)


def parse_list(reply: Reply) -> Page:
    """Cut a page of a list into its members; the next one comes after its last one.

    The last page names its last member too: only `has_more` says whether there is another.

    Raises:
        GarbledError: the body is not a whole page.
    """
    envelope = _envelope(reply)
    if envelope.has_more is None:
        raise GarbledError("a page of a list does not say whether there is more")
    return _page(reply, envelope, envelope.last_id if envelope.has_more else None)


def parse_object(reply: Reply) -> Page:
    """An answer that is one object: the only member of the only page.

    Raises:
        GarbledError: the body is no JSON object.
    """
    import msgspec

    try:
        reply.body.decode()
        msgspec.json.decode(reply.body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unparsed(reply, error) from error
    return Page((reply.body,), None, len(reply.body), _organization(reply))


def _page(reply: Reply, envelope: Any, following: str | None) -> Page:
    if envelope.has_more and not following:
        raise GarbledError("a page says that there is more, and not where")
    # The slices would keep the whole body alive if they were not copied.
    records = tuple(bytes(raw) for raw in envelope.data)
    return Page(records, following or None, len(reply.body), _organization(reply))


def _organization(reply: Reply) -> str:
    return reply.headers.get("anthropic-organization-id", "")


def _envelope(reply: Reply) -> Any:
    import msgspec

    try:
        reply.body.decode()  # records are not read any further, and DuckDB takes nothing but UTF-8
        return _page_decoder().decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unparsed(reply, error) from error


def _unparsed(reply: Reply, error: Exception) -> GarbledError:
    message = f"a page does not parse ({error}; {len(reply.body)} bytes)"
    return GarbledError(message, request_id=reply.headers.get("request-id"))


@cache
def _page_decoder() -> Any:
    import msgspec

    envelope = msgspec.defstruct(
        "Envelope",
        [
            ("data", list[msgspec.Raw]),
            ("has_more", bool | None, None),
            ("next_page", str | None, None),
            ("last_id", str | None, None),
        ],
    )
    return msgspec.json.Decoder(envelope)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's own period, as the API prints it."""

    starting_at: str
    ending_at: str


def bucket_of(record: bytes) -> Bucket:
    """The period that a bucket says it is.

    Raises:
        GarbledError: it says none.
    """
    import msgspec

    try:
        return msgspec.json.decode(record, type=Bucket)
    except msgspec.MsgspecError as error:
        message = f"a bucket without starting_at and ending_at ({error})"
        raise GarbledError(message) from error


def days_of(records: Sequence[bytes]) -> set[str]:
    """The days (YYYY-MM-DD) that records say they belong to.

    Raises:
        GarbledError: one says none.
    """
    import msgspec

    try:
        return {_day_decoder().decode(record).date[:10] for record in records}
    except msgspec.MsgspecError as error:
        raise GarbledError(f"a record without a date ({error})") from error


def ids_of(records: Sequence[bytes]) -> tuple[str, ...]:
    """The ids of a list's members.

    Raises:
        GarbledError: one has none.
    """
    import msgspec

    try:
        return tuple(_member_decoder().decode(record).id for record in records)
    except msgspec.MsgspecError as error:
        raise GarbledError(f"a member without an id ({error})") from error


@cache
def _member_decoder() -> Any:
    import msgspec

    return msgspec.json.Decoder(msgspec.defstruct("Member", [("id", str)]))


@cache
def _day_decoder() -> Any:
    import msgspec

    return msgspec.json.Decoder(msgspec.defstruct("Dated", [("date", str)]))
