"""The trading floor: everything the engine knows, in one place that its parts share.

No decisions are made here; it answers questions that need more than one part: what could we lose at most, what are we worth,
may this market be entered, how much of a position is ours to protect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import Command
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus, FeeClass
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderRole
from flashscalper.model.positions import AccountSummary, ExchangePosition, PositionSide
from flashscalper.model.records import Note, Record
from flashscalper.strategies.base import Strategy
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.correlation import Correlations
from flashscalper.trading.costs import CostEstimate, EntryStyle, estimate_costs
from flashscalper.trading.desk import Desk
from flashscalper.trading.entry import Entry
from flashscalper.trading.exposure import SymbolExposure, exposure_of
from flashscalper.trading.fees import RetailBudget
from flashscalper.trading.limits import Surroundings
from flashscalper.trading.market_state import STRATEGY, MarketState
from flashscalper.trading.orders import Orders, TrackedOrder, in_doubt
from flashscalper.trading.positions import Ledger
from flashscalper.trading.protection import Protection
from flashscalper.trading.pursuit import Pursuit
from flashscalper.trading.risk import CANCELED_BY_OTHERS, Risk, RiskCounters
from flashscalper.trading.settings import TradingSettings

Output = Command | Record
ENTRY_STREAMS = ("market", "account")


class Floor:
    """State of one engine. `out` collects what is said and asked while one event is handled."""

    def __init__(
        self,
        settings: TradingSettings,
        markets: Mapping[str, Market],
        strategies: Mapping[str, Strategy],
        *,
        ids: ClientIds,
        started_at: int,
        ledger: Ledger,
        counters: RiskCounters | None,
    ) -> None:
        self.settings = settings
        self.started_at = started_at
        self.out: list[Output] = []
        self.ledger = ledger
        self.orders = Orders()
        self.risk = Risk(settings.risk, self.tell, counters)
        self.retail = RetailBudget(counters.sent if counters is not None else ())
        self.desk = Desk(ids, self.risk, self.orders, self.out, self.surroundings, self.retail)
        self.pursuit = Pursuit(settings.timing, self.desk, settings.protection.modify_answers_within_s)
        self.markets: dict[str, MarketState] = {}
        for symbol in sorted(markets):
            failed = partial(self._exit_failed, symbol)
            protection = Protection(symbol, settings.protection, self.desk, failed, self._meddled)
            strategy = strategies.get(symbol)
            self.markets[symbol] = MarketState(markets[symbol], strategy, settings, protection, started_at)
        self.entries: dict[str, Entry] = {}
        self.status = ExchangeStatus.OK
        self.streams: dict[str, bool] = {"market": False, "account": False}
        self.foreign: dict[str, Decimal] = {}
        self.unconfirmed: dict[str, Decimal] = {}
        self.exchange_positions: dict[str, ExchangePosition] = {}
        self.summary: AccountSummary | None = None
        self.fee_class: FeeClass | None = None
        self.flattening = ""
        self.money_known = False
        self.correlations = Correlations(settings.correlation)

    def tell(self, record: Record) -> None:
        """Say something for the journal."""
        self.out.append(record)

    def note(self, code: str, text: str, now: int, symbol: str = "") -> None:
        """Say something that has no record of its own."""
        self.out.append(Note(code=code, text=text, at=now, symbol=symbol))

    def shown(self, symbol: str, look: Callable[[Any], object] | None, thing: object, now: int) -> None:
        """Show a strategy something through one of its optional hooks; one that raises is stopped."""
        if look is None:
            return
        try:
            look(thing)
        except Exception as error:  # noqa: BLE001 - it is somebody's own code, and it must not stop what protects positions
            self.strategy_failed(symbol, error, now)

    def strategy_failed(self, symbol: str, error: Exception, now: int) -> None:
        """A strategy raised: it is stopped, its position is not."""
        text = _where_it_broke(error)
        self.markets[symbol].stop_strategy(text)
        self.note(STRATEGY, text, now, symbol)

    def touch(self, symbol: str) -> None:
        """This market is to be looked at again before the event is done."""
        self.desk.touched.add(symbol)

    # What could come of it

    def exposure(self, symbol: str) -> SymbolExposure:
        """The worst that may come of one market; while the market has no price yet, at that of the entry."""
        state, holding = self.markets[symbol], self.ledger.holding(symbol)
        return exposure_of(
            symbol, holding.size, self.orders.active(symbol), price=state.price or holding.entry_price,
            margin_rate=state.margin_rate, foreign=self.foreign.get(symbol, ZERO),
        )  # fmt: skip

    def exposures(self) -> dict[str, SymbolExposure]:
        """The worst that may come of every market."""
        return {symbol: self.exposure(symbol) for symbol in self.markets}

    def surroundings(self, symbol: str) -> Surroundings:
        """What the last gate compares an entry with."""
        state = self.markets[symbol]
        return Surroundings(
            exposures=self.exposures(), equity=self.tradable_equity(), mark=state.mark_price, mid=state.mid,
            open_orders=sum(1 for order in self.orders.all_active() if order.live),
        )  # fmt: skip

    @property
    def priced(self) -> bool:
        """Whether every open position has a price to be valued at."""
        return all(self.markets[symbol].price is not None for symbol in self.ledger.open_symbols())

    def equity(self) -> Decimal:
        """Cash and unrealised PnL by our own fold."""
        marks = {symbol: price for symbol in self.ledger.open_symbols() if (price := self.markets[symbol].price) is not None}
        return self.ledger.equity(marks)

    def tradable_equity(self) -> Decimal:
        """What sizes and limits are measured against: the lower of our own figure and the exchange's."""
        own = self.equity()
        return own if self.summary is None else min(own, self.summary.account_value)

    # What it will cost

    def next_class(self, now: int, *, but: Entry | None = None) -> FeeClass:
        """The class that the next order gets: Retail only while its budget lasts, for its own way out as well and for the
        entries in flight (all but `but`, whose order it is)."""
        if self.fee_class is not FeeClass.RETAIL:
            return FeeClass.PRO
        entries = sum(entry is not but for entry in self.entries.values())
        room = self.retail.has_room(now, entries=entries, positions=len(self.ledger.open_symbols()))
        return FeeClass.RETAIL if room else FeeClass.PRO

    def costs(
        self, state: MarketState, direction: PositionSide, fee_class: FeeClass, style: EntryStyle | None = None
    ) -> CostEstimate:
        """What a round trip of a class is expected to cost now, entered as the settings say unless told otherwise."""
        settings, fees = self.settings, state.fees.of(fee_class)
        drift = ZERO
        if fee_class is FeeClass.RETAIL:
            measured = state.drift.value
            drift = Decimal(repr(settings.costs.default_drift_bps)) / 10_000 if measured is None else measured
        return estimate_costs(
            settings.costs, style=style or settings.entry.style, direction=direction, maker_fee=fees.maker,
            taker_fee=fees.taker, quote=state.quote, funding_rate=state.mark.funding_rate if state.mark else 0.0,
            funding_period_hours=state.market.funding_period_hours, drift=drift,
        )  # fmt: skip

    # What may be done

    @property
    def can_send(self) -> bool:
        """Whether the exchange takes market and stop orders at all."""
        return self.status is ExchangeStatus.OK

    def own_size(self, symbol: str) -> Decimal:
        """Our signed position as far as the exchange really holds it: with foreign exposure the net may be smaller, and a
        fold rebuilt without a journal may be wrong until the exchange has confirmed it."""
        size = self.ledger.holding(symbol).size
        size = _within(size, size + self.foreign.get(symbol, ZERO))
        return _within(size, self.unconfirmed[symbol]) if symbol in self.unconfirmed else size

    def entry_blocks(self, symbol: str, *, but: Entry | None = None) -> dict[str, str]:
        """Why this market takes no entry now, by code; empty when it does. `but` is an entry that does not block itself."""
        blocks = dict(self.markets[symbol].blocks)
        foreign = self.foreign.get(symbol, ZERO)
        if foreign:
            blocks["foreign_exposure"] = f"{foreign} is not ours"
        if in_doubt(self.orders.active(symbol)):
            blocks["order_in_doubt"] = "an order is unknown or owes fills"
        entry = self.entries.get(symbol)
        if entry is not None and entry is not but:
            blocks["entry_in_flight"] = "an entry is in flight"
        elif any(_may_still_open(order, but) for order in self.orders.active(symbol)):
            blocks["entry_in_flight"] = "an entry order that nobody waits for is not gone yet"
        if but is None and self.ledger.holding(symbol).size:
            blocks["position_open"] = "a position is open"
        if self.markets[symbol].protection.closing:
            blocks["closing"] = "the position is being closed"
        return blocks

    def held_directions(self) -> dict[str, PositionSide]:
        """Which way every open position and entry in flight points."""
        held = {symbol: entry.direction for symbol, entry in self.entries.items()}
        for symbol in self.ledger.open_symbols():
            direction = self.ledger.holding(symbol).direction
            if direction is not None:
                held[symbol] = direction
        return held

    def _exit_failed(self, symbol: str, reason: str, now: int) -> None:
        """A partial exit did not fill: its plan may ask again."""
        state = self.markets[symbol]
        if state.plan is not None:
            state.plan.on_exit_failed(reason, now)
            state.refresh_band()

    def _meddled(self, text: str, now: int) -> None:
        """Somebody else cancelled an order of ours."""
        self.risk.hold(CANCELED_BY_OTHERS, text, now)


def _may_still_open(order: TrackedOrder, but: Entry | None) -> bool:
    """Whether it is a live order that adds risk and belongs to another entry, or to none (one of an earlier run)."""
    return order.role is OrderRole.ENTRY and order.live and (but is None or not but.owns(order))


def _where_it_broke(error: Exception) -> str:
    """What was raised, and the line that raised it; what is wrong with a value says so itself."""
    if isinstance(error, ConfigError):
        return str(error)
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f" at {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"


def _within(size: Decimal, net: Decimal) -> Decimal:
    """The part of `size` that a net position of `net` really has."""
    if not size or not net or (size > ZERO) is not (net > ZERO):
        return ZERO
    return min(size, net) if size > ZERO else max(size, net)
