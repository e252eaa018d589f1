"""What was made of a project, taken away again: the folder `target/`, and nothing that it holds of
anybody else's."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lading.errors import Place, UserError

if TYPE_CHECKING:
    from lading.project.model import Project


@dataclass(frozen=True, slots=True)
class Made:
    """The folder for what is made of a project, and how much is in it."""

    folder: Path
    files: int
    size: int

    def remove(self) -> None:
        """Take it away."""
        import shutil

        shutil.rmtree(self.folder)


def made_of(project: Project) -> Made | None:
    """What there is to remove; None if there is nothing.

    Raises:
        UserError: the folder is no place that only what was made stands in.
    """
    from lading.project.load import FILE

    folder = project.target_path
    if not folder.exists() and not folder.is_symlink():
        return None
    if (reason := _unsafe(project, folder)) is not None:
        hint = "give target-path: a folder of its own inside the project"
        message = f"{folder} is not removed: {reason}"
        raise UserError(message, place=Place(FILE), hint=hint)
    files = [each for each in folder.rglob("*") if each.is_file() or each.is_symlink()]
    return Made(folder, len(files), sum(each.lstat().st_size for each in files))


def _unsafe(project: Project, folder: Path) -> str | None:
    """Why the folder may not be removed."""
    root, there = project.root.resolve(), folder.resolve()
    if folder.is_symlink() or not there.is_relative_to(root):
        return "it is outside the project"
    if there == root:
        return "it is the project itself"
    if not folder.is_dir():
        return "it is no folder"
    held = next((each for each in _to_keep(project) if each.resolve().is_relative_to(there)), None)
    return f"{held} is in it" if held is not None else None


def _to_keep(project: Project) -> Iterator[Path]:
    """Every file and folder of the project, databases, and what has not been loaded into them."""
    from lading.transform.local_files import local_files

    root, database = project.root, project.target.database
    beside = glob.escape(database.name)
    yield from (root / each for folders in project.folders.values() for each in folders)
    yield from sorted(database.parent.glob(f"{beside}*"))
    # Those of other targets, which variables that are not set now may name.
    yield from sorted(project.target_path.rglob("*.duckdb*"))
    documents = (
        *(project.sources, project.properties, project.mappings, project.blueprints),
        *(project.unit_tests, project.mapping_tests),
    )
    yield from (root / each.file for several in documents for each in several)
    texts = (*project.models, *project.macros, *project.data_tests)
    yield from (root / each.file for each in texts)
    yield from (each.path for each in local_files(project)[0])
