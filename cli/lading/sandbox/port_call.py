"""A call of Port's stand-in: what its request says, read as strictly as Port reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from lading.sandbox.faults import Fault
from lading.sandbox.port_catalog import Catalog
from lading.sandbox.port_records import PortRefusal
from lading.sandbox.server import Request

Answer = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the catalog that it is about, and the time by the stand-in's clock (UTC)."""

    request: Request
    catalog: Catalog
    now: datetime

    @property
    def route(self) -> tuple[str, ...]:
        """The method, and the decoded parts of the path."""
        return (self.request.method, *map(unquote, self.request.path.split("/")[1:]))

    def body(self) -> Any:
        """The body's JSON; numbers with a fraction are Decimal. PortRefusal: it is not JSON."""
        if "application/json" not in self.request.headers.get("content-type", ""):
            raise PortRefusal(422, "content-type must be application/json")
        try:
            return json.loads(self.request.body, parse_float=Decimal, parse_constant=_no_number)
        except ValueError as error:
            raise PortRefusal(422, f"body is not JSON: {error}") from error

    def fields(self, required: frozenset[str], optional: frozenset[str] = frozenset()) -> Any:
        """The body's JSON, an object of these keys. PortRefusal: others, or some are missing."""
        body = self.body()
        if not isinstance(body, dict) or not required <= body.keys() <= required | optional:
            names = ", ".join((*sorted(required), *(f"{name}?" for name in sorted(optional))))
            raise PortRefusal(422, f"body must have {names}, and nothing else")
        return body

    def query(self, known: frozenset[str]) -> dict[str, str]:
        """The query's parameters. PortRefusal: one is unknown, or there twice."""
        given = dict(self.request.query)
        unknown = sorted(given.keys() - known)
        if unknown or len(given) != len(self.request.query):
            raise PortRefusal(422, f"querystring must have each of {sorted(known)} at most once")
        return given

    def switches(self, names: tuple[str, ...], others: frozenset[str] = frozenset()) -> set[str]:
        """Those of the query's parameters `names` that are true; each is false if not given."""
        given = self.query(others | set(names))
        for name in names:
            if given.get(name, "false") not in {"true", "false"}:
                raise PortRefusal(422, f"querystring/{name} must be boolean")
        return {name for name in names if given.get(name) == "true"}


def within(body: Mapping[str, Any], name: str, most: int, default: int = 0) -> int:
    """A whole number of 1 to `most` in a body. PortRefusal: it is none."""
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise PortRefusal(422, f"body/{name} must be integer, 1 to {most}")
    return value


def text(body: Mapping[str, Any], name: str) -> str | None:
    """A text in a body, None if it is not there. PortRefusal: it is no text."""
    value = body.get(name)
    if name in body and not isinstance(value, str):
        raise PortRefusal(422, f"body/{name} must be string")
    return value


def texts(body: Mapping[str, Any], name: str) -> list[str] | None:
    """A list of texts in a body, None if it is not there. PortRefusal: it is none."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise PortRefusal(422, f"body/{name} must be array of strings")
    return value if name in body else None


def hits(fault: Fault | None, kind: str, index: int) -> bool:
    """Whether the fault is of that kind and meets the item of this index (each n-th)."""
    return fault is not None and fault.kind == kind and (index + 1) % fault.every == 0


def _no_number(literal: str) -> None:
    raise ValueError(f"{literal} is no number of JSON")
