"""The prices of an open position as they move: its best price, the levels that follow it, and the resting stop.

Prices are multiplied by the position's sign ("signed"), so that "higher is better" holds for both directions; negating a
float is exact, so every comparison with a price of the grid is too. A level that is off or not armed yet is -inf where the
price must stay above it and inf where it must reach it.
"""

from __future__ import annotations

from decimal import Decimal
from math import inf

from flashscalper.trading.exit_levels import ExitBasis, ExitReason, Levels, find_levels


class Ladder:
    """One position's levels. `best`: the best signed price seen; `blocked`: the stop waits for mark or quote to move on."""

    def __init__(self, basis: ExitBasis) -> None:
        self._sign = basis.direction.sign
        self._basis = basis
        self.levels: Levels = find_levels(basis)
        self.stop = self.levels.stop
        self.stop_reason: str = ExitReason.STOP
        self.best = -inf
        self.blocked = False

    def move_entry(self, basis: ExitBasis) -> None:
        """The entry price changed: find the levels anew; the stop only tightens."""
        self._basis = basis
        self.levels = find_levels(basis)
        self.tighten(self.levels.stop, ExitReason.STOP)

    def tighten(self, price: Decimal, reason: str) -> None:
        """The only place where the stop moves: towards the market, never back."""
        if price * self._sign > self.stop * self._sign:
            self.stop = price
            self.stop_reason = reason

    def ratchet(self, near: float | None, marked: float | None) -> None:
        """Bring the resting stop to one step behind the best software level, in whole steps, below mark and quote."""
        self.blocked = False
        level, reason = max((self.trailing, ExitReason.TRAILING), (self.break_even, ExitReason.BREAK_EVEN),
                            (self.peak, ExitReason.PEAK), key=lambda found: found[0])  # fmt: skip
        if level == -inf:
            return
        start, step = self.levels.stop, self.levels.step
        steps = (Decimal(repr(level)) - start * self._sign) // step - 1
        wanted = start + step * steps * self._sign
        if wanted * self._sign <= self.stop * self._sign:
            return
        lowest = min(price for price in (near, marked, inf) if price is not None)
        if float(wanted) * self._sign >= lowest:
            self.blocked = True
            return
        self.tighten(wanted, reason)

    def armed(self, activation: Decimal | None) -> bool:
        """Whether the best price has reached an activation price."""
        return activation is not None and self.best >= float(activation) * self._sign

    @property
    def resting(self) -> float:
        """The resting stop."""
        return float(self.stop) * self._sign

    @property
    def target(self) -> float:
        """Where profit is taken."""
        return self._signed(self.levels.target, inf)

    @property
    def partial(self) -> float:
        """Where part of the profit is taken."""
        return self._signed(self.levels.partial, inf)

    @property
    def trailing(self) -> float:
        """The trailing distance below the best price, once armed."""
        levels = self.levels
        if levels.trail is None or not self.armed(levels.trail_from):
            return -inf
        return float(Decimal(repr(self.best)) - levels.trail)

    @property
    def break_even(self) -> float:
        """The entry with its costs, once armed."""
        return self._signed(self.levels.break_even, -inf) if self.armed(self.levels.break_even_from) else -inf

    @property
    def peak(self) -> float:
        """Where the allowed share of the best profit is given back, once armed."""
        rule = self._basis.policy.peak
        if rule is None or not self.armed(self.levels.peak_from):
            return -inf
        entry = self._basis.entry * self._sign
        return float(entry + (Decimal(repr(self.best)) - entry) * (1 - Decimal(repr(rule.giveback))))

    def band(self, *, partial_open: bool) -> tuple[float, float]:
        """Signed prices strictly inside which no level is touched, armed or moved."""
        levels = self.levels
        lower = max(self.resting, self.trailing, self.break_even, self.peak)
        follows = any(self.armed(start) for start in (levels.trail_from, levels.peak_from))
        starts = (levels.trail_from, levels.break_even_from, levels.peak_from, levels.progress)
        waiting = [float(start) * self._sign for start in starts if start is not None and not self.armed(start)]
        upper = min(self.target, self.partial if partial_open else inf, self.best if follows else inf, *waiting)
        return (lower, upper)

    def _signed(self, price: Decimal | None, otherwise: float) -> float:
        return otherwise if price is None else float(price) * self._sign
