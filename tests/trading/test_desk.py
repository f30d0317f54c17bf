"""The order desk by itself: what it says, in which order, what it counts, and what it holds against whom."""

from __future__ import annotations

import msgspec
import pytest

from flashscalper.model.commands import (
    ArmOrder,
    CancelOrder,
    DisarmOrder,
    ModifyOrder,
    PlaceOrder,
    QueryOrder,
    ReleaseOrder,
)
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from flashscalper.model.records import OrderDenied, OrderStateChanged
from flashscalper.trading.desk import Counts, Desk, Output
from flashscalper.trading.fees import RetailBudget
from flashscalper.trading.limits import Proposal
from flashscalper.trading.orders import Happening, OrderState, TrackedOrder
from flashscalper.trading.risk import CANCELED_BY_OTHERS, Halt
from flashscalper.trading.settings import RiskLimits
from tests.trading.desks import desk_of
from tests.trading.stage import ETH, MARKET, START, D, every, one

H = Happening
PROPOSAL = Proposal(symbol=ETH, side=Side.BUY, size=D(1), price=D(100))
NARROW = RiskLimits(max_orders_per_second=1, max_consecutive_rejects=1)


def entered(desk: Desk) -> TrackedOrder:
    """An entry that left."""
    return desk.send(desk.entry_command(PROPOSAL, TimeInForce.IOC, "entry"), START)


def stopped(desk: Desk) -> TrackedOrder:
    """A stop that left."""
    return desk.reduce(
        ETH, Side.SELL, D(1), type=OrderType.STOP_MARKET, role=OrderRole.STOP, reason="stop", now=START, trigger_price=D(90)
    )


def counted(desk: Desk) -> dict[str, int]:
    """What it counted, without what it did not."""
    return {name: number for name, number in msgspec.structs.asdict(desk.counts).items() if number}


def test_the_last_gate_asks_for_state_then_rate_then_repetition_then_every_limit() -> None:
    desk = desk_of([])
    gates = desk.admit(MARKET, PROPOSAL, START)
    assert [gate.code for gate in gates][:4] == ["state", "order_rate", "duplicate_intent", "grid"]
    assert gates[-1].code == "open_orders"
    assert all(gate.passed for gate in gates)
    assert (gates[0].needed, gates[0].seen) == ("active", "active")
    assert "under 7 a second" in gates[1].needed, "what opens leaves the reserve alone"


def test_the_last_gate_says_no_in_every_state_but_active() -> None:
    desk = desk_of([])
    desk.risk.hold("paused", "", START)
    assert [(gate.code, gate.seen) for gate in desk.admit(MARKET, PROPOSAL, START) if not gate.passed] == [
        ("state", "reducing")
    ]


def test_the_last_gate_knows_an_entry_that_just_left() -> None:
    desk = desk_of([])
    entered(desk)
    assert [gate.code for gate in desk.admit(MARKET, PROPOSAL, START) if not gate.passed] == ["duplicate_intent"]
    other = msgspec.structs.replace(PROPOSAL, size=D(2))
    assert all(gate.passed for gate in desk.admit(MARKET, other, START))


def test_orders_that_reduce_are_no_intents() -> None:
    desk = desk_of([])
    desk.reduce(ETH, Side.BUY, D(1), type=OrderType.LIMIT, role=OrderRole.TARGET, reason="target", now=START, price=D(100))
    assert all(gate.passed for gate in desk.admit(MARKET, PROPOSAL, START))


def test_an_entry_is_a_limit_order_for_what_was_admitted_under_the_next_id() -> None:
    desk = desk_of([])
    command, following = (desk.entry_command(PROPOSAL, TimeInForce.POST_ONLY, "why") for _ in range(2))
    assert command == PlaceOrder(
        client_id=command.client_id, symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, size=D(1), price=D(100),
        time_in_force=TimeInForce.POST_ONLY, reduce_only=False, role=OrderRole.ENTRY, reason="why",
    )  # fmt: skip
    assert following.client_id != command.client_id


def test_an_order_is_followed_counted_and_written_down_before_it_is_asked_for() -> None:
    out: list[Output] = []
    retail = RetailBudget()
    desk = desk_of(out, retail=retail)
    order = entered(desk)
    change, command = out
    assert change == OrderStateChanged(
        client_id=order.client_id, symbol=ETH, role=OrderRole.ENTRY, before="intended", cause="entry", after="sent",
        changed_at=START,
    )  # fmt: skip
    assert isinstance(command, PlaceOrder)
    assert desk.orders.get(order.client_id) is order
    assert (counted(desk), desk.touched) == ({"sent": 1}, {ETH})
    assert desk.risk.counters().sent == [START]
    full = RetailBudget().left(START)
    assert retail.left(START) == tuple(left - 1 for left in full)


def test_an_order_that_reduces_is_reduce_only_with_everything_it_was_told() -> None:
    out: list[Output] = []
    order = stopped(desk_of(out))
    assert one(PlaceOrder, out) == PlaceOrder(
        client_id=order.client_id, symbol=ETH, side=Side.SELL, type=OrderType.STOP_MARKET, size=D(1), trigger_price=D(90),
        reduce_only=True, role=OrderRole.STOP, reason="stop",
    )  # fmt: skip


