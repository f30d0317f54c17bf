"""Each exit alone, their order under gaps and wicks, and what a restart or a failed order does to them."""

from __future__ import annotations

from decimal import Decimal
from math import inf

import pytest

from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import (
    BreakEven,
    FundingLimit,
    OppositeSignal,
    PartialProfit,
    PeakProtection,
    Stale,
    Trailing,
    atr,
    percent,
    r,
    ticks,
)
from flashscalper.trading.exits import RULES, Exit, ExitReason
from tests.trading.plan_samples import DEAR, LONG, OPENED_AT, SECOND, SHORT, plan, policy, see

BOTH = pytest.mark.parametrize("direction", [LONG, SHORT])


def mirrored(direction: PositionSide, price: float) -> float:
    """A price of a long's story as the same distance on a short's side of 100."""
    return price if direction is LONG else 200 - price


def test_the_rules_are_asked_in_the_order_of_their_names() -> None:
    assert [rule.__name__.removeprefix("_rule_") for rule in RULES] == [reason.value for reason in ExitReason]


@BOTH
def test_the_stop_rests_at_its_distance_and_leaves_the_exchange_time_to_act(direction: PositionSide) -> None:
    made = plan(policy(), direction)
    assert made.stop_price == Decimal(str(mirrored(direction, 99)))
    assert see(made, mirrored(direction, 98.5), after_s=1) == ""
    assert made.wake_at() == OPENED_AT + 3 * SECOND
    assert made.on_time(OPENED_AT + 3 * SECOND) == Exit("stop")


def test_a_wick_of_the_mark_that_comes_back_within_the_grace_closes_nothing() -> None:
    made = plan(policy())
    assert see(made, 98.9, after_s=1) == ""
    assert see(made, 99.5, after_s=2) == ""
    assert made.wake_at() is None
    assert see(made, 99.5, after_s=60) == ""


def test_a_wick_of_the_quote_does_not_cross_a_stop_that_the_mark_has_not_crossed() -> None:
    made = plan(policy(stop_grace_s=0))
    assert see(made, 95.0, mark=99.9) == ""
    assert see(made, 95.0, mark=99.0) == "stop"


def test_without_a_mark_the_quote_crosses_the_stop() -> None:
    made = plan(policy(stop_grace_s=0))
    found = made.on_price(98.0, 98.1, None, OPENED_AT + SECOND)
    assert found == Exit("stop")


@BOTH
def test_the_target_alone_takes_profit(direction: PositionSide) -> None:
    made = plan(policy(target=percent(0.5)), direction)
    assert see(made, mirrored(direction, 100.49)) == ""
    assert see(made, mirrored(direction, 100.5)) == "target"


def test_a_long_sells_at_the_bid_so_only_the_bid_reaches_its_target() -> None:
    made = plan(policy(target=percent(0.5)))
    assert made.on_price(100.4, 100.6, 100.5, OPENED_AT + SECOND) is None
    assert made.on_price(100.5, 100.7, 100.5, OPENED_AT + SECOND) == Exit("target")


def test_a_target_in_r_is_measured_in_stops_and_one_in_atr_in_atrs() -> None:
    assert plan(policy(target=r(2))).target_price == Decimal(102)
    assert plan(policy(target=atr(2)), volatility=0.3).target_price == Decimal("100.60")
    assert plan(policy(target=ticks(7))).target_price == Decimal("100.07")


@BOTH
def test_the_partial_alone_closes_its_share_once(direction: PositionSide) -> None:
    made = plan(policy(partial=PartialProfit(at=percent(0.3), share=0.25)), direction)
    price = mirrored(direction, 100.3)
    assert made.on_price(price, price, price, OPENED_AT + SECOND) == Exit("partial", Decimal("0.25"))
    assert see(made, price) == ""
    made.on_fill(Decimal("1.5"), Decimal(100))
    assert see(made, mirrored(direction, 100.6)) == ""


