"""Laws of every exit plan, whatever the prices do: the stop only tightens, stays protective, and the quiet band is quiet."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import (
    BreakEven,
    ExitPolicy,
    PartialProfit,
    PeakProtection,
    Stale,
    Trailing,
    atr,
    percent,
    r,
    ticks,
)
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.exits import Exit, ExitReason
from tests.trading.plan_samples import DEAR, FREE, MARKET, OPENED_AT, SECOND, plan

distances = st.one_of(
    st.floats(0.02, 3).map(percent), st.floats(0.1, 4).map(atr), st.floats(1, 300).map(ticks), st.floats(0.1, 3).map(r)
)
stops = st.one_of(st.floats(0.02, 3).map(percent), st.floats(0.1, 4).map(atr), st.floats(1, 300).map(ticks))
policies = st.builds(
    ExitPolicy,
    stop=stops,
    target=st.none() | distances,
    partial=st.none() | st.builds(PartialProfit, at=distances, share=st.floats(0.05, 0.95)),
    trailing=st.none() | st.builds(Trailing, activation=distances, distance=distances),
    break_even=st.none() | st.builds(BreakEven, activation=distances, lock_costs=st.floats(0, 2)),
    peak=st.none() | st.builds(PeakProtection, activation=distances, giveback=st.floats(0.05, 1)),
    stale=st.none() | st.builds(Stale, after_s=st.floats(1, 30), progress=distances),
    max_hold_s=st.none() | st.floats(1, 60),
    ratchet_step=st.floats(0.02, 1),
    stop_grace_s=st.sampled_from([0.0, 2.0]),
)
walks = st.lists(st.tuples(st.integers(-60, 60), st.integers(0, 3), st.integers(-20, 20)), min_size=1, max_size=60)
signals = st.none() | st.builds(
    Signal, direction=st.just(PositionSide.LONG), confidence=st.just(50.0), reasons=st.just(()),
    stop=st.none() | st.floats(90, 110), target=st.none() | st.floats(90, 110),
)  # fmt: skip
directions = st.sampled_from(list(PositionSide))
costs = st.sampled_from([FREE, DEAR])


def prices(walk: list[tuple[int, int, int]]) -> list[tuple[float, float, float]]:
    """Bid, ask and mark in whole ticks, as the wire has them."""
    ticks_now, made = 10_000, []
    for move, spread, premium in walk:
        ticks_now = max(ticks_now + move, 100)
        made.append((ticks_now / 100, (ticks_now + spread + 1) / 100, (ticks_now + premium) / 100))
    return made


@settings(max_examples=60, deadline=None)
@given(policies, directions, costs, walks)
def test_the_stop_never_loosens_and_always_lies_on_the_grid_and_on_the_protective_side_when_it_moves(
    rules: ExitPolicy, direction: PositionSide, cost: CostEstimate, walk: list[tuple[int, int, int]]
) -> None:
    made = plan(rules, direction, costs=cost, volatility=0.25)
    before = made.stop_price
    assert (Decimal(100) - before) * direction.sign > 0
    for step, (bid, ask, mark) in enumerate(prices(walk)):
        made.on_price(bid, ask, mark, OPENED_AT + step * SECOND)
        stop = made.stop_price
        assert (stop - before) * direction.sign >= 0
        assert stop % MARKET.price_tick == 0
        if stop != before:
            near = bid if direction is PositionSide.LONG else ask
            assert (near - float(stop)) * direction.sign > 0
            assert (mark - float(stop)) * direction.sign > 0
        before = stop


@settings(max_examples=60, deadline=None)
@given(policies, directions, walks)
def test_skipping_everything_inside_the_quiet_band_changes_no_decision_and_no_state(
    rules: ExitPolicy, direction: PositionSide, walk: list[tuple[int, int, int]]
) -> None:
    asked, skipped = (plan(rules, direction, volatility=0.25) for _ in range(2))
    for step, (bid, ask, mark) in enumerate(prices(walk)):
        now = OPENED_AT + step * SECOND
        near = bid if direction is PositionSide.LONG else ask
        lower, upper = skipped.edges()
        wake_at = skipped.wake_at()
        quiet = lower < near < upper and lower < mark < upper and (wake_at is None or now < wake_at)
        verdict = asked.on_price(bid, ask, mark, now)
        if quiet:
            assert verdict is None
        else:
            assert skipped.on_price(bid, ask, mark, now) == verdict
        assert asked.state() == skipped.state()


@settings(max_examples=60, deadline=None)
@given(policies, directions, walks, st.integers(1, 5000))
def test_partial_closes_sum_to_less_than_the_position_and_happen_at_most_once(
    rules: ExitPolicy, direction: PositionSide, walk: list[tuple[int, int, int]], steps: int
) -> None:
    size = Decimal(steps) * MARKET.size_step
    made = plan(rules, direction, size=str(size), volatility=0.25)
    closed = Decimal(0)
    for step, (bid, ask, mark) in enumerate(prices(walk)):
        verdict = made.on_price(bid, ask, mark, OPENED_AT + step * SECOND)
        if verdict is None or verdict.reason != ExitReason.PARTIAL:
            assert verdict is None or verdict == Exit(verdict.reason, Decimal(1))
            continue
        assert closed == 0
        closed = MARKET.round_size(size * verdict.share)
        assert 0 < closed < size
        assert min(closed, size - closed) * 100 >= MARKET.min_notional
        made.on_fill(size - closed, Decimal(100))


@settings(max_examples=40, deadline=None)
@given(policies, directions, walks, signals)
def test_a_plan_restored_at_any_moment_has_the_same_stop_and_levels_without_its_signal(
    rules: ExitPolicy, direction: PositionSide, walk: list[tuple[int, int, int]], own: Signal | None
) -> None:
    first = plan(rules, direction, volatility=0.25, costs=DEAR, signal=own)
    for step, (bid, ask, mark) in enumerate(prices(walk)):
        first.on_price(bid, ask, mark, OPENED_AT + step * SECOND)
    saved = msgspec.json.decode(msgspec.json.encode(first.state()), type=type(first.state()))
    again = plan(rules, direction, volatility=None, costs=FREE, state=saved)
    assert again.stop_price == first.stop_price
    assert again.levels == first.levels
    assert again.state() == first.state()
