"""Records out of a JSON text: each keeps its own text, and with it every digit of its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import NoReturn

from lading.errors import Place, UserError

BLANKS = " \t\r\n"


def split_records(text: str, file: str) -> tuple[str, ...]:
    """The records of a file as JSON texts: the elements of a list, else each value.

    Values may stand on a line each, or over several.

    Raises:
        UserError: the text is no JSON, or there is nothing in it.
    """
    values = [text[start:end] for start, end in _values(text, file)]
    if not values:
        raise UserError(
            "there is no record in it",
            place=Place(file),
            hint="records are a JSON object, a list of them, or a line for each",
        )
    if len(values) == 1 and values[0].startswith("["):
        return tuple(_elements(values[0]))
    return tuple(values)


def _values(text: str, file: str) -> Iterator[tuple[int, int]]:
    at = _skip(text, 0)
    while at < len(text):
        try:
            _, end = _decoder().raw_decode(text, at)
        except json.JSONDecodeError as error:
            place = Place(file, error.lineno, error.colno)
            raise UserError(f"this is no JSON: {error.msg}", place=place) from error
        except (RecursionError, ValueError) as error:
            line = text.count("\n", 0, at) + 1
            said = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
            raise UserError(f"this is no JSON: {said}", place=Place(file, line)) from error
        yield at, end
        at = _skip(text, end)


def _elements(text: str) -> Iterator[str]:
    """The elements of a list that was read without an error before."""
    at = _skip(text, 1)
    while text[at] != "]":
        _, end = _decoder().raw_decode(text, at)
        yield text[at:end]
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


@cache
def _decoder() -> json.JSONDecoder:
    """Reads no number: whatever its size, its digits are wanted as they are."""
    return json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_refuse)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
