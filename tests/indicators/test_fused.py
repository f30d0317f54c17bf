"""The fused set against its twin, the single machines: equal bit for bit, whatever the market does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.indicators.fused import Fused
from flashscalper.indicators.machines import VALUES, Machines
from flashscalper.indicators.periods import Periods
from flashscalper.model.errors import ConfigError
from flashscalper.model.klines import Kline

NAMES = (*VALUES, "macd_hist_before", "pattern", "support", "resistance")
SHORT = Periods(
    rsi=2, ema_fast=2, ema_mid=3, ema_slow=4, macd_fast=2, macd_slow=3, macd_signal=2, atr=2, momentum=1, roc=2,
    volume_recent=2, volume_usual=3, trend_fast=2, trend_slow=3, bollinger=2, stochastic=3, williams=5, divergence=4,
    divergence_reach=9, divergence_hold=2, swing_wing=1, levels=5,
)  # fmt: skip

moves = st.one_of(st.just(0.0), st.sampled_from([-0.5, 0.5]), st.floats(-3.0, 3.0, allow_nan=False))
wicks = st.one_of(st.just(0.0), st.floats(0.0, 4.0, allow_nan=False))
volumes = st.one_of(st.just(0.0), st.floats(0.001, 1e6, allow_nan=False))
rows = st.tuples(moves, wicks, wicks, volumes)


def walk(steps: list[tuple[float, float, float, float]]) -> list[Kline]:
    close, klines = 100.0, []
    for number, (move, up, down, volume) in enumerate(steps):
        open_, close = close, max(1.0, close + move)
        at = number * 60_000_000
        high, low = max(open_, close) + up, max(0.5, min(open_, close) - down)
        klines.append(Kline("ETHUSDT", "1m", at, at + 60_000_000, open_, high, low, close, volume))
    return klines


def compare(of: Periods, klines: list[Kline]) -> int:
    """Hand over as soon as it may be, go on with both; returns how many klines were compared."""
    twin, source = Machines(of), Machines(of)
    for kline in klines[: of.full_after]:
        twin.update(kline)
        source.update(kline)
    fused = Fused(source)
    for kline in klines[of.full_after :]:
        twin.update(kline)
        fused.update(kline)
        assert {name: getattr(fused, name) for name in NAMES} == {name: getattr(twin, name) for name in NAMES}
    assert fused.seen == twin.seen
    return len(klines) - of.full_after


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=SHORT.full_after + 1, max_size=120))
def test_short_periods_give_the_same_bits_as_the_single_machines(steps: list[tuple[float, float, float, float]]) -> None:
    assert compare(SHORT, walk(steps)) > 0


@settings(max_examples=15, deadline=None)
@given(st.lists(rows, min_size=40, max_size=60), st.integers(4, 9))
def test_the_scalpers_periods_give_the_same_bits_over_many_turns_of_every_window(
    steps: list[tuple[float, float, float, float]], turns: int
) -> None:
    assert compare(Periods(), walk(steps * turns)) > 80


def test_a_market_that_stands_still_and_wakes_again_gives_the_same_bits() -> None:
    moving, still = [(0.7, 0.2, 0.1, 3.0), (-0.4, 0.0, 0.3, 1.0)] * 40, [(0.0, 0.0, 0.0, 0.0)] * 90
    assert compare(Periods(), walk(moving + still + moving + still)) > 200


def test_machines_that_are_still_beginning_are_refused() -> None:
    machines = Machines(Periods())
    with pytest.raises(ConfigError, match=r"machines\.seen"):
        Fused(machines)


def test_the_originals_formulas_are_refused() -> None:
    with pytest.raises(ConfigError, match="standard formulas"):
        Fused(Machines(Periods(classic=True)))


def test_the_set_is_full_no_earlier_than_every_one_of_its_windows() -> None:
    machines = Machines(SHORT)
    for kline in walk([(0.5, 0.1, 0.1, 1.0), (-0.5, 0.1, 0.1, 1.0)] * 40):
        machines.update(kline)
        if machines.full:
            break
    assert all(getattr(machines, name) is not None for name in VALUES)
    assert machines.volumes._usual.full
    assert machines.straightness._steps.full
    assert machines.stochastics._d._window.full
