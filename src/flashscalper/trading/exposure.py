"""The worst that may come of what is out: positions plus every order that could still add to them, unknown ones in full."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.orders import Side
from flashscalper.trading.orders import TrackedOrder


class SymbolExposure(msgspec.Struct, frozen=True, kw_only=True):
    """One market: the signed position, what live orders may still buy or sell (reduce-only ones cannot add), and a price.
    `foreign` is what somebody else holds in it on the same account: not ours to manage, but its margin is the account's.
    """

    symbol: str
    position: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    price: Decimal = ZERO
    margin_rate: Decimal = Decimal(1)
    foreign: Decimal = ZERO

    @property
    def worst_size(self) -> Decimal:
        """The largest position, unsigned, that may come of it."""
        ours = max(abs(self.position), abs(self.position + self.buys), abs(self.position - self.sells))
        return ours + abs(self.foreign)

    @property
    def notional(self) -> Decimal:
        """`worst_size` in quote units."""
        return self.worst_size * self.price

    @property
    def margin(self) -> Decimal:
        """Initial margin of `notional`."""
        return self.notional * self.margin_rate

    def plus(self, side: Side, size: Decimal, price: Decimal) -> SymbolExposure:
        """With one more order that may add."""
        buys, sells = (self.buys + size, self.sells) if side is Side.BUY else (self.buys, self.sells + size)
        return msgspec.structs.replace(self, buys=buys, sells=sells, price=max(self.price, price))


def exposure_of(
    symbol: str, position: Decimal, orders: Iterable[TrackedOrder], *, price: Decimal, margin_rate: Decimal,
    foreign: Decimal = ZERO,
) -> SymbolExposure:  # fmt: skip
    """The exposure of one market from our fold and its active orders, valued at `price` or what an order may pay."""
    buys = sells = ZERO
    for order in orders:
        if order.reduce_only or not order.exposed:
            continue
        price = max(price, order.price or ZERO)
        if order.side is Side.BUY:
            buys += order.exposed
        else:
            sells += order.exposed
    return SymbolExposure(
        symbol=symbol, position=position, buys=buys, sells=sells, price=price, margin_rate=margin_rate, foreign=foreign
    )
