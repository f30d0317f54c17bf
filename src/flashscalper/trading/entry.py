"""One entry in flight: what was wanted, what was sent for it, and when patience ends."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.orders import Side
from flashscalper.model.positions import PositionSide
from flashscalper.strategies.base import Signal
from flashscalper.trading.costs import CostEstimate
from flashscalper.trading.orders import TrackedOrder


class EntryPhase(StrEnum):
    """Where an entry is: resting passively, being taken back, or taking."""

    RESTING = "resting"
    CANCELING = "canceling"
    TAKING = "taking"


class Entry(msgspec.Struct, kw_only=True):
    """An entry of one market. `size` is what was wanted in base units, `reference` the touch price at the signal,
    `patience_until` when a resting order is taken back, `withdrawn` whether the strategy has changed its mind."""

    symbol: str
    signal: Signal
    size: Decimal
    reference: Decimal
    costs: CostEstimate
    phase: EntryPhase
    order: TrackedOrder
    earlier: list[TrackedOrder] = []
    patience_until: int | None = None
    withdrawn: bool = False

    @property
    def direction(self) -> PositionSide:
        """Long or short."""
        return self.signal.direction

    @property
    def side(self) -> Side:
        """The side of its orders."""
        return Side.BUY if self.signal.direction is PositionSide.LONG else Side.SELL

    @property
    def filled(self) -> Decimal:
        """Base units that all its orders have filled."""
        return sum((order.filled for order in self.earlier), self.order.filled)

    def owns(self, order: TrackedOrder) -> bool:
        """Whether an order was sent for this entry."""
        return order is self.order or any(order is one for one in self.earlier)
