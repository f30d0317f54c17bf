"""Price-time matching: better price first; at one price Retail before API before RPI, older before younger (6.5).

RPI orders rest in books of their own, hidden from the API book, and meet Retail takers only (paradex.md 6.3).
"""

from __future__ import annotations

from bisect import bisect_left, insort

from flashscalper.model.orders import Side
from flashscalper.simulator.book import Resting, Settlement, within_cap
from flashscalper.simulator.facts import SelfTrade


class Level:
    """One price: two queues in order of arrival, and the lots of both."""

    __slots__ = ("api", "lots", "retail")

    def __init__(self) -> None:
        self.retail: dict[Resting, None] = {}
        self.api: dict[Resting, None] = {}
        self.lots = 0

    def first(self) -> Resting:
        """Who is served first; a level is never empty."""
        return next(iter(self.retail or self.api))


class BookSide:
    """One side, its prices kept sorted with the best last. Keys are ticks for bids, negated ticks for asks."""

    __slots__ = ("_buy", "_keys", "_levels")

    def __init__(self, side: Side) -> None:
        self._buy = side is Side.BUY
        self._keys: list[int] = []
        self._levels: dict[int, Level] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def best(self) -> int | None:
        """Best price, None when empty."""
        if not self._keys:
            return None
        return self._keys[-1] if self._buy else -self._keys[-1]

    def best_level(self) -> Level:
        """The level at the best price."""
        return self._levels[self._keys[-1]]

    def worst_level(self) -> Level:
        """The level at the worst price."""
        return self._levels[self._keys[0]]

    def lots_at(self, tick: int) -> int:
        """Lots at a price."""
        level = self._levels.get(tick if self._buy else -tick)
        return 0 if level is None else level.lots

    def top(self, depth: int) -> list[tuple[int, int]]:
        """The best levels as (tick, lots)."""
        sign = 1 if self._buy else -1
        return [(sign * key, self._levels[key].lots) for key in self._keys[: -depth - 1 : -1]]

    def add(self, order: Resting) -> None:
        """Last in line at its price, in its class."""
        key = order.tick if self._buy else -order.tick
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = Level()
            insort(self._keys, key)
        (level.retail if order.retail else level.api)[order] = None
        level.lots += order.left

    def reduce(self, order: Resting, lots: int) -> None:
        """Take `lots` off a resting order and its level; an order with nothing left leaves."""
        key = order.tick if self._buy else -order.tick
        level = self._levels[key]
        order.left -= lots
        level.lots -= lots
        if not order.left:
            self._leave(key, level, order)

    def remove(self, order: Resting) -> None:
        """Take an order out; one that is not here is ignored."""
        key = order.tick if self._buy else -order.tick
        level = self._levels.get(key)
        if level is not None and order in (level.retail if order.retail else level.api):
            level.lots -= order.left
            self._leave(key, level, order)

    def _leave(self, key: int, level: Level, order: Resting) -> None:
        del (level.retail if order.retail else level.api)[order]
        if not level.retail and not level.api:
            del self._levels[key]
            if self._keys[-1] == key:
                self._keys.pop()
            else:
                del self._keys[bisect_left(self._keys, key)]


class CentralBook:
    """A whole market: API and RPI orders of both sides."""

    def __init__(self) -> None:
        self._shown = {side: BookSide(side) for side in Side}
        self._rpi = {side: BookSide(side) for side in Side}

    def best(self, side: Side) -> int | None:
        """Best price of the API book."""
        return self._shown[side].best()

    def lots_at(self, side: Side, tick: int) -> int:
        """Lots of the API book at a price."""
        return self._shown[side].lots_at(tick)

    def level_count(self, side: Side) -> int:
        """Price levels of the API book."""
        return len(self._shown[side])

    def levels(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """The best levels of the API book as (tick, lots)."""
        return self._shown[side].top(depth)

    def levels_with_rpi(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """The best levels of both books together."""
        merged = dict(self._shown[side].top(depth))
        for tick, lots in self._rpi[side].top(depth):
            merged[tick] = merged.get(tick, 0) + lots
        return sorted(merged.items(), reverse=side is Side.BUY)[:depth]

    def crosses(self, side: Side, tick: int) -> bool:
        """Whether an order of `side` at `tick` would meet the other side of the API book."""
        best = self._shown[side.opposite].best()
        return best is not None and (best <= tick if side is Side.BUY else best >= tick)

    def add(self, order: Resting) -> None:
        """Let an order rest."""
        (self._rpi if order.rpi else self._shown)[order.side].add(order)

    def remove(self, order: Resting) -> None:
        """Take an order out."""
        (self._rpi if order.rpi else self._shown)[order.side].remove(order)

    def shrink(self, order: Resting, left: int) -> None:
        """Make a resting order smaller in its place."""
        (self._rpi if order.rpi else self._shown)[order.side].reduce(order, order.left - left)

    def crowd_order(self, side: Side, *, best: bool) -> int | None:
        """The background order first in line at the best price, or last in line at the worst."""
        book_side = self._shown[side]
        if not len(book_side):
            return None
        queue = list((book_side.best_level() if best else book_side.worst_level()).api)
        for order in queue if best else reversed(queue):
            if order.owner is None:
                return order.number
        return None

    def match(self, taker: Resting, limit: int | None, cap: int | None, settlement: Settlement) -> None:
        """Walk the other side best first. `taker.left` says afterwards what did not trade."""
        spent = done = 0
        while taker.left and not taker.gone:
            book_side = self._side_to_hit(taker, limit)
            if book_side is None:
                return
            maker = book_side.best_level().first()
            if maker.owner is not None and maker.owner is taker.owner:
                if taker.stp is not SelfTrade.EXPIRE_TAKER:
                    settlement.expired(maker)
                if taker.stp is not SelfTrade.EXPIRE_MAKER:
                    settlement.expired(taker)
                continue
            tick = maker.tick
            lots = min(taker.left, maker.left)
            if cap is not None:
                lots = within_cap(taker.side, tick, lots, cap, (spent, done))
                if not lots:
                    return
            spent += tick * lots
            done += lots
            taker.left -= lots
            book_side.reduce(maker, lots)
            settlement.executed(taker, maker, tick, lots, None)

    def _side_to_hit(self, taker: Resting, limit: int | None) -> BookSide | None:
        """The book whose best price the taker meets next within its limit; API before RPI at one price."""
        opposite = taker.side.opposite
        book_side = self._shown[opposite]
        best = book_side.best()
        if taker.retail:
            hidden = self._rpi[opposite].best()
            if hidden is not None and (best is None or (hidden < best if taker.buy else hidden > best)):
                book_side, best = self._rpi[opposite], hidden
        if best is None or (limit is not None and (best > limit if taker.buy else best < limit)):
            return None
        return book_side