def test_a_partial_whose_order_failed_is_asked_again() -> None:
    made = plan(policy(partial=PartialProfit(at=percent(0.3))))
    assert see(made, 100.3) == "partial"
    made.on_exit_failed("partial", OPENED_AT + SECOND)
    assert see(made, 100.3) == "partial"


def test_a_partial_that_would_leave_an_order_too_small_for_the_exchange_is_not_made() -> None:
    made = plan(policy(partial=PartialProfit(at=percent(0.3))), size="0.15")
    assert see(made, 100.4) == ""


@BOTH
def test_trailing_alone_follows_the_best_price_and_leaves_when_it_falls_back(direction: PositionSide) -> None:
    made = plan(policy(trailing=Trailing(activation=percent(0.5), distance=percent(0.2))), direction)
    assert see(made, mirrored(direction, 100.49)) == ""
    assert see(made, mirrored(direction, 100.2)) == "", "not armed before its activation"
    assert see(made, mirrored(direction, 100.6)) == ""
    assert see(made, mirrored(direction, 100.41)) == ""
    assert see(made, mirrored(direction, 100.4)) == "trailing"


@BOTH
def test_break_even_alone_keeps_a_winner_from_becoming_a_loser_after_costs(direction: PositionSide) -> None:
    made = plan(policy(break_even=BreakEven(activation=percent(0.5))), direction, costs=DEAR)
    assert made.levels.break_even == Decimal(str(mirrored(direction, 100.11)))
    assert see(made, mirrored(direction, 100.05)) == "", "not armed yet"
    assert see(made, mirrored(direction, 100.5)) == ""
    assert see(made, mirrored(direction, 100.12)) == ""
    assert see(made, mirrored(direction, 100.11)) == "break_even"


def test_break_even_never_fires_in_the_moment_it_arms() -> None:
    made = plan(policy(break_even=BreakEven(activation=percent(0.01))), costs=DEAR)
    assert see(made, 100.12) == ""
    assert made.levels.break_even_from is not None
    assert made.levels.break_even is not None
    assert made.levels.break_even_from > made.levels.break_even


@BOTH
def test_peak_protection_alone_leaves_when_half_of_the_best_profit_is_gone(direction: PositionSide) -> None:
    made = plan(policy(peak=PeakProtection(activation=percent(0.4), giveback=0.5)), direction)
    assert see(made, mirrored(direction, 100.8)) == ""
    assert see(made, mirrored(direction, 100.41)) == ""
    assert see(made, mirrored(direction, 100.4)) == "peak"


def test_stale_alone_leaves_what_made_no_progress_in_time() -> None:
    made = plan(policy(stale=Stale(after_s=30, progress=percent(0.1))))
    assert see(made, 100.05, after_s=29.9) == ""
    assert made.wake_at() == OPENED_AT + 30 * SECOND
    assert see(made, 100.05, after_s=30) == "stale"


def test_a_position_that_once_made_progress_is_not_stale() -> None:
    made = plan(policy(stale=Stale(after_s=30, progress=percent(0.1))))
    assert see(made, 100.1, after_s=5) == ""
    assert made.wake_at() is None
    assert see(made, 99.5, after_s=31) == ""


def test_maximum_hold_alone_leaves_at_its_time_also_without_any_price() -> None:
    made = plan(policy(max_hold_s=90))
    assert made.on_time(OPENED_AT + 89 * SECOND) is None
    assert made.on_time(OPENED_AT + 90 * SECOND) == Exit("max_hold")


def opposite(confidence: float = 80, *, passed: bool = True, direction: PositionSide = SHORT) -> Signal:
    gate = Gate(code="volume", passed=passed, needed="1", seen="2")
    return Signal(direction=direction, confidence=confidence, reasons=("turned",), gates=(gate,))


