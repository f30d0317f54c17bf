"""Our positions and money: folds over unique fills, the only thing that moves them.

A fill is the same fill when (kind, id) is the same, however often and in whatever order it is reported. Fills are folded
in the exchange's order (instant, then id); one that arrives late is put in its place and what follows is folded again, so
the state is a function of the set of fills and not of their arrival. A busted fill is taken out the same way.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.fills import Fill
from flashscalper.trading.booked_fill import BookedFill, fill_key
from flashscalper.trading.fold import Holding, Trip, step
from flashscalper.trading.settled_fills import SettledFills

__all__ = ["Booked", "BookedFill", "Ledger", "Position", "fill_key"]

KEEP_FILLS = 2_000
"""Fills a position keeps for refolding; older ones are folded for good."""
AT_HAND = 8
"""The newest of them, which a late fill falls between; the others are packed until one of them is needed."""
KEEP_KEYS = 200_000
"""Fill keys remembered against double booking (about 30 days at one fill per 13 s)."""


class Booked(msgspec.Struct, frozen=True):
    """What booking one fill (or taking it back) did. `trips` are round trips that it closed; `reordered`: it came late."""

    entry: BookedFill
    before: Holding
    after: Holding
    trips: tuple[Trip, ...] = ()
    reordered: bool = False


class Position:
    """The fold of one market. `reported_pnl` books the exchange's realised PnL where a fill carries one."""

    def __init__(self, *, reported_pnl: bool = False) -> None:
        self._reported_pnl = reported_pnl
        self._base = self._settled_base = Holding()
        self._settled = SettledFills()
        self._fills: list[BookedFill] = []
        self._trips_told = 0
        self.holding = Holding()
        self.realized = ZERO
        self.fees = ZERO
        self.funding = ZERO

    @property
    def size(self) -> Decimal:
        """Signed base units."""
        return self.holding.size

    @property
    def fills(self) -> tuple[BookedFill, ...]:
        """Fills still kept, in the exchange's order."""
        return (*self._settled.entries(), *self._fills)

    @property
    def net(self) -> Decimal:
        """Realised PnL and funding less fees of everything ever booked here."""
        return self.realized + self.funding - self.fees

    def book(self, entry: BookedFill) -> Booked:
        """Put one fill in its place and fold what follows."""
        before = self.holding
        late = bool(self._fills) and entry.place < self._fills[-1].place
        if late:
            if entry.place < self._fills[0].place or self._trips_told < self._settled.trips:
                self._unpack()
            insort(self._fills, entry, key=lambda booked: booked.place)
        else:
            self._fills.append(entry)
        self._money(entry.fill, 1)
        self._fold(self._fills.index(entry) if late else len(self._fills) - 1)
        trips = self._new_trips(entry, late=late)
        if len(self._settled) + len(self._fills) > 2 * KEEP_FILLS:
            self._settle_oldest()
        if len(self._fills) > 2 * AT_HAND:
            self._pack()
        return Booked(entry, before, self.holding, trips, late)

    def take_back(self, key: str) -> Booked | None:
        """Remove a busted fill and fold what followed it; None when no such fill is kept."""
        self._unpack()
        for index, entry in enumerate(self._fills):
            if fill_key(*entry.fill.key) == key:
                before = self.holding
                del self._fills[index]
                self._money(entry.fill, -1)
                self.realized -= entry.realized_pnl
                self._fold(index)
                self._trips_told = min(self._trips_told, sum(1 for kept in self._fills if kept.closed))
                return Booked(entry, before, self.holding, (), index < len(self._fills))
        return None

    def _fold(self, start: int) -> None:
        """Fold fills[start:] onto what stands before them; realised PnL is corrected by the difference."""
        holding = self._fills[start - 1].after if start else self._base
        for entry in self._fills[start:]:
            entry.own_pnl, after, closed = step(holding, entry.fill)
            pnl = entry.own_pnl
            if self._reported_pnl and entry.fill.realized_pnl is not None and not entry.foreign:
                pnl, after, closed = step(holding, entry.fill, entry.fill.realized_pnl)
            holding = after
            self.realized += pnl - entry.realized_pnl
            entry.realized_pnl, entry.after, entry.closed = pnl, holding, closed
        self.holding = holding

    def _money(self, fill: Fill, sign: int) -> None:
        self.fees += fill.fee * sign
        self.funding += (fill.funding or ZERO) * sign

    def _new_trips(self, newest: BookedFill, *, late: bool) -> tuple[Trip, ...]:
        """Round trips that closed and were not told before; only a late fill can have closed more than its own."""
        closed = [entry.closed for entry in self._fills if entry.closed] if late else []
        if not late and newest.closed is not None:
            closed = [newest.closed]
            self._trips_told += 1
            return tuple(closed)
        new = tuple(closed[self._trips_told - self._settled.trips :])
        self._trips_told += len(new)
        return new

    def _settle_oldest(self) -> None:
        """Fold the oldest fills for good: the memory has a limit."""
        self._unpack()
        old, self._fills = self._fills[:-KEEP_FILLS], self._fills[-KEEP_FILLS:]
        self._base = old[-1].after
        self._trips_told -= sum(1 for entry in old if entry.closed)

    def _pack(self) -> None:
        """Put all but the newest aside; they keep what they were."""
        if not len(self._settled):
            self._settled_base = self._base
        old, self._fills = self._fills[:-AT_HAND], self._fills[-AT_HAND:]
        self._settled.add(old)
        self._base = old[-1].after

    def _unpack(self) -> None:
        """Have all at hand again: one of the old ones changes."""
        if len(self._settled):
            self._fills = self._settled.take() + self._fills
            self._base = self._settled_base


