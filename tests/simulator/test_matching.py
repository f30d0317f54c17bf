"""Price-time priority, partial fills and prints of the matched book."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flashscalper.model.events import FeeClass
from flashscalper.model.fills import FillKind, Liquidity
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator.book import Resting, within_cap
from flashscalper.simulator.facts import OrderChanged, QuoteTouched, SelfTrade
from flashscalper.simulator.feeds.base import FlowCancel
from flashscalper.simulator.matching import CentralBook
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.floor import BUY, IOC, RPI, SELL, TOY, Floor


class Ticker:
    """A settlement that writes down who traded with whom."""

    def __init__(self, book: CentralBook) -> None:
        self.book = book
        self.deals: list[tuple[int, int, int]] = []

    def executed(self, taker: Resting | None, maker: Resting | None, tick: int, lots: int, trade_id: int | None) -> None:
        assert maker is not None
        self.deals.append((maker.number, tick, lots))

    def expired(self, order: Resting) -> None:
        raise AssertionError("crowd orders have no self")


RESTING = [
    # (number, price, lots, retail): asks
    (1, 102, 5, False),
    (2, 101, 5, False),
    (3, 101, 5, False),
    (4, 101, 5, True),
    (5, 103, 5, False),
]


@pytest.mark.parametrize(
    ("limit", "lots", "deals", "left"),
    [
        (101, 5, [(4, 101, 5)], 0),  # Retail stands before API at one price
        (101, 8, [(4, 101, 5), (2, 101, 3)], 0),  # then the older of two
        (101, 20, [(4, 101, 5), (2, 101, 5), (3, 101, 5)], 5),  # nothing beyond the limit
        (102, 18, [(4, 101, 5), (2, 101, 5), (3, 101, 5), (1, 102, 3)], 0),  # better price before time
        (None, 30, [(4, 101, 5), (2, 101, 5), (3, 101, 5), (1, 102, 5), (5, 103, 5)], 5),
        (100, 5, [], 5),
    ],
)
def test_better_price_then_class_then_time(
    limit: int | None, lots: int, deals: list[tuple[int, int, int]], left: int
) -> None:
    book = CentralBook()
    for number, tick, size, retail in RESTING:
        order = Resting(number, SELL, tick, size)
        order.retail = retail
        book.add(order)
    ticker = Ticker(book)
    taker = Resting(99, BUY, limit or 0, lots)
    book.match(taker, limit, None, ticker)
    assert ticker.deals == deals
    assert taker.left == left


@pytest.mark.parametrize(
    ("side", "tick", "lots", "cap", "taken", "allowed"),
    [
        (BUY, 100, 7, 100, (0, 0), 7),
        (BUY, 101, 7, 100, (0, 0), 0),
        (BUY, 102, 7, 101, (5 * 100, 5), 5),  # 5 at 100 and 5 at 102 average 101
        (SELL, 98, 7, 99, (5 * 100, 5), 5),
        (SELL, 101, 7, 100, (0, 0), 7),
    ],
)
def test_average_price_cap(side: Side, tick: int, lots: int, cap: int, taken: tuple[int, int], allowed: int) -> None:
    assert within_cap(side, tick, lots, cap, taken) == allowed


def test_trades_print_at_the_makers_price_with_growing_ids() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 25)
    assert floor.prints() == [("buy", 1001, 10), ("buy", 1002, 10), ("buy", 1003, 5)]
    trades = floor.exchange.trades(TOY)
    assert [trade.id for trade in trades] == sorted((trade.id for trade in trades), reverse=True)
    assert [fill.trade_id for fill in floor.fills(me)] == [str(trade.id) for trade in reversed(trades)]


def test_partial_fill_sequence_is_told_step_by_step() -> None:
    floor = Floor()
    me = floor.account("me")
    order = floor.order(me, BUY, 10, 1000)
    for lots in (3, 4, 3):
        floor.crowd(SELL, 1000, lots, taker=True)
    told = [(int(fact.order.remaining), fact.order.status) for fact in floor.facts(OrderChanged) if fact.order.account == me]
    open_, closed = OrderStatus.OPEN, OrderStatus.CLOSED
    assert told == [(10, OrderStatus.NEW), (10, open_), (7, open_), (3, open_), (0, closed)]
    assert [int(fill.remaining) for fill in floor.fills(me)] == [7, 3, 0]
    assert floor.again(order).cancel_reason == ""
    assert floor.again(order).average_price == Decimal(1000)


def test_a_full_fill_closes_without_a_reason_and_an_ioc_remainder_with_one() -> None:
    floor = Floor().book(levels=1)
    me = floor.account("me")
    order = floor.order(me, BUY, 12, 1001, time_in_force=IOC)
    assert (order.status, int(order.remaining), order.cancel_reason) == (OrderStatus.CLOSED, 2, "IOC_REMAINDER")
    assert floor.size(me) == 10


def test_a_smaller_size_keeps_priority_and_a_larger_one_loses_it() -> None:
    floor = Floor()
    me, you = floor.account("me"), floor.account("you")
    mine = floor.order(me, BUY, 10, 1000)
    yours = floor.order(you, BUY, 10, 1000)
    floor.modify(mine, 8)
    floor.crowd(SELL, 1000, 1, taker=True)
    assert (floor.size(me), floor.size(you)) == (1, 0)
    floor.modify(mine, 9)
    floor.crowd(SELL, 1000, 1, taker=True)
    assert (floor.size(me), floor.size(you)) == (1, 1)
    assert floor.again(mine).remaining == 8
    assert floor.again(yours).remaining == 9


def test_a_modified_price_goes_to_the_back_of_its_new_level_or_trades() -> None:
    floor = Floor().book()
    me = floor.account("me")
    order = floor.order(me, BUY, 5, 998)
    floor.modify(order, 5, 1001)
    assert floor.again(order).status is OrderStatus.CLOSED
    assert floor.size(me) == 5
    changed = [fact.order for fact in floor.facts(OrderChanged) if fact.order.modify]
    assert changed[0].modify is not None
    assert changed[0].modify.status == "SUCCESS"


def test_a_modify_that_risk_refuses_leaves_the_order_alone() -> None:
    floor = Floor()
    me = floor.account("me", 1_000)
    order = floor.order(me, BUY, 5, 1000)
    floor.modify(order, 900)
    after = floor.again(order)
    assert after.modify is not None
    assert (after.modify.status, after.modify.message) == ("REJECTED", "NOT_ENOUGH_MARGIN")
    assert (int(after.size), int(after.remaining), after.status) == (5, 5, OrderStatus.OPEN)
    floor.crowd(SELL, 1000, 5, taker=True)
    assert floor.size(me) == 5


@pytest.mark.parametrize(
    ("stp", "maker_left", "taker_filled"),
    [(SelfTrade.EXPIRE_TAKER, 5, 0), (SelfTrade.EXPIRE_MAKER, None, 5), (SelfTrade.EXPIRE_BOTH, None, 0)],
)
def test_self_trades_never_happen(stp: SelfTrade, maker_left: int | None, taker_filled: int) -> None:
    floor = Floor()
    me = floor.account("me")
    maker = floor.order(me, SELL, 5, 1001)
    floor.crowd(SELL, 1001, 5)
    taker = floor.order(me, BUY, 5, 1001, stp=stp, time_in_force=IOC)
    maker = floor.again(maker)
    if maker_left is None:
        assert (maker.status, maker.cancel_reason) == (OrderStatus.CLOSED, "SELF_TRADE_PREVENTION")
    else:
        assert (maker.status, int(maker.remaining)) == (OrderStatus.OPEN, maker_left)
    assert taker.size - taker.remaining == taker_filled
    assert all(fill.liquidity is Liquidity.TAKER for fill in floor.fills(me))


def test_retail_waits_for_the_speed_bump_on_submit_and_on_cancel() -> None:
    floor = Floor().book()
    me = floor.account("me")
    order = floor.order(me, BUY, 5, 990, fee_class=FeeClass.RETAIL)
    assert order.status is OrderStatus.NEW
    floor.wait(0.299)
    assert floor.again(order).status is OrderStatus.NEW
    floor.wait(0.001)
    assert floor.again(order).status is OrderStatus.OPEN
    assert "INTERACTIVE" in floor.again(order).flags
    floor.cancel(order)
    floor.wait(0.299)
    assert floor.again(order).status is OrderStatus.OPEN
    floor.wait(0.001)
    assert floor.again(order).cancel_reason == "USER_CANCELED"


def test_rpi_is_hidden_from_the_api_book_and_met_by_retail_takers_only() -> None:
    floor = Floor(ExchangeRules(rpi_accounts=frozenset({"maker"}))).book(levels=1)
    maker, pro, retail = floor.account("maker"), floor.account("pro"), floor.account("retail")
    floor.order(maker, SELL, 5, 1000, time_in_force=RPI)
    assert floor.exchange.quote(TOY).ask == 1001
    assert floor.exchange.interactive_quote(TOY).ask == 1000
    assert floor.exchange.interactive_book(TOY, 2).asks == ((Decimal(1000), Decimal(5)), (Decimal(1001), Decimal(10)))
    floor.order(pro, BUY, 1)
    assert floor.fills(pro)[0].price == 1001
    floor.order(retail, BUY, 6, fee_class=FeeClass.RETAIL)
    floor.wait(0.3)
    assert [(int(fill.price), fill.kind) for fill in floor.fills(retail)] == [(1000, FillKind.RPI), (1001, FillKind.FILL)]
    assert floor.fills(retail)[0].flags == ("interactive", "rpi")
    assert floor.fills(retail)[0].fee == 0


def test_market_orders_stop_at_the_average_price_cap() -> None:
    floor = Floor(max_slippage=Decimal("0.001"))
    me = floor.account("me")
    for price in (1000, 1002, 1010):
        floor.crowd(SELL, price, 10)
    order = floor.order(me, BUY, 30)
    # Best ask 1000, cap 1001: ten at 1000 and ten at 1002 average exactly that; nothing at 1010 fits.
    assert (order.size - order.remaining, order.average_price) == (Decimal(20), Decimal(1001))
    assert order.cancel_reason == "SLIPPAGE_LIMIT"
    assert "TARGET_STRATEGY_VWAP" in order.flags


def test_market_orders_stop_at_the_price_band() -> None:
    floor = Floor(price_band=Decimal("0.01"), max_slippage=Decimal("0.5"))
    me = floor.account("me")
    for price in (1000, 1010, 1011):
        floor.crowd(SELL, price, 10)
    assert floor.order(me, BUY, 30).remaining == 10


def test_a_given_vwap_price_replaces_the_default_cap() -> None:
    floor = Floor().book(levels=3)
    me = floor.account("me")
    order = floor.order(me, BUY, 30, vwap_price=Decimal(1001))
    assert order.size - order.remaining == 10


def test_quote_facts_come_only_when_the_best_level_changes() -> None:
    floor = Floor().book()
    before = len(floor.facts(QuoteTouched))
    deep = floor.crowd(BUY, 990, 5)
    assert len(floor.facts(QuoteTouched)) == before
    floor.feed(FlowCancel(TOY, deep))
    assert len(floor.facts(QuoteTouched)) == before
    floor.crowd(BUY, 1000, 5)
    assert len(floor.facts(QuoteTouched)) == before + 1


def test_canceling_a_gone_crowd_order_is_nothing() -> None:
    floor = Floor().book(levels=1)
    floor.feed(FlowCancel(TOY, 1))
    floor.feed(FlowCancel(TOY, 1))
    assert floor.exchange.quote(TOY).bid is None
    assert floor.exchange.quote(TOY).ask == 1001


def test_a_level_shows_what_is_left_when_one_of_its_orders_goes() -> None:
    floor = Floor()
    floor.crowd(BUY, 999, 4)
    crowd = floor.crowd(BUY, 999, 3)
    mine = floor.order(floor.account("me"), BUY, 5, 999)
    assert floor.exchange.quote(TOY).bid_size == 12
    floor.feed(FlowCancel(TOY, crowd))
    assert floor.exchange.quote(TOY).bid_size == 9
    floor.modify(mine, 2)
    assert floor.exchange.quote(TOY).bid_size == 6
    floor.cancel(mine)
    assert floor.exchange.quote(TOY).bid_size == 4