def test_what_reduces_leaves_whatever_the_state_and_the_rate_are_and_counts_in_it() -> None:
    out: list[Output] = []
    desk = desk_of(out, NARROW)
    desk.risk.hold(Halt.KILLED, "x", START)
    for _ in range(3):
        stopped(desk)
    desk.release(desk.arm(ETH, Side.SELL, D(1), None), "exit", START)
    assert every(OrderDenied, out) == []
    assert counted(desk) == {"sent": 4}
    assert "order_rate" in [gate.code for gate in desk.admit(MARKET, PROPOSAL, START) if not gate.passed]


def test_a_denial_is_written_down_with_its_gate_and_counted() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    gate = desk.admit(MARKET, PROPOSAL, START)[1]
    desk.deny(PROPOSAL, gate, OrderRole.ENTRY, START + 1)
    assert out == [OrderDenied(symbol=ETH, side=Side.BUY, size=D(1), role=OrderRole.ENTRY, gate=gate, denied_at=START + 1)]
    assert counted(desk) == {"denied": 1}


def test_an_armed_order_closes_at_the_market_and_takes_the_id_of_the_one_before() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    first = desk.arm(ETH, Side.SELL, D(1), None)
    second = desk.arm(ETH, Side.SELL, D(2), first)
    assert [one.order for one in every(ArmOrder, out)] == [first, second]
    assert second == PlaceOrder(
        client_id=first.client_id, symbol=ETH, side=Side.SELL, type=OrderType.MARKET, size=D(2), reduce_only=True,
        role=OrderRole.EXIT, reason="armed",
    )  # fmt: skip
    assert (counted(desk), list(desk.orders)) == ({}, []), "what is armed has not left"
    desk.disarm(second)
    assert out[-1] == DisarmOrder(client_id=first.client_id, symbol=ETH)
    assert desk.arm(ETH, Side.SELL, D(1), None).client_id != first.client_id


def test_releasing_sends_what_was_armed_for_the_reason_of_now() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    armed = desk.arm(ETH, Side.SELL, D(1), None)
    order = desk.release(armed, "target", START)
    assert one(ReleaseOrder, out).order == msgspec.structs.replace(armed, reason="target")
    assert every(PlaceOrder, out) == []
    assert (order.reason, counted(desk), desk.risk.counters().sent) == ("target", {"sent": 1}, [START])


def test_a_modification_says_the_whole_order_again_and_counts_as_one_sent() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    order = stopped(desk)
    order.order_id = "x"
    desk.touched.clear()
    assert desk.modify(order, size=D(2), now=START + 5, reason="resize", price=D(3), trigger_price=D(91))
    command = one(ModifyOrder, out)
    assert command == ModifyOrder(
        client_id=order.client_id, order_id="x", symbol=ETH, side=Side.SELL, type=OrderType.STOP_MARKET, size=D(2),
        price=D(3), trigger_price=D(91), role=OrderRole.STOP, reason="resize",
    )  # fmt: skip
    assert (order.modifying, order.modified_at, desk.touched) == (command, START + 5, {ETH})
    assert desk.risk.counters().sent == [START, START + 5]
    assert counted(desk) == {"sent": 1}


def test_a_mere_move_of_a_price_waits_for_the_whole_rate_and_a_change_of_size_does_not() -> None:
    out: list[Output] = []
    desk = desk_of(out, RiskLimits(max_orders_per_second=2, reserve_share=0.5))
    order = stopped(desk)
    order.order_id = "x"
    assert desk.modify(order, size=D(1), now=START, reason="move", trigger_price=D(91))
    assert not desk.modify(order, size=D(1), now=START, reason="move", trigger_price=D(92))
    assert one(ModifyOrder, out) is order.modifying
    assert desk.modify(order, size=D("0.9"), now=START, reason="resize", trigger_price=D(92))
    assert len(every(ModifyOrder, out)) == 2


@pytest.mark.parametrize("change", [{"reduce_only": False}, {"order_id": ""}])
def test_only_an_order_that_reduces_and_that_the_exchange_named_is_modified(change: dict[str, object]) -> None:
    desk = desk_of([])
    order = msgspec.structs.replace(stopped(desk), order_id="x")
    with pytest.raises(AssertionError):
        desk.modify(msgspec.structs.replace(order, **change), size=D(2), now=START, reason="resize")


def test_a_live_order_is_cancelled_once() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    order = stopped(desk)
    order.order_id = "x"
    desk.touched.clear()
    for now in (START + 1, START + 2):
        desk.cancel(order, "why", now)
    assert one(CancelOrder, out) == CancelOrder(
        client_id=order.client_id, symbol=ETH, order_id="x", role=OrderRole.STOP, reason="why"
    )
    assert (order.canceling, order.cancel_asked_at, desk.touched) == (True, START + 1, {ETH})


