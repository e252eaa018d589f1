"""Bulks as large as Port takes, and no larger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lading.port.batches import as_body, body_size, cut, is_too_large

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Item:
    text: str
    blueprint: str = "usage"

    @property
    def size(self) -> int:
        return len(self.text.encode())


def of_size(size: int) -> Item:
    return Item('"' + "x" * (size - 2) + '"')


def bulks(items: list[Item]) -> list[tuple[Item, ...]]:
    return list(cut(items, lambda item: item.blueprint))


def largest_alone() -> Item:
    return of_size(MEBIBYTE - len('{"entities":[]}'))


@given(st.lists(st.tuples(st.integers(2, 400_000), st.sampled_from("abc"))))
def test_bulks_hold_all_in_order_and_none_is_over_a_limit(sizes: list[tuple[int, str]]) -> None:
    items = [Item(of_size(size).text, name) for size, name in sizes]
    found = bulks(items)
    assert [item for bulk in found for item in bulk] == items
    for bulk in found:
        body = as_body([item.text for item in bulk])
        assert len(body) == body_size(bulk) <= MEBIBYTE
        assert 1 <= len(bulk) <= 20
        assert len({item.blueprint for item in bulk}) == 1
    for bulk, following in pairwise(found):
        more = [*bulk, following[0]]
        fits = len(as_body([item.text for item in more])) <= MEBIBYTE and len(more) <= 20
        assert not fits or following[0].blueprint != bulk[0].blueprint


def test_twenty_are_a_bulk() -> None:
    assert [len(bulk) for bulk in bulks([of_size(10)] * 41)] == [20, 20, 1]


def test_bytes_are_counted_to_the_last_one() -> None:
    first = of_size(500_000)
    second = of_size(MEBIBYTE - len('{"entities":[,]}') - 500_000)
    assert [len(bulk) for bulk in bulks([first, second])] == [2]
    assert len(as_body([first.text, second.text])) == MEBIBYTE
    assert [len(bulk) for bulk in bulks([first, of_size(second.size + 1)])] == [1, 1]


def test_what_no_request_can_carry_stands_alone_and_says_so() -> None:
    largest = largest_alone()
    found = bulks([of_size(10), largest, of_size(largest.size + 1), of_size(10)])
    assert [len(bulk) for bulk in found] == [1, 1, 1, 1]
    assert [is_too_large(bulk) for bulk in found] == [False, False, True, False]


def test_characters_count_as_the_bytes_that_they_take() -> None:
    wide = Item('"' + "é" * (MEBIBYTE // 4) + '"')
    assert [len(bulk) for bulk in bulks([wide, wide])] == [1, 1]


def test_a_body_is_what_port_reads() -> None:
    assert json.loads(as_body(['{"identifier":"é"}', b"2"])) == {
        "entities": [{"identifier": "é"}, 2]
    }
