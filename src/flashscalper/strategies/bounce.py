"""The bounce: a market stretched to one side that turned back. From the original, there for longs only; here both ways."""

from __future__ import annotations

from collections import deque
from typing import Final

from flashscalper.model.klines import Kline
from flashscalper.model.positions import PositionSide

POINTS: Final = 20.0
EXTRA: Final = 5.0
_LONGEST: Final = 4


class Bounce:
    """Remembers the last four klines; `points` and `side` hold for the last one.

    At least two of RSI below 35, stochastic %K below 25 and Williams %R below -75, and the last two klines rising: 20 points
    for the long side; 5 more for a bullish engulfing, 5 more for rising lows (the fourth last, second last and last kline).
    Mirrored for the short side.
    """

    __slots__ = ("_klines", "points", "side")

    def __init__(self) -> None:
        self._klines: deque[Kline] = deque(maxlen=_LONGEST)
        self.points = 0.0
        self.side: PositionSide | None = None

    def update(self, kline: Kline, *, rsi: float, stoch_k: float, williams_r: float, engulfing: PositionSide | None) -> None:
        """Take the next closed kline with the oscillators as they stand after it."""
        self._klines.append(kline)
        self.side = self._stretched_side(rsi, stoch_k, williams_r)
        if self.side is None or not self._turned(self.side):
            self.side, self.points = None, 0.0
            return
        self.points = POINTS + EXTRA * (engulfing is self.side) + EXTRA * self._stepping(self.side)

    @staticmethod
    def _stretched_side(rsi: float, stoch_k: float, williams_r: float) -> PositionSide | None:
        if (rsi < 35) + (stoch_k < 25) + (williams_r < -75) >= 2:
            return PositionSide.LONG
        return PositionSide.SHORT if (rsi > 65) + (stoch_k > 75) + (williams_r > -25) >= 2 else None

    def _turned(self, side: PositionSide) -> bool:
        last = list(self._klines)[-2:]
        return len(last) == 2 and all((kline.close - kline.open) * side.sign > 0 for kline in last)

    def _stepping(self, side: PositionSide) -> bool:
        if len(self._klines) < _LONGEST:
            return False
        first, _, third, fourth = (
            (kline.low if side is PositionSide.LONG else kline.high) * side.sign for kline in self._klines
        )
        return first < third < fourth