def test_an_order_that_ended_is_not_cancelled() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    order = stopped(desk)
    desk.happen(order, H.SHOWN_FILLED, START)
    desk.cancel(order, "why", START)
    assert (every(CancelOrder, out), order.canceling, order.cancel_asked_at) == ([], False, 0)


def test_a_question_names_the_order_by_our_id() -> None:
    out: list[Output] = []
    desk = desk_of(out)
    order = stopped(desk)
    desk.query(order)
    assert out[-1] == QueryOrder(client_id=order.client_id, symbol=ETH)


def test_counts_begin_at_nothing() -> None:
    assert msgspec.structs.asdict(Counts()) == dict.fromkeys(
        ("sent", "filled", "canceled", "denied", "rejected", "unknown"), 0
    )


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        (H.SHOWN_FILLED, {"filled": 1}), (H.SHOWN_CANCELED, {"canceled": 1}), (H.SHOWN_REFUSED, {"rejected": 1}),
        (H.ANSWERED_REJECTED, {"rejected": 1}), (H.ANSWERED_UNKNOWN, {"unknown": 1}), (H.ANSWERED_ACCEPTED, {}),
        (H.SHOWN_OPEN, {}), (H.ANSWERED_UNSENT, {}),
    ],
)  # fmt: skip
def test_a_step_is_written_down_touches_its_market_and_counts_how_it_ended(what: Happening, counts: dict[str, int]) -> None:
    out: list[Output] = []
    desk = desk_of(out)
    order = entered(desk)
    out.clear()
    desk.touched.clear()
    desk.happen(order, what, START + 1, "why")
    desk.happen(order, what, START + 2, "why")
    change = one(OrderStateChanged, out)
    assert (change.cause, change.changed_at, change.detail) == (what, START + 1, "why")
    assert (counted(desk), desk.touched) == ({"sent": 1, **counts}, {ETH})


def test_standing_still_touches_the_market_all_the_same() -> None:
    desk = desk_of([])
    order = entered(desk)
    desk.happen(order, H.SHOWN_OPEN, START)
    desk.touched.clear()
    desk.happen(order, H.SHOWN_OPEN, START)
    assert desk.touched == {ETH}


@pytest.mark.parametrize("what", [H.ANSWERED_REJECTED, H.SHOWN_REFUSED])
@pytest.mark.parametrize(
    ("role", "detail", "counts"),
    [
        (OrderRole.ENTRY, "NOT_ENOUGH_MARGIN", True), (OrderRole.ENTRY, "REDUCE_ONLY_WOULD_INCREASE", True),
        (OrderRole.STOP, "NOT_ENOUGH_MARGIN", True), (OrderRole.STOP, "REDUCE_ONLY_WOULD_INCREASE", False),
    ],
)  # fmt: skip
def test_every_refusal_counts_but_one_of_an_order_that_had_nothing_left_to_reduce(
    what: Happening, role: OrderRole, detail: str, counts: bool
) -> None:
    desk = desk_of([], NARROW)
    order = entered(desk) if role is OrderRole.ENTRY else stopped(desk)
    desk.happen(order, what, START + 1, detail)
    assert desk.risk.holds(Halt.REJECTS) is counts
    assert desk.risk.counters().rejects == ([START + 1] if counts else [])
    if counts:
        assert desk.risk.reasons == (f"rejects: 1 orders refused in a row, last: {detail}",)


@pytest.mark.parametrize(
    ("what", "clears"),
    [(H.SHOWN_UNTRIGGERED, True), (H.SHOWN_OPEN, True), (H.SHOWN_FILLED, True), (H.ANSWERED_ACCEPTED, False),
     (H.SHOWN_CANCELED, False), (H.ANSWERED_UNKNOWN, False)],
)  # fmt: skip
def test_refusals_are_in_a_row_until_an_order_works(what: Happening, clears: bool) -> None:
    desk = desk_of([], RiskLimits(max_consecutive_rejects=2))
    desk.risk.on_answer(rejected=True, now=START)
    desk.happen(stopped(desk), what, START)
    assert (desk.risk.counters().rejects == []) is clears


@pytest.mark.parametrize(
    ("known", "others"),
    [
        ({"cancel_reason": "USER_CANCELED"}, True),
        ({"cancel_reason": "USER_CANCELED", "cancel_asked_at": START}, False),
        ({"cancel_reason": "USER_CANCELED", "adopted": True}, False),
        ({"cancel_reason": "POST_ONLY_WOULD_CROSS"}, False),
    ],
)
def test_an_end_by_hand_that_we_did_not_ask_for_was_somebody_else(known: dict[str, object], others: bool) -> None:
    desk = desk_of([])
    order = stopped(desk)
    for name, value in known.items():
        setattr(order, name, value)
    desk.happen(order, H.SHOWN_CANCELED, START)
    assert desk.risk.holds(CANCELED_BY_OTHERS) is others
    if others:
        assert desk.risk.reasons == (f"canceled_by_others: stop {order.client_id} was cancelled by somebody else",)
    assert order.state is OrderState.CANCELED
