"""JQ expressions as a mapping file has them: their text, and what is wrong with it.

Nothing here runs an expression. Even compiling one happens in a worker process, because JQ folds
constants while it compiles: `"x" * 1000000000` takes its gigabyte then and there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.mapping.workers import Workers

KeyPath = tuple[str | int, ...]

SHUT = (
    "input",
    "inputs",
    "input_line_number",
    "halt",
    "halt_error",
    "halt_error($status)",
    "modulemeta",
    "get_search_list",
    "get_jq_origin",
    "get_prog_origin",
)

# What every expression sees instead of JQ's ways out of it: no environment, no other rows, no
# files, no end of the program. Expressions stand inside parentheses below this, where JQ's grammar
# has no `import` and no `include`.
CONFINED = "\n".join(
    (
        "def env: {};",
        *(
            f'def {name}: error("{re.sub("[(].*", "", name)} can\'t be used in a mapping");'
            for name in SHUT
        ),
        "def debug: .;",
        "def debug(message): (message | empty), .;",
        "def stderr: .;",
        "{} as $ENV |",
    )
)
CONFINED_LINES = CONFINED.count("\n") + 1

# Two newlines end any comment: JQ lets a comment go on over one that follows a backslash.
CLOSE = "\n\n)"

# JQ refuses a function that compiles to more than 64 KiB.
TOGETHER = 200

# One of these opens or closes a text in an expression, as Port's integrations see it.
SINGLE_QUOTE = re.compile(r"""(?<!\S)'(?![\s"])|(?<![\s"])'(?!\S)""")

_STRING = r'"(?:[^"\\]|\\[^(])*"'
_WORDS = (
    "and or not if then elif else end null true false length tonumber tostring tojson type keys"
    " add floor round abs trim ltrim rtrim sort reverse ascii_downcase ascii_upcase"
    " startswith endswith split join test has contains ltrimstr rtrimstr gsub sub"
)
# Pieces of which every combination that compiles gives exactly one value or an error. There is no
# comma, `[]`, `?`, `..` or variable among them, and no function that may give nothing.
ONE_VALUE = re.compile(
    rf"""(?: \s++ | {_STRING} | \d+(?:\.\d+)?(?![\w.])
    | \.[A-Za-z_]\w* | \.(?![.\w"])
    | \[\s*(?:{_STRING}|-?\d+|-?\d*\s*:\s*-?\d+|-?\d+\s*:)\s*\]
    | (?:{"|".join(_WORDS.split())})(?![\w:])
    | // | [=!<>]= | [-+*/%<>|();] )*+""",
    re.VERBOSE | re.ASCII,
)
CONSTANT = re.compile(rf"\s*({_STRING})\s*")

# The places that jq names are lines and columns of the text that it compiled.
WHERE = re.compile(r" at <top-level>(?:, line (\d+))?(?:, column (\d+))?:?")


@dataclass(frozen=True, slots=True)
class Expression:
    """One JQ expression: `path` names it in messages (`properties.amount`), `text` is what is
    compiled, `at` leads to it in its document."""

    path: str
    text: str
    at: KeyPath


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text does not compile; `offset` is the character that jq points at, if it is one."""

    message: str
    offset: int | None = None

    def __str__(self) -> str:
        return self.message


def expression(path: str, written: object, at: KeyPath) -> Expression:
    """The expression that a value of a mapping file stands for.

    As in Port's integrations, a number or truth value of YAML counts as its text (`true` as
    `True`, which is no JQ), and single quotes around a text become double quotes.
    """
    return Expression(path, double_quoted(str(written)), at)


def double_quoted(text: str) -> str:
    """The text with the single quotes that open or close a word made double quotes.

    `'a' == .b` is rewritten; `.a + ' - '` and `.['k']` are not, and do not compile.
    """
    return SINGLE_QUOTE.sub('"', text)


def gives_one_value(text: str) -> bool:
    """Whether the expression surely gives one value or an error, never none or several.

    Spares the fused program a guard for each such expression, which is half of its time.
    """
    return ONE_VALUE.fullmatch(text) is not None


def constant(text: str) -> str | None:
    """The text that the expression always gives, if it is a plain quoted text."""
    import json

    found = CONSTANT.fullmatch(text)
    if found is None:
        return None
    try:
        return str(json.loads(found[1]))
    except ValueError:
        return None


def faults(texts: Iterable[str], workers: Workers) -> dict[str, Fault]:
    """What is wrong with each text that does not compile alone, in jq's words.

    Raises:
        MappingError: no worker process could be started.
    """
    found = {text: fault for text in dict.fromkeys(texts) if (fault := _unreadable(text))}
    readable = [text for text in dict.fromkeys(texts) if text not in found]
    for start in range(0, len(readable), TOGETHER):
        group = readable[start : start + TOGETHER]
        if workers.compile([_all_of(group)]) != [""]:
            found.update(_each_of(group, workers))
    return found


def _unreadable(text: str) -> Fault | None:
    for offset, char in enumerate(text):
        if char == "\0" or "\ud800" <= char <= "\udfff":
            return Fault("has a character that JQ can't read", offset)
    return None


def _all_of(texts: Sequence[str]) -> str:
    """A program that compiles only if each text alone does.

    Each stands once in parentheses and once in brackets: a text with a closing mark too many
    could fit the one, never both.
    """
    functions = (
        f"def lading_{number}: ({text}{CLOSE}, [{text}\n\n];" for number, text in enumerate(texts)
    )
    calls = ", ".join(f"lading_{number}" for number in range(len(texts)))
    return "\n".join((CONFINED, *functions, calls))


def _each_of(texts: Sequence[str], workers: Workers) -> Iterable[tuple[str, Fault]]:
    for text, said in zip(texts, workers.compile([alone(text) for text in texts]), strict=True):
        if said:
            yield text, _in_words(said, text)


def alone(text: str) -> str:
    """The program of one expression by itself."""
    return f"{CONFINED}\n{text}"


def _in_words(said: str, text: str) -> Fault:
    first = said.strip().splitlines()[0].removeprefix("jq: error: ")
    where = WHERE.search(first)
    words = WHERE.sub("", first).strip()
    if "Top-level program not given" in words or not text.strip():
        return Fault("there is no expression")
    if where is None or where[1] is None:
        return Fault(words)
    if "unexpected end of file" in words:
        return Fault(f"{words} (at the end of the expression)")
    return _pointed_at(words, text, int(where[1]) - CONFINED_LINES, int(where[2] or 1))


def _pointed_at(words: str, text: str, line: int, column: int) -> Fault:
    """With where in the expression; jq counts columns in bytes and points behind the end, too."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return Fault(f"{words} (at the end of the expression)")
    before = lines[line - 1].encode()[: column - 1].decode(errors="ignore")
    rest = lines[line - 1][len(before) :]
    at_line = f"line {line}, " if len(lines) > 1 else ""
    near = f", at `{rest[:30]}`" if rest.strip() else ""
    offset = sum(len(each) + 1 for each in lines[: line - 1]) + len(before)
    return Fault(
        f"{words} ({at_line}column {len(before) + 1} of the expression{near})",
        offset if near else None,
    )
