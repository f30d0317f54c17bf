"""The part of the scalper's set that every charting library has, in one machine: averages, RSI, MACD, ATR, rates of change,
Bollinger, stochastic, Williams %R. Same numbers as the single machines, bit for bit, for a fraction of the time.

What makes it cheap: state lives in the local variables of generators, which Python reads fastest; one history of closes
serves every window; windows that slide are a subtraction and an addition; and nothing asks whether it is warm yet. It
therefore does not know how to begin: `Machines` does, and hands over once nothing of it is beginning any more. Only the
standard formulas are here, and prices above zero.
"""

from __future__ import annotations

from math import fsum, sqrt
from typing import TYPE_CHECKING, Final

from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    from flashscalper.indicators.machines import Machines
    from flashscalper.indicators.windows import Window
    from flashscalper.model.klines import Kline

    Part = Generator[None, Kline, None]

_SLACK: Final = 32


class FusedCore:
    """Goes on from `machines`, which are of no use afterwards; attributes are named as there and never None again, but for
    `macd_hist_before` of a histogram that is one kline old.

    Raises ConfigError for machines of the classic formulas or such as are not full.
    """

    __slots__ = (
        "_closes", "_highs", "_keep", "_ks", "_lows", "_move", "_range", "_smooth", "atr", "ema_fast", "ema_mid", "ema_slow",
        "macd_hist", "macd_hist_before", "momentum", "of", "percent_b", "roc", "rsi", "seen", "stoch_d", "stoch_k", "trend",
        "williams_r",
    )  # fmt: skip

    def __init__(self, machines: Machines) -> None:
        if machines.of.classic:
            raise ConfigError("machines.of.classic", machines.of.classic, "the standard formulas")
        if not machines.full:
            raise ConfigError("machines.seen", machines.seen, f"{machines.of.full_after} klines or more")
        self.of = machines.of
        self.seen = machines.seen
        self._keep = machines.of.full_after
        self._closes = [kline.close for kline in machines.klines]
        self._highs = [kline.high for kline in machines.klines]
        self._lows = [kline.low for kline in machines.klines]
        self._ks = in_order(machines.stochastics._d._window)
        self.macd_hist_before: float | None = machines.macd_hist_before
        self.rsi = known(machines.rsi)
        self.momentum = known(machines.momentum)
        self.trend = known(machines.trend)
        self.ema_fast = known(machines.ema_fast)
        self.ema_mid = known(machines.ema_mid)
        self.ema_slow = known(machines.ema_slow)
        self.macd_hist = known(machines.macd_hist)
        self.atr = known(machines.atr)
        self.percent_b = known(machines.percent_b)
        self.stoch_k = known(machines.stoch_k)
        self.stoch_d = known(machines.stoch_d)
        self.roc = known(machines.roc)
        self.williams_r = known(machines.williams_r)
        parts = (self._smoothing(machines), self._moving(machines), self._ranging(machines))
        for part in parts:
            next(part)
        self._smooth, self._move, self._range = (part.send for part in parts)

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self.seen += 1
        self._closes.append(kline.close)
        self._highs.append(kline.high)
        self._lows.append(kline.low)
        self._smooth(kline)
        self._move(kline)
        self._range(kline)
        if len(self._closes) >= self._keep + _SLACK:
            self._forget()

    def _smoothing(self, machines: Machines) -> Part:
        """EMAs, MACD, RSI, ATR: everything that is a share of itself and of the newest number; and the rates of change."""
        of, closes, macd, oscillator = self.of, self._closes, machines.macd, machines.oscillator
        ema_fast, ema_mid, ema_slow, atr, histogram = self.ema_fast, self.ema_mid, self.ema_slow, self.atr, self.macd_hist
        weight_fast, weight_mid, weight_slow = (average._weight for average in machines.averages)
        quick, steady, signal = known(macd._fast.value), known(macd._slow.value), known(macd.signal)
        weight_quick, weight_steady, weight_signal = macd._fast._weight, macd._slow._weight, macd._signal._weight
        gains, losses = known(oscillator._gains.value), known(oscillator._losses.value)
        weight_rsi, weight_atr = 1.0 / of.rsi, 1.0 / of.atr
        for_momentum, for_roc = -1 - of.momentum, -1 - of.roc
        before = closes[-1]
        while True:
            kline = yield
            close, high, low = kline.close, kline.high, kline.low
            self.ema_fast = ema_fast = ema_fast + weight_fast * (close - ema_fast)
            self.ema_mid = ema_mid = ema_mid + weight_mid * (close - ema_mid)
            self.ema_slow = ema_slow = ema_slow + weight_slow * (close - ema_slow)
            quick += weight_quick * (close - quick)
            steady += weight_steady * (close - steady)
            macd_now = quick - steady
            signal += weight_signal * (macd_now - signal)
            self.macd_hist_before = histogram
            self.macd_hist = histogram = macd_now - signal
            change = close - before
            if change > 0.0:
                gains += weight_rsi * (change - gains)
                losses += weight_rsi * (0.0 - losses)
            else:
                gains += weight_rsi * (0.0 - gains)
                losses += weight_rsi * (-change - losses)
            self.rsi = 100.0 * gains / (gains + losses) if losses > 0.0 else 100.0 if gains > 0.0 else 50.0
            reach = (high if high > before else before) - (low if low < before else before)  # noqa: FURB136  # a call costs more
            self.atr = atr = atr + weight_atr * (reach - atr)
            self.momentum = (close / closes[for_momentum] - 1.0) * 100.0
            self.roc = (close / closes[for_roc] - 1.0) * 100.0
            before = close

    def _moving(self, machines: Machines) -> Part:
        """The two means of the trend, and Bollinger's bands."""
        fast, slow, size = self.of.trend_fast, self.of.trend_slow, self.of.bollinger
        closes, bands = self._closes, machines.bands
        fast_sum, fast_left, _ = taken(machines.moves._fast._window)
        slow_sum, slow_left, _ = taken(machines.moves._slow._window)
        anchor, total, squares, left, same = bands._anchor, bands._sum, bands._squares, size - bands._next, bands._same
        gone_fast, gone_slow, gone = -1 - fast, -1 - slow, -1 - size
        before = closes[-1]
        while True:
            close = (yield).close
            fast_sum += close - closes[gone_fast]
            fast_left -= 1
            if not fast_left:
                fast_sum, fast_left = fsum(closes[-fast:]), fast
            slow_sum += close - closes[gone_slow]
            slow_left -= 1
            if not slow_left:
                slow_sum, slow_left = fsum(closes[-slow:]), slow
            near, far = fast_sum / fast, slow_sum / slow
            self.trend = 1.0 if close > near > far else -1.0 if close < near < far else 0.0
            left -= 1
            if left:
                oldest, fresh = closes[gone] - anchor, close - anchor
                total += fresh - oldest
                squares += fresh * fresh - oldest * oldest
            else:
                left, numbers = size, closes[-size:]
                anchor = fsum(numbers) / size
                total = fsum([number - anchor for number in numbers])
                squares = fsum([(number - anchor) ** 2 for number in numbers])
            same = same + 1 if close == before else 1
            before = close
            mean = total / size
            variance = squares / size - mean * mean
            reach = 2.0 * 2.0 * sqrt(variance) if variance > 0.0 and same < size else 0.0
            self.percent_b = (close - (anchor + mean)) / reach + 0.5 if reach else 0.5

    def _ranging(self, machines: Machines) -> Part:
        """Stochastic and Williams %R. The shared extreme is looked for anew only when the one that held has passed."""
        period, highs, lows, ks = self.of.stochastic, self._highs, self._lows, self._ks
        gone, top, bottom = -1 - period, max(highs[-period:]), min(lows[-period:])
        k_sum, k_left, zeros = taken(machines.stochastics._d._window)
        length = self.of.williams
        shared = length == period
        while True:
            kline = yield
            close, high, low = kline.close, kline.high, kline.low
            if high >= top:
                top = high
            elif highs[gone] == top:
                top = max(highs[-period:])
            if low <= bottom:
                bottom = low
            elif lows[gone] == bottom:
                bottom = min(lows[-period:])
            reach = top - bottom
            self.stoch_k = k = 100.0 * (close - bottom) / reach if reach > 0.0 else 50.0
            if shared:
                self.williams_r = -100.0 * (top - close) / reach if reach > 0.0 else -50.0
            else:
                highest = max(highs[-length:])
                reach = highest - min(lows[-length:])
                self.williams_r = -100.0 * (highest - close) / reach if reach > 0.0 else -50.0
            zeros = zeros + 1 if k == 0.0 else 0
            k_sum += k - ks[-3]
            ks.append(k)
            k_left -= 1
            if not k_left:
                k_sum, k_left = fsum(ks[-3:]), 3
            if zeros >= 3:
                k_sum = 0.0
            self.stoch_d = k_sum / 3

    def _forget(self) -> None:
        for column in (self._closes, self._highs, self._lows, self._ks):
            del column[: -self._keep]


def known(number: float | None) -> float:
    """A number of a machine that speaks."""
    assert number is not None
    return number


def taken(window: Window) -> tuple[float, int, int]:
    """Sum, pushes until the sum is taken afresh, and how many zeros came last."""
    return window.sum, window.size - window._next, window._zeros


def in_order(window: Window) -> list[float]:
    """The numbers of a full window, oldest first."""
    return [*window._numbers[window._next :], *window._numbers[: window._next]]
