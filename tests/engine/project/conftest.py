"""A good project on disk, to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lading.errors import Problem
from lading.project.environment import Environment
from lading.project.load import load_project
from lading.project.model import Project

BASE = Path(__file__).parent / "base"


# How long an example takes says nothing on a machine that does other things as well.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@dataclass(frozen=True)
class Files:
    """A project's files, which tests write and edit."""

    root: Path

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def edit(self, file: str, changes: Mapping[str, str]) -> None:
        text = (self.root / file).read_text("utf-8")
        for old, new in changes.items():
            assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        self.write(file, text)

    def load(
        self, environment: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[Project | None, tuple[Problem, ...]]:
        return load_project(self.root, environment=Environment(environment or {}), **options)

    def project(self, environment: Mapping[str, str] | None = None, **options: Any) -> Project:
        """The project, which must be all right."""
        project, problems = self.load(environment, **options)
        assert problems == ()
        assert project is not None
        return project


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A good project."""
    root = tmp_path / "project"
    shutil.copytree(BASE, root)
    return Files(root)
