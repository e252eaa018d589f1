"""Two sets of rows, and a text that shows where they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

# A cell as text; None is NULL. Numbers have no zeros that only fill them up.
Row = tuple[str | None, ...]

EXPECTED, GIVEN, CHANGED = "-", "+", "~"
MOST_LINES = 40
# Beyond it, rows that belong together are not looked for: it takes the square of the time.
MOST_ROWS = 300
WIDEST = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A row that is expected and the row that stands for it; None where there is none."""

    expected: Row | None
    given: Row | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows are as expected, and those that are not."""

    same: int
    pairs: tuple[Pair, ...]
    is_order_alone: bool = False

    @property
    def summary(self) -> str:
        """The differences in one line."""
        if self.is_order_alone:
            return "the rows are the expected ones, in another order"
        counts = (
            (sum(pair.given is None for pair in self.pairs), "missing"),
            (sum(pair.expected is None for pair in self.pairs), "not expected"),
            (sum(None not in (pair.expected, pair.given) for pair in self.pairs), "different"),
        )
        told = [f"{_rows(count)} {what}" for count, what in counts if count]
        return f"{', '.join(told)}; {_rows(self.same)} as expected"


def compare(expected: Sequence[Row], given: Sequence[Row], *, ordered: bool = False) -> Comparison:
    """The rows that differ. Without `ordered` their order is no matter, but their number is."""
    if ordered:
        same, pairs = _in_order(expected, given)
    else:
        same, pairs = _in_any_order(expected, given)
    is_order_alone = bool(pairs) and Counter(expected) == Counter(given)
    return Comparison(same, tuple(pairs), is_order_alone)


def _in_order(expected: Sequence[Row], given: Sequence[Row]) -> tuple[int, list[Pair]]:
    same, pairs = 0, []
    matcher = SequenceMatcher(None, expected, given, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        left, right = list(expected[start:end]), list(given[other_start:other_end])
        if left == right:
            same += len(left)
            continue
        both = min(len(left), len(right))
        pairs += [Pair(one, other) for one, other in zip(left, right, strict=False)]
        pairs += [Pair(each, None) for each in left[both:]]
        pairs += [Pair(None, each) for each in right[both:]]
    return same, pairs


def _in_any_order(expected: Sequence[Row], given: Sequence[Row]) -> tuple[int, list[Pair]]:
    left, right = Counter(expected), Counter(given)
    missing = list((left - right).elements())
    surplus = list((right - left).elements())
    partners = _partners(missing, surplus)
    pairs = [
        Pair(row, surplus[partners[at]] if at in partners else None)
        for at, row in enumerate(missing)
    ]
    taken = set(partners.values())
    pairs += [Pair(None, row) for at, row in enumerate(surplus) if at not in taken]
    return (left & right).total(), pairs


def _partners(missing: Sequence[Row], surplus: Sequence[Row]) -> dict[int, int]:
    """Which row stands for which: those with the most equal cells first, if they have any. Where
    one row is left on each side, these two."""
    if len(missing) == len(surplus) == 1:
        return {0: 0}
    if max(len(missing), len(surplus)) > MOST_ROWS:
        return {}
    scores = [
        (-sum(one == other for one, other in zip(row, candidate, strict=True)), at, number)
        for at, row in enumerate(missing)
        for number, candidate in enumerate(surplus)
    ]
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for score, at, number in sorted(scores):
        if score < 0 and at not in partners and number not in taken:
            partners[at] = number
            taken.add(number)
    return partners


def diff_lines(columns: Sequence[str], comparison: Comparison) -> tuple[str, ...]:
    """The differences as a table: `-` a row that is expected and missing, `+` one that was not
    expected, `~` one that differs, with `expected -> given` in the cells that do."""
    marked = [_line(pair) for pair in comparison.pairs[:MOST_LINES]]
    table = [(" ", *columns), *marked]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns) + 1)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    if (left := len(comparison.pairs) - MOST_LINES) > 0:
        lines.append(f"… and {_rows(left)} more")
    return tuple(lines)


def _line(pair: Pair) -> tuple[str, ...]:
    if pair.given is None:
        return (EXPECTED, *(_shown(cell) for cell in pair.expected or ()))
    if pair.expected is None:
        return (GIVEN, *(_shown(cell) for cell in pair.given))
    cells = zip(pair.expected, pair.given, strict=True)
    return (CHANGED, *(_change(one, other) for one, other in cells))


def _change(expected: str | None, given: str | None) -> str:
    if expected == given:
        return _shown(expected)
    changes = list(_changes_within(_nested(expected), _nested(given), ""))
    return "; ".join(changes) or _both(expected, given)


def _both(expected: str | None, given: str | None) -> str:
    """Two cells that differ; of long ones, from a little before the place where they do."""
    if expected and given and max(len(expected), len(given)) > WIDEST:
        pairs = enumerate(zip(expected, given, strict=False))
        differing = next((at for at, (one, other) in pairs if one != other), len(expected))
        start = max(differing - WIDEST // 4, 0)
        if start:
            expected, given = f"…{expected[start:]}", f"…{given[start:]}"
    return f"{_shown(expected)} -> {_shown(given)}"


def _nested(cell: str | None) -> Any:
    """What a cell holds, if that is a list or an object; otherwise None."""
    if cell is None or cell[:1] not in {"[", "{"}:
        return None
    try:
        return json.loads(cell, parse_float=str, parse_int=str)
    except ValueError:
        return None


def _changes_within(expected: Any, given: Any, path: str) -> Iterator[str]:
    """Of two lists or two objects, the values that differ, each with its path."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for key in sorted(expected.keys() | given.keys()):
            inner = f"{path}.{key}" if path else key
            yield from _changes_within(expected.get(key), given.get(key), inner)
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for at, (one, other) in enumerate(zip(expected, given, strict=True)):
            yield from _changes_within(one, other, f"{path}[{at}]")
    elif path and expected != given:
        yield f"{path}: {_both(_text(expected), _text(given))}"


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _shown(cell: str | None) -> str:
    """A cell on one line; text that could be taken for something else stands in quotes."""
    if cell is None:
        return "null"
    if cell in {"", "null"} or cell != cell.strip() or not cell.isprintable():
        cell = json.dumps(cell, ensure_ascii=False)
    return cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…"


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
