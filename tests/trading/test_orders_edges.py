"""The book of orders at its edges: what a step leaves behind, which report is believed, when an order is whole."""

from __future__ import annotations

import msgspec
import pytest

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.instants import HOUR_US
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.trading.orders import Happening, Orders, OrderState, TrackedOrder, tracked
from tests.trading.stage import ETH, START, D, shown

S, H = OrderState, Happening
ENTRY = PlaceOrder(
    client_id="fs-1-1", symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, size=D(1), price=D(100), role=OrderRole.ENTRY,
    reason="test",
)  # fmt: skip
STOP = PlaceOrder(
    client_id="fs-1-2", symbol=ETH, side=Side.SELL, type=OrderType.STOP_MARKET, size=D(1), trigger_price=D(90),
    reduce_only=True, role=OrderRole.STOP, reason="test",
)  # fmt: skip
CHANGE = ModifyOrder(
    client_id="fs-1-1", order_id="x", symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, size=D(2), price=D(99),
    role=OrderRole.ENTRY, reason="test",
)  # fmt: skip
WORKING = shown(ENTRY, OrderStatus.OPEN, START)


def book(command: PlaceOrder = ENTRY) -> tuple[Orders, TrackedOrder]:
    orders, order = Orders(), tracked(command, START)
    orders.add(order)
    return orders, order


def said(order: TrackedOrder, *names: str) -> list[object]:
    """What the order says of itself under these names."""
    return [getattr(order, name) for name in names]


def test_what_an_older_journal_does_not_say_of_an_order_is_as_if_it_never_happened() -> None:
    written = {"client_id": "fs-1-1", "symbol": ETH, "side": Side.BUY.value, "type": OrderType.LIMIT.value, "size": "1",
               "role": "entry", "reason": "x", "sent_at": 7}  # fmt: skip
    order = msgspec.convert(written, TrackedOrder)
    assert msgspec.structs.asdict(order) == {
        "client_id": "fs-1-1", "symbol": ETH, "side": Side.BUY, "type": OrderType.LIMIT, "size": D(1), "price": None,
        "trigger_price": None, "time_in_force": TimeInForce.GTC, "reduce_only": False, "role": OrderRole.ENTRY,
        "reason": "x", "sent_at": 7, "state": S.SENT, "order_id": "", "filled": ZERO, "shown": ZERO, "busted": ZERO,
        "busts": (), "updated_at": 0, "changed_at": 0, "cancel_reason": "", "refusal": "", "triggered": False,
        "canceling": False, "cancel_asked_at": 0, "modifying": None, "modified_at": 0, "owed_since": 0,
        "adopted": False, "armed": False,
    }  # fmt: skip


def test_an_order_is_triggered_when_it_works_and_had_a_trigger_and_stays_so() -> None:
    orders, stop = book(STOP)
    orders.happen(stop, H.SHOWN_UNTRIGGERED, START)
    assert said(stop, "triggered") == [False]
    orders.happen(stop, H.SHOWN_OPEN, START)
    assert said(stop, "triggered") == [True]
    orders.happen(stop, H.SHOWN_CANCELED, START)
    assert said(stop, "triggered") == [True]
    orders, entry = book()
    orders.happen(entry, H.SHOWN_OPEN, START)
    assert not entry.triggered


def test_a_step_that_ends_an_order_ends_what_was_asked_of_it_and_no_other_step_does() -> None:
    orders, order = book()
    order.canceling, order.modifying = True, CHANGE
    orders.happen(order, H.SHOWN_OPEN, START)
    assert said(order, "canceling", "modifying") == [True, CHANGE]
    orders.happen(order, H.SHOWN_CANCELED, START)
    assert said(order, "canceling", "modifying") == [False, None]


