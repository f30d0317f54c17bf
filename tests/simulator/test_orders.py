"""What is refused at once and what closes with a reason; reduce-only, triggers, modes, disconnects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flashscalper.model.events import ExchangeStatus, FeeClass
from flashscalper.model.orders import OrderStatus, OrderType, Side
from flashscalper.simulator.facts import NewOrder, OrderChanged, Refusal, SimOrder
from flashscalper.simulator.rules import ClientIdScope, DisconnectScope, ExchangeRules
from tests.simulator.floor import BUY, IOC, POST_ONLY, RPI, SELL, START, TOY, Floor

STOP_MARKET, STOP_LIMIT = OrderType.STOP_MARKET, OrderType.STOP_LIMIT


@pytest.mark.parametrize(
    ("code", "size", "price", "more"),
    [
        ("INVALID_ORDER_SIZE", 0, 1000, {}),
        ("INVALID_ORDER_SIZE", 1001, 1000, {}),
        ("VALIDATION_ERROR", 1, 0, {}),
        ("VALIDATION_ERROR", 1, None, {"type": OrderType.LIMIT}),
        ("VALIDATION_ERROR", 1, 1000, {"type": OrderType.MARKET}),
        ("VALIDATION_ERROR", 1, None, {"type": STOP_MARKET}),
        ("VALIDATION_ERROR", 1, 1000, {"trigger_price": Decimal(900)}),
        ("VALIDATION_ERROR", 1, 1000, {"type": STOP_LIMIT, "trigger_price": Decimal(990), "time_in_force": IOC}),
        ("VALIDATION_ERROR", 1, None, {"time_in_force": POST_ONLY}),
        ("VALIDATION_ERROR", 1, 1000, {"client_id": "x" * 65}),
        ("RPI_ACCOUNT_NOT_WHITELISTED", 1, 1000, {"time_in_force": RPI}),
        ("INVALID_REQUEST_PARAMETER", 1, 1000, {"recv_window_us": 9_999}),
        ("INVALID_TIMESTAMP", 1, 1000, {"signed_at": START - 300_000_001}),
        ("INVALID_TIMESTAMP", 1, 1000, {"signed_at": START - 10_001, "recv_window_us": 10_000}),
    ],
)
def test_synchronous_refusals_have_the_exchanges_codes(
    code: str, size: int, price: int | None, more: dict[str, Any]
) -> None:
    floor = Floor()
    answer = floor.place(floor.account("me"), BUY, size, price, **more)
    assert isinstance(answer, Refusal)
    assert answer.code == code
    assert floor.facts(OrderChanged) == []


def test_off_grid_prices_and_sizes_and_small_notionals_are_refused() -> None:
    floor = Floor(price_tick=Decimal("0.5"), size_step=Decimal("0.1"))
    me = floor.account("me")

    def code(size: str, price: str) -> str:
        order = NewOrder(
            symbol=TOY, side=BUY, type=OrderType.LIMIT, size=Decimal(size), price=Decimal(price), signed_at=START
        )
        answer = floor.exchange.place(me, order, START)
        return answer.code if isinstance(answer, Refusal) else answer.status.value

    assert code("0.15", "999.5") == "INVALID_ORDER_SIZE"
    assert code("0.1", "999.7") == "VALIDATION_ERROR"
    assert code("0.1", "999.5") == "new"
    floor.mark(50)
    assert code("0.1", "50") == "INVALID_ORDER_SIZE"


def test_a_reduce_only_order_that_closes_everything_may_be_below_the_minimum_notional() -> None:
    floor = Floor(min_notional=Decimal(5_000)).book()
    me = floor.account("me")
    floor.order(me, BUY, 6)
    floor.order(me, SELL, 5)
    assert floor.size(me) == 1
    assert isinstance(floor.place(me, SELL, 1), Refusal)
    assert floor.order(me, SELL, 1, reduce_only=True).status is OrderStatus.CLOSED
    assert floor.size(me) == 0


def test_unknown_market_and_account_are_named() -> None:
    floor = Floor()
    order = NewOrder(symbol="NOPE", side=BUY, type=OrderType.MARKET, size=Decimal(1), signed_at=START)
    answer = floor.exchange.place("me", order, START)
    assert isinstance(answer, Refusal)
    assert answer.code == "MARKET_NOT_FOUND"
    answer = floor.place("nobody", BUY, 1)
    assert isinstance(answer, Refusal)
    assert answer.code == "ACCOUNT_NOT_FOUND"


def test_a_market_order_may_be_sent_with_price_zero() -> None:
    floor = Floor().book()
    me = floor.account("me")
    assert floor.order(me, BUY, 1, 0, type=OrderType.MARKET).status is OrderStatus.CLOSED
    assert floor.size(me) == 1


def test_too_many_open_orders_are_refused() -> None:
    floor = Floor(max_open_orders=2)
    me = floor.account("me")
    floor.order(me, BUY, 1, 990)
    floor.order(me, BUY, 1, 991)
    answer = floor.place(me, BUY, 1, 992)
    assert isinstance(answer, Refusal)
    assert "max_open_orders" in answer.message


@pytest.mark.parametrize("scope", list(ClientIdScope))
def test_client_ids_block_their_reuse_while_open_or_for_ever(scope: ClientIdScope) -> None:
    floor = Floor(ExchangeRules(client_id_scope=scope))
    me, you = floor.account("me"), floor.account("you")
    first = floor.order(me, BUY, 1, 990, client_id="a")
    again = floor.place(me, BUY, 1, 990, client_id="a")
    assert isinstance(again, Refusal)
    assert again.code == "DUPLICATED_CLIENT_ID"
    assert isinstance(floor.place(you, BUY, 1, 990, client_id="a"), SimOrder)
    floor.cancel(first)
    assert isinstance(floor.place(me, BUY, 1, 990, client_id="a"), Refusal) is (scope is ClientIdScope.FOREVER)


@pytest.mark.parametrize(
    ("reason", "side", "size", "price", "more"),
    [
        ("POST_ONLY_WOULD_CROSS", BUY, 1, 1001, {"time_in_force": POST_ONLY}),
        ("PRICE_BAND_EXCEEDED", BUY, 1, 1051, {}),
        ("PRICE_BAND_EXCEEDED", SELL, 1, 949, {}),
        ("REDUCE_ONLY_WOULD_INCREASE", BUY, 1, 1000, {"reduce_only": True}),
        ("NOT_ENOUGH_MARGIN", BUY, 600, 1000, {}),
        ("SLIPPAGE_LIMIT", BUY, 40, None, {}),
    ],
)
def test_asynchronous_failures_are_new_first_and_then_closed_with_a_reason(
    reason: str, side: Side, size: int, price: int | None, more: dict[str, Any]
) -> None:
    floor = Floor().book()
    me = floor.account("me", 10_000)
    answer = floor.place(me, side, size, price, **more)
    assert isinstance(answer, SimOrder)
    assert answer.status is OrderStatus.NEW
    told = [fact.order for fact in floor.facts(OrderChanged)]
    assert told[0] == answer
    assert (told[-1].status, told[-1].cancel_reason) == (OrderStatus.CLOSED, reason)
    assert floor.exchange.open_orders(me) == []


def test_position_limit_counts_position_and_open_orders_of_that_side() -> None:
    floor = Floor(position_limit=Decimal(20)).book()
    me = floor.account("me")
    floor.order(me, BUY, 10)
    assert floor.order(me, BUY, 6, 990).status is OrderStatus.OPEN
    assert floor.order(me, BUY, 5, 990).cancel_reason == "ORDER_EXCEEDS_POSITION_LIMIT"
    assert floor.order(me, SELL, 30, 1010).status is OrderStatus.OPEN
    assert floor.order(me, SELL, 1, 1010).cancel_reason == "ORDER_EXCEEDS_POSITION_LIMIT"


def test_passive_orders_far_from_the_mark_are_fine() -> None:
    floor = Floor()
    assert floor.order(floor.account("me"), BUY, 1, 100).status is OrderStatus.OPEN


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "sleeps_at", "wakes_at"),
    [
        (STOP_MARKET, SELL, 990, 991, 990),
        (STOP_MARKET, BUY, 1010, 1009, 1010),
        (OrderType.STOP_LOSS_MARKET, SELL, 990, 991, 989),
        (OrderType.TAKE_PROFIT_MARKET, SELL, 1010, 1009, 1010),
        (OrderType.TAKE_PROFIT_MARKET, BUY, 990, 991, 990),
    ],
)
def test_triggers_compare_with_the_mark_price(
    kind: OrderType, side: Side, trigger: int, sleeps_at: int, wakes_at: int
) -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, side.opposite, 5)
    order = floor.stop(me, side, 5, trigger, type=kind)
    assert order.status is OrderStatus.UNTRIGGERED
    assert ("STOP_CONDITION_ABOVE_TRIGGER" in order.flags) is (trigger > 1000)
    floor.mark(sleeps_at)
    assert floor.again(order).status is OrderStatus.UNTRIGGERED
    floor.mark(wakes_at)
    assert (floor.again(order).status, floor.size(me)) == (OrderStatus.CLOSED, 0)


def test_a_triggered_stop_limit_rests_at_its_price() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    order = floor.stop(me, SELL, 5, 995, type=STOP_LIMIT, price=1005)
    floor.mark(995)
    assert floor.again(order).status is OrderStatus.OPEN
    assert floor.exchange.book(TOY, 5).asks[-1] == (Decimal(1005), Decimal(5))


def test_a_stop_that_is_reached_already_triggers_at_once() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    assert floor.stop(me, SELL, 5, 1005).status is OrderStatus.CLOSED
    assert floor.size(me) == 0


def test_one_of_a_take_profit_and_stop_loss_pair_cancels_the_other() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    profit = floor.stop(me, SELL, 0, 1010, type=OrderType.TAKE_PROFIT_MARKET)
    loss = floor.stop(me, SELL, 0, 990, type=OrderType.STOP_LOSS_MARKET)
    floor.mark(1010)
    assert floor.size(me) == 0
    assert floor.again(profit).size == 5, "size 0 means the whole position at the trigger"
    assert floor.again(loss).cancel_reason == "TPSL_PAIR_TRIGGERED"


def test_a_trigger_price_is_modified_in_place() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    order = floor.stop(me, SELL, 5, 980)
    floor.modify(order, 5, trigger=990)
    after = floor.again(order)
    assert (after.trigger_price, after.status) == (Decimal(990), OrderStatus.UNTRIGGERED)
    assert after.order_id == order.order_id
    floor.mark(989)
    assert floor.size(me) == 0


def test_reduce_only_orders_larger_than_the_position_are_canceled_whole() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    assert floor.order(me, SELL, 6, reduce_only=True).cancel_reason == "REDUCE_ONLY_WOULD_INCREASE"
    assert floor.size(me) == 5
    assert floor.order(me, BUY, 1, 990, reduce_only=True).cancel_reason == "REDUCE_ONLY_WOULD_INCREASE"


def test_a_resting_reduce_only_order_is_canceled_when_the_position_shrinks_below_it() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    target = floor.order(me, SELL, 5, 1020, reduce_only=True)
    floor.order(me, SELL, 1)
    assert floor.again(target).cancel_reason == "REDUCE_ONLY_WOULD_INCREASE"


def test_more_aggressive_reduce_only_orders_use_up_the_position() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    near = floor.order(me, SELL, 3, 1010, reduce_only=True)
    far = floor.order(me, SELL, 2, 1020, reduce_only=True)
    nearer = floor.order(me, SELL, 2, 1005, reduce_only=True)
    assert [floor.again(order).status for order in (nearer, near, far)] == [
        OrderStatus.OPEN,
        OrderStatus.OPEN,
        OrderStatus.CLOSED,
    ]


@pytest.mark.parametrize("counts", [False, True])
def test_untriggered_stops_are_spared_or_counted_by_a_switch(counts: bool) -> None:
    floor = Floor(ExchangeRules(reduce_only_counts_untriggered=counts)).book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    stop = floor.stop(me, SELL, 5, 990)
    target = floor.order(me, SELL, 5, 1020, reduce_only=True)
    assert floor.again(target).status is (OrderStatus.CLOSED if counts else OrderStatus.OPEN)
    floor.order(me, SELL, 1)
    assert floor.again(stop).status is (OrderStatus.CLOSED if counts else OrderStatus.UNTRIGGERED)


def test_a_spared_stop_without_a_position_dies_at_its_trigger() -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    stop = floor.stop(me, SELL, 5, 990)
    floor.order(me, SELL, 5, reduce_only=True)
    floor.mark(980)
    assert floor.again(stop).cancel_reason == "REDUCE_ONLY_WOULD_INCREASE"
    assert floor.size(me) == 0


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (ExchangeStatus.MAINTENANCE, "SERVICE_UNAVAILABLE"),
        (ExchangeStatus.CANCEL_ONLY, "SYSTEM_STATUS_CANCEL_ONLY"),
        (ExchangeStatus.POST_ONLY, "SYSTEM_STATUS_POST_ONLY"),
    ],
)
def test_modes_refuse_orders_and_let_stops_sleep(status: ExchangeStatus, code: str) -> None:
    floor = Floor().book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    stop = floor.stop(me, SELL, 5, 990)
    resting = floor.order(me, BUY, 1, 900)
    floor.exchange.set_status(status, floor.now)
    answer = floor.place(me, BUY, 1, 1000)
    assert isinstance(answer, Refusal)
    assert answer.code == code
    refused = floor.cancel(resting)
    assert (refused is None) is (status is not ExchangeStatus.MAINTENANCE)
    floor.mark(980)
    assert floor.again(stop).status is OrderStatus.UNTRIGGERED
    floor.exchange.set_status(ExchangeStatus.OK, floor.now)
    assert floor.again(stop).status is OrderStatus.CLOSED
    assert floor.size(me) == 0


def test_post_only_mode_takes_post_only_orders_close_to_the_fair_price() -> None:
    floor = Floor(price_tick=Decimal("0.1")).book(bid=9_900, ask=10_100)
    me = floor.account("me")
    floor.exchange.set_status(ExchangeStatus.POST_ONLY, floor.now)
    assert floor.order(me, BUY, 1, 1000, time_in_force=POST_ONLY).status is OrderStatus.OPEN
    assert floor.order(me, BUY, 1, 999, time_in_force=POST_ONLY).cancel_reason == "PRICE_BAND_EXCEEDED"


def test_an_order_in_its_speed_bump_meets_the_mode_of_its_arrival() -> None:
    floor = Floor().book()
    me = floor.account("me")
    order = floor.order(me, BUY, 1, fee_class=FeeClass.RETAIL)
    floor.exchange.set_status(ExchangeStatus.CANCEL_ONLY, floor.now)
    floor.wait(0.3)
    assert floor.again(order).cancel_reason == "SYSTEM_STATUS"


def test_the_crowd_does_not_trade_while_the_exchange_is_not_ok() -> None:
    floor = Floor().book()
    floor.exchange.set_status(ExchangeStatus.CANCEL_ONLY, floor.now)
    floor.crowd(BUY, None, 5, taker=True)
    floor.crowd(BUY, 1000, 5)
    assert floor.prints() == []
    assert floor.exchange.quote(TOY).bid == 999
    floor.exchange.set_status(ExchangeStatus.POST_ONLY, floor.now)
    floor.crowd(BUY, 1001, 5)
    floor.crowd(BUY, 1000, 5)
    assert floor.prints() == []
    assert floor.exchange.quote(TOY).bid == 1000


@pytest.mark.parametrize(
    ("scope", "spares", "survivors"),
    [
        (DisconnectScope.CONNECTION, False, {"rest", "other"}),
        (DisconnectScope.ACCOUNT, False, set()),
        (DisconnectScope.CONNECTION, True, {"stop", "rest", "other"}),
        (DisconnectScope.ACCOUNT, True, {"stop"}),
    ],
)
def test_cancel_on_disconnect_follows_its_switches(scope: DisconnectScope, spares: bool, survivors: set[str]) -> None:
    floor = Floor(ExchangeRules(disconnect_scope=scope, disconnect_spares_untriggered=spares)).book()
    me = floor.account("me")
    floor.order(me, BUY, 5)
    floor.order(me, BUY, 1, 990, client_id="mine", conn="c1")
    floor.order(me, BUY, 1, 990, client_id="other", conn="c2")
    floor.order(me, BUY, 1, 990, client_id="rest")
    floor.stop(me, SELL, 5, 900, client_id="stop", conn="c1")
    canceled = floor.exchange.cancel_connection(me, "c1", floor.now)
    assert {order.client_id for order in floor.exchange.open_orders(me)} == survivors
    assert len(canceled) == 4 - len(survivors)


def test_canceling_unknown_and_closed_orders_has_codes_and_cancel_all_takes_the_rest() -> None:
    floor = Floor()
    me = floor.account("me")
    unknown = floor.exchange.cancel(me, "1", floor.now)
    assert unknown is not None
    assert unknown.code == "ORDER_ID_NOT_FOUND"
    orders = [floor.order(me, BUY, 1, 990 + n) for n in range(3)]
    assert floor.cancel(orders[0]) is None
    closed = floor.cancel(orders[0])
    assert closed is not None
    assert closed.code == "ORDER_IS_CLOSED"
    assert floor.exchange.cancel_all(me, TOY, floor.now) == tuple(order.order_id for order in orders[1:])
    assert [order.cancel_reason for order in floor.exchange.orders_history(me)] == ["USER_CANCELED"] * 3


def test_closed_orders_are_forgotten_beyond_their_limit() -> None:
    floor = Floor(ExchangeRules(closed_orders_kept=2))
    me = floor.account("me")
    orders = [floor.order(me, BUY, 1, 990) for _ in range(4)]
    for order in orders[:3]:
        floor.cancel(order)
    assert [order.order_id for order in floor.exchange.orders_history(me)] == [
        order.order_id for order in reversed(orders[1:])
    ]


def test_when_two_accounts_trade_the_reduce_only_orders_of_both_are_looked_at() -> None:
    floor = Floor().book()
    names = [floor.account(name) for name in ("ann", "bob")]
    for name, side in zip(names, (BUY, SELL), strict=True):
        floor.order(name, side, 5)
    targets = [
        floor.order(name, side, 5, price, reduce_only=True)
        for name, side, price in zip(names, (SELL, BUY), (1_020, 980), strict=True)
    ]
    floor.order("ann", SELL, 1, 1000)
    floor.order("bob", BUY, 1, 1000)
    assert [floor.size(name) for name in names] == [4, -4]
    assert {floor.again(target).cancel_reason for target in targets} == {"REDUCE_ONLY_WOULD_INCREASE"}
