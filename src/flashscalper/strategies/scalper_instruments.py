"""The scalper's indicators: fed with closed klines, read as one `Readings`. O(1) per kline."""

from __future__ import annotations

from typing import cast

from flashscalper.indicators.fused import Fused
from flashscalper.indicators.machines import VALUES, Machines
from flashscalper.indicators.patterns import Pattern
from flashscalper.indicators.trend import Trend as TrendMachine
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
        self._set: Machines | Fused = Machines(of)
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
        now = self._set
        now.update(kline)
        if isinstance(now, Machines) and now.full and not now.of.classic:
            self._set = Fused(now)
        self._watch_bounce(kline)

    def readings(self) -> Readings | None:
        """The values after the last kline; None while any is missing or fewer than `warmup` klines were seen."""
        kline = self._kline
        if kline is None or self.seen < self.warmup:
            return None
        if isinstance(self._set, Machines) and any(getattr(self._set, name) is None for name in VALUES):
            return None
        now = cast("Fused", self._set)  # machines that all speak have the same numbers by the same names
        return Readings(
            close=kline.close,
            rsi=now.rsi,
            momentum=now.momentum,
            volume_ratio=now.volume_ratio,
            trend=_TRENDS[now.trend],
            trend_strength=now.trend_strength,
            ema_fast=now.ema_fast,
            ema_mid=now.ema_mid,
            ema_slow=now.ema_slow,
            macd_hist=now.macd_hist,
            macd_hist_before=now.macd_hist_before,
            atr=now.atr,
            percent_b=now.percent_b,
            stoch_k=now.stoch_k,
            stoch_d=now.stoch_d,
            roc=now.roc,
            williams_r=now.williams_r,
            pattern=now.pattern or "",
            pattern_side=_side(now.pattern.sign) if now.pattern else None,
            bounce_points=self._bounce.points,
            bounce_side=self._bounce.side,
            divergence_side=_side(now.divergence),
            divergence_strength=abs(now.divergence),
            support=now.support,
            resistance=now.resistance,
            higher=tuple((interval, _named(machine.value)) for interval, machine in self._higher.items()),
            hour=kline.close_at % DAY_US // HOUR_US,
        )

    def _watch_bounce(self, kline: Kline) -> None:
        """The bounce looks at oscillators as they stand after the kline; before they are warm nothing is stretched."""
        now = self._set
        rsi, stoch_k, williams_r = now.rsi, now.stoch_k, now.williams_r
        pattern = now.pattern
        self._bounce.update(
            kline,
            rsi=50.0 if rsi is None else rsi,
            stoch_k=50.0 if stoch_k is None else stoch_k,
            williams_r=-50.0 if williams_r is None else williams_r,
            engulfing=_side(pattern.sign) if pattern in _ENGULFING else None,
        )


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
