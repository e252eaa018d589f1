"""Secrets are values: each is registered once and blotted out wherever text leaves the process."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

MASK = "********"

# Shorter values would blot out ordinary words; no key of either API is near it.
SHORTEST = 6

_forms: set[str] = set()


def register(value: str) -> None:
    """Have `value` masked from now on: as it is, URL-encoded, and JSON-escaped."""
    if len(value) < SHORTEST:
        return
    escaped = {json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    _forms.update({value, quote(value, safe=""), quote(value), quote_plus(value), *escaped})


def redact(text: str) -> str:
    """The text with every registered secret masked, longest forms first."""
    for form in sorted(_forms, key=len, reverse=True):
        if form in text:
            text = text.replace(form, MASK)
    return text
