"""What volume says: volume ratio, on-balance volume, volume-weighted average price."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from flashscalper.indicators.base import whole
from flashscalper.indicators.windows import Window
from flashscalper.model.instants import DAY_US

if TYPE_CHECKING:
    from flashscalper.model.klines import Kline

_CLASSIC_REACH: Final = 60


class VolumeRatio:
    """Mean volume of the last `recent` klines over the mean of the `usual` klines before them; 1 when those had none.

    `classic`: klines without volume are left out, only the last 60 klines are looked at, and until there are enough the
    ratio is 1.
    """

    __slots__ = ("_classic", "_count", "_kept", "_recent", "_usual", "value")

    def __init__(self, recent: int = 3, usual: int = 24, *, classic: bool = False) -> None:
        self._recent = Window(whole("recent", recent))
        self._usual = Window(whole("usual", usual))
        self._classic = classic
        self._count = 0
        self._kept: deque[int] = deque(maxlen=recent + usual)
        self.value: float | None = 1.0 if classic else None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._count += 1
        volume = kline.volume
        if volume or not self._classic:
            if self._recent.full:
                self._usual.push(self._recent.oldest)
            self._recent.push(volume)
            self._kept.append(self._count)
        if self._usual.full:
            usual = self._usual.sum / self._usual.size
            self.value = self._recent.sum / self._recent.size / usual if usual > 0.0 else 1.0
        if self._classic and (not self._usual.full or self._kept[0] <= self._count - _CLASSIC_REACH):
            self.value = 1.0


class OBV:
    """On-balance volume: volume added when the close rose, taken off when it fell; begins with the first kline's volume."""

    __slots__ = ("_close", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self._close = 0.0

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        value = self.value
        if value is None:
            self.value = kline.volume
        elif kline.close > self._close:
            self.value = value + kline.volume
        elif kline.close < self._close:
            self.value = value - kline.volume
        self._close = kline.close


class SessionVWAP:
    """Volume-weighted mean of the typical price (high + low + close) / 3 since the session began (`starts_at_hour` UTC)."""

    __slots__ = ("_money", "_offset", "_session", "_volume", "value")

    def __init__(self, starts_at_hour: int = 0) -> None:
        self._offset = whole("starts_at_hour", starts_at_hour, 0, 23) * (DAY_US // 24)
        self._session = -1
        self._money = self._volume = 0.0
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        session = (kline.open_at - self._offset) // DAY_US
        if session != self._session:
            self._session = session
            self._money = self._volume = 0.0
            self.value = None
        self._money += (kline.high + kline.low + kline.close) / 3.0 * kline.volume
        self._volume += kline.volume
        if self._volume > 0.0:
            self.value = self._money / self._volume


class RollingVWAP:
    """Volume-weighted mean of the typical price over the last `period` klines; stays as it was while they had no volume."""

    __slots__ = ("_money", "_volume", "value")

    def __init__(self, period: int = 20) -> None:
        self._money = Window(whole("period", period))
        self._volume = Window(period)
        self.value: float | None = None

    def update(self, kline: Kline) -> None:
        """Take the next closed kline."""
        self._money.push((kline.high + kline.low + kline.close) / 3.0 * kline.volume)
        self._volume.push(kline.volume)
        if self._volume.full and self._volume.sum > 0.0:
            self.value = self._money.sum / self._volume.sum
