"""What a line at the prompt may go on with, and whether a question is at its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lading.warehouse.catalog import Catalog, Relation

# Quoted text, comments, and what is left open at the end of either.
CLOSED = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|--[^\n]*\n|/\*.*?\*/""", re.DOTALL
)
OPEN = re.compile(r"""['"]|--|/\*|\$\w*\$""")
WORD = re.compile(r'[\w."]*\Z')
# A relation that a query names, and the other name that it may give to it.
NAMED = re.compile(r'\b(?:from|join)\s+([\w."]+)(?:\s+(?:as\s+)?(\w+))?', re.IGNORECASE)
AFTER_FROM = re.compile(r'\b(?:from|join|describe|summarize|table)\s+[\w."]*\Z', re.IGNORECASE)
# Fewer letters would have too many functions to go on with.
LEAST_OF_FUNCTION = 2


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may take the place of the last `replaces` characters, and what it is."""

    text: str
    replaces: int
    meta: str = ""


def is_whole(text: str) -> bool:
    """Whether a question is to be asked when Enter is pressed after it: nothing at all, a command,
    or SQL that ends with a semicolon or an empty line."""
    if not text.strip() or text.lstrip().startswith("."):
        return True
    bare = CLOSED.sub(" ", f"{text}\n")
    if OPEN.search(bare):
        return False
    return bare.rstrip().endswith(";") or not text.rpartition("\n")[2].strip()


def suggestions(
    before: str, after: str, catalog: Catalog, commands: Mapping[str, Sequence[str]]
) -> list[Suggestion]:
    """What the text before the cursor may go on with; `commands` have what each may be about."""
    if before.startswith("."):
        return list(_of_command(before, commands))
    bare = CLOSED.sub(lambda found: " " * len(found[0]), before)
    if OPEN.search(bare) and not bare.endswith('"'):
        return []
    found = WORD.search(before)
    word = found[0] if found else ""
    # What is being typed is no other name of anything yet.
    named = dict(_named(f"{before.removesuffix(word)} {after}", catalog))
    if "." in word:
        return list(_below(word, catalog, named))
    if AFTER_FROM.search(before):
        return list(_relations(word, catalog))
    return list(_anything(word, catalog, named)) if word else []


def _of_command(before: str, commands: Mapping[str, Sequence[str]]) -> Iterator[Suggestion]:
    command, space, rest = before.partition(" ")
    word = rest.rpartition(" ")[2] if space else command
    yield from _matching(word, commands[command] if space and command in commands else commands)


def _named(text: str, catalog: Catalog) -> Iterator[tuple[str, Relation]]:
    """The relations that a query names, by all names that it has for them, in small letters."""
    reserved = {word.casefold() for word in catalog.words}
    for name, alias in NAMED.findall(text):
        if (relation := catalog.found(name)) is not None:
            yield relation.name.casefold(), relation
            if alias and alias.casefold() not in reserved:
                yield alias.casefold(), relation


def _below(word: str, catalog: Catalog, named: dict[str, Relation]) -> Iterator[Suggestion]:
    """Columns of a relation or of another name for it, and relations of a schema."""
    owner, _, begun = word.rpartition(".")
    relation = named.get(owner.casefold()) or catalog.found(owner)
    if relation is not None:
        yield from _columns(begun, [relation])
    for each in catalog.relations.values():
        if each.schema.casefold() == owner.casefold() and _begins(each.name, begun):
            yield Suggestion(each.name, len(begun), each.kind)


def _relations(word: str, catalog: Catalog) -> Iterator[Suggestion]:
    for each in catalog.relations.values():
        if _begins(each.path, word) or (word and _begins(each.name, word)):
            yield Suggestion(each.path, len(word), each.kind)


def _anything(word: str, catalog: Catalog, named: dict[str, Relation]) -> Iterator[Suggestion]:
    yield from _columns(word, dict.fromkeys(named.values()))
    yield from _matching(word, (each for each in named if each not in catalog.relations), "name")
    # As it is written: small letters are gone on with in small ones.
    is_small = word.islower()
    yield from _matching(word, (w.lower() if is_small else w for w in catalog.words), "word")
    yield from _relations(word, catalog)
    if len(word) >= LEAST_OF_FUNCTION:
        yield from _matching(word, catalog.functions, "function")


def _columns(begun: str, relations: Iterable[Relation]) -> Iterator[Suggestion]:
    seen = set()
    for relation in relations:
        for name, kind in relation.columns:
            if name not in seen and _begins(name, begun):
                seen.add(name)
                yield Suggestion(name, len(begun), kind)


def _matching(word: str, names: Iterable[str], meta: str = "") -> Iterator[Suggestion]:
    return (Suggestion(each, len(word), meta) for each in names if _begins(each, word))


def _begins(name: str, begun: str) -> bool:
    return name.casefold().startswith(begun.replace('"', "").casefold())
