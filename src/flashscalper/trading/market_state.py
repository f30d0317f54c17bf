"""What the engine knows of one market right now, and the view of it that a strategy is shown.

Looking is float; the quiet band of an open position (`lower`, `upper`) is kept here so that a quote costs two comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import inf
from typing import Final

from flashscalper.market.book import OrderBook
from flashscalper.market.klines import KlineBuilder
from flashscalper.model.events import BestQuote, MarkPrice
from flashscalper.model.instants import SECOND_US, interval_us
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market, Rounding
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import SignalJudged
from flashscalper.strategies.base import PositionView, Signal, Strategy
from flashscalper.strategies.loader import exits_of
from flashscalper.trading.correlation import CORRELATION_INTERVAL
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.drift import DriftMeter
from flashscalper.trading.exits import ExitPlan
from flashscalper.trading.fees import SPEED_BUMP_S, MarketFees
from flashscalper.trading.misses import Misses
from flashscalper.trading.protection import Protection
from flashscalper.trading.settings import TradingSettings

STRATEGY: Final = "strategy_stopped"
PRINT_COUNTS_US: Final = SECOND_US
"""A trade older than this says nothing about the book of now."""
FALLBACK_AWAY: Final = Decimal("0.001")
"""How far behind the mark an emergency stop goes."""


class MarketState:
    """Everything about one market: rules, klines, book, quote, mark, fees, the open position's plan and protection."""

    def __init__(
        self, market: Market, strategy: Strategy | None, settings: TradingSettings, protection: Protection, started_at: int
    ) -> None:
        self.market = market
        self.symbol = market.symbol
        self.strategy = strategy
        self.protection = protection
        self.exits = exits_of(strategy, settings.exits)
        self.intervals = _ordered(strategy.intervals if strategy else ())
        correlated = (CORRELATION_INTERVAL,) if strategy is not None and settings.correlation.enabled else ()
        wanted = tuple(dict.fromkeys((*self.intervals, *settings.intervals, *correlated)))
        self.builder = _builder(market.symbol, wanted, settings, strategy) if wanted else None
        self.history = History(self, started_at)
        self.book = OrderBook(market.symbol)
        self.quote: BestQuote | None = None
        self.quote_at = 0
        self.mark: MarkPrice | None = None
        self.mark_at = 0
        self.last_price: float | None = None
        self.trade_at = 0
        self.book_at = 0
        self.fees = MarketFees(market)
        self.drift = DriftMeter(SPEED_BUMP_S)
        self.leverage: int | None = None
        self.plan: ExitPlan | None = None
        self.plan_signal: Signal | None = None
        self.plan_costs: CostEstimate | None = None
        self.lower, self.upper = -inf, inf
        self.blocks: dict[str, str] = {}
        self.last_judged: SignalJudged | None = None
        self.misses = Misses()
        self.view = Look(self)
        self.on_trade = getattr(strategy, "on_trade", None)
        self.on_book = getattr(strategy, "on_book", None)
        self.on_fill = getattr(strategy, "on_fill", None)

    def stop_strategy(self, why: str) -> None:
        """Never ask this strategy again. What it holds keeps its exit plan and its stop; the market takes no entry."""
        self.strategy = self.on_trade = self.on_book = self.on_fill = None
        self.blocks[STRATEGY] = why

    def take_trade(self, trade: Trade, now: int) -> None:
        """A public trade: klines and last price."""
        self.last_price = trade.price
        self.trade_at = now
        if self.builder is not None:
            self.builder.process_trade(trade)

    def newer_print(self, trade: Trade, now: int) -> float | None:
        """The price of a trade if it tells more than the quote: made after it, and just now (not read from a gap)."""
        stands = self.quote is not None and trade.traded_at >= self.quote.quoted_at
        return trade.price if stands and now - trade.traded_at <= PRINT_COUNTS_US else None

    def take_quote(self, quote: BestQuote, now: int) -> None:
        """A best quote; what stood until now is measured from time to time."""
        if now >= self.drift.due_at:
            self.drift.take(self.quote, now)
        self.quote = quote
        self.quote_at = now

    def asking_order(self, kline: Kline) -> tuple[int, int]:
        """Klines by time; of one moment the context first and the main interval last."""
        rank = self.intervals.index(kline.interval) if kline.interval in self.intervals else -1
        return (kline.close_at, rank)

    def refresh_band(self) -> None:
        """Ask the plan anew inside which prices nothing can happen."""
        self.lower, self.upper = (-inf, inf) if self.plan is None else self.plan.edges()

    @property
    def mid(self) -> Decimal | None:
        """Exact middle of a two-sided, uncrossed quote."""
        quote = self.quote
        if quote is None or quote.bid is None or quote.ask is None or not 0 < quote.bid <= quote.ask:
            return None
        return (Decimal(repr(quote.bid)) + Decimal(repr(quote.ask))) / 2

    @property
    def mark_price(self) -> Decimal | None:
        """The mark as money counts it."""
        return None if self.mark is None else Decimal(repr(self.mark.mark))

    @property
    def price(self) -> Decimal | None:
        """The best price to value things with: mark, else mid, else the last trade."""
        if self.mark is not None:
            return self.mark_price
        if self.mid is not None:
            return self.mid
        return None if self.last_price is None else Decimal(repr(self.last_price))

    @property
    def margin_rate(self) -> Decimal:
        """Initial margin as a share of notional: of our leverage, never less than the market asks for."""
        own = Decimal(1) / self.leverage if self.leverage else Decimal(0)
        return max(own, self.market.initial_margin)

    def touch_price(self, side: Side) -> float | None:
        """The best price on the other side of the book: what a taker gets first."""
        if self.quote is None:
            return None
        return self.quote.ask if side is Side.BUY else self.quote.bid

    def beyond_stop(self) -> bool:
        """Whether the mark (or, without one, the side we would be closed at) has passed the plan's stop."""
        plan = self.plan
        if plan is None:
            return False
        stop = float(plan.stop_price)
        long = self.view.held_direction is PositionSide.LONG
        price = self.mark.mark if self.mark is not None else self.touch_price(Side.SELL if long else Side.BUY)
        return price is not None and (price <= stop if long else price >= stop)

    def fallback_stop(self) -> Decimal | None:
        """A stop price a little behind the mark, for a position whose own stop price has been passed."""
        price, long = self.price, self.view.held_direction is PositionSide.LONG
        if price is None:
            return None
        away = price * (1 - FALLBACK_AWAY if long else 1 + FALLBACK_AWAY)
        return self.market.round_price(away, Rounding.DOWN if long else Rounding.UP)


