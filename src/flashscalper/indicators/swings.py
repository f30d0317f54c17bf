"""Turning points: confirmed swings, the support and resistance that they give, and pivots of the period before."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from flashscalper.indicators.base import whole
from flashscalper.model.instants import interval_us

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

_CLASSIC_REACH: Final = 0.01


class SwingFinder:
    """Tells that the number `wing` pushes ago was higher (`sign` 1) or lower (-1) than the `wing` on each side of it.

    A swing is known only `wing` pushes later, and then for good. A part of indicators.
    """

    __slots__ = ("_numbers", "_sign", "wing")

    def __init__(self, wing: int, sign: int) -> None:
        self.wing = whole("wing", wing, 1, 50)
        self._sign = sign
        self._numbers: deque[float] = deque(maxlen=2 * wing + 1)

    def push(self, number: float) -> float | None:
        """Take the next number; returns the swing that it confirms, if any."""
        numbers = self._numbers
        numbers.append(number * self._sign)
        if len(numbers) <= 2 * self.wing:
            return None
        middle = numbers[self.wing]
        if all(other < middle for place, other in enumerate(numbers) if place != self.wing):
            return middle * self._sign
        return None


class SwingLevels:
    """Support and resistance of the last `lookback` klines: the nearest confirmed swing low below the close, and high above.

    `value` is where the close stands between them, 0 at support, 1 at resistance, None while one is missing. `classic`:
    support is the lowest swing low (or the current low), at most 1 % below the close; resistance mirrored.
    """

    __slots__ = ("_classic", "_count", "_high", "_highs", "_lookback", "_low", "_lows", "resistance", "support", "value")

    def __init__(self, lookback: int = 20, wing: int = 1, *, classic: bool = False) -> None:
        self._lookback = whole("lookback", lookback, 3, 1_000)
        self._classic = classic
        self._high = SwingFinder(wing, 1)
        self._low = SwingFinder(wing, -1)
        self._highs: deque[tuple[int, float]] = deque()
        self._lows: deque[tuple[int, float]] = deque()
        self._count = 0
        self.support: float | None = None
        self.resistance: float | None = None
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._count += 1
        for finder, swings, number in ((self._high, self._highs, kline.high), (self._low, self._lows, kline.low)):
            swing = finder.push(number)
            if swing is not None:
                swings.append((self._count - finder.wing, swing))
            if swings and swings[0][0] <= self._count - self._lookback:
                swings.popleft()
        if self._classic:
            self._look_classic(kline)
        else:
            close = kline.close
            self.support = max((price for _, price in self._lows if price < close), default=None)
            self.resistance = min((price for _, price in self._highs if price > close), default=None)
        self.value = None
        if self.support is not None and self.resistance is not None and self.resistance > self.support:
            self.value = (kline.close - self.support) / (self.resistance - self.support)

    def _look_classic(self, kline: Kline) -> None:
        lowest = min([kline.low, *(price for _, price in self._lows)])
        highest = max([kline.high, *(price for _, price in self._highs)])
        self.support = max(lowest, kline.close * (1.0 - _CLASSIC_REACH))
        self.resistance = min(highest, kline.close * (1.0 + _CLASSIC_REACH))


class Pivots:
    """Pivot P = (high + low + close) / 3 of the period before (`value`), and its supports and resistances.

    `period` is an interval name, longer than the klines' own. R1 = 2P - low, S1 = 2P - high, R2/S2 = P +- (high - low).
    `classic`: of the last kline alone, so they move with the price.
    """

    __slots__ = ("_classic", "_close", "_current", "_high", "_length", "_low", "high", "low", "value")

    def __init__(self, period: str = "1d", *, classic: bool = False) -> None:
        self._length = interval_us(period)
        self._classic = classic
        self._current = -1
        self._high = self._low = self._close = 0.0
        self.high = self.low = 0.0
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        period = kline.open_at // self._length
        if self._classic:
            self._take(kline.high, kline.low, kline.close)
        elif period != self._current:
            if self._current >= 0:
                self._take(self._high, self._low, self._close)
            self._current = period
            self._high, self._low = kline.high, kline.low
        self._high = max(self._high, kline.high)
        self._low = min(self._low, kline.low)
        self._close = kline.close

    def _take(self, high: float, low: float, close: float) -> None:
        self.high, self.low = high, low
        self.value = (high + low + close) / 3.0

    @property
    def r1(self) -> float | None:
        """First resistance."""
        return None if self.value is None else 2.0 * self.value - self.low

    @property
    def s1(self) -> float | None:
        """First support."""
        return None if self.value is None else 2.0 * self.value - self.high

    @property
    def r2(self) -> float | None:
        """Second resistance."""
        return None if self.value is None else self.value + (self.high - self.low)

    @property
    def s2(self) -> float | None:
        """Second support."""
        return None if self.value is None else self.value - (self.high - self.low)
