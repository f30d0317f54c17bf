"""Oscillators of the close: RSI, MACD, stochastic, Williams %R, rate of change, momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flashscalper.indicators.averages import EMA, SMA, WilderAverage
from flashscalper.indicators.base import CloseIndicator, whole
from flashscalper.indicators.windows import Extreme, Window
from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

_FLAT_RSI = 50.0


class RSI(CloseIndicator):
    """Relative strength index, 0 to 100, with Wilder's averages of gains and losses; 50 when nothing moved at all.

    `classic`: plain means of the last `period` gains and losses (Cutler), 100 whenever there was no loss, also when flat.
    """

    __slots__ = ("_classic", "_gains", "_last", "_losses", "period", "value")

    def __init__(self, period: int = 14, *, classic: bool = False) -> None:
        self.period = whole("period", period, 2)
        self.value: float | None = None
        self._classic = classic
        self._gains: SMA | WilderAverage = SMA(period) if classic else WilderAverage(period)
        self._losses: SMA | WilderAverage = SMA(period) if classic else WilderAverage(period)
        self._last: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        last = self._last
        self._last = number
        if last is None:
            return
        change = number - last
        self._gains.push(max(0.0, change))
        self._losses.push(-change if change < 0.0 else 0.0)
        gains, losses = self._gains.value, self._losses.value
        if gains is None or losses is None:
            return
        if losses <= 0.0:
            self.value = 100.0 if self._classic or gains > 0.0 else _FLAT_RSI
        else:
            self.value = 100.0 * gains / (gains + losses)


class MACD(CloseIndicator):
    """Fast EMA less slow EMA (`value`), its EMA (`signal`) and the difference of the two (`histogram`).

    `crossed_up`: with this kline the histogram came above zero, having been below; `crossed_down` mirrored. As in TA-Lib
    both averages end their seeds on the same kline. `classic`: all three begin with their first number.
    """

    __slots__ = ("_fast", "_side", "_signal", "_skip", "_slow", "crossed_down", "crossed_up", "histogram", "signal", "value")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9, *, classic: bool = False) -> None:
        whole("slow", slow, 2)
        if whole("fast", fast) >= slow:
            raise ConfigError("fast", fast, f"a whole number from 1 to {slow - 1}, below slow")
        self._fast = EMA(fast, classic=classic)
        self._slow = EMA(slow, classic=classic)
        self._signal = EMA(whole("signal", signal), classic=classic)
        self._skip = 0 if classic else slow - fast
        self._side = 0.0  # the last histogram that was not zero
        self.value: float | None = None
        self.signal: float | None = None
        self.histogram: float | None = None
        self.crossed_up = False
        self.crossed_down = False

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        if self._skip:
            self._skip -= 1
        else:
            self._fast.push(number)
        self._slow.push(number)
        fast, slow = self._fast.value, self._slow.value
        if fast is None or slow is None:
            return
        self.value = macd = fast - slow
        self._signal.push(macd)
        self.signal = signal = self._signal.value
        if signal is None:
            return
        before = self._side
        self.histogram = histogram = macd - signal
        self.crossed_up = before < 0.0 < histogram
        self.crossed_down = histogram < 0.0 < before
        if histogram != 0.0:
            self._side = histogram


class Stochastic:
    """Where the close stands between low and high of the last `period` klines: `value` is %K, 0 to 100, `d` its mean over
    `smooth` klines. 50 when the range is empty.

    This is the fast stochastic; with `slow` %K is itself averaged over `slow` klines first.
    """

    __slots__ = ("_d", "_highs", "_k", "_lows", "d", "value")

    def __init__(self, period: int = 14, smooth: int = 3, slow: int = 1) -> None:
        self._highs = Extreme(whole("period", period), 1)
        self._lows = Extreme(period, -1)
        self._k = SMA(whole("slow", slow))
        self._d = SMA(whole("smooth", smooth))
        self.value: float | None = None
        self.d: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._highs.push(kline.high)
        self._lows.push(kline.low)
        if not self._highs.full:
            return
        low = self._lows.number
        reach = self._highs.number - low
        self._k.push(100.0 * (kline.close - low) / reach if reach > 0.0 else 50.0)
        self.value = self._k.value
        if self.value is not None:
            self._d.push(self.value)
            self.d = self._d.value


class WilliamsR:
    """Williams %R: where the close stands below the high of the last `period` klines, -100 to 0; -50 for an empty range."""

    __slots__ = ("_highs", "_lows", "value")

    def __init__(self, period: int = 14) -> None:
        self._highs = Extreme(whole("period", period), 1)
        self._lows = Extreme(period, -1)
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._highs.push(kline.high)
        self._lows.push(kline.low)
        if self._highs.full:
            high = self._highs.number
            reach = high - self._lows.number
            self.value = -100.0 * (high - kline.close) / reach if reach > 0.0 else -50.0


class ROC(CloseIndicator):
    """Rate of change: percent by which the close differs from the one `period` klines before."""

    __slots__ = ("_window", "value")

    def __init__(self, period: int = 12) -> None:
        self._window = Window(whole("period", period))
        self.value: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        if self._window.full:
            before = self._window.oldest
            self.value = (number / before - 1.0) * 100.0 if before else 0.0
        self._window.push(number)


class Momentum(CloseIndicator):
    """Close less the close `period` klines before, in price units. `classic`: in percent, over 3 klines by default there."""

    __slots__ = ("_classic", "_window", "value")

    def __init__(self, period: int = 10, *, classic: bool = False) -> None:
        self._classic = classic
        self._window = Window(whole("period", period))
        self.value: float | None = None

    def push(self, number: float) -> None:
        """Take the next number of the series."""
        if self._window.full:
            before = self._window.oldest
            change = number - before
            self.value = change if not self._classic else change / before * 100.0 if before else 0.0
        self._window.push(number)
