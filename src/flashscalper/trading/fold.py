"""The arithmetic of one position: a signed size, an exact cost, and what one fill does to them.

Position = signed size S and cost C >= 0 (the exact sum of price x size). Growing by (p, q): C += p*q. Shrinking by q <= |S|:
released = C when q == |S|, else C*q/|S|; realised PnL = p*q - released for a long, released - p*q for a short, rounded once.
A fill that crosses zero shrinks by |S| and grows by the rest; it has one fee.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.model.fills import Fill
from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip so far, from flat: sums of what went in and came out. `pnl` is gross of fees."""

    direction: PositionSide
    opened_at: int
    entered: Decimal = ZERO
    entered_cost: Decimal = ZERO
    left: Decimal = ZERO
    left_proceeds: Decimal = ZERO
    pnl: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    closed_at: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Average price of everything that went in."""
        return self.entered_cost / self.entered

    @property
    def exit_price(self) -> Decimal:
        """Average price of everything that came out."""
        return self.left_proceeds / self.left


class Holding(msgspec.Struct, frozen=True):
    """A position after some fill: `size` signed base units, `cost` exact quote units, the round trip it is part of."""

    size: Decimal = ZERO
    cost: Decimal = ZERO
    trip: Trip | None = None

    @property
    def entry_price(self) -> Decimal:
        """Average price of what is held; zero when flat."""
        return self.cost / abs(self.size) if self.size else ZERO

    @property
    def direction(self) -> PositionSide | None:
        """Long, short, or None when flat."""
        if not self.size:
            return None
        return PositionSide.LONG if self.size > ZERO else PositionSide.SHORT

    def unrealized(self, price: Decimal) -> Decimal:
        """Exact PnL if everything were closed at `price`, before fees."""
        if not self.size:
            return ZERO
        value = abs(self.size) * price
        return value - self.cost if self.size > ZERO else self.cost - value


class Step(NamedTuple):
    """What one fill did: realised PnL (rounded), the holding afterwards, and the round trip it ended."""

    realized_pnl: Decimal
    after: Holding
    closed: Trip | None


def step(before: Holding, fill: Fill, pnl: Decimal | None = None) -> Step:
    """Apply one fill. `pnl` is the exchange's own realised PnL when that is to be booked instead of ours."""
    signed = fill.size * fill.side.sign
    funding = fill.funding or ZERO
    grows = before.size == ZERO or (before.size > ZERO) is (signed > ZERO)
    if grows:
        trip = _entered(before.trip, fill, fill.size, fill.fee, funding)
        return Step(pnl or ZERO, Holding(before.size + signed, before.cost + fill.price * fill.size, trip), None)
    leaving = min(fill.size, abs(before.size))
    released, proceeds = _released(before, leaving), fill.price * leaving
    realized = round_money(proceeds - released if before.size > ZERO else released - proceeds) if pnl is None else pnl
    rest = fill.size - leaving
    fee_left = fill.fee if not rest else round_money(fill.fee * leaving / fill.size)
    assert before.trip is not None
    trip = _left(before.trip, fill, leaving, pnl=realized, fee=fee_left)
    if leaving < abs(before.size):
        return Step(realized, Holding(before.size + signed, before.cost - released, trip), None)
    if not rest:
        return Step(realized, Holding(), trip)
    turned = _entered(None, fill, rest, fill.fee - fee_left, ZERO)
    return Step(realized, Holding(before.size + signed, fill.price * rest, turned), trip)


def _released(before: Holding, leaving: Decimal) -> Decimal:
    """The cost of the part that leaves; the whole of it without a division when everything leaves."""
    held = abs(before.size)
    return before.cost if leaving == held else before.cost * leaving / held


def _entered(trip: Trip | None, fill: Fill, size: Decimal, fee: Decimal, funding: Decimal) -> Trip:
    if trip is None:
        direction = PositionSide.LONG if fill.side is Side.BUY else PositionSide.SHORT
        trip = Trip(direction=direction, opened_at=fill.filled_at)
    return msgspec.structs.replace(
        trip, entered=trip.entered + size, entered_cost=trip.entered_cost + fill.price * size, fees=trip.fees + fee,
        funding=trip.funding + funding,
    )  # fmt: skip


def _left(trip: Trip, fill: Fill, size: Decimal, *, pnl: Decimal, fee: Decimal) -> Trip:
    return msgspec.structs.replace(
        trip, left=trip.left + size, left_proceeds=trip.left_proceeds + fill.price * size, pnl=trip.pnl + pnl,
        fees=trip.fees + fee, funding=trip.funding + (fill.funding or ZERO), closed_at=fill.filled_at,
    )  # fmt: skip
