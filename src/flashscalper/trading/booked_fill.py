"""One fill as our books have it: what it was, whose it was, and what the fold made of it."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.fills import Fill, FillKind
from flashscalper.model.orders import OrderRole
from flashscalper.trading.fold import Holding, Trip


def fill_key(kind: FillKind, fill_id: str) -> str:
    """The key as text, as it stands in the journal."""
    return f"{kind}:{fill_id}"


class BookedFill(msgspec.Struct, kw_only=True):
    """A fill in the fold: why it came (`role`, `reason` of its order), what it realised (booked, and by our own arithmetic)
    and the holding after it."""

    fill: Fill
    role: OrderRole | None = None
    reason: str = ""
    foreign: bool = False
    realized_pnl: Decimal = ZERO
    own_pnl: Decimal = ZERO
    after: Holding = Holding()
    closed: Trip | None = None

    @property
    def place(self) -> tuple[int, int, str, str]:
        """Where it stands among the fills of its market: by instant, then by id as the number it is."""
        return (self.fill.filled_at, len(self.fill.id), self.fill.id, self.fill.kind)
