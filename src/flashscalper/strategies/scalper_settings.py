"""Everything that can be set about the scalper: weights, thresholds, filters, indicator parameters; each with its range.

The defaults of these structs are the profile `default` (argued in docs/explanation/default-profile.md); the original's
values are the profile `classic` in `strategies.profiles`.
"""

from __future__ import annotations

import msgspec

from flashscalper.indicators.periods import Periods
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import INTERVALS_US, interval_us
from flashscalper.strategies.parameters import check_range, check_whole
from flashscalper.strategies.regime import RegimeSettings

ENTRY_PLACES = ("touch", "level")
"""Where a resting entry may wait."""


class ScoreWeights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points per piece of evidence; zero switches one off. RSI speaks against the move, the averages for it."""

    ema_stack: float = 15.0
    ema_price: float = 0.0
    macd_cross: float = 20.0
    macd_sign: float = 5.0
    rsi_extreme: float = 12.0
    rsi_mild: float = 5.0
    volume: float = 8.0
    pattern: float = 5.0
    bounce: float = 1.0
    divergence: float = 25.0
    divergence_strength: float = 0.1
    trend: float = 10.0
    bollinger: float = 0.0
    stochastic: float = 0.0
    stochastic_cross: float = 0.0
    roc_strong: float = 0.0
    roc_mild: float = 0.0
    williams: float = 0.0
    confluence: float = 0.0

    def validate(self, field: str) -> None:
        """ConfigError naming the weight."""
        for name in self.__struct_fields__:
            check_range(f"{field}.{name}", getattr(self, name), 0.0, 100.0)


class IndicatorParameters(Periods, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The periods of the scalper's indicators, with the ranges that people may set."""

    def validate(self, field: str) -> None:
        """ConfigError naming the period and its range; fast periods must be below slow ones."""
        for name in self.__struct_fields__[1:]:
            check_whole(f"{field}.{name}", getattr(self, name), _LEAST.get(name, 1), _MOST.get(name, 500))
        for fast, slow in (
            ("ema_fast", "ema_mid"),
            ("ema_mid", "ema_slow"),
            ("macd_fast", "macd_slow"),
            ("trend_fast", "trend_slow"),
        ):
            if getattr(self, fast) >= getattr(self, slow):
                raise ConfigError(f"{field}.{fast}", getattr(self, fast), f"less than {slow} = {getattr(self, slow)}")


_LEAST = {"rsi": 2, "bollinger": 2, "divergence": 4, "divergence_reach": 2, "levels": 3}
_MOST = {"swing_wing": 50}


class FilterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What forbids a trade that the score wants. Every one binds; None (or zero, or an empty tuple) switches one off.

    Hours are UTC, `[start, end)`, may wrap around midnight. `counter_trend`: a trade against the trend needs a divergence to
    its side or `counter_trend_confidence`. `trend_aligned` forbids it altogether. `min_room_atr`: at least that many ATRs to
    the next support or resistance in the way. `max_spread_atr`: the spread may be at most that share of the ATR.
    `confirm`: intervals whose trend must not point the other way. `min_confluence`: pieces of evidence on the side taken.
    """

    hours: tuple[int, int] | None = None
    rsi_long_max: float | None = 65.0
    rsi_short_min: float | None = 35.0
    rsi_lowest: float = 15.0
    rsi_highest: float = 85.0
    min_volume_ratio: float | None = 0.8
    max_momentum: float | None = 3.0
    counter_trend: bool = True
    counter_trend_confidence: float = 75.0
    trend_aligned: bool = False
    min_trend_strength: float | None = None
    min_confluence: int = 2
    min_atr_bps: float | None = None
    max_atr_bps: float | None = 100.0
    max_spread_atr: float | None = 0.5
    min_room_atr: float | None = 0.5
    forbidden_regimes: tuple[str, ...] = ("volatile",)
    confirm: tuple[str, ...] = ("5m",)
    cooldown_s: float = 120.0

    def validate(self, field: str) -> None:
        """ConfigError naming the filter."""
        for name, low, high in _FILTER_RANGES:
            value = getattr(self, name)
            if value is not None:
                check_range(f"{field}.{name}", value, low, high)
        if self.rsi_lowest >= self.rsi_highest:
            raise ConfigError(f"{field}.rsi_lowest", self.rsi_lowest, f"less than rsi_highest = {self.rsi_highest:g}")
        if self.hours is not None:
            check_whole(f"{field}.hours.start", self.hours[0], 0, 23)
            check_whole(f"{field}.hours.end", self.hours[1], 0, 24)
            if self.hours[0] == self.hours[1]:
                raise ConfigError(f"{field}.hours", self.hours, "a start and an end that differ")
        check_whole(f"{field}.min_confluence", self.min_confluence, 0, 20)
        for name in self.forbidden_regimes:
            RegimeSettings.check_name(f"{field}.forbidden_regimes", name)
        for name in self.confirm:
            if name not in INTERVALS_US:
                raise ConfigError(f"{field}.confirm", name, ", ".join(INTERVALS_US))


_FILTER_RANGES = (
    ("rsi_long_max", 0.0, 100.0), ("rsi_short_min", 0.0, 100.0), ("rsi_lowest", 0.0, 100.0), ("rsi_highest", 0.0, 100.0),
    ("min_volume_ratio", 0.0, 100.0), ("max_momentum", 0.001, 100.0), ("counter_trend_confidence", 0.0, 100.0),
    ("min_trend_strength", 0.0, 1.0), ("min_atr_bps", 0.0, 10_000.0), ("max_atr_bps", 0.01, 10_000.0),
    ("max_spread_atr", 0.0, 100.0), ("min_room_atr", 0.0, 100.0), ("cooldown_s", 0.0, 86_400.0),
)  # fmt: skip


class ScalperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scalper of one market.

    A direction needs `min_score` points and `lead` times the other side's. Confidence is `score / full_score` in percent, at
    most 100, and must reach `min_confidence`. The move that a trade expects, for the cost gate, is `expected_atr` ATRs times
    the confidence: an assumption, stated once and here. `entry_at` "level" lets entries rest at the next support (long) or
    resistance (short) when it lies within `entry_reach_atr` ATRs, else and with "touch" at the best price.
    """

    interval: str = "1m"
    weights: ScoreWeights = ScoreWeights()
    indicators: IndicatorParameters = IndicatorParameters()
    filters: FilterSettings = FilterSettings()
    regime: RegimeSettings = RegimeSettings()
    min_score: float = 45.0
    lead: float = 1.25
    full_score: float = 90.0
    min_confidence: float = 50.0
    volume_spike: float = 1.5
    bounce_both_sides: bool = True
    expected_atr: float = 0.36
    entry_at: str = "touch"
    entry_reach_atr: float = 0.5

    def validate(self, field: str = "scalper") -> None:
        """Raise ConfigError naming the field (`scalper.weights.volume`), what was seen and the range."""
        interval_us(self.interval)
        self.weights.validate(f"{field}.weights")
        self.indicators.validate(f"{field}.indicators")
        self.filters.validate(f"{field}.filters")
        self.regime.validate(f"{field}.regime")
        check_range(f"{field}.min_score", self.min_score, 1.0, 500.0)
        check_range(f"{field}.lead", self.lead, 1.0, 10.0)
        check_range(f"{field}.full_score", self.full_score, 10.0, 1_000.0)
        check_range(f"{field}.min_confidence", self.min_confidence, 0.0, 100.0)
        check_range(f"{field}.volume_spike", self.volume_spike, 0.1, 100.0)
        check_range(f"{field}.expected_atr", self.expected_atr, 0.01, 100.0)
        check_range(f"{field}.entry_reach_atr", self.entry_reach_atr, 0.0, 10.0)
        if self.entry_at not in ENTRY_PLACES:
            raise ConfigError(f"{field}.entry_at", self.entry_at, ", ".join(ENTRY_PLACES))
        for name in self.filters.confirm:
            if interval_us(name) <= interval_us(self.interval):
                raise ConfigError(f"{field}.filters.confirm", name, f"intervals longer than {self.interval}")
