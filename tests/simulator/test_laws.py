"""Laws that hold whatever anybody does: hypothesis drives two accounts and a crowd through random requests."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flashscalper.model.amounts import ZERO
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.simulator.facts import FillMade, OrderChanged, SelfTrade, SimOrder, TradePrinted
from flashscalper.simulator.feeds.base import RecordedDepth, RecordedQuote, RecordedTrade
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.floor import IOC, POST_ONLY, TOY, Floor

SIDES = st.sampled_from(list(Side))
NAMES = st.sampled_from(["ann", "bob"])
LOTS = st.integers(1, 12)
PRICES = st.integers(990, 1010)
START_CASH = 1_500


class Trading(RuleBasedStateMachine):
    """Ann has little money, Bob much; the mark wanders, so stops trigger and Ann may be liquidated."""

    recorded = False

    @initialize(counts=st.booleans())
    def open(self, counts: bool) -> None:
        self.floor = Floor(ExchangeRules(reduce_only_counts_untriggered=counts), recorded=self.recorded)
        self.orders: list[SimOrder] = []
        self.reduce_only_fills = 0
        self.start()
        self.floor.account("ann", START_CASH)
        self.floor.account("bob", 100 * START_CASH)

    def start(self) -> None:
        self.floor.book(lots=5, levels=5)

    @rule(side=SIDES, price=PRICES, lots=LOTS)
    def crowd_rests(self, side: Side, price: int, lots: int) -> None:
        self.floor.crowd(side, price, lots)

    @rule(side=SIDES, lots=LOTS)
    def crowd_takes(self, side: Side, lots: int) -> None:
        self.floor.crowd(side, None, lots, taker=True)

    @rule(
        name=NAMES,
        side=SIDES,
        lots=LOTS,
        price=st.none() | PRICES,
        reduce_only=st.booleans(),
        stp=st.sampled_from(list(SelfTrade)),
        instruction=st.sampled_from([None, IOC, POST_ONLY]),
    )
    def place(
        self,
        name: str,
        side: Side,
        lots: int,
        price: int | None,
        reduce_only: bool,
        stp: SelfTrade,
        instruction: object,
    ) -> None:
        more = {} if instruction is None or price is None else {"time_in_force": instruction}
        before = self.floor.size(name)
        answer = self.floor.place(name, side, lots, price, reduce_only=reduce_only, stp=stp, **more)
        if isinstance(answer, SimOrder):
            self.orders.append(answer)
        after = self.floor.size(name)
        if reduce_only:
            assert before * after >= 0, "a reduce-only order never turns a position"
            assert abs(after) <= abs(before), "nor enlarges it"

    @rule(name=NAMES, side=SIDES, lots=LOTS, trigger=PRICES, profit=st.booleans())
    def protect(self, name: str, side: Side, lots: int, trigger: int, profit: bool) -> None:
        kind = OrderType.TAKE_PROFIT_MARKET if profit else OrderType.STOP_MARKET
        answer = self.floor.place(name, side, lots, trigger_price=Decimal(trigger), reduce_only=True, type=kind)
        if isinstance(answer, SimOrder):
            self.orders.append(answer)

    @rule(number=st.integers(0, 50), lots=LOTS, price=PRICES)
    def modify(self, number: int, lots: int, price: int) -> None:
        if self.orders:
            self.floor.modify(self.orders[number % len(self.orders)], lots, price)

    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        if self.orders:
            self.floor.cancel(self.orders[number % len(self.orders)])

    @rule(number=st.integers(0, 50))
    def bust(self, number: int) -> None:
        fills = self.floor.facts(FillMade)
        if fills:
            self.floor.exchange.bust(fills[number % len(fills)].fill.id, self.floor.now)

    @rule(price=st.integers(940, 1060), seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def time_passes(self, price: int, seconds: float) -> None:
        self.floor.mark(price)
        self.floor.wait(seconds)

    @invariant()
    def positions_sum_to_zero(self) -> None:
        if not self.recorded:
            assert self.floor.exchange.conserved(TOY) == 0

    @invariant()
    def the_book_is_not_crossed_and_has_no_empty_level(self) -> None:
        bid, ask = self.floor.exchange.touch(TOY)
        assert bid is None or ask is None or bid < ask
        book = self.floor.exchange.book(TOY, 100)
        assert all(size > 0 for _, size in (*book.bids, *book.asks))
        assert len(dict(book.bids)) == len(book.bids)

    @invariant()
    def cash_is_accounted_for(self) -> None:
        for name, start in (("ann", START_CASH), ("bob", 100 * START_CASH)):
            ledger = self.floor.exchange.ledger(name)
            assert ledger.cash == start + ledger.realized_pnl + ledger.funding - ledger.fees

    @invariant()
    def money_equals_what_changed_hands(self) -> None:
        """Realised PnL of unbusted fills equals what was received less what was paid, and the cost of what is open."""
        for name in ("ann", "bob"):
            busted = {fill_id for fill_id, _ in self.floor.exchange.busted(name)}
            fills = [fill for fill in self.floor.fills(name) if fill.id not in busted]
            flow = sum((-fill.side.sign * Fraction(fill.price) * Fraction(fill.size) for fill in fills), Fraction(0))
            open_cost = sum(
                (Fraction(size) * Fraction(entry) for _, size, entry in self.floor.exchange.ledger(name).positions),
                Fraction(0),
            )
            realized = Fraction(self.floor.exchange.ledger(name).realized_pnl)
            assert abs(realized - flow - open_cost) < Fraction(len(fills) + 1, 10**7)

    @invariant()
    def fills_of_an_order_sum_to_what_it_lacks(self) -> None:
        filled: dict[str, Decimal] = {}
        for fact in self.floor.facts(FillMade):
            filled[fact.fill.order_id] = filled.get(fact.fill.order_id, ZERO) + fact.fill.size
        for name in ("ann", "bob"):
            for order in self.floor.exchange.orders_history(name):
                assert order.size - order.remaining == filled.get(order.order_id, ZERO)
                assert 0 <= order.remaining <= order.size
                if order.status is OrderStatus.CLOSED:
                    assert (order.remaining == 0) is (order.cancel_reason == "")

    @invariant()
    def reduce_only_orders_fit_the_position(self) -> None:
        for name in ("ann", "bob"):
            size = self.floor.size(name)
            claims = [
                order
                for order in self.floor.exchange.open_orders(name)
                if order.reduce_only and order.status is OrderStatus.OPEN
            ]
            assert sum(order.remaining for order in claims) <= abs(size)
            assert all(order.side.sign * size < 0 for order in claims)

    @invariant()
    def sequence_numbers_grow(self) -> None:
        numbers = [fact.order.seq_no for fact in self.floor.facts(OrderChanged)]
        assert numbers == sorted(set(numbers))


class TradingOnARecording(Trading):
    """The same laws where a recording shows the book; its trades are the only ones printed."""

    recorded = True

    def start(self) -> None:
        self.trades = 0
        self.quoted = (999, 1001)
        self.floor.feed(RecordedQuote(TOY, 999, 8, 1001, 8))
        levels = tuple((998 - n, 5) for n in range(5)), tuple((1002 + n, 5) for n in range(5))
        self.floor.feed(RecordedDepth(TOY, True, *levels))

    @rule(side=SIDES, price=PRICES, lots=LOTS)
    def crowd_rests(self, side: Side, price: int, lots: int) -> None:
        bid, ask = self.quoted
        self.quoted = (price, max(ask, price + 1)) if side is Side.BUY else (min(bid, price - 1), price)
        self.floor.feed(RecordedQuote(TOY, self.quoted[0], lots, self.quoted[1], lots + 1))

    @rule(side=SIDES, lots=LOTS)
    def crowd_takes(self, side: Side, lots: int) -> None:
        self.trades += 1
        price = self.quoted[1] if side is Side.BUY else self.quoted[0]
        self.floor.feed(RecordedTrade(TOY, self.trades, side, price, lots, self.floor.now))

    @rule(price=st.integers(940, 1060), seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def time_passes(self, price: int, seconds: float) -> None:
        self.quoted = (price - 1, price + 1)
        self.floor.feed(RecordedQuote(TOY, price - 1, 5, price + 1, 5))
        self.floor.wait(seconds)

    @invariant()
    def only_recorded_trades_are_printed(self) -> None:
        assert len(self.floor.facts(TradePrinted)) == self.trades


def _case(machine: type[RuleBasedStateMachine]) -> type:
    machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
    return machine.TestCase


TestTrading = pytest.mark.timeout(100)(_case(Trading))
TestTradingOnARecording = pytest.mark.timeout(100)(_case(TradingOnARecording))
