"""Rolling correlation of markets, so that the same bet is not taken twice under two names.

Fed with closed klines of one minute (`CORRELATION_INTERVAL`); a return is the change of the logarithm of the close between
two *consecutive* klines, so a gap gives no return instead of a long one. Taking in a kline is O(1); a correlation is summed
afresh over the window when somebody asks (a few dozen products, only at signals), so no running sum can drift.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from math import log, sqrt
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.klines import Kline
from flashscalper.model.positions import PositionSide
from flashscalper.model.records import Gate
from flashscalper.strategies.parameters import check_range, check_whole

CORRELATION_GATE: Final = "correlation"
CORRELATION_INTERVAL: Final = "1m"
"""Correlation of shorter returns tends to zero because markets do not tick together (the Epps effect), so it is measured on
minutes whatever the strategy looks at; longer ones take hours to know."""


class CorrelationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`window` and `min_samples` are counts of klines; a pair with fewer common returns counts as `assumed`.

    An entry is denied when a held position is the same bet: correlation x directions above `max_correlation`. The opposite
    direction in a correlated market is a hedge and passes.
    """

    enabled: bool = True
    window: int = 120
    min_samples: int = 30
    max_correlation: float = 0.85
    assumed: float = 1.0

    def validate(self, field: str = "correlation") -> None:
        """Raise ConfigError naming the field, what was seen and the range."""
        check_whole(f"{field}.window", self.window, 5, 10_000)
        check_whole(f"{field}.min_samples", self.min_samples, 3, 10_000)
        check_range(f"{field}.max_correlation", self.max_correlation, 0.0, 1.0)
        check_range(f"{field}.assumed", self.assumed, -1.0, 1.0)
        if self.min_samples > self.window:
            raise ConfigError(f"{field}.min_samples", self.min_samples, f"at most the window of {self.window}")


class Correlations:
    """Returns of the last `window` klines of every market, and the correlation between any two."""

    def __init__(self, settings: CorrelationSettings | None = None) -> None:
        self.settings = settings or CorrelationSettings()
        self._last: dict[str, Kline] = {}
        self._returns: dict[str, OrderedDict[int, float]] = {}

    def on_kline(self, kline: Kline) -> None:
        """Take in one closed kline. Repeated and older klines, and prices that have no logarithm, change nothing."""
        last = self._last.get(kline.symbol)
        if not kline.closed or kline.close <= 0 or (last is not None and kline.open_at <= last.open_at):
            return
        self._last[kline.symbol] = kline
        if last is None or last.close_at != kline.open_at:
            return
        returns = self._returns.setdefault(kline.symbol, OrderedDict())
        returns[kline.open_at] = log(kline.close / last.close)
        if len(returns) > self.settings.window:
            returns.popitem(last=False)

    def between(self, symbol: str, other: str) -> float | None:
        """Pearson correlation of the common returns in [-1, 1]; None with too few of them or a market that did not move."""
        mine, theirs = self._returns.get(symbol), self._returns.get(other)
        if mine is None or theirs is None:
            return None
        pairs = [(value, theirs[at]) for at, value in mine.items() if at in theirs]
        return _pearson(pairs) if len(pairs) >= self.settings.min_samples else None

    def gate(self, symbol: str, direction: PositionSide, held: Mapping[str, PositionSide]) -> Gate:
        """May `symbol` be entered in `direction` while `held` (symbol -> direction, entries in flight included) is open?"""
        worst, worst_with = -1.0, ""
        for other, side in held.items():
            if other == symbol:
                continue
            found = self.between(symbol, other)
            alike = (self.settings.assumed if found is None else found) * direction.sign * side.sign
            if alike > worst:
                worst, worst_with = alike, f"{other} {side}"
        passed = not self.settings.enabled or not worst_with or worst <= self.settings.max_correlation
        seen = f"{worst:.2f} with {worst_with}" if worst_with else "nothing else open"
        return Gate(code=CORRELATION_GATE, passed=passed, needed=f"at most {self.settings.max_correlation:g}", seen=seen)


def _pearson(pairs: list[tuple[float, float]]) -> float | None:
    """Two passes: means first, so that tiny returns do not cancel."""
    count = len(pairs)
    mean_x = sum(x for x, _ in pairs) / count
    mean_y = sum(y for _, y in pairs) / count
    cross = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    square = sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs)
    if square <= 0:
        return None
    return max(-1.0, min(1.0, cross / sqrt(square)))
