"""The order book of one market: snapshots and deltas in, best quote and depth out.

The hot path stores each changed level and compares its price with the best. Everything else is put off: a deleted level
stays as size 0 until somebody walks over it, and prices are only put in order when the best level itself goes or somebody
asks for depth. `tests/market/naive_book.py` is the plain twin that this one is tested against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
from enum import StrEnum
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final

from flashscalper.model.orders import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flashscalper.model.events import BookChange

Level = tuple[float, float]
"""(price, size); size 0 in a delta deletes the level."""

_INSORT_LIMIT: Final = 8
_TOMBSTONE_WALK: Final = 16


class BookVerdict(StrEnum):
    """What became of a change.

    `applied`: taken in. `stale`: a delta not newer than what we hold (repeated, or the sequence went backwards): ignored.
    `unsynced`: a delta before any snapshot: ignored. `crossed`: taken in, and now the best bid is not below the best ask:
    nothing may be decided on it until a new snapshot.
    """

    APPLIED = "applied"
    STALE = "stale"
    UNSYNCED = "unsynced"
    CROSSED = "crossed"


class OrderBook:
    """One market's book in float64: for looking, never for money.

    `max_levels` bounds each side; levels furthest from the market are forgotten first, so depth beyond it is not to be
    trusted. A snapshot is whole in itself and always replaces the book, also with a lower sequence number (the exchange
    began to count anew); a delta must be newer than what we hold. Gaps between sequence numbers are normal on Paradex.
    """

    __slots__ = ("_asks", "_bids", "_changed_at", "_seq_no", "_synced", "symbol")

    def __init__(self, symbol: str, *, max_levels: int = 2_000) -> None:
        self.symbol = symbol
        self._bids = _Bids(max_levels)
        self._asks = _Asks(max_levels)
        self._seq_no = 0
        self._changed_at = 0
        self._synced = False

    def apply(self, change: BookChange) -> BookVerdict:
        """Take in a snapshot or a delta; raises nothing, the verdict says what became of it."""
        bids = self._bids
        asks = self._asks
        if change.snapshot:
            bids.replace(change.bids)
            asks.replace(change.asks)
            self._synced = True
        elif change.seq_no <= self._seq_no:
            return BookVerdict.STALE if self._synced else BookVerdict.UNSYNCED
        elif self._synced:
            if changed := change.bids:
                bids.update(changed)
            if changed := change.asks:
                asks.update(changed)
        else:
            return BookVerdict.UNSYNCED
        self._seq_no = change.seq_no
        self._changed_at = change.changed_at
        return _APPLIED if bids.best < asks.best else _CROSSED

    def clear(self) -> None:
        """Forget everything, for a lost stream: deltas are ignored until the next snapshot."""
        self._bids.replace(())
        self._asks.replace(())
        self._seq_no = 0
        self._changed_at = 0
        self._synced = False

    @property
    def is_synced(self) -> bool:
        """Whether a snapshot has come since the start or the last `clear`."""
        return self._synced

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        return self._bids.best >= self._asks.best

    @property
    def seq_no(self) -> int:
        """Sequence number of the last change taken in, 0 before the first."""
        return self._seq_no

    @property
    def changed_at(self) -> int:
        """The exchange's instant of the last change taken in, microseconds, 0 before the first."""
        return self._changed_at

    @property
    def best_bid(self) -> float | None:
        """Highest bid, None when nobody bids."""
        best = self._bids.best
        return best if best != -inf else None

    @property
    def best_ask(self) -> float | None:
        """Lowest ask, None when nobody asks."""
        best = self._asks.best
        return best if best != inf else None

    @property
    def best_bid_size(self) -> float:
        """Size at the best bid, 0 when nobody bids."""
        return self._bids.sizes.get(self._bids.best, 0.0)

    @property
    def best_ask_size(self) -> float:
        """Size at the best ask, 0 when nobody asks."""
        return self._asks.sizes.get(self._asks.best, 0.0)

    def levels(self, side: Side, depth: int) -> list[Level]:
        """At most `depth` levels of bids (`Side.BUY`) or asks, best first."""
        return list(islice(self._side(side), depth))

    def size_at(self, side: Side, price: float) -> float:
        """Resting size at exactly `price`, 0 when there is none."""
        return (self._bids if side is Side.BUY else self._asks).sizes.get(price, 0.0)

    @property
    def mid(self) -> float | None:
        """Middle of best bid and ask, None while a side is empty."""
        bid, ask = self._bids.best, self._asks.best
        return (bid + ask) / 2 if bid != -inf and ask != inf else None

    @property
    def spread(self) -> float | None:
        """Best ask less best bid in price units, None while a side is empty; negative when crossed."""
        bid, ask = self._bids.best, self._asks.best
        return ask - bid if bid != -inf and ask != inf else None

    @property
    def microprice(self) -> float | None:
        """Best prices weighted by the *other* side's size: leans to where the next trade is likelier."""
        bid, ask = self._bids.best, self._asks.best
        if bid == -inf or ask == inf:
            return None
        bid_size, ask_size = self._bids.sizes[bid], self._asks.sizes[ask]
        return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)

    def imbalance(self, depth: int) -> float | None:
        """(bid size - ask size) / their sum over the best `depth` levels, in [-1, 1]; None while a side is empty."""
        bids = asks = 0.0
        for _, size in islice(self._side(Side.BUY), depth):
            bids += size
        for _, size in islice(self._side(Side.SELL), depth):
            asks += size
        return (bids - asks) / (bids + asks) if bids and asks else None

    def _side(self, side: Side) -> Iterator[Level]:
        return self._bids.best_first() if side is Side.BUY else self._asks.best_first()


