"""The order that is signed ahead: at hand while a position is protected, released by an exit, never in the way."""

from __future__ import annotations

from typing import Any

import msgspec

from flashscalper.model.commands import ArmOrder, DisarmOrder, ModifyOrder, PlaceOrder, QueryOrder, ReleaseOrder
from flashscalper.model.events import OperatorAction, OrderFound
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side
from flashscalper.model.records import OrderDenied, OrderStateChanged, RoundTripClosed
from flashscalper.strategies.exit_policy import PartialProfit, percent
from flashscalper.trading.orders import OrderState
from flashscalper.trading.saved import read_back, taken_over
from flashscalper.trading.settings import ProtectionSettings, RiskLimits
from tests.trading.stage import ETH, SETTINGS, D, Stage, every, none, one
from tests.trading.test_reconcile import position

AHEAD = msgspec.structs.replace(SETTINGS, protection=ProtectionSettings(signed_ahead=True))


def protected(**settings: Any) -> tuple[Stage, PlaceOrder, PlaceOrder, PlaceOrder]:
    """A stage with a protected long: its entry, its stop, and the closing order that is at hand."""
    stage = Stage(msgspec.structs.replace(AHEAD, **settings))
    entry = stage.enter()
    stop = one(PlaceOrder, stage.fill_whole(entry, 100.01))
    armed = one(ArmOrder, stage.rest_stop(stop)).order
    return stage, entry, stop, armed


def test_a_protected_position_has_its_closing_order_at_hand() -> None:
    stage, entry, stop, armed = protected()
    assert (armed.type, armed.side, armed.size, armed.reduce_only) == (OrderType.MARKET, Side.SELL, entry.size, True)
    assert armed.role is OrderRole.EXIT
    assert armed.client_id not in (entry.client_id, stop.client_id)
    none(ArmOrder, stage.price(100.1) + stage.wait(5.0))


def test_an_exit_releases_it_for_its_reason_and_sends_nothing_else() -> None:
    stage, _, _, armed = protected()
    outputs = stage.price(101.5)
    leaving = one(ReleaseOrder, outputs).order
    assert leaving == msgspec.structs.replace(armed, reason="target")
    none(PlaceOrder, outputs)
    outputs = stage.fill_whole(leaving, 101.5)
    assert one(RoundTripClosed, outputs).exit_reason == "target"
    none(DisarmOrder, stage.wait(1.0))


def test_a_closing_order_that_did_not_close_is_followed_by_an_ordinary_one() -> None:
    stage, _, _, _ = protected()
    leaving = one(ReleaseOrder, stage.price(101.5)).order
    stage.answer(leaving)
    stage.show(leaving, OrderStatus.CLOSED, reason="IOC_NO_LIQUIDITY")
    again = one(PlaceOrder, stage.wait(1.0))
    assert (again.role, again.size) == (OrderRole.EXIT, leaving.size)
    assert again.client_id != leaving.client_id


def test_without_a_position_it_is_thrown_away_and_its_id_is_not_used_again() -> None:
    stage, _, stop, armed = protected()
    outputs = stage.fill(stop, price=99.5)
    assert one(DisarmOrder, outputs).client_id == armed.client_id
    stage.show(stop, OrderStatus.CLOSED, filled=stop.size)
    entry = stage.enter()
    following = one(PlaceOrder, stage.fill_whole(entry, 100.01))
    assert one(ArmOrder, stage.rest_stop(following)).order.client_id not in (armed.client_id, entry.client_id)


def test_another_size_is_armed_under_the_same_id() -> None:
    stage, entry, stop, armed = protected()
    part = D("1")
    stage.fill(stop, part, 99.5)
    left = entry.size - part
    assert one(DisarmOrder, stage.fill(stop, left, 99.5)).client_id == armed.client_id

    stage = Stage(AHEAD)
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, part, 100.01))
    first = one(ArmOrder, stage.rest_stop(stop)).order
    change = one(ModifyOrder, stage.fill(entry, entry.size - part, 100.01))
    none(ArmOrder, stage.answer(entry))
    outputs = stage.show(stop, OrderStatus.UNTRIGGERED, size=change.size)
    second = one(ArmOrder, outputs).order
    assert (first.client_id, first.size, second.size) == (second.client_id, part, entry.size)


