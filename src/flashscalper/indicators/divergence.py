"""Divergence of price and RSI: a new extreme of the price that the RSI does not share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flashscalper.indicators.base import whole
from flashscalper.indicators.oscillators import RSI
from flashscalper.indicators.swings import SwingFinder
from flashscalper.indicators.windows import Extreme, Window

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

_CLASSIC_AGE: Final = 3
_STRENGTH: Final = 200.0


class Divergence:
    """Between the last two confirmed swings of the close: bullish when the later low is lower and its RSI higher, bearish
    when the later high is higher and its RSI lower.

    `value` is the strength, 0 to 100 (the RSI's relative difference times 200, cut), negative when bearish, 0 for none; it
    stays for `hold` klines from the one that confirms the later swing. Swings more than `reach` klines apart do not count.
    """

    __slots__ = ("_count", "_hold", "_reach", "_rsi", "_rsis", "_sides", "_until", "_wing", "value")

    def __init__(self, rsi: int = 14, wing: int = 2, reach: int = 60, hold: int = 1) -> None:
        self._rsi = RSI(whole("rsi", rsi, 2))
        self._wing = whole("wing", wing, 1, 50)
        self._reach = whole("reach", reach, 2, 1_000)
        self._hold = whole("hold", hold, 1, 1_000)
        self._rsis = Window(wing + 1)
        self._sides = (_SwingSide(wing, -1), _SwingSide(wing, 1))
        self._count = self._until = 0
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._rsi.update(kline)
        rsi = self._rsi.value
        if rsi is None:
            return
        self._count += 1
        self._rsis.push(rsi)
        if self._count > self._until or self.value is None:
            self.value = 0.0
        for side in self._sides:
            strength = side.push(kline.close, self._count - self._wing, self._rsis.oldest, self._reach)
            if strength:
                self.value = strength
                self._until = self._count + self._hold - 1


class _SwingSide:
    """Swings of one direction with the RSI that each had."""

    __slots__ = ("_finder", "_last", "_sign")

    def __init__(self, wing: int, sign: int) -> None:
        self._finder = SwingFinder(wing, sign)
        self._sign = sign
        self._last: tuple[int, float, float] | None = None

    def push(self, close: float, place: int, rsi: float, reach: int) -> float:
        """Signed strength of the divergence that this close confirms, or 0; `place` and `rsi` are those of its swing."""
        swing = self._finder.push(close)
        return 0.0 if swing is None else self.confirm(swing, place, rsi, reach)

    def confirm(self, swing: float, place: int, rsi: float, reach: int) -> float:
        """The same for a swing that somebody else found."""
        before, self._last = self._last, (place, swing, rsi)
        if before is None or place - before[0] > reach:
            return 0.0
        further = (swing - before[1]) * self._sign > 0.0
        weaker = (before[2] - rsi) * self._sign
        if not further or weaker <= 0.0:
            return 0.0
        return -self._sign * _strength(weaker, before[2])


class ClassicDivergence:
    """The original's: the extreme of the last `lookback` closes against the extreme of the `lookback` before them.

    Bullish when the lowest close is lower and the lowest RSI higher, both at least 3 klines old; bearish mirrored. Minima of
    price and RSI need not coincide, and nothing confirms them. `value` as in `Divergence`.
    """

    __slots__ = ("_closes", "_rsi", "_rsis", "_sides", "value")

    def __init__(self, lookback: int = 14, rsi: int = 14) -> None:
        whole("lookback", lookback, 4, 1_000)
        self._rsi = RSI(whole("rsi", rsi, 2), classic=True)
        self._closes = Window(lookback)
        self._rsis = Window(lookback)
        self._sides = tuple((sign, [Extreme(lookback, sign) for _ in range(4)]) for sign in (-1, 1))
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._rsi.update(kline)
        rsi = self._rsi.value
        if rsi is None:
            return
        for _, (close_now, close_before, rsi_now, rsi_before) in self._sides:
            if self._closes.full:
                close_before.push(self._closes.oldest)
                rsi_before.push(self._rsis.oldest)
            close_now.push(kline.close)
            rsi_now.push(rsi)
        self._closes.push(kline.close)
        self._rsis.push(rsi)
        if self._sides[0][1][1].full:
            self.value = next((found for side in self._sides if (found := _compare(*side))), 0.0)


def _compare(sign: int, extremes: list[Extreme]) -> float:
    close_now, close_before, rsi_now, rsi_before = extremes
    further = (close_now.number - close_before.number) * sign > 0.0
    weaker = (rsi_before.number - rsi_now.number) * sign
    if not further or weaker <= 0.0 or min(close_now.age, rsi_now.age) < _CLASSIC_AGE:
        return 0.0
    return -sign * _strength(weaker, rsi_before.number)


def _strength(difference: float, rsi: float) -> float:
    return min(100.0, difference / rsi * _STRENGTH) if rsi > 0.0 else 100.0
