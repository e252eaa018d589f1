"""Cutting entities into bulk requests. Pure.

Facts: Port's API reference: 1 to 20 entities a bulk, 1 to 100 a deletion, 1 MiB a request body.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

LARGEST_BULK = 20
LARGEST_DELETION = 100
LARGEST_BODY = 1_048_576

_HEAD, _BETWEEN, _TAIL = b'{"entities":[', b",", b"]}"
LARGEST_ENTITY = LARGEST_BODY - len(_HEAD) - len(_TAIL)


class Sized(Protocol):
    """Something with an entity's JSON text of `size` bytes."""

    @property
    def size(self) -> int: ...


E = TypeVar("E", bound=Sized)


def as_body(entities: Sequence[bytes | str]) -> bytes:
    """The request body that carries the entities' texts as they are."""
    texts = (each.encode() if isinstance(each, str) else each for each in entities)
    return _HEAD + _BETWEEN.join(texts) + _TAIL


def body_size(entities: Iterable[Sized]) -> int:
    """How many bytes `as_body` of them has."""
    sizes = [each.size for each in entities]
    return len(_HEAD) + sum(sizes) + len(_BETWEEN) * (len(sizes) - 1) + len(_TAIL)


def cut(
    entities: Iterable[E], key: Callable[[E], Hashable], most: int = LARGEST_BULK
) -> Iterator[tuple[E, ...]]:
    """Bulks of at most `most` neighbours with the same key, each as large as Port takes.

    An entity that is too large for any request comes as a bulk of its own: `is_too_large`.
    """
    bulk: list[E] = []
    size = 0
    for entity in entities:
        grown = size + len(_BETWEEN) + entity.size
        full = len(bulk) == most or grown > LARGEST_BODY
        if bulk and (full or key(entity) != key(bulk[0])):
            yield tuple(bulk)
            bulk = []
        bulk.append(entity)
        size = body_size(bulk) if len(bulk) == 1 else grown
    if bulk:
        yield tuple(bulk)


def is_too_large(bulk: Sequence[Sized]) -> bool:
    """Whether Port would refuse it for its size alone."""
    return body_size(bulk) > LARGEST_BODY


def too_large(size: int) -> str | None:
    """Why Port would refuse an entity of so many bytes, if it would for that alone."""
    if size <= LARGEST_ENTITY:
        return None
    return (
        f"its JSON has {size:,} bytes, and Port takes at most {LARGEST_BODY:,} in a request: map "
        "less into it"
    )
