"""The grammar of selection, which is dbt's: unions of intersections of terms.

    selection    = intersection { blank intersection }
    intersection = term { "," term }
    term         = [ "@" | [ number ] "+" ] [ method ":" ] value [ "+" [ number ] ]

https://docs.getdbt.com/reference/node-selection/syntax
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lading.errors import Problem
from lading.transform.nodes import Node

TERM = re.compile(
    r"(?P<closure>@)?"
    r"(?:(?P<up>[0-9]*)\+)?"
    r"(?:(?P<method>[A-Za-z_][A-Za-z0-9_.]*):)?"
    r"(?P<value>.*?)"
    r"(?:\+(?P<down>[0-9]*))?",
    re.DOTALL,
)
FILE_ENDINGS = (".sql", ".yml", ".yaml")
PLAIN_NAME = re.compile(r"\w[\w-]*")
# What has a meaning on the command line: '[+]' stands for a '+'; no bracket can hold a blank.
SPECIAL = re.compile(r"[*?\[+]")
SEPARATOR = re.compile(r"[\s,]")


@dataclass(frozen=True, slots=True)
class Term:
    """One term. `up` and `down` are how many steps to go to ancestors and to descendants, with
    `math.inf` for all; `closure` is `@`: all descendants, and all ancestors of those."""

    text: str
    method: str
    value: str
    up: float = 0
    down: float = 0
    closure: bool = False


Intersection = tuple[Term, ...]


def parse(selection: Iterable[str]) -> tuple[tuple[Intersection, ...], tuple[Problem, ...]]:
    """The intersections whose union is meant; with them, what is broken."""
    intersections: list[Intersection] = []
    problems: list[Problem] = []
    for text in (each for given in selection for each in given.split()):
        parts = text.split(",")
        if not all(parts):
            problems.append(Problem(f"'{text}' lacks a term beside a comma", hint="write 'a,b'"))
        read = [_term(part) for part in parts if part]
        problems.extend(each for each in read if isinstance(each, Problem))
        intersections.append(tuple(each for each in read if isinstance(each, Term)))
    return tuple(intersections), tuple(problems)


def _term(text: str) -> Term | Problem:
    match = TERM.fullmatch(text)
    if match is None or not match["value"]:
        return Problem(f"'{text}' lacks a name", hint=f"{text}name, for example")
    closure, up, down = match["closure"] is not None, match["up"], match["down"]
    method, value = match["method"] or _default_method(match["value"]), match["value"]
    plus = up is not None or down is not None
    if (closure and plus) or (not match["method"] and value.startswith("@")):
        hint = "'@' takes all descendants with all their ancestors"
        return Problem(f"'{text}': an '@' stands first and without any '+'", hint=hint)
    return Term(text, method, value, _steps(up), _steps(down), closure)


def _steps(digits: str | None) -> float:
    if digits is None:
        return 0
    return float(digits) if digits else math.inf


def _default_method(value: str) -> str:
    if "/" in value:
        return "path"
    return "file" if value.endswith(FILE_ENDINGS) else "fqn"


def term_of(node: Node) -> str:
    """The term `type:name` that means this node.

    A blank or a comma in the name becomes a '?', as nothing else can stand for it; any other
    character that the grammar uses is put in brackets.
    """
    name = SEPARATOR.sub("?", SPECIAL.sub(r"[\g<0>]", node.name))
    return f"{node.resource_type}:{name}"
