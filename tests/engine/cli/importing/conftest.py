"""A project without mappings, beside a Port that has an integration."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.engine.conftest import Desk

HERE = Path(__file__).parent
SHIPPED = Path(__file__).parents[4] / "mappings/blueprints"
NOTED = {
    "createdAt": "2025-06-01T00:00:00.000Z",
    "createdBy": "someone",
    "updatedAt": "2025-06-02T00:00:00.000Z",
    "updatedBy": "someone",
}


def shipped_blueprints() -> dict[str, dict[str, Any]]:
    found = [yaml.safe_load(file.read_text("utf-8")) for file in sorted(SHIPPED.glob("*.yml"))]
    return {each["identifier"]: each for each in found}


@pytest.fixture
def bare(desk: Desk) -> Desk:
    """What `lading init --no-mappings` lays out, without what takes long to build."""
    desk.without_marts()
    rmtree(desk.root / "mappings")
    rmtree(desk.root / "tests/mappings")
    return desk


def give_port(desk: Desk, config: Any, name: str = "my-claude", kind: str = "claude") -> None:
    """Have Port hold an integration, and the blueprints that it had with it."""
    desk.port.integrations.held[name] = {
        "installationId": name,
        "installationAppType": kind,
        "config": config,
    }
    for identifier, body in shipped_blueprints().items():
        desk.port.blueprints[identifier] = {**body, **NOTED}
