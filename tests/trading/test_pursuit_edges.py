"""When exactly an order is in doubt, when exactly it is asked about, and which answers prove anything."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder, QueryOrder
from flashscalper.model.events import OrderFound
from flashscalper.model.instants import SECOND_US
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, Side, TimeInForce
from flashscalper.trading.desk import Output
from flashscalper.trading.orders import Happening, OrderState, TrackedOrder, tracked
from flashscalper.trading.pursuit import Pursuit
from flashscalper.trading.settings import TimingSettings
from tests.trading.desks import desk_of
from tests.trading.stage import ETH, START, D, every, none, shown

S = OrderState
COMMAND = PlaceOrder(
    client_id="fs-1-1", symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, size=D(1), price=D(100), role=OrderRole.ENTRY,
    reason="test",
)  # fmt: skip
CHANGE = ModifyOrder(
    client_id="fs-1-1", order_id="x", symbol=ETH, side=Side.BUY, type=OrderType.LIMIT, size=D(2), price=D(99),
    role=OrderRole.ENTRY, reason="test",
)  # fmt: skip
ASKED_US = 5_500_000
"""Nothing arrives later than this after it was sent: receive window and margin."""


@dataclass
class Hunt:
    """A pursuit with its desk, beside a healthy stream unless told otherwise."""

    out: list[Output] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.desk = desk_of(self.out)
        self.pursuit = Pursuit(TimingSettings(), self.desk, 1.5)
        self.pursuit.healthy = True

    def follow(self, number: int = 1, **known: object) -> TrackedOrder:
        order = msgspec.structs.replace(
            tracked(msgspec.structs.replace(COMMAND, client_id=f"fs-1-{number}"), START), **known
        )
        self.desk.orders.add(order)
        return order

    def asked(self, now: int) -> list[str]:
        """Whom it asks about at this instant."""
        self.out.clear()
        self.pursuit.due(now)
        return [query.client_id for query in every(QueryOrder, self.out)]

    def nothing(self, order: TrackedOrder, now: int, *, failed: bool = False) -> None:
        """The answer: no such order, or no answer at all."""
        self.pursuit.on_answer(OrderFound(order.client_id, None, failed=failed), order, now)

    def found(self, order: TrackedOrder, now: int) -> None:
        self.out.clear()
        self.pursuit.on_answer(OrderFound(order.client_id, shown(COMMAND, OrderStatus.OPEN, now)), order, now)

    def instants(self, order: TrackedOrder, count: int, *, failed: bool) -> list[int]:
        """When it asks, after START, if every question is answered at once with nothing."""
        found: list[int] = []
        while len(found) < count:
            now = self.pursuit.wake_at()
            assert now is not None
            assert self.asked(now) == [order.client_id], "woken for nothing"
            self.nothing(order, now, failed=failed)
            found.append(now - START)
        return found


def state(order: TrackedOrder) -> OrderState:
    return order.state


def test_nothing_is_believed_of_stream_and_clock_before_the_engine_says_so() -> None:
    fresh = Pursuit(TimingSettings(), Hunt().desk, 1.5)
    assert (fresh.healthy, fresh.clock_error_us, fresh.wake_at()) == (False, 0, None)


def test_a_request_may_arrive_within_window_and_margin_and_twice_what_the_clock_is_off() -> None:
    hunt = Hunt()
    assert hunt.pursuit.window_us == ASKED_US
    hunt.pursuit.clock_error_us = 1_000
    assert hunt.pursuit.window_us == ASKED_US + 2_000


@pytest.mark.parametrize(
    ("after_us", "known"),
    [
        (6_000_000, {}),
        (0, {"state": S.UNKNOWN}),
        (500_000, {"state": S.ACCEPTED}),
        (2_000_000, {"state": S.ACCEPTED, "order_id": "x"}),
        (1_500_000, {"state": S.OPEN, "order_id": "x", "shown": D(1), "owed_since": START + SECOND_US}),
        (2_000_000, {"state": S.OPEN, "order_id": "x", "time_in_force": TimeInForce.IOC}),
        *((2_000_000, {"state": S.OPEN, "order_id": "x", "type": kind}) for kind in (
            OrderType.MARKET, OrderType.STOP_MARKET, OrderType.STOP_LOSS_MARKET, OrderType.TAKE_PROFIT_MARKET)),
        (1_300_000, {"state": S.OPEN, "order_id": "x", "canceling": True, "cancel_asked_at": START + 300_000}),
        (1_700_000, {"state": S.OPEN, "order_id": "x", "modifying": CHANGE, "modified_at": START + 200_000}),
        (1_000_000, {"state": S.OPEN, "order_id": "x", "modifying": CHANGE, "modified_at": START, "canceling": True,
                     "cancel_asked_at": START}),
    ],
)  # fmt: skip
def test_an_order_is_asked_about_at_the_instant_its_doubt_begins(after_us: int, known: dict[str, object]) -> None:
    hunt = Hunt()
    order = hunt.follow(**known)  # type: ignore[arg-type]
    assert hunt.pursuit.wake_at() == START + after_us
    assert hunt.asked(START + after_us - 1) == []
    assert hunt.asked(START + after_us) == [order.client_id]


@pytest.mark.parametrize(
    "known",
    [{"state": S.OPEN}, {"state": S.UNTRIGGERED}, {"state": S.UNTRIGGERED, "type": OrderType.STOP_MARKET}],
)
def test_an_order_that_rests_as_it_should_is_not_asked_about(known: dict[str, object]) -> None:
    hunt = Hunt()
    hunt.follow(**known, order_id="x")  # type: ignore[arg-type]
    assert (hunt.pursuit.wake_at(), hunt.asked(START + 3_600 * SECOND_US)) == (None, [])


def test_an_overdue_answer_makes_the_order_unknown_and_a_late_one_before_that_does_not() -> None:
    hunt = Hunt()
    order = hunt.follow()
    hunt.pursuit.due(START + 6 * SECOND_US - 1)
    assert state(order) is S.SENT
    hunt.pursuit.due(START + 6 * SECOND_US)
    assert state(order) is S.UNKNOWN


def test_an_order_without_doubt_does_not_hide_the_next_one() -> None:
    hunt = Hunt()
    hunt.follow(1, state=S.OPEN, order_id="x")
    hunt.follow(2, state=S.UNKNOWN)
    hunt.follow(3, state=S.UNKNOWN)
    assert hunt.asked(START) == ["fs-1-2", "fs-1-3"]


def test_questions_come_after_twice_the_wait_each_time_up_to_the_longest() -> None:
    hunt = Hunt()
    asked = hunt.instants(hunt.follow(state=S.UNKNOWN), 8, failed=True)
    assert asked == [0, 500_000, 1_500_000, 3_500_000, 7_500_000, 12_500_000, 17_500_000, 22_500_000]


def test_a_question_without_an_answer_is_repeated_only_when_none_can_come_any_more() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    assert hunt.asked(START) == [order.client_id]
    assert hunt.pursuit.wake_at() == START + 12 * SECOND_US
    assert hunt.asked(START + 12 * SECOND_US - 1) == []
    assert hunt.asked(START + 12 * SECOND_US) == [order.client_id]


def test_a_doubt_that_was_settled_begins_anew_with_the_next_one() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    hunt.instants(order, 4, failed=True)
    hunt.desk.happen(order, Happening.SHOWN_OPEN, START + 4 * SECOND_US)
    order.order_id = "x"
    assert hunt.asked(START + 4 * SECOND_US) == []
    hunt.pursuit.suspect(order)
    assert hunt.asked(START + 4 * SECOND_US) == [order.client_id]
    hunt.nothing(order, START + 4 * SECOND_US, failed=True)
    assert hunt.pursuit.wake_at() == START + 4_500_000


@pytest.mark.parametrize(("early_us", "ends"), [(0, True), (1, False)])
def test_a_negative_read_counts_from_the_instant_on_that_nothing_can_arrive(early_us: int, ends: bool) -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    for now in (START + ASKED_US - early_us, START + 2 * ASKED_US):
        assert hunt.asked(now) == [order.client_id]
        hunt.nothing(order, now)
    assert (state(order) is S.DEAD) is ends


def test_after_a_first_clean_negative_the_second_is_asked_for_soon() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    assert hunt.instants(order, 6, failed=False) == [0, 500_000, 1_500_000, 3_500_000, 7_500_000, 8_000_000]
    assert state(order) is S.DEAD


def test_a_second_question_that_is_due_anyway_is_not_put_off() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    now = START + ASKED_US
    assert hunt.asked(now) == [order.client_id]
    hunt.nothing(order, now + 300_000)
    assert hunt.pursuit.wake_at() == now + 500_000


def test_one_answer_is_one_proof_however_often_it_comes() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    now = START + ASKED_US
    assert hunt.asked(now) == [order.client_id]
    for _ in range(3):
        hunt.nothing(order, now)
    assert state(order) is S.UNKNOWN


def test_an_answer_to_a_question_that_nobody_asked_is_no_proof() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.OPEN, order_id="x")
    for _ in range(3):
        hunt.nothing(order, START + ASKED_US)
    assert state(order) is S.OPEN


def test_an_order_that_was_found_in_between_needs_two_negatives_again() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    now = START + ASKED_US
    hunt.asked(now)
    hunt.nothing(order, now)
    hunt.asked(now + 500_000)
    hunt.found(order, now + 500_000)
    for step in range(1, 3):
        at = now + step * 5 * SECOND_US
        assert hunt.asked(at) == [order.client_id]
        hunt.nothing(order, at)
        assert state(order) is (S.UNKNOWN if step == 1 else S.DEAD)


def test_a_stream_that_broke_undoes_the_negatives_before_it_and_the_question_on_its_way() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    now = START + ASKED_US
    hunt.asked(now)
    hunt.nothing(order, now)
    assert hunt.asked(now + SECOND_US) == [order.client_id]
    hunt.pursuit.on_stream_lost()
    hunt.nothing(order, now + SECOND_US)
    for step in range(1, 3):
        assert state(order) is S.UNKNOWN
        at = now + step * 5 * SECOND_US
        assert hunt.asked(at) == [order.client_id]
        hunt.nothing(order, at)
    assert state(order) is S.DEAD


@pytest.mark.parametrize(("asking", "answering"), [(False, True), (True, False)])
def test_a_negative_read_counts_only_beside_a_stream_that_was_and_is_healthy(asking: bool, answering: bool) -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    for step in range(1, 5):
        now = START + step * ASKED_US
        hunt.pursuit.healthy = asking
        assert hunt.asked(now) == [order.client_id]
        hunt.pursuit.healthy = answering
        hunt.nothing(order, now)
    assert state(order) is S.UNKNOWN


def test_the_end_of_an_order_is_written_down_with_its_proof() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    hunt.out.clear()
    hunt.instants(order, 6, failed=False)
    assert [getattr(record, "detail", "") for record in hunt.out][-1] == "two clean negative reads"


@pytest.mark.parametrize("proof", ["found", "gone"])
def test_a_suspicion_ends_with_the_answer(proof: str) -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.OPEN, order_id="x")
    hunt.pursuit.suspect(order)
    assert hunt.pursuit.wake_at() == START
    if proof == "found":
        hunt.asked(START)
        hunt.found(order, START)
    else:
        hunt.instants(order, 6, failed=False)
        assert state(order) is S.DEAD
        hunt.desk.happen(order, Happening.SHOWN_OPEN, START + 9 * SECOND_US)
    assert hunt.asked(START + 30 * SECOND_US) == []


@pytest.mark.parametrize(("early_us", "given_up"), [(0, True), (1, False)])
def test_a_modification_that_shows_no_effect_is_given_up_after_its_time(early_us: int, given_up: bool) -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.OPEN, order_id="x", modifying=CHANGE, modified_at=START)
    now = START + 1_500_000
    hunt.asked(now)
    hunt.desk.touched.clear()
    hunt.found(order, now - early_us)
    assert (order.modifying is None) is given_up
    assert (ETH in hunt.desk.touched) is given_up


@pytest.mark.parametrize(("early_us", "again"), [(0, True), (1, False)])
def test_a_cancel_that_shows_no_effect_is_asked_for_again_after_its_time(early_us: int, again: bool) -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.OPEN, order_id="x", canceling=True, cancel_asked_at=START)
    now = START + SECOND_US
    hunt.asked(now)
    hunt.found(order, now - early_us)
    assert [(cancel.client_id, cancel.reason) for cancel in every(CancelOrder, hunt.out)] == (
        [(order.client_id, "cancel again")] if again else []
    )
    assert order.cancel_asked_at == (now if again else START)


def test_nothing_is_cancelled_again_that_nobody_wanted_cancelled_or_that_ended() -> None:
    for known in ({"state": S.UNKNOWN}, {"state": S.CANCELED, "canceling": True, "shown": D(1)}):
        hunt = Hunt()
        order = hunt.follow(**known)
        hunt.asked(START + 3 * SECOND_US)
        hunt.found(order, START + 3 * SECOND_US)
        none(CancelOrder, hunt.out)


def test_of_questions_without_answers_the_last_eight_are_remembered() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    for number in range(12):
        assert hunt.asked(START + number * 12 * SECOND_US) == [order.client_id]
    chase = hunt.pursuit._chases[order.client_id]
    assert chase.asked == [(START + number * 12 * SECOND_US, True) for number in range(4, 12)]


def test_what_ended_is_forgotten() -> None:
    hunt = Hunt()
    order = hunt.follow(state=S.UNKNOWN)
    still = hunt.follow(2, state=S.UNKNOWN)
    for one in (order, still):
        hunt.pursuit.suspect(one)
    hunt.asked(START)
    hunt.desk.happen(order, Happening.SHOWN_CANCELED, START)
    hunt.asked(START)
    assert list(hunt.pursuit._chases) == list(hunt.pursuit._suspects) == [still.client_id]
