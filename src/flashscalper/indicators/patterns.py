"""Candlestick patterns of the last three klines."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

_ENGULFS: Final = 1.2
_LONG_WICK: Final = 2.0
_SHORT_WICK: Final = 0.5


class Pattern(StrEnum):
    """The patterns, in the order in which they are looked for."""

    BULLISH_ENGULFING = "bullish_engulfing"
    BEARISH_ENGULFING = "bearish_engulfing"
    HAMMER = "hammer"
    SHOOTING_STAR = "shooting_star"
    THREE_WHITE_SOLDIERS = "three_white_soldiers"
    THREE_BLACK_CROWS = "three_black_crows"

    @property
    def sign(self) -> int:
        """1 for patterns that speak for rising prices, -1 for the others."""
        return 1 if self in _RISING else -1


_RISING: Final = frozenset({Pattern.BULLISH_ENGULFING, Pattern.HAMMER, Pattern.THREE_WHITE_SOLDIERS})


class CandlePatterns:
    """The first pattern that the last three klines show (`pattern`); `value` is 1, -1 or, without one, 0.

    Engulfing: against the kline before, with a body at least 1.2 times as large. Hammer: lower wick over two bodies, upper
    under half of one; shooting star mirrored. Soldiers and crows: three rising, three falling. `classic`: a kline that
    closes where it opened counts as falling for the crows.
    """

    __slots__ = ("_classic", "_last", "pattern", "value")

    def __init__(self, *, classic: bool = False) -> None:
        self._classic = classic
        self._last: deque[Kline] = deque(maxlen=3)
        self.pattern: Pattern | None = None
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._last.append(kline)
        if len(self._last) == 3:
            self.pattern = self._engulfing() or self._wicked() or self._three()
            self.value = float(self.pattern.sign) if self.pattern else 0.0

    def _engulfing(self) -> Pattern | None:
        before, now = self._last[1], self._last[2]
        was, is_ = before.close - before.open, now.close - now.open
        if abs(is_) < _ENGULFS * abs(was):
            return None
        if was < 0.0 < is_:
            return Pattern.BULLISH_ENGULFING
        return Pattern.BEARISH_ENGULFING if is_ < 0.0 < was else None

    def _wicked(self) -> Pattern | None:
        now = self._last[2]
        body = abs(now.close - now.open)
        upper, lower = now.high - max(now.open, now.close), min(now.open, now.close) - now.low
        if lower > _LONG_WICK * body and upper < _SHORT_WICK * body:
            return Pattern.HAMMER
        return Pattern.SHOOTING_STAR if upper > _LONG_WICK * body and lower < _SHORT_WICK * body else None

    def _three(self) -> Pattern | None:
        if all(kline.close > kline.open for kline in self._last):
            return Pattern.THREE_WHITE_SOLDIERS
        falling = all(kline.close < kline.open or (self._classic and kline.close == kline.open) for kline in self._last)
        return Pattern.THREE_BLACK_CROWS if falling else None
