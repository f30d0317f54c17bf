from __future__ import annotations

from decimal import Decimal

import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import TimePassed
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import FillBooked, KlineClosed, OrderStateChanged, RoundTripClosed
from flashscalper.runtime import tally as tally_module
from flashscalper.runtime.tally import Tally

AT = 1_767_225_600_000_000
NOTHING = TimePassed(AT)


def _order(client_id: str) -> PlaceOrder:
    return PlaceOrder(
        client_id=client_id,
        symbol="ETHUSDT",
        side=Side.BUY,
        type=OrderType.MARKET,
        size=Decimal(1),
        role=OrderRole.ENTRY,
        reason="x",
    )


def _step(client_id: str, after: str) -> OrderStateChanged:
    return OrderStateChanged(client_id, "ETHUSDT", OrderRole.ENTRY, "sent", "test", after, AT)


def _fill(key: str, *, fee: str, pnl: str, size_after: str, cash: str, busted: bool = False) -> FillBooked:
    return FillBooked(
        fill_key=key,
        client_id="fs-a-1",
        order_id="1",
        symbol="ETHUSDT",
        side=Side.BUY,
        size=Decimal(1),
        price=Decimal(100),
        fee=Decimal(fee),
        funding=Decimal("0.5"),
        realized_pnl=Decimal(pnl),
        size_after=Decimal(size_after),
        entry_after=Decimal(100),
        cash_after=Decimal(cash),
        role=OrderRole.ENTRY,
        reason="x",
        liquidity="taker",
        filled_at=AT,
        busted=busted,
    )


def test_an_order_counts_once_by_how_it_ended() -> None:
    tally = Tally()
    tally(NOTHING, [_order("fs-a-1"), _order("fs-a-2"), _order("fs-a-3"), _step("fs-a-1", "open")])
    tally(NOTHING, [_step("fs-a-1", "filled"), _step("fs-a-2", "canceled"), _step("fs-a-3", "refused")])
    assert tally.counts()["orders"] == {"sent": 3, "filled": 1, "canceled": 1, "denied": 0, "rejected": 1}


def test_money_is_summed_from_fills_and_a_bust_takes_it_back() -> None:
    tally = Tally()
    tally(NOTHING, [_fill("fill:1", fee="0.1", pnl="2", size_after="1", cash="10000.4")])
    assert (tally.fees, tally.realized_pnl, tally.funding) == (Decimal("0.1"), Decimal(2), Decimal("0.5"))
    assert tally.open_positions == {"ETHUSDT": Decimal(1)}
    tally(NOTHING, [_fill("fill:1", fee="0.1", pnl="2", size_after="0", cash="10000", busted=True)])
    assert tally.fills == 0
    assert (tally.fees, tally.realized_pnl, tally.funding) == (Decimal(0), Decimal(0), Decimal(0))
    assert tally.open_positions == {}
    assert [point.key for point in tally.points] == ["fill:1", "bust:1"]


def test_a_revised_kline_replaces_the_closed_one_and_is_not_counted_again() -> None:
    tally = Tally()
    kline = Kline("ETHUSDT", "5s", AT, AT + 5_000_000, 1.0, 2.0, 0.5, 1.5, 10.0)
    better = Kline("ETHUSDT", "5s", AT, AT + 5_000_000, 1.0, 3.0, 0.5, 1.5, 11.0)
    tally(Trade("ETHUSDT", 1, Side.BUY, 1.0, 1.0, AT), [KlineClosed(kline)])
    tally(NOTHING, [KlineClosed(better, revised=True)])
    assert tally.counts()["klines"] == {"ETHUSDT": {"5s": 1}}
    assert list(tally.klines["ETHUSDT", "5s"]) == [better]
    assert tally.trades == 1


def _trip(reason: str) -> RoundTripClosed:
    zero = Decimal(0)
    return RoundTripClosed("ETHUSDT", PositionSide.LONG, Decimal(1), zero, zero, AT, AT, zero, zero, zero, reason)


def test_orders_and_trips_that_are_forgotten_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "ORDERS_KEPT", 3)
    monkeypatch.setattr(tally_module, "FILLS_OF_LONG_RUNS", 2)
    tally = Tally(for_report=False)
    for number in range(10):
        tally(NOTHING, [_order(f"fs-a-{number}"), _step(f"fs-a-{number}", "open")])
        tally(NOTHING, [_step(f"fs-a-{number}", "filled"), _trip("stop" if number % 2 else "target")])
    counts = tally.counts()
    assert counts["orders"] == {"sent": 10, "filled": 10, "canceled": 0, "denied": 0, "rejected": 0}
    assert (counts["round_trips"], counts["round_trips_by_exit"]) == (10, {"target": 5, "stop": 5})
    assert len(tally.round_trips) == 2


def test_a_long_run_keeps_no_klines_and_no_records_but_counts_them() -> None:
    kline = KlineClosed(Kline("ETHUSDT", "1m", AT, AT + 60_000_000, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1, 0.0, 0.0))
    tally, long = Tally(), Tally(for_report=False)
    fill = _fill("fill:1", fee="0.1", pnl="0", size_after="1", cash="99.9")
    for one in (tally, long):
        one(NOTHING, [kline, KlineClosed(kline.kline, revised=True), _step("fs-a-1", "open"), fill])
    assert long.counts() == tally.counts()
    assert (len(tally.klines), len(tally.records), len(tally.points)) == (1, 2, 1)
    assert (len(long.klines), len(long.records), len(long.points), len(long.booked)) == (0, 0, 0, 1)
