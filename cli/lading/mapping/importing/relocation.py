"""JQ that was written for one record, made to fit a row that has the same elsewhere.

Certain without running anything: either each path is given its new beginning, where all of them
surely start at the record, or the record is made of the row first, and the expression put behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lading.mapping.expressions import CLOSE, double_quoted
from lading.mapping.jq_tokens import tokens

# Of these alone, an expression is the same wherever it stands.
FIXED_KINDS = frozenset({"text", "number", "closing quote"})
FIXED_WORDS = frozenset({"true", "false", "null", "+", "(", ")"})
# All that an expression may be made of for its paths to be told by looking at one piece after the
# other. A word in it takes what is before the pipe that it stands behind, or is an operator.
PIECE = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>"(?:[^"\\]|\\[^(])*")
    | (?P<number>\d+(?:\.\d+)?(?![\w.]))
    | (?P<field>\.[A-Za-z_]\w*)
    | (?P<index>\[\s*(?:"(?:[^"\\]|\\[^(])*"|-?\d+|-?\d*\s*:\s*-?\d+|-?\d+\s*:)\s*\]|\?(?!//))
    | (?P<operator>(?:and|or)(?![\w:]))
    | (?P<constant>(?:true|false|null)(?![\w:]))
    | (?P<word>(?:length|not|tonumber|tostring|floor|round|abs|type|ascii_downcase|ascii_upcase)
        (?![\w:(]))
    | (?P<mark>//|[=!<>]=|[-+*/%<>|()])
    """,
    re.VERBOSE | re.ASCII,
)
GOES_ON = frozenset({"field", "index"})


@dataclass(frozen=True, slots=True)
class Relocation:
    """Where what an expression reads is now.

    Attributes:
        record: JQ that makes of a row the record that the expression was written for.
        prefix: the path in the row at which the record's members are, each with a dot behind it.
        renamed: those that are elsewhere in the row, by their names in the record.
    """

    record: str
    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)

    def moved(self, written: str) -> str:
        """The expression as it has to be for a row."""
        text = double_quoted(written)
        if _is_fixed(text):
            return written
        pieces = list(_pieces(text))
        if "".join(piece for _, piece in pieces) == text and _all_start_at_the_record(pieces):
            return "".join(self._moved(pieces))
        return f"{self.record} | ({text}{CLOSE if '#' in text else ')'}"

    def _moved(self, pieces: list[tuple[str, str]]) -> Iterator[str]:
        before = ""
        for kind, piece in pieces:
            name = piece[1:]
            if kind == "field" and not _continues(before):
                yield f".{self.renamed.get(name, self.prefix + name)}"
            else:
                yield piece
            before = ")" if piece == ")" else kind


def _is_fixed(text: str) -> bool:
    found = tokens(text)
    return bool(found) and all(
        each.kind in FIXED_KINDS or each.text in FIXED_WORDS for each in found
    )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while found := PIECE.match(text, at):
        yield str(found.lastgroup), found[0]
        at = found.end()


def _continues(before: str) -> bool:
    """Whether a field that comes after it belongs to the same path."""
    return before == ")" or before in GOES_ON


def _all_start_at_the_record(pieces: list[tuple[str, str]]) -> bool:
    """Whether no path starts at what a pipe gives, and no function is called on the record."""
    behind_pipe = [False]
    before = ""
    for kind, piece in pieces:
        if kind == "space":
            # jq takes `.a .b` for one path and `.a [0]` too: not looked into.
            before = "space" if _continues(before) else before
            continue
        starts_path = kind == "field" and not _continues(before)
        is_odd = kind in GOES_ON and before == "space"
        if is_odd or (starts_path and behind_pipe[-1]) or (kind == "word" and not behind_pipe[-1]):
            return False
        if kind == "index" and not _continues(before):
            return False
        if piece == "(":
            behind_pipe.append(behind_pipe[-1])
        elif piece == ")" and len(behind_pipe) > 1:
            behind_pipe.pop()
        elif piece == "|":
            behind_pipe[-1] = True
        before = ")" if piece == ")" else kind
    return True
