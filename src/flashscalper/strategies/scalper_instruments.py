"""The scalper's indicators: fed with closed klines, read as one `Readings`. O(1) per kline."""

from __future__ import annotations

from flashscalper.indicators.averages import EMA
from flashscalper.indicators.base import Indicator
from flashscalper.indicators.divergence import ClassicDivergence, Divergence
from flashscalper.indicators.oscillators import MACD, ROC, RSI, Stochastic, WilliamsR
from flashscalper.indicators.patterns import CandlePatterns, Pattern
from flashscalper.indicators.ranges import ATR, Bollinger
from flashscalper.indicators.swings import SwingLevels
from flashscalper.indicators.trend import Trend as TrendMachine
from flashscalper.indicators.trend import TrendStrength
from flashscalper.indicators.volumes import VolumeRatio
from flashscalper.model.instants import DAY_US, HOUR_US
from flashscalper.model.klines import Kline
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.bounce import Bounce
from flashscalper.strategies.scalper_readings import Readings, Trend
from flashscalper.strategies.scalper_settings import IndicatorParameters, ScalperSettings

_ENGULFING = (Pattern.BULLISH_ENGULFING, Pattern.BEARISH_ENGULFING)
_TRENDS = {1.0: Trend.UP, -1.0: Trend.DOWN, 0.0: Trend.SIDEWAYS}


class Instruments:
    """All machines of one market: `update` and `confirm` take klines, `readings` gives the values once all are warm."""

    def __init__(self, settings: ScalperSettings) -> None:
        of = settings.indicators
        self.warmup = warmup_klines(of)
        self.seen = 0
        self._kline: Kline | None = None
        self._histogram_before: float | None = None
        self._averages = [EMA(period, classic=of.classic) for period in (of.ema_fast, of.ema_mid, of.ema_slow)]
        self._rsi = RSI(of.rsi, classic=of.classic)
        self._macd = MACD(of.macd_fast, of.macd_slow, of.macd_signal, classic=of.classic)
        self._atr = ATR(of.atr, classic=of.classic)
        self._momentum = ROC(of.momentum)
        self._roc = ROC(of.roc)
        self._volume = VolumeRatio(of.volume_recent, of.volume_usual, classic=of.classic)
        self._trend = TrendMachine(of.trend_fast, of.trend_slow)
        self._strength = TrendStrength(of.trend_slow, classic=of.classic)
        self._bands = Bollinger(of.bollinger)
        self._stochastic = Stochastic(of.stochastic)
        self._williams = WilliamsR(of.williams)
        self._patterns = CandlePatterns(classic=of.classic)
        self._levels = SwingLevels(of.levels, 1 if of.classic else of.swing_wing, classic=of.classic)
        self._divergence = _divergence(of)
        self._machines: tuple[Indicator, ...] = (
            *self._averages, self._rsi, self._atr, self._momentum, self._roc, self._volume, self._trend, self._strength,
            self._bands, self._stochastic, self._williams, self._patterns, self._levels, self._divergence,
        )  # fmt: skip
        self._bounce = Bounce()
        self._higher = {interval: TrendMachine(of.trend_fast, of.trend_slow) for interval in settings.filters.confirm}

    def confirm(self, kline: Kline) -> None:
        """Take a closed kline of a confirming interval; others are ignored."""
        machine = self._higher.get(kline.interval)
        if machine is not None:
            machine.update(kline)

    def update(self, kline: Kline) -> None:
        """Take the next closed kline of the main interval."""
        self.seen += 1
        self._kline = kline
        self._histogram_before = self._macd.histogram
        self._macd.update(kline)
        for machine in self._machines:
            machine.update(kline)
        self._watch_bounce(kline)

    def readings(self) -> Readings | None:
        """The values after the last kline; None while any is missing or fewer than `warmup` klines were seen."""
        kline, values = self._kline, self._values()
        known = {name: value for name, value in values.items() if value is not None}
        if kline is None or self.seen < self.warmup or len(known) < len(values):
            return None
        return Readings(
            close=kline.close,
            rsi=known["rsi"],
            momentum=known["momentum"],
            volume_ratio=known["volume_ratio"],
            trend=_TRENDS[known["trend"]],
            trend_strength=known["trend_strength"],
            ema_fast=known["ema_fast"],
            ema_mid=known["ema_mid"],
            ema_slow=known["ema_slow"],
            macd_hist=known["macd_hist"],
            macd_hist_before=self._histogram_before,
            atr=known["atr"],
            percent_b=known["percent_b"],
            stoch_k=known["stoch_k"],
            stoch_d=known["stoch_d"],
            roc=known["roc"],
            williams_r=known["williams_r"],
            pattern=self._patterns.pattern or "",
            pattern_side=_side(self._patterns.value),
            bounce_points=self._bounce.points,
            bounce_side=self._bounce.side,
            divergence_side=_side(known["divergence"]),
            divergence_strength=abs(known["divergence"]),
            support=self._levels.support,
            resistance=self._levels.resistance,
            higher=tuple((interval, _named(machine.value)) for interval, machine in self._higher.items()),
            hour=kline.close_at % DAY_US // HOUR_US,
        )

    def _values(self) -> dict[str, float | None]:
        """Every number that a reading cannot do without."""
        fast, mid, slow = (average.value for average in self._averages)
        return {
            "rsi": self._rsi.value,
            "momentum": self._momentum.value,
            "volume_ratio": self._volume.value,
            "trend": self._trend.value,
            "trend_strength": self._strength.value,
            "ema_fast": fast,
            "ema_mid": mid,
            "ema_slow": slow,
            "macd_hist": self._macd.histogram,
            "atr": self._atr.value,
            "percent_b": self._bands.percent_b,
            "stoch_k": self._stochastic.value,
            "stoch_d": self._stochastic.d,
            "roc": self._roc.value,
            "williams_r": self._williams.value,
            "divergence": self._divergence.value,
        }

    def _watch_bounce(self, kline: Kline) -> None:
        """The bounce looks at oscillators as they stand after the kline; before they are warm nothing is stretched."""
        rsi, stoch_k, williams_r = self._rsi.value, self._stochastic.value, self._williams.value
        engulfing = _side(self._patterns.value) if self._patterns.pattern in _ENGULFING else None
        self._bounce.update(
            kline,
            rsi=50.0 if rsi is None else rsi,
            stoch_k=50.0 if stoch_k is None else stoch_k,
            williams_r=-50.0 if williams_r is None else williams_r,
            engulfing=engulfing,
        )


def _divergence(of: IndicatorParameters) -> Divergence | ClassicDivergence:
    if of.classic:
        return ClassicDivergence(of.divergence, of.rsi)
    return Divergence(of.rsi, of.swing_wing, of.divergence_reach, of.divergence_hold)


def _side(sign: float | None) -> PositionSide | None:
    """The side that a signed value speaks for; zero and unknown speak for none."""
    if not sign:
        return None
    return PositionSide.LONG if sign > 0 else PositionSide.SHORT


def _named(trend: float | None) -> Trend | None:
    return None if trend is None else _TRENDS[trend]


def warmup_klines(of: IndicatorParameters) -> int:
    """After how many klines every indicator speaks; classic averages would at once, the original waited for the slowest."""
    return max(
        of.ema_slow, of.macd_slow + of.macd_signal - 1, of.rsi + 1, of.atr + 1, of.momentum + 1, of.roc + 1,
        of.volume_recent + of.volume_usual, of.trend_slow * 2 if of.classic else of.trend_slow + 1, of.bollinger,
        of.stochastic + 2, of.williams, of.levels, of.rsi + 2 * of.divergence,
    )  # fmt: skip
