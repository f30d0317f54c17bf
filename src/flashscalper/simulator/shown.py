"""A recorded market's book: nobody in the recording can react to us, so our orders are filled by a stated model.

- A taker eats what the recording shows, best level first; what it ate stays eaten until that level changes.
- A maker stands behind the lots shown at its price when it joined. Trades at its price work through that queue, then
  fill it; a queue is never longer than what is still shown. A trade beyond its price fills all of it, and so does, as far
  as the lots shown there go, an opposite best quote that reaches its price.
- Nothing of ours is in the shown book or printed, and our own orders do not meet each other.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from flashscalper.model.orders import Side
from flashscalper.simulator.book import Resting, Settlement, within_cap
from flashscalper.simulator.feeds.base import RecordedDepth, RecordedQuote, RecordedTrade


class ShownSide:
    """One side as recorded: depth levels, overruled at and inside the best quote by that quote."""

    def __init__(self, side: Side) -> None:
        self.buy = side is Side.BUY
        self.best: int | None = None
        self._best_lots = 0
        self._lots: dict[int, int] = {}
        self._ticks: list[int] = []
        self.own: list[Resting] = []
        self._eaten: dict[int, tuple[int, int]] = {}

    def shown(self, tick: int) -> int:
        """Lots that the recording shows at a price."""
        if self.best is None:
            return 0
        if tick == self.best:
            return self._best_lots
        return 0 if (tick > self.best) is self.buy else self._lots.get(tick, 0)

    def available(self, tick: int) -> int:
        """Shown lots less what we ate of them."""
        shown = self.shown(tick)
        eaten = self._eaten.get(tick)
        return shown if eaten is None else shown - eaten[1]

    def eat(self, tick: int, lots: int) -> None:
        """Remember that we took `lots` at a price."""
        before = self._eaten.get(tick)
        self._eaten[tick] = (self.shown(tick), lots + (0 if before is None else before[1]))

    def quote(self, tick: int, lots: int) -> None:
        """A new best price; 0 lots empty the side."""
        self.best = tick if lots else None
        self._best_lots = lots
        self._changed()

    def depth(self, snapshot: bool, levels: tuple[tuple[int, int], ...]) -> None:  # noqa: FBT001
        """A whole side or changed levels."""
        if snapshot:
            self._lots = {tick: lots for tick, lots in levels if lots}
            self._ticks = sorted(self._lots)
        else:
            for tick, lots in levels:
                self._set(tick, lots)
        self._changed()

    def _set(self, tick: int, lots: int) -> None:
        if not lots:
            if self._lots.pop(tick, None) is not None:
                del self._ticks[bisect_left(self._ticks, tick)]
            return
        if tick not in self._lots:
            insort(self._ticks, tick)
        self._lots[tick] = lots

    def _changed(self) -> None:
        """Forget what was eaten of levels that changed; no queue is longer than what is shown."""
        for tick in [tick for tick, (shown, _) in self._eaten.items() if self.shown(tick) != shown]:
            del self._eaten[tick]
        for order in self.own:
            order.queue_ahead = min(order.queue_ahead, self.shown(order.tick))

    def behind_best(self, count: int) -> list[int]:
        """Up to `count` ticks of the depth levels that are worse than the best price, best first."""
        if self.best is None:
            return []
        if self.buy:
            end = bisect_left(self._ticks, self.best)
            return self._ticks[max(0, end - count) : end][::-1]
        start = bisect_left(self._ticks, self.best + 1)
        return self._ticks[start : start + count]

    def ladder(self) -> Iterator[int]:
        """Every shown price, best first."""
        if self.best is not None:
            yield self.best
            yield from self.behind_best(len(self._ticks))

    def top(self, depth: int) -> list[tuple[int, int]]:
        """The best levels as (tick, lots)."""
        if self.best is None:
            return []
        return [(self.best, self._best_lots), *((tick, self._lots[tick]) for tick in self.behind_best(depth - 1))]

    def level_count(self) -> int:
        """Shown levels."""
        return 0 if self.best is None else 1 + len(self.behind_best(len(self._ticks)))


class ShownBook:
    """Both sides of a recorded market and our own resting orders beside them."""

    def __init__(self) -> None:
        self._sides = {side: ShownSide(side) for side in Side}

    def best(self, side: Side) -> int | None:
        """Best recorded price."""
        return self._sides[side].best

    def lots_at(self, side: Side, tick: int) -> int:
        """Recorded lots at a price."""
        return self._sides[side].shown(tick)

    def level_count(self, side: Side) -> int:
        """Recorded price levels."""
        return self._sides[side].level_count()

    def levels(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """The best recorded levels."""
        return self._sides[side].top(depth)

    def levels_with_rpi(self, side: Side, depth: int) -> list[tuple[int, int]]:
        """A recording shows no RPI orders: the best recorded levels."""
        return self._sides[side].top(depth)

    def crosses(self, side: Side, tick: int) -> bool:
        """Whether an order of `side` at `tick` would meet the other recorded side."""
        best = self._sides[side.opposite].best
        return best is not None and (best <= tick if side is Side.BUY else best >= tick)

    def crowd_order(self, side: Side, *, best: bool) -> int | None:  # noqa: ARG002
        """A recording has no background orders to cancel."""
        return None

    def add(self, order: Resting) -> None:
        """Let an order of ours rest behind what is shown at its price."""
        side = self._sides[order.side]
        order.queue_ahead = side.shown(order.tick)
        insort(side.own, order, key=lambda own: -own.tick if side.buy else own.tick)

    def remove(self, order: Resting) -> None:
        """Take an order of ours out."""
        own = self._sides[order.side].own
        if order in own:
            own.remove(order)

    def shrink(self, order: Resting, left: int) -> None:
        """Make an order of ours smaller; it keeps its place."""
        order.left = left

    def match(self, taker: Resting, limit: int | None, cap: int | None, settlement: Settlement) -> None:
        """Eat the shown levels of the other side, best first."""
        side = self._sides[taker.side.opposite]
        spent = done = 0
        for tick in side.ladder():
            if not taker.left or taker.gone or (limit is not None and (tick > limit if taker.buy else tick < limit)):
                return
            offered = min(taker.left, side.available(tick))
            lots = offered if cap is None else within_cap(taker.side, tick, offered, cap, (spent, done))
            if lots:
                spent += tick * lots
                done += lots
                taker.left -= lots
                side.eat(tick, lots)
                settlement.executed(taker, None, tick, lots, None)
            if lots < offered:
                return

    def show_quote(self, event: RecordedQuote, settlement: Settlement | None) -> None:
        """Take a recorded best quote; `settlement` None (trading is paused) fills nothing."""
        self._sides[Side.BUY].quote(event.bid, event.bid_lots)
        self._sides[Side.SELL].quote(event.ask, event.ask_lots)
        if settlement is not None:
            for side in Side:
                self._reached(side, settlement)

    def show_depth(self, event: RecordedDepth) -> None:
        """Take a recorded book or changed levels."""
        self._sides[Side.BUY].depth(event.snapshot, event.bids)
        self._sides[Side.SELL].depth(event.snapshot, event.asks)

    def show_trade(self, event: RecordedTrade, settlement: Settlement | None) -> None:
        """Take a recorded trade: it works through the queues ahead of our orders and, with `settlement`, fills them."""
        for side in Side:
            filled = 0
            for order in list(self._sides[side].own):
                through = event.tick < order.tick if order.buy else event.tick > order.tick
                hit = event.tick == order.tick and event.side is not side
                if through:
                    lots = order.left
                elif hit:
                    lots = min(order.left, max(0, event.lots - order.queue_ahead - filled))
                    filled += lots
                    order.queue_ahead = max(0, order.queue_ahead - event.lots)
                else:
                    continue
                if settlement is not None:
                    self._fill(order, lots, settlement, event.id)

    def _reached(self, side: Side, settlement: Settlement) -> None:
        """The other side's best quote reached orders of ours: whoever posted it met them."""
        other = self._sides[side.opposite]
        for order in list(self._sides[side].own):
            if other.best is None or (other.best > order.tick if order.buy else other.best < order.tick):
                return
            lots = min(order.left, other.available(other.best))
            if lots:
                other.eat(other.best, lots)
                self._fill(order, lots, settlement, None)

    def _fill(self, order: Resting, lots: int, settlement: Settlement, trade_id: int | None) -> None:
        """Fill `lots` of a resting order, unless a fill just before it closed it."""
        if not lots or order.gone:
            return
        order.left -= lots
        if not order.left:
            self.remove(order)
        settlement.executed(None, order, order.tick, lots, trade_id)
