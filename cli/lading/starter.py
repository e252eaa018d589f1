"""The starter project: the files that `lading demo` lays out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lading.errors import UserError

# pyproject.toml has the wheel carry the same names.
NAMES = (
    "project.yml",
    "sources",
    "models",
    "mappings",
    "macros",
    "tests/models",
    "tests/mappings",
)

_MOST_SHOWN = 5


def files() -> Iterator[tuple[PurePosixPath, Path]]:
    """Each starter file: its name within a project, and the file to read it from.

    Sorted by name within each of `NAMES`. Hidden files, databases and what tools make are left out.
    """
    root = _root()
    for name in NAMES:
        top = root / name
        for file in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = PurePosixPath(file.relative_to(root))
            if file.is_file() and _belongs(relative):
                yield relative, file


def lay_out(folder: Path) -> tuple[Path, ...]:
    """Copies the starter project into `folder`, which is made when missing.

    Returns the files written, in the order of `files()`. Raises `UserError`, and writes nothing,
    when a file of that name is there already.
    """
    copies = [(source, folder / name) for name, source in files()]
    _refuse_to_overwrite(folder, [target for _, target in copies])
    for source, target in copies:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)
    return tuple(target for _, target in copies)


def _root() -> Path:
    """The installed package's own copy; in a source checkout, the top of the repository."""
    package = Path(__file__).resolve().parent
    installed = package / "starter"
    return installed if installed.is_dir() else package.parents[1]


def _belongs(name: PurePosixPath) -> bool:
    return not any(
        part == "__pycache__" or part.startswith(".") or ".duckdb" in PurePosixPath(part).suffixes
        for part in name.parts
    )


def _refuse_to_overwrite(folder: Path, targets: list[Path]) -> None:
    taken = list(dict.fromkeys(filter(None, (_in_the_way(folder, each) for each in targets))))
    if not taken:
        return
    shown = ", ".join(str(each) for each in taken[:_MOST_SHOWN])
    more = f" and {len(taken) - _MOST_SHOWN} more" if len(taken) > _MOST_SHOWN else ""
    raise UserError(
        f"the starter project would overwrite {shown}{more}",
        hint="name a new or empty folder, or move these files away",
    )


def _in_the_way(folder: Path, target: Path) -> Path | None:
    """What stands where `target` is to be written, or where one of its folders has to be."""
    for parent in (folder, *(each for each in reversed(target.parents) if folder in each.parents)):
        if parent.exists() and not parent.is_dir():
            return parent
    return target if target.exists() or target.is_symlink() else None
