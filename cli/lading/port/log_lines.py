"""The run's own log lines, kept until Port is told of them: only so many."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lading.log import Level
from lading.secrets import redact

# So many lines wait at most, and so many go in one request.
MOST_WAITING = 1_000
MOST_AT_ONCE = 100
LONGEST_MESSAGE = 2_000


class LogLines:
    """Lines of level info and above, masked, in the order in which they were said. Thread-safe."""

    def __init__(self, **extra: str) -> None:
        """`extra` is told with each line."""
        self._extra = extra
        self._lock = threading.Lock()
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._left_out = 0

    def hear(self, level: Level, code: str, message: str, fields: Mapping[str, object]) -> None:
        """One more line; past the bound it is only counted."""
        if level == "debug":
            return
        line = self._line(level, code, message, fields)
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(line)
            else:
                self._left_out += 1

    def take(self) -> list[Mapping[str, Any]]:
        """The next lines, taken out; the last of them says how many there was no room for."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(MOST_AT_ONCE, len(self._waiting)))]
            if taken and not self._waiting and self._left_out:
                said = f"{self._left_out:,} more lines were not sent"
                taken.append(self._line("warning", "lines_left_out", said, {}))
                self._left_out = 0
        return taken

    def _line(
        self, level: Level, code: str, message: str, fields: Mapping[str, object]
    ) -> Mapping[str, Any]:
        return {
            "message": redact(message)[:LONGEST_MESSAGE],
            "level": level.upper(),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "extra": {"code": code, **_masked(fields), **self._extra},
        }


def _masked(fields: Mapping[str, object]) -> dict[str, Any]:
    try:
        text = redact(json.dumps(fields, default=str, ensure_ascii=False))
        masked: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError):  # a number looked like a secret
        return {}
    return masked if len(text) <= LONGEST_MESSAGE else {}
