"""Continuous funding of one market: a published rate, and an index that grows with it every second (paradex.md 6.7)."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import ZERO
from flashscalper.model.instants import HOUR_US
from flashscalper.model.markets import Market

_RATE_STEP = Decimal("0.000000000001")


class Funding:
    """`rate` is per period (a fraction), `premium` = rate x index price, `index` accumulates premium x time / period."""

    __slots__ = ("_market", "_period_us", "_rate", "at", "fixed", "index", "premium", "premium_rate", "rate")

    def __init__(self, market: Market, started_at: int) -> None:
        self._market = market
        self._period_us = market.funding_period_hours * HOUR_US
        self.at = started_at
        self._rate = float(market.interest_rate)
        self.fixed: Decimal | None = None
        self.rate = market.interest_rate
        self.premium = ZERO
        self.premium_rate = ZERO
        self.index = ZERO

    def fix(self, rate: Decimal) -> None:
        """Publish this rate from now on."""
        self.fixed = self.rate = rate

    def resume(self, index: Decimal, rate: Decimal) -> None:
        """Go on where an earlier process stopped; the time between accrues nothing."""
        self.index = index
        if self.fixed is None:
            self.rate, self._rate = rate, float(rate)

    def tick(self, now: int, premium_rate: float, index_price: Decimal, gap_us: int, half_life_us: int) -> None:
        """One step up to `now`: the time since the last step accrues, unless it is longer than `gap_us`."""
        elapsed = now - self.at
        self.at = now
        if elapsed > gap_us:
            return
        if self.fixed is None:
            weight = 1.0 - 0.5 ** (elapsed / half_life_us)
            self._rate += (self.raw(premium_rate) - self._rate) * weight
            self.rate = Decimal(repr(self._rate)).quantize(_RATE_STEP)
            self.premium_rate = Decimal(repr(premium_rate)).quantize(_RATE_STEP)
        self.premium = self.rate * index_price
        self.index += self.premium * elapsed / self._period_us

    def raw(self, premium_rate: float) -> float:
        """clip(premium + clip(interest - premium, clamp), max): the rate before smoothing."""
        clamp, limit = float(self._market.clamp_rate), float(self._market.max_funding_rate)
        pull = float(self._market.interest_rate) - premium_rate
        return max(-limit, min(limit, premium_rate + max(-clamp, min(clamp, pull))))
