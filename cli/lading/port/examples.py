"""Raw rows for Port's test of a mapping, without what may be a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from lading.port.batches import LARGEST_BODY
from lading.secrets import MASK, redact

# Keys are compared in small letters and without separators; `api_key_id`, `token_type` and
# `output_tokens` end otherwise: they are figures and names, not keys.
SECRET_KEYS = (
    *("secret", "secrets", "password", "passwd", "passphrase", "token", "apikey", "privatekey"),
    *("accesskey", "secretkey", "signingkey", "authorization", "credential", "credentials"),
    "cookie",
)
SEPARATORS = re.compile(r"[^a-z0-9]")
SECRET_VALUES = re.compile(
    r"sk-ant-[\w-]{8,}|Bearer\s+[\w.~+/-]{8,}=*|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def presentable(rows: Sequence[str]) -> list[Any]:
    """JSON texts as values that may be shown, as many of the first as one request can carry."""
    shown: list[Any] = []
    room = LARGEST_BODY - 100
    for row in rows:
        value = masked(json.loads(row))
        size = len(json.dumps(value).encode()) + 2
        # Port's examples are objects.
        if size > room or not isinstance(value, dict):
            break
        room -= size
        shown.append(value)
    return shown


def masked(value: Any, key: str = "") -> Any:
    """A JSON value with a mask for each secret, and for whatever stands under a secret's key."""
    if value is None or isinstance(value, bool):
        return value
    if SEPARATORS.sub("", key.lower()).endswith(SECRET_KEYS):
        return MASK
    if isinstance(value, dict):
        return {name: masked(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        return SECRET_VALUES.sub(MASK, redact(value))
    return value