def test_an_opposite_signal_alone_leaves_and_keeps_asking_until_closed() -> None:
    made = plan(policy(opposite_signal=OppositeSignal(min_confidence=70)))
    assert made.on_signal(opposite(), OPENED_AT + SECOND) == Exit("opposite_signal")
    assert see(made, 100.0, after_s=2) == "opposite_signal"


@pytest.mark.parametrize("signal", [opposite(69), opposite(passed=False), opposite(direction=LONG)])
def test_a_weak_filtered_or_same_way_signal_does_not_leave(signal: Signal) -> None:
    made = plan(policy(opposite_signal=OppositeSignal(min_confidence=70)))
    assert made.on_signal(signal, OPENED_AT + SECOND) is None


def test_without_the_rule_an_opposite_signal_changes_nothing() -> None:
    assert plan(policy()).on_signal(opposite(100), OPENED_AT + SECOND) is None


@BOTH
def test_dear_funding_alone_leaves_and_cheap_or_received_funding_does_not(direction: PositionSide) -> None:
    made = plan(policy(funding=FundingLimit(max_hourly_bps=1.0)), direction)
    paid = 0.0009 * direction.sign  # 9 bps in 8 hours
    assert see(made, 100.0, funding_rate=paid / 2) == ""
    assert see(made, 100.0, funding_rate=-paid) == ""
    assert see(made, 100.0, funding_rate=paid) == "funding"
    assert see(made, 100.0, funding_rate=paid / 2) == ""


def test_a_gap_through_everything_is_named_by_the_first_rule_that_the_policy_has() -> None:
    rules = {
        "trailing": Trailing(activation=percent(0.2), distance=percent(0.1)),
        "break_even": BreakEven(activation=percent(0.2)),
        "peak": PeakProtection(activation=percent(0.2)),
        "max_hold": 1.0,
    }
    named = []
    while rules:
        fields = {("max_hold_s" if name == "max_hold" else name): rule for name, rule in rules.items()}
        made = plan(policy(**fields))
        assert see(made, 100.5, after_s=0.5) == ""
        named.append(see(made, 90.0, after_s=5, mark=100.45))
        del rules[named[-1]]
    assert named == ["trailing", "break_even", "peak", "max_hold"]


def test_a_mark_beyond_the_stop_comes_before_every_other_reason() -> None:
    rules = policy(stop_grace_s=0, trailing=Trailing(activation=percent(0.2), distance=percent(0.1)), max_hold_s=1)
    made = plan(rules)
    assert see(made, 100.5, after_s=0.5) == ""
    assert see(made, 90.0, after_s=5) == "stop"


def test_a_gap_up_through_partial_and_target_takes_the_whole_profit() -> None:
    made = plan(policy(target=percent(0.5), partial=PartialProfit(at=percent(0.3))))
    assert see(made, 105.0) == "target"


def test_the_resting_stop_follows_one_step_behind_the_software_level_and_says_why() -> None:
    made = plan(policy(trailing=Trailing(activation=percent(0.5), distance=percent(0.2)), ratchet_step=0.1))
    assert (made.stop_price, made.stop_reason) == (Decimal(99), "stop")
    see(made, 100.6)
    # software level 100.40 is 14 steps of 0.10 above 99; the resting stop stays a step behind
    assert (made.stop_price, made.stop_reason) == (Decimal("100.30"), "trailing")
    see(made, 100.65)
    assert made.stop_price == Decimal("100.30"), "less than a step: no modification is sent"
    see(made, 100.5)
    assert made.stop_price == Decimal("100.30")


def test_a_ratchet_that_a_lagging_mark_would_trigger_waits_for_the_mark() -> None:
    made = plan(policy(trailing=Trailing(activation=percent(0.5), distance=percent(0.2))))
    see(made, 100.6, mark=100.2)
    assert made.stop_price == Decimal(99)
    assert made.edges() == (inf, -inf), "it must be woken to try again"
    see(made, 100.6, mark=100.6)
    assert made.stop_price == Decimal("100.30")


