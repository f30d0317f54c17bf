"""Klines and trades for REST."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import DAY_US, INTERVALS_US, MINUTE_US
from flashscalper.model.klines import Kline
from flashscalper.model.orders import Side
from flashscalper.simulator.facts import PublicTrade
from flashscalper.simulator.tape import REST_INTERVALS, Tape
from tests.simulator.floor import SELL, START, TOY, Floor

DAY = START - START % DAY_US


def tape_of(trades: list[tuple[int, int, bool]]) -> Tape:
    """Trades as (seconds after the day's start, price, taker bought), one unit each."""
    tape = Tape(TOY, 1_000, 10_000)
    for number, (second, price, bought) in enumerate(trades, 1):
        side = Side.BUY if bought else Side.SELL
        tape.print(PublicTrade(TOY, number, side, Decimal(price), Decimal(1), DAY + second * 1_000_000))
    return tape


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 100), st.booleans()), min_size=1, max_size=40),
    st.sampled_from(REST_INTERVALS),
)
def test_klines_are_what_a_plain_loop_over_the_trades_says(trades: list[tuple[int, int, bool]], interval: str) -> None:
    trades = sorted(trades, key=lambda trade: trade[0])
    length = INTERVALS_US[interval] // 1_000_000
    end = trades[-1][0]
    klines = tape_of(trades).klines(interval, 0, DAY + end * 1_000_000, "last", DAY + end * 1_000_000)
    by_open: dict[int, list[tuple[int, int, bool]]] = {}
    for trade in trades:
        by_open.setdefault(trade[0] // length, []).append(trade)
    first, last = min(by_open), max(by_open)
    assert [kline.open_at for kline in klines] == [DAY + n * length * 1_000_000 for n in range(first, last + 1)]
    close = float(trades[0][1])
    for n, kline in zip(range(first, last + 1), klines, strict=True):
        prices = [float(price) for _, price, _ in by_open.get(n, [])] or [close]
        close = prices[-1]
        assert (kline.open, kline.high, kline.low, kline.close) == (prices[0], max(prices), min(prices), close)
        assert kline.trade_count == kline.volume == len(by_open.get(n, []))
        assert kline.taker_buy_volume == sum(bought for _, _, bought in by_open.get(n, []))
        assert kline.closed is (kline.close_at <= DAY + end * 1_000_000)


def test_unknown_resolutions_and_price_kinds_are_refused_with_what_is_accepted() -> None:
    tape = tape_of([(0, 1, True)])
    with pytest.raises(ConfigError, match="1m, 3m, 5m, 15m, 30m, 1h"):
        tape.klines("5s", 0, DAY, "last", DAY)
    with pytest.raises(ConfigError, match="last, mark, underlying"):
        tape.klines("1m", 0, DAY, "fair", DAY)


def test_history_continues_into_live_klines_of_every_price_kind() -> None:
    floor = Floor(marked=False)
    first = START - START % MINUTE_US - 2 * MINUTE_US
    past = [
        Kline(TOY, "1m", first + n * MINUTE_US, first + (n + 1) * MINUTE_US, 10.0, 12.0, 9.0, 11.0, 5.0, 55.0, 3)
        for n in range(2)
    ]
    floor.exchange.seed_history(TOY, past)
    floor.crowd(SELL, 1000, 1)
    floor.crowd(SELL.opposite, 1000, 1)
    floor.mark(1010, 1020)
    last = floor.exchange.klines(TOY, "1m", 0, floor.now)
    assert last[:2] == past
    assert (last[-1].open, last[-1].close, last[-1].closed) == (1000.0, 1000.0, False)
    mark = floor.exchange.klines(TOY, "1m", 0, floor.now, "mark")
    assert [kline.volume for kline in mark] == [0.0] * 3
    assert mark[-1].high == 1010.0
    assert floor.exchange.klines(TOY, "1m", 0, floor.now, "underlying")[-1].close == 1020.0
    assert floor.exchange.klines(TOY, "1m", floor.now, floor.now, "mark") == mark[-1:]


def test_trades_page_backwards_within_their_window() -> None:
    tape = tape_of([(n, 1, True) for n in range(10)])
    assert [trade.id for trade in tape.trades(None, None, 3, None)] == [10, 9, 8]
    assert [trade.id for trade in tape.trades(None, None, 3, 8)] == [7, 6, 5]
    assert [trade.id for trade in tape.trades(DAY + 2_000_000, DAY + 4_000_000, 9, None)] == [5, 4, 3]


def test_only_so_many_trades_and_klines_are_kept() -> None:
    tape = Tape(TOY, 5, 3)
    for n in range(10):
        tape.print(PublicTrade(TOY, n, Side.BUY, Decimal(1), Decimal(1), DAY + n * MINUTE_US))
    assert len(tape.trades(None, None, 100, None)) == 5
    assert len(tape.klines("1m", 0, DAY + DAY_US, "last", DAY + 9 * MINUTE_US)) == 3


def test_the_day_counts_24_hours() -> None:
    tape = Tape(TOY, 10, 5_000)
    assert tape.day(DAY) == (0.0, 0.0)
    for minute, price in ((0, 10), (1, 20), (1440, 30), (1441, 40)):
        tape.print(PublicTrade(TOY, minute, Side.BUY, Decimal(price), Decimal(1), DAY + minute * MINUTE_US))
    volume, change = tape.day(DAY + 1441 * MINUTE_US)
    assert volume == 20 + 30 + 40
    assert change == pytest.approx(40 / 20 - 1)