def test_a_step_is_recorded_with_its_instant_and_standing_still_is_no_step() -> None:
    orders, order = book()
    change = orders.happen(order, H.SHOWN_OPEN, START + 5, "why")
    assert change is not None
    assert (change.before, change.cause, change.after, change.changed_at, change.detail) == (
        S.SENT, H.SHOWN_OPEN, S.OPEN, START + 5, "why",
    )  # fmt: skip
    assert orders.happen(order, H.SHOWN_OPEN, START + 9) is None
    assert order.changed_at == START + 5


def test_the_exchange_names_an_order_once_and_it_is_found_by_that_name() -> None:
    orders, order = book()
    orders.show(order, WORKING, START)
    assert order.order_id == WORKING.order_id
    assert orders.get("", WORKING.order_id) is order
    orders.show(order, msgspec.structs.replace(WORKING, order_id="another"), START)
    assert order.order_id == WORKING.order_id


@pytest.mark.parametrize(("behind_us", "believed"), [(0, True), (1, False)])
def test_of_two_reports_the_one_that_is_not_older_says_how_large_the_order_is(behind_us: int, believed: bool) -> None:
    orders, order = book()
    orders.show(order, WORKING, START)
    changed = msgspec.structs.replace(WORKING, size=D(2), remaining=D(2), price=D(99), updated_at=START - behind_us)
    orders.show(order, changed, START)
    assert (order.size, order.price) == ((D(2), D(99)) if believed else (D(1), D(100)))
    assert order.updated_at == START


def stale(status: OrderStatus, **more: object) -> Order:
    return msgspec.structs.replace(WORKING, status=status, updated_at=START - 1, **more)


def test_an_older_report_moves_no_order_that_is_known_to_work_but_its_end_and_its_fills_count() -> None:
    orders, stop = book(STOP)
    waiting = shown(STOP, OrderStatus.UNTRIGGERED, START)
    orders.show(stop, waiting, START)
    early = msgspec.structs.replace(waiting, status=OrderStatus.OPEN, remaining=D("0.4"), updated_at=START - 1)
    assert orders.show(stop, early, START + 3) is None
    assert said(stop, "state", "triggered") == [S.UNTRIGGERED, False]
    assert (stop.owed, stop.owed_since) == (D("0.6"), START + 3)
    change = orders.show(stop, msgspec.structs.replace(early, status=OrderStatus.CLOSED), START + 4)
    assert change is not None
    assert said(stop, "state") == [S.CANCELED]


def test_an_older_report_is_news_of_an_order_that_nobody_has_shown_to_work() -> None:
    orders, order = book()
    order.updated_at = START
    change = orders.show(order, stale(OrderStatus.OPEN), START)
    assert change is not None
    assert order.state is S.OPEN


def test_a_fresh_report_moves_an_order_that_works() -> None:
    orders, stop = book(STOP)
    orders.show(stop, shown(STOP, OrderStatus.UNTRIGGERED, START), START)
    orders.show(stop, shown(STOP, OrderStatus.OPEN, START + 1), START + 1)
    assert stop.state is S.OPEN


def test_the_reason_of_an_end_is_kept_when_a_later_report_names_none() -> None:
    orders, order = book()
    closed = shown(ENTRY, OrderStatus.CLOSED, START, reason="USER_CANCELED")
    change = orders.show(order, closed, START)
    assert change is not None
    assert (order.cancel_reason, change.detail) == ("USER_CANCELED", "USER_CANCELED")
    orders.show(order, msgspec.structs.replace(closed, cancel_reason="", updated_at=START + 1), START + 1)
    assert order.cancel_reason == "USER_CANCELED"


def test_an_order_is_whole_at_its_very_last_fill_and_what_was_taken_back_counts_as_filled() -> None:
    orders, order = book()
    orders.fill(order, D("0.4"), START, "a")
    assert said(order, "state", "shown") == [S.OPEN, D("0.4")]
    orders.bust(order, "a", D("0.4"), START, booked=True)
    assert (order.filled, order.busted, order.owed) == (ZERO, D("0.4"), ZERO)
    orders.fill(order, D("0.599"), START, "b")
    assert said(order, "state") == [S.OPEN]
    orders.fill(order, D("0.001"), START, "c")
    assert said(order, "state") == [S.FILLED]


