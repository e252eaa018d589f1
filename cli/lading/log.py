"""What the tool says while it works, on stderr: plain lines, or one JSON object a line. In the
format of GitHub's runners lines are plain, and findings (`commands.output`) are annotations.

Each event has a stable `code`; its fields are for machines, its message is for people. All of
it goes through the one redactor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from lading.secrets import redact

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json", "github"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
# Gets the level, code, message and fields of each event, not masked, whatever the least level is.
Listener = Callable[[Level, str, str, Mapping[str, object]], None]


@dataclass(slots=True)
class Sink:
    """Where the lines go; one for the process, set up by the command line. `listeners` hear of all
    events besides."""

    format: Format = "text"
    level: Level = "info"
    write: Callable[[str], None] | None = None
    fields: dict[str, object] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)


sink = Sink()


def configure(*, format: Format, level: Level, **fields: object) -> None:
    """Choose the shape and the least level of all lines from now on."""
    sink.format, sink.level, sink.fields = format, level, fields


def debug(code: str, message: str, **fields: object) -> None:
    """Say what only somebody who looks for a fault wants to know."""
    _say("debug", code, message, fields)


def info(code: str, message: str, **fields: object) -> None:
    """Say what was done."""
    _say("info", code, message, fields)


def warning(code: str, message: str, **fields: object) -> None:
    """Say what a person should look at."""
    _say("warning", code, message, fields)


def error(code: str, message: str, **fields: object) -> None:
    """Say what failed."""
    _say("error", code, message, fields)


def _say(level: Level, code: str, message: str, fields: dict[str, object]) -> None:
    for hear in sink.listeners:
        hear(level, code, message, fields)
    if LEVELS.index(level) < LEVELS.index(sink.level):
        return
    line = redact(
        _as_json(level, code, message, fields)
        if sink.format == "json"
        else _as_text(level, message)
    )
    if sink.write is not None:
        sink.write(line)
    else:
        # In one piece: threads that speak at once must not share a line.
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _as_text(level: Level, message: str) -> str:
    clock = datetime.now(UTC).strftime("%H:%M:%S")
    label = "" if level in {"info", "debug"} else f"{level}: "
    return f"{clock}  {label}{message}"


def _as_json(level: Level, code: str, message: str, fields: dict[str, object]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"ts": stamp, "level": level, "code": code, "message": message}
    return json.dumps({**event, **sink.fields, **fields}, default=str, ensure_ascii=False)
