"""The engine: events in, commands and records out, and the order of steps written in one place.

`handle` is the only entrance. First whatever time has made due, then the event itself, then every market that was touched is
settled: its entry, its protection. Trades, quotes and book changes take the short way: they store, compare with the quiet
band of an open position, and return. No clock, no I/O, no randomness: the same events give the same outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from flashscalper.market.book import BookVerdict
from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import Command, ResyncBook
from flashscalper.model.events import (
    AccountSnapshot,
    BalanceUpdate,
    BestQuote,
    BookChange,
    ClockMeasured,
    Event,
    ExchangeStatusChanged,
    FeesLearned,
    FillBusted,
    FillReported,
    FundingPaid,
    KlineHistory,
    LeverageRead,
    MarketsListed,
    MarkPrice,
    OperatorAsked,
    OrderFound,
    OrderUpdate,
    PositionUpdate,
    RequestOutcome,
    StreamChanged,
    TimePassed,
    TradeHistory,
    Trouble,
)
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import EquityPoint, Record, RoundTripClosed, TradingStateChanged
from flashscalper.strategies.base import Strategy
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.entries import Entries
from flashscalper.trading.exits import Exit
from flashscalper.trading.floor import Floor
from flashscalper.trading.judging import Judging
from flashscalper.trading.keeping import Keeping
from flashscalper.trading.market_state import MarketState
from flashscalper.trading.operating import Operator
from flashscalper.trading.outside import Outside
from flashscalper.trading.positions import Ledger
from flashscalper.trading.protection import Situation
from flashscalper.trading.reconcile import Reconciler
from flashscalper.trading.reports import Reports
from flashscalper.trading.saved import SavedState
from flashscalper.trading.settings import TradingSettings
from flashscalper.trading.status import EngineStatus, engine_status

Output = Command | Record
_NEVER: Final = 2**63
_QUIET: Final = frozenset({Trade, BestQuote, BookChange, MarkPrice, Trouble})
"""Events that usually change nothing that is waited for."""


class Engine:
    """One account on one exchange. `strategies` by symbol; a market without one is only watched. `saved` continues an
    earlier run of the same account."""

    def __init__(  # noqa: PLR0917 - composition roots name them
        self,
        settings: TradingSettings,
        markets: Mapping[str, Market],
        strategies: Mapping[str, Strategy],
        ids: ClientIds,
        started_at: int,
        starting_cash: Decimal | None,
        saved: SavedState | None,
    ) -> None:
        settings.validate()
        ledger = Ledger(_first_cash(starting_cash, saved), reported_pnl=settings.reported_pnl)
        counters = saved.counters if saved is not None else None
        self._floor = floor = Floor(
            settings, markets, strategies, ids=ids, started_at=started_at, ledger=ledger, counters=counters
        )
        self._out = floor.out
        self._markets = floor.markets
        self._entries = Entries(floor)
        self._judging = Judging(floor, self._entries)
        self._reports = Reports(floor, dict(saved.plans) if saved is not None else {})
        self._reconciler = Reconciler(
            floor, self._reports, fresh=saved is None, watermark=saved.saved_at if saved else started_at,
            starting_cash=starting_cash,
        )  # fmt: skip
        self._outside = Outside(floor, self._judging, self._reconciler)
        self._operator = Operator(floor)
        self._keeping = Keeping(floor, ids)
        self._handlers = self._table()
        self._now = started_at
        self._wake_at = started_at
        self._round_trips = 0
        self._state = floor.risk.state
        floor.money_known = starting_cash is not None or saved is not None
        if saved is not None:
            self._keeping.restore(saved, self._reports)
            self._operator.restore()

    # The entrance

    def handle(self, event: Event, now: int) -> list[Output]:
        """Take one event at the instant `now` (exchange clock, microseconds; never goes back). Outputs are in order: what is
        written down before what is sent for it."""
        if now < self._now:
            now = self._now
        else:
            self._now = now
        kind = type(event)
        if now >= self._wake_at:
            self._pass_time(now)
            if kind in _QUIET:
                self._judging.close_klines(now)
                self._handlers[kind](event, now)
            else:
                # What may open comes last: a kill, a lost stream or a fill of this very instant is heard before.
                self._handlers[kind](event, now)
                self._settle_touched(now)
                self._judging.close_klines(now)
        else:
            self._handlers[kind](event, now)
            if kind in _QUIET and not self._out and not self._floor.desk.touched:
                return []
        self._settle(now)
        outputs = self._out[:]
        self._out.clear()
        return outputs

    def wake_at(self) -> int | None:
        """When it wants `TimePassed`; None when it waits for nothing."""
        return self._wake_at if self._wake_at < _NEVER else None

    def status(self) -> EngineStatus:
        """A snapshot for people."""
        return engine_status(self._floor, self._round_trips, self._now)

    def saved(self) -> SavedState:
        """Everything that a restart needs, as of now; the journal says the same."""
        return self._keeping.save(self._now)

    # What time makes due

    def _pass_time(self, now: int) -> None:
        """Everything that waited for an instant up to now, but for what opens: first what protects, then what asks."""
        floor = self._floor
        floor.risk.expire(now)
        for state in self._markets.values():
            plan = state.plan
            if plan is not None and (due := plan.wake_at()) is not None and due <= now:
                self._leave(state, plan.on_time(now))
            if (due := state.protection.wake_at()) is not None and due <= now:
                floor.touch(state.symbol)
        for symbol, entry in floor.entries.items():
            if entry.patience_until is not None and entry.patience_until <= now:
                floor.touch(symbol)
        self._settle_touched(now)
        floor.pursuit.due(now)
        self._reconciler.due(now)
        self._outside.due(now)
        if now >= self._keeping.equity_at:
            self._tell_equity(now)

    def _tell_equity(self, now: int) -> None:
        """The regular look at the whole: equity against the loss limits, data against its age."""
        self._outside.check_age(now)
        if self._floor.money_known:
            self._judge_equity(now)
        self._keeping.next_equity(now)

    def _judge_equity(self, now: int) -> None:
        """What we are worth. With a position that has no price yet (after a restart) nobody can say."""
        if not self._floor.priced:
            return
        equity = self._floor.equity()
        self._floor.risk.on_equity(equity, now)
        self._floor.tell(EquityPoint(at=now, equity=equity, cash=self._floor.ledger.cash))
        self._outside.tell_sizes(now)

    def _next_wake(self) -> int:
        """The earliest instant that anything waits for."""
        floor = self._floor
        earliest = self._keeping.equity_at
        for at in (floor.pursuit.wake_at(), self._reconciler.wake_at(), self._outside.wake_at(), self._entries.wake_at(),
                   floor.risk.wake_at()):  # fmt: skip
            if at is not None and at < earliest:
                earliest = at
        for state in self._markets.values():
            closing = state.builder.next_close_at() if state.builder is not None else None
            planned = state.plan.wake_at() if state.plan is not None else None
            for at in (closing, planned, state.protection.wake_at()):
                if at is not None and at < earliest:
                    earliest = at
        return earliest

    # What follows from an event

    def _settle(self, now: int) -> None:
        """Bring every touched market to rest, then say when to wake."""
        self._settle_touched(now)
        self._ask_at_once(now)
        for record in self._out:
            if isinstance(record, RoundTripClosed):
                self._round_trips += 1
            if isinstance(record, RoundTripClosed | TradingStateChanged):
                self._keeping.counters_changed = True
        self._keeping.write_down(now)
        self._wake_at = max(self._next_wake(), now + 1)

    def _ask_at_once(self, now: int) -> None:
        """Questions that this very event raised do not wait for the next one."""
        if (due := self._floor.pursuit.wake_at()) is not None and due <= now:
            self._floor.pursuit.due(now)
        if (due := self._reconciler.wake_at()) is not None and due <= now:
            self._reconciler.due(now)
        self._settle_touched(now)

    def _settle_touched(self, now: int) -> None:
        touched = self._floor.desk.touched
        for _ in range(8):
            if self._floor.risk.state is not self._state:
                self._state = self._floor.risk.state
                touched.update(self._floor.entries)
            if not touched:
                return
            symbols = sorted(touched)
            touched.clear()
            for symbol in symbols:
                self._settle_market(self._markets[symbol], now)
        touched.clear()

    def _settle_market(self, state: MarketState, now: int) -> None:
        """One market: entry, then protection. Looking again changes nothing."""
        floor = self._floor
        size = floor.own_size(state.symbol)
        if size and floor.flattening:
            state.protection.want_exit(floor.flattening)
        self._reconciler.compare(state.symbol, now)
        self._entries.settle(state, now)
        plan = state.plan
        seen = Situation(
            symbol=state.symbol, size=size, stop_price=plan.stop_price if plan else None,
            fallback_price=state.fallback_stop() if size else None,
            target_price=plan.target_price if plan else None, beyond=bool(size) and state.beyond_stop(),
            can_send=floor.can_send, window_us=floor.pursuit.window_us,
            shared=floor.foreign.get(state.symbol, ZERO) * size > ZERO,
        )  # fmt: skip
        state.protection.settle(seen, floor.orders.active(state.symbol), now)
        self._operator.settled()

    def _leave(self, state: MarketState, leaving: Exit | None) -> None:
        """The plan was asked: an exit is wanted, or its stop moved."""
        state.refresh_band()
        self._floor.touch(state.symbol)
        if leaving is None:
            return
        if leaving.share >= 1:
            state.protection.want_exit(leaving.reason)
            return
        size = state.market.round_size(abs(self._floor.own_size(state.symbol)) * leaving.share)
        if size > ZERO:
            state.protection.want_exit(leaving.reason, size)

    # The short way

    def _on_trade(self, trade: Trade, now: int) -> None:
        state = self._markets.get(trade.symbol)
        if state is None:
            return
        first = state.last_price is None
        state.take_trade(trade, now)
        if first:
            self._floor.touch(state.symbol)
        if state.plan is not None and not state.lower < trade.price < state.upper:
            self._judge_price(state, now, printed=state.newer_print(trade, now))
        if state.on_trade is not None:
            self._floor.shown(state.symbol, state.on_trade, trade, now)

    def _on_quote(self, quote: BestQuote, now: int) -> None:
        state = self._markets.get(quote.symbol)
        if state is None:
            return
        state.take_quote(quote, now)
        if state.plan is not None:
            price = quote.bid if state.view.held_direction is PositionSide.LONG else quote.ask
            if price is None or not state.lower < price < state.upper:
                self._judge_price(state, now)

    def _on_mark(self, mark: MarkPrice, now: int) -> None:
        state = self._markets.get(mark.symbol)
        if state is None:
            return
        state.mark = mark
        state.mark_at = now
        if state.plan is not None:
            self._judge_price(state, now)
            if self._floor.money_known and self._floor.priced:
                self._floor.risk.on_equity(self._floor.equity(), now)

    def _judge_price(self, state: MarketState, now: int, printed: float | None = None) -> None:
        """Ask the plan. `printed` is a trade newer than the quote: it says how far the book is gone, so the worse of both
        counts. Never the better: nothing could be closed at it."""
        plan, quote, mark = state.plan, state.quote, state.mark
        assert plan is not None
        before, band = plan.stop_price, (state.lower, state.upper)
        bid, ask = (quote.bid, quote.ask) if quote else (None, None)
        if printed is not None and bid is not None and ask is not None:
            bid, ask = min(bid, printed), max(ask, printed)
        leaving = plan.on_price(bid, ask, mark.mark if mark else None, now, mark.funding_rate if mark else None)
        if leaving is not None or plan.stop_price != before:
            self._leave(state, leaving)
        elif plan.edges() != band:
            state.refresh_band()
            self._rewake(plan.wake_at())

    def _rewake(self, at: int | None) -> None:
        if at is not None and at < self._wake_at:
            self._wake_at = max(at, self._now + 1)

    def _on_book(self, change: BookChange, now: int) -> None:
        state = self._markets.get(change.symbol)
        if state is None:
            return
        verdict = state.book.apply(change)
        state.book_at = now
        if verdict is BookVerdict.CROSSED:
            state.book.clear()
            self._out.append(ResyncBook(symbol=change.symbol, reason=verdict))
        if state.on_book is not None:
            self._floor.shown(state.symbol, state.on_book, state.book, now)

    def _ignore(self, event: object, now: int) -> None:
        """Time alone: what it made due is done already. Trouble is the log's business."""

    def _table(self) -> dict[type, Callable[[Any, int], None]]:
        """Which event goes where."""
        outside, reports, reconciler = self._outside, self._reports, self._reconciler
        return {
            Trade: self._on_trade,
            BestQuote: self._on_quote,
            BookChange: self._on_book,
            MarkPrice: self._on_mark,
            TimePassed: self._ignore,
            Trouble: self._ignore,
            KlineHistory: outside.on_kline_history,
            TradeHistory: outside.on_trade_history,
            MarketsListed: outside.on_markets,
            FeesLearned: outside.on_fees,
            LeverageRead: outside.on_leverage,
            ExchangeStatusChanged: outside.on_status,
            StreamChanged: outside.on_stream,
            ClockMeasured: outside.on_clock,
            OrderUpdate: lambda event, now: reports.on_order(event.order, now),
            FillReported: lambda event, now: reports.on_fill(event.fill, now),
            FillBusted: reports.on_bust,
            FundingPaid: reports.on_funding,
            RequestOutcome: reports.on_outcome,
            OrderFound: reports.on_found,
            PositionUpdate: reconciler.on_position,
            BalanceUpdate: reconciler.on_balance,
            AccountSnapshot: reconciler.on_snapshot,
            OperatorAsked: self._operator.on_asked,
        }


def _first_cash(starting_cash: Decimal | None, saved: SavedState | None) -> Decimal:
    """The journal's word on what the run began with goes before the caller's."""
    if saved is not None and saved.starting_cash is not None:
        return saved.starting_cash
    return starting_cash if starting_cash is not None else ZERO