_APPLIED: Final = BookVerdict.APPLIED
_CROSSED: Final = BookVerdict.CROSSED


class _BookSide(ABC):
    """Sizes by price, the best price, and the prices in ascending order as of the last time that anybody needed them.

    `sizes` remembers insertion order, so the prices that `_ascending` lacks are exactly its tail.
    """

    __slots__ = ("_ascending", "_max_levels", "best", "sizes")
    nowhere = -inf
    best_end = -1
    """Where the best of ascending prices is."""

    def __init__(self, max_levels: int) -> None:
        self.sizes: dict[float, float] = {}
        self._ascending: list[float] = []
        self._max_levels = max_levels
        self.best = self.nowhere

    def replace(self, levels: Iterable[Level]) -> None:
        sizes = dict(levels)
        if 0.0 in sizes.values():
            sizes = {price: size for price, size in sizes.items() if size}
        self._keep(sizes)
        self.best = self._ascending[self.best_end] if sizes else self.nowhere

    @abstractmethod
    def best_first(self) -> Iterator[Level]:
        """Levels from the best price on."""

    @abstractmethod
    def _nearest(self, prices: list[float]) -> list[float]:
        """The `max_levels` prices nearest to the market, of ascending ones, ascending."""

    def _purge(self) -> None:
        """Drop deleted levels, and the furthest ones beyond the bound."""
        self._keep({price: size for price, size in self.sizes.items() if size})

    def _keep(self, sizes: dict[float, float]) -> None:
        ascending = sorted(sizes)
        if len(ascending) > self._max_levels:
            ascending = self._nearest(ascending)
            sizes = {price: sizes[price] for price in ascending}
        self.sizes = sizes
        self._ascending = ascending

    def _in_order(self) -> list[float]:
        """All prices ascending, deleted ones included."""
        ascending = self._ascending
        fresh = len(self.sizes) - len(ascending)
        if fresh > _INSORT_LIMIT:
            ascending.extend(islice(reversed(self.sizes), fresh))
            ascending.sort()
        elif fresh:
            for price in islice(reversed(self.sizes), fresh):
                insort(ascending, price)
        return ascending


class _Bids(_BookSide):
    __slots__ = ()
    nowhere = -inf

    def update(self, changes: tuple[Level, ...]) -> None:
        sizes = self.sizes
        top = best = self.best
        touched = False
        for price, size in changes:
            sizes[price] = size
            if price >= best:
                touched = True
                top = max(top, price)
        if touched:
            self.best = top if sizes[top] else self._best_from(top)
        if len(sizes) > 2 * self._max_levels:
            self._purge()

    def _best_from(self, price: float) -> float:
        ascending = self._in_order()
        start = index = bisect_right(ascending, price)
        sizes = self.sizes
        best = self.nowhere
        while index and best == self.nowhere:
            index -= 1
            if sizes[ascending[index]]:
                best = ascending[index]
        if start - index > _TOMBSTONE_WALK:
            self._purge()
        return best

    def best_first(self) -> Iterator[Level]:
        sizes = self.sizes
        return ((price, size) for price in reversed(self._in_order()) if (size := sizes[price]))

    def _nearest(self, prices: list[float]) -> list[float]:
        return prices[-self._max_levels :]


class _Asks(_BookSide):
    __slots__ = ()
    nowhere = inf
    best_end = 0

    def update(self, changes: tuple[Level, ...]) -> None:
        sizes = self.sizes
        top = best = self.best
        touched = False
        for price, size in changes:
            sizes[price] = size
            if price <= best:
                touched = True
                top = min(top, price)
        if touched:
            self.best = top if sizes[top] else self._best_from(top)
        if len(sizes) > 2 * self._max_levels:
            self._purge()

    def _best_from(self, price: float) -> float:
        ascending = self._in_order()
        start = index = bisect_left(ascending, price)
        sizes = self.sizes
        best = self.nowhere
        while index < len(ascending) and best == self.nowhere:
            if sizes[ascending[index]]:
                best = ascending[index]
            index += 1
        if index - start > _TOMBSTONE_WALK:
            self._purge()
        return best

    def best_first(self) -> Iterator[Level]:
        sizes = self.sizes
        return ((price, size) for price in self._in_order() if (size := sizes[price]))

    def _nearest(self, prices: list[float]) -> list[float]:
        return prices[: self._max_levels]
