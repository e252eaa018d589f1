"""What Port's stand-in holds as an entity, and how it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class PortRefusal(Exception):
    """An answer that is not a success: status, short name and message of Port's envelope."""

    def __init__(self, status: int, message: str, error: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error or ERROR_NAMES.get(status, "error")


# Of these names only `not_found` is documented; clients have to go by the status.
ERROR_NAMES = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    422: "validation_error",
    429: "too_many_requests",
}


@dataclass(frozen=True, slots=True)
class PortEntity:
    """An entity as Port holds it. A property that is null is not there.

    datasource              the User-Agent of the request that wrote it last
    created_at, updated_at  UTC; every write that Port accepts moves `updated_at`
    """

    blueprint: str
    identifier: str
    title: str | None
    icon: str | None
    team: tuple[str, ...]
    properties: Mapping[str, Any]
    relations: Mapping[str, Any]
    datasource: str
    created_at: datetime
    updated_at: datetime
