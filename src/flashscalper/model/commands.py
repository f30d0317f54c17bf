"""Commands: requests that the engine makes of an exchange client. Whether they happened comes back as events."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Send one new order. Durable in the journal before it is sent; sent at most once.

    `price` is None for market types, `trigger_price` set for trigger types. `role` picks the connection (entries are
    cancelled on disconnect, protection is not); `reason` ends up on the fill and in the report.
    """

    client_id: str
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    role: OrderRole
    reason: str


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Change size, price or trigger price of a live order in place; the other fields repeat what it is."""

    client_id: str
    order_id: str
    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    role: OrderRole
    reason: str


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Cancel one order, by exchange id when it is known, else by client id."""

    client_id: str
    symbol: str
    order_id: str = ""
    role: OrderRole
    reason: str


class ArmOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Have `order` signed and ready, so that `ReleaseOrder` costs no signature and no sync when its moment comes.

    Durable before anything else: from here on the order may have left, which nobody can rule out after a crash. Arming again
    with the same client id replaces what was armed. `order` is reduce-only and of a market type; its reason is not final.
    """

    order: PlaceOrder


class ReleaseOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Send the armed order now; its bytes go first, this is written down after them. `order` is what was armed, but for
    the reason, which is now known."""

    order: PlaceOrder


class DisarmOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Throw an armed order away: it was never sent and never will be. Its client id is used up."""

    client_id: str
    symbol: str


class QueryOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Ask what became of an order whose outcome is unknown: open orders, then history, then fills."""

    client_id: str
    symbol: str


class Reconcile(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Read orders, fills since `fills_since`, positions and balance in one round."""

    fills_since: int


class FetchKlines(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Read the last `count` closed klines up to `until_at`."""

    symbol: str
    interval: str
    count: int
    until_at: int


class SetLeverage(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """Set leverage (whole number) and margin mode of one market, and read it back."""

    symbol: str
    leverage: int
    isolated: bool = False


class ResyncBook(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="is"):
    """The book of `symbol` crossed or is damaged: subscribe anew for a snapshot."""

    symbol: str
    reason: str


Command = (
    PlaceOrder
    | ModifyOrder
    | CancelOrder
    | ArmOrder
    | ReleaseOrder
    | DisarmOrder
    | QueryOrder
    | Reconcile
    | FetchKlines
    | SetLeverage
    | ResyncBook
)
"""Everything that the engine may ask of an exchange client."""
