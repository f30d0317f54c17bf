"""What the exchange says we hold."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class PositionSide(StrEnum):
    """Direction of a position or a signal."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is PositionSide.LONG else -1

    @property
    def opposite(self) -> PositionSide:
        """The other direction."""
        return PositionSide.SHORT if self is PositionSide.LONG else PositionSide.LONG


class ExchangePosition(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's position in one market; `size` is signed (negative = short), zero when closed."""

    symbol: str
    size: Decimal
    entry_price: Decimal
    unrealized_pnl: Decimal | None = None
    realized_pnl: Decimal | None = None
    unrealized_funding: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    last_fill_id: str = ""
    updated_at: int = 0
    seq_no: int = 0


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's margin summary in settlement units (USDC)."""

    account: str
    account_value: Decimal
    total_collateral: Decimal
    free_collateral: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    status: str = "ACTIVE"
    updated_at: int = 0
    seq_no: int = 0
