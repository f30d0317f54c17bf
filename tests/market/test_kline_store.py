"""Packed klines against a plain deque: the same values, whatever is done to both."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flashscalper.market.kline_store import KlineStore
from flashscalper.model.klines import Kline

LENGTH = 60_000_000
numbers = st.floats(allow_nan=False, allow_infinity=False)
klines = st.builds(
    Kline,
    st.just("ETHUSDT"),
    st.just("1m"),
    st.integers(-5, 10**8).map(lambda place: place * LENGTH),
    st.just(0),
    *[numbers] * 6,
    st.integers(0, 2**62),
    numbers,
    numbers,
    st.booleans(),
    st.booleans(),
).map(lambda kline: replace(kline, close_at=kline.open_at + LENGTH))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 5), st.lists(klines, min_size=1, max_size=14), klines, st.data())
def test_it_holds_what_a_deque_of_the_same_limit_holds(
    limit: int, taken: list[Kline], changed: Kline, data: st.DataObject
) -> None:
    store, plain = KlineStore("ETHUSDT", "1m", limit), deque[Kline](maxlen=limit)
    for kline in taken:
        store.append(kline)
        plain.append(kline)
        assert list(store) == list(plain)
    index = data.draw(st.integers(-len(plain), len(plain) - 1))
    store[index] = changed
    plain[index] = changed
    assert [store[place] for place in range(-len(store), len(store))] == [*plain, *plain]
    assert [store.open_at(place) for place in range(len(store))] == [kline.open_at for kline in plain]
    store.replace(taken)
    assert list(store) == taken[-limit:]


def test_an_index_beyond_what_is_held_is_refused() -> None:
    store = KlineStore("ETHUSDT", "1m", 3)
    with pytest.raises(IndexError):
        store[0]
    store.append(Kline("ETHUSDT", "1m", 0, LENGTH, 1.0, 1.0, 1.0, 1.0, 0.0))
    with pytest.raises(IndexError):
        store.open_at(1)


def test_klines_that_come_in_while_one_walks_do_not_disturb_the_walk() -> None:
    store = KlineStore("ETHUSDT", "1m", 2)
    for place in range(2):
        store.append(Kline("ETHUSDT", "1m", place * LENGTH, (place + 1) * LENGTH, 1.0, 1.0, 1.0, 1.0, 0.0))
    walk = iter(store)
    assert next(walk).open_at == 0
    store.append(Kline("ETHUSDT", "1m", 2 * LENGTH, 3 * LENGTH, 1.0, 1.0, 1.0, 1.0, 0.0))
    assert next(walk).open_at == LENGTH
