"""What was worked out of files that have not changed since, kept in `target/`.

An entry is found by a digest of all that it was made from, this package's own code included. So
nothing in it is ever out of date; what no longer fits is not found, and is dropped once the file
has been written anew a number of times. A file that is damaged, or can't be written, costs time
and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from lading.secrets import redact

T = TypeVar("T")
FILE = "cache.msgpack"
# How often the file is written before an entry that nobody asked for is dropped.
OLDEST = 20
SEAL_SIZE = 32
# Enough to know the folder before the file is read as YAML.
TARGET_PATH = re.compile(r"""^target-path:\s*["']?([^"'#\n]+)""", re.MULTILINE)
# What the entries come from beside this package's code.
PACKAGES = ("duckdb", "jinja2", "jq", "jsonschema", "sqlglot", "yaml")


class Cache:
    """Entries by section and key, read once and written once."""

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self._path = folder / FILE
        self._writes = writes
        self._found: dict[str, tuple[int, Any]] | None = None
        self._used: dict[str, Any] = {}
        self._is_new = False

    def get(self, section: str, key: str, kind: type[T]) -> T | None:
        """What was kept, in this run or before, or None."""
        import msgspec

        name = f"{section}:{key}"
        found = self._used.get(name) or self._entries().get(name, (0, None))[1]
        if found is None:
            return None
        try:
            value = msgspec.msgpack.decode(found, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        self._used[name] = found
        return value

    def put(self, section: str, key: str, value: Any) -> None:
        """Keep something for the next run."""
        import msgspec

        with suppress(OverflowError):  # a whole number beyond 64 bits is worked out each time
            self._used[f"{section}:{key}"] = msgspec.Raw(msgspec.msgpack.encode(value))
            self._is_new = True

    def save(self) -> None:
        """Write what was used or is new. An entry with a secret in it is never written."""
        if not self._is_new or not self._writes:
            return
        import msgspec

        kept = {
            name: (age + 1, raw) for name, (age, raw) in self._entries().items() if age < OLDEST
        }
        kept |= {name: (0, raw) for name, raw in self._used.items()}
        # What was no secret when it was kept may be one now.
        kept = {name: each for name, each in kept.items() if _is_harmless(bytes(each[1]))}
        self._is_new = False
        beside = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            content = msgspec.msgpack.encode({"by": _code(), "entries": kept})
            beside.write_bytes(_seal(content) + content)
            beside.replace(self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _entries(self) -> dict[str, tuple[int, Any]]:
        if self._found is None:
            self._found = self._read()
        return self._found

    def _read(self) -> dict[str, tuple[int, Any]]:
        import msgspec

        try:
            file = self._path.read_bytes()
            seal, content = file[:SEAL_SIZE], file[SEAL_SIZE:]
            if seal != _seal(content):
                return {}
            written = msgspec.msgpack.decode(content, type=dict[str, msgspec.Raw])
            if msgspec.msgpack.decode(written["by"], type=str) != _code():
                return {}
            kind = dict[str, tuple[int, msgspec.Raw]]
            return msgspec.msgpack.decode(written["entries"], type=kind)
        except (OSError, KeyError, msgspec.DecodeError, msgspec.ValidationError):
            return {}


def open_cache(root: Path, *, writes: bool = True) -> Cache:
    """The cache of the project at `root`, in the folder that its project.yml names for what is
    made of it. Unless it `writes`, the file is left as it is."""
    try:
        found = TARGET_PATH.search((root / "project.yml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        found = None
    return Cache(root / (found[1].strip() if found else "target"), writes=writes)


def entry_key(*parts: object) -> str:
    """A digest of what an entry is made from; the parts' reprs must tell them apart."""
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _seal(content: bytes) -> bytes:
    """What tells content that was damaged from what was written."""
    return sha256(content).digest()


def _is_harmless(raw: bytes) -> bool:
    text = raw.decode("utf-8", "ignore")
    return redact(text) == text


@cache
def _code() -> str:
    """A digest of this package's own files, and of the packages that it reads files with, as far
    as names, sizes and times tell."""
    from importlib.util import find_spec

    root = Path(__file__).parents[1]
    # Their versions, which say it better, take fifty times as long to find out.
    found = [spec.origin for name in PACKAGES if (spec := find_spec(name)) and spec.origin]
    return entry_key(sorted(_stamps(root)), [_stamp(Path(each)) for each in found])


def _stamps(folder: Path) -> Iterable[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and entry.name != "__pycache__":
                yield from _stamps(Path(entry.path))
            elif entry.name.endswith((".py", ".json")):
                yield _stamp(entry)


def _stamp(file: os.DirEntry[str] | Path) -> tuple[str, int, int]:
    found = file.stat()
    return os.fspath(file), found.st_size, found.st_mtime_ns
