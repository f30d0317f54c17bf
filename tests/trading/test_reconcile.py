from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder, QueryOrder, Reconcile
from flashscalper.model.events import FillBusted, FillReported, OperatorAction, PositionUpdate, StreamChanged
from flashscalper.model.fills import FillKind
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side
from flashscalper.model.positions import ExchangePosition
from flashscalper.model.records import FillBooked, Note, Reconciled, RoundTripClosed, SignalJudged
from tests.trading.stage import ETH, START, D, Stage, every, fill_of, none, one, shown, signal


def position(size: Decimal | str, at: int = START) -> ExchangePosition:
    return ExchangePosition(symbol=ETH, size=D(size), entry_price=D(100), updated_at=at)


def old_order(number: int, **changed: object) -> PlaceOrder:
    fields: dict[str, object] = {
        "client_id": f"fs-t85000-{number}", "symbol": ETH, "side": Side.BUY, "type": OrderType.LIMIT, "size": D(2),
        "price": D(100), "role": OrderRole.ENTRY, "reason": "entry", **changed,
    }  # fmt: skip
    return PlaceOrder(**fields)  # type: ignore[arg-type]


def denied(stage: Stage) -> str:
    stage.told[ETH].next.append(signal())
    outputs = stage.kline()
    judged = every(SignalJudged, outputs)
    if not judged:
        judged = every(SignalJudged, stage.kline())
    return "; ".join(gate.seen for gate in judged[-1].gates if not gate.passed)


def test_the_account_is_read_when_its_stream_is_ready_once_more_soon_after_and_every_15_seconds() -> None:
    """The first read may be from before the interruption: a stop that is gone would be missed until the next one."""
    stage = Stage(ready=False)
    stage.tell(StreamChanged("market", ready=True))
    one(Reconcile, stage.tell(StreamChanged("account", ready=True)))
    stage.snapshot()
    none(Reconcile, stage.wait(1.9))
    one(Reconcile, stage.wait(0.2))
    stage.snapshot()
    none(Reconcile, stage.wait(14.8))
    one(Reconcile, stage.wait(0.3))
    stage.tell(StreamChanged("account", ready=False, reason="cut"))
    one(Reconcile, stage.tell(StreamChanged("account", ready=True)))
    stage.snapshot()
    one(Reconcile, stage.wait(2.1))
    stage.snapshot()
    none(Reconcile, stage.wait(14.8))


def test_a_start_reads_the_account_without_its_stream() -> None:
    """A position of an earlier run is looked after although no socket can be had; nothing is opened."""
    stage = Stage(ready=False)
    none(Reconcile, stage.wait(1.9))
    one(Reconcile, stage.wait(0.2))
    stage.snapshot()
    assert "not_reconciled" in stage.engine.status().reasons[0]
    one(Reconcile, stage.wait(2.1))


def test_the_read_of_a_start_is_not_asked_twice_when_the_stream_is_there() -> None:
    stage = Stage(ready=False)
    stage.tell(StreamChanged("market", ready=True))
    one(Reconcile, stage.tell(StreamChanged("account", ready=True)))
    none(Reconcile, stage.wait(5.0))


def test_after_a_reconnect_nothing_is_opened_before_the_account_was_read_again() -> None:
    stage = Stage()
    stage.tell(StreamChanged("account", ready=False, reason="cut"))
    assert stage.engine.status().state == "reducing"
    one(Reconcile, stage.tell(StreamChanged("account", ready=True)))
    assert "not_reconciled" in denied(stage)
    stage.snapshot()
    assert stage.engine.status().state == "active"


def test_while_the_stream_is_down_the_account_is_read_every_two_seconds() -> None:
    stage = Stage()
    stage.tell(StreamChanged("account", ready=False, reason="cut"))
    one(Reconcile, stage.wait(2.1))
    stage.snapshot()
    assert stage.engine.status().state == "reducing"
    one(Reconcile, stage.wait(2.1))


def test_a_failed_read_is_no_information_and_is_tried_again() -> None:
    stage = Stage()
    stage.long()
    stage.snapshot(failed="positions: time-out")
    assert stage.size > ZERO
    assert stage.engine._floor.foreign == {}
    one(Reconcile, stage.wait(1.1))


