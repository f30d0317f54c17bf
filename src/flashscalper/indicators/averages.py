"""Moving averages: simple, exponential and Wilder's."""

from __future__ import annotations

from typing import Final

from flashscalper.indicators.base import CloseIndicator, whole
from flashscalper.indicators.windows import Window


class SMA(CloseIndicator):
    """Mean of the last `period` closes."""

    __slots__ = ("_window", "period", "value")

    def __init__(self, period: int = 20) -> None:
        self.period = whole("period", period)
        self.value: float | None = None
        self._window = Window(period)

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        window = self._window
        window.push(number)
        if window.full:
            self.value = window.sum / window.size


class _Smoothed(CloseIndicator):
    """`value += weight * (number - value)`, begun with the mean of the first `seed_count` numbers."""

    __slots__ = ("_left", "_seed_count", "_sum", "_weight", "period", "value")

    def __init__(self, period: int, weight: float, seed_count: int) -> None:
        self.period = period
        self.value: float | None = None
        self._weight: Final = weight
        self._seed_count: Final = seed_count
        self._left = seed_count
        self._sum = 0.0

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        value = self.value
        if value is not None:
            self.value = value + self._weight * (number - value)
            return
        self._sum += number
        self._left -= 1
        if not self._left:
            self.value = self._sum / self._seed_count


class EMA(_Smoothed):
    """Exponential average of the close, weight 2 / (period + 1), begun with the mean of the first `period` closes.

    `classic`: begun with the first close, so it speaks from the first kline on (the original scalper's way).
    """

    __slots__ = ()

    def __init__(self, period: int = 20, *, classic: bool = False) -> None:
        super().__init__(whole("period", period), 2.0 / (period + 1), 1 if classic else period)


class WilderAverage(_Smoothed):
    """Wilder's average, weight 1 / period, begun with the mean of the first `period` numbers.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
    """

    __slots__ = ()

    def __init__(self, period: int = 14) -> None:
        super().__init__(whole("period", period), 1.0 / period, period)
