"""The fewest groupings that have all that is asked for. Pure, and of sets alone."""

from __future__ import annotations

from collections.abc import Sequence

Dimensions = frozenset[str]

# Beyond this many different groupings the fewest extracts are no longer searched for.
EXACT_UP_TO = 10


def fewest(wanted: set[Dimensions], most: int) -> tuple[Dimensions, ...]:
    """The fewest unions of at most `most` dimensions such that each wanted set is in one."""
    maximal = [each for each in wanted if not any(each < other for other in wanted)]
    ordered = sorted(maximal, key=lambda each: (-len(each), sorted(each)))
    if len(ordered) > EXACT_UP_TO:
        return tuple(_first_fit(ordered, most))
    best = _first_fit(ordered, most)

    def search(rest: Sequence[Dimensions], bins: list[Dimensions]) -> None:
        nonlocal best
        if len(bins) >= len(best):
            return
        if not rest:
            best = list(bins)
            return
        for index, each in enumerate(bins):
            if len(each | rest[0]) <= most:
                search(rest[1:], [*bins[:index], each | rest[0], *bins[index + 1 :]])
        search(rest[1:], [*bins, rest[0]])

    search(ordered, [])
    return tuple(best)


def _first_fit(ordered: Sequence[Dimensions], most: int) -> list[Dimensions]:
    bins: list[Dimensions] = []
    for each in ordered:
        for index, taken in enumerate(bins):
            if len(taken | each) <= most:
                bins[index] = taken | each
                break
        else:
            bins.append(each)
    return bins
