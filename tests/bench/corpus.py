"""100,000 Claude Code records, as pages of the report and as one file of records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lading.sandbox.organisation import Organisation

PAGES = 100
RECORDS_OF_A_PAGE = 1000
FIRST_DAY = date(2026, 1, 1)
# So many that each working day has a page full of records.
DEVELOPERS = 1000


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the records are: `pages` has a response body of each day, named by the day."""

    pages: Path
    file: Path
    records: int
    size: int

    def days(self) -> list[tuple[date, Path]]:
        """Each page's day and file, in order."""
        return [(date.fromisoformat(each.stem), each) for each in sorted(self.pages.iterdir())]


def open_corpus(folder: Path) -> Corpus:
    """A corpus that `make_corpus` made."""
    file = folder / "records.ndjson"
    return Corpus(folder / "pages", file, PAGES * RECORDS_OF_A_PAGE, file.stat().st_size)


def make_corpus(folder: Path) -> Corpus:
    """Invent the records: a page of each of the first days that have enough of them."""
    (folder / "pages").mkdir()
    with (folder / "records.ndjson").open("wb") as file:
        for day, records in _full_pages():
            body = b'{"data":[' + b",".join(records) + b'],"has_more":false,"next_page":null}'
            (folder / "pages" / f"{day}.json").write_bytes(body)
            file.write(b"\n".join(records) + b"\n")
    return open_corpus(folder)


def _full_pages() -> Iterator[tuple[date, list[bytes]]]:
    organisation = Organisation(first_day=FIRST_DAY, workspaces=20, models=6, developers=DEVELOPERS)
    day, made = FIRST_DAY, 0
    while made < PAGES:
        if day.weekday() < 5:
            records = organisation.code_records(day)[:RECORDS_OF_A_PAGE]
            if len(records) == RECORDS_OF_A_PAGE:
                yield day, [json.dumps(each, separators=(",", ":")).encode() for each in records]
                made += 1
        day += timedelta(days=1)
