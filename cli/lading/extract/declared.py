"""What `extracts:` in sources/*.yml asks for, beside what the mappings ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lading.errors import Problem
from lading.extract.plan import Asking

if TYPE_CHECKING:
    from lading.project.documents import Document, KeyPath
    from lading.project.model import Project


def declared_askings(project: Project) -> tuple[tuple[Asking, ...], tuple[Problem, ...]]:
    """The askings of all files of sources, and what is wrong with their dates."""
    askings: list[Asking] = []
    problems: list[Problem] = []
    for document, at, connection, stream, extract in _declared(project):
        place = document.place(*at)
        try:
            start = datetime.fromisoformat(extract["start"])
        except ValueError:
            where = document.place(*at, "start")
            problems.append(Problem(f"there is no date '{extract['start']}'", where))
            continue
        widths = stream.get("params", {}).get("bucket_width", ["1d"])
        askings.append(
            Asking(
                stream=stream["name"],
                width=extract.get("bucket_width", widths[0]),
                dimensions=frozenset(extract.get("group_by", ())),
                start=start if start.tzinfo else start.replace(tzinfo=UTC),
                by=str(place),
                place=place,
                connection=connection,
            )
        )
    return tuple(askings), tuple(problems)


def _declared(
    project: Project,
) -> Iterator[tuple[Document, KeyPath, str, Mapping[str, Any], Mapping[str, Any]]]:
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            for index, stream in enumerate(source["streams"]):
                for which, extract in enumerate(stream.get("extracts", ())):
                    at = ("sources", number, "streams", index, "extracts", which)
                    yield document, at, source["connection"], stream, extract
