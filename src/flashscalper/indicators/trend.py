"""Which way prices go, and how surely."""

from __future__ import annotations

from flashscalper.indicators.averages import SMA
from flashscalper.indicators.base import CloseIndicator, whole
from flashscalper.indicators.windows import Window
from flashscalper.model.errors import ConfigError


class Trend(CloseIndicator):
    """1 when the close is above the fast mean and that above the slow one, -1 mirrored, 0 otherwise."""

    __slots__ = ("_fast", "_slow", "value")

    def __init__(self, fast: int = 10, slow: int = 20) -> None:
        whole("slow", slow, 2)
        if whole("fast", fast) >= slow:
            raise ConfigError("fast", fast, f"a whole number from 1 to {slow - 1}, below slow")
        self._fast = SMA(fast)
        self._slow = SMA(slow)
        self.value: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        self._fast.push(number)
        self._slow.push(number)
        fast, slow = self._fast.value, self._slow.value
        if fast is not None and slow is not None:
            self.value = 1.0 if number > fast > slow else -1.0 if number < fast < slow else 0.0


class TrendStrength(CloseIndicator):
    """How straight the way was, 0 to 1: distance covered over `period` klines by the way walked (Kaufman's efficiency).

    `classic`: ten times the weighted sum of distances from the means of `period` and 2 x `period` closes, the mean absolute
    return and the share of the last `period` returns with the last one's sign, cut at 1. It is 1 almost always.
    """

    __slots__ = ("_classic", "_falls", "_far", "_last", "_near", "_rises", "_steps", "value")

    def __init__(self, period: int = 20, *, classic: bool = False) -> None:
        self._classic = classic
        self._near = Window(whole("period", period, 2, 5_000))
        self._far = Window(2 * period)
        self._steps = Window(period)
        self._rises = Window(period)
        self._falls = Window(period)
        self._last: float | None = None
        self.value: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        last = self._last
        self._last = number
        if self._classic:
            self._push_classic(number, last)
            return
        if last is not None:
            self._steps.push(abs(number - last))
        if self._near.full:
            walked = self._steps.sum
            self.value = min(1.0, abs(number - self._near.oldest) / walked) if walked > 0.0 else 0.0
        self._near.push(number)

    def _push_classic(self, number: float, last: float | None) -> None:
        self._near.push(number)
        self._far.push(number)
        if last is None:
            return
        change = number / last - 1.0 if last else 0.0
        self._steps.push(abs(change))
        self._rises.push(1.0 if change > 0.0 else 0.0)
        self._falls.push(1.0 if change < 0.0 else 0.0)
        if not self._far.full:
            return
        near, far = self._near.sum / self._near.size, self._far.sum / self._far.size
        period = self._steps.size
        alike = self._rises.sum if change > 0.0 else self._falls.sum
        alike = period - self._rises.sum - self._falls.sum if change == 0.0 else alike
        distance = 0.3 * abs(number - near) / near + 0.3 * abs(number - far) / far
        self.value = min(1.0, 10.0 * (distance + 0.2 * self._steps.sum / period + 0.2 * alike / period))