def test_the_floor_above_costs_widens_a_stop_that_lies_inside_them() -> None:
    made = plan(policy(stop=percent(0.05), stop_floor_costs=1.5), costs=DEAR)
    assert made.stop_price == Decimal("99.83"), "1.5 x 11 bps of 100, rounded away from the market"


def test_a_strategys_own_stop_and_target_replace_the_policys() -> None:
    own = Signal(direction=LONG, confidence=60, reasons=(), stop=98.333, target=101.234)
    made = plan(policy(target=percent(9)), signal=own)
    assert made.stop_price == Decimal("98.33")
    assert made.target_price == Decimal("101.24")


def test_an_own_stop_that_the_fill_has_passed_leaves_the_position_protected_at_the_floor() -> None:
    own = Signal(direction=LONG, confidence=60, reasons=(), stop=100.2)
    made = plan(policy(), signal=own, costs=DEAR)
    assert made.stop_price == Decimal("99.83")


def test_a_later_fill_moves_the_profit_prices_but_never_loosens_the_stop() -> None:
    made = plan(policy(target=percent(1)))
    made.on_fill(Decimal(4), Decimal("99.50"))
    assert made.stop_price == Decimal(99)
    assert made.target_price == Decimal("100.50")
    made.on_fill(Decimal(6), Decimal("100.50"))
    assert made.stop_price == Decimal("99.49"), "1 % of 100.50 is 1.005, rounded away from the market"


def test_a_plan_made_anew_from_its_state_holds_the_same_stop_and_best_price() -> None:
    rules = policy(trailing=Trailing(activation=percent(0.5), distance=percent(0.2)), partial=PartialProfit(at=percent(0.3)))
    first = plan(rules)
    assert see(first, 100.3) == "partial"
    see(first, 100.6)
    again = plan(rules, state=first.state())
    assert (again.stop_price, again.stop_reason, again.edges()) == (first.stop_price, first.stop_reason, first.edges())
    assert see(again, 100.4) == "trailing"


def test_an_exit_that_is_asked_for_wakes_nobody_until_its_order_failed() -> None:
    made = plan(policy(max_hold_s=10))
    assert made.on_time(OPENED_AT + 10 * SECOND) == Exit("max_hold")
    assert made.wake_at() is None
    made.on_exit_failed("max_hold", OPENED_AT + 11 * SECOND)
    assert made.wake_at() == OPENED_AT + 12 * SECOND
    assert made.on_time(OPENED_AT + 12 * SECOND) == Exit("max_hold")
    assert made.wake_at() is None
    made.on_exit_failed("max_hold", OPENED_AT + 20 * SECOND)
    assert made.on_price(100.0, 100.1, 100.0, OPENED_AT + 20 * SECOND) == Exit("max_hold")
    assert made.wake_at() == OPENED_AT + 21 * SECOND


def test_the_quiet_band_lies_between_the_stop_and_the_next_price_that_matters() -> None:
    rules = policy(
        target=percent(2),
        partial=PartialProfit(at=percent(0.3)),
        trailing=Trailing(activation=percent(0.5), distance=percent(0.2)),
    )
    made = plan(rules)
    assert made.edges() == (99.0, 100.3)
    see(made, 100.3)
    assert made.edges() == (99.0, 100.5)
    see(made, 100.6)
    assert made.edges() == (100.4, 100.6)
    short = plan(rules, SHORT)
    assert short.edges() == (99.7, 101.0)


def test_a_side_without_quotes_decides_nothing_about_profit() -> None:
    made = plan(policy(target=percent(0.5)))
    assert made.on_price(None, 101.0, 100.2, OPENED_AT + SECOND) is None


def test_numbers_that_are_none_are_not_prices() -> None:
    made = plan(policy(target=percent(0.5), stop_grace_s=0))
    assert made.on_price(float("nan"), float("nan"), float("inf"), OPENED_AT + SECOND) is None
