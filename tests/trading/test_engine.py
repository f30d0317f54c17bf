from __future__ import annotations

import msgspec
import pytest

from flashscalper.model.commands import CancelOrder, PlaceOrder
from flashscalper.model.klines import Trade
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.model.records import FillBooked, ProtectionChanged, RoundTripClosed, SignalJudged
from flashscalper.strategies.exit_policy import Trailing, percent
from tests.trading.stage import ETH, SETTINGS, D, Stage, every, none, one, signal


def test_a_signal_becomes_entry_stop_exit_and_flat_again() -> None:
    stage = Stage()
    stage.told[ETH].next.append(signal())
    outputs = stage.kline()
    judged = one(SignalJudged, outputs)
    entry = one(PlaceOrder, outputs)
    assert judged.outcome == "entered"
    assert judged.client_id == entry.client_id
    assert outputs.index(judged) < outputs.index(entry)
    assert (entry.side, entry.type, entry.time_in_force) == (Side.BUY, OrderType.LIMIT, TimeInForce.IOC)
    assert entry.price == D("100.06")

    stop = one(PlaceOrder, stage.fill_whole(entry, 100.01))
    assert (stop.type, stop.side, stop.size, stop.reduce_only) == (OrderType.STOP_MARKET, Side.SELL, entry.size, True)
    assert stop.role is OrderRole.STOP
    assert stop.trigger_price == D("99.50")
    assert stage.protection == "stop_sent"
    assert one(ProtectionChanged, stage.rest_stop(stop)).after == "protected"

    leaving = one(PlaceOrder, stage.price(101.5))
    assert (leaving.type, leaving.role, leaving.reduce_only) == (OrderType.MARKET, OrderRole.EXIT, True)
    assert leaving.reason == "target"
    outputs = stage.fill_whole(leaving, 101.49)
    trip = one(RoundTripClosed, outputs)
    assert trip.exit_reason == "target"
    assert trip.entry_reasons == ("told so",)
    assert one(CancelOrder, outputs).client_id == stop.client_id
    stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED")

    status = stage.engine.status()
    assert status.markets[0].position is None
    assert status.open_orders == 0
    assert status.cash == D(10_000) + trip.pnl
    booked = every(FillBooked, stage.said)
    assert booked[-1].cash_after == status.cash
    assert (status.sent, status.filled, status.canceled, status.round_trips) == (3, 2, 1, 1)


def test_no_entry_before_the_account_was_read() -> None:
    stage = Stage(ready=False)
    stage.told[ETH].next.append(signal())
    stage.price(100.0)
    outputs = stage.wait(3.0)
    none(PlaceOrder, outputs)
    assert one(SignalJudged, outputs).denied_by == "trading_state"


@pytest.mark.parametrize(("late_s", "leaves"), [(0.0, True), (1.5, False)])
def test_a_print_below_the_bid_that_is_newer_than_the_quote_counts_while_it_is_new(late_s: float, leaves: bool) -> None:
    trailing = Trailing(activation=percent(0.2), distance=percent(0.1))
    stage = Stage(msgspec.structs.replace(SETTINGS, exits=msgspec.structs.replace(SETTINGS.exits, trailing=trailing)))
    stage.long()
    none(PlaceOrder, stage.price(100.5))
    stage.trade_id += 1
    outputs = stage.tell(Trade(ETH, stage.trade_id, Side.SELL, 100.2, 1.0, stage.now), after_s=late_s)
    assert [order.reason for order in every(PlaceOrder, outputs)] == (["trailing"] if leaves else [])


def test_a_print_from_before_the_quote_counts_for_nothing() -> None:
    trailing = Trailing(activation=percent(0.2), distance=percent(0.1))
    stage = Stage(msgspec.structs.replace(SETTINGS, exits=msgspec.structs.replace(SETTINGS.exits, trailing=trailing)))
    stage.long()
    stage.price(100.5)
    stage.trade_id += 1
    none(PlaceOrder, stage.tell(Trade(ETH, stage.trade_id, Side.SELL, 100.2, 1.0, stage.now - 1)))


def test_a_print_beside_the_book_closes_nothing() -> None:
    stage = Stage()
    stage.long()
    for price in (90.0, 110.0):
        stage.trade_id += 1
        none(PlaceOrder, stage.tell(Trade(ETH, stage.trade_id, Side.BUY, price, 1.0, stage.now)))
    assert stage.protection == "protected"
    assert one(PlaceOrder, stage.price(101.5)).reason == "target"
