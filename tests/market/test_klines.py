"""Klines equal what a bulk computation gives, whatever order the trades come in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flashscalper.market.folding import KlineColumns, fold_trades
from flashscalper.market.klines import KlineBuilder, KlineClosed, KlineRevised
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import HOUR_US, INTERVALS_US, SECOND_US, interval_us
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side
from tests.market.naive_klines import naive_klines
from tests.market.recorded import eth_trades

ALL = tuple(INTERVALS_US)
PRICES = ("open_at", "close_at", "open", "high", "low", "close", "trade_count")
VOLUMES = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")


def stream(builder: KlineBuilder, trades: tuple[Trade, ...] | list[Trade]) -> None:
    for trade in trades:
        builder.process_trade(trade)


def assert_equal(ours: list[Kline], expected: list[Kline], *, bits: bool) -> None:
    assert [[getattr(kline, name) for name in PRICES] for kline in ours] == [
        [getattr(kline, name) for name in PRICES] for kline in expected
    ]
    for name in VOLUMES:
        seen, wanted = [getattr(kline, name) for kline in ours], [getattr(kline, name) for kline in expected]
        assert seen == (wanted if bits else pytest.approx(wanted, rel=1e-12, abs=0.0))


# -- recorded trades ---------------------------------------------------------------------------------------------------


def polars_klines(interval: str) -> list[tuple[object, ...]]:
    """Klines with trades by polars alone: group by kline, in id order."""
    trades = eth_trades()
    frame = pl.DataFrame(
        {
            "id": [trade.id for trade in trades],
            "at": [trade.traded_at for trade in trades],
            "price": [trade.price for trade in trades],
            "size": [trade.size for trade in trades],
            "buy": [trade.side is Side.BUY for trade in trades],
        }
    ).sort("id")
    length = interval_us(interval)
    quote = pl.col("price") * pl.col("size")
    return (
        frame.group_by((pl.col("at") // length * length).alias("open_at"), maintain_order=True)
        .agg(
            (pl.col("at").first() // length * length + length).alias("close_at"),
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.len().alias("trade_count"),
            pl.col("size").sum().alias("volume"),
            quote.sum().alias("quote_volume"),
            pl.col("size").filter(pl.col("buy")).sum().alias("taker_buy_volume"),
            quote.filter(pl.col("buy")).sum().alias("taker_buy_quote_volume"),
        )
        .rows()
    )


@pytest.fixture(scope="module")
def recorded() -> KlineBuilder:
    """All intervals at once; the timer closes, as in a run."""
    builder = KlineBuilder("ETHUSDT", ALL, history=1_000, timer_only=True)
    for trade in eth_trades():
        builder.advance(trade.traded_at)
        builder.process_trade(trade)
    return builder


@pytest.mark.parametrize("interval", ALL)
def test_every_recorded_kline_equals_a_bulk_computation_by_polars(recorded: KlineBuilder, interval: str) -> None:
    klines = recorded.get_klines(interval, include_current=True)
    expected = polars_klines(interval)
    busy = [kline for kline in klines if kline.trade_count]
    assert [tuple(getattr(kline, name) for name in PRICES) for kline in busy] == [row[:7] for row in expected]
    for place, name in enumerate(VOLUMES, 7):
        assert [getattr(kline, name) for kline in busy] == pytest.approx([row[place] for row in expected], rel=1e-12)
    assert [kline.open_at for kline in klines] == list(range(klines[0].open_at, klines[-1].close_at, interval_us(interval)))
    assert sum(kline.trade_count for kline in klines) == 14_076


def columns_of(trades: tuple[Trade, ...] | list[Trade], intervals: tuple[str, ...]) -> dict[str, KlineColumns]:
    return fold_trades(
        intervals,
        traded_at=np.array([trade.traded_at for trade in trades]),
        prices=np.array([trade.price for trade in trades]),
        sizes=np.array([trade.size for trade in trades]),
        bought=np.array([trade.side is Side.BUY for trade in trades]),
    )


@pytest.mark.parametrize("interval", ALL)
def test_the_bulk_fold_of_the_recording_equals_streaming_bit_for_bit(recorded: KlineBuilder, interval: str) -> None:
    folded = columns_of(eth_trades(), ALL)[interval].klines("ETHUSDT", whole_since=eth_trades()[0].traded_at + 1)
    streamed = [replace(kline, closed=True) for kline in recorded.get_klines(interval, include_current=True)]
    assert streamed == folded


def test_one_interval_is_the_same_whoever_else_asks_for_what(recorded: KlineBuilder) -> None:
    for interval in ALL:
        alone = KlineBuilder("ETHUSDT", [interval], history=1_000)
        stream(alone, eth_trades())
        newest = eth_trades()[-1].traded_at
        alone.advance(newest)
        assert alone.get_klines(interval, include_current=True) == recorded.get_klines(interval, include_current=True)


# -- any order ---------------------------------------------------------------------------------------------------------


@dataclass
class Arrivals:
    """Trades by id, the order in which they come (some twice), and after how many of them the clock is told."""

    trades: list[Trade]
    order: list[int]
    ticks: set[int]


@st.composite
def arrivals(draw: st.DrawFn, furthest: int) -> Arrivals:
    """`furthest`: by how many places a trade may come too late or too early."""
    gaps = draw(st.lists(st.integers(-200_000, 1_500_000), min_size=1, max_size=60))
    at, trades = 10 * HOUR_US, []
    for number, gap in enumerate(gaps):
        at = max(10 * HOUR_US, at + gap)  # stamps may go back a little from one id to the next
        price = draw(st.integers(90, 110)) / 10
        size = draw(st.integers(1, 1_000)) / 1_000
        side = Side.BUY if draw(st.booleans()) else Side.SELL
        trades.append(Trade("ETHUSDT", 10**27 + 7 * number, side, price, size, at))
    moves = draw(st.lists(st.integers(0, furthest), min_size=len(trades), max_size=len(trades)))
    order = sorted(range(len(trades)), key=lambda place: place + moves[place])
    for repeated in draw(st.lists(st.integers(0, len(trades) - 1), max_size=8)):
        order.insert(draw(st.integers(0, len(order))), repeated)
    return Arrivals(trades, order, draw(st.sets(st.integers(0, len(order)), max_size=6)))


@settings(max_examples=60, deadline=None)
@given(arrivals(furthest=20))
def test_reordered_and_repeated_trades_give_the_klines_of_id_order_bit_for_bit(case: Arrivals) -> None:
    builder = KlineBuilder("ETHUSDT", ["1s", "5s", "1m", "3m"], started_at=0, timer_only=True)
    for place in case.order:
        builder.process_trade(case.trades[place])
    until = max(trade.traded_at for trade in case.trades) + 200 * SECOND_US
    builder.advance(until)
    for interval in ("1s", "5s", "1m", "3m"):
        expected = naive_klines(case.trades, interval, until - 250_000)
        assert_equal(builder.get_klines(interval), expected[-100:], bits=True)
    assert builder.repeated_count == len(case.order) - len(case.trades)
    assert builder.late_count == 0


@settings(max_examples=60, deadline=None)
@given(arrivals(furthest=60), st.integers(0, 5), st.booleans())
def test_late_trades_correct_what_has_closed_and_nothing_is_counted_twice(case: Arrivals, reorder: int, look: bool) -> None:
    builder = KlineBuilder("ETHUSDT", ["1s", "5s", "1m"], started_at=0, timer_only=True, reorder=reorder)
    told: dict[tuple[str, int], Kline] = {}
    clock = 0

    def tell(now: int) -> None:
        for event in builder.advance(now):
            if isinstance(event, KlineClosed):
                key = (event.kline.interval, event.kline.open_at)
                assert key not in told, "a kline closes once"
                told[key] = event.kline
            else:
                key = (event.after.interval, event.after.open_at)
                assert told[key] == event.before
                told[key] = event.after

    for number, place in enumerate(case.order):
        if number in case.ticks:
            tell(clock)
        builder.process_trade(case.trades[place])
        clock = max(clock, case.trades[place].traded_at)
        if look:
            builder.get_klines("5s", include_current=True)
    until = clock + 61 * SECOND_US
    tell(until)
    for interval in ("1s", "5s", "1m"):
        expected = naive_klines(case.trades, interval, until - 250_000)[-100:]
        begun_at = builder.get_klines(interval)[0].open_at
        if expected[0].open_at < begun_at:  # trades of before the first price, told after klines began to close
            assert builder.ignored_count > 0
            expected = [kline for kline in expected if kline.open_at >= begun_at]
        remembered = [kline for kline in builder.get_klines(interval) if kline.open_at >= expected[0].open_at]
        within = remembered[-16:]  # trade ids are remembered for so many
        assert_equal(within, expected[-16:], bits=False)
        assert [kline.high for kline in remembered] == [kline.high for kline in expected]
        assert [kline.trade_count for kline in remembered] == [kline.trade_count for kline in expected]
        assert remembered == [told[interval, kline.open_at] for kline in remembered]


@settings(max_examples=60, deadline=None)
@given(arrivals(furthest=0))
def test_the_bulk_fold_equals_streaming_bit_for_bit(case: Arrivals) -> None:
    intervals = ("1s", "15s", "1m", "5m")
    builder = KlineBuilder("ETHUSDT", intervals, history=1_000, started_at=0, timer_only=True)
    stream(builder, case.trades)
    for interval, columns in columns_of(case.trades, intervals).items():
        streamed = [replace(kline, closed=True) for kline in builder.get_klines(interval, include_current=True)]
        assert streamed == columns.klines("ETHUSDT", whole_since=0)


def test_the_bulk_fold_refuses_columns_that_do_not_fit() -> None:
    one, none = np.array([1.0]), np.array([], dtype=np.int64)
    with pytest.raises(ConfigError, match="sizes: saw '0 rows'"):
        fold_trades(["1m"], traded_at=np.array([1]), prices=one, sizes=one[:0], bought=np.array([True]))
    with pytest.raises(ConfigError, match="traded_at"):
        fold_trades(["1m"], traded_at=none, prices=one[:0], sizes=one[:0], bought=np.array([], dtype=bool))
    with pytest.raises(ConfigError, match="accepted: 1s, 5s"):
        fold_trades(["7m"], traded_at=np.array([1]), prices=one, sizes=one, bought=np.array([True]))


def test_a_revision_tells_before_and_after() -> None:
    builder = KlineBuilder("ETHUSDT", ["1s"], started_at=0)
    stream(builder, [Trade("ETHUSDT", 5, Side.BUY, 100.0, 1.0, 10_100_000)])
    (closed,) = builder.advance(11_250_000)
    builder.process_trade(Trade("ETHUSDT", 4, Side.SELL, 101.0, 2.0, 10_050_000))
    (revised,) = builder.advance(12_250_000)[:1]
    assert isinstance(closed, KlineClosed)
    assert isinstance(revised, KlineRevised)
    assert revised.before == closed.kline
    assert (revised.after.open, revised.after.high, revised.after.close) == (101.0, 101.0, 100.0)
    assert (revised.after.volume, revised.after.trade_count, revised.after.taker_buy_volume) == (3.0, 2, 1.0)
    assert builder.get_klines("1s")[0] == revised.after
