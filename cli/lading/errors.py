"""What can go wrong, as data.

The kinds decide what happens next: a `UserError` ends the command with exit code 2 before
anything is fetched or written, a `RetriableError` is tried again, everything else ends the
part of the work that it touches, and the command with exit code 1.

    LadingError
    ├── UserError                 what the user wrote: command line, files, environment
    ├── ServerError               what a server said
    │   ├── RetriableError        asking again may help
    │   │   ├── ThrottledError        429: too many requests
    │   │   ├── UnavailableError      408, 5xx, 529, broken connections
    │   │   └── GarbledError          a body that does not parse
    │   └── RefusedError          asking again gives the same answer
    │       ├── UnauthorizedError     401: the key
    │       ├── ForbiddenError        403: its rights
    │       ├── NotFoundError         404
    │       └── PageTooDenseError     400: fewer buckets a page would do
    ├── DatabaseError             what DuckDB said
    │   └── DatabaseBusyError     another process holds the file
    ├── MappingError              a mapping that met a record it can't carry
    └── Bug                       our own mistake
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file (relative to the project), a line and a column from 1."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [self.file, self.line, self.column if self.line is not None else None]
        return ":".join(str(part) for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: what, where, and what to do about it."""

    message: str
    place: Place | None = None
    hint: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{where}{self.message}{hint}"


class LadingError(Exception):
    """The root of everything that this package raises on purpose."""

    exit_code = 1

    def __init__(
        self, message: str, *, place: Place | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The error as findings; one, unless a kind collects several."""
        return (Problem(self.message, self.place, self.hint),)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UserError(LadingError):
    """The command line, a project file or the environment is wrong; nothing was done."""

    exit_code = 2

    def __init__(
        self,
        message: str = "",
        *,
        place: Place | None = None,
        hint: str | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        found = tuple(problems)
        super().__init__(message or (found[0].message if found else ""), place=place, hint=hint)
        self._problems = found

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems or (Problem(self.message, self.place, self.hint),)


class ServerError(LadingError):
    """A server answered with an error, or not at all."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.request_id = request_id


class RetriableError(ServerError):
    """Asking again may help; `retry_after` is the server's wish in seconds, if it had one."""

    retry_after: float | None = None


class ThrottledError(RetriableError):
    """Too many requests (429)."""


class UnavailableError(RetriableError):
    """Not reached, broken off, timed out, or failing on the server's side (408, 5xx, 529)."""


class GarbledError(RetriableError):
    """An answer that claims success and whose body does not parse."""


class RefusedError(ServerError):
    """The request as it stands is refused for good; `certain` unless an earlier try of it may have
    got through without an answer."""

    certain: bool = True


class UnauthorizedError(RefusedError):
    """The key or token is wrong (401)."""


class ForbiddenError(RefusedError):
    """The key is right and lacks the right to this (403)."""


class NotFoundError(RefusedError):
    """Nothing there, or nothing that this key may see (404)."""


class PageTooDenseError(RefusedError):
    """The page would hold too much; fewer buckets a page would do (400)."""


class DatabaseError(LadingError):
    """DuckDB refused a statement or a file."""


class DatabaseBusyError(DatabaseError):
    """Another process holds the database."""


class MappingError(LadingError):
    """A mapping could not be carried out on a record: time, memory, or a dead worker."""


class Bug(LadingError):
    """Something that can't happen happened."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of them when none is near."""
    # Imported here: most commands have nothing to say.
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}" if names else "none are known"
