from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder, QueryOrder
from flashscalper.model.events import (
    ExchangeStatus,
    ExchangeStatusChanged,
    MarkPrice,
    OrderFound,
    RequestKind,
    RequestOutcome,
    Verdict,
)
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import OrderDenied, ProtectionChanged, RoundTripClosed
from flashscalper.strategies.exit_policy import ExitPolicy, PartialProfit, Trailing, percent
from flashscalper.trading.settings import ProtectionSettings
from tests.trading.stage import ETH, SETTINGS, D, Stage, every, none, one, shown

REPLACED = msgspec.structs.replace


def grown() -> tuple[Stage, PlaceOrder, ModifyOrder]:
    """A position of 1.5 with its stop, which has just become 2.5: the stop, and the change that was asked for."""
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, D("1.5"), 100.01))
    stage.rest_stop(stop)
    return stage, stop, one(ModifyOrder, stage.fill(entry, D("1"), 100.01))


def test_the_stop_follows_every_fill_of_the_entry() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, D("1.5"), 100.01))
    assert stop.size == D("1.5")
    none(ModifyOrder, stage.fill(entry, D("1"), 100.02))
    larger = one(ModifyOrder, stage.rest_stop(stop))
    assert (larger.client_id, larger.size) == (stop.client_id, D("2.5"))
    assert larger.trigger_price == D("99.51"), "the average entry is higher, so is the stop"
    assert stage.protection == "stop_sent"
    stage.show(stop, OrderStatus.UNTRIGGERED, size=D("2.5"), trigger_price=D("99.51"))
    assert stage.protection == "protected"


def test_a_short_is_protected_above() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(PositionSide.SHORT), 99.99))
    assert (stop.side, stop.trigger_price) == (Side.BUY, D("100.49"))


@pytest.mark.parametrize("code", ["VALIDATION_ERROR", "INVALID_ORDER_SIZE", "STOP_WOULD_TRIGGER"])
def test_a_refused_stop_closes_the_position_at_the_market(code: str) -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    leaving = one(PlaceOrder, stage.answer(stop, Verdict.REJECTED, code))
    assert (leaving.type, leaving.role, leaving.reduce_only, leaving.reason) == (
        OrderType.MARKET,
        OrderRole.EXIT,
        True,
        "stop_refused",
    )
    assert one(RoundTripClosed, stage.fill_whole(leaving, 99.9)).exit_reason == "stop_refused"
    assert stage.protection == "flat"


def test_a_stop_refused_after_the_risk_check_closes_too() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop)
    outputs = stage.show(stop, OrderStatus.CLOSED, reason="NOT_ENOUGH_MARGIN")
    assert one(PlaceOrder, outputs).reason == "stop_refused"


def test_a_stop_that_never_left_is_sent_anew_with_another_id() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop, Verdict.UNSENT)
    again = one(PlaceOrder, stage.wait(0.3))
    assert (again.type, again.role) == (OrderType.STOP_MARKET, OrderRole.STOP)
    assert again.client_id != stop.client_id


def test_a_stop_cancelled_behind_our_back_closes_and_opens_nothing_more() -> None:
    stage = Stage()
    _, stop = stage.long()
    outputs = stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED")
    assert one(PlaceOrder, outputs).reason == "stop_lost"
    status = stage.engine.status()
    assert status.state == "reducing"
    assert "canceled_by_others" in status.reasons[0]


def test_a_stop_taken_away_by_a_disconnect_is_placed_anew() -> None:
    stage = Stage()
    _, stop = stage.long()
    outputs = stage.show(stop, OrderStatus.CLOSED, reason="CANCEL_ON_DISCONNECT")
    none(PlaceOrder, outputs)
    again = one(PlaceOrder, stage.wait(0.3))
    assert (again.role, again.trigger_price) == (OrderRole.STOP, stop.trigger_price)