class Ledger:
    """Positions of all markets and the cash of this run: starting cash + realised PnL + funding - fees."""

    def __init__(self, starting_cash: Decimal = ZERO, *, reported_pnl: bool = False) -> None:
        self.starting_cash = starting_cash
        self._reported_pnl = reported_pnl
        self._positions: dict[str, Position] = {}
        self._keys: dict[str, bool] = {}
        self.payments = ZERO

    @property
    def cash(self) -> Decimal:
        """What the account holds by our own arithmetic."""
        return self.starting_cash + self.net

    @property
    def net(self) -> Decimal:
        """Everything that was ever booked: realised PnL and funding less fees."""
        return sum((position.net for position in self._positions.values()), self.payments)

    @property
    def realized(self) -> Decimal:
        """Realised PnL of all markets, gross of fees and funding."""
        return sum((position.realized for position in self._positions.values()), ZERO)

    @property
    def fees(self) -> Decimal:
        """Fees paid."""
        return sum((position.fees for position in self._positions.values()), ZERO)

    @property
    def funding(self) -> Decimal:
        """Funding received."""
        return sum((position.funding for position in self._positions.values()), self.payments)

    def position(self, symbol: str) -> Position:
        """The fold of one market."""
        position = self._positions.get(symbol)
        if position is None:
            position = self._positions[symbol] = Position(reported_pnl=self._reported_pnl)
        return position

    def holding(self, symbol: str) -> Holding:
        """What we hold of one market."""
        return self.position(symbol).holding

    def open_symbols(self) -> tuple[str, ...]:
        """Markets in which we hold something, in order of their name."""
        return tuple(sorted(symbol for symbol, position in self._positions.items() if position.size))

    def knows(self, key: str) -> bool:
        """Whether the fill was booked or busted before."""
        return key in self._keys

    def took_back(self, key: str) -> bool:
        """Whether the exchange took this fill back, booked or not."""
        return self._keys.get(key) is False

    def remember(self, key: str) -> None:
        """This fill has been dealt with, whatever came of it."""
        self._keys[key] = True
        if len(self._keys) > KEEP_KEYS:
            del self._keys[next(iter(self._keys))]

    def book(self, entry: BookedFill) -> Booked | None:
        """Book a fill once; None when it is known already (or was busted)."""
        key = fill_key(*entry.fill.key)
        if key in self._keys:
            return None
        self.remember(key)
        return self.position(entry.fill.symbol).book(entry)

    def bust(self, key: str) -> Booked | None:
        """Take a fill back; None when it is not ours. A fill busted before it is seen is never booked afterwards."""
        self._keys[key] = False
        for position in self._positions.values():
            taken = position.take_back(key)
            if taken is not None:
                return taken
        return None

    def drop(self, symbol: str) -> None:
        """Forget a position that turned out not to be ours; its fills stay known."""
        self._positions.pop(symbol, None)

    def pay(self, amount: Decimal) -> None:
        """A settled funding payment that no fill carries (exchanges that settle by the clock)."""
        self.payments += amount

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Cash and unrealised PnL at `marks`; a market without a mark counts at its entry price."""
        unrealized = (
            self.holding(symbol).unrealized(marks.get(symbol, self.holding(symbol).entry_price))
            for symbol in self.open_symbols()
        )
        return self.cash + sum(unrealized, ZERO)

    def restore(self, entries: Iterable[BookedFill], busted: Iterable[str] = ()) -> None:
        """Book what the journal holds of earlier runs."""
        for key in busted:
            self._keys[key] = False
        for entry in entries:
            # A copy without what an earlier fold made of it: whoever holds the saved state may write it down after this.
            self.book(BookedFill(fill=entry.fill, role=entry.role, reason=entry.reason, foreign=entry.foreign))
