"""The starter project: the files that `lading init` and `lading demo` lay out."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from string import Template

from lading.errors import UserError

# pyproject.toml has the wheel carry the same names.
NAMES = (
    "project.yml",
    "sources",
    "models",
    "mappings",
    "macros",
    "queries",
    "tests/models",
    "tests/mappings",
)
# What the shipped mapping can do without: names for ids, marts, and the tests of all that.
BEYOND_MINIMAL = (
    "sources/lookups.yml",
    "models/marts",
    "models/staging/api_key_records.sql",
    "models/staging/lookups.yml",
    "models/staging/organization_records.sql",
    "models/staging/user_records.sql",
    "models/staging/workspace_records.sql",
    "macros/names.sql",
    "macros/ratios.sql",
    "macros/snapshots.sql",
    "macros/usage.sql",
    "queries",
    "tests",
)
MAPPINGS = ("mappings", "tests/mappings")
# What a project of one's own has besides, by the names in the package's folder: no tool that
# packs this one must take them for its own.
SCAFFOLD = {"gitignore": ".gitignore", "env.example": ".env.example", "README.md": "README.md"}
NAME_IN_PROJECT = re.compile(rb"^name: .*$", re.MULTILINE)

_MOST_SHOWN = 5

Contents = Mapping[PurePosixPath, bytes]


def files() -> Iterator[tuple[PurePosixPath, Path]]:
    """Each starter file: its name within a project, and the file to read it from.

    Sorted by name within each of `NAMES`. Hidden files, databases and what tools make are left out.
    """
    here = root()
    for name in NAMES:
        top = here / name
        for file in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = PurePosixPath(file.relative_to(here))
            if file.is_file() and _belongs(relative):
                yield relative, file


def new_project(name: str, *, minimal: bool = False, mappings: bool = True) -> Contents:
    """The files of a new project of that name: the starter's, or the least of them that syncs, with
    or without its mappings, and those that a project of one's own has besides."""
    left_out = (*(BEYOND_MINIMAL if minimal else ()), *(() if mappings else MAPPINGS))
    contents = {
        relative: source.read_bytes()
        for relative, source in files()
        if not _is_below(relative, left_out)
    }
    settings = PurePosixPath("project.yml")
    contents[settings] = NAME_IN_PROJECT.sub(f"name: {name}".encode(), contents[settings], count=1)
    for source, target in SCAFFOLD.items():
        text = Path(__file__).with_name("scaffold").joinpath(source).read_text("utf-8")
        contents[PurePosixPath(target)] = Template(text).substitute(name=name).encode()
    return contents


def lay_out(
    folder: Path, contents: Contents | None = None, what: str = "the starter project"
) -> tuple[Path, ...]:
    """Puts files into `folder`, which is made when missing; those of the starter unless others are
    given. All of them or, if anything goes wrong, none. `what` is what an error calls them.

    Returns the files written, in their order. Raises `UserError`, and writes nothing, when a file
    of that name is there already.
    """
    if contents is None:
        contents = {name: source.read_bytes() for name, source in files()}
    targets = [folder / name for name in contents]
    _refuse_to_overwrite(folder, targets, what)
    folder.parent.mkdir(parents=True, exist_ok=True)
    near = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(prefix=".lading-", dir=near) as beside:
        for name, content in contents.items():
            _write(Path(beside) / name, content)
        _move(Path(beside), folder, contents)
    return tuple(targets)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


def _move(beside: Path, folder: Path, names: Iterable[PurePosixPath]) -> None:
    """Move the files into their folder; what was moved is taken away again if one can't be."""
    made: list[Path] = []
    try:
        for name in names:
            target = folder / name
            for missing in [each for each in reversed(target.parents) if not each.exists()]:
                missing.mkdir()
                made.append(missing)
            shutil.move(beside / name, target)
            made.append(target)
    except BaseException:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir() if each.is_dir() else each.unlink()
        raise


def root() -> Path:
    """The installed package's own copy; in a source checkout, the top of the repository."""
    package = Path(__file__).resolve().parent
    installed = package / "starter"
    return installed if installed.is_dir() else package.parents[1]


def _belongs(name: PurePosixPath) -> bool:
    return not any(
        part == "__pycache__" or part.startswith(".") or ".duckdb" in PurePosixPath(part).suffixes
        for part in name.parts
    )


def _is_below(name: PurePosixPath, tops: Iterable[str]) -> bool:
    return any(name.is_relative_to(top) for top in tops)


def _refuse_to_overwrite(folder: Path, targets: list[Path], what: str) -> None:
    taken = list(dict.fromkeys(filter(None, (_in_the_way(folder, each) for each in targets))))
    if not taken:
        return
    shown = ", ".join(str(each) for each in taken[:_MOST_SHOWN])
    more = f" and {len(taken) - _MOST_SHOWN} more" if len(taken) > _MOST_SHOWN else ""
    raise UserError(
        f"{what} would overwrite {shown}{more}",
        hint="name a new or empty folder, or move these files away",
    )


def _in_the_way(folder: Path, target: Path) -> Path | None:
    """What stands where `target` is to be written, or where one of its folders has to be."""
    for parent in (folder, *(each for each in reversed(target.parents) if folder in each.parents)):
        if parent.exists() and not parent.is_dir():
            return parent
    return target if target.exists() or target.is_symlink() else None