def test_an_unconfirmed_stop_is_not_waited_for_longer_than_the_naked_limit() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop, Verdict.UNKNOWN)
    assert one(QueryOrder, stage.said[-5:]).client_id == stop.client_id
    none(PlaceOrder, stage.wait(1.9))
    leaving = one(PlaceOrder, stage.wait(0.2))
    assert (leaving.type, leaving.reason) == (OrderType.MARKET, "naked")


def test_a_stop_that_was_only_slow_is_cancelled_when_flat() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop, Verdict.UNKNOWN)
    leaving = one(PlaceOrder, stage.wait(2.1))
    stage.fill_whole(leaving, 100.0)
    outputs = stage.show(stop, OrderStatus.UNTRIGGERED) + stage.wait(2.0)
    assert {cancel.client_id for cancel in every(CancelOrder, stage.said)} == {stop.client_id}
    none(PlaceOrder, outputs)


def test_a_triggered_stop_that_does_not_fill_is_helped() -> None:
    stage = Stage()
    _, stop = stage.long()
    stage.show(stop, OrderStatus.OPEN)
    assert stage.protection == "closing"
    none(PlaceOrder, stage.wait(1.9))
    leaving = one(PlaceOrder, stage.wait(0.2))
    assert (leaving.role, leaving.reason) == (OrderRole.EXIT, "stop")


def test_a_stop_that_fills_closes_the_round_trip() -> None:
    stage = Stage()
    _, stop = stage.long()
    stage.show(stop, OrderStatus.OPEN)
    outputs = stage.fill(stop, price=99.48)
    outputs += stage.show(stop, OrderStatus.CLOSED, filled=stop.size)
    assert one(RoundTripClosed, outputs).exit_reason == "stop"
    none(PlaceOrder, outputs + stage.wait(3.0))


def test_a_closing_order_is_tried_again_until_flat_and_less_and_less_often() -> None:
    stage = Stage()
    stage.long()
    leaving = one(PlaceOrder, stage.price(101.5))
    tries = [stage.now]
    for _ in range(5):
        stage.answer(leaving)
        stage.show(leaving, OrderStatus.CLOSED, reason="SLIPPAGE_LIMIT")
        while not (again := every(PlaceOrder, stage.wait(0.05))):
            pass
        assert again[0].client_id != leaving.client_id
        leaving = again[0]
        tries.append(stage.now)
    waits = [(after - before) / 1_000_000 for before, after in pairwise(tries)]
    assert waits == sorted(waits)
    assert waits[0] <= 0.3
    assert 3.9 <= waits[-1] <= 5.1


def test_a_closing_order_in_flight_is_not_doubled() -> None:
    stage = Stage()
    stage.long()
    leaving = one(PlaceOrder, stage.price(101.5))
    outputs = stage.price(101.6) + stage.price(99.0) + stage.wait(1.5)
    none(PlaceOrder, outputs)
    stage.answer(leaving, Verdict.UNKNOWN)
    none(PlaceOrder, stage.price(98.0) + stage.wait(3.0))


def test_while_a_closing_order_may_be_lost_a_stop_covers_the_position() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    leaving = one(PlaceOrder, stage.answer(stop, Verdict.REJECTED, "VALIDATION_ERROR"))
    cover = one(PlaceOrder, stage.answer(leaving, Verdict.UNKNOWN) + stage.wait(0.5))
    assert (cover.role, cover.size, cover.reduce_only) == (OrderRole.STOP, stop.size, True)


def test_a_stop_follows_a_position_that_grows_while_its_closing_order_may_be_lost() -> None:
    """Seed 365: the cancelled entry filled ten times what the lost exit was for, and waited six seconds for it."""
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, D("1"), 100.01))
    stage.rest_stop(stop)
    leaving = one(PlaceOrder, stage.price(101.5))
    none(ModifyOrder, stage.fill(entry, D("0.5"), 100.01))
    assert one(ModifyOrder, stage.answer(leaving, Verdict.UNKNOWN)).size == D("1.5")
    stage.show(stop, OrderStatus.UNTRIGGERED, size=D("1.5"))
    larger = one(ModifyOrder, stage.fill(entry, D("1"), 100.01))
    assert (larger.client_id, larger.size, larger.trigger_price) == (stop.client_id, D("2.5"), stop.trigger_price)
    none(PlaceOrder, stage.wait(3.0))


