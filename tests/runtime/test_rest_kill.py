"""What the kill switch takes for ours when no process of ours runs: from a journal, or from nothing but the exchange."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.fills import Fill, Liquidity
from flashscalper.model.orders import Order, OrderStatus, OrderType, Side
from flashscalper.model.positions import ExchangePosition
from flashscalper.runtime.rest_kill import our_sizes
from flashscalper.trading.positions import BookedFill
from flashscalper.trading.saved import SavedState

D = Decimal
ETH = "ETHUSDT"


def held(size: str) -> ExchangePosition:
    return ExchangePosition(symbol=ETH, size=D(size), entry_price=D(100), updated_at=1)


def stop(size: str, side: Side = Side.SELL, *, client_id: str = "fs-a-2", reduce_only: bool = True) -> Order:
    return Order(
        symbol=ETH, client_id=client_id, order_id="x2", side=side, type=OrderType.STOP_MARKET, size=D(size),
        remaining=D(size), status=OrderStatus.UNTRIGGERED, trigger_price=D(90), reduce_only=reduce_only,
    )  # fmt: skip


def fill(size: str, side: Side, number: int = 1) -> Fill:
    return Fill(
        id=str(number), order_id="x1", client_id="fs-a-1", symbol=ETH, side=side, liquidity=Liquidity.TAKER, price=D(100),
        size=D(size), fee=D(0), filled_at=1,
    )  # fmt: skip


def test_without_a_journal_a_stop_vouches_for_a_position_that_is_older_than_the_fills_read() -> None:
    assert our_sizes(None, [], [held("2")], [stop("2")]) == {ETH: D(2)}
    assert our_sizes(None, [], [held("-2")], [stop("2", Side.BUY)]) == {ETH: D(-2)}
    assert our_sizes(None, [], [held("5")], [stop("2")]) == {ETH: D(2)}, "the rest is somebody else's"
    assert our_sizes(None, [], [held("1")], [stop("2")]) == {ETH: D(1)}, "never more than the exchange holds"


def test_fills_of_today_that_closed_a_part_do_not_hide_what_is_left_of_yesterday() -> None:
    assert our_sizes(None, [fill("1", Side.SELL)], [held("2")], [stop("2")]) == {ETH: D(2)}


def test_fills_count_where_the_stop_is_smaller_or_was_not_placed_yet() -> None:
    assert our_sizes(None, [fill("3", Side.BUY)], [held("3")], [stop("2")]) == {ETH: D(3)}
    assert our_sizes(None, [fill("3", Side.BUY)], [held("3")], []) == {ETH: D(3)}


def test_what_this_kill_closed_already_is_not_taken_from_what_is_somebody_elses() -> None:
    closed = [fill("2", Side.SELL)]
    assert our_sizes(None, closed, [held("3")], [stop("2")], "fs-a") == {}
    part = [fill("0.5", Side.SELL)]
    assert our_sizes(None, part, [held("4.5")], [stop("2")], "fs-a") == {ETH: D("1.5")}


def test_stops_of_others_of_the_wrong_side_or_that_could_open_vouch_for_nothing() -> None:
    others = [stop("2", client_id="by-hand"), stop("2", Side.BUY), stop("2", reduce_only=False)]
    assert our_sizes(None, [], [held("2")], others) == {}


def test_with_a_journal_only_its_fold_counts() -> None:
    flat = SavedState(saved_at=1)
    assert our_sizes(flat, [], [held("2")], [stop("2")]) == {}, "somebody else's position, a stop left over"
    known = SavedState(saved_at=1, fills=(BookedFill(fill=fill("1", Side.BUY)),))
    assert our_sizes(known, [], [held("2")], [stop("2")]) == {ETH: D(1)}
    assert our_sizes(known, [fill("1", Side.BUY)], [held("2")], []) == {ETH: D(1)}, "the same fill twice is one"
