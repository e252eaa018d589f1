"""Port's API, as far as it is called here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from lading import __version__, log
from lading.errors import (
    GarbledError,
    NotFoundError,
    RefusedError,
    RetriableError,
    ThrottledError,
    UnauthorizedError,
)
from lading.http import Reply, RetryPolicy, Session
from lading.limiter import Limiter
from lading.port.answers import (
    CREDENTIALS,
    NOT_DELETED,
    BulkAnswer,
    HeldEntity,
    Refusal,
    allowance,
    as_object,
    classify,
    deleted_identifiers,
    read_bulk_answer,
    read_page,
)
from lading.port.batches import as_body
from lading.port.destinations import destination, integration_name
from lading.port.tokens import TokenKeeper
from lading.project.model import TYPE
from lading.secrets import register

if TYPE_CHECKING:
    from lading.project.model import Connection

T = TypeVar("T")

# Port keeps the User-Agent as an entity's `$datasource` and knows the owner by its beginning
# and end alone, so that ownership survives a new version in the middle.
OWNER_PREFIX = "port-ocean/{type}/"
OWNER_SUFFIX = "/{integration}/exporter"
SEARCH_PAGE = 1000
DATASOURCE_PAGE = 5000
TOKEN = "/v1/auth/access_token"
# Facts: Port's API reference, rate limits. Each of these has a limit of its own.
POOLS = {
    "token": re.compile("^/v1/auth/"),
    "bulk": re.compile("/entities/bulk$"),
    "search": re.compile("/search$"),
    "entities": re.compile("/entities(/|$)"),
    "blueprints": re.compile("^/v1/blueprints(/|$)"),
}


@dataclass(frozen=True, slots=True)
class UpsertSettings:
    """How entities are written, as a mapping file says.

    merge                            properties that are not sent keep their value
    create_missing_related_entities  targets of relations are made bare when they are missing
    delete_dependents                what relates to a deleted entity is deleted with it
    """

    merge: bool = True
    create_missing_related_entities: bool = True
    delete_dependents: bool = True


class PortClient:
    """One connection's calls; safe to use from several threads.

    Any call may raise:
        UnauthorizedError: the credentials are wrong, or a token fresh from Port is refused.
        RefusedError: what Port says to this request, and would say again.
        RetriableError: Port was not to be had within the connection's tries.
        UserError: (when it is made) a setting of the connection is missing or wrong.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Callable[[], float] = time.monotonic,
        retry: RetryPolicy | None = None,
        timeout: float = 120.0,
        tokens: TokenKeeper | None = None,
    ) -> None:
        """`retry` and `timeout` (seconds) stand in for the connection's patience; with the `tokens`
        of another client, that one's token is used."""
        self.integration = integration_name(connection)
        self.destination = destination(connection)
        self.concurrency = connection.concurrency
        self._credentials = {
            "clientId": connection.value("client_id"),
            "clientSecret": connection.value("client_secret"),
        }
        self._owner_prefix = OWNER_PREFIX.format(type=connection.owner)
        self._owner_suffix = OWNER_SUFFIX.format(integration=self.integration)
        agent = f"{OWNER_PREFIX.format(type=TYPE)}{__version__}{self._owner_suffix}"
        self._session = Session(
            base_url=connection.value("base_url"),
            headers={
                "user-agent": agent,
                "content-type": "application/json",
                "accept": "application/json",
            },
            classify=classify,
            limiter=Limiter(connection.concurrency),
            retry=retry or connection.retry,
            name="Port",
            timeout=timeout,
            allow=allowance,
        )
        self.tokens = tokens or TokenKeeper(self._ask_for_token, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def give_up(self) -> None:
        """Have no request tried again; those under way may end."""
        self._session.give_up()

    def break_off(self) -> None:
        """Give up, and end requests under way: what Port made of them is not known."""
        self._session.break_off()

    def close(self) -> None:
        """End it; threads that wait to try again give up at once."""
        self._session.close()

    @property
    def requests(self) -> int:
        """How many requests were sent, those that were tried again included."""
        return self._session.requests

    def check(self) -> None:
        """Ask for a token: raises what is wrong with the credentials or the address."""
        self.tokens.current()

    def blueprint(self, identifier: str) -> Mapping[str, Any] | None:
        """A blueprint's body as Port holds it; None if there is none."""
        path = f"/v1/blueprints/{quote(identifier, safe='')}"
        try:
            answer = self._send("GET", path, parse=as_object)
        except NotFoundError:
            return None
        found = answer.get("blueprint")
        return found if isinstance(found, dict) else {}

    def create_blueprint(self, body: Mapping[str, Any]) -> bool:
        """Make a blueprint; False if it was there, made meanwhile by someone else or by a try
        whose answer was lost."""
        content = json.dumps(body).encode()
        try:
            self._send("POST", "/v1/blueprints", parse=as_object, content=content)
        except RefusedError as refused:
            if refused.status != 409:
                raise
            return False
        return True

    def change_blueprint(self, identifier: str, changes: Mapping[str, Any]) -> None:
        """Set some keys of a blueprint; the others stay."""
        path = f"/v1/blueprints/{quote(identifier, safe='')}"
        self._send("PATCH", path, parse=as_object, content=json.dumps(changes).encode())

    def upsert(
        self, blueprint: str, entities: Sequence[bytes | str], settings: UpsertSettings
    ) -> BulkAnswer:
        """Write 1 to 20 entities (JSON texts) of one blueprint, at most 1 MiB in all.

        What is refused is not certain if the answer to an earlier try was lost: Port may have
        taken it then.
        """
        lost: list[RetriableError] = []

        def note(error: RetriableError) -> None:
            if not isinstance(error, ThrottledError):
                lost.append(error)

        def parse(reply: Reply) -> BulkAnswer:
            answer = read_bulk_answer(reply, len(entities))
            return answer.made_uncertain() if lost else answer

        try:
            return self._upsert(blueprint, entities, settings, parse, note)
        except RefusedError as error:
            error.certain = not lost
            raise

    def _upsert(
        self,
        blueprint: str,
        entities: Sequence[bytes | str],
        settings: UpsertSettings,
        parse: Callable[[Reply], BulkAnswer],
        on_retry: Callable[[RetriableError], None],
    ) -> BulkAnswer:
        return self._send(
            "POST",
            f"/v1/blueprints/{quote(blueprint, safe='')}/entities/bulk",
            parse=parse,
            on_retry=on_retry,
            params=[
                ("upsert", "true"),
                ("merge", _flag(settings.merge)),
                (
                    "create_missing_related_entities",
                    _flag(settings.create_missing_related_entities),
                ),
            ],
            content=as_body(entities),
        )

    def delete(self, blueprint: str, identifiers: Sequence[str], *, dependents: bool) -> BulkAnswer:
        """Delete 1 to 100 entities of one blueprint; those that were not there are accepted."""
        path = f"/v1/blueprints/{quote(blueprint, safe='')}/bulk/entities/delete"
        answer = self._send(
            "POST",
            path,
            parse=as_object,
            params=[("delete_dependents", _flag(dependents))],
            content=json.dumps({"entities": list(identifiers)}).encode(),
        )
        deleted = deleted_identifiers(answer)
        left = [
            index
            for index, identifier in enumerate(identifiers)
            if identifier not in deleted and self.holds(blueprint, identifier)
        ]
        return BulkAnswer(
            tuple(index for index in range(len(identifiers)) if index not in left),
            tuple(Refusal(index, None, "not_deleted", NOT_DELETED) for index in left),
        )

    def holds(self, blueprint: str, identifier: str) -> bool:
        """Whether Port has an entity."""
        path = f"/v1/blueprints/{quote(blueprint, safe='')}/entities/{quote(identifier, safe='')}"
        try:
            self._send("GET", path, parse=as_object)
        except NotFoundError:
            return False
        return True

    def owned_entities(self, blueprint: str) -> Iterator[HeldEntity]:
        """The entities of a blueprint that this integration wrote last; none if there is no such
        blueprint."""
        path = f"/v1/blueprints/{quote(blueprint, safe='')}/entities/search"
        rules = [
            {"property": "$datasource", "operator": "contains", "value": part}
            for part in (self._owner_prefix, self._owner_suffix)
        ]
        asked = {"query": {"combinator": "and", "rules": rules}, "limit": SEARCH_PAGE}
        try:
            yield from self._found(path, asked, blueprint)
        except NotFoundError:
            return

    def owned_anywhere(self) -> Iterator[HeldEntity]:
        """The entities of all blueprints that this integration wrote last; of what is in them only
        blueprint and identifier are certain. The route is none that Port documents.

        Raises:
            NotFoundError: Port has it no more.
        """
        asked = {
            "datasource_prefix": self._owner_prefix,
            "datasource_suffix": self._owner_suffix,
            "limit": DATASOURCE_PAGE,
        }
        yield from self._found("/v1/blueprints/entities/datasource-entities", asked)

    def _found(
        self, path: str, asked: Mapping[str, Any], blueprint: str = ""
    ) -> Iterator[HeldEntity]:
        cursor: str | None = None
        while True:
            body = {**asked, **({"from": cursor} if cursor else {})}
            page = self._send(
                "POST",
                path,
                parse=lambda reply: read_page(reply, blueprint),
                content=json.dumps(body).encode(),
            )
            yield from page.entities
            if not page.next:
                return
            if page.next == cursor:
                raise GarbledError(f"Port gives the same page of {path} again and again")
            cursor = page.next

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        parse: Callable[[Reply], T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Any other request with the token and a JSON body; `path` may be a whole address that Port
        gave out."""
        content = None if body is None else json.dumps(body).encode()
        return self._send(method, path, parse=parse, content=content, headers=headers)

    def _send(
        self,
        method: str,
        path: str,
        *,
        parse: Callable[[Reply], T],
        params: Sequence[tuple[str, str]] = (),
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        on_retry: Callable[[RetriableError], None] = lambda error: None,
    ) -> T:
        def attempt(authorization: str) -> T:
            return self._session.send(
                method,
                path,
                parse=parse,
                params=params,
                content=content,
                headers={**(headers or {}), "authorization": authorization},
                on_retry=on_retry,
                pool=_pool(path),
            )

        token = self.tokens.current()
        try:
            return attempt(token.authorization)
        except UnauthorizedError:
            token = self.tokens.instead_of(token)
        try:
            return attempt(token.authorization)
        except UnauthorizedError as again:
            raise UnauthorizedError(
                f"Port refuses the token that it has just given: {again.message}",
                hint=CREDENTIALS,
                status=again.status,
                request_id=again.request_id,
            ) from again

    def _ask_for_token(self) -> tuple[str, float]:
        log.debug("port_token", "asking Port for an access token")
        content = json.dumps(self._credentials).encode()
        return self._session.send(
            "POST", TOKEN, parse=_read_token, content=content, pool=_pool(TOKEN)
        )


def _read_token(reply: Reply) -> tuple[str, float]:
    answer = as_object(reply)
    token = str(answer.get("accessToken") or "")
    if not token:
        raise UnauthorizedError("Port's answer holds no access token", hint=CREDENTIALS)
    register(token)
    seconds = answer.get("expiresIn")
    lives = float(seconds) if isinstance(seconds, (int, float)) else 0.0
    return f"{answer.get('tokenType') or 'Bearer'} {token}", lives


def _pool(path: str) -> str:
    """Which of Port's rate limits a request counts towards."""
    return next((name for name, pattern in POOLS.items() if pattern.search(path)), "other")


def _flag(value: bool) -> str:
    return "true" if value else "false"