def test_a_closing_order_whose_fill_follows_its_end_gets_no_stop_beside_it_but_one_whose_fill_is_missing_does() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    leaving = one(PlaceOrder, stage.answer(stop, Verdict.REJECTED, "VALIDATION_ERROR"))
    stage.answer(leaving)
    none(PlaceOrder, stage.show(leaving, OrderStatus.CLOSED, filled=leaving.size) + stage.wait(0.9))
    cover = one(PlaceOrder, stage.wait(0.2))
    assert (cover.role, cover.size) == (OrderRole.STOP, leaving.size)
    assert one(CancelOrder, stage.fill(leaving, price=100.0)).client_id == cover.client_id


def test_when_stop_and_exit_are_both_lost_a_stop_covers_as_soon_as_the_first_cannot_arrive_any_more() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop, Verdict.UNKNOWN)
    leaving = one(PlaceOrder, stage.wait(2.1))
    stage.answer(leaving, Verdict.UNKNOWN)
    none(PlaceOrder, stage.wait(3.3))
    cover = one(PlaceOrder, stage.wait(0.2))
    assert (cover.role, cover.size) == (OrderRole.STOP, stop.size)
    none(PlaceOrder, stage.wait(5.0))


def test_an_exit_that_filled_in_part_goes_on_with_the_rest() -> None:
    stage = Stage()
    entry, _ = stage.long()
    leaving = one(PlaceOrder, stage.price(101.5))
    stage.answer(leaving)
    stage.fill(leaving, D("1"), 101.4)
    outputs = stage.show(leaving, OrderStatus.CLOSED, filled=D("1"), reason="SLIPPAGE_LIMIT")
    rest = one(PlaceOrder, [output for output in outputs + stage.wait(1.0) if isinstance(output, PlaceOrder)])
    assert rest.size == entry.size - 1


def test_a_partial_profit_leaves_a_smaller_protected_position() -> None:
    exits = ExitPolicy(stop=percent(0.5), target=percent(1.0), partial=PartialProfit(at=percent(0.5), share=0.5))
    stage = Stage(REPLACED(SETTINGS, exits=exits))
    entry, stop = stage.long()
    part = one(PlaceOrder, stage.price(100.6))
    assert (part.reason, part.size) == ("partial", stage.markets[ETH].round_size(entry.size / 2))
    outputs = stage.fill_whole(part, 100.6)
    smaller = one(ModifyOrder, outputs)
    assert (smaller.client_id, smaller.size) == (stop.client_id, entry.size - part.size)
    none(RoundTripClosed, outputs)
    assert stage.protection == "protected"


def test_a_stop_that_cannot_be_changed_is_replaced_before_the_old_one_goes() -> None:
    stage, stop, larger = grown()
    refused = RequestOutcome(RequestKind.MODIFY, stop.client_id, Verdict.REJECTED, larger.order_id, "X", "no")
    outputs = stage.tell(refused) + stage.wait(0.6)
    new = one(PlaceOrder, outputs)
    assert (new.role, new.size) == (OrderRole.STOP, D("2.5"))
    assert stop.client_id not in {cancel.client_id for cancel in every(CancelOrder, outputs)}
    none(CancelOrder, stage.rest_stop(new) + stage.wait(0.4))
    assert one(CancelOrder, stage.wait(0.2)).client_id == stop.client_id
    assert stage.protection == "protected"


