"""The folder of the site: the page, its libraries and the data, for any web server or for none.

A browser lets a page that was opened as a file load scripts from beside it, and nothing else. So
the data comes as scripts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from lading.errors import UserError
from lading.secrets import redact
from lading.site.scrub import without_secrets

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DATA = "data"
INDEX = "index.html"
# What a script reads otherwise than JSON has it, or an HTML parser before it.
ESCAPED = {"<": "\\u003c", ">": "\\u003e", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write_site(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write the site with each part of its data, from which secrets are taken; gives its page.

    Raises:
        UserError: the folder has files, and none of a site.
    """
    _refuse_what_is_no_site(folder)
    for path, content in _shipped():
        _write(folder / path, content)
    for name, part in data.items():
        _write(folder / DATA / f"{name}.js", script(name, part).encode())
    return folder / INDEX


def script(name: str, part: Any) -> str:
    """A part of the data as a script that leaves it in `lading.data`."""
    text = redact(json.dumps(without_secrets(part), separators=(",", ":"), ensure_ascii=False))
    for character, escape in ESCAPED.items():
        text = text.replace(character, escape)
    return f"(window.lading = window.lading || {{data: {{}}}}).data.{name} = {text};\n"


def _refuse_what_is_no_site(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder", hint="name another one with --out DIR")
    is_site = (folder / DATA / "project.js").exists()
    if not is_site and folder.is_dir() and any(folder.iterdir()):
        message = f"{folder} has files in it that are no site of lading"
        raise UserError(message, hint="name a new or an empty folder with --out DIR")


def _shipped() -> Iterator[tuple[PurePosixPath, bytes]]:
    """The page's own files and the libraries, by their names in the folder."""
    root = files("lading.site")
    yield from _below(root.joinpath("page"), PurePosixPath())
    yield from _below(root.joinpath("vendor"), PurePosixPath("vendor"))


def _below(folder: Traversable, name: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda one: one.name):
        if each.is_dir():
            yield from _below(each, name / each.name)
        else:
            yield name / each.name, each.read_bytes()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