def test_fills_that_came_before_a_report_are_not_owed_when_one_of_them_is_taken_back() -> None:
    orders, order = book()
    orders.fill(order, D("0.5"), START, "a")
    orders.bust(order, "a", D("0.5"), START, booked=True)
    orders.show(order, msgspec.structs.replace(WORKING, remaining=D("0.5"), updated_at=START + 1), START + 1)
    assert order.owed == ZERO


def test_a_forgotten_order_leaves_no_name_behind() -> None:
    orders = Orders(kept=1)
    for number in range(3):
        order = tracked(msgspec.structs.replace(ENTRY, client_id=f"fs-1-{number}"), START)
        orders.add(order)
        order.order_id = f"x{number}"
        orders.happen(order, H.SHOWN_CANCELED, START)
    assert len(orders) == len(orders._client_id_of) == 1


def many(orders: Orders, numbers: range, ended_at: int) -> None:
    """Orders that were cancelled at an instant."""
    for number in numbers:
        order = tracked(msgspec.structs.replace(ENTRY, client_id=f"fs-1-{number}"), ended_at)
        orders.add(order)
        orders.happen(order, H.SHOWN_CANCELED, ended_at)


def test_a_small_book_forgets_one_order_at_a_time() -> None:
    orders = Orders(kept=2)
    many(orders, range(2), START)
    orders.add(tracked(msgspec.structs.replace(ENTRY, client_id="fs-2-1"), START))
    assert [order.client_id for order in orders] == ["fs-1-1", "fs-2-1"]


def test_five_thousand_orders_of_an_hour_are_the_most_that_are_kept() -> None:
    orders = Orders()
    many(orders, range(5_000), START)
    assert len(orders) == 5_000
    orders.add(tracked(msgspec.structs.replace(ENTRY, client_id="fs-2-1"), START))
    assert len(orders) == 4_501


def test_of_what_ended_more_than_an_hour_ago_five_hundred_are_kept_and_the_oldest_go() -> None:
    orders = Orders()
    many(orders, range(549), START)
    orders.add(tracked(msgspec.structs.replace(ENTRY, client_id="fs-2-1"), START + HOUR_US + 1))
    assert len(orders) == 501
    assert [orders.get(f"fs-1-{number}") is None for number in (0, 48, 49, 548)] == [True, True, False, False]
    assert orders.get("fs-2-1") is not None


def test_of_what_ended_within_the_hour_nothing_is_forgotten_edge_included() -> None:
    orders = Orders()
    many(orders, range(549), START)
    orders.add(tracked(msgspec.structs.replace(ENTRY, client_id="fs-2-1"), START + HOUR_US))
    assert len(orders) == 550


def test_what_is_not_settled_is_never_swept() -> None:
    orders = Orders()
    waiting = [tracked(msgspec.structs.replace(ENTRY, client_id=f"fs-3-{number}"), START) for number in range(60)]
    for order in waiting:
        orders.add(order)
    many(orders, range(489), START)
    orders.add(tracked(msgspec.structs.replace(ENTRY, client_id="fs-2-1"), START + HOUR_US + 1))
    assert len(orders) == 550, "what ended long ago is fewer than five hundred"
    assert all(orders.get(order.client_id) is order for order in waiting)


def test_the_next_sweep_comes_fifty_orders_later_and_none_before() -> None:
    orders, later = Orders(), START + HOUR_US + 1
    many(orders, range(549), START)
    many(orders, range(1_000, 1_001), later)
    assert len(orders) == 501
    many(orders, range(2_000, 2_049), later + HOUR_US + 1)
    assert len(orders) == 550
    assert orders.get("fs-1-49") is not None, "it is one too many by now, and nobody has swept"
    many(orders, range(3_000, 3_001), later + HOUR_US + 1)
    assert len(orders) == 550
    assert [orders.get(f"fs-1-{number}") is None for number in (49, 50)] == [True, False]
