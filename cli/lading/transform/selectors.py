"""The selectors of resource models: with every field of the kind, given or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lading.project.model import Field, Kind


def complete(kind: Kind | None, selector: Mapping[str, Any]) -> dict[str, Any]:
    """The selector with the defaults of the fields that it lacks; None where there is none."""
    fields = kind.fields if kind is not None else {}
    return {**{name: field.default for name, field in fields.items()}, **selector}


def sample_selector(kind: Kind | None, run_started_at: str) -> dict[str, Any]:
    """A selector that the kind accepts, to see whether its model compiles: the defaults, and
    likely values of the fields that can't be left out."""
    selector = complete(kind, {})
    if kind is None:
        return selector
    needed = [field.name for field in kind.fields.values() if field.required]
    for group in kind.exactly_one_of:
        if all(selector.get(name) is None for name in group):
            needed += group[:1]
    for name in needed:
        if selector.get(name) is None and name in kind.fields:
            selector[name] = _sample(kind.fields[name], run_started_at)
    return selector


def _sample(field: Field, run_started_at: str) -> Any:
    day = run_started_at[:10]
    samples: dict[str, Any] = {
        "timestamp": f"{day}T00:00:00Z",
        "date": day,
        "days": 1,
        "choice": field.values[0] if field.values else "",
        "choices": [],
        "text": "",
    }
    return samples[field.type]
