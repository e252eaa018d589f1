"""Where pages wait between their arrival and the database.

Each page's records are written as they came; once a request's last page is there, a note that
names them is put beside them in one step. Only what has a note is loaded: by the run that
fetched it, or by the next one if that run died. What has none is fetched again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lading import log


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that was answered in full: what it was, and the files that hold its records.

    Moments are `YYYY-MM-DDTHH:MM:SS` texts in UTC, `fetched_at` to the microsecond, so that what
    was fetched later is known to be. Slices that ended by `closes_at` are
    closed; `slice_seconds` is the length of one slice. A snapshot begins and ends at the moment
    that it is of, and its one slice lasts until another one is due. `left_out` are the starts of
    the buckets that were asked for and not in the answer; `organization` is empty if it is not
    known.
    """

    request_id: str
    run_id: str
    connection: str
    stream: str
    request: str
    reason: str
    starting_at: str
    ending_at: str
    slice_seconds: int
    closes_at: str
    asked_at: str
    fetched_at: str
    files: tuple[str, ...]
    records: int
    size: int
    retries: int
    largest: int
    left_out: tuple[str, ...]
    organization: str

    @property
    def is_list(self) -> bool:
        """Whether it is a snapshot: of a moment, not of a range."""
        return self.starting_at == self.ending_at


class Spool:
    """One run's folder for arrivals."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder = folder / f"pages-{run_id}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def write_page(self, name: str, records: Iterable[bytes]) -> str:
        """Keep a page's records, one after the other; gives the file's path."""
        path = self.folder / f"{name}.json"
        path.write_bytes(b"\n".join(records))
        return str(path)

    def arrived(self, arrival: Arrival) -> None:
        """Note that all pages are there: from now on they are to be loaded."""
        note = self.folder / f"{arrival.request_id}.note"
        draft = note.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(arrival)), "utf-8")
        draft.replace(note)

    def landed(self, arrivals: Iterable[Arrival]) -> None:
        """Forget what is in the database now: the note first, then the pages."""
        for arrival in arrivals:
            (self.folder / f"{arrival.request_id}.note").unlink(missing_ok=True)
            for file in arrival.files:
                Path(file).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder with whatever did not arrive in full."""
        if not any(self.folder.glob("*.note")):
            shutil.rmtree(self.folder, ignore_errors=True)


def is_anything_left(folder: Path) -> bool:
    """Whether runs that died left anything."""
    return any(folder.glob("pages-*"))


def left_behind(folder: Path) -> Iterator[tuple[Path, tuple[Arrival, ...]]]:
    """What runs that died had received in full: their folders, oldest first, and arrivals."""
    for pages in sorted(folder.glob("pages-*")):
        arrivals = []
        for note in sorted(pages.glob("*.note")):
            try:
                written = json.loads(note.read_text("utf-8"))
                # The project may have been moved, or may be named from elsewhere now.
                files = tuple(str(pages / Path(file).name) for file in written["files"])
                left_out = tuple(written["left_out"])
                arrivals.append(Arrival(**{**written, "files": files, "left_out": left_out}))
            except (ValueError, TypeError, KeyError):
                log.warning(
                    "spool", f"{note.name} of a run that did not end is torn; fetching it again"
                )
        yield pages, tuple(arrivals)
