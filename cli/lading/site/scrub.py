"""What the site must not tell: secrets, and who people are where that is not wanted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lading.secrets import redact

# How an @ is written where it can't stand as it is: in addresses, and in identifiers for Port.
AT = r"(?:@|%40|=40)"
ADDRESS = re.compile(rf"[\w.!#$%&'*+/?^`{{|}}~-]+{AT}(?:[\w-]+\.)+[^\W\d_]{{2,}}")

Clean = Callable[[str], str]


def scrubbed(value: Any, clean: Clean) -> Any:
    """JSON values with each text, keys among them, as `clean` gives it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): scrubbed(each, clean) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(each, clean) for each in value]
    return value


def anonymous(value: Any, people: Iterable[tuple[str, str]]) -> Clean:
    """A way to write texts without anybody's address: each is `person-1`, `person-2`, … instead.

    `people` are addresses and names that are known, either may be ''; an address and a name that
    stand together are the same person's. Addresses that stand in `value` and are not known count
    as well.
    """
    known = [(_plain(address), name.casefold()) for address, name in people]
    found = {address for address, _ in known if address} | _unknown(value, known)
    numbers = {address: f"person-{n}" for n, address in enumerate(sorted(found), 1)}
    names = {name: numbers[address] for address, name in known if name and address}
    nameless = sorted({name for address, name in known if name and not address} - names.keys())
    names |= {name: f"person-{n}" for n, name in enumerate(nameless, len(numbers) + 1)}
    # As they stand in JSON, too, which samples are.
    names |= {json.dumps(name, ensure_ascii=False)[1:-1]: to for name, to in names.items()}
    return _Masking(numbers, names).clean


def _plain(address: str) -> str:
    return re.sub(AT, "@", address).casefold()


def _unknown(value: Any, known: Iterable[tuple[str, str]]) -> set[str]:
    """The addresses in texts that are left once those that are known are taken out."""
    masking = _Masking({address: "" for address, _ in known if address}, {})
    return {
        _plain(address)
        for text in _texts(value)
        if re.search(AT, text)
        for address in ADDRESS.findall(masking.clean(text))
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


class _Masking:
    """Puts what people are called here in the place of their addresses and names."""

    def __init__(self, addresses: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._addresses, self._names = addresses, names
        # An address may be a part of another, and of an identifier, in which more stands around it.
        self._known = _any_of(addresses, r"(?<![\w.+])", r"(?!\.?[^\W\d_])")
        self._called = _any_of(names, r"(?<!\w)", r"(?!\w)")

    def clean(self, text: str) -> str:
        if re.search(AT, text):
            if self._known is not None:
                text = self._known.sub(self._person, text)
            text = ADDRESS.sub(self._person, text)
        if self._called is not None:
            text = self._called.sub(lambda found: self._names[found[0].casefold()], text)
        return text

    def _person(self, found: re.Match[str]) -> str:
        return self._addresses.get(_plain(found[0]), found[0])


def _any_of(texts: Iterable[str], before: str, after: str) -> re.Pattern[str] | None:
    """Finds any of the texts, the longest first, an @ in it however it is written."""
    ordered = sorted(texts, key=len, reverse=True)
    choices = "|".join(AT.join(map(re.escape, each.split("@"))) for each in ordered)
    return re.compile(f"{before}(?:{choices}){after}", re.IGNORECASE) if choices else None


def without_secrets(value: Any) -> Any:
    """JSON values with every secret in them masked."""
    return scrubbed(value, redact)
