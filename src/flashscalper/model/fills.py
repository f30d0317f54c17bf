"""Our executions, and the only facts that move a position or money."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from flashscalper.model.orders import Side


class Liquidity(StrEnum):
    """Whether the fill added (maker) or removed (taker) liquidity."""

    MAKER = "maker"
    TAKER = "taker"


class FillKind(StrEnum):
    """Paradex's FillType; a fill id is unique within its kind, so the key of a fill is (kind, id)."""

    FILL = "fill"
    LIQUIDATION = "liquidation"
    UNWIND_TRANSFER = "unwind_transfer"
    SETTLE_MARKET = "settle_market"
    RPI = "rpi"
    BLOCK_TRADE = "block_trade"


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one of our orders.

    `side` is our side. `fee` positive means paid. `realized_pnl` and `funding` are the exchange's own figures for this fill
    (None when it does not report them); `funding` positive means received.
    """

    id: str
    kind: FillKind = FillKind.FILL
    order_id: str
    client_id: str
    symbol: str
    side: Side
    liquidity: Liquidity
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str = "USDC"
    realized_pnl: Decimal | None = None
    funding: Decimal | None = None
    remaining: Decimal | None = None
    flags: tuple[str, ...] = ()
    filled_at: int

    @property
    def key(self) -> tuple[FillKind, str]:
        """What makes a fill the same fill when it is reported twice."""
        return (self.kind, self.id)
