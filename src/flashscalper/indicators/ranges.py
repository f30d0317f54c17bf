"""How far prices reach: true range and ATR, directional movement (ADX), Bollinger bands."""

from __future__ import annotations

from math import fsum, sqrt
from typing import TYPE_CHECKING

from flashscalper.indicators.averages import SMA, WilderAverage
from flashscalper.indicators.base import CloseIndicator, real, whole

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline


class ATR:
    """Average true range in price units, Wilder's average; `percent` is it as percent of the close.

    True range is the reach of a kline with the close before; the first kline only gives that close. `classic`: plain mean
    of the last `period` true ranges.
    """

    __slots__ = ("_average", "_close", "value")

    def __init__(self, period: int = 14, *, classic: bool = False) -> None:
        self._average: SMA | WilderAverage = SMA(whole("period", period)) if classic else WilderAverage(period)
        self._close: float | None = None
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        before = self._close
        self._close = kline.close
        if before is None:
            return
        high = kline.high
        low = kline.low
        self._average.push((max(before, high)) - (min(before, low)))
        self.value = self._average.value

    @property
    def percent(self) -> float | None:
        """The value as percent of the last close."""
        return self.value / self._close * 100.0 if self.value is not None and self._close else None


class ADX:
    """Average directional index, 0 to 100: how strongly the price goes one way, whichever; `plus` and `minus` are +DI, -DI.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978. Sums begin with the first `period` - 1 moves
    as TA-Lib's do, so both agree from the first value on.
    """

    __slots__ = ("_adx", "_before", "_left", "_minus", "_plus", "_range", "minus", "period", "plus", "value")

    def __init__(self, period: int = 14) -> None:
        self.period = whole("period", period, 2)
        self.value: float | None = None
        self.plus: float | None = None
        self.minus: float | None = None
        self._before: Kline | None = None
        self._left = period - 1
        self._plus = self._minus = self._range = 0.0
        self._adx = WilderAverage(period)

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        before = self._before
        self._before = kline
        if before is None:
            return
        up, down = kline.high - before.high, before.low - kline.low
        reach = max(kline.high, before.close) - min(kline.low, before.close)
        keep = 1.0 if self._left > 0 else 1.0 - 1.0 / self.period
        self._plus = self._plus * keep + (up if up > down and up > 0.0 else 0.0)
        self._minus = self._minus * keep + (down if down > up and down > 0.0 else 0.0)
        self._range = self._range * keep + reach
        if self._left > 0:
            self._left -= 1
            return
        self.plus = plus = 100.0 * self._plus / self._range if self._range else 0.0
        self.minus = minus = 100.0 * self._minus / self._range if self._range else 0.0
        if plus + minus > 0.0:
            self._adx.push(100.0 * abs(plus - minus) / (plus + minus))
        elif self._adx.value is not None:
            self._adx.push(self._adx.value)
        self.value = self._adx.value


class Bollinger(CloseIndicator):
    """Mean of the last `period` closes (`value`, the middle band) and bands `width` population deviations off.

    `percent_b` is where the close stands between the bands (0 lower, 1 upper), 0.5 when they have no width.
    """

    __slots__ = (
        "_anchor",
        "_close",
        "_next",
        "_numbers",
        "_period",
        "_same",
        "_squares",
        "_sum",
        "_width",
        "deviation",
        "value",
    )

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._period = whole("period", period, 2)
        self._width = real("width", width, 0.0, 100.0)
        self._numbers: list[float] = []
        self._next = self._same = 0
        self._anchor = self._sum = self._squares = self._close = 0.0
        self.value: float | None = None
        self.deviation: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        numbers = self._numbers
        self._same = self._same + 1 if number == self._close else 1
        self._close = number
        if len(numbers) < self._period:
            numbers.append(number)
            if len(numbers) < self._period:
                return
            self._begin_turn()
        else:
            self._replace(number)
        mean = self._sum / self._period
        variance = self._squares / self._period - mean * mean
        self.value = self._anchor + mean
        self.deviation = sqrt(variance) if variance > 0.0 and self._same < self._period else 0.0

    def _replace(self, number: float) -> None:
        numbers = self._numbers
        place = self._next
        oldest = numbers[place] - self._anchor
        fresh = number - self._anchor
        numbers[place] = number
        self._sum += fresh - oldest
        self._squares += fresh * fresh - oldest * oldest
        self._next = place + 1
        if self._next == self._period:
            self._begin_turn()

    @property
    def upper(self) -> float | None:
        """The upper band."""
        return self.value + self._width * self.deviation if self.value is not None and self.deviation is not None else None

    @property
    def lower(self) -> float | None:
        """The lower band."""
        return self.value - self._width * self.deviation if self.value is not None and self.deviation is not None else None

    @property
    def percent_b(self) -> float | None:
        """Where the last close stands between lower (0) and upper (1) band."""
        if self.value is None or self.deviation is None:
            return None
        reach = 2.0 * self._width * self.deviation
        return (self._close - self.value) / reach + 0.5 if reach else 0.5

    def _begin_turn(self) -> None:
        """Sum afresh around the window's mean, once per turn: neither drift nor large squares spoil the variance."""
        numbers = self._numbers
        self._next = 0
        self._anchor = fsum(numbers) / self._period
        self._sum = fsum(number - self._anchor for number in numbers)
        self._squares = fsum((number - self._anchor) ** 2 for number in numbers)