def test_a_new_stop_that_is_taken_away_at_once_does_not_take_the_old_one_with_it() -> None:
    """Seed 2634: where untriggered orders count as reducing, the exchange closes the second stop right after it took it."""
    stage, stop, larger = grown()
    refused = RequestOutcome(RequestKind.MODIFY, stop.client_id, Verdict.REJECTED, larger.order_id, "X", "no")
    new = one(PlaceOrder, stage.tell(refused) + stage.wait(0.6))
    outputs = stage.rest_stop(new) + stage.show(new, OrderStatus.CLOSED, reason="REDUCE_ONLY_WOULD_INCREASE")
    again = one(ModifyOrder, outputs + stage.wait(2.0))
    assert (again.client_id, again.size) == (stop.client_id, D("2.5"))
    assert stop.client_id not in {cancel.client_id for cancel in every(CancelOrder, stage.said)}


def test_a_change_that_the_state_of_the_exchange_refuses_is_asked_for_again_and_replaces_nothing() -> None:
    stage, stop, larger = grown()
    busy = RequestOutcome(
        RequestKind.MODIFY, stop.client_id, Verdict.REJECTED, larger.order_id, "SYSTEM_STATUS_POST_ONLY", "wait"
    )
    outputs = stage.tell(busy) + stage.wait(1.0)
    none(PlaceOrder, outputs)
    assert one(ModifyOrder, outputs).size == D("2.5")


def test_a_modification_without_effect_is_asked_about_and_tried_again() -> None:
    stage, stop, _ = grown()
    query = one(QueryOrder, stage.wait(1.6))
    again = stage.tell(OrderFound(query.client_id, _resting(stage, stop)))
    assert one(ModifyOrder, again).size == D("2.5")


def test_a_modification_that_never_left_waits_a_moment_before_the_next_one() -> None:
    stage, stop, _ = grown()
    unsent = RequestOutcome(RequestKind.MODIFY, stop.client_id, Verdict.UNSENT, "", "UNKNOWN_SYMBOL", "no markets yet")
    none(ModifyOrder, stage.tell(unsent))
    none(ModifyOrder, stage.wait(0.2))
    assert one(ModifyOrder, stage.wait(1.0)).size == D("2.5")


def _resting(stage: Stage, stop: PlaceOrder) -> Order:
    return shown(stop, OrderStatus.UNTRIGGERED, stage.now)


def test_while_the_exchange_refuses_orders_nothing_is_sent_and_then_at_once() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.tell(ExchangeStatusChanged(ExchangeStatus.CANCEL_ONLY))
    outputs = stage.fill(entry, D("2"), 100.01) + stage.wait(5.0)
    none(PlaceOrder, outputs)
    assert stage.protection == "naked"
    outputs = stage.tell(ExchangeStatusChanged(ExchangeStatus.POST_ONLY)) + stage.wait(5.0)
    none(PlaceOrder, outputs)
    stop = one(PlaceOrder, stage.tell(ExchangeStatusChanged(ExchangeStatus.OK)))
    assert stop.role is OrderRole.STOP


def test_a_stop_passed_during_the_release_window_is_a_market_exit_at_its_end() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.tell(ExchangeStatusChanged(ExchangeStatus.CANCEL_ONLY))
    stage.fill(entry, D("2"), 100.01)
    none(PlaceOrder, stage.tell(MarkPrice(ETH, 98.0, 98.0, 0.0, stage.now)) + stage.wait(4.0))
    leaving = one(PlaceOrder, stage.tell(ExchangeStatusChanged(ExchangeStatus.OK)))
    assert (leaving.type, leaving.reason) == (OrderType.MARKET, "stop")


def test_a_stop_refused_because_the_exchange_is_closed_is_no_reason_to_leave() -> None:
    stage = Stage()
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    stage.answer(stop, Verdict.REJECTED, "SYSTEM_STATUS_CANCEL_ONLY")
    again = one(PlaceOrder, stage.wait(0.3))
    assert again.role is OrderRole.STOP


