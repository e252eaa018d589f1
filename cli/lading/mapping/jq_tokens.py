"""The tokens of a JQ expression."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    | (?P<field>\.[A-Za-z_]\w*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<format>@\w+)
    | (?P<variable>\$[A-Za-z_]\w*(?:::\w+)*)
    | (?P<word>[A-Za-z_]\w*(?:::\w+)*)
    | (?P<quote>")
    | (?P<mark>\?//|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.\[\]{}()|,:;=<>+\-*/%?])
    """,
    re.VERBOSE | re.ASCII,
)
_PIECE = re.compile(r'[^"\\]+|\\[^(]', re.DOTALL)
CLOSING_QUOTE = "closing quote"


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is field, number, format, variable, word, mark or text. Between a text and its closing
    quote are the expressions within it, each in parentheses."""

    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    """The tokens of a text, up to the first character that begins none."""
    found: list[Token] = []
    _read(text, 0, found, is_within_text=False)
    return found


def _read(text: str, at: int, found: list[Token], *, is_within_text: bool) -> int:
    """Tokens up to the end, or to the parenthesis that closes an expression within a text."""
    depth = 0
    while token := _TOKEN.match(text, at):
        if is_within_text and token[0] == ")" and depth == 0:
            break
        depth += (token[0] == "(") - (token[0] == ")")
        at = token.end()
        if token["quote"]:
            at = _text(text, at, found)
        elif not token["space"]:
            found.append(Token(str(token.lastgroup), token[0]))
    return at


def _text(text: str, at: int, found: list[Token]) -> int:
    """A text up to behind its closing quote."""
    pieces: list[str] = []
    within: list[Token] = []
    while text[at : at + 1] != '"':
        if text.startswith("\\(", at):
            within.append(Token("mark", "("))
            at = _read(text, at + 2, within, is_within_text=True)
            if text[at : at + 1] != ")":
                return len(text)
            within.append(Token("mark", ")"))
            at += 1
        elif piece := _PIECE.match(text, at):
            pieces.append(piece[0])
            at = piece.end()
        else:
            return len(text)
    found.extend((Token("text", _unescaped("".join(pieces))), *within, Token(CLOSING_QUOTE, "")))
    return at + 1


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
