"""How a position is left, as one value: stop, target, partial profit, break-even, trailing, peak, stale, time, funding.

A strategy (or the configuration) declares the policy; `trading.exits.ExitPlan` carries it out. Distances are given in
ATR, percent of the entry price, ticks, or R (multiples of the initial stop distance), never in ROE: a distance that
depends on the leverage is not a distance.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.strategies.parameters import check_range


class DistanceMode(StrEnum):
    """The unit of a distance from the entry price."""

    ATR = "atr"
    PERCENT = "percent"
    TICKS = "ticks"
    R = "r"


_LARGEST = {DistanceMode.ATR: 100.0, DistanceMode.PERCENT: 50.0, DistanceMode.TICKS: 1_000_000.0, DistanceMode.R: 100.0}


class Distance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A distance from the entry price: `Distance("atr", 1.5)` is one and a half ATR, `Distance("percent", 0.3)` 0.3 %."""

    mode: DistanceMode
    value: float

    def in_price(self, entry: float, tick: float, atr: float | None, risk: float | None) -> float | None:
        """The distance in quote units; None when it needs an ATR that is not known.

        `risk` is the initial stop distance in quote units (what one R is); a stop itself cannot be given in R.
        """
        if self.mode is DistanceMode.PERCENT:
            return entry * self.value / 100
        if self.mode is DistanceMode.TICKS:
            return tick * self.value
        unit = atr if self.mode is DistanceMode.ATR else risk
        return None if unit is None else unit * self.value

    def validate(self, field: str, *, r_allowed: bool = True, zero_allowed: bool = False) -> None:
        """Refuse a value that is not above zero, not finite or absurdly large; ConfigError names `field`."""
        if self.mode is DistanceMode.R and not r_allowed:
            raise ConfigError(f"{field}.mode", str(self.mode), "atr, percent, ticks (R is measured in stops)")
        check_range(f"{field}.value", self.value, 0.0 if zero_allowed else 1e-9, _LARGEST[self.mode])


def atr(value: float) -> Distance:
    """`value` ATRs (Wilder, of the strategy's main interval)."""
    return Distance(DistanceMode.ATR, value)


def percent(value: float) -> Distance:
    """`value` percent of the entry price."""
    return Distance(DistanceMode.PERCENT, value)


def ticks(value: float) -> Distance:
    """`value` price ticks of the market."""
    return Distance(DistanceMode.TICKS, value)


def r(value: float) -> Distance:
    """`value` times the initial stop distance."""
    return Distance(DistanceMode.R, value)


class PartialProfit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At a profit of `at`, close `share` of the position, once."""

    at: Distance
    share: float = 0.5

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        self.at.validate(f"{field}.at")
        check_range(f"{field}.share", self.share, 0.01, 0.99)


class BreakEven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once the profit was `activation`, let it not become a loss: lock the entry plus `lock_costs` x round-trip costs."""

    activation: Distance
    lock_costs: float = 1.0

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        self.activation.validate(f"{field}.activation")
        check_range(f"{field}.lock_costs", self.lock_costs, 0.0, 10.0)


class Trailing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once the profit was `activation`, leave when the price falls back by `distance` from its best."""

    activation: Distance
    distance: Distance

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        self.activation.validate(f"{field}.activation", zero_allowed=True)
        self.distance.validate(f"{field}.distance")


class PeakProtection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once the profit was `activation`, leave when `giveback` (a share) of the best profit is gone."""

    activation: Distance
    giveback: float = 0.5

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        self.activation.validate(f"{field}.activation")
        check_range(f"{field}.giveback", self.giveback, 0.05, 1.0)


class Stale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave after `after_s` seconds if the profit never was `progress`: the idea did not work."""

    after_s: float
    progress: Distance

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        check_range(f"{field}.after_s", self.after_s, 0.001, 30 * 86_400)
        self.progress.validate(f"{field}.progress")


class OppositeSignal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave when the strategy signals the other way with at least `min_confidence` (0 to 100) and no failed filter."""

    min_confidence: float = 0.0

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        check_range(f"{field}.min_confidence", self.min_confidence, 0.0, 100.0)


class FundingLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave when funding costs us more than `max_hourly_bps` of the notional per hour (1 bps = 0.0001)."""

    max_hourly_bps: float = 2.0

    def validate(self, field: str) -> None:
        """ConfigError naming the field under `field`."""
        check_range(f"{field}.max_hourly_bps", self.max_hourly_bps, 0.0, 1_000.0)


class ExitPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that may end a position, in the order in which it is asked.

    Only `stop` is compulsory: it rests at the exchange. Its distance is never less than `stop_floor_costs` times the
    estimated round-trip costs and never less than `stop_floor_ticks` ticks. A strategy's own stop price (`Signal.stop`)
    replaces the distance, not the floor. The resting stop follows break-even and trailing in steps of `ratchet_step` R,
    one step behind the software exits, so that a climbing price does not become a stream of modifications.
    `stop_grace_s` is how long the exchange's stop may take to act on a mark beyond it before we close ourselves.
    A stop of so many percent that lies inside the costs is refused as soon as the costs are known, unless `widen_stop` says
    that the floor may decide instead. `demonstration` lets the floor lie inside the costs (a show of many quick trades):
    never for money.
    """

    stop: Distance = Distance(DistanceMode.ATR, 1.5)
    stop_floor_costs: float = 1.5
    stop_floor_ticks: int = 3
    widen_stop: bool = False
    target: Distance | None = Distance(DistanceMode.R, 2.0)
    partial: PartialProfit | None = None
    trailing: Trailing | None = None
    break_even: BreakEven | None = None
    peak: PeakProtection | None = None
    stale: Stale | None = None
    max_hold_s: float | None = None
    opposite_signal: OppositeSignal | None = None
    funding: FundingLimit | None = None
    ratchet_step: float = 0.1
    stop_grace_s: float = 2.0
    demonstration: bool = False

    def validate(self, field: str = "exits", costs: float | None = None) -> None:
        """Raise ConfigError naming the field (`exits.stop.value`), what was seen and the accepted range.

        With `costs` (round trip, a fraction of the price), a percent stop that lies inside them is refused as well.
        """
        self.stop.validate(f"{field}.stop", r_allowed=False)
        check_range(f"{field}.stop_floor_costs", self.stop_floor_costs, 0.0 if self.demonstration else 1.0, 100.0)
        check_range(f"{field}.stop_floor_ticks", self.stop_floor_ticks, 1, 10_000)
        check_range(f"{field}.ratchet_step", self.ratchet_step, 0.01, 1.0)
        check_range(f"{field}.stop_grace_s", self.stop_grace_s, 0.0, 60.0)
        if self.target is not None:
            self.target.validate(f"{field}.target")
        if self.max_hold_s is not None:
            check_range(f"{field}.max_hold_s", self.max_hold_s, 0.001, 30 * 86_400)
        rules = ("partial", "trailing", "break_even", "peak", "stale", "opposite_signal", "funding")
        for name in rules:
            rule = getattr(self, name)
            if rule is not None:
                rule.validate(f"{field}.{name}")
        self._check_order(field)
        fixed = self.stop.mode is DistanceMode.PERCENT and not (self.widen_stop or self.demonstration)
        if costs is not None and fixed and self.stop.value / 100 <= costs:
            raise ConfigError(
                f"{field}.stop.value", self.stop.value, f"more than the round-trip costs of {costs * 100:.4g} %"
            )

    def _check_order(self, field: str) -> None:
        """A partial profit that lies beyond the target (same unit) could never be taken."""
        if self.partial is None or self.target is None or self.partial.at.mode is not self.target.mode:
            return
        if self.partial.at.value >= self.target.value:
            raise ConfigError(
                f"{field}.partial.at.value", self.partial.at.value, f"less than the target's {self.target.value:g}"
            )
