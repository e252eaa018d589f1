"""What Port's answers mean: errors by status, and the two lists of a bulk upsert.

Facts: Port's API reference. Of the error names only `not_found` is documented, so nothing here
goes by a name; the message is passed on as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from lading.errors import (
    ForbiddenError,
    GarbledError,
    NotFoundError,
    RefusedError,
    RetriableError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from lading.http import Reply, seconds_to_wait
from lading.limiter import Allowance
from lading.secrets import redact

CREDENTIALS = (
    "check the client id and secret of the connection (in Port: the … menu, Credentials), and that "
    "base_url is your region's: https://api.port.io or https://api.us.port.io"
)
HINTS = {
    401: CREDENTIALS,
    403: "the credentials lack the right to this, or Port lets in only listed IP addresses",
    413: "Port takes at most 1 MiB a request",
}
REFUSALS: dict[int, type[RefusedError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
}
REMAINING = re.compile(r"[0-9]{1,15}")
# What a mapping can give of an entity.
ENTITY_KEYS = ("identifier", "title", "icon", "team", "properties", "relations")
NOT_DELETED = "Port's answer does not name it, and Port has it still"
NEITHER = "Port's answer has it in neither list: whether Port holds it is not known"


def classify(reply: Reply) -> ServerError | None:
    """The error that an answer amounts to, or None if it is a success."""
    status = reply.status
    if 200 <= status < 300:
        return None
    message = f"Port answers {status}: {_said(reply)}"
    more: dict[str, Any] = {
        "status": status,
        "request_id": reply.headers.get("x-trace-id"),
    }
    if status == 408 or status == 429 or status >= 500:
        kind = ThrottledError if status == 429 else UnavailableError
        return _with_wish(kind(message, **more), reply)
    refused = REFUSALS.get(status, RefusedError)
    return refused(message, hint=HINTS.get(status), **more)


def _with_wish(error: RetriableError, reply: Reply) -> RetriableError:
    """The answer's wish to wait: `retry-after`, else `x-ratelimit-reset` of a 429.

    The second is told as seconds left in some of Port's pages and as seconds since 1970 in
    others. A moment that has passed by our clock is no wish: it would be asking at once.
    """
    wish = seconds_to_wait(reply.headers.get("retry-after"))
    if wish is None and reply.status == 429:
        wish = seconds_to_wait(reply.headers.get("x-ratelimit-reset"))
    error.retry_after = wish or None
    return error


def allowance(reply: Reply) -> Allowance | None:
    """What is left of the rate limit, by the answer's headers; None if they don't say."""
    left = reply.headers.get("x-ratelimit-remaining", "").strip()
    seconds = seconds_to_wait(reply.headers.get("x-ratelimit-reset"))
    if seconds is None or not REMAINING.fullmatch(left):
        return None
    return Allowance(int(left), seconds)


def _said(reply: Reply) -> str:
    try:
        answer = json.loads(reply.body)
        return f"{answer['error']}: {answer['message']}"
    except (ValueError, KeyError, TypeError):
        return _excerpt(reply.body) or "(nothing more)"


def _excerpt(body: bytes, most: int = 200) -> str:
    """The beginning of a body. Masked before it is cut: a part of a secret would not be known
    for one."""
    return redact(body[: 10 * most].decode("utf-8", "replace").strip())[:most]


def as_object(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of a successful answer.

    Raises:
        GarbledError: it is something else.
    """
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise GarbledError(
            f"Port's answer is not the JSON object that it should be ({len(reply.body)} bytes)",
            status=reply.status,
            request_id=reply.headers.get("x-trace-id"),
        )
    return answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Port did not take the entity at `index` of a bulk; `certain` unless it may have."""

    index: int
    status: int | None
    error: str
    message: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """What became of each entity of a bulk, by its index in it: every index is in one of them."""

    accepted: tuple[int, ...]
    refusals: tuple[Refusal, ...]

    def made_uncertain(self) -> BulkAnswer:
        """The same, where Port may have taken before what it refuses now."""
        return replace(self, refusals=tuple(replace(each, certain=False) for each in self.refusals))


def read_bulk_answer(reply: Reply, size: int) -> BulkAnswer:
    """The answer to a bulk upsert of `size` entities (200 or 207).

    Raises:
        GarbledError: it has no two lists.
    """
    answer = as_object(reply)
    entities, errors = answer.get("entities", []), answer.get("errors", [])
    if not isinstance(entities, list) or not isinstance(errors, list):
        raise GarbledError("Port's answer to a bulk upsert has no lists", status=reply.status)
    refused = {index: _refusal(index, error) for index, error in _by_index(errors, size)}
    taken = {index for index, _ in _by_index(entities, size)} - refused.keys()
    for index in set(range(size)) - taken - refused.keys():
        refused[index] = Refusal(index, reply.status, "unanswered", NEITHER, certain=False)
    return BulkAnswer(tuple(sorted(taken)), tuple(refused[index] for index in sorted(refused)))


def deleted_identifiers(answer: Mapping[str, Any]) -> frozenset[str]:
    """Those that the answer to a bulk deletion names."""
    listed = answer.get("deletedEntities")
    found = listed if isinstance(listed, list) else []
    names = (each.get("identifier") if isinstance(each, dict) else each for each in found)
    return frozenset(name for name in names if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class HeldEntity:
    """An entity as Port has it; `text` is JSON of what a mapping could give, to the letter."""

    blueprint: str
    identifier: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the entities that were asked for, and the cursor of the next ones."""

    entities: tuple[HeldEntity, ...]
    next: str | None


def read_page(reply: Reply, blueprint: str = "") -> Page:
    """A page of a search for entities, of one blueprint where they don't name theirs.

    Raises:
        GarbledError: it is no page.
    """
    import msgspec

    try:
        answer = _page_decoder().decode(reply.body)
        return Page(tuple(_held(each, blueprint) for each in answer.entities), answer.next)
    except (msgspec.MsgspecError, KeyError) as error:
        raise GarbledError(
            f"Port's answer to a search is not the page that it should be ({error})",
            status=reply.status,
            request_id=reply.headers.get("x-trace-id"),
        ) from error


def _held(entity: Mapping[str, Any], blueprint: str) -> HeldEntity:
    import msgspec

    given = entity.get("blueprint")
    text = msgspec.json.encode({key: entity[key] for key in ENTITY_KEYS if key in entity})
    return HeldEntity(
        blueprint if given is None else msgspec.json.decode(given, type=str),
        msgspec.json.decode(entity["identifier"], type=str),
        text.decode(),
    )


@cache
def _page_decoder() -> Any:
    import msgspec

    fields: list[Any] = [
        ("entities", list[dict[str, msgspec.Raw]]),
        ("next", str | None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Answer", fields))


def _by_index(listed: list[Any], size: int) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Matched by index: an identifier that was a search and found nothing is told as `unknown`."""
    for each in listed:
        index = each.get("index") if isinstance(each, dict) else None
        if isinstance(index, int) and 0 <= index < size:
            yield index, each


def _refusal(index: int, error: Mapping[str, Any]) -> Refusal:
    status = error.get("statusCode")
    return Refusal(
        index=index,
        status=status if isinstance(status, int) else None,
        error=redact(str(error.get("error", ""))),
        message=redact(str(error.get("message", "")) or "Port gives no reason"),
    )
