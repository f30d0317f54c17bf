"""The order book against its plain twin, and its rules one by one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.market.book import BookVerdict, OrderBook
from flashscalper.model.events import BookChange
from flashscalper.model.orders import Side
from tests.market.naive_book import NaiveBook
from tests.shared import shared_data

Levels = tuple[tuple[float, float], ...]


def change(seq_no: int, bids: Levels = (), asks: Levels = (), *, snapshot: bool = False) -> BookChange:
    return BookChange("ETHUSDT", seq_no, snapshot, bids, asks, seq_no * 1_000)


def synced_book() -> OrderBook:
    book = OrderBook("ETHUSDT")
    book.apply(change(10, ((99.0, 1.0), (100.0, 2.0), (98.0, 4.0)), ((102.0, 3.0), (101.0, 6.0)), snapshot=True))
    return book


def assert_same(book: OrderBook, naive: NaiveBook, depth: int = 1_000) -> None:
    bids, asks = naive.best_first()
    assert book.best_bid == (bids[0][0] if bids else None)
    assert book.best_ask == (asks[0][0] if asks else None)
    assert book.best_bid_size == (bids[0][1] if bids else 0.0)
    assert book.best_ask_size == (asks[0][1] if asks else 0.0)
    assert book.levels(Side.BUY, depth) == bids[:depth]
    assert book.levels(Side.SELL, depth) == asks[:depth]
    assert book.seq_no == naive.seq_no


prices = st.integers(90, 110).map(float)
levels = st.lists(st.tuples(prices, st.sampled_from([0.0, 0.0, 1.0, 2.5])), max_size=12).map(tuple)
changes = st.builds(
    BookChange,
    symbol=st.just("ETHUSDT"),
    seq_no=st.integers(1, 60),
    snapshot=st.integers(0, 9).map(lambda number: number == 0),
    bids=levels,
    asks=levels,
    changed_at=st.integers(0, 10**15),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(changes, max_size=30), st.booleans())
def test_any_sequence_of_changes_gives_the_same_book_as_sorting_everything(sequence: list[BookChange], look: bool) -> None:
    book, naive = OrderBook("ETHUSDT"), NaiveBook()
    for one in sequence:
        assert book.apply(one) == naive.apply(one)
        assert book.best_bid == max(naive.bids, default=None)
        assert book.best_ask == min(naive.asks, default=None)
        if look:  # reading depth puts prices in order, which must not change anything later
            assert_same(book, naive)
    assert_same(book, naive)


def recorded_changes() -> Iterator[BookChange]:
    with gzip.open(shared_data("ethusdt_perp_20240808.jsonl.gz"), "rt") as lines:
        for line in lines:
            if '@depth@0ms"' not in line[:70]:
                continue
            data = json.loads(line.split(" ", 1)[1])["data"]
            bids, asks = (tuple((float(price), float(size)) for price, size in data[side]) for side in "ba")
            yield BookChange("ETHUSDT", data["u"], False, bids, asks, data["T"] * 1_000)


def test_the_recorded_depth_stream_gives_the_same_book_as_sorting_everything() -> None:
    book, naive = OrderBook("ETHUSDT", max_levels=10_000), NaiveBook()
    start = change(1, snapshot=True)
    assert book.apply(start) == naive.apply(start)
    for number, one in enumerate(islice(recorded_changes(), 1_500)):
        assert book.apply(one) == naive.apply(one)
        if number % 100 == 0:
            assert_same(book, naive)
    assert book.seq_no > 1
    assert_same(book, naive, depth=5_000)


def test_a_snapshot_replaces_everything() -> None:
    book = synced_book()
    assert book.apply(change(11, ((90.0, 1.0),), ((91.0, 1.0),), snapshot=True)) is BookVerdict.APPLIED
    assert book.levels(Side.BUY, 9) == [(90.0, 1.0)]
    assert book.levels(Side.SELL, 9) == [(91.0, 1.0)]


def test_a_snapshot_with_a_lower_sequence_number_is_taken_because_the_exchange_counts_anew() -> None:
    book = synced_book()
    assert book.apply(change(1, ((90.0, 1.0),), ((91.0, 1.0),), snapshot=True)) is BookVerdict.APPLIED
    assert book.seq_no == 1


@pytest.mark.parametrize("seq_no", [9, 10])
def test_a_repeated_or_older_delta_is_stale_and_changes_nothing(seq_no: int) -> None:
    book = synced_book()
    assert book.apply(change(seq_no, ((100.0, 0.0),))) is BookVerdict.STALE
    assert book.best_bid == 100.0
    assert book.changed_at == 10_000


def test_a_delta_before_any_snapshot_is_unsynced() -> None:
    book = OrderBook("ETHUSDT")
    assert book.apply(change(5, ((100.0, 1.0),))) is BookVerdict.UNSYNCED
    assert book.best_bid is None
    assert not book.is_synced


def test_a_cleared_book_ignores_deltas_until_the_next_snapshot() -> None:
    book = synced_book()
    book.clear()
    assert book.best_bid is None
    assert book.apply(change(11, ((100.0, 1.0),))) is BookVerdict.UNSYNCED
    assert book.apply(change(3, ((100.0, 1.0),), snapshot=True)) is BookVerdict.APPLIED


def test_a_book_whose_bid_reaches_its_ask_is_crossed() -> None:
    book = synced_book()
    assert book.apply(change(11, ((101.0, 1.0),))) is BookVerdict.CROSSED
    assert book.is_crossed
    assert book.spread == 0.0
    assert book.apply(change(12, ((101.0, 0.0),))) is BookVerdict.APPLIED
    assert not book.is_crossed


def test_one_empty_side_is_not_crossed_and_has_no_mid() -> None:
    book = OrderBook("ETHUSDT")
    assert book.apply(change(1, ((100.0, 1.0),), snapshot=True)) is BookVerdict.APPLIED
    assert book.best_ask is None
    assert book.best_ask_size == 0.0
    assert (book.mid, book.spread, book.microprice, book.imbalance(5)) == (None, None, None, None)


def test_mid_spread_microprice_and_imbalance_of_a_known_book() -> None:
    book = synced_book()
    assert book.mid == 100.5
    assert book.spread == 1.0
    assert book.microprice == pytest.approx((100.0 * 6.0 + 101.0 * 2.0) / 8.0)
    assert book.imbalance(1) == pytest.approx((2.0 - 6.0) / 8.0)
    assert book.imbalance(2) == pytest.approx((3.0 - 9.0) / 12.0)
    assert book.size_at(Side.BUY, 98.0) == 4.0
    assert book.size_at(Side.SELL, 98.0) == 0.0


def test_a_side_never_holds_more_than_twice_its_bound_and_keeps_the_nearest() -> None:
    book = OrderBook("ETHUSDT", max_levels=10)
    book.apply(change(1, snapshot=True))
    for step in range(1, 200):
        book.apply(change(1 + step, ((1_000.0 + step, 1.0),), ((9_000.0 - step, 1.0),)))
        assert len(book.levels(Side.BUY, 1_000)) <= 20
        assert len(book.levels(Side.SELL, 1_000)) <= 20
        assert book.best_bid == 1_000.0 + step
        assert book.best_ask == 9_000.0 - step
    assert book.levels(Side.BUY, 3) == [(1_199.0, 1.0), (1_198.0, 1.0), (1_197.0, 1.0)]
    assert book.levels(Side.SELL, 2) == [(8_801.0, 1.0), (8_802.0, 1.0)]


def test_a_price_that_runs_far_away_leaves_no_deleted_levels_behind() -> None:
    book = OrderBook("ETHUSDT", max_levels=50)
    book.apply(change(1, ((5_000.0, 1.0),), ((6_000.0, 1.0),), snapshot=True))
    for step in range(1, 500):
        book.apply(change(2 * step, ((5_000.0 + step, 1.0),)))
        book.apply(change(2 * step + 1, ((5_000.0 + step, 0.0),)))
    assert book.best_bid == 5_000.0
    assert book.levels(Side.BUY, 1_000) == [(5_000.0, 1.0)]
