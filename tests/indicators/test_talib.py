"""Every indicator that TA-Lib has too agrees with it on a month of recorded minutes, from kline 500 on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib
from talib._ta_lib import MA_Type

from flashscalper.indicators.averages import EMA, SMA
from flashscalper.indicators.base import Indicator
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Momentum, Stochastic, WilliamsR
from flashscalper.indicators.ranges import ADX, ATR, Bollinger
from flashscalper.indicators.volumes import OBV
from tests.indicators.recorded import btc_columns, btc_klines

CLOSE = ("close",)
REACH = ("high", "low", "close")

CASES: dict[str, tuple[Callable[[], Indicator], tuple[str, ...], Callable[..., Any], tuple[str, ...]]] = {
    "SMA": (lambda: SMA(20), ("value",), lambda c: talib.SMA(c, 20), CLOSE),
    "EMA 9": (lambda: EMA(9), ("value",), lambda c: talib.EMA(c, 9), CLOSE),
    "EMA 21": (lambda: EMA(21), ("value",), lambda c: talib.EMA(c, 21), CLOSE),
    "EMA 50": (lambda: EMA(50), ("value",), lambda c: talib.EMA(c, 50), CLOSE),
    "EMA 200": (lambda: EMA(200), ("value",), lambda c: talib.EMA(c, 200), CLOSE),
    "RSI": (lambda: RSI(14), ("value",), lambda c: talib.RSI(c, 14), CLOSE),
    "MACD": (lambda: MACD(12, 26, 9), ("value", "signal", "histogram"), lambda c: talib.MACD(c, 12, 26, 9), CLOSE),
    "ATR": (lambda: ATR(14), ("value",), lambda h, low, c: talib.ATR(h, low, c, 14), REACH),
    "ADX": (lambda: ADX(14), ("value",), lambda h, low, c: talib.ADX(h, low, c, 14), REACH),
    "+DI": (lambda: ADX(14), ("plus",), lambda h, low, c: talib.PLUS_DI(h, low, c, 14), REACH),
    "-DI": (lambda: ADX(14), ("minus",), lambda h, low, c: talib.MINUS_DI(h, low, c, 14), REACH),
    "Bollinger": (lambda: Bollinger(20, 2.0), ("upper", "value", "lower"), lambda c: talib.BBANDS(c, 20, 2.0, 2.0), CLOSE),
    "Stochastic fast": (
        lambda: Stochastic(14, 3),
        ("value", "d"),
        lambda h, low, c: talib.STOCHF(h, low, c, 14, 3),
        REACH,
    ),
    "Stochastic slow": (
        lambda: Stochastic(14, 3, slow=3),
        ("value", "d"),
        lambda h, low, c: talib.STOCH(h, low, c, 14, 3, MA_Type.SMA, 3, MA_Type.SMA),
        REACH,
    ),
    "Williams %R": (lambda: WilliamsR(14), ("value",), lambda h, low, c: talib.WILLR(h, low, c, 14), REACH),
    "ROC": (lambda: ROC(12), ("value",), lambda c: talib.ROC(c, 12), CLOSE),
    "Momentum": (lambda: Momentum(10), ("value",), lambda c: talib.MOM(c, 10), CLOSE),
    "OBV": (OBV, ("value",), talib.OBV, ("close", "volume")),
}


@pytest.mark.parametrize("name", CASES)
def test_it_agrees_with_talib_from_kline_500_on(name: str) -> None:
    make, fields, theirs, columns = CASES[name]
    indicator = make()
    ours = []
    for kline in btc_klines():
        indicator.update(kline)
        ours.append([getattr(indicator, field) for field in fields])
    expected = theirs(*(btc_columns()[column] for column in columns))
    expected = expected if isinstance(expected, tuple) else (expected,)
    seen = np.array(ours[500:], dtype=np.float64)
    wanted = np.column_stack(expected)[500:]
    assert not np.isnan(seen).any()
    scale = btc_columns()["close"][500:, None] if name in PRICE_DIFFERENCES else ZERO_OF_AN_OSCILLATOR
    assert np.all(np.abs(seen - wanted) <= 1e-9 * np.maximum(np.abs(wanted), scale))


PRICE_DIFFERENCES = {"MACD", "ATR", "Momentum", "Bollinger"}
"""Differences of prices: near zero a relative bound means nothing, so it is 1e-9 of the price."""
ZERO_OF_AN_OSCILLATOR = 0.01
"""Where ours is exactly 0 of 100, TA-Lib's running sums have drifted to about 1e-12."""


@pytest.mark.parametrize("name", CASES)
def test_it_speaks_on_the_same_kline_as_talib_first(name: str) -> None:
    make, fields, theirs, columns = CASES[name]
    indicator = make()
    expected = theirs(*(btc_columns()[column][:400].copy() for column in columns))
    expected = expected if isinstance(expected, tuple) else (expected,)
    # TA-Lib hides its first values until the slowest of its outputs is warm; ours speak when they can.
    last = fields[-1] if name != "Bollinger" else "value"
    for number, kline in enumerate(btc_klines()[:400]):
        indicator.update(kline)
        assert (getattr(indicator, last) is None) == bool(np.isnan(expected[-1][number])), number
