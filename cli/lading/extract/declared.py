"""What `extracts:` in sources/*.yml asks for, beside what the mappings ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lading.errors import Problem
from lading.extract.plan import Asking, whole_list

if TYPE_CHECKING:
    from lading.project.documents import Document, KeyPath
    from lading.project.model import Project


def declared_askings(project: Project) -> tuple[tuple[Asking, ...], tuple[Problem, ...]]:
    """The askings of all files of sources, and what is wrong with them."""
    askings: list[Asking] = []
    problems: list[Problem] = []
    for document, at, connection, stream in _declared(project):
        place = document.place(*at)
        is_list = stream["iterate"] == "snapshot"
        if is_list != (stream["extracts"] == "all"):
            right = "all" if is_list else "[{start: '2026-01-01'}]"
            message = f"a {stream['iterate']} stream is not fetched like this"
            problems.append(Problem(message, place, f"write extracts: {right}"))
        elif is_list:
            askings.append(whole_list(stream["name"], str(place), place, connection))
        else:
            for which, extract in enumerate(stream["extracts"]):
                found = _asking(document, (*at, which), connection, stream, extract)
                if isinstance(found, Asking):
                    askings.append(found)
                else:
                    problems.append(found)
    return tuple(askings), tuple(problems)


def _asking(
    document: Document,
    at: KeyPath,
    connection: str,
    stream: Mapping[str, Any],
    extract: Mapping[str, Any],
) -> Asking | Problem:
    try:
        start = datetime.fromisoformat(extract["start"])
    except ValueError:
        return Problem(f"there is no date '{extract['start']}'", document.place(*at, "start"))
    place = document.place(*at)
    widths = stream.get("params", {}).get("bucket_width", ["1d"])
    return Asking(
        stream=stream["name"],
        width=extract.get("bucket_width", widths[0]),
        dimensions=frozenset(extract.get("group_by", ())),
        start=start if start.tzinfo else start.replace(tzinfo=UTC),
        by=str(place),
        place=place,
        connection=connection,
    )


def _declared(project: Project) -> Iterator[tuple[Document, KeyPath, str, Mapping[str, Any]]]:
    for document in project.sources:
        for number, source in enumerate(document.data["sources"]):
            for index, stream in enumerate(source.get("streams", ())):
                if "extracts" in stream:
                    at = ("sources", number, "streams", index, "extracts")
                    yield document, at, source.get("connection", ""), stream
