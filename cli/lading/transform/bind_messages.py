"""What DuckDB says of SQL that it can't bind, in fewer words."""

from __future__ import annotations

import re

from lading.errors import nearest

# The first line of DuckDB's message, and what is said instead. The last group is the name that
# the candidates are near to.
SAID = (
    (r'Referenced column "(.+?)" not found in FROM clause', "there is no column '{}'"),
    (r'Table "(.+?)" does not have a column named "(.+?)"', "'{}' has no column '{}'"),
    (r'Could not find key "(.+?)" in struct', "the struct has no field '{}'"),
    (r'Column "(.+?)" in (?:EXCLUDE|REPLACE) list not found.*', "there is no column '{}'"),
    (r'Referenced table "(.+?)" not found', "there is no table '{}' in FROM"),
    (r"(?:Scalar|Aggregate) Function with name (.+?) does not exist", "there is no function '{}'"),
    (r'Table with name "?(.+?)"? does not exist.*', "there is no table '{}'"),
    (r"Type with name (.+?) does not exist", "there is no type '{}'"),
    (
        r"No function matches the given name and argument types '(.+?)'.*",
        "no function takes {}",
    ),
    (
        r'Could not choose a best candidate function for the function call "(.+?)".*',
        "more than one function may be meant by {}",
    ),
)
CANDIDATES = re.compile(r"^\s*(?:Candidate (?!functions)[\w ]+:|Did you mean)")
QUOTED = re.compile(r'"([^"]+)"')
# Of `+` there are more than anyone reads.
FEW = 8


def taken_apart(message: str) -> tuple[str, str | None, bool]:
    """What is wrong, in short; what to do about it; and whether that is a name that is near."""
    first, *more = [line for line in message.splitlines() if line.strip()] or [""]
    said, name = _said(first.strip().rstrip("!."))
    candidates = [each for line in more if CANDIDATES.match(line) for each in QUOTED.findall(line)]
    if candidates:
        hint = _nearest(name, candidates)
        is_near = hint.startswith("did you mean")
        # DuckDB's nearest function is none at all where no name is near.
        return said, hint if is_near or "function" not in said else None, is_near
    functions = [line.strip() for line in more if line.startswith("\t") and "->" in line]
    if functions:
        return said, _takes(functions), False
    others = [line.strip() for line in more if not line.strip().startswith("Candidate")]
    return said, " ".join(others) or None, False


def _said(line: str) -> tuple[str, str]:
    for pattern, words in SAID:
        if found := re.fullmatch(pattern, line):
            return words.format(*found.groups()), found.groups()[-1]
    return line, ""


def _nearest(name: str, candidates: list[str]) -> str:
    """A hint. Tables may have their schema's name before their own."""
    own_names = {each.rpartition(".")[2]: each for each in reversed(candidates)}
    hint = nearest(name.rpartition(".")[2], own_names)
    for own_name, whole in own_names.items():
        if hint == f"did you mean '{own_name}'?":
            return f"did you mean '{whole}'?"
    return f"known: {', '.join(candidates)}"


def _takes(functions: list[str]) -> str:
    if len(functions) > FEW:
        return "cast what it is given to a type that it takes"
    return f"cast what it is given; it takes {', '.join(functions)}"
