"""How our orders fill against a recording: shown size, queues, trade-through; nothing of ours in the public data."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flashscalper.model.events import ExchangeStatus
from flashscalper.model.fills import Liquidity
from flashscalper.model.orders import OrderStatus, Side
from flashscalper.simulator.facts import BookTouched, QuoteTouched
from flashscalper.simulator.feeds.base import FlowOrder, RecordedDepth, RecordedQuote, RecordedTrade
from tests.simulator.floor import BUY, IOC, POST_ONLY, SELL, TOY, Floor


class Tape(Floor):
    """A floor whose book is a recording."""

    def __init__(self) -> None:
        super().__init__(recorded=True)
        self.trade_id = 0

    def quote(self, bid: int = 999, bid_lots: int = 10, ask: int = 1001, ask_lots: int = 10) -> Tape:
        self.feed(RecordedQuote(TOY, bid, bid_lots, ask, ask_lots))
        return self

    def depth(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], *, snapshot: bool = True) -> Tape:
        self.feed(RecordedDepth(TOY, snapshot, tuple(bids), tuple(asks)))
        return self

    def trade(self, side: Side, price: int, lots: int) -> None:
        self.trade_id += 1
        self.feed(RecordedTrade(TOY, self.trade_id, side, price, lots, self.now))


def shown_book() -> Tape:
    return Tape().quote().depth([(999, 7), (998, 20), (997, 30)], [(1001, 7), (1002, 20), (1003, 30)])


def test_the_best_quote_overrules_the_depth_at_and_inside_its_price() -> None:
    tape = shown_book()
    book = tape.exchange.book(TOY, 10)
    assert [(int(price), int(size)) for price, size in book.bids] == [(999, 10), (998, 20), (997, 30)]
    tape.quote(bid=998, bid_lots=4, ask=1003, ask_lots=1)
    book = tape.exchange.book(TOY, 10)
    assert [(int(price), int(size)) for price, size in book.bids] == [(998, 4), (997, 30)]
    assert [(int(price), int(size)) for price, size in book.asks] == [(1003, 1)]
    tape.depth([(997, 0), (996, 5)], [(1004, 6)], snapshot=False)
    book = tape.exchange.book(TOY, 2)
    assert [(int(price), int(size)) for price, size in book.bids] == [(998, 4), (996, 5)]
    assert [(int(price), int(size)) for price, size in book.asks] == [(1003, 1), (1004, 6)]


def test_a_taker_eats_the_shown_size_which_stays_eaten_until_the_level_changes() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 12)
    assert [(int(fill.price), int(fill.size)) for fill in tape.fills(me)] == [(1001, 10), (1002, 2)]
    tape.order(me, BUY, 1)
    tape.quote()  # nothing changed
    tape.order(me, BUY, 1)
    assert [int(fill.price) for fill in tape.fills(me)[2:]] == [1002, 1002]
    tape.quote(ask_lots=9)
    tape.order(me, BUY, 10)
    assert [(int(fill.price), int(fill.size)) for fill in tape.fills(me)[4:]] == [(1001, 9), (1002, 1)]


def test_a_level_that_shrank_and_grew_back_is_fresh() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 10)
    tape.quote(ask_lots=9)
    tape.quote(ask_lots=10)
    tape.order(me, BUY, 10)
    assert {int(fill.price) for fill in tape.fills(me)} == {1001}


@pytest.mark.parametrize(
    ("trades", "filled"),
    [
        ([(SELL, 999, 10)], 0),  # the queue ahead has traded, we are next
        ([(SELL, 999, 10), (SELL, 999, 2)], 2),
        ([(SELL, 999, 11)], 1),  # one trade may do both
        ([(SELL, 999, 100)], 5),
        ([(BUY, 999, 100)], 0),  # a buyer at our price took somebody's offer
        ([(SELL, 998, 1)], 5),  # trade-through fills all of it
        ([(BUY, 998, 1)], 5),
        ([(SELL, 1000, 100)], 0),
    ],
)
def test_a_maker_fills_after_the_queue_ahead_has_traded_or_on_trade_through(
    trades: list[tuple[Side, int, int]], filled: int
) -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 5, 999, time_in_force=POST_ONLY)
    for trade in trades:
        tape.trade(*trade)
    assert tape.size(me) == filled
    assert all(fill.liquidity is Liquidity.MAKER and fill.price == 999 for fill in tape.fills(me))


def test_a_sells_queue_mirrors_a_buys() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, SELL, 5, 1002)
    tape.trade(BUY, 1002, 23)
    assert tape.size(me) == -3
    assert tape.fills(me)[0].trade_id == "1"
    tape.trade(SELL, 1003, 1)
    assert tape.size(me) == -5


def test_the_queue_is_never_longer_than_what_is_still_shown() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 5, 999)
    tape.quote(bid_lots=3)
    tape.quote(bid_lots=50)
    tape.trade(SELL, 999, 4)
    assert tape.size(me) == 1


def test_inside_the_spread_there_is_no_queue_and_two_orders_of_ours_share_a_trade_in_order() -> None:
    tape = shown_book()
    me = tape.account("me")
    first = tape.order(me, BUY, 5, 1000)
    second = tape.order(me, BUY, 5, 1000)
    tape.trade(SELL, 1000, 7)
    assert [int(tape.again(order).remaining) for order in (first, second)] == [0, 3]


def test_an_opposite_quote_that_reaches_our_price_fills_as_far_as_it_goes() -> None:
    tape = shown_book()
    me = tape.account("me")
    order = tape.order(me, BUY, 5, 1000)
    tape.quote(bid=998, ask=1000, ask_lots=3)
    assert tape.again(order).remaining == 2
    tape.quote(bid=998, ask=1000, ask_lots=3)
    assert tape.again(order).remaining == 2, "the same offer is not met twice"
    tape.quote(bid=998, ask=999, ask_lots=3)
    assert tape.again(order).status is OrderStatus.CLOSED
    assert {fill.price for fill in tape.fills(me)} == {Decimal(1000)}


def test_nothing_of_ours_is_shown_or_printed() -> None:
    tape = shown_book()
    me = tape.account("me")
    touched = len(tape.facts(BookTouched)), len(tape.facts(QuoteTouched))
    tape.order(me, BUY, 5, 1000)
    tape.order(me, SELL, 5)
    assert tape.size(me) == -5, "our own orders do not meet"
    assert (len(tape.facts(BookTouched)), len(tape.facts(QuoteTouched))) == touched
    assert tape.exchange.quote(TOY).bid == 999
    assert tape.prints() == []
    assert tape.fills(me)[0].trade_id == ""


def test_limits_caps_and_ioc_hold_on_a_recording_too() -> None:
    tape = shown_book()
    me = tape.account("me")
    order = tape.order(me, BUY, 40, 1002, time_in_force=IOC)
    assert (int(order.remaining), order.cancel_reason) == (10, "IOC_REMAINDER")
    assert tape.order(me, BUY, 5, vwap_price=Decimal(1002)).cancel_reason == "SLIPPAGE_LIMIT"
    assert tape.order(me, BUY, 1, 1001, time_in_force=POST_ONLY).cancel_reason == "POST_ONLY_WOULD_CROSS"


def test_mark_and_index_are_the_mid_and_stops_follow_it() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 5)
    stop = tape.stop(me, SELL, 5, 990)
    summary = tape.exchange.summary(TOY)
    assert summary.mark == summary.index == 1000
    tape.quote(bid=988, ask=991)
    assert tape.exchange.summary(TOY).mark == Decimal("989.5")
    assert tape.again(stop).status is OrderStatus.CLOSED
    assert tape.fills(me)[-1].price == 988


def test_a_paused_exchange_fills_nothing_but_goes_on_showing() -> None:
    tape = shown_book()
    me = tape.account("me")
    tape.order(me, BUY, 5, 999)
    tape.exchange.set_status(ExchangeStatus.MAINTENANCE, tape.now)
    tape.trade(SELL, 990, 5)
    assert tape.size(me) == 0
    assert tape.exchange.trades(TOY)[0].price == 990


def test_canceling_takes_an_order_out_of_its_queue_and_shrinking_keeps_its_place() -> None:
    tape = shown_book()
    me = tape.account("me")
    gone, kept = tape.order(me, BUY, 5, 999), tape.order(me, BUY, 5, 999)
    tape.cancel(gone)
    tape.trade(SELL, 999, 10)
    tape.modify(kept, 2)
    tape.trade(SELL, 999, 100)
    assert tape.size(me) == 2


def test_recorded_events_are_refused_by_a_matched_market_and_flow_by_nobody() -> None:
    floor = Floor()
    with pytest.raises(TypeError, match="matched market"):
        floor.feed(RecordedTrade(TOY, 1, BUY, 1, 1, floor.now))
    floor.feed(FlowOrder(TOY, 1, BUY, 999, 1))
    assert floor.exchange.quote(TOY).bid == 999
