"""Orders as an exchange reports them, and the words to describe one."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Side(StrEnum):
    """Direction of an order, a fill or a public trade's taker."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for buy, -1 for sell: what the side does to a signed position."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order executes. Stop and take-profit types trigger on the mark price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT_MARKET = "take_profit_market"
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    STOP_LOSS_MARKET = "stop_loss_market"
    STOP_LOSS_LIMIT = "stop_loss_limit"


class TimeInForce(StrEnum):
    """How long, and whether the order may take."""

    GTC = "gtc"
    IOC = "ioc"
    POST_ONLY = "post_only"
    RPI = "rpi"


class OrderStatus(StrEnum):
    """The exchange's word on an order. `closed` with nothing remaining is a full fill; otherwise see `cancel_reason`."""

    NEW = "new"
    UNTRIGGERED = "untriggered"
    OPEN = "open"
    CLOSED = "closed"


class OrderRole(StrEnum):
    """Why we sent it: what the order does to the position."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the exchange last reported it. Sizes are unsigned base units; instants microseconds."""

    symbol: str
    client_id: str
    order_id: str
    side: Side
    type: OrderType
    size: Decimal
    remaining: Decimal
    status: OrderStatus
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    cancel_reason: str = ""
    average_price: Decimal | None = None
    created_at: int = 0
    updated_at: int = 0
    seq_no: int = 0

    @property
    def filled(self) -> Decimal:
        """Base units done so far, by the exchange's own count. Money moves by fills only, never by this."""
        return self.size - self.remaining
