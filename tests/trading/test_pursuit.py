from __future__ import annotations

from flashscalper.model.commands import CancelOrder, PlaceOrder, QueryOrder
from flashscalper.model.events import ClockMeasured, OrderFound, StreamChanged, Verdict
from flashscalper.model.orders import OrderRole, OrderStatus
from flashscalper.model.records import OrderStateChanged
from flashscalper.trading.engine import Output
from tests.trading.stage import ETH, D, Stage, every, fill_of, none, one, shown, signal


def unknown_entry(stage: Stage) -> PlaceOrder:
    entry = stage.enter()
    stage.wait(0.5)
    stage.answer(entry, Verdict.UNKNOWN)
    return entry


def nothing_found(stage: Stage, entry: PlaceOrder, *, failed: bool = False) -> list[Output]:
    return stage.tell(OrderFound(entry.client_id, None, failed=failed))


def state_of(stage: Stage, order: PlaceOrder) -> str:
    return [change.after for change in every(OrderStateChanged, stage.said) if change.client_id == order.client_id][-1]


def pursue(stage: Stage, entry: PlaceOrder, seconds: float, *, failed: bool = False) -> list[Output]:
    """Answer every question about the order with "not there" for a while."""
    outputs: list[Output] = []
    for _ in range(int(seconds * 20)):
        said = stage.wait(0.05)
        outputs += said
        if every(QueryOrder, said):
            outputs += nothing_found(stage, entry, failed=failed)
    return outputs


def test_an_unknown_order_is_asked_about_at_once_and_never_sent_again() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    assert one(QueryOrder, [stage.said[-1]]).client_id == entry.client_id
    nothing_found(stage, entry)
    outputs = pursue(stage, entry, 20.0)
    assert [order for order in every(PlaceOrder, outputs) if order.role is OrderRole.ENTRY] == []


def test_an_unknown_order_is_dead_only_after_the_receive_window_and_two_clean_negative_reads() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    sent_at = stage.now - 500_000
    nothing_found(stage, entry)
    while state_of(stage, entry) != "dead":
        pursue(stage, entry, 0.05)
        assert stage.now < sent_at + 13_000_000
    assert stage.now >= sent_at + 5_500_000
    asked = [at for at, output in stage.journal if isinstance(output, QueryOrder) and at >= sent_at + 5_500_000]
    assert len(asked) >= 2


def test_an_uncertain_clock_makes_us_wait_longer() -> None:
    stage = Stage()
    stage.tell(ClockMeasured(offset_us=0, uncertainty_us=2_000_000))
    entry = unknown_entry(stage)
    nothing_found(stage, entry)
    pursue(stage, entry, 8.5)
    assert state_of(stage, entry) == "unknown"
    pursue(stage, entry, 15.0)
    assert state_of(stage, entry) == "dead"


def test_reads_that_failed_prove_nothing() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    nothing_found(stage, entry, failed=True)
    pursue(stage, entry, 60.0, failed=True)
    assert state_of(stage, entry) == "unknown"


def test_negative_reads_beside_a_broken_stream_prove_nothing() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    nothing_found(stage, entry)
    stage.tell(StreamChanged("account", ready=False, reason="cut"))
    pursue(stage, entry, 40.0)
    assert state_of(stage, entry) == "unknown"


def test_while_an_order_is_unknown_nothing_else_is_opened_and_it_counts_in_full() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    stage.told[ETH].next.append(signal())
    none(PlaceOrder, stage.kline())
    worst = stage.engine._floor.exposure(ETH)
    assert worst.worst_size == entry.size


def test_the_stream_resolves_an_unknown_order_at_once() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    stop = one(PlaceOrder, stage.fill(entry, D("1"), 100.01))
    assert stop.role is OrderRole.STOP
    assert state_of(stage, entry) == "open"


def test_a_question_can_bring_order_and_fills() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    closed = shown(entry, OrderStatus.CLOSED, stage.now, filled=D("1"), reason="IOC_REMAINDER")
    fill = fill_of(entry, 77, stage.now, size=D("1"))
    outputs = stage.tell(OrderFound(entry.client_id, closed, (fill,)))
    assert one(PlaceOrder, outputs).role is OrderRole.STOP
    assert stage.size == D("1")
    outputs = stage.tell(OrderFound(entry.client_id, closed, (fill,)))
    assert stage.size == D("1")


def test_an_answer_that_does_not_come_at_all_makes_an_order_unknown() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.wait(5.9)
    assert state_of(stage, entry) == "sent"
    outputs = stage.wait(0.2)
    assert state_of(stage, entry) == "unknown"
    assert one(QueryOrder, outputs).client_id == entry.client_id


def test_a_dead_order_that_shows_up_is_taken_back_and_its_fills_count() -> None:
    stage = Stage()
    entry = unknown_entry(stage)
    nothing_found(stage, entry)
    pursue(stage, entry, 13.0)
    assert state_of(stage, entry) == "dead"
    assert one(CancelOrder, stage.show(entry)).client_id == entry.client_id
    stage.fill(entry, D("1"), 100.0)
    assert stage.size == D("1")


def test_fills_that_are_owed_are_asked_for_after_half_a_second() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.show(entry, OrderStatus.CLOSED, filled=D("1"), reason="IOC_REMAINDER")
    none(QueryOrder, stage.wait(0.4))
    assert one(QueryOrder, stage.wait(0.2)).client_id == entry.client_id


def test_an_immediate_order_that_stays_open_is_asked_about() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.show(entry)
    assert one(QueryOrder, stage.wait(2.1)).client_id == entry.client_id


def test_the_late_answer_to_an_early_question_is_not_taken_for_a_later_one() -> None:
    """The first question is asked inside the receive window and answered long after: it proves nothing."""
    stage = Stage()
    entry = unknown_entry(stage)
    stage.wait(11.0)
    nothing_found(stage, entry)
    assert state_of(stage, entry) == "unknown"
    stage.wait(0.6)
    nothing_found(stage, entry)
    assert state_of(stage, entry) == "unknown"
    stage.wait(6.0)
    nothing_found(stage, entry)
    assert state_of(stage, entry) == "dead"
