"""Indicators by name, with their parameters' types, defaults and ranges: for configuration, optimiser and documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from flashscalper.indicators.averages import EMA, SMA, WilderAverage
from flashscalper.indicators.base import LONGEST, Indicator, real, whole
from flashscalper.indicators.divergence import ClassicDivergence, Divergence
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Momentum, Stochastic, WilliamsR
from flashscalper.indicators.patterns import CandlePatterns
from flashscalper.indicators.ranges import ADX, ATR, Bollinger
from flashscalper.indicators.swings import Pivots, SwingLevels
from flashscalper.indicators.trend import Trend, TrendStrength
from flashscalper.indicators.volumes import OBV, RollingVWAP, SessionVWAP, VolumeRatio
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import INTERVALS_US


class Whole(msgspec.Struct, frozen=True):
    """A whole number in [least, most]."""

    default: int
    least: int = 1
    most: int = LONGEST

    def check(self, field: str, value: object) -> object:
        """`value` if it fits, else ConfigError."""
        return whole(field, value, self.least, self.most)


class Real(msgspec.Struct, frozen=True):
    """A finite number in [least, most]."""

    default: float
    least: float
    most: float

    def check(self, field: str, value: object) -> object:
        """`value` if it fits, else ConfigError."""
        return real(field, value, self.least, self.most)


class Choice(msgspec.Struct, frozen=True):
    """One of some words or switches."""

    default: str | bool
    accepted: tuple[str | bool, ...] = (False, True)

    def check(self, field: str, value: object) -> object:
        """`value` if it is one of them, else ConfigError."""
        if any(value is choice or (isinstance(value, str) and value == choice) for choice in self.accepted):
            return value
        raise ConfigError(field, value, ", ".join(str(choice).lower() for choice in self.accepted))


Parameter = Whole | Real | Choice


class IndicatorKind(msgspec.Struct, frozen=True):
    """One indicator: how it is made, and what it may be told."""

    make: Callable[..., Indicator]
    parameters: Mapping[str, Parameter] = {}


_CLASSIC: Final = Choice(default=False)
_RSI: Final = Whole(14, 2)

INDICATORS: Final[Mapping[str, IndicatorKind]] = {
    "sma": IndicatorKind(SMA, {"period": Whole(20)}),
    "ema": IndicatorKind(EMA, {"period": Whole(20), "classic": _CLASSIC}),
    "wilder": IndicatorKind(WilderAverage, {"period": Whole(14)}),
    "rsi": IndicatorKind(RSI, {"period": _RSI, "classic": _CLASSIC}),
    "macd": IndicatorKind(MACD, {"fast": Whole(12), "slow": Whole(26, 2), "signal": Whole(9), "classic": _CLASSIC}),
    "stochastic": IndicatorKind(Stochastic, {"period": Whole(14), "smooth": Whole(3), "slow": Whole(1)}),
    "williams_r": IndicatorKind(WilliamsR, {"period": Whole(14)}),
    "roc": IndicatorKind(ROC, {"period": Whole(12)}),
    "momentum": IndicatorKind(Momentum, {"period": Whole(10), "classic": _CLASSIC}),
    "atr": IndicatorKind(ATR, {"period": Whole(14), "classic": _CLASSIC}),
    "adx": IndicatorKind(ADX, {"period": Whole(14, 2)}),
    "bollinger": IndicatorKind(Bollinger, {"period": Whole(20, 2), "width": Real(2.0, 0.0, 100.0)}),
    "obv": IndicatorKind(OBV),
    "volume_ratio": IndicatorKind(VolumeRatio, {"recent": Whole(3), "usual": Whole(24), "classic": _CLASSIC}),
    "session_vwap": IndicatorKind(SessionVWAP, {"starts_at_hour": Whole(0, 0, 23)}),
    "rolling_vwap": IndicatorKind(RollingVWAP, {"period": Whole(20)}),
    "trend": IndicatorKind(Trend, {"fast": Whole(10), "slow": Whole(20, 2)}),
    "trend_strength": IndicatorKind(TrendStrength, {"period": Whole(20, 2, 5_000), "classic": _CLASSIC}),
    "swing_levels": IndicatorKind(
        SwingLevels, {"lookback": Whole(20, 3, 1_000), "wing": Whole(1, 1, 50), "classic": _CLASSIC}
    ),
    "pivots": IndicatorKind(Pivots, {"period": Choice("1d", tuple(INTERVALS_US)), "classic": _CLASSIC}),
    "divergence": IndicatorKind(
        Divergence,
        {"rsi": _RSI, "wing": Whole(2, 1, 50), "reach": Whole(60, 2, 1_000), "hold": Whole(1, 1, 1_000)},
    ),
    "classic_divergence": IndicatorKind(ClassicDivergence, {"lookback": Whole(14, 4, 1_000), "rsi": _RSI}),
    "candle_patterns": IndicatorKind(CandlePatterns, {"classic": _CLASSIC}),
}
"""Every indicator of klines by name."""


def create_indicator(name: str, **parameters: Any) -> Indicator:
    """A fresh indicator. Raises ConfigError naming the indicator or the parameter, the value and what is accepted."""
    kind = INDICATORS.get(name)
    if kind is None:
        like = get_close_matches(name, INDICATORS, n=3) or list(INDICATORS)
        raise ConfigError("indicator", name, ", ".join(like))
    for field, value in parameters.items():
        parameter = kind.parameters.get(field)
        if parameter is None:
            raise ConfigError(f"{name} parameter", field, ", ".join(kind.parameters) or "none")
        parameter.check(f"{name}.{field}", value)
    return kind.make(**parameters)
