"""Incremental equals batch, and no indicator takes back what it said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.indicators.averages import EMA, SMA, WilderAverage
from flashscalper.indicators.base import Indicator
from flashscalper.indicators.divergence import ClassicDivergence, Divergence
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Momentum, Stochastic, WilliamsR
from flashscalper.indicators.ranges import ADX, ATR, Bollinger
from flashscalper.indicators.registry import INDICATORS, create_indicator
from flashscalper.indicators.swings import Pivots, SwingLevels
from flashscalper.indicators.trend import Trend, TrendStrength
from flashscalper.indicators.volumes import OBV, RollingVWAP, SessionVWAP, VolumeRatio
from flashscalper.model.instants import HOUR_US
from flashscalper.model.klines import Kline
from tests.indicators import batch
from tests.indicators.recorded import make_kline


@st.composite
def markets(draw: st.DrawFn, least: int = 1, most: int = 90) -> list[Kline]:
    """Klines on a price grid of eighths, with flat stretches and quiet minutes."""
    steps = draw(st.lists(st.tuples(*[st.integers(-8, 8)] * 2, *[st.integers(0, 6)] * 2), min_size=least, max_size=most))
    calm = draw(st.integers(0, 40))
    klines, price = [], 100.0
    for number, (gap, move, up, down) in enumerate(steps):
        quiet = number % 41 < calm
        open_ = price if quiet else price + gap / 8
        close = price = open_ if quiet else max(10.0, open_ + move / 8)
        reach = (0, 0) if quiet else (up, down)
        volume = 0.0 if quiet else float(up + down)
        klines.append(
            make_kline(number * 17, open_, max(open_, close) + reach[0] / 8, min(open_, close) - reach[1] / 8, close, volume)
        )
    return klines


def same(seen: float | None, expected: float | None) -> bool:
    if seen is None or expected is None:
        return seen is expected
    return seen == pytest.approx(expected, rel=1e-9, abs=1e-7)


CASES: dict[str, tuple[Callable[[], Indicator], Callable[[list[Kline]], float | None]]] = {
    "SMA": (lambda: SMA(7), lambda k: batch.sma(k, 7)),
    "EMA": (lambda: EMA(7), lambda k: batch.ema(k, 7, classic=False)),
    "EMA classic": (lambda: EMA(7, classic=True), lambda k: batch.ema(k, 7, classic=True)),
    "RSI": (lambda: RSI(5), lambda k: batch.rsi(k, 5, classic=False)),
    "RSI classic": (lambda: RSI(5, classic=True), lambda k: batch.rsi(k, 5, classic=True)),
    "MACD": (lambda: MACD(4, 9, 3), lambda k: batch.macd(k, 4, 9, 3, classic=False)[0]),
    "MACD classic": (lambda: MACD(4, 9, 3, classic=True), lambda k: batch.macd(k, 4, 9, 3, classic=True)[0]),
    "ATR": (lambda: ATR(6), lambda k: batch.atr(k, 6, classic=False)),
    "ATR classic": (lambda: ATR(6, classic=True), lambda k: batch.atr(k, 6, classic=True)),
    "Stochastic": (lambda: Stochastic(8), lambda k: batch.stochastic(k, 8)),
    "Williams %R": (lambda: WilliamsR(8), lambda k: None if len(k) < 8 else (batch.stochastic(k, 8) or 0.0) - 100.0),
    "ROC": (lambda: ROC(5), lambda k: (batch.change(k, 5) or (None, None))[1]),
    "Momentum": (lambda: Momentum(5), lambda k: (batch.change(k, 5) or (None, None))[0]),
    "Momentum classic": (lambda: Momentum(3, classic=True), lambda k: (batch.change(k, 3) or (None, None))[1]),
    "volume ratio": (lambda: VolumeRatio(2, 5), lambda k: batch.volume_ratio(k, 2, 5, classic=False)),
    "volume ratio classic": (lambda: VolumeRatio(classic=True), lambda k: batch.volume_ratio(k, 3, 24, classic=True)),
    "session VWAP": (SessionVWAP, batch.session_vwap),
    "rolling VWAP": (lambda: RollingVWAP(6), lambda k: batch.rolling_vwap(k, 6)),
    "trend": (lambda: Trend(3, 8), lambda k: batch.trend(k, 3, 8)),
    "trend strength": (lambda: TrendStrength(6), lambda k: batch.efficiency(k, 6)),
    "trend strength classic": (lambda: TrendStrength(6, classic=True), lambda k: batch.classic_strength(k, 6)),
    "Wilder's average": (lambda: WilderAverage(5), lambda k: batch.wilder(k, 5)),
    "ADX": (lambda: ADX(5), lambda k: batch.adx(k, 5)),
    "OBV": (OBV, batch.obv),
    "pivots": (lambda: Pivots("1h"), lambda k: batch.pivot(k, HOUR_US)),
    "divergence": (lambda: Divergence(5, 1, 20), lambda k: batch.divergence(k, 5, 1, 20)),
    "classic divergence": (lambda: ClassicDivergence(6, 5), lambda k: batch.classic_divergence(k, 6, 5)),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None)
@given(klines=markets())
def test_incremental_equals_batch(name: str, klines: list[Kline]) -> None:
    make, expected = CASES[name]
    indicator = make()
    for end, kline in enumerate(klines, 1):
        indicator.update(kline)
        if end % 5 == 0 or end == len(klines):
            assert same(indicator.value, expected(klines[:end])), end


def test_what_has_more_than_one_value_agrees_in_all_of_them() -> None:
    @settings(max_examples=25, deadline=None)
    @given(markets(least=20))
    def check(klines: list[Kline]) -> None:
        macd, bands = MACD(4, 9, 3), Bollinger(7, 1.5)
        levels, classic = SwingLevels(12, 2), SwingLevels(12, 1, classic=True)
        for kline in klines:
            for indicator in (macd, bands, levels, classic):
                indicator.update(kline)
        assert same(macd.signal, batch.macd(klines, 4, 9, 3, classic=False)[1])
        mean, deviation = batch.bollinger(klines, 7) or (None, None)
        assert same(bands.value, mean)
        assert bands.deviation == pytest.approx(deviation, rel=1e-6, abs=1e-6)
        assert (levels.support, levels.resistance) == batch.swing_levels(klines, 12, 2, classic=False)
        assert (classic.support, classic.resistance) == pytest.approx(batch.swing_levels(klines, 12, 1, classic=True))

    check()


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=10, deadline=None)
@given(past=markets(least=5), futures=st.tuples(markets(), markets()))
def test_no_indicator_changes_what_it_said_when_the_future_changes(
    name: str, past: list[Kline], futures: tuple[list[Kline], list[Kline]]
) -> None:
    said = []
    for future in futures:
        indicator = create_indicator(name)
        values = []
        for kline in [*past, *future]:
            indicator.update(kline)
            values.append(indicator.value)
        said.append(values[: len(past)])
    assert said[0] == said[1]


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=10, deadline=None)
@given(klines=markets(least=60))
def test_once_warm_an_oscillator_or_average_stays_finite(name: str, klines: list[Kline]) -> None:
    indicator = create_indicator(name)
    warm = False
    for kline in klines:
        indicator.update(kline)
        warm = warm or indicator.value is not None
        if warm and name not in MAY_FALL_SILENT:
            assert indicator.value is not None
            assert abs(indicator.value) < 1e12


MAY_FALL_SILENT = {"swing_levels", "session_vwap"}
"""A level can be missing again, and a new session begins without a price."""
