"""What a book is to the rest of the exchange, and what rests in it. Prices are integer ticks, sizes integer lots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flashscalper.model.orders import Side
from flashscalper.simulator.facts import SelfTrade

if TYPE_CHECKING:
    from flashscalper.simulator.accounts import Account


class Resting:
    """The part of an order that matching needs. `owner` is None for the background participants of a synthetic market.

    `gone` marks an order that closed while something is still left of it; `queue_ahead` is used on recordings only.
    """

    __slots__ = ("buy", "gone", "left", "number", "owner", "queue_ahead", "retail", "rpi", "side", "stp", "tick")

    def __init__(self, number: int, side: Side, tick: int, left: int) -> None:
        self.number = number
        self.side = side
        self.buy = side is Side.BUY
        self.tick = tick
        self.left = left
        self.owner: Account | None = None
        self.retail = False
        self.rpi = False
        self.gone = False
        self.queue_ahead = 0
        self.stp = SelfTrade.EXPIRE_TAKER


class Settlement(Protocol):
    """Who is told what matching decided, one step at a time: the book is consistent at every call."""

    def executed(self, taker: Resting | None, maker: Resting | None, tick: int, lots: int, trade_id: int | None) -> None:
        """`lots` changed hands at `tick`, already taken off both orders. A side without an order of ours is None.

        `trade_id` names the recorded trade that did it; None on a matched market (a trade is then to be printed) and
        when nothing was printed.
        """
        ...

    def expired(self, order: Resting) -> None:
        """Self-trade prevention ends this order; the callee takes a resting one out of the book."""
        ...


class Book(Protocol):
    """One market's book, matched (`matching.CentralBook`) or shown by a recording (`shown.ShownBook`)."""

    def best(self, side: Side) -> int | None:
        """Best price of a side of the API book."""
        ...

    def lots_at(self, side: Side, tick: int) -> int:
        """Lots shown at a price."""
        ...

    def level_count(self, side: Side) -> int:
        """Shown price levels of a side."""
        ...

    def levels(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """The best `depth` levels as (tick, lots), best first."""
        ...

    def levels_with_rpi(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """The best levels as a Retail taker meets them, RPI orders included."""
        ...

    def crosses(self, side: Side, tick: int) -> bool:
        """Whether an order of `side` at `tick` would trade at once against the API book."""
        ...

    def match(self, taker: Resting, limit: int | None, cap: int | None, settlement: Settlement) -> None:
        """Trade as much of `taker` as the book allows at `limit` or better, its average price at `cap` or better."""
        ...

    def add(self, order: Resting) -> None:
        """Let what is left of an order rest at its price, last in line."""
        ...

    def remove(self, order: Resting) -> None:
        """Take a resting order out; one that does not rest is ignored."""
        ...

    def shrink(self, order: Resting, left: int) -> None:
        """Make a resting order smaller in its place."""
        ...

    def crowd_order(self, side: Side, *, best: bool) -> int | None:
        """Number of the background order first at the best (or last at the worst) price."""
        ...


def within_cap(side: Side, tick: int, lots: int, cap: int, taken: tuple[int, int]) -> int:
    """How many of `lots` at `tick` keep the average of everything taken at `cap` or better.

    `taken` is (ticks times lots, lots) so far.
    """
    buy, (spent, done) = side is Side.BUY, taken
    worse = tick - cap if buy else cap - tick
    if worse <= 0:
        return lots
    room = cap * done - spent if buy else spent - cap * done
    return min(lots, max(0, room // worse))
