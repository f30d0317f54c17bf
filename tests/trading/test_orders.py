from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashscalper.model.amounts import ZERO
from flashscalper.model.commands import PlaceOrder
from flashscalper.model.orders import Order, OrderRole, OrderStatus, OrderType, Side
from flashscalper.trading.orders import (
    CLOSED,
    ENDED_KEPT,
    FROM_EXCHANGE,
    LIFECYCLE,
    LIVE,
    Happening,
    Orders,
    OrderState,
    TrackedOrder,
    adopted,
    happening_of,
    tracked,
)
from tests.trading.stage import ETH, START, D, shown


def command(number: int = 1, **changed: object) -> PlaceOrder:
    fields: dict[str, object] = {
        "client_id": f"fs-1-{number}", "symbol": ETH, "side": Side.BUY, "type": OrderType.LIMIT, "size": D(1),
        "price": D(100), "role": OrderRole.ENTRY, "reason": "test", **changed,
    }  # fmt: skip
    return PlaceOrder(**fields)  # type: ignore[arg-type]


def book(order: PlaceOrder | None = None) -> tuple[Orders, TrackedOrder]:
    orders, followed = Orders(), tracked(order or command(), START)
    orders.add(followed)
    return orders, followed


@pytest.mark.parametrize("happening", sorted(FROM_EXCHANGE))
@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_state_handles_everything_that_the_exchange_may_originate(
    state: OrderState, happening: Happening
) -> None:
    after = LIFECYCLE[state, happening]
    expected = {
        Happening.SHOWN_FILLED: {OrderState.FILLED}, Happening.FILLED_WHOLE: {OrderState.FILLED},
        Happening.SHOWN_CANCELED: {OrderState.CANCELED}, Happening.SHOWN_REFUSED: {OrderState.REFUSED, OrderState.CANCELED},
        Happening.FILLED_PART: {OrderState.OPEN}, Happening.SHOWN_OPEN: {OrderState.OPEN},
        Happening.SHOWN_NEW: LIVE - {OrderState.SENT, OrderState.UNKNOWN},
        Happening.SHOWN_UNTRIGGERED: {OrderState.UNTRIGGERED, OrderState.OPEN},
    }[happening]  # fmt: skip
    assert after in expected


def test_the_table_knows_every_state_and_everything_that_may_happen() -> None:
    assert set(LIFECYCLE) == {(state, happening) for state in OrderState for happening in Happening}


def test_what_the_exchange_closed_stays_closed_whatever_comes_later() -> None:
    for (state, happening), after in LIFECYCLE.items():
        if state in CLOSED:
            assert after in CLOSED, (state, happening)


def test_only_the_exchange_or_two_negative_reads_end_an_order_that_it_showed() -> None:
    ours = set(Happening) - FROM_EXCHANGE - {Happening.NOT_FOUND}
    for state in (OrderState.ACCEPTED, OrderState.UNTRIGGERED, OrderState.OPEN):
        for happening in ours:
            assert LIFECYCLE[state, happening] in LIVE - {OrderState.SENT, OrderState.UNKNOWN}


def test_only_an_unknown_order_can_be_declared_dead_without_having_been_seen() -> None:
    assert LIFECYCLE[OrderState.SENT, Happening.NOT_FOUND] is OrderState.UNKNOWN
    assert LIFECYCLE[OrderState.UNKNOWN, Happening.NOT_FOUND] is OrderState.DEAD


@pytest.mark.parametrize("state", [OrderState.DEAD, OrderState.UNSENT, OrderState.REJECTED])
def test_our_own_conclusions_give_way_to_what_the_exchange_shows(state: OrderState) -> None:
    assert LIFECYCLE[state, Happening.SHOWN_OPEN] is OrderState.OPEN
    assert LIFECYCLE[state, Happening.FILLED_PART] is OrderState.UNKNOWN
    assert LIFECYCLE[state, Happening.FILLED_WHOLE] is OrderState.FILLED


def test_a_refusal_after_the_risk_check_is_not_a_cancel() -> None:
    refused = shown(command(), OrderStatus.CLOSED, START, reason="NOT_ENOUGH_MARGIN")
    assert happening_of(refused) is Happening.SHOWN_REFUSED
    filled_in_part = shown(command(), OrderStatus.CLOSED, START, reason="NOT_ENOUGH_MARGIN", filled=D("0.5"))
    assert happening_of(filled_in_part) is Happening.SHOWN_CANCELED
    assert happening_of(shown(command(), OrderStatus.CLOSED, START, filled=D(1))) is Happening.SHOWN_FILLED


def test_fills_that_the_exchange_counts_and_we_lack_are_owed() -> None:
    orders, order = book()
    orders.show(order, shown(command(), OrderStatus.CLOSED, START, filled=D("0.7"), reason="USER_CANCELED"), START)
    assert order.state is OrderState.CANCELED
    assert (order.owed, order.exposed, order.settled) == (D("0.7"), D("0.7"), False)
    assert list(orders.active(ETH)) == [order]
    orders.fill(order, D("0.7"), START, "")
    assert order.settled
    assert list(orders.active(ETH)) == []


def test_a_stale_report_changes_neither_size_nor_price_nor_count() -> None:
    orders, order = book(command(type=OrderType.STOP_MARKET, price=None, trigger_price=D(90), reduce_only=True))
    placed = command(type=OrderType.STOP_MARKET, price=None, trigger_price=D(90), reduce_only=True)
    changed = shown(placed, OrderStatus.UNTRIGGERED, START + 20, size=D(2), trigger_price=D(95))
    orders.show(order, changed, START + 20)
    orders.show(order, shown(placed, OrderStatus.UNTRIGGERED, START + 10), START + 30)
    assert (order.size, order.trigger_price, order.state) == (D(2), D(95), OrderState.UNTRIGGERED)


