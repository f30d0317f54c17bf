"""Another exchange's public data as a feed: its trades, quotes, books and marks become ours as they arrive.

The book is shown, like a recording's: our orders fill against it and by the trades that follow, and nobody there ever sees
them. Nothing is made up: without a message there is no event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import BestQuote, BookChange, MarkPrice, TradeHistory
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.simulator.feeds.base import (
    ExchangeView,
    FeedEvent,
    FundingFixed,
    IndexMoved,
    RecordedDepth,
    RecordedQuote,
    RecordedTrade,
)

MirrorEvent = Trade | TradeHistory | BestQuote | BookChange | MarkPrice
QUEUED: Final = 100_000
"""Events that may wait to be released; more means that the exchange is not being run."""


class MirrorFeed:
    """Markets as another exchange lists them, and what it says about them. `take` puts in, `pop` takes out."""

    def __init__(self, markets: Sequence[Market], klines: Mapping[str, Sequence[Kline]]) -> None:
        """`klines` are closed one-minute klines up to now, oldest first, by symbol."""
        self._markets = {market.symbol: market for market in markets}
        self._klines = klines
        self._events: deque[tuple[int, FeedEvent]] = deque()
        self._funding: dict[str, float] = {}
        self._quoted: set[str] = set()
        self._marked: set[str] = set()

    @property
    def markets(self) -> tuple[Market, ...]:
        """The markets, under the other exchange's rules."""
        return tuple(self._markets.values())

    @property
    def recorded(self) -> frozenset[str]:
        """All books are shown."""
        return frozenset(self._markets)

    @property
    def complete(self) -> bool:
        """Whether every market has a quote and a mark, so that orders make sense in it."""
        return set(self._markets) == self._quoted == self._marked

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:
        """The klines from before the start."""
        return {symbol: [kline for kline in klines if kline.close_at <= until_at] for symbol, klines in self._klines.items()}

    def take(self, event: MirrorEvent, now: int) -> None:
        """Something was said upstream; it is an event of ours at `now`."""
        for translated in self._translate(event):
            if len(self._events) >= QUEUED:
                raise RuntimeError(f"{QUEUED} mirrored events wait to be released")
            self._events.append((now, translated))

    def next_at(self) -> int | None:
        """When the oldest waiting event arrived."""
        return self._events[0][0] if self._events else None

    def pop(self, view: ExchangeView) -> FeedEvent:  # noqa: ARG002 - nobody here decides anything
        """The oldest waiting event."""
        return self._events.popleft()[1]

    def _translate(self, event: MirrorEvent) -> Iterable[FeedEvent]:
        market = self._markets.get(event.symbol)
        if market is None:
            raise ConfigError("symbol", event.symbol, ", ".join(self._markets))
        if isinstance(event, Trade):
            return [_trade(market, event, fills=True)]
        if isinstance(event, TradeHistory):  # read late: they happened, but not to orders that were placed since
            return [_trade(market, trade, fills=False) for trade in event.trades]
        if isinstance(event, BookChange):
            sides = [
                tuple((_ticks(market, price), _lots(market, size)) for price, size in side)
                for side in (event.bids, event.asks)
            ]
            return [RecordedDepth(market.symbol, event.snapshot, sides[0], sides[1])]
        if isinstance(event, BestQuote):
            self._quoted.add(market.symbol)
            return [_quote(market, event)]
        self._marked.add(market.symbol)
        return self._mark(market, event)

    def _mark(self, market: Market, event: MarkPrice) -> Iterable[FeedEvent]:
        yield IndexMoved(market.symbol, _decimal(event.index), _decimal(event.mark), _decimal(event.open_interest or 0.0))
        if self._funding.get(market.symbol) != event.funding_rate:
            self._funding[market.symbol] = event.funding_rate
            yield FundingFixed(market.symbol, _decimal(event.funding_rate))


def _trade(market: Market, trade: Trade, *, fills: bool) -> RecordedTrade:
    tick, lots = _ticks(market, trade.price), max(1, _lots(market, trade.size))
    return RecordedTrade(market.symbol, trade.id, trade.side, tick, lots, trade.traded_at, fills)


def _quote(market: Market, quote: BestQuote) -> RecordedQuote:
    bid = (0, 0) if quote.bid is None else (_ticks(market, quote.bid), _lots(market, quote.bid_size))
    ask = (0, 0) if quote.ask is None else (_ticks(market, quote.ask), _lots(market, quote.ask_size))
    return RecordedQuote(market.symbol, *bid, *ask, marks=False)


def _ticks(market: Market, price: float) -> int:
    """The nearest tick: prices were on the grid before they were floats."""
    return int((_decimal(price) / market.price_tick).to_integral_value(rounding=ROUND_HALF_EVEN))


def _lots(market: Market, size: float) -> int:
    return int((_decimal(size) / market.size_step).to_integral_value(rounding=ROUND_HALF_EVEN))


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))
