"""Each piece of evidence alone gives its points to its side, with a sentence that a person can read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flashscalper.model.positions import PositionSide
from flashscalper.strategies.profiles import CLASSIC
from flashscalper.strategies.regime import Regime, RegimeSettings, RegimeWatch, classify
from flashscalper.strategies.scalper_readings import Readings, Trend
from flashscalper.strategies.scalper_score import confidence, score
from flashscalper.strategies.scalper_settings import ScalperSettings, ScoreWeights
from tests.strategies.scalper_samples import LONG, NOW, QUIET, SHORT, changed

RULES = CLASSIC.scalper
EVERYTHING = msgspec.structs.replace(
    RULES,
    bounce_both_sides=True,
    weights=msgspec.structs.replace(
        RULES.weights, trend=7, bollinger=10, stochastic=15, stochastic_cross=5, roc_strong=12, roc_mild=5, williams=12
    ),
)

ALONE: list[tuple[dict[str, Any], PositionSide, float]] = [
    ({"ema_fast": 100.3, "ema_mid": 100.2, "ema_slow": 100.1, "close": 100.4}, LONG, 20),
    ({"ema_fast": 99.7, "ema_mid": 99.8, "ema_slow": 99.9, "close": 99.6}, SHORT, 20),
    ({"ema_fast": 99.9}, LONG, 5),
    ({"ema_fast": 100.1}, SHORT, 5),
    ({"macd_hist": 0.1}, LONG, 8),
    ({"macd_hist": -0.1}, SHORT, 8),
    ({"macd_hist": 0.1, "macd_hist_before": -0.1}, LONG, 28),
    ({"macd_hist": -0.1, "macd_hist_before": 0.1}, SHORT, 28),
    ({"rsi": 29.9}, LONG, 12),
    ({"rsi": 39.9}, LONG, 5),
    ({"rsi": 60.1}, SHORT, 5),
    ({"rsi": 70.1}, SHORT, 12),
    ({"volume_ratio": 1.6, "momentum": 0.1}, LONG, 8),
    ({"volume_ratio": 1.6, "momentum": -0.1}, SHORT, 8),
    ({"pattern": "hammer", "pattern_side": LONG}, LONG, 10),
    ({"bounce_points": 25, "bounce_side": LONG}, LONG, 25),
    ({"bounce_points": 25, "bounce_side": SHORT}, SHORT, 25),
    ({"divergence_side": SHORT, "divergence_strength": 60.0}, SHORT, 31),
    ({"trend": Trend.UP}, LONG, 7),
    ({"trend": Trend.DOWN}, SHORT, 7),
    ({"percent_b": 0.1}, LONG, 10),
    ({"percent_b": 0.9}, SHORT, 10),
    ({"stoch_k": 10.0, "stoch_d": 10.0}, LONG, 15),
    ({"stoch_k": 60.0}, LONG, 5),
    ({"williams_r": -10.0}, SHORT, 12),
    ({"roc": 0.6}, LONG, 5),
    ({"roc": -2.1}, SHORT, 12),
]


@pytest.mark.parametrize(("facts", "side", "expected"), ALONE)
def test_this_evidence_alone_gives_its_points_to_its_side(
    facts: dict[str, Any], side: PositionSide, expected: float
) -> None:
    found = score(changed(QUIET, **facts), EVERYTHING)
    assert found.of(side) == expected
    assert found.of(side.opposite) == 0
    assert found.leaning is side
    assert found.reasons(side)


def test_nothing_speaks_for_nothing() -> None:
    found = score(QUIET, EVERYTHING)
    assert (found.long, found.short, found.evidence) == (0, 0, ())


def test_evidence_of_weight_zero_is_neither_counted_nor_told() -> None:
    found = score(changed(QUIET, trend=Trend.UP, percent_b=0.1, divergence_side=LONG), ScalperSettings(
        weights=ScoreWeights(trend=0, bollinger=0, divergence=0)))  # fmt: skip
    assert found.evidence == ()


def test_the_originals_bounce_is_for_longs_only() -> None:
    assert score(changed(QUIET, bounce_points=25, bounce_side=SHORT), RULES).short == 0


def test_confluence_gives_a_bonus_per_further_reason_when_it_is_on() -> None:
    agreeing = changed(QUIET, rsi=29.0, macd_hist=0.1)
    rules = msgspec.structs.replace(RULES, weights=msgspec.structs.replace(RULES.weights, confluence=10))
    assert score(agreeing, RULES).long == 20
    assert score(agreeing, rules).long == 30
    assert score(agreeing, rules).reasons(LONG)[-1] == "2 indicators agree (+10)"


def test_reasons_read_like_sentences_with_their_points() -> None:
    found = score(changed(QUIET, rsi=28.4, macd_hist=0.1, macd_hist_before=-0.1), RULES)
    assert found.reasons(LONG) == ("MACD crossed up (+20)", "MACD histogram positive (+8)", "RSI 28 low (+12)")


@pytest.mark.parametrize(("points", "expected"), [(63.3, 58), (63.2, 57), (0, 0), (110, 100), (500, 100), (0.55, 1)])
def test_confidence_is_the_share_of_the_full_score_rounded_half_up(points: float, expected: float) -> None:
    assert confidence(points, 110) == expected


numbers = st.floats(1, 200)
readings = st.builds(
    Readings, close=numbers, rsi=st.floats(0, 100), momentum=st.floats(-5, 5), volume_ratio=st.floats(0, 5),
    trend=st.sampled_from(Trend), trend_strength=st.floats(0, 1), ema_fast=numbers, ema_mid=numbers, ema_slow=numbers,
    macd_hist=st.floats(-1, 1), macd_hist_before=st.none() | st.floats(-1, 1), atr=st.floats(0.01, 5),
    percent_b=st.floats(-1, 2), stoch_k=st.floats(0, 100), stoch_d=st.floats(0, 100), roc=st.floats(-5, 5),
    williams_r=st.floats(-100, 0), pattern_side=st.none() | st.sampled_from(PositionSide), bounce_points=st.floats(0, 30),
    bounce_side=st.none() | st.sampled_from(PositionSide), divergence_side=st.none() | st.sampled_from(PositionSide),
    divergence_strength=st.floats(0, 100),
)  # fmt: skip


def mirrored(now: Readings) -> Readings:
    """The same market upside down around 100."""
    flip = {Trend.UP: Trend.DOWN, Trend.DOWN: Trend.UP, Trend.SIDEWAYS: Trend.SIDEWAYS}
    side = {LONG: SHORT, SHORT: LONG, None: None}
    return changed(
        now, close=-now.close, ema_fast=-now.ema_fast, ema_mid=-now.ema_mid, ema_slow=-now.ema_slow, rsi=100 - now.rsi,
        momentum=-now.momentum, macd_hist=-now.macd_hist, trend=flip[now.trend],
        macd_hist_before=None if now.macd_hist_before is None else -now.macd_hist_before, percent_b=1 - now.percent_b,
        stoch_k=100 - now.stoch_k, stoch_d=100 - now.stoch_d, roc=-now.roc, williams_r=-100 - now.williams_r,
        pattern_side=side[now.pattern_side], bounce_side=side[now.bounce_side], divergence_side=side[now.divergence_side],
    )  # fmt: skip


@hypothesis_settings(max_examples=150, deadline=None)
@given(readings)
def test_the_score_is_symmetric_and_its_evidence_adds_up(now: Readings) -> None:
    found = score(now, EVERYTHING)
    for side in (LONG, SHORT):
        assert found.of(side) == sum(item.points for item in found.evidence if item.side is side)
    close_to_edge = any(abs(value - edge) < 1e-6 for value, edge in _edges(now))
    if not close_to_edge:
        other = score(mirrored(now), EVERYTHING)
        assert other.long == pytest.approx(found.short)
        assert other.short == pytest.approx(found.long)


def _edges(now: Readings) -> list[tuple[float, float]]:
    """Thresholds at which rounding of the mirror image may decide."""
    return [(now.rsi, edge) for edge in (30, 40, 60, 70)] + [(now.percent_b, edge) for edge in (0.2, 0.8)] + [
        (now.stoch_k, edge) for edge in (20, 80)] + [(now.williams_r, edge) for edge in (-80, -20)] + [
        (now.stoch_k, now.stoch_d)]  # fmt: skip


REGIMES = RegimeSettings(trend_momentum=0.15, volatile_atr_bps=40, breakout_volume=2.0, strong=0.5, min_stay_s=300)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"trend": Trend.UP, "momentum": 0.2}, Regime.TRENDING_UP),
        ({"trend": Trend.DOWN, "momentum": -0.2}, Regime.TRENDING_DOWN),
        ({"trend": Trend.UP, "momentum": -0.2}, Regime.RANGING),
        ({"atr": 0.5, "trend_strength": 0.4}, Regime.VOLATILE),
        ({"volume_ratio": 2.1}, Regime.BREAKOUT),
        ({"volume_ratio": 2.1, "trend_strength": 0.4}, Regime.RANGING),
        ({}, Regime.RANGING),
    ],
)
def test_a_reading_has_one_regime(facts: dict[str, Any], expected: Regime) -> None:
    assert classify(changed(QUIET, **facts), REGIMES) is expected


def test_a_regime_stays_for_its_least_time() -> None:
    watch = RegimeWatch(REGIMES)
    rising = changed(QUIET, trend=Trend.UP, momentum=0.2)
    assert watch.regime is None
    assert watch.update(QUIET, NOW) is Regime.RANGING
    assert watch.update(rising, NOW + 299_000_000) is Regime.RANGING
    assert watch.update(rising, NOW + 300_000_000) is Regime.TRENDING_UP
    assert watch.update(QUIET, NOW + 301_000_000) is Regime.TRENDING_UP
