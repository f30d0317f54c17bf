"""Many seeded markets, quickly: the real engine against the real matching core, with nothing between them but method calls.

A `Walk` is a market whose mid takes one step at a time: quote, mark and a trade that leans on nothing. Commands are carried
out at the instant at which they are given and their facts handed back at once; there is no network to be slow or to fail.
Prices are in ticks of a hundredth; the exchange's book is a shown one, as with a recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from random import Random

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import (
    ArmOrder,
    CancelOrder,
    Command,
    DisarmOrder,
    FetchKlines,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    Reconcile,
    ReleaseOrder,
)
from flashscalper.model.events import (
    AccountSnapshot,
    BestQuote,
    Event,
    ExchangeStatus,
    ExchangeStatusChanged,
    FeeClass,
    FeesLearned,
    FillReported,
    KlineHistory,
    MarkPrice,
    OperatorAction,
    OperatorAsked,
    OrderFound,
    OrderUpdate,
    PositionUpdate,
    RequestKind,
    RequestOutcome,
    StreamChanged,
    TimePassed,
    Verdict,
)
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.model.positions import AccountSummary, ExchangePosition
from flashscalper.model.records import Record, RoundTripClosed, SignalJudged
from flashscalper.simulator import facts
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import NewOrder, Refusal
from flashscalper.simulator.feeds.base import RecordedQuote, RecordedTrade
from flashscalper.simulator.rules import ExchangeRules
from flashscalper.strategies.base import Strategy
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.engine import Engine
from flashscalper.trading.settings import TradingSettings
from tests.trading.climate import order_of, sim_fill_of
from tests.trading.stage import MARKET, START

ACCOUNT = "0x1"
Step = Callable[[Random, int], float]
"""The relative move of the mid at a step, from the dice and the number of the step."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a market is like: seconds between steps, spread and lots at the touch, and whose fees are paid."""

    step_s: float = 1.0
    spread_ticks: int = 2
    lots: int = 500_000
    fee_class: FeeClass = FeeClass.PRO
    cash: Decimal = Decimal(10_000)


