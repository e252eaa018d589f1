"""Fetches the libraries of the site anew, by the versions in vendor.json, and checks what came.

`--pin` writes down the digests of what came instead: after a change of a version.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "cli" / "lading" / "site" / "vendor"


def main() -> None:
    manifest = FOLDER / "vendor.json"
    written = json.loads(manifest.read_text("utf-8"))
    with TemporaryDirectory() as folder:
        for library in written["libraries"]:
            archive = fetched(library, Path(folder))
            for file in library["files"]:
                take(archive, file, pins="--pin" in sys.argv[1:])
    manifest.write_text(json.dumps(written, indent=2) + "\n", "utf-8")


def fetched(library: dict[str, Any], folder: Path) -> Path:
    """The package as npm gives it."""
    wanted = f"{library['name']}@{library['version']}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), wanted]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return folder / said.split()[-1]


def take(archive: Path, file: dict[str, str], *, pins: bool) -> None:
    """Put one file of a package into the folder, if it is the one that is pinned."""
    with tarfile.open(archive) as package:
        member = package.extractfile(f"package/{file['from']}")
        content = member.read() if member else b""
    digest = hashlib.sha256(content).hexdigest()
    if pins:
        file["sha256"] = digest
    elif digest != file["sha256"]:
        sys.exit(f"{file['file']} has the digest {digest}, and not the one in vendor.json")
    (FOLDER / file["file"]).write_bytes(content)


if __name__ == "__main__":
    main()
