"""The scalper's whole set of indicators in one machine: `fused_core`, and what only the scalper looks at.

The same numbers as `machines`, bit for bit; `tests/indicators/test_fused.py` holds both against each other. One RSI serves
the oscillator and the divergence.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from flashscalper.indicators.divergence import Divergence
from flashscalper.indicators.fused_core import FusedCore, in_order, known, taken
from flashscalper.indicators.patterns import Pattern
from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flashscalper.indicators.divergence import _SwingSide
    from flashscalper.indicators.machines import Machines
    from flashscalper.model.klines import Kline


class Fused(FusedCore):
    """Goes on from `machines` as `FusedCore` does; only `pattern`, `support` and `resistance` may be None here."""

    __slots__ = (
        "_divergence_until",
        "_falling",
        "_flat",
        "_last_open",
        "_recent_left",
        "_recent_quiet",
        "_recent_sum",
        "_resistances",
        "_rising",
        "_rsis",
        "_sides",
        "_step_left",
        "_step_sum",
        "_steps",
        "_supports",
        "_usual_left",
        "_usual_quiet",
        "_usual_sum",
        "_volumes",
        "divergence",
        "pattern",
        "resistance",
        "support",
        "trend_strength",
        "volume_ratio",
    )  # fmt: skip

    def __init__(self, machines: Machines) -> None:
        super().__init__(machines)
        if not isinstance(machines.divergences, Divergence):
            raise ConfigError("machines.of.classic", machines.of.classic, "the standard formulas")
        self.volume_ratio = known(machines.volume_ratio)
        self.trend_strength = known(machines.trend_strength)
        self.pattern = machines.pattern
        self.support, self.resistance = machines.support, machines.resistance
        self.divergence = known(machines.divergence)
        self._take_klines(machines)
        self._take_sums(machines)
        self._take_swings(machines, machines.divergences)

    def _take_klines(self, machines: Machines) -> None:
        self._volumes = [kline.volume for kline in machines.klines]
        self._steps = [abs(now - before) for before, now in zip(self._closes, self._closes[1:], strict=False)]
        self._last_open = machines.klines[-1].open
        self._rising = self._falling = 0
        for kline in machines.klines:
            self._rising = self._rising + 1 if kline.close > kline.open else 0
            self._falling = self._falling + 1 if kline.close < kline.open else 0

    def _take_sums(self, machines: Machines) -> None:
        self._step_sum, self._step_left, self._flat = taken(machines.straightness._steps)
        self._recent_sum, self._recent_left, self._recent_quiet = taken(machines.volumes._recent)
        self._usual_sum, self._usual_left, self._usual_quiet = taken(machines.volumes._usual)

    def _take_swings(self, machines: Machines, divergence: Divergence) -> None:
        self._rsis = in_order(divergence._rsis)
        self._sides: tuple[_SwingSide, _SwingSide] = divergence._sides
        self._divergence_until = self.seen + divergence._until - divergence._count
        for side in self._sides:
            if side._last is not None:  # places are counted from the first RSI there, from the first kline here
                place, swing, rsi = side._last
                side._last = (self.seen + place - divergence._count, swing, rsi)
        self._supports, self._resistances = machines.levels._lows, machines.levels._highs

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._volumes.append(kline.volume)
        super().update(kline)
        close = kline.close
        self._straighten(close)
        self._weigh(kline.volume)
        self._shape(kline.open, close, kline.high, kline.low)
        self._level(close)
        self._diverge(close)
        self._last_open = kline.open

    def _straighten(self, close: float) -> None:
        steps, closes, period = self._steps, self._closes, self.of.trend_slow
        step = abs(close - closes[-2])
        steps.append(step)
        self._flat = self._flat + 1 if step == 0.0 else 0
        self._step_sum += step - steps[-1 - period]
        self._step_left -= 1
        if not self._step_left:
            self._step_sum, self._step_left = fsum(steps[-period:]), period
        if self._flat >= period:
            self._step_sum = 0.0
        walked = self._step_sum
        self.trend_strength = min(1.0, abs(close - closes[-1 - period]) / walked) if walked > 0.0 else 0.0

    def _weigh(self, volume: float) -> None:
        volumes, recent, usual = self._volumes, self.of.volume_recent, self.of.volume_usual
        passed = volumes[-1 - recent]
        self._recent_quiet = self._recent_quiet + 1 if volume == 0.0 else 0
        self._usual_quiet = self._usual_quiet + 1 if passed == 0.0 else 0
        self._usual_sum += passed - volumes[-1 - recent - usual]
        self._usual_left -= 1
        if not self._usual_left:
            self._usual_sum, self._usual_left = fsum(volumes[-recent - usual : -recent]), usual
        if self._usual_quiet >= usual:
            self._usual_sum = 0.0
        self._recent_sum += volume - passed
        self._recent_left -= 1
        if not self._recent_left:
            self._recent_sum, self._recent_left = fsum(volumes[-recent:]), recent
        if self._recent_quiet >= recent:
            self._recent_sum = 0.0
        mean = self._usual_sum / usual
        self.volume_ratio = self._recent_sum / recent / mean if mean > 0.0 else 1.0

    def _shape(self, open_: float, close: float, high: float, low: float) -> None:
        was, body = self._closes[-2] - self._last_open, close - open_
        self._rising = self._rising + 1 if body > 0.0 else 0
        self._falling = self._falling + 1 if body < 0.0 else 0
        size = abs(body)
        if size >= 1.2 * abs(was):
            if was < 0.0 < body:
                self.pattern = Pattern.BULLISH_ENGULFING
                return
            if body < 0.0 < was:
                self.pattern = Pattern.BEARISH_ENGULFING
                return
        upper, lower = (high - close, open_ - low) if body > 0.0 else (high - open_, close - low)
        if lower > 2.0 * size and upper < 0.5 * size:
            self.pattern = Pattern.HAMMER
        elif upper > 2.0 * size and lower < 0.5 * size:
            self.pattern = Pattern.SHOOTING_STAR
        elif self._rising >= 3:
            self.pattern = Pattern.THREE_WHITE_SOLDIERS
        else:
            self.pattern = Pattern.THREE_BLACK_CROWS if self._falling >= 3 else None

    def _level(self, close: float) -> None:
        wing, resistances, supports = self.of.swing_wing, self._resistances, self._supports
        place, gone = self.seen - wing, self.seen - self.of.levels
        highs, lows = self._highs, self._lows
        middle = highs[-1 - wing]
        if middle > highs[-1] and middle > highs[-2 - wing] and _alone(highs[-1 - 2 * wing :], middle, max):
            resistances.append((place, middle))
        if resistances and resistances[0][0] <= gone:
            resistances.popleft()
        middle = lows[-1 - wing]
        if middle < lows[-1] and middle < lows[-2 - wing] and _alone(lows[-1 - 2 * wing :], middle, min):
            supports.append((place, middle))
        if supports and supports[0][0] <= gone:
            supports.popleft()
        above = below = None
        for _, price in resistances:
            if price > close and (above is None or price < above):
                above = price
        for _, price in supports:
            if price < close and (below is None or price > below):
                below = price
        self.support, self.resistance = below, above

    def _diverge(self, close: float) -> None:
        wing, closes, rsis = self.of.swing_wing, self._closes, self._rsis
        rsis.append(self.rsi)
        if self.seen > self._divergence_until:
            self.divergence = 0.0
        middle = closes[-1 - wing]
        if middle == close or middle == closes[-2 - wing]:
            return
        if middle > close:
            if middle < closes[-2 - wing] or not _alone(closes[-1 - 2 * wing :], middle, max):
                return
            side = self._sides[1]
        else:
            if middle > closes[-2 - wing] or not _alone(closes[-1 - 2 * wing :], middle, min):
                return
            side = self._sides[0]
        strength = side.confirm(middle, self.seen - wing, rsis[-1 - wing], self.of.divergence_reach)
        if strength:
            self.divergence = strength
            self._divergence_until = self.seen + self.of.divergence_hold - 1

    def _forget(self) -> None:
        super()._forget()
        for column in (self._volumes, self._steps, self._rsis):
            del column[: -self._keep]


def _alone(numbers: list[float], number: float, extreme: Callable[[list[float]], float]) -> bool:
    """Whether `number` is the extreme of `numbers` and stands there once."""
    return extreme(numbers) == number and numbers.count(number) == 1
