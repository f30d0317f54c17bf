from __future__ import annotations

from collections.abc import Sequence

import msgspec

from flashscalper.model.commands import CancelOrder, PlaceOrder, QueryOrder
from flashscalper.model.events import (
    BestQuote,
    FillReported,
    MarkPrice,
    OperatorAction,
    OrderFound,
    RequestKind,
    RequestOutcome,
    Verdict,
)
from flashscalper.model.orders import OrderRole, OrderStatus, OrderType, TimeInForce
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import OrderDenied, RoundTripClosed, SignalJudged
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.settings import EntrySettings
from tests.trading.stage import BTC, ETH, SETTINGS, D, Stage, every, fill_of, none, one, shown, signal

RESTING = msgspec.structs.replace(
    SETTINGS, entry=EntrySettings(style=EntryStyle.POST_ONLY_THEN_IOC, post_wait_s=2.0, max_slippage_bps=5.0)
)


def entries(outputs: Sequence[object]) -> list[PlaceOrder]:
    return [one for one in outputs if isinstance(one, PlaceOrder) and one.role is OrderRole.ENTRY]


def resting(stage: Stage) -> PlaceOrder:
    """An entry that rests at the bid."""
    entry = stage.enter()
    stage.answer(entry)
    stage.show(entry)
    return entry


def test_a_resting_entry_is_taken_back_after_its_time_and_the_rest_is_taken() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    assert (entry.time_in_force, entry.price) == (TimeInForce.POST_ONLY, D("99.99"))
    stage.rest_stop(one(PlaceOrder, stage.fill(entry, D("1"))))
    cancel = one(CancelOrder, stage.wait(2.0))
    assert cancel.client_id == entry.client_id
    outputs = stage.show(entry, OrderStatus.CLOSED, filled=D("1"), reason="USER_CANCELED")
    top_up = one(PlaceOrder, entries(outputs))
    assert (top_up.time_in_force, top_up.size) == (TimeInForce.IOC, entry.size - 1)
    assert top_up.price == D("100.06")


def test_the_rest_is_left_when_taking_it_would_not_pay_any_more() -> None:
    stage = Stage(msgspec.structs.replace(RESTING, costs=CostSettings(min_multiple=1.0, top_up_share=0.0)))
    entry = stage.enter(expected_move=0.0008)
    stage.answer(entry)
    stage.show(entry)
    stage.wait(2.0)
    outputs = stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED")
    assert entries(outputs) == []
    refused = one(OrderDenied, outputs).gate
    assert (refused.code, refused.seen) == ("cost", "8 bps")
    assert "fees 9" in refused.needed, "resting would have paid one taker fee, taking pays two"


def test_an_entry_waits_at_the_level_that_its_signal_names_and_never_crosses() -> None:
    for direction, level, price in (
        (PositionSide.LONG, 99.905, "99.9"), (PositionSide.LONG, 100.5, "99.99"), (PositionSide.LONG, None, "99.99"),
        (PositionSide.SHORT, 100.095, "100.1"), (PositionSide.SHORT, 99.5, "100.01"),
    ):  # fmt: skip
        entry = Stage(RESTING).enter(direction, entry=level)
        assert (entry.time_in_force, entry.price) == (TimeInForce.POST_ONLY, D(price))