def test_an_unknown_order_counts_in_full_until_it_is_known() -> None:
    orders, order = book()
    orders.happen(order, Happening.ANSWERED_UNKNOWN, START)
    assert order.exposed == D(1)
    orders.happen(order, Happening.NOT_FOUND, START)
    assert (order.state, order.exposed) == (OrderState.DEAD, ZERO)
    orders.fill(order, D("0.4"), START, "late")
    assert (order.state, order.exposed) == (OrderState.UNKNOWN, D("0.6"))


def test_a_busted_fill_is_not_owed_again() -> None:
    orders, order = book()
    orders.fill(order, D(1), START, "")
    orders.bust(order, "fill:1", D(1), START, booked=True)
    orders.show(order, shown(command(), OrderStatus.CLOSED, START, filled=D(1)), START)
    assert (order.filled, order.owed, order.settled) == (ZERO, ZERO, True)


def test_a_fill_taken_back_unseen_is_not_owed_and_counts_once() -> None:
    orders, order = book()
    orders.show(order, shown(command(), OrderStatus.CLOSED, START, filled=D(1)), START)
    for _ in range(2):
        orders.bust(order, "fill:1", D("0.6"), START, booked=False)
    assert (order.filled, order.owed, order.settled) == (ZERO, D("0.4"), False)
    orders.bust(order, "fill:2", D("0.4"), START, booked=False)
    assert (order.owed, order.settled) == (ZERO, True)


def test_roles_of_adopted_orders_are_read_off_what_they_do() -> None:
    def role(**changed: object) -> OrderRole:
        return adopted(shown(command(1, **changed), OrderStatus.OPEN, START), START).role

    assert role() is OrderRole.ENTRY
    assert role(type=OrderType.STOP_MARKET, trigger_price=D(90), reduce_only=True) is OrderRole.STOP
    assert role(reduce_only=True) is OrderRole.TARGET
    assert role(reduce_only=True, type=OrderType.MARKET, price=None) is OrderRole.EXIT


def test_a_client_id_is_never_used_twice() -> None:
    orders, _ = book()
    with pytest.raises(AssertionError, match="used twice"):
        orders.add(tracked(command(), START))


def test_memory_is_bounded_and_unsettled_orders_are_never_forgotten() -> None:
    orders = Orders(kept=20)
    first = tracked(command(1), START)
    orders.add(first)
    for number in range(2, 200):
        order = tracked(command(number), START)
        orders.add(order)
        orders.happen(order, Happening.ANSWERED_REJECTED, START)
    assert len(orders) <= 21
    assert orders.get("fs-1-1") is first


def test_orders_of_the_last_hour_are_all_known_and_of_older_ones_the_newest() -> None:
    orders, minute = Orders(), 60_000_000
    first = tracked(command(1), START)
    orders.add(first)
    for number in range(2, 1_500):
        now = START + number * minute // 10
        order = tracked(command(number), now)
        orders.add(order)
        orders.happen(order, Happening.ANSWERED_REJECTED, now)
    newest = [order.client_id for order in orders]
    assert newest[0] == "fs-1-1"
    assert newest[1:] == [f"fs-1-{number}" for number in range(1_501 - len(newest), 1_500)]
    assert 600 + ENDED_KEPT <= len(orders) <= 600 + ENDED_KEPT + 52


def test_a_burst_of_orders_within_the_hour_is_bounded_too() -> None:
    orders = Orders(kept=2_000)
    for number in range(1, 3_000):
        order = tracked(command(number), START)
        orders.add(order)
        orders.happen(order, Happening.ANSWERED_REJECTED, START)
        assert len(orders) <= 2_001
    assert orders.get("fs-1-2999") is order


@given(
    happenings=st.lists(st.sampled_from(sorted(Happening)), max_size=12),
    fills=st.lists(st.integers(1, 400), max_size=5),
    data=st.data(),
)
def test_exposure_is_never_less_than_what_may_still_come(
    happenings: list[Happening], fills: list[int], data: st.DataObject
) -> None:
    """Whatever is reported in whatever order: counts stay within the order, a live order counts all that is not booked."""
    orders, order = book()
    steps: list[Happening | Decimal] = [*happenings, *(D(size) / 1000 for size in fills if sum(fills) <= 1000)]
    for step in data.draw(st.permutations(steps)):
        if isinstance(step, Decimal):
            orders.fill(order, step, START, "")
        else:
            orders.happen(order, step, START)
        assert ZERO <= order.filled <= order.size
        assert order.exposed == (order.size - order.filled if order.live else order.owed)
        assert (order in list(orders.active(ETH))) is not order.settled


@given(st.permutations(["new", "open", "part", "closed"]), st.data())
def test_order_reports_in_any_order_and_number_lead_to_the_same_end(names: list[str], data: st.DataObject) -> None:
    placed = command()
    reports: dict[str, Order] = {
        "new": shown(placed, OrderStatus.NEW, START + 1),
        "open": shown(placed, OrderStatus.OPEN, START + 2),
        "part": shown(placed, OrderStatus.OPEN, START + 3, filled=D("0.3")),
        "closed": shown(placed, OrderStatus.CLOSED, START + 4, filled=D("0.3"), reason="USER_CANCELED"),
    }
    orders, order = book(placed)
    repeated = [*names, *data.draw(st.lists(st.sampled_from(names), max_size=4))]
    for name in repeated:
        orders.show(order, reports[name], START)
    assert (order.state, order.shown, order.owed) == (OrderState.CANCELED, D("0.3"), D("0.3"))