def test_a_read_without_an_answer_is_tried_again() -> None:
    stage = Stage()
    one(Reconcile, stage.wait(2.1))
    one(Reconcile, stage.wait(12.1))


def test_one_read_that_differs_blocks_the_market_and_a_second_equal_one_makes_it_foreign() -> None:
    stage = Stage()
    stage.wait(15.0)
    stage.snapshot(positions=(position("3"),))
    assert stage.engine._floor.foreign == {}
    assert "mismatch" in denied(stage)
    one(Reconcile, stage.said[-3:] if every(Reconcile, stage.said[-3:]) else stage.wait(1.1))
    stage.snapshot(positions=(position("3"),))
    assert stage.engine._floor.foreign == {ETH: D(3)}
    assert "foreign_exposure: 3 is not ours" in denied(stage)
    assert one(
        Reconciled, [stage.said[-1]] if isinstance(stage.said[-1], Reconciled) else every(Reconciled, stage.said)[-1:]
    )


def test_two_reads_less_than_a_second_apart_are_one() -> None:
    stage = Stage()
    stage.snapshot(positions=(position("3"),))
    stage.wait(0.5)
    stage.snapshot(positions=(position("3"),))
    assert stage.engine._floor.foreign == {}


def test_a_position_that_was_filled_while_it_was_read_is_no_difference() -> None:
    """Seed 9636: the answer took five seconds; what it showed was bought before and sold meanwhile."""
    stage = Stage()
    stage.long()
    held = stage.size
    stage.wait(1.0)
    asked_at = stage.now
    leaving = one(PlaceOrder, stage.operator(OperatorAction.FLATTEN))
    stage.wait(0.5)
    stage.fill_whole(leaving, 100.0)
    assert stage.size == ZERO
    for ago in (SECOND_US, 0):
        stage.wait(1.2)
        stage.snapshot(positions=(position(held),), asked_at=asked_at - ago)
    assert stage.engine._floor.foreign == {}
    one(Reconcile, stage.wait(1.1))
    stage.snapshot()
    assert stage.engine._floor.foreign == {}


def test_a_difference_that_was_only_late_is_forgotten() -> None:
    stage = Stage()
    stage.snapshot(positions=(position("3"),))
    stage.wait(1.1)
    stage.snapshot()
    assert denied(stage) == ""