def test_a_partial_exit_leaves_it_alone() -> None:
    partial = PartialProfit(at=percent(0.3), share=0.5)
    stage, _, _, armed = protected(exits=msgspec.structs.replace(AHEAD.exits, partial=partial))
    outputs = stage.price(100.5)
    none(ReleaseOrder, outputs)
    leaving = one(PlaceOrder, outputs)
    assert leaving.client_id != armed.client_id
    assert leaving.size < armed.size


def test_a_kill_releases_it() -> None:
    stage, _, _, armed = protected()
    assert one(ReleaseOrder, stage.operator(OperatorAction.KILL)).order.client_id == armed.client_id


def test_it_leaves_at_once_although_the_order_rate_is_used_up() -> None:
    limits = msgspec.structs.replace(AHEAD.risk, max_orders_per_second=2, reserve_share=0.5)
    assert isinstance(limits, RiskLimits)
    stage = Stage(msgspec.structs.replace(AHEAD, risk=limits))
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    armed = one(ArmOrder, stage.rest_stop(stop)).order
    outputs = stage.price(101.5)
    assert one(ReleaseOrder, outputs).order.client_id == armed.client_id
    none(OrderDenied, outputs)


def test_switched_off_nothing_is_signed_ahead() -> None:
    stage = Stage(SETTINGS)
    stage.long()
    assert every(ArmOrder, stage.said) == []
    assert one(PlaceOrder, stage.price(101.5)).role is OrderRole.EXIT


def test_after_a_crash_nobody_knows_whether_it_left_until_the_exchange_says_so() -> None:
    stage, _, _, armed = protected()
    saved = read_back(stage.journal)
    assert saved is not None
    (order,) = [order for order in saved.orders if order.client_id == armed.client_id]
    assert (order.state, order.armed) == (OrderState.UNKNOWN, True)
    assert saved.last_client_id == armed.client_id

    later = Stage(AHEAD, saved=saved, at=stage.now + 60_000_000, ready=False)
    followed = later.engine._floor.orders.get(armed.client_id)
    assert followed is not None
    assert followed.sent_at == later.now, "it may have left until the moment of the crash"
    later.open(positions=(position(stage.size),))
    assert "order_in_doubt" in later.engine._floor.entry_blocks(ETH)
    asked = 0
    for _ in range(20):
        queries = [query for query in every(QueryOrder, later.said) if query.client_id == armed.client_id]
        for query in queries[asked:]:
            later.tell(OrderFound(query.client_id, None))
        asked = len(queries)
        later.wait(1.0)
    ends = [step.after for step in every(OrderStateChanged, later.said) if step.client_id == armed.client_id]
    assert ends == ["dead"]
    none(ReleaseOrder, later.said)


def test_a_second_crash_does_not_make_it_younger() -> None:
    stage, _, _, armed = protected()
    saved = read_back(stage.journal)
    assert saved is not None
    second = taken_over(saved, stage.now + 5_000_000)
    third = read_back([], taken_over(second, stage.now + 9_000_000))
    assert third is not None
    (order,) = [order for order in third.orders if order.client_id == armed.client_id]
    assert (order.state, order.sent_at) == (OrderState.UNKNOWN, stage.now + 5_000_000)


def test_released_or_thrown_away_it_is_no_longer_in_doubt_because_of_arming() -> None:
    stage, _, _, armed = protected()
    stage.price(101.5)
    saved = read_back(stage.journal)
    assert saved is not None
    (order,) = [order for order in saved.orders if order.client_id == armed.client_id]
    assert (order.state, order.armed, order.reason) == (OrderState.UNKNOWN, False, "target")

    stage, _, stop, armed = protected()
    stage.fill(stop, price=99.5)
    saved = read_back(stage.journal)
    assert saved is not None
    assert armed.client_id not in {order.client_id for order in saved.orders}
    assert saved.last_client_id == armed.client_id
