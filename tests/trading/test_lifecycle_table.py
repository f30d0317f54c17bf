"""The order lifecycle said a second time, as sentences instead of a table: each of its cells must follow from one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.trading.orders import LIFECYCLE, Happening, Orders, OrderState, adopted, happening_of, tracked

S, H = OrderState, Happening
BEFORE_ANSWER = {S.SENT, S.UNKNOWN}
WORKING = {S.UNTRIGGERED, S.OPEN}
OUR_CONCLUSION = {S.REJECTED, S.UNSENT, S.DEAD}
SHOWN = {
    H.SHOWN_NEW: S.ACCEPTED, H.SHOWN_UNTRIGGERED: S.UNTRIGGERED, H.SHOWN_OPEN: S.OPEN, H.SHOWN_FILLED: S.FILLED,
    H.SHOWN_CANCELED: S.CANCELED, H.SHOWN_REFUSED: S.REFUSED,
}  # fmt: skip


def expected(state: OrderState, what: Happening) -> OrderState:
    """What must come of it, by the first sentence that speaks of it."""
    if state is S.FILLED:
        return S.FILLED  # nothing undoes a full fill; a bust is no step of the order
    if what in {H.SHOWN_FILLED, H.FILLED_WHOLE}:
        return S.FILLED  # money moved: that is believed in every state
    if state is S.CANCELED:
        return S.CANCELED  # the exchange said it is over
    if state is S.REFUSED:
        return S.CANCELED if what in {H.SHOWN_CANCELED, H.FILLED_PART} else S.REFUSED  # it had been working after all
    if what in SHOWN:
        return shown(state, what)
    if what is H.FILLED_PART:
        return S.UNKNOWN if state in OUR_CONCLUSION else S.OPEN  # we were wrong that it was over: ask
    if what is H.NOT_FOUND:
        return not_found(state)
    return answered(state, what)


def shown(state: OrderState, what: Happening) -> OrderState:
    """The exchange shows the order: its word is taken, but it never goes back on its own way."""
    if what is H.SHOWN_NEW and state in WORKING:
        return state
    if what is H.SHOWN_UNTRIGGERED and state is S.OPEN:
        return S.OPEN
    if what is H.SHOWN_REFUSED and state in WORKING:
        return S.CANCELED  # it had passed the checks
    return SHOWN[what]


def not_found(state: OrderState) -> OrderState:
    """A clean negative read: an order that has no answer yet is asked for again, one that was known is gone."""
    if state is S.SENT:
        return S.UNKNOWN
    return state if state in OUR_CONCLUSION else S.DEAD


def answered(state: OrderState, what: Happening) -> OrderState:
    """The answer to the request: it settles an order that nobody has shown us; what was shown stands above it."""
    if what is H.ANSWERED_ACCEPTED:
        return S.ACCEPTED if state in BEFORE_ANSWER | OUR_CONCLUSION else state
    if what is H.ANSWERED_REJECTED:
        return S.REJECTED if state in BEFORE_ANSWER | OUR_CONCLUSION else state
    if what is H.ANSWERED_UNKNOWN:
        return S.UNKNOWN if state in {S.SENT, S.UNSENT} else state
    if what is H.ANSWERED_UNSENT:
        return S.UNSENT if state is S.SENT else state
    assert what is H.ANSWER_OVERDUE
    return S.UNKNOWN if state is S.SENT else state


def test_the_table_says_something_for_every_state_and_everything_that_happens() -> None:
    assert set(LIFECYCLE) == {(state, what) for state in OrderState for what in Happening}


@pytest.mark.parametrize("what", list(Happening))
def test_each_cell_follows_from_a_sentence(what: Happening) -> None:
    assert {state: LIFECYCLE[state, what] for state in OrderState} == {state: expected(state, what) for state in OrderState}


def test_the_words_stand_in_journals_and_stay() -> None:
    assert [str(state) for state in OrderState] == [
        "sent", "unknown", "accepted", "untriggered", "open", "filled", "canceled", "refused", "rejected", "unsent", "dead",
    ]  # fmt: skip
    assert [str(what) for what in Happening] == [
        "answered_accepted", "answered_rejected", "answered_unknown", "answered_unsent", "answer_overdue", "shown_new",
        "shown_untriggered", "shown_open", "shown_filled", "shown_canceled", "shown_refused", "filled_part", "filled_whole",
        "not_found",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reason",
    ["NOT_ENOUGH_MARGIN", "ORDER_EXCEEDS_POSITION_LIMIT", "PRICE_BAND_EXCEEDED", "REDUCE_ONLY_WOULD_INCREASE"],
)
def test_a_new_order_closed_by_a_risk_check_was_refused_one_that_had_traded_was_not(reason: str) -> None:
    closed = working("1", status=OrderStatus.CLOSED, cancel_reason=reason)
    assert happening_of(closed) is H.SHOWN_REFUSED
    assert happening_of(msgspec.structs.replace(closed, remaining=Decimal("0.5"))) is H.SHOWN_CANCELED
    assert happening_of(msgspec.structs.replace(closed, cancel_reason="USER_CANCELED")) is H.SHOWN_CANCELED


def test_a_fresh_order_knows_nothing_but_what_was_sent() -> None:
    command = PlaceOrder(
        client_id="fs-1-1", symbol="ETHUSDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal(1), price=Decimal(100),
        role=OrderRole.ENTRY, reason="signal",
    )  # fmt: skip
    order = tracked(command, 7)
    told = {"client_id", "symbol", "side", "type", "size", "price", "role", "reason"}
    zero = Decimal(0)
    begins = {
        "trigger_price": None, "time_in_force": TimeInForce.GTC, "reduce_only": False, "sent_at": 7, "state": S.SENT,
        "order_id": "", "filled": zero, "shown": zero, "busted": zero, "busts": (), "updated_at": 0, "changed_at": 7,
        "cancel_reason": "", "refusal": "", "triggered": False, "canceling": False, "cancel_asked_at": 0, "modifying": None,
        "modified_at": 0, "owed_since": 0, "adopted": False,
    }  # fmt: skip
    assert {name: getattr(order, name) for name in begins} == begins
    assert [getattr(order, name) for name in sorted(told)] == [getattr(command, name) for name in sorted(told)]
    assert tracked(msgspec.structs.replace(command, reduce_only=True), 7).reduce_only


@pytest.mark.parametrize(
    ("type_", "trigger", "reduce_only", "role"),
    [
        (OrderType.LIMIT, None, False, OrderRole.ENTRY),
        (OrderType.STOP_MARKET, Decimal(90), True, OrderRole.STOP),
        (OrderType.LIMIT, None, True, OrderRole.TARGET),
        (OrderType.MARKET, None, True, OrderRole.EXIT),
        (OrderType.STOP_MARKET, None, True, OrderRole.EXIT),
        (OrderType.MARKET, Decimal(90), True, OrderRole.EXIT),
    ],
)
def test_an_order_of_ours_that_no_journal_knows_gets_its_role_from_what_it_does(
    type_: OrderType, trigger: Decimal | None, reduce_only: bool, role: OrderRole
) -> None:
    shown = msgspec.structs.replace(working("1"), type=type_, trigger_price=trigger, reduce_only=reduce_only, created_at=3)
    order = adopted(shown, 7)
    assert (order.role, order.reason, order.sent_at, order.adopted) == (role, "adopted", 3, True)
    assert adopted(msgspec.structs.replace(shown, created_at=0), 7).sent_at == 7


def test_of_settled_orders_a_tenth_is_forgotten_when_there_are_too_many() -> None:
    orders = Orders(kept=20)
    for number in range(21):
        command = PlaceOrder(
            client_id=f"fs-1-{number}", symbol="ETHUSDT", side=Side.BUY, type=OrderType.MARKET, size=Decimal(1),
            role=OrderRole.EXIT, reason="x",
        )  # fmt: skip
        assert len(orders) == number
        order = tracked(command, number)
        orders.add(order)
        order.order_id = f"x{number}"
        orders.happen(order, H.SHOWN_CANCELED, number)
    assert len(orders) == 19
    assert orders.get("fs-1-1") is None
    assert orders.get("", "x1") is None
    assert orders.get("", "x2") is orders.get("fs-1-2") is not None


def test_what_is_owed_is_owed_since_it_was_shown_not_since_an_earlier_debt() -> None:
    orders, order = Orders(), adopted(working("1"), 1)
    orders.add(order)
    orders.show(order, working("0.7"), 10)
    assert (order.owed, order.owed_since) == (Decimal("0.3"), 10)
    orders.show(order, working("0.6"), 15)
    assert order.owed_since == 10
    orders.fill(order, Decimal("0.4"), 20, "k")
    assert (order.owed, order.owed_since) == (Decimal(0), 0)
    orders.show(order, working("0.5"), 30)
    assert (order.owed, order.owed_since) == (Decimal("0.1"), 30)


def working(remaining: str, *, status: OrderStatus = OrderStatus.OPEN, cancel_reason: str = "") -> Order:
    return Order(
        symbol="ETHUSDT", client_id="fs-1-1", order_id="x1", side=Side.BUY, type=OrderType.LIMIT, size=Decimal(1),
        remaining=Decimal(remaining), status=status, cancel_reason=cancel_reason,
    )  # fmt: skip