def test_foreign_exposure_is_left_alone_and_ours_keeps_its_stop() -> None:
    stage = Stage()
    _, stop = stage.long()
    size = stage.size
    for _ in range(2):
        stage.wait(1.1)
        stage.snapshot(positions=(position(size + 5),), orders=(shown(stop, OrderStatus.UNTRIGGERED, stage.now),))
    assert stage.engine._floor.foreign == {ETH: D(5)}
    assert stage.protection == "protected"
    outputs = stage.operator(OperatorAction.FLATTEN)
    assert one(CancelOrder, outputs).client_id == stop.client_id
    none(PlaceOrder, outputs)
    leaving = one(PlaceOrder, stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED"))
    assert (leaving.size, leaving.reduce_only) == (size, True)


def test_a_stop_that_fills_while_it_is_taken_back_beside_foreign_exposure_is_the_only_exit() -> None:
    stage = Stage()
    _, stop = stage.long()
    for _ in range(2):
        stage.wait(1.1)
        stage.snapshot(positions=(position(stage.size + 5),), orders=(shown(stop, OrderStatus.UNTRIGGERED, stage.now),))
    stage.operator(OperatorAction.FLATTEN)
    none(PlaceOrder, stage.show(stop, OrderStatus.CLOSED, filled=stop.size))
    none(PlaceOrder, stage.fill(stop, price=99.0))
    assert stage.size == ZERO


def test_an_entry_order_of_an_earlier_run_blocks_its_market_until_it_is_gone() -> None:
    stage = Stage()
    stray = old_order(7, price=D(90))
    assert one(CancelOrder, stage.show(stray, OrderStatus.OPEN)).client_id == stray.client_id
    assert "entry_in_flight" in denied(stage)
    stage.show(stray, OrderStatus.CLOSED, reason="USER_CANCELED")
    assert denied(stage) == ""


def test_foreign_exposure_that_nets_ours_away_leaves_nothing_to_protect() -> None:
    stage = Stage()
    stage.long()
    for _ in range(2):
        stage.wait(1.1)
        stage.snapshot(positions=())
    none(PlaceOrder, stage.wait(3.0))
    assert stage.engine._floor.own_size(ETH) == ZERO


def test_an_order_that_a_read_does_not_list_is_asked_about() -> None:
    stage = Stage()
    _, stop = stage.long()
    stage.wait(2.0)
    outputs = stage.snapshot(positions=(position(stage.size),))
    assert one(QueryOrder, outputs).client_id == stop.client_id


def test_a_stop_that_was_confirmed_just_before_the_read_is_asked_about_as_well() -> None:
    stage = Stage()
    _, stop = stage.long()
    stage.wait(0.1)
    assert one(QueryOrder, stage.snapshot(positions=(position(stage.size),))).client_id == stop.client_id


def test_a_read_older_than_the_order_says_nothing_about_it() -> None:
    stage = Stage()
    asked_at = stage.now
    stage.long()
    none(QueryOrder, stage.snapshot(positions=(position(stage.size),), asked_at=asked_at))


def test_fills_that_the_stream_lost_are_booked_from_the_read_once() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    missed = fill_of(entry, 5, stage.now, size=D("1"))
    outputs = stage.snapshot(
        fills=(missed,), positions=(position("1"),), orders=(shown(entry, OrderStatus.OPEN, stage.now),)
    )
    assert one(FillBooked, outputs).size_after == D("1")
    assert one(PlaceOrder, outputs).role is OrderRole.STOP
    none(FillBooked, stage.tell(FillReported(missed)))


def test_a_person_closing_our_position_gives_a_round_trip_and_no_foreign_exposure() -> None:
    stage = Stage()
    entry, stop = stage.long()
    click = msgspec.structs.replace(
        fill_of(entry, 50, stage.now, price=99.0), client_id="", order_id="y", side=Side.SELL, id="000000050"
    )
    outputs = stage.tell(FillReported(click))
    trip = one(RoundTripClosed, outputs)
    assert trip.exit_reason == "external"
    assert one(FillBooked, outputs).foreign
    assert stage.engine._floor.foreign == {}
    assert one(CancelOrder, outputs).client_id == stop.client_id


def test_a_liquidation_is_booked_to_the_position_it_closes() -> None:
    stage = Stage()
    entry, _ = stage.long()
    taken = msgspec.structs.replace(
        fill_of(entry, 50, stage.now, price=98.0), client_id="", order_id="", side=Side.SELL, kind=FillKind.LIQUIDATION
    )
    assert one(RoundTripClosed, stage.tell(FillReported(taken))).exit_reason == "liquidation"


def test_a_person_trading_more_than_we_hold_makes_the_rest_foreign() -> None:
    stage = Stage()
    entry, _ = stage.long()
    click = msgspec.structs.replace(
        fill_of(entry, 50, stage.now, price=99.0, size=entry.size + 3), client_id="by-hand", order_id="y", side=Side.SELL
    )
    stage.tell(FillReported(click))
    assert stage.size == ZERO
    assert stage.engine._floor.foreign == {ETH: D(-3)}


def test_a_position_on_the_stream_that_does_not_fit_leads_to_a_read() -> None:
    stage = Stage()
    stage.tell(PositionUpdate(position("1", stage.now)))
    none(Reconcile, stage.wait(0.4))
    one(Reconcile, stage.wait(0.2))


def test_a_busted_fill_is_taken_back_and_the_market_rests_until_the_account_agrees() -> None:
    stage = Stage()
    entry, stop = stage.long()
    outputs = stage.tell(FillBusted("000000001", stage.now))
    record = one(FillBooked, outputs)
    assert (record.busted, record.size_after) == (True, ZERO)
    assert record.cash_after == D(10_000)
    assert one(CancelOrder, outputs).client_id == stop.client_id
    assert "fill_busted" in denied(stage)
    stage.snapshot()
    assert denied(stage) == ""
    assert entry.size > ZERO


def test_a_bust_of_a_fill_that_is_not_kept_is_said_once_and_the_reads_settle_it() -> None:
    stage = Stage()
    entry, _ = stage.long()
    foreign = msgspec.structs.replace(fill_of(entry, 50, stage.now, size=D("3")), client_id="by-hand", order_id="y")
    stage.tell(FillReported(foreign))
    assert stage.engine._floor.foreign == {ETH: D(3)}
    (note,) = every(Note, stage.tell(FillBusted(foreign.id, stage.now)))
    assert (note.code, "taken back" in note.text) == ("bust_not_kept", True)
    assert every(Note, stage.tell(FillBusted(foreign.id, stage.now))) == []
    for _ in range(2):
        stage.snapshot(positions=(position(stage.size),), orders=())
        stage.wait(1.1)
    assert stage.engine._floor.foreign == {}


def test_a_fill_taken_back_before_it_was_seen_is_not_waited_for() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.tell(FillBusted("000000001", stage.now))
    stage.show(entry, OrderStatus.CLOSED, filled=entry.size)
    assert "order_in_doubt" in denied(stage)
    for _ in range(2):
        outputs = stage.snapshot(fills=(fill_of(entry, 1, stage.now),))
        none(FillBooked, outputs)
    assert stage.engine._floor.orders.all_active() == []
    assert denied(stage) == ""


def test_with_an_empty_journal_our_prefix_rebuilds_orders_and_position() -> None:
    stage = Stage(ready=False, cash=None)
    entry = old_order(1)
    stop = old_order(
        2,
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        price=None,
        trigger_price=D("99.2"),
        reduce_only=True,
        role=OrderRole.STOP,
    )
    stray = old_order(3, price=D(90))
    fill = fill_of(entry, 1, START - 60_000_000)
    orders: tuple[Order, ...] = (
        shown(stop, OrderStatus.UNTRIGGERED, START - 1),
        shown(stray, OrderStatus.OPEN, START - 1),
    )
    stage.tell(StreamChanged("market", ready=True))
    reading = one(Reconcile, stage.tell(StreamChanged("account", ready=True)))
    assert reading.fills_since <= START - 3_600_000_000
    outputs = stage.snapshot(fills=(fill,), orders=orders, positions=(position("2"),), cash=D("9999.91"))
    assert one(CancelOrder, outputs).client_id == stray.client_id
    assert stage.size == D(2)
    status = stage.engine.status()
    assert status.markets[0].position is not None
    assert status.markets[0].position.stop_price == D("99.2")
    assert status.cash == D("9999.91"), "the fee of the rebuilt fill is in the balance already"
    none(PlaceOrder, outputs)


def test_a_rebuilt_stop_is_never_loosened() -> None:
    stage = Stage(ready=False)
    entry = old_order(1)
    tight = old_order(
        2,
        side=Side.SELL,
        type=OrderType.STOP_MARKET,
        price=None,
        trigger_price=D("99.9"),
        reduce_only=True,
        role=OrderRole.STOP,
    )
    stage.tell(StreamChanged("market", ready=True))
    stage.tell(StreamChanged("account", ready=True))
    outputs = stage.snapshot(
        fills=(fill_of(entry, 1, START - 60_000_000),), orders=(shown(tight, OrderStatus.UNTRIGGERED, START - 1),),
        positions=(position("2"),),
    )  # fmt: skip
    none(ModifyOrder, outputs + stage.wait(5.0))


def test_fills_of_ours_that_the_exchange_contradicts_are_dropped_not_traded_on() -> None:
    stage = Stage(ready=False)
    stage.tell(StreamChanged("market", ready=True))
    stage.tell(StreamChanged("account", ready=True))
    closing_half = old_order(1, side=Side.SELL)
    for _ in range(2):
        stage.snapshot(fills=(fill_of(closing_half, 1, START - 60_000_000),))
        stage.wait(1.1)
    assert stage.size == ZERO
    assert stage.engine._floor.foreign == {}
    assert "rebuild_dropped" in {note.code for note in every(Note, stage.said)}
    none(PlaceOrder, stage.said)


def test_a_foreign_position_at_the_start_is_not_adopted() -> None:
    stage = Stage(ready=False)
    stage.tell(StreamChanged("market", ready=True))
    stage.tell(StreamChanged("account", ready=True))
    for _ in range(2):
        stage.snapshot(positions=(position("-4"),))
        stage.wait(1.1)
    stage.price(100.0)
    assert stage.engine._floor.foreign == {ETH: D(-4)}
    none(PlaceOrder, stage.said)
    assert "foreign_exposure" in denied(stage)
