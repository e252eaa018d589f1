"""The frozen project: what all rooms read and none changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lading.errors import Place, Problem, UserError
from lading.http import RetryPolicy, is_loopback
from lading.project.documents import Document, TextFile
from lading.project.environment import Environment, MissingVariableError
from lading.secrets import register

ConnectionType = Literal["anthropic", "port"]

# The type of this tool's integrations in Port; as in the User-Agent, by which Port knows whose the
# entities are.
TYPE = "lading"
# What a connection of each type must be told, and what it falls back on.
SETTINGS: Mapping[ConnectionType, Mapping[str, str | None]] = {
    "anthropic": {
        "base_url": "https://api.anthropic.com",
        "api_key": None,
        "version": "2023-06-01",
    },
    "port": {
        "base_url": "https://api.port.io",
        "client_id": None,
        "client_secret": None,
        "integration": "lading-claude",
    },
}
SECRET_SETTINGS = frozenset({"api_key", "client_id", "client_secret"})
# What a header carries as it is (RFC 9110), and so what keys are made of.
VISIBLE = re.compile(r"[!-~]+")
# Requests under way at once. Port takes 35,000 bulks in five minutes, and each of them takes some
# tenths of a second; an Admin API key has far less to spend.
CONCURRENCY: Mapping[ConnectionType, int] = {"anthropic": 4, "port": 16}


@dataclass(frozen=True, slots=True)
class Target:
    """A database that the project can be built in."""

    name: str
    database: Path
    threads: int
    storage_version: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A server and the key to it. Values are worked out when they are asked for, so that a
    command which does not need a key does not ask for its variable.

    `owner` is the type of the integration whose entities in Port are read as this one's.
    """

    name: str
    type: ConnectionType
    document: Document
    written: Mapping[str, str]
    environment: Environment
    concurrency: int
    retry: RetryPolicy
    owner: str = TYPE

    def value(self, setting: str) -> str:
        """A setting's value; a secret's is registered for masking before it is given away.

        White space around it, such as the line break that a file ends with, is no part of it.

        Raises:
            UserError: its environment variable is not set, the setting is not there, or a
                secret has characters that no header can carry.
        """
        place = self.document.place("connections", self.name, setting)
        written = self.written.get(setting, SETTINGS[self.type][setting])
        if written is None:
            message = f"connection '{self.name}' has no {setting}"
            raise UserError(message, place=place, hint=f"add {setting}: \"{{{{ env_var('…') }}}}\"")
        try:
            value = self.environment.render(written).strip()
        except MissingVariableError as missing:
            raise UserError(
                f"the environment variable {missing.variable} is not set ({self.name}: {setting})",
                place=place,
                hint=f"export {missing.variable}=…, or put it in a file .env beside project.yml",
            ) from missing
        except UserError as error:
            raise UserError(error.message, place=place, hint=error.hint) from error
        if setting in SECRET_SETTINGS:
            register(value)
            if not VISIBLE.fullmatch(value):
                message = f"the {setting} of '{self.name}' has characters that no key has"
                raise UserError(message, place=place, hint="copy it anew, all of it and no more")
        return value

    def register_secrets(self) -> None:
        """Have the secrets that are set masked, and kept from the models, whatever is run."""
        for setting in SECRET_SETTINGS & SETTINGS[self.type].keys():
            with suppress(UserError):
                self.value(setting)

    def problems(self) -> tuple[Problem, ...]:
        """What keeps the connection from being used: variables not set, an unsafe address."""
        found: list[Problem] = []
        for setting in SETTINGS[self.type]:
            try:
                value = self.value(setting)
            except UserError as error:
                found.extend(error.problems)
                continue
            if setting == "base_url" and not _is_safe(value):
                place = self.document.place("connections", self.name, setting)
                # Not what stands before an @: it may be a password.
                shown = value.rpartition("@")[2] if "//" in value else value
                message = f"'{shown}' would send the key in the clear, or is no address"
                hint = "use https:// (http:// only for 127.0.0.1), with no name or password in it"
                found.append(Problem(message, place, hint))
        return tuple(found)


def _is_safe(address: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        has_host = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:  # a port that is none, or half an IPv6 address
        return False
    local = parts.scheme == "http" and is_loopback(address)
    return has_host and (parts.scheme == "https" or local)


FieldType = Literal["timestamp", "date", "days", "choice", "choices", "text"]


@dataclass(frozen=True, slots=True)
class Field:
    """A key that a mapping's selector may have: its type, and what it is without it."""

    name: str
    type: FieldType
    values: tuple[str, ...] = ()
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Asks:
    """What a kind needs fetched: a stream, and the selector keys that say how finely, by what
    dimensions, and from when (the first of `start` that is given counts). `period` is the key of a
    row that says of when it is."""

    stream: str
    width: str | None
    dimensions: str | None
    start: tuple[str, ...]
    period: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A model that mappings may use, under its own name and its aliases."""

    name: str
    names: tuple[str, ...]
    fields: Mapping[str, Field]
    exactly_one_of: tuple[tuple[str, ...], ...]
    asks: Asks | None
    place: Place


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that the project's files declare."""

    root: Path
    name: str
    version: str
    target: Target
    target_path: Path
    variables: Mapping[str, Any]
    environment: Mapping[str, str]
    connections: Mapping[str, Connection]
    sources: tuple[Document, ...]
    properties: tuple[Document, ...]
    models: tuple[TextFile, ...]
    macros: tuple[TextFile, ...]
    mappings: tuple[Document, ...]
    blueprints: tuple[Document, ...]
    data_tests: tuple[TextFile, ...]
    unit_tests: tuple[Document, ...]
    mapping_tests: tuple[Document, ...]
    kinds: Mapping[str, Kind]
    # The folders of the project's files, relative to the root, by the key that names them.
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    queries: tuple[TextFile, ...] = ()
    # By their schema, the files of which some can't be used: what those declare is not known.
    unread: frozenset[str] = frozenset()

    def connections_of(self, kind: ConnectionType) -> tuple[Connection, ...]:
        """The connections of one type, in the order of the file."""
        return tuple(each for each in self.connections.values() if each.type == kind)
