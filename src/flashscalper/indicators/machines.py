"""The scalper's set as single machines, each on its own: every formula, and how each one begins. The twin of `fused`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from flashscalper.indicators.averages import EMA
from flashscalper.indicators.divergence import ClassicDivergence, Divergence
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Stochastic, WilliamsR
from flashscalper.indicators.patterns import CandlePatterns, Pattern
from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.indicators.swings import SwingLevels
from flashscalper.indicators.trend import Trend, TrendStrength
from flashscalper.indicators.volumes import VolumeRatio

if TYPE_CHECKING:
    from flashscalper.indicators.base import Indicator
    from flashscalper.indicators.periods import Periods
    from flashscalper.model.klines import Kline

VALUES = (
    "rsi", "momentum", "volume_ratio", "trend", "trend_strength", "ema_fast", "ema_mid", "ema_slow", "macd_hist", "atr",
    "percent_b", "stoch_k", "stoch_d", "roc", "williams_r", "divergence",
)  # fmt: skip
"""The numbers of the set; there are also `macd_hist_before`, `pattern`, `support` and `resistance`, which may be missing."""


class Machines:
    """All machines of one market. Each value is None until its machine is warm; `macd_hist_before` is one kline older."""

    __slots__ = (
        *VALUES, "averages", "bands", "divergences", "klines", "levels", "macd", "macd_hist_before", "moves", "of",
        "oscillator", "pattern", "patterns", "ranges", "resistance", "rocs", "seen", "stochastics", "straightness",
        "support", "volumes", "williams", "_all",
    )  # fmt: skip

    def __init__(self, of: Periods) -> None:
        self.of = of
        self.seen = 0
        self.klines: deque[Kline] = deque(maxlen=of.full_after)
        self.averages = tuple(EMA(period, classic=of.classic) for period in (of.ema_fast, of.ema_mid, of.ema_slow))
        self.oscillator = RSI(of.rsi, classic=of.classic)
        self.macd = MACD(of.macd_fast, of.macd_slow, of.macd_signal, classic=of.classic)
        self.ranges = ATR(of.atr, classic=of.classic)
        self.rocs = (ROC(of.momentum), ROC(of.roc))
        self.volumes = VolumeRatio(of.volume_recent, of.volume_usual, classic=of.classic)
        self.moves = Trend(of.trend_fast, of.trend_slow)
        self.straightness = TrendStrength(of.trend_slow, classic=of.classic)
        self.bands = Bollinger(of.bollinger)
        self.stochastics = Stochastic(of.stochastic)
        self.williams = WilliamsR(of.williams)
        self.patterns = CandlePatterns(classic=of.classic)
        self.levels = SwingLevels(of.levels, 1 if of.classic else of.swing_wing, classic=of.classic)
        self.divergences = _divergence(of)
        self._all: tuple[Indicator, ...] = (
            *self.averages, self.oscillator, self.macd, self.ranges, *self.rocs, self.volumes, self.moves, self.straightness,
            self.bands, self.stochastics, self.williams, self.patterns, self.levels, self.divergences,
        )  # fmt: skip
        self.macd_hist_before: float | None = None
        self._read()

    @property
    def full(self) -> bool:
        """Whether nothing of the set is still beginning."""
        return self.seen >= self.of.full_after

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self.seen += 1
        self.klines.append(kline)
        self.macd_hist_before = self.macd.histogram
        for machine in self._all:
            machine.update(kline)
        self._read()

    def _read(self) -> None:
        self.ema_fast, self.ema_mid, self.ema_slow = (average.value for average in self.averages)
        self.rsi = self.oscillator.value
        self.macd_hist = self.macd.histogram
        self.atr = self.ranges.value
        self.momentum, self.roc = (roc.value for roc in self.rocs)
        self.volume_ratio = self.volumes.value
        self.trend = self.moves.value
        self.trend_strength = self.straightness.value
        self.percent_b = self.bands.percent_b
        self.stoch_k, self.stoch_d = self.stochastics.value, self.stochastics.d
        self.williams_r = self.williams.value
        self.pattern: Pattern | None = self.patterns.pattern
        self.support, self.resistance = self.levels.support, self.levels.resistance
        self.divergence = self.divergences.value


def _divergence(of: Periods) -> Divergence | ClassicDivergence:
    if of.classic:
        return ClassicDivergence(of.divergence, of.rsi)
    return Divergence(of.rsi, of.swing_wing, of.divergence_reach, of.divergence_hold)
