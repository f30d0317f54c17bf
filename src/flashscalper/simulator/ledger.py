"""Money of one account as a fold over its fills, in Decimal, rounded once per fill.

A position is a signed size and a cost (the exact sum of price times size of what is open). Increasing adds price times
size; reducing by q of |S| releases cost * q / |S| (all of it when it closes), and realised PnL is proceeds less released
cost (reversed for a short), half-even to 8 decimals. A fill that crosses zero reduces, then increases; it has one fee.
Accrued funding becomes cash at every change of the position.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO, round_money
from flashscalper.simulator.facts import LedgerState


class Booking(msgspec.Struct, frozen=True):
    """One fill as the ledger keeps it: `size` is signed (positive bought), the rest as reported."""

    fill_id: str
    symbol: str
    size: Decimal
    price: Decimal
    fee: Decimal
    funding: Decimal
    realized_pnl: Decimal


class Holding:
    """One account's position in one market, and what it realised since the account was opened."""

    __slots__ = (
        "closed_at",
        "cost",
        "created_at",
        "exit_price",
        "funding",
        "funding_index",
        "last_fill_id",
        "realized_pnl",
        "seq_no",
        "size",
        "updated_at",
    )

    def __init__(self, funding_index: Decimal) -> None:
        self.size = ZERO
        self.cost = ZERO
        self.funding_index = funding_index
        self.realized_pnl = ZERO
        self.funding = ZERO
        self.last_fill_id = ""
        self.exit_price: Decimal | None = None
        self.created_at = 0
        self.updated_at = 0
        self.closed_at = 0
        self.seq_no = 0

    @property
    def entry_price(self) -> Decimal:
        """Cost per unit of what is open, zero when flat."""
        return self.cost / abs(self.size) if self.size else ZERO

    def accrued(self, funding_index: Decimal) -> Decimal:
        """Funding since the last change of the position, not rounded; positive is receivable (paradex.md 6.7)."""
        return -self.size * (funding_index - self.funding_index)

    def unrealized(self, mark: Decimal) -> Decimal:
        """PnL of what is open at `mark`, not rounded."""
        return self.size * mark - self.cost if self.size > ZERO else self.size * mark + self.cost

    def fold(self, size: Decimal, price: Decimal) -> Decimal:
        """Add a signed fill; returns the realised PnL, rounded."""
        quantity = abs(size)
        if not self.size or (self.size > ZERO) is (size > ZERO):
            self.cost += price * quantity
            self.size += size
            return ZERO
        held = abs(self.size)
        reducing = min(quantity, held)
        released = self.cost if reducing == held else self.cost * reducing / held
        proceeds = price * reducing
        pnl = round_money(proceeds - released if self.size > ZERO else released - proceeds)
        self.cost -= released
        self.size += size
        if quantity > reducing:
            self.cost = price * (quantity - reducing)
        return pnl


class Ledger:
    """Cash, and what moved it. `cash` = collateral + realised PnL + funding - fees, at every moment."""

    def __init__(self, account: str, collateral: Decimal) -> None:
        self._account = account
        self.cash = collateral
        self.fees = ZERO
        self.funding = ZERO
        self.realized_pnl = ZERO
        self.holdings: dict[str, Holding] = {}
        self._bookings: dict[str, Booking] = {}

    def resume(
        self,
        *,
        fees: Decimal,
        funding: Decimal,
        realized_pnl: Decimal,
        holdings: dict[str, Holding],
        bookings: list[Booking],
    ) -> None:
        """Take over what an earlier process had booked beside the cash."""
        self.fees, self.funding, self.realized_pnl = fees, funding, realized_pnl
        self.holdings = holdings
        self._bookings = {booking.fill_id: booking for booking in bookings}

    def size_of(self, symbol: str) -> Decimal:
        """Signed position size in one market."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.size

    def holding(self, symbol: str, funding_index: Decimal) -> Holding:
        """The holding of a market; a new one starts at `funding_index`."""
        holding = self.holdings.get(symbol)
        if holding is None:
            holding = self.holdings[symbol] = Holding(funding_index)
        return holding

    def book(
        self, fill_id: str, symbol: str, *, size: Decimal, price: Decimal, fee: Decimal, funding_index: Decimal, now: int
    ) -> Booking:
        """Book one fill, `size` signed: settle accrued funding, fold the position, pay the fee."""
        holding = self.holding(symbol, funding_index)
        funding = round_money(holding.accrued(funding_index))
        before = holding.size
        pnl = holding.fold(size, price)
        holding.funding_index = funding_index
        holding.funding += funding
        holding.realized_pnl += pnl
        holding.last_fill_id = fill_id
        holding.updated_at = now
        if not before or (before > ZERO) is not (holding.size > ZERO):
            holding.created_at = now
        if before and (before > ZERO) is not (size > ZERO):
            holding.exit_price = price
        holding.closed_at = 0 if holding.size else now
        self._move(pnl, funding, fee)
        booking = Booking(fill_id, symbol, size, price, fee, funding, pnl)
        self._bookings[fill_id] = booking
        return booking

    def has_booked(self, fill_id: str) -> bool:
        """Whether a fill counts: it was booked and not taken back."""
        return fill_id in self._bookings

    def bust(self, fill_id: str) -> Booking | None:
        """Take a fill back by folding the market's other fills anew; None when it is not (or no longer) booked."""
        busted = self._bookings.pop(fill_id, None)
        if busted is None:
            return None
        holding = self.holdings[busted.symbol]
        old_pnl = holding.realized_pnl
        holding.size = holding.cost = holding.realized_pnl = ZERO
        for booking in self._bookings.values():
            if booking.symbol == busted.symbol:
                holding.realized_pnl += holding.fold(booking.size, booking.price)
        holding.funding -= busted.funding
        self._move(holding.realized_pnl - old_pnl, -busted.funding, -busted.fee)
        return busted

    def _move(self, pnl: Decimal, funding: Decimal, fee: Decimal) -> None:
        self.realized_pnl += pnl
        self.funding += funding
        self.fees += fee
        self.cash += pnl + funding - fee

    def state(self) -> LedgerState:
        """A snapshot."""
        positions = tuple(
            (symbol, holding.size, holding.entry_price) for symbol, holding in sorted(self.holdings.items()) if holding.size
        )
        return LedgerState(self._account, self.cash, self.fees, self.funding, self.realized_pnl, positions)
