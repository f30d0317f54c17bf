"""How far the price moves while an order waits at a speed bump: measured from the quotes of the market itself.

The mid is looked at every 300 ms of exchange time. Moves against us cost; moves in our favour are counted as zero, like
rebates and funding that we would receive: a plan must not live on them. Without knowing the side, that is half the mean
absolute move.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from flashscalper.model.events import BestQuote
from flashscalper.model.instants import SECOND_US

LEAST_SAMPLES: Final = 100
"""Moves (30 s of them) before the measure is believed."""
_WEIGHT: Final = 1_000
"""Moves that the mean remembers: five minutes."""
_LONGEST_US: Final = 60 * SECOND_US
"""A quote that stood still for longer begins anew: nobody knows whether the stream did."""


class DriftMeter:
    """Running mean of the mid's absolute move over `bump_s`, as a fraction. O(1) for a quote, and nothing is kept.

    `due_at` is when the next quote is wanted: a caller on a hot path compares it with the clock and asks only then.
    """

    __slots__ = ("_at", "_bump_us", "_mean", "_mid", "due_at", "samples")

    def __init__(self, bump_s: float) -> None:
        self._bump_us = int(bump_s * SECOND_US)
        self._mean = 0.0
        self._mid: float | None = None
        self._at = 0
        self.samples = 0
        self.due_at = 0

    @property
    def value(self) -> Decimal | None:
        """Expected cost of one bump as a fraction of the price; None before there are enough moves."""
        return Decimal(repr(self._mean / 2)) if self.samples >= LEAST_SAMPLES else None

    def take(self, standing: BestQuote | None, now: int) -> None:
        """A new quote has come; `standing` is the one that held until now."""
        mid = None if standing is None else _mid_of(standing)
        if mid is None or self._mid is None or not 0 <= now - self._at <= _LONGEST_US:
            self._mid, self._at = mid, now
            self.due_at = now + self._bump_us if mid is not None else 0
            return
        passed = (now - self._at) // self._bump_us
        if passed:
            self._add(abs(mid / self._mid - 1.0), passed)
            self._mid = mid
            self._at += passed * self._bump_us
        self.due_at = self._at + self._bump_us

    def _add(self, move: float, passed: int) -> None:
        """One move, then `passed - 1` times none, because the quote stood."""
        for seen in (move, *([0.0] * (passed - 1))):
            self.samples += 1
            self._mean += (seen - self._mean) / min(self.samples, _WEIGHT)


def _mid_of(quote: BestQuote) -> float | None:
    if quote.bid is None or quote.ask is None or not 0 < quote.bid <= quote.ask:
        return None
    return (quote.bid + quote.ask) / 2