class Walk:
    """One seed of one market with one engine."""

    def __init__(
        self, seed: int, strategy: Strategy, settings: TradingSettings, step: Step, terms: Terms | None = None,
        market: Market = MARKET,
    ) -> None:  # fmt: skip
        self.terms = terms or Terms()
        self.market, self.symbol = market, market.symbol
        self.dice = Random(seed)
        self.now = START
        self.mid, self._mark = 1_000_000.0, 10_000.0
        self.trips: list[RoundTripClosed] = []
        self.looks: list[SignalJudged] = []
        self.records: list[Record] = []
        self._step, self._steps, self._trade_id = step, 0, 0
        self._order_ids: dict[str, str] = {}
        self._said: deque[Event] = deque()
        self._bumps: list[int] = []
        self.exchange = Exchange([market], ExchangeRules(), START, recorded=[self.symbol])
        self.exchange.open_account(ACCOUNT, self.terms.cash, START)
        markets, strategies = {self.symbol: market}, {self.symbol: strategy}
        self.engine = Engine(settings, markets, strategies, ClientIds(START), START, self.terms.cash, None)
        self._open()

    def run(self, steps: int) -> None:
        """Let the market take so many steps."""
        for _ in range(steps):
            self._move()

    def finish(self) -> None:
        """Close what is open."""
        self._tell(OperatorAsked(OperatorAction.STOP, "end_of_run"))
        for _ in range(40):
            self.run(3)
            if self.engine.status().markets[0].position is None:
                return
        raise AssertionError(f"a position stays open: {self.engine.status().markets[0]}")

    # The market

    def _move(self) -> None:
        until = self.now + int(self.terms.step_s * SECOND_US)
        self._wake(until)
        self.now = until
        self._steps += 1
        self.mid = self._next_mid()
        bid = round(self.mid - self.terms.spread_ticks / 2)
        ask = bid + self.terms.spread_ticks
        lots = self.terms.lots
        mark = self.market.price_tick * (bid + ask) / 2
        self._mark = float(mark)
        self.exchange.feed(RecordedQuote(self.symbol, bid, lots, ask, lots), until)
        self._trade_id += 1
        side = Side.BUY if self.dice.random() < 0.5 else Side.SELL
        price = ask if side is Side.BUY else bid
        self.exchange.feed(RecordedTrade(self.symbol, self._trade_id, side, price, self._next_lots(), until), until)
        self._pump()

    def _next_mid(self) -> float:
        """Where the mid goes at this step, in ticks."""
        return self.mid * (1 + self._step(self.dice, self._steps))

    def _next_lots(self) -> int:
        """How much is traded at this step."""
        return 1 + int(self.dice.expovariate(1 / 2_000))

    def _wake(self, until: int) -> None:
        """What the engine or a speed bump waits for, in order."""
        while (at := min(self.engine.wake_at() or until + 1, *self._bumps, until + 1)) <= until:
            self.now = max(self.now, at)
            if at in self._bumps:
                self._bumps.remove(at)
                self.exchange.advance(self.now)
                self._pump()
            else:
                self._tell(TimePassed(self.now))

    # Between engine and exchange

    def _open(self) -> None:
        retail = self.terms.fee_class is FeeClass.RETAIL
        rules = self.market
        maker, taker = (rules.retail_maker_fee, rules.retail_taker_fee) if retail else (rules.maker_fee, rules.taker_fee)
        self._tell(ExchangeStatusChanged(ExchangeStatus.OK))
        self._tell(StreamChanged("market", ready=True))
        self._tell(StreamChanged("account", ready=True))
        self._tell(FeesLearned(self.symbol, maker, taker, self.terms.fee_class))

    def _tell(self, event: Event) -> None:
        """The engine hears of it after everything that was said before."""
        self._said.append(event)
        if len(self._said) > 1:
            return
        while self._said:
            for output in self.engine.handle(self._said[0], self.now):
                if isinstance(output, Command):
                    self._do(output)
                elif isinstance(output, RoundTripClosed):
                    self.trips.append(output)
                elif isinstance(output, SignalJudged):
                    self.looks.append(output)
                else:
                    self.records.append(output)
            self._said.popleft()

    def _do(self, command: Command) -> None:
        if self.terms.fee_class is FeeClass.RETAIL and isinstance(command, PlaceOrder | ModifyOrder | CancelOrder):
            self._bumps.append(self.now + ExchangeRules().speed_bump_us)
        match command:
            case ArmOrder() | DisarmOrder():
                return
            case ReleaseOrder(order=order):
                self._do(order)
            case PlaceOrder():
                self._answer(RequestKind.PLACE, command, self._place(command))
            case CancelOrder():
                order_id = self._order_ids.get(command.client_id, command.order_id)
                self._answer(RequestKind.CANCEL, command, self.exchange.cancel(ACCOUNT, order_id, self.now))
            case ModifyOrder(order_id=order_id, size=size, price=price, trigger_price=trigger):
                modified = self.exchange.modify(ACCOUNT, order_id, size, price, trigger, self.now)
                self._answer(RequestKind.MODIFY, command, modified)
            case FetchKlines():
                self._tell(KlineHistory(self.symbol, command.interval, ()))
            case Reconcile():
                self._tell(self._account())
            case QueryOrder():
                self._tell(self._look_up(command.client_id))
            case _:
                raise AssertionError(command)

    def _place(self, command: PlaceOrder) -> facts.SimOrder | Refusal:
        request = NewOrder(
            client_id=command.client_id, symbol=command.symbol, side=command.side, type=command.type, size=command.size,
            price=command.price, trigger_price=command.trigger_price, time_in_force=command.time_in_force,
            reduce_only=command.reduce_only, signed_at=self.now, fee_class=self.terms.fee_class,
        )  # fmt: skip
        placed = self.exchange.place(ACCOUNT, request, self.now)
        if not isinstance(placed, Refusal):
            self._order_ids[command.client_id] = placed.order_id
        return placed

    def _answer(
        self, kind: RequestKind, command: PlaceOrder | ModifyOrder | CancelOrder, answer: facts.SimOrder | Refusal | None
    ) -> None:
        if isinstance(answer, Refusal):
            self._tell(RequestOutcome(kind, command.client_id, Verdict.REJECTED, "", answer.code, answer.message))
        else:
            order_id = self._order_ids.get(command.client_id, "")
            self._tell(RequestOutcome(kind, command.client_id, Verdict.ACCEPTED, order_id))
        self._pump()

    def _pump(self) -> None:
        for fact in self.exchange.drain():
            match fact:
                case facts.OrderChanged(order):
                    self._tell(OrderUpdate(order_of(order)))
                case facts.FillMade(fill):
                    self._tell(FillReported(sim_fill_of(fill)))
                case facts.PositionTouched():
                    self._tell(PositionUpdate(self._position()))
                case facts.TradePrinted(trade):
                    price, size = float(trade.price), float(trade.size)
                    self._tell(Trade(self.symbol, trade.id, trade.side, price, size, trade.traded_at))
                case facts.QuoteTouched():
                    self._tell(self._quote())
                case facts.SummaryTouched():
                    self._tell(MarkPrice(self.symbol, self._mark, self._mark, 0.0, self.now))

    def _quote(self) -> BestQuote:
        quote = self.exchange.quote(self.symbol)
        bid, ask = (float(price) if price is not None else None for price in (quote.bid, quote.ask))
        return BestQuote(self.symbol, bid, float(quote.bid_size), ask, float(quote.ask_size), self.now)

    def _position(self) -> ExchangePosition:
        size = next((one.size for one in self.exchange.positions(ACCOUNT) if one.symbol == self.symbol), ZERO)
        return ExchangePosition(symbol=self.symbol, size=size, entry_price=ZERO, updated_at=self.now)

    def _look_up(self, client_id: str) -> OrderFound:
        live = [order for order in self.exchange.open_orders(ACCOUNT) if order.client_id == client_id]
        order = next(iter([*live, *self.exchange.orders_history(ACCOUNT, client_id=client_id)]), None)
        fills = [fill for fill in self.exchange.fills(ACCOUNT, self.symbol) if fill.client_id == client_id]
        return OrderFound(client_id, order_of(order) if order else None, tuple(map(sim_fill_of, fills)))

    def _account(self) -> AccountSnapshot:
        summary = self.exchange.account_summary(ACCOUNT)
        account = AccountSummary(
            account=ACCOUNT, account_value=summary.account_value, total_collateral=summary.total_collateral,
            free_collateral=summary.free_collateral, initial_margin=summary.initial_margin,
            maintenance_margin=summary.maintenance_margin, status=summary.status,
        )  # fmt: skip
        orders = tuple(order_of(order) for order in self.exchange.open_orders(ACCOUNT))
        return AccountSnapshot(orders, (), (self._position(),), account, self.now)
