"""The synthetic market: deterministic, bounded, never crossed, lively enough to trade on."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import cache
from itertools import pairwise
from random import Random
from statistics import median

import pytest

from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import MINUTE_US
from flashscalper.model.klines import Kline
from flashscalper.model.orders import Side
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import PublicTrade, TradePrinted
from flashscalper.simulator.feeds.base import FlowCancel, FlowOrder, IndexMoved
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import DEFAULT_MARKETS, choose_markets
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.floor import SECOND, START, toy_market

SYMBOLS = ("BTCUSDT", "SOLUSDT", "ADAUSDT")
RUN_S = 150


class Run:
    """A stretch of three synthetic markets, watched after every event."""

    def __init__(self, seed: int, seconds: int = RUN_S) -> None:
        feed = SyntheticFeed(choose_markets(SYMBOLS), Random(seed), START)
        self.exchange = exchange = Exchange.for_feed(feed, ExchangeRules(), START)
        self.events: Counter[type] = Counter()
        self.trades: list[PublicTrade] = []
        self.spreads: dict[str, list[float]] = {symbol: [] for symbol in SYMBOLS}
        self.levels: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
        self.crossed = 0
        digest = hashlib.sha256()
        while (at := feed.next_at() or 0) <= START + seconds * SECOND:
            event = feed.pop(exchange)
            exchange.feed(event, at)
            facts = exchange.drain()
            digest.update(repr((at, event, facts)).encode())
            self.events[type(event)] += 1
            self.trades += [fact.trade for fact in facts if isinstance(fact, TradePrinted)]
            self._look(event.symbol, opened=at > START)
        self.digest = digest.hexdigest()

    def _look(self, symbol: str, *, opened: bool) -> None:
        bid, ask = self.exchange.touch(symbol)
        if opened and bid is not None and ask is not None:
            self.crossed += bid >= ask
            self.spreads[symbol].append((ask / bid - 1) * 1e4)
        if opened:
            self.levels[symbol].append(min(self.exchange.level_count(symbol, side) for side in Side))

    def closes(self, symbol: str, seconds: int) -> list[float]:
        by_open = {
            trade.traded_at // (seconds * SECOND): float(trade.price) for trade in self.trades if trade.symbol == symbol
        }
        return [by_open[key] for key in sorted(by_open)]


@cache
def run(seed: int) -> Run:
    return Run(seed)


def test_the_same_seed_gives_the_same_facts_and_another_seed_others() -> None:
    assert Run(1, 20).digest == Run(1, 20).digest != Run(2, 20).digest


def test_books_are_never_crossed_and_positions_sum_to_zero() -> None:
    assert run(1).crossed == 0
    assert all(run(1).exchange.conserved(symbol) == 0 for symbol in SYMBOLS)


def test_books_stay_deep_and_bounded() -> None:
    for symbol in SYMBOLS:
        assert median(run(1).levels[symbol]) >= 15
        assert max(run(1).levels[symbol]) <= 60
        assert sum(levels < 5 for levels in run(1).levels[symbol]) <= 0.01 * len(run(1).levels[symbol])


def test_spreads_are_realistic_and_differ_by_market() -> None:
    spreads = {symbol: median(run(1).spreads[symbol]) for symbol in SYMBOLS}
    assert 0.1 < spreads["BTCUSDT"] < 0.8
    assert spreads["BTCUSDT"] < spreads["SOLUSDT"] < spreads["ADAUSDT"] < 3.0


def test_every_kind_of_flow_happens_at_a_realistic_rate() -> None:
    seconds = RUN_S * len(SYMBOLS)
    events = run(1).events
    assert 3 < (events[FlowOrder] + events[FlowCancel]) / seconds < 12
    assert events[IndexMoved] == pytest.approx(2 * seconds, rel=0.02)
    assert 0.8 < len(run(1).trades) / seconds < 6
    sides = Counter(trade.side for trade in run(1).trades)
    assert min(sides.values()) > 0.1 * len(run(1).trades)


def test_trades_grow_in_id_and_time() -> None:
    trades = run(1).trades
    assert [trade.id for trade in trades] == sorted({trade.id for trade in trades})
    assert [trade.traded_at for trade in trades] == sorted(trade.traded_at for trade in trades)


def test_volatility_clusters_and_volume_comes_with_movement() -> None:
    moves, volumes = [], []
    for seed in (1, 2, 3):
        trades: dict[int, list[PublicTrade]] = {}
        for trade in run(seed).trades:
            if trade.symbol == "SOLUSDT":
                trades.setdefault(trade.traded_at // (5 * SECOND), []).append(trade)
        for inside in trades.values():
            moves.append(abs(float(inside[-1].price / inside[0].price) - 1) * 1e4)
            volumes.append(float(sum(trade.size * trade.price for trade in inside)))
    assert 0.5 < median(moves) < 6.0
    quiet, wild = median(moves), sorted(moves)[int(0.9 * len(moves))]
    assert wild > 2 * quiet
    busy = [volume for move, volume in zip(moves, volumes, strict=True) if move >= wild]
    calm = [volume for move, volume in zip(moves, volumes, strict=True) if move <= quiet]
    assert median(busy) > 1.5 * median(calm)


def test_history_is_a_day_of_contiguous_klines_that_meets_the_live_price() -> None:
    exchange = run(1).exchange
    for symbol in SYMBOLS:
        klines: list[Kline] = exchange.klines(symbol, "1m", 0, START + MINUTE_US)
        past = [kline for kline in klines if kline.close_at <= START]
        assert len(past) == 1440
        assert past[-1].close_at == START
        assert all(later.open_at == earlier.close_at for earlier, later in pairwise(klines))
        assert all(later.open == earlier.close for earlier, later in pairwise(past))
        assert all(kline.low <= min(kline.open, kline.close) <= max(kline.open, kline.close) <= kline.high for kline in past)
        assert all(kline.volume > 0 for kline in past)
        assert abs(klines[1440].open / past[-1].close - 1) < 0.002
        ratio = median(kline.quote_volume for kline in klines[1440:1441]) / median(k.quote_volume for k in past)
        assert 0.1 < ratio < 10


def test_only_known_markets_are_made() -> None:
    with pytest.raises(ConfigError, match="BTC, ETH, SOL, XRP, ADA, AVAX, LINK"):
        SyntheticFeed([toy_market()], Random(1), START)
    with pytest.raises(ConfigError, match="BTCUSDT, ETHUSDT"):
        choose_markets(["DOGEUSDT"])
    assert [market.symbol for market in choose_markets(["ETHUSDT", "BTCUSDT", "ETHUSDT"])] == ["ETHUSDT", "BTCUSDT"]


def test_the_default_markets_are_seven_with_the_published_fees() -> None:
    assert [market.market for market in DEFAULT_MARKETS] == [
        f"{base}-USD-PERP" for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "AVAX", "LINK")
    ]
    assert {(str(market.maker_fee), str(market.taker_fee)) for market in DEFAULT_MARKETS} == {("0.00003", "0.00045")}
    assert {market.retail_taker_fee for market in DEFAULT_MARKETS} == {0}
