"""Section 17.4 of the original's checklist: the kline builder. One test for each of its boxes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from flashscalper.market.klines import KlineBuilder, KlineClosed
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import INTERVALS_US, MINUTE_US, SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import Side

NOON = 1_700_049_600_000_000
ORIGINAL_INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "1d")


def trade(number: int, second: float, price: float, size: float = 1.0, symbol: str = "ETHUSDT") -> Trade:
    side = Side.BUY if number % 2 else Side.SELL
    return Trade(symbol, number, side, price, size, NOON + round(second * SECOND_US))


def minute_of_trades(builder: KlineBuilder) -> None:
    for number, (second, price) in enumerate([(1, 100.0), (20, 103.0), (40, 98.0), (59, 101.0), (61, 102.0)], 1):
        builder.process_trade(trade(number, second, price))


def test_aggregates_trades_to_klines() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    for one in (trade(1, 1, 100.0), trade(4, 59, 101.0), trade(2, 20, 103.0), trade(3, 40, 98.0), trade(3, 40, 98.0)):
        builder.process_trade(one)  # reordered, and one of them twice
    builder.process_trade(trade(5, 61, 102.0))
    (kline,) = builder.get_klines("1m")
    assert (kline.open, kline.high, kline.low, kline.close) == (100.0, 103.0, 98.0, 101.0)
    assert (kline.volume, kline.trade_count) == (4.0, 4)


def test_timeframes() -> None:
    builder = KlineBuilder("ETHUSDT", list(INTERVALS_US), started_at=NOON)
    assert set(ORIGINAL_INTERVALS) < set(builder.intervals)
    minute_of_trades(builder)
    builder.advance(NOON + 2 * 86_400 * SECOND_US)
    for interval in builder.intervals:
        assert builder.get_klines(interval)[-1].close == 102.0
    with pytest.raises(ConfigError, match="interval: saw '6m'"):
        KlineBuilder("ETHUSDT", ["6m"])


def test_configurable_history() -> None:
    for history in (1, 100, 250):
        builder = KlineBuilder("ETHUSDT", ["1s"], history)
        for second in range(300):
            builder.process_trade(trade(second + 1, second, 100.0))
        assert builder.get_kline_count("1s") == min(history, 298)


def test_binance_compatible_output() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    minute_of_trades(builder)
    (kline,) = builder.get_klines("1m")
    assert builder.to_binance(kline) == [
        1_700_049_600_000, "100", "103", "98", "101", "4", 1_700_049_659_999, "402", 4, "2", "198", "0",
    ]  # fmt: skip


def test_per_market_management() -> None:
    builders = {symbol: KlineBuilder(symbol, ["1m"]) for symbol in ("ETHUSDT", "BTCUSDT")}
    for symbol, price in (("ETHUSDT", 100.0), ("BTCUSDT", 40_000.0)):
        builders[symbol].process_trade(trade(1, 1, price, symbol=symbol))
    prices = {symbol: builder.get_current_kline("1m") for symbol, builder in builders.items()}
    assert {symbol: kline.close for symbol, kline in prices.items() if kline} == {"ETHUSDT": 100.0, "BTCUSDT": 40_000.0}


def test_real_time_updates() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    builder.process_trade(trade(1, 1, 100.0))
    assert builder.next_close_at() == NOON + MINUTE_US + 250_000
    events = builder.advance(NOON + 3 * MINUTE_US + 250_000)  # no trade came: the clock closes, quiet minutes are flat
    assert [(event.kline.close, event.kline.trade_count) for event in events if isinstance(event, KlineClosed)] == [
        (100.0, 1),
        (100.0, 0),
        (100.0, 0),
    ]


def test_process_trade() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"], started_at=NOON)
    minute_of_trades(builder)
    builder.advance(NOON + MINUTE_US + 250_000)
    builder.process_trade(trade(0, 0.5, 99.0))  # late, for a closed kline: history is corrected, the live kline is not
    builder.advance(NOON + 2 * MINUTE_US + 250_000)
    assert [(kline.open, kline.trade_count) for kline in builder.get_klines("1m")] == [(99.0, 5), (102.0, 1)]


def test_get_klines() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    minute_of_trades(builder)
    assert [kline.closed for kline in builder.get_klines("1m")] == [True]
    assert [kline.closed for kline in builder.get_klines("1m", include_current=True)] == [True, False]


def test_get_current_kline() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    assert builder.get_current_kline("1m") is None
    minute_of_trades(builder)
    current = builder.get_current_kline("1m")
    assert current is not None
    with pytest.raises(AttributeError):
        current.close = 1.0  # type: ignore[misc]
    builder.process_trade(trade(6, 62, 50.0))
    assert current.close == 102.0


def test_has_enough_data() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    minute_of_trades(builder)
    assert builder.has_enough_data("1m", 1)
    assert not builder.has_enough_data("1m", 2)


def test_get_kline_count() -> None:
    builder = KlineBuilder("ETHUSDT", ["1m"])
    builder.process_trade(trade(1, 1, 100.0))
    assert builder.get_kline_count("1m") == 0
    builder.process_trade(trade(2, 61, 100.0))
    assert builder.get_kline_count("1m") == 1


def test_history_seed() -> None:
    builder = KlineBuilder("ETHUSDT", ["5m"])
    length = INTERVALS_US["5m"]
    opens = [NOON - step * length for step in range(50, 0, -1)]
    builder.seed("5m", [Kline("ETHUSDT", "5m", at, at + length, 100.0, 101.0, 99.0, 100.0, 5.0) for at in opens])
    assert builder.has_enough_data("5m", 50)  # ready at once, not after four hours
    builder.process_trade(trade(1, 1, 104.0))
    builder.advance(NOON + length + 250_000)
    assert builder.has_enough_data("5m", 51)
    assert [kline.close for kline in builder.get_klines("5m")[-2:]] == [100.0, 104.0]


def test_memory_per_market_with_100_klines() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        builder = KlineBuilder("ETHUSDT", ["5m"], 100)
        for number in range(1, 2_000):
            builder.process_trade(trade(number, 20 * number, 100.0 + number % 7))
        gc.collect()
        assert builder.get_kline_count("5m") == 100
        assert tracemalloc.get_traced_memory()[0] - before < 1_000_000
    finally:
        tracemalloc.stop()