class History:
    """Waiting for klines of the past: until they have come (or their time is over) the strategy is not asked."""

    def __init__(self, state: MarketState, started_at: int) -> None:
        self._state = state
        self.pending: dict[str, int] = {}
        self.asked = False
        self.seen_until = dict.fromkeys(state.intervals, 0)
        self.started_at = started_at

    @property
    def ready(self) -> bool:
        """Whether the strategy may be asked."""
        return not self.pending

    def unseen(self) -> list[Kline]:
        """Closed, complete klines that the strategy has not seen, in the order in which it is asked."""
        builder = self._state.builder
        assert builder is not None
        klines = [
            kline
            for interval in self._state.intervals
            for kline in builder.get_klines(interval)
            if kline.complete and kline.close_at > self.seen_until[interval]
        ]
        return sorted(klines, key=self._state.asking_order)


class Look:
    """`MarketView` over a `MarketState`; the engine sets the moment and the kline before it asks a strategy."""

    def __init__(self, state: MarketState) -> None:
        self._state = state
        self._kline: Kline | None = None
        self._live = True
        self.now = 0
        self.position: PositionView | None = None
        self.held_direction: PositionSide | None = None

    def at(self, kline: Kline, now: int, *, live: bool) -> Look:
        """The view at one closed kline."""
        self._kline, self.now, self._live = kline, now, live
        return self

    @property
    def market(self) -> Market:
        """The market's rules."""
        return self._state.market

    @property
    def kline(self) -> Kline:
        """The kline that just closed."""
        assert self._kline is not None
        return self._kline

    @property
    def quote(self) -> BestQuote | None:
        """Best bid and ask."""
        return self._state.quote if self._live else None

    @property
    def mark(self) -> MarkPrice | None:
        """Mark, index and funding."""
        return self._state.mark if self._live else None

    @property
    def book(self) -> OrderBook | None:
        """The book, None while it is not whole."""
        book = self._state.book
        return book if self._live and book.is_synced and not book.is_crossed else None

    def klines(self, interval: str) -> Sequence[Kline]:
        """Closed klines of an interval up to the one being looked at, oldest first."""
        assert self._state.builder is not None
        klines = self._state.builder.get_klines(interval)
        if self._live or self._kline is None:
            return klines
        return [kline for kline in klines if kline.close_at <= self._kline.close_at]


def _builder(symbol: str, wanted: tuple[str, ...], settings: TradingSettings, strategy: Strategy | None) -> KlineBuilder:
    kept = max(settings.klines_kept, (strategy.warmup if strategy else 0) + 10)
    delay = int(settings.timing.kline_delay_s * SECOND_US)
    return KlineBuilder(symbol, wanted, kept, close_delay_us=delay, timer_only=True)


def _ordered(intervals: tuple[str, ...]) -> tuple[str, ...]:
    """Context first, longest first; the main interval last, so that it is judged with everything else up to date."""
    return (*sorted(intervals[1:], key=interval_us, reverse=True), *intervals[:1])
