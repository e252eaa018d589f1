"""Wildcards: * for any characters, ? for one, [abc] for one of these."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import translate

Fits = Callable[[str], bool]
WILDCARDS = "*?["


def is_glob(value: str) -> bool:
    return any(wildcard in value for wildcard in WILDCARDS)


def word_fits(value: str) -> Fits:
    """Whether a word is the value, or matches it when that is a glob. A * matches dots, too."""
    import re

    if not is_glob(value):
        return value.__eq__
    match = re.compile(translate(value)).match
    return lambda word: match(word) is not None


def path_fits(value: str) -> Fits:
    """Whether a file is the one that a path means, or lies in a folder that it means.

    Within a path a * stays in its folder, and ** stands for any number of folders.
    """
    wanted = [part for part in value.split("/") if part not in ("", ".")]
    fits = [None if part == "**" else word_fits(part) for part in wanted]
    return lambda file: _leads_to(fits, file)


def _leads_to(fits: list[Fits | None], file: str) -> bool:
    """Go down the file's folders with all positions in the pattern that they may have led to."""
    positions = _with_skipped({0}, fits)
    for part in file.split("/"):
        if len(fits) in positions:
            return True
        positions = _with_skipped(_after(positions, fits, part), fits)
    return len(fits) in positions


def _after(positions: set[int], fits: list[Fits | None], part: str) -> set[int]:
    after = set()
    for position in positions:
        fit = fits[position]
        if fit is None:
            after.add(position)
        elif fit(part):
            after.add(position + 1)
    return after


def _with_skipped(positions: set[int], fits: list[Fits | None]) -> set[int]:
    """These positions, and those behind a ** that stands for no folder at all."""
    reached = set(positions)
    for position, fit in enumerate(fits):
        if fit is None and position in reached:
            reached.add(position + 1)
    return reached
