"""How Port's stand-in writes its answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from lading.sandbox.port_records import PortEntity


def as_entity(entity: PortEntity) -> Mapping[str, Any]:
    """An entity as Port shows it."""
    return {
        "identifier": entity.identifier,
        "blueprint": entity.blueprint,
        "title": entity.title,
        "icon": entity.icon,
        "properties": entity.properties,
        "team": list(entity.team),
        "relations": entity.relations,
        "createdAt": entity.created_at.isoformat(),
        "updatedAt": entity.updated_at.isoformat(),
    }


def as_json(data: Mapping[str, Any], *, doubles: bool = False) -> bytes:
    """JSON with the digits of numbers kept, or as JavaScript writes the nearest doubles."""
    return _written(data, _double if doubles else str).encode()


def _written(value: Any, number: Callable[[Any], str]) -> str:
    # The json module has no way to write a Decimal's digits.
    match value:
        case None | bool() | str():
            return json.dumps(value)
        case int() | float() | Decimal():
            return number(value)
        case Mapping():
            pairs = (f"{json.dumps(key)}:{_written(each, number)}" for key, each in value.items())
            return f"{{{','.join(pairs)}}}"
        case _:
            return f"[{','.join(_written(each, number) for each in value)}]"


def _double(value: float | Decimal) -> str:
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        return "null"
    if double == 0:
        return "0"
    if not 1e-6 <= abs(double) < 1e21:
        return repr(double)
    return f"{Decimal(repr(double)).normalize():f}"
