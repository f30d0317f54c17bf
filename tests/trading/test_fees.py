"""The class of the next order, the fees of both classes, the drift of the speed bump, and what the gate makes of them."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from flashscalper.model.commands import PlaceOrder
from flashscalper.model.events import BestQuote, FeeClass, FeesLearned, MarketsListed
from flashscalper.model.instants import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from flashscalper.model.orders import OrderStatus
from flashscalper.model.records import Note, OrderDenied, SignalJudged
from flashscalper.strategies.exit_policy import ExitPolicy, percent
from flashscalper.strategies.profiles import CLASSIC
from flashscalper.trading.costs import CostSettings, EntryStyle
from flashscalper.trading.drift import LEAST_SAMPLES, DriftMeter
from flashscalper.trading.fees import ORDERS_OF_A_TRIP, RetailBudget
from flashscalper.trading.settings import EntrySettings
from tests.trading.stage import BTC, ETH, SETTINGS, D, Stage, every, none, one, signal

RETAIL = FeesLearned(ETH, D(0), D(0), FeeClass.RETAIL)
PRO = FeesLearned(ETH, D("0.00003"), D("0.00045"), FeeClass.PRO)
STRICT = msgspec.structs.replace(SETTINGS, costs=CostSettings(min_multiple=1.0))


def look(stage: Stage, **more: object) -> SignalJudged:
    stage.told[ETH].next.append(signal(**more))  # type: ignore[arg-type]
    return one(SignalJudged, stage.kline())


def needed(record: SignalJudged, code: str = "cost") -> str:
    return next(gate.needed for gate in record.gates if gate.code == code)


def quote(mid: float, now: int) -> BestQuote:
    return BestQuote(ETH, mid - 0.01, 1.0, mid + 0.01, 1.0, now)


# The budget


@pytest.mark.parametrize(
    ("limit", "window"), [(2, SECOND_US), (27, MINUTE_US), (300 - ORDERS_OF_A_TRIP + 1, HOUR_US), (997, DAY_US)]
)
def test_a_trip_that_does_not_fit_into_a_limit_counts_as_pro_until_the_window_has_passed(limit: int, window: int) -> None:
    budget, start = RetailBudget(), 10 * DAY_US
    for number in range(limit):
        assert budget.has_room(start + number * window // limit)
        budget.on_sent(start + number * window // limit)
    assert not budget.has_room(start + window - 1)
    assert budget.has_room(start + window + window // limit)


def test_what_is_in_flight_and_what_is_held_needs_room_as_well() -> None:
    budget, start = RetailBudget(), 10 * DAY_US
    budget.on_sent(start)
    assert budget.has_room(start)
    assert not budget.has_room(start, entries=1), "two entries and two stops are four orders in a second"
    later = start + SECOND_US
    assert budget.has_room(later, entries=1)
    for number in range(23):
        budget.on_sent(later + number)
    minute = later + 2 * SECOND_US
    assert budget.left(minute)[1] == 6
    assert budget.has_room(minute, positions=2)
    assert not budget.has_room(minute, positions=3)
    assert not budget.has_room(minute, entries=1)


def test_of_two_entries_in_one_second_the_other_counts_with_pros_fees_for_its_stop_would_pay_them() -> None:
    stage = Stage(STRICT, symbols=(BTC, ETH))
    for symbol in (BTC, ETH):
        stage.tell(msgspec.structs.replace(RETAIL, symbol=symbol))
        stage.told[symbol].next.append(signal(expected_move=0.0006, confidence=90 if symbol == ETH else 60))
    looks = every(SignalJudged, stage.kline())
    assert [(look.symbol, look.outcome, look.denied_by) for look in looks] == [(ETH, "entered", ""), (BTC, "denied", "cost")]
    gates = [next(gate.seen for gate in look.gates if gate.code == "fee_class") for look in looks]
    assert [seen.partition(";")[0] for seen in gates] == ["retail", "pro"]


def test_the_budget_of_the_day_survives_a_restart() -> None:
    budget, start = RetailBudget(), 10 * DAY_US
    for number in range(998):
        budget.on_sent(start + number * 80 * SECOND_US)
    again = RetailBudget(start + number * 80 * SECOND_US for number in range(998))
    assert again.left(start + DAY_US - 1) == budget.left(start + DAY_US - 1)
    assert again.left(start + DAY_US - 1)[3] == 2


def test_orders_count_against_the_budget_when_they_leave_and_its_gate_says_how_many_are_left() -> None:
    stage = Stage()
    stage.tell(RETAIL)
    stage.long()
    record = look(stage)
    gate = next(gate for gate in record.gates if gate.code == "fee_class")
    assert gate.passed
    assert gate.seen == "retail; left: 3 this second, 28 this minute, 298 this hour, 998 today"


# The gate


def test_the_gate_counts_with_the_fees_of_the_class_that_the_next_order_gets() -> None:
    stage = Stage(STRICT)
    stage.tell(RETAIL)
    assert "fees 0 " in needed(look(stage, expected_move=0.00001))
    for _ in range(3):
        stage.engine._floor.retail.on_sent(stage.now + SECOND_US)
    record = look(stage, expected_move=0.00001)
    assert "fees 9 " in needed(record)
    assert next(gate.seen for gate in record.gates if gate.code == "fee_class").startswith("pro")


def test_a_move_that_pays_retail_and_not_pro_is_entered_in_one_class_and_denied_in_the_other() -> None:
    for learned, outcome in ((RETAIL, "entered"), (PRO, "denied")):
        stage = Stage(STRICT)
        stage.tell(learned)
        assert look(stage, expected_move=0.0006).outcome == outcome


def test_a_rest_that_would_be_taken_beyond_retails_limits_is_left_when_pros_fees_do_not_pay() -> None:
    for spent, taken in ((0, 1), (30, 0)):
        entry = EntrySettings(style=EntryStyle.POST_ONLY_THEN_IOC, post_wait_s=1.0)
        stage = Stage(msgspec.structs.replace(STRICT, entry=entry))
        stage.tell(RETAIL)
        order = stage.enter(expected_move=0.0006)
        stage.answer(order)
        stage.show(order)
        stage.wait(1.0)
        for _ in range(spent):
            stage.engine._floor.retail.on_sent(stage.now)
        outputs = stage.show(order, OrderStatus.CLOSED, reason="USER_CANCELED")
        assert len(every(PlaceOrder, outputs)) == taken
        assert [record.gate.code for record in every(OrderDenied, outputs)] == ["cost"] * (1 - taken)


def test_the_record_says_what_either_class_would_have_needed() -> None:
    stage = Stage(STRICT)
    stage.tell(PRO)
    inputs = dict(look(stage, expected_move=0.0006).inputs)
    assert inputs["expected_bps"] == 6.0
    assert inputs["needed_retail_bps"] < 6.0 < inputs["needed_pro_bps"]


def test_new_rules_of_the_exchange_change_the_fees_that_nobody_told_us_better() -> None:
    stage = Stage(STRICT)
    stage.tell(MarketsListed((msgspec.structs.replace(stage.markets[ETH], taker_fee=D("0.0004")),)))
    assert "fees 8 " in needed(look(stage, expected_move=0.00001))
    stage.tell(PRO)
    stage.tell(MarketsListed((msgspec.structs.replace(stage.markets[ETH], taker_fee=D("0.0003")),)))
    assert "fees 9 " in needed(look(stage, expected_move=0.00001))


# What fills report


def test_a_retail_fill_is_free_and_one_that_counted_as_pro_pays_pro_without_an_alarm() -> None:
    stage = Stage()
    stage.tell(RETAIL)
    entry = stage.enter()
    stage.answer(entry)
    stage.fill(entry, entry.size / 2, fee=D(0), flags=("interactive",))
    stage.fill(entry, entry.size / 2)
    stage.show(entry, OrderStatus.CLOSED, filled=entry.size)
    assert stage.engine.status().state == "active"


def test_a_fill_that_paid_more_than_its_class_halts_entries_and_is_what_the_gate_counts_with_from_then_on() -> None:
    stage = Stage(STRICT)
    stage.tell(RETAIL)
    entry = stage.enter()
    stage.answer(entry)
    assert entry.price is not None
    outputs = stage.fill(entry, fee=entry.size * entry.price * D("0.00024"), flags=("interactive",))
    assert "fee" in stage.engine.status().reasons[0]
    assert any(note.code == "fees" and "0.000240" in note.text for note in every(Note, outputs))
    assert "fees 4.8 " in needed(look(stage, expected_move=0.00001))


def test_a_discount_of_one_fill_is_not_counted_on() -> None:
    stage = Stage(STRICT)
    stage.tell(PRO)
    entry = stage.enter()
    stage.answer(entry)
    assert entry.price is not None
    stage.fill(entry, fee=entry.size * entry.price * D("0.0003"), flags=("fastfill",))
    assert "fees 9 " in needed(look(stage, expected_move=0.00001))


# The drift


def test_the_drift_is_half_the_mean_absolute_move_of_the_mid_over_300_ms() -> None:
    meter, standing, moves = DriftMeter(0.3), None, []
    dice, mid = Random(5), 100.0
    for step in range(2_000):
        now = 1_000_000 + step * 300_000
        meter.take(standing, now)
        before, mid = mid, mid * (1 + dice.gauss(0, 1e-4))
        moves.append(abs(mid / before - 1))
        standing = quote(mid, now)
    assert meter.value is not None
    assert float(meter.value) == pytest.approx(sum(moves[1_000:]) / 1_000 / 2, rel=0.15)


def test_a_quote_that_stands_still_counts_as_no_move_and_a_long_silence_begins_anew() -> None:
    meter = DriftMeter(0.3)
    meter.take(quote(100.0, 0), 1)
    meter.take(quote(101.0, 0), 1 + 3_000_000)
    assert (meter.samples, round(meter._mean, 6)) == (10, 0.001)
    meter.take(quote(150.0, 0), 1 + 70_000_000)
    assert meter.samples == 10
    meter.take(None, 1 + 70_400_000)
    assert meter.due_at == 0


def test_the_measured_drift_is_a_cost_of_retail_only_and_a_setting_stands_in_before_it_is_known() -> None:
    stage = Stage(STRICT)
    stage.tell(RETAIL)
    assert "slippage 2 " in needed(look(stage, expected_move=0.0))
    for number in range(2 * LEAST_SAMPLES):
        stage.price(100.0 + 0.04 * (number % 2), after_s=0.3)
    record = look(stage, expected_move=0.0)
    assert "slippage 4.9" in needed(record)
    stage.tell(PRO)
    assert "slippage 1 " in needed(look(stage, expected_move=0.0))


# A stop inside the costs


def narrow(**more: object) -> Stage:
    exits = ExitPolicy(stop=percent(0.05), target=percent(1.0), **more)  # type: ignore[arg-type]
    return Stage(msgspec.structs.replace(SETTINGS, exits=exits))


def test_a_percent_stop_inside_the_costs_takes_no_entries_once_the_fees_are_known() -> None:
    stage = narrow()
    note = one(Note, [output for output in stage.tell(PRO) if isinstance(output, Note) and output.code != "fees"])
    assert note.text.startswith("exits.stop.value: saw 0.05; accepted: more than the round-trip costs of")
    record = look(stage)
    assert record.denied_by == "market_free"
    none(PlaceOrder, stage.said)
    stage.tell(RETAIL)
    assert look(stage).outcome == "entered"


def test_the_floor_decides_instead_where_the_policy_says_so() -> None:
    stage = narrow(widen_stop=True)
    stage.tell(PRO)
    assert look(stage).outcome == "entered"
    CLASSIC.exits.validate(costs=0.001)
