"""What the scalper knows at a closed kline: one value that scoring and filtering look at, and nothing else."""

from __future__ import annotations

from enum import StrEnum
from operator import attrgetter

import msgspec

from flashscalper.model.positions import PositionSide


class Trend(StrEnum):
    """Where the price stands to its two averages."""

    UP = "up"
    DOWN = "down"
    SIDEWAYS = "sideways"

    @property
    def direction(self) -> PositionSide | None:
        """The side that the trend favours."""
        return _DIRECTIONS[self]


_DIRECTIONS = {Trend.UP: PositionSide.LONG, Trend.DOWN: PositionSide.SHORT, Trend.SIDEWAYS: None}


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """All indicator values after one closed kline. Prices in quote units, oscillators in their own 0-100 scales.

    `momentum` and `roc` are percent changes; `volume_ratio` recent over usual volume; `macd_hist_before` the histogram one
    kline ago. `divergence`, `pattern` and `bounce` name the side they speak for (None: nothing seen). `higher` are the
    trends of the confirming intervals, None while one is not warm.
    """

    close: float
    rsi: float
    momentum: float
    volume_ratio: float
    trend: Trend
    trend_strength: float
    ema_fast: float
    ema_mid: float
    ema_slow: float
    macd_hist: float
    macd_hist_before: float | None
    atr: float
    percent_b: float
    stoch_k: float
    stoch_d: float
    roc: float
    williams_r: float
    pattern: str = ""
    pattern_side: PositionSide | None = None
    bounce_points: float = 0.0
    bounce_side: PositionSide | None = None
    divergence_side: PositionSide | None = None
    divergence_strength: float = 0.0
    support: float | None = None
    resistance: float | None = None
    higher: tuple[tuple[str, Trend | None], ...] = ()
    hour: int = 0

    @property
    def atr_fraction(self) -> float:
        """ATR over the close."""
        return self.atr / self.close

    @property
    def macd_cross(self) -> PositionSide | None:
        """The side to which the histogram changed its sign on this kline."""
        if self.macd_hist_before is None:
            return None
        if self.macd_hist_before < 0 < self.macd_hist:
            return PositionSide.LONG
        return PositionSide.SHORT if self.macd_hist_before > 0 > self.macd_hist else None

    def numbers(self) -> tuple[tuple[str, float], ...]:
        """The values by name, for the journal."""
        levels = (("support", self.support), ("resistance", self.resistance))
        return (
            *zip(_NUMBERS, _numbers_of(self), strict=True),
            *((name, level) for name, level in levels if level is not None),
        )


_NUMBERS = (
    "close", "rsi", "momentum", "volume_ratio", "trend_strength", "ema_fast", "ema_mid", "ema_slow", "macd_hist", "atr",
    "percent_b", "stoch_k", "stoch_d", "roc", "williams_r", "bounce_points", "divergence_strength",
)  # fmt: skip
_numbers_of = attrgetter(*_NUMBERS)
