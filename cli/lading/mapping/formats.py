"""Texts that are surely not of a format that a blueprint asks for.

Port's rules for its formats are not written down in full. So a text counts as good here unless
every reading of the format refuses it: what is in doubt is Port's to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

MOMENT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt\s]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)"
    r"(\.\d+)?([Zz]|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)
LINK = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
# The last day that every month has.
SURE_DAY = "28"


def _is_moment(text: str) -> bool:
    if MOMENT.fullmatch(text) is None:
        return False
    if text[8:10] <= SURE_DAY:
        return True
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _is_link(text: str) -> bool:
    return LINK.fullmatch(text) is not None


def _is_email(text: str) -> bool:
    return EMAIL.fullmatch(text) is not None


def _is_address(version: int) -> Callable[[str], bool]:
    def is_address(text: str) -> bool:
        from ipaddress import ip_address

        try:
            return ip_address(text).version == version
        except ValueError:
            return False

    return is_address


# The format's name in a blueprint: whether a text may be one, and what it is in words.
FORMATS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "date-time": (_is_moment, "a date and time (2026-01-31T00:00:00Z)"),
    "url": (_is_link, "an address with its scheme (https://…)"),
    "email": (_is_email, "an e-mail address"),
    "idn-email": (_is_email, "an e-mail address"),
    "user": (_is_email, "a user's e-mail address"),
    "ipv4": (_is_address(4), "an IPv4 address"),
    "ipv6": (_is_address(6), "an IPv6 address"),
}
