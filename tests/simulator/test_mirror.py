"""Another exchange's public data as a feed: translated exactly, shown, and never more than was heard."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote, BookChange, ExchangeStatus, MarkPrice, TradeHistory
from flashscalper.model.klines import Trade
from flashscalper.model.orders import OrderType, Side
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import FundingTicked, NewOrder, SimOrder, TradePrinted
from flashscalper.simulator.feeds.mirror import QUEUED, MirrorEvent, MirrorFeed
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.paradex_server.bench import MARKETS

NOW = 1_767_225_600_000_000
BTC = "BTCUSDT"
SECOND = 1_000_000


class Mirrored:
    """An exchange that repeats what it is told."""

    def __init__(self) -> None:
        self.feed = MirrorFeed(MARKETS[:1], {})
        self.exchange = Exchange.for_feed(self.feed, ExchangeRules(), NOW)
        self.exchange.open_account("0x1", Decimal(100_000), NOW)
        self.now = NOW

    def hear(self, *events: MirrorEvent) -> None:
        for event in events:
            self.feed.take(event, self.now)
        while self.feed.next_at() is not None:
            self.exchange.feed(self.feed.pop(self.exchange), self.now)

    def open(self) -> None:
        self.hear(
            BookChange(BTC, 1, True, ((64_999.9, 1.0), (64_999.0, 3.0)), ((65_000.1, 1.0), (65_001.0, 2.0)), self.now),
            BestQuote(BTC, 64_999.9, 1.0, 65_000.1, 1.0, self.now, 1),
            MarkPrice(BTC, 65_010.0, 65_005.0, 0.0002, self.now, None, 12.5),
        )

    def buy(self, price: str, size: str) -> SimOrder:
        order = NewOrder(
            symbol=BTC, side=Side.BUY, type=OrderType.LIMIT, size=Decimal(size), price=Decimal(price), signed_at=self.now
        )
        placed = self.exchange.place("0x1", order, self.now)
        assert isinstance(placed, SimOrder), placed
        return placed

    def filled(self) -> Decimal:
        return sum((fill.size for fill in self.exchange.fills("0x1")), Decimal(0))


def trade(id_: int, price: float, size: float, side: Side = Side.SELL) -> Trade:
    return Trade(BTC, id_, side, price, size, NOW)


def test_it_is_complete_when_every_market_has_a_quote_and_a_mark() -> None:
    mirrored = Mirrored()
    seen = [mirrored.feed.complete]
    mirrored.hear(BestQuote(BTC, 1.0, 1.0, 2.0, 1.0, NOW))
    seen.append(mirrored.feed.complete)
    mirrored.hear(MarkPrice(BTC, 1.5, 1.5, 0.0, NOW))
    seen.append(mirrored.feed.complete)
    assert seen == [False, False, True]


def test_marks_funding_and_book_are_the_other_exchanges_not_made_from_its_quotes() -> None:
    mirrored = Mirrored()
    mirrored.open()
    mirrored.hear(BestQuote(BTC, 64_000.0, 1.0, 64_000.2, 1.0, NOW))
    summary = mirrored.exchange.summary(BTC)
    assert (summary.mark, summary.index, summary.funding_rate) == (Decimal(65_010), Decimal(65_005), Decimal("0.0002"))
    assert (summary.open_interest, summary.quote.bid) == (Decimal("12.5"), Decimal(64_000))


def test_orders_eat_the_shown_book_and_wait_for_the_trades_that_follow() -> None:
    mirrored = Mirrored()
    mirrored.open()
    mirrored.buy("65001", "1.5")
    assert mirrored.filled() == Decimal("1.5")
    assert [fill.price for fill in mirrored.exchange.fills("0x1")] == [Decimal(65001), Decimal("65000.1")]
    mirrored.buy("64999.9", "0.5")
    mirrored.hear(trade(2, 64_999.9, 1.0))
    assert mirrored.filled() == Decimal("1.5"), "others stood before us"
    mirrored.hear(trade(3, 64_999.9, 0.4))
    assert mirrored.filled() == Decimal("1.9")


def test_trades_that_were_read_late_are_printed_and_fill_nothing() -> None:
    mirrored = Mirrored()
    mirrored.open()
    mirrored.buy("64999", "0.5")
    mirrored.exchange.drain()
    mirrored.hear(TradeHistory(BTC, (trade(4, 64_990.0, 9.0), trade(5, 64_980.0, 9.0)), gapless=True))
    printed = [fact.trade.id for fact in mirrored.exchange.drain() if isinstance(fact, TradePrinted)]
    assert printed == [4, 5]
    assert mirrored.filled() == 0
    mirrored.hear(trade(10**27, 64_990.0, 1.0))
    assert mirrored.filled() == Decimal("0.5")


def test_in_maintenance_nothing_is_published_and_a_long_silence_accrues_no_funding() -> None:
    mirrored = Mirrored()
    mirrored.open()
    mirrored.exchange.advance(NOW + 2 * SECOND)
    before = mirrored.exchange.funding(BTC).index
    mirrored.exchange.set_status(ExchangeStatus.MAINTENANCE, NOW + 2 * SECOND)
    mirrored.exchange.drain()
    for second in range(3, 60):
        mirrored.exchange.advance(NOW + second * SECOND)
    assert mirrored.exchange.drain() == []
    mirrored.exchange.set_status(ExchangeStatus.OK, NOW + 60 * SECOND)
    mirrored.exchange.advance(NOW + 61 * SECOND)
    assert [type(fact) for fact in mirrored.exchange.drain() if isinstance(fact, FundingTicked)] == [FundingTicked]
    assert mirrored.exchange.funding(BTC).index == before


@given(st.integers(1, 2_000_000), st.integers(1, 10**7))
def test_every_price_and_size_on_the_grid_comes_through_exactly(ticks: int, lots: int) -> None:
    mirrored = Mirrored()
    market = MARKETS[0]
    price, size = market.price_tick * ticks, market.size_step * lots
    mirrored.hear(trade(1, float(price), float(size)))
    [printed] = mirrored.exchange.trades(BTC)
    assert (printed.price, printed.size) == (price, size)


def test_a_market_that_was_not_asked_for_and_a_feed_that_nobody_empties_are_errors() -> None:
    mirrored = Mirrored()
    with pytest.raises(ConfigError, match="symbol: saw 'ETHUSDT'"):
        mirrored.hear(MarkPrice("ETHUSDT", 1.0, 1.0, 0.0, NOW))
    for number in range(QUEUED):
        mirrored.feed.take(trade(number + 1, 1.0, 1.0), NOW)
    with pytest.raises(RuntimeError, match="wait to be released"):
        mirrored.feed.take(trade(QUEUED + 1, 1.0, 1.0), NOW)