def test_an_entry_at_a_level_that_was_not_reached_is_topped_up_within_its_bound() -> None:
    stage = Stage(RESTING)
    entry = stage.enter(entry=99.95)
    stage.answer(entry)
    stage.show(entry)
    one(CancelOrder, stage.wait(2.0))
    top_up = one(PlaceOrder, entries(stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED")))
    assert (top_up.time_in_force, top_up.price) == (TimeInForce.IOC, D("100.06"))


def test_an_entry_that_takes_at_once_is_denied_while_its_price_has_not_come() -> None:
    stage = Stage()
    stage.told[ETH].next += [signal(entry=99.9), signal(entry=100.01)]
    assert one(SignalJudged, stage.kline()).denied_by == "entry_price"
    assert one(SignalJudged, stage.kline()).outcome == "entered"


def test_a_target_on_the_wrong_side_is_denied() -> None:
    stage = Stage()
    stage.told[ETH].next += [signal(target=99.0), signal(PositionSide.SHORT, target=101.0)]
    assert [one(SignalJudged, stage.kline()).denied_by for _ in range(2)] == ["target_price", "target_price"]


def test_nothing_is_taken_before_the_cancel_is_known() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    one(CancelOrder, stage.wait(2.0))
    outputs = stage.tell(RequestOutcome(RequestKind.CANCEL, entry.client_id, Verdict.ACCEPTED))
    assert entries(outputs + stage.wait(0.9)) == []


def test_a_fill_that_arrives_while_the_order_is_taken_back_is_not_bought_again() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.wait(2.0)
    outputs = stage.show(entry, OrderStatus.CLOSED, filled=D("2"), reason="USER_CANCELED")
    assert entries(outputs) == [], "two units are owed: their fill has not come"
    outputs = stage.fill(entry, D("2"))
    assert one(PlaceOrder, entries(outputs)).size == entry.size - 2


def test_a_resting_entry_that_filled_whole_is_left_alone() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.fill(entry)
    stage.show(entry, OrderStatus.CLOSED, filled=entry.size)
    outputs = stage.wait(3.0)
    none(CancelOrder, outputs)
    assert entries(outputs) == []


def test_when_the_price_has_run_away_the_rest_is_left() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.wait(1.9)
    stage.price(100.2)
    stage.wait(0.2)
    assert entries(stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED")) == []
    assert entries(stage.wait(5.0)) == []


def test_a_post_only_entry_that_would_have_crossed_is_taken_instead() -> None:
    stage = Stage(RESTING)
    entry = stage.enter()
    stage.answer(entry)
    outputs = stage.show(entry, OrderStatus.CLOSED, reason="POST_ONLY_WOULD_CROSS")
    assert one(PlaceOrder, entries(outputs)).time_in_force is TimeInForce.IOC


def test_style_post_only_never_takes() -> None:
    entry_settings = EntrySettings(style=EntryStyle.POST_ONLY, post_wait_s=1.0)
    stage = Stage(msgspec.structs.replace(SETTINGS, entry=entry_settings))
    entry = resting(stage)
    stage.wait(1.1)
    assert entries(stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED") + stage.wait(3.0)) == []


def test_the_remainder_of_an_immediate_order_is_left() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry)
    stage.fill(entry, D("1"), 100.01)
    outputs = stage.show(entry, OrderStatus.CLOSED, filled=D("1"), reason="IOC_REMAINDER")
    assert entries(outputs + stage.wait(3.0)) == []


def test_one_entry_per_market_at_a_time() -> None:
    stage = Stage(RESTING)
    resting(stage)
    stage.told[ETH].next.append(signal(PositionSide.SHORT))
    outputs = stage.kline()
    assert entries(outputs) == []
    judged = one(SignalJudged, outputs)
    assert judged.denied_by == "market_free"
    assert "entry_in_flight" in next(gate.seen for gate in judged.gates if gate.code == "market_free")


def test_the_best_of_simultaneous_signals_goes_first() -> None:
    risk = msgspec.structs.replace(SETTINGS.risk, max_open_orders=1)
    stage = Stage(msgspec.structs.replace(SETTINGS, risk=risk), symbols=(BTC, ETH))
    stage.told[BTC].next.append(signal(confidence=60.0))
    stage.told[ETH].next.append(signal(confidence=90.0))
    outputs = stage.kline()
    assert [order.symbol for order in entries(outputs)] == [ETH]
    assert [(record.symbol, record.outcome, record.denied_by) for record in every(SignalJudged, outputs)] == [
        (ETH, "entered", ""),
        (BTC, "denied", "open_orders"),
    ]


def test_a_pause_takes_the_resting_entry_back() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    cancel = one(CancelOrder, stage.operator(OperatorAction.PAUSE))
    assert (cancel.client_id, cancel.reason) == (entry.client_id, "no longer wanted")
    assert entries(stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED") + stage.wait(5.0)) == []


def test_a_fill_after_the_cancel_still_moves_the_position_and_is_protected() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.operator(OperatorAction.PAUSE)
    stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED")
    stop = one(PlaceOrder, stage.fill(entry, D("1.5")))
    assert (stop.role, stop.size) == (OrderRole.STOP, D("1.5"))
    assert stage.size == D("1.5")


def test_an_entry_that_comes_back_from_the_dead_is_cancelled() -> None:
    stage = Stage()
    entry = stage.enter()
    stage.answer(entry, Verdict.UNSENT)
    outputs = stage.show(entry)
    assert one(CancelOrder, outputs).client_id == entry.client_id
    stop = one(PlaceOrder, stage.fill(entry, D("1"), 100.0))
    assert stop.role is OrderRole.STOP


def test_a_lost_cancel_is_asked_about_and_sent_again() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stage.wait(2.0)
    stage.tell(RequestOutcome(RequestKind.CANCEL, entry.client_id, Verdict.UNKNOWN))
    assert one(QueryOrder, [stage.said[-1]]).client_id == entry.client_id
    stage.wait(1.0)
    outputs = stage.tell(OrderFound(entry.client_id, shown(entry, OrderStatus.OPEN, stage.now)))
    assert one(CancelOrder, outputs).client_id == entry.client_id


def test_leaving_takes_back_what_of_the_entry_still_rests() -> None:
    stage = Stage(RESTING)
    entry = resting(stage)
    stop = one(PlaceOrder, stage.fill(entry, D("1")))
    outputs = stage.answer(stop, Verdict.REJECTED, "VALIDATION_ERROR")
    assert one(CancelOrder, outputs).client_id == entry.client_id
    leaving = one(PlaceOrder, outputs)
    assert leaving.type is OrderType.MARKET
    late = msgspec.structs.replace(fill_of(entry, 900, stage.now, size=D("0.5")))
    stage.fill_whole(leaving, 99.9)
    outputs = stage.tell(FillReported(late))
    assert len(every(RoundTripClosed, stage.said)) == 1
    assert one(PlaceOrder, outputs).size == D("0.5"), "what filled late is a position again: it gets its stop"


def test_the_rest_is_left_alone_when_quote_or_mark_have_grown_old_meanwhile() -> None:
    for kept, taken in (("quote", 0), ("mark", 0), ("both", 1)):
        limits = msgspec.structs.replace(RESTING.risk, max_quote_age_s=3.0, max_mark_age_s=3.0)
        stage = Stage(msgspec.structs.replace(RESTING, risk=limits))
        stage.price(100.0)
        entry = resting(stage)
        stage.wait(2.5)
        if kept in ("quote", "both"):
            stage.tell(BestQuote(ETH, 99.99, 10.0, 100.01, 10.0, stage.now))
        if kept in ("mark", "both"):
            stage.tell(MarkPrice(ETH, 100.0, 100.0, 0.0, stage.now))
        stage.wait(0.6)
        outputs = stage.show(entry, OrderStatus.CLOSED, reason="USER_CANCELED")
        assert len(entries(outputs)) == taken, kept