def test_a_resting_take_profit_stands_beside_the_stop_and_goes_with_it() -> None:
    protection = ProtectionSettings(signed_ahead=False, resting_target=True)
    stage = Stage(REPLACED(SETTINGS, protection=protection))
    entry = stage.enter()
    stop = one(PlaceOrder, stage.fill_whole(entry, 100.01))
    target = one(PlaceOrder, stage.rest_stop(stop))
    assert (target.role, target.type, target.reduce_only, target.price) == (
        OrderRole.TARGET,
        OrderType.LIMIT,
        True,
        D("101.02"),
    )
    stage.answer(target)
    stage.show(target)
    outputs = stage.fill(target, D("1"), 101.02)
    assert one(ModifyOrder, outputs).client_id == stop.client_id
    outputs = stage.fill(target, target.size - 1, 101.02)
    assert one(RoundTripClosed, outputs).exit_reason == "target"
    assert one(CancelOrder, outputs).client_id == stop.client_id


def test_a_take_profit_that_the_exchange_takes_away_becomes_a_software_exit() -> None:
    protection = ProtectionSettings(signed_ahead=False, resting_target=True)
    stage = Stage(REPLACED(SETTINGS, protection=protection))
    stop = one(PlaceOrder, stage.fill_whole(stage.enter(), 100.01))
    target = one(PlaceOrder, stage.rest_stop(stop))
    stage.answer(target)
    outputs = stage.show(target, OrderStatus.CLOSED, reason="REDUCE_ONLY_WOULD_INCREASE") + stage.wait(2.0)
    none(PlaceOrder, outputs)
    assert one(PlaceOrder, stage.price(101.5)).reason == "target"


def test_an_order_rate_that_is_used_up_is_in_the_way_of_no_stop_no_larger_stop_and_no_exit() -> None:
    risk = REPLACED(SETTINGS.risk, max_orders_per_second=1, reserve_share=0.0)
    stage = Stage(REPLACED(SETTINGS, risk=risk))
    entry = stage.enter()
    stage.answer(entry)
    stop = one(PlaceOrder, stage.fill(entry, D("1"), 100.01))
    stage.rest_stop(stop)
    assert one(ModifyOrder, stage.fill(entry, D("2"), 100.01)).size == D(3)
    outputs = stage.show(stop, OrderStatus.CLOSED, reason="USER_CANCELED")
    assert one(PlaceOrder, outputs).reason == "stop_lost"
    assert every(OrderDenied, stage.said) == []


def test_moving_a_stop_up_waits_for_the_order_rate() -> None:
    risk = REPLACED(SETTINGS.risk, max_orders_per_minute=2, reserve_share=0.0)
    exits = ExitPolicy(
        stop=percent(0.5), target=percent(9.0), trailing=Trailing(activation=percent(0.2), distance=percent(0.1))
    )
    stage = Stage(REPLACED(SETTINGS, risk=risk, exits=exits))
    stage.long()
    none(ModifyOrder, stage.price(100.8) + stage.wait(50.0) + stage.price(100.8))
    assert every(ModifyOrder, stage.wait(15.0))


def test_every_change_of_protection_is_told_with_stop_and_size() -> None:
    stage = Stage()
    stage.long()
    states = [record.after for record in every(ProtectionChanged, stage.said)]
    assert states == ["naked", "stop_sent", "protected"] or states == ["stop_sent", "protected"]
    last = every(ProtectionChanged, stage.said)[-1]
    assert (last.stop_price, last.stop_size) == (D("99.50"), last.position_size)


def test_a_stop_refused_for_the_first_part_of_a_fill_is_followed_by_one_for_the_whole() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    small = one(PlaceOrder, stage.fill(entry, D("0.05"), 100.01))
    none(PlaceOrder, stage.fill(entry, entry.size - D("0.05"), 100.01))
    outputs = stage.answer(small, Verdict.REJECTED, "INVALID_ORDER_SIZE", "notional is below min_notional 10")
    whole = one(PlaceOrder, outputs)
    assert (whole.role, whole.size) == (OrderRole.STOP, entry.size)
    leaving = one(PlaceOrder, stage.answer(whole, Verdict.REJECTED, "INVALID_ORDER_SIZE"))
    assert (leaving.role, leaving.reason) == (OrderRole.EXIT, "stop_refused")
