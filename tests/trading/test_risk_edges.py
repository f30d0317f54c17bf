"""The breakers of the risk gate at their very edges: on the limit, one step before it, and after they were let go."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from flashscalper.model.instants import DAY_US, MINUTE_US, SECOND_US
from flashscalper.model.records import TradingStateChanged
from flashscalper.trading import risk as risk_module
from flashscalper.trading.risk import CLEAR_KILL, Halt, Risk, RiskCounters, TradingState, lasting
from flashscalper.trading.settings import RiskLimits
from tests.trading.stage import ETH, START, D

LIMITS = RiskLimits()
ZERO = Decimal(0)
MORNING = START // DAY_US * DAY_US + 3_600 * SECOND_US


def risk(counters: RiskCounters | None = None, **limits: object) -> tuple[Risk, list[TradingStateChanged]]:
    told: list[TradingStateChanged] = []
    return Risk(msgspec.structs.replace(LIMITS, **limits), told.append, counters), told


def state(gate: Risk) -> TradingState:
    return gate.state


def test_the_words_stand_in_journals_and_logs_and_stay() -> None:
    assert [str(halt) for halt in Halt] == ["killed", "drawdown", "rejects", "fee_mismatch"]
    names = ("PAUSED", "ENDING", "DAILY_LOSS", "LOSING_STREAK", "CANCELED_BY_OTHERS", "CLEAR_KILL")
    assert [getattr(risk_module, name) for name in names] == [name.lower() for name in names]
    assert [str(state) for state in TradingState] == ["active", "reducing", "halted"]


def test_an_account_that_was_never_traded_begins_without_any_count() -> None:
    assert risk()[0].counters() == RiskCounters(
        day=0,
        day_equity=None,
        peak_equity=None,
        losses_in_a_row=0,
        rejects=[],
        sent=[],
        changes=[],
        reasons={},
        until={},
        symbol_until={},
    )


@pytest.mark.parametrize(("last_s", "trips"), [(59.0, True), (60.0, True), (60.000001, False)])
def test_refusals_in_a_row_count_within_their_window_edge_included(last_s: float, trips: bool) -> None:
    gate, _ = risk(max_consecutive_rejects=3, reject_window_s=60.0)
    for seconds in (0.0, 1.0, last_s):
        gate.on_answer(rejected=True, now=START + round(seconds * SECOND_US))
    assert gate.holds(Halt.REJECTS) is trips


def test_resume_forgets_the_refusals_that_tripped_the_breaker() -> None:
    gate, _ = risk(max_consecutive_rejects=3)
    for _ in range(3):
        gate.on_answer(rejected=True, now=START)
    gate.resume(START, "resume")
    gate.on_answer(rejected=True, now=START + 1)
    assert not gate.holds(Halt.REJECTS)
    assert gate.counters().rejects == [START + 1]


def test_resume_from_a_fee_halt_keeps_the_refusals_that_were_counted() -> None:
    gate, _ = risk(max_consecutive_rejects=3)
    gate.on_answer(rejected=True, now=START)
    gate.hold(Halt.FEE, "x", START)
    gate.resume(START, "resume")
    assert gate.counters().rejects == [START]
    assert not gate.holds(Halt.FEE)


def test_a_reason_let_go_of_by_hand_does_not_come_due_again() -> None:
    gate, told = risk()
    gate.hold("cooling", "x", START, until=START + 10)
    gate.release("cooling", START + 1)
    assert gate.wake_at() is None
    gate.hold("cooling", "y", START + 2)
    gate.expire(START + 20)
    assert gate.holds("cooling")
    assert len(told) == 3


@pytest.mark.parametrize("net", ["0", "0.00000001"])
def test_a_trip_that_lost_nothing_ends_the_streak_and_needs_no_rest(net: str) -> None:
    gate, _ = risk(max_consecutive_losses=2, loss_cooldown_s=900.0, symbol_loss_cooldown_s=60.0)
    gate.on_trip(ETH, D("-1"), START)
    assert gate.cooling(ETH) == START + 60 * SECOND_US
    gate.expire(START + 60 * SECOND_US)
    gate.on_trip(ETH, D(net), START + MINUTE_US)
    assert (gate.cooling(ETH), gate.counters().losses_in_a_row) == (None, 0)
    gate.on_trip(ETH, D("-1"), START + MINUTE_US)
    assert not gate.holds(risk_module.LOSING_STREAK)


def test_losses_are_counted_one_by_one_and_begin_anew_after_the_rest() -> None:
    gate, _ = risk(max_consecutive_losses=3, loss_cooldown_s=900.0)
    seen = []
    for _ in range(3):
        gate.on_trip(ETH, D("-1"), START)
        seen.append((gate.counters().losses_in_a_row, gate.holds(risk_module.LOSING_STREAK)))
    assert seen == [(1, False), (2, False), (0, True)]
    assert gate.counters().until == {risk_module.LOSING_STREAK: START + 900 * SECOND_US}
    gate.expire(START + 900 * SECOND_US - 1)
    assert gate.holds(risk_module.LOSING_STREAK)
    gate.expire(START + 900 * SECOND_US)
    assert not gate.holds(risk_module.LOSING_STREAK)


@pytest.mark.parametrize(
    ("paid", "halts"), [("1.01000001", False), ("1.01000002", True), ("0.98999999", False), ("0.98999998", True)]
)
def test_a_fee_may_differ_by_its_tolerance_and_one_step_of_money(paid: str, halts: bool) -> None:
    gate, _ = risk(fee_tolerance=0.01)
    gate.on_fee(paid=D(paid), expected=D(1), now=START, detail="x")
    assert gate.holds(Halt.FEE) is halts


@pytest.mark.parametrize(("equity", "holds"), [("950.01", False), ("950", True)])
def test_the_day_s_loss_as_a_share_of_the_equity_it_began_with(equity: str, holds: bool) -> None:
    gate, _ = risk(max_daily_loss=None, max_daily_loss_share=0.05)
    gate.on_equity(D(1_000), MORNING)
    gate.on_equity(D(equity), MORNING + 1)
    assert gate.holds(risk_module.DAILY_LOSS) is holds
    if holds:
        assert gate.counters().until == {risk_module.DAILY_LOSS: (MORNING // DAY_US + 1) * DAY_US}


def test_the_smaller_of_two_daily_limits_counts() -> None:
    gate, _ = risk(max_daily_loss=D(10), max_daily_loss_share=0.05)
    gate.on_equity(D(1_000), MORNING)
    gate.on_equity(D(990), MORNING + 1)
    assert gate.holds(risk_module.DAILY_LOSS)


def test_an_account_that_had_nothing_has_no_drawdown() -> None:
    gate, _ = risk(max_drawdown_share=0.15, max_daily_loss_share=None)
    gate.on_equity(ZERO, MORNING)
    gate.on_equity(D(-5), MORNING + 1)
    assert not gate.holds(Halt.DRAWDOWN)


def test_after_resume_the_drawdown_is_counted_from_where_it_stands() -> None:
    gate, _ = risk(max_drawdown_share=0.15, max_daily_loss_share=None)
    gate.on_equity(D(1_000), MORNING)
    gate.on_equity(D(850), MORNING + 1)
    assert state(gate) is TradingState.HALTED
    gate.resume(MORNING + 2, "resume")
    gate.on_equity(D(849), MORNING + 3)
    assert state(gate) is TradingState.ACTIVE


def test_only_its_own_word_opens_the_kill_latch() -> None:
    gate, _ = risk()
    gate.hold(Halt.KILLED, "x", START)
    gate.resume(START, "resume")
    assert state(gate) is TradingState.HALTED
    gate.resume(START, CLEAR_KILL)
    assert state(gate) is TradingState.ACTIVE


@pytest.mark.parametrize(("span_s", "counted"), [(0.999999, 2), (1.0, 1), (59.999999, 1)])
def test_orders_of_a_second_are_those_less_than_a_second_old(span_s: float, counted: int) -> None:
    gate, _ = risk()
    gate.on_sent(START)
    now = START + round(span_s * SECOND_US)
    gate.on_sent(now)
    assert gate.rate_gate(now, reduces=True).seen == f"{counted} and 2"
    assert gate.rate_gate(START + MINUTE_US, reduces=True).seen.endswith(" and 1")


@pytest.mark.parametrize(("reduces", "second", "minute"), [(False, 7, 84), (True, 10, 120)])
def test_what_reduces_has_the_whole_rate_and_what_opens_all_but_the_reserve(reduces: bool, second: int, minute: int) -> None:
    gate = risk(max_orders_per_second=10, max_orders_per_minute=120, reserve_share=0.3)[0].rate_gate(START, reduces=reduces)
    assert (gate.code, gate.passed) == ("order_rate", True)
    assert (gate.needed, gate.seen) == (f"under {second} a second and {minute} a minute", "0 and 0")


@pytest.mark.parametrize(("second", "minute", "later_us"), [(1, 120, 0), (10, 1, MINUTE_US - 1)])
def test_the_reserve_never_takes_the_only_order_there_is(second: int, minute: int, later_us: int) -> None:
    gate, _ = risk(max_orders_per_second=second, max_orders_per_minute=minute, reserve_share=0.9)
    assert gate.rate_gate(START, reduces=False).passed
    gate.on_sent(START)
    assert not gate.rate_gate(START + later_us, reduces=False).passed


def test_orders_of_a_minute_are_remembered_up_to_the_limit_and_through_a_restart() -> None:
    gate, _ = risk(max_orders_per_minute=12, reserve_share=0.0)
    for number in range(12):
        gate.on_sent(START + number * SECOND_US)
    again, _ = risk(gate.counters(), max_orders_per_minute=12, reserve_share=0.0)
    for one in (gate, again):
        assert not one.rate_gate(START + MINUTE_US - 1, reduces=True).passed
        assert one.rate_gate(START + MINUTE_US, reduces=True).passed


def test_the_words_of_the_gate_for_repetition() -> None:
    gate, _ = risk(duplicate_window_s=0.5)
    gate.on_sent(START, "a")
    found = [gate.duplicate_gate(intent, START) for intent in ("a", "b")]
    assert {(one.code, one.needed) for one in found} == {("duplicate_intent", "not the same order within 0.5 s")}
    assert [one.seen for one in found] == ["the same again", "new"]


def test_of_two_intents_the_older_is_forgotten_first() -> None:
    gate, _ = risk(duplicate_window_s=1.0)
    gate.on_sent(START, "a")
    gate.on_sent(START + 1, "b")
    now = START + SECOND_US
    assert [gate.duplicate_gate(intent, now).passed for intent in ("a", "b")] == [True, False]
    assert gate.duplicate_gate("b", now + 1).passed


def test_changes_of_orders_count_in_the_rate_like_orders_after_a_restart() -> None:
    saved = RiskCounters(sent=[START, START + 2], changes=[START + 1])
    assert risk(saved)[0].counters().sent == [START, START + 1, START + 2]
    full, _ = risk(saved, max_orders_per_minute=3, reserve_share=0.0)
    assert not full.rate_gate(START + 2, reduces=True).passed


def test_counts_are_to_be_written_down_when_refusals_or_the_day_have_changed() -> None:
    gate, _ = risk(max_daily_loss_share=None, max_drawdown_share=None)
    assert not gate.unsaved
    gate.on_answer(rejected=False, now=START)
    assert not gate.unsaved, "no refusals before, none now"
    for rejected in (True, False):
        gate.on_answer(rejected=rejected, now=START)
        assert said(gate) == [True]
        gate.unsaved = False
    gate.on_answer(rejected=False, now=START)
    assert said(gate) == [False]
    for now, news in ((MORNING, True), (MORNING + 1, False), (MORNING + DAY_US, True)):
        gate.on_equity(D(1_000), now)
        assert said(gate) == [news]
        gate.unsaved = False


def test_what_is_not_written_down_yet_stays_so_until_it_is() -> None:
    gate, _ = risk()
    gate.on_answer(rejected=True, now=START)
    gate.on_answer(rejected=False, now=START)
    gate.on_answer(rejected=False, now=START)
    assert gate.unsaved


def said(gate: Risk) -> list[bool]:
    return [gate.unsaved]


def test_the_highest_equity_is_told() -> None:
    gate, _ = risk()
    assert [gate.peak] == [None]
    for equity in (1_000, 1_100, 1_050):
        gate.on_equity(D(equity), MORNING)
    assert [gate.peak] == [D(1_100)]


def test_of_intents_the_last_sixty_four_are_remembered() -> None:
    gate, _ = risk()
    for number in range(65):
        gate.on_sent(START, number)
    assert [gate.duplicate_gate(number, START).passed for number in (0, 1)] == [True, False]


def test_counters_are_named_one_by_one_and_never_change() -> None:
    with pytest.raises(TypeError):
        RiskCounters(1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        RiskCounters().day = 1  # type: ignore[misc]


def test_an_intent_is_the_same_within_its_window_edge_excluded() -> None:
    gate, _ = risk(duplicate_window_s=1.0)
    gate.on_sent(START, "a")
    assert not gate.duplicate_gate("a", START + SECOND_US - 1).passed
    assert gate.duplicate_gate("a", START + SECOND_US).passed
    assert gate.duplicate_gate("b", START).passed
    gate.on_sent(START + 1)
    assert gate.duplicate_gate(None, START + 1).passed


def test_what_a_person_must_take_away_survives_a_restart_and_what_is_found_out_anew_does_not() -> None:
    every = dict.fromkeys(["killed", "drawdown", "rejects", "fee_mismatch", "paused", "canceled_by_others"], "x")
    kept = every | {"daily_loss": "x", "losing_streak": "x"}
    assert lasting([*kept.items(), ("stale", "x"), ("ending", "x"), ("clock", "x")]) == kept
