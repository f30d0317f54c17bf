"""The market's regime, one per symbol: trending up or down, ranging, volatile, breaking out; slow to change its mind."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import SECOND_US
from flashscalper.strategies.parameters import check_range
from flashscalper.strategies.scalper_readings import Readings, Trend


class Regime(StrEnum):
    """What kind of market it is."""

    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    RANGING = "ranging"
    VOLATILE = "volatile"
    BREAKOUT = "breakout"


class RegimeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one regime ends and another begins.

    Momentum thresholds are in percent like the reading. `min_stay_s` is the least time between two changes, so that a
    reading at a threshold does not flicker.
    """

    trend_momentum: float = 0.15
    volatile_atr_bps: float = 40.0
    breakout_volume: float = 2.0
    strong: float = 0.5
    min_stay_s: float = 300.0

    @staticmethod
    def check_name(field: str, name: str) -> None:
        """Refuse a word that is no regime."""
        if name not in set(Regime):
            raise ConfigError(field, name, ", ".join(Regime))

    def validate(self, field: str) -> None:
        """ConfigError naming the field."""
        check_range(f"{field}.trend_momentum", self.trend_momentum, 0.0, 100.0)
        check_range(f"{field}.volatile_atr_bps", self.volatile_atr_bps, 0.1, 10_000.0)
        check_range(f"{field}.breakout_volume", self.breakout_volume, 0.0, 100.0)
        check_range(f"{field}.strong", self.strong, 0.0, 1.0)
        check_range(f"{field}.min_stay_s", self.min_stay_s, 0.0, 86_400.0)


class RegimeWatch:
    """Keeps the regime of one market from reading to reading."""

    def __init__(self, settings: RegimeSettings) -> None:
        self._settings = settings
        self._regime: Regime | None = None
        self._changed_at = 0

    @property
    def regime(self) -> Regime | None:
        """The present regime, None before the first reading."""
        return self._regime

    def update(self, readings: Readings, now: int) -> Regime:
        """Take in the readings of a closed kline (`now`: its end, microseconds) and say which regime holds."""
        found = classify(readings, self._settings)
        stayed = now - self._changed_at >= self._settings.min_stay_s * SECOND_US
        if self._regime is None or (found is not self._regime and stayed):
            self._regime = found
            self._changed_at = now
        return self._regime


def classify(readings: Readings, settings: RegimeSettings) -> Regime:
    """The regime of one reading by itself, in order: trend, volatile, breakout, else ranging."""
    if readings.trend is Trend.UP and readings.momentum > settings.trend_momentum:
        return Regime.TRENDING_UP
    if readings.trend is Trend.DOWN and readings.momentum < -settings.trend_momentum:
        return Regime.TRENDING_DOWN
    strong = readings.trend_strength >= settings.strong
    if readings.atr_fraction * 10_000 > settings.volatile_atr_bps and not strong:
        return Regime.VOLATILE
    return Regime.BREAKOUT if readings.volume_ratio > settings.breakout_volume and strong else Regime.RANGING
