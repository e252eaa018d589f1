"""What a project was in an earlier run, to tell what is new or modified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.errors import Place, UserError

MANIFEST = "manifest.json"
HINT = f"keep the target/{MANIFEST} of an earlier run in a folder of its own, and name that folder"


@dataclass(frozen=True, slots=True)
class State:
    """The checksums of an earlier run's nodes, by their ids."""

    checksums: Mapping[str, str]


def read_state(folder: Path) -> State:
    """The state that is kept in a folder's manifest.json.

    Raises:
        UserError: there is no such file, or it is no manifest of this tool.
    """
    import json

    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"'{folder}' has no {MANIFEST} to compare with", hint=HINT) from None
    except OSError as error:
        raise UserError(f"'{file}' can't be read: {error.strerror}", hint=HINT) from error
    except json.JSONDecodeError as error:
        place = Place(str(file), error.lineno, error.colno)
        raise UserError(f"not JSON: {error.msg}", place=place, hint=HINT) from error
    except (ValueError, RecursionError) as error:
        raise UserError("not JSON in UTF-8", place=Place(str(file)), hint=HINT) from error
    checksums = _checksums(manifest)
    if checksums is None:
        message = "not a manifest of lading: it has no checksum for each node"
        raise UserError(message, place=Place(str(file)), hint=HINT)
    return State(checksums)


def _checksums(manifest: Any) -> dict[str, str] | None:
    nodes = manifest.get("nodes") if isinstance(manifest, dict) else None
    if not isinstance(nodes, dict):
        return None
    checksums = {
        name: node["checksum"]
        for name, node in nodes.items()
        if isinstance(node, dict) and isinstance(node.get("checksum"), str)
    }
    return checksums if len(checksums) == len(nodes) else None
