"""Klines of one interval: those under construction, those that closed, and what history and late trades do to them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flashscalper.market.accumulator import Accumulator, flat_kline
from flashscalper.market.kline_store import KlineStore
from flashscalper.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flashscalper.model.klines import Kline, Trade

_REMEMBERED_ENDS: Final = 16

Revision = tuple["Kline", "Kline"]
"""A closed kline before and after."""


class KlineTrack:
    """One interval of one symbol. `closed_until` is where closed klines end (None before anything is known).

    Ids of first and last trade are remembered for the 16 newest closed klines; a late trade for an older one changes its
    high, low and sums, not its open and close (unless it was flat).
    """

    __slots__ = (
        "_ends",
        "_history",
        "_presets",
        "_seeded",
        "_symbol",
        "closed",
        "closed_until",
        "interval",
        "length",
        "open",
    )

    def __init__(self, symbol: str, interval: str, length: int, history: int) -> None:
        self.interval = interval
        self.length = length
        self.closed = KlineStore(symbol, interval, history)
        self.closed_until: int | None = None
        self.open: dict[int, Accumulator] = {}
        self._symbol = symbol
        self._history = history
        self._ends: dict[int, tuple[float, float]] = {}
        self._presets: dict[int, Kline] = {}
        self._seeded: set[int] = set()

    def floor(self, at: int) -> int:
        """Where the interval that contains `at` begins."""
        return at - at % self.length

    def begin(self, at: int) -> None:
        """Klines exist from the interval that contains `at`, unless earlier ones are known."""
        if self.closed_until is None:
            self.closed_until = self.floor(at)

    def part(self, open_at: int) -> Accumulator:
        """The kline under construction that begins at `open_at`."""
        found = self.open.get(open_at)
        if found is None:
            found = self.open[open_at] = Accumulator(open_at, open_at + self.length)
        return found

    def fold(self, trades: Sequence[Trade], times: Sequence[int], *, ascending: bool) -> Sequence[Trade]:
        """Take trades in id order with their stamps; returns those whose kline has closed already."""
        late: list[Trade] = []
        for open_at, group in self._split(trades, times) if ascending else self._scatter(trades, times):
            if open_at >= (self.closed_until or 0):
                self.part(open_at).add(group)
            else:
                late.extend(group)
        return late

    def _split(self, trades: Sequence[Trade], times: Sequence[int]) -> Iterator[tuple[int, Sequence[Trade]]]:
        """(open_at, trades of that kline) of ascending stamps: almost always all in one."""
        start, count = 0, len(trades)
        while start < count:
            open_at = times[start] - times[start] % self.length
            if times[-1] < open_at + self.length:
                yield open_at, trades[start:] if start else trades
                return
            end = bisect_left(times, open_at + self.length, start)
            yield open_at, trades[start:end]
            start = end

    def _scatter(self, trades: Sequence[Trade], times: Sequence[int]) -> Iterable[tuple[int, Sequence[Trade]]]:
        """The same of stamps that went back somewhere: id order holds within each kline."""
        groups: dict[int, list[Trade]] = {}
        for trade, at in zip(trades, times, strict=True):
            groups.setdefault(at - at % self.length, []).append(trade)
        return groups.items()

    def close(self, until: int, whole_since: int) -> Iterator[tuple[Kline, Accumulator]]:
        """Close every kline that ends by `until`, oldest first; quiet intervals are flat at the close before.

        A kline begun before `whole_since` is not complete. Of a silence longer than the history kept, only the newest
        flat klines are made.
        """
        while self.closed_until is not None and self.closed_until + self.length <= until:
            open_at = self._next_to_close(self.closed_until, self.floor(until))
            self.closed_until = open_at
            if open_at + self.length > until:
                return
            part = self.part(open_at)
            del self.open[open_at]
            kline = self._presets.pop(open_at, None) or part.kline(
                self._symbol, self.interval, closed=True, complete=open_at >= whole_since, flat_at=self.last_price or 0.0
            )
            self.closed.append(kline)
            self._remember(part)
            self.closed_until = kline.close_at
            yield kline, part

    def revise(self, trade: Trade) -> list[Revision] | None:
        """Correct the closed kline that `trade` belongs to, and flat ones after it; None when it is no longer kept.

        A kline from history has the trade already.
        """
        open_at = self.floor(trade.traded_at)
        index = self._index(open_at)
        if index is None:
            return None
        if open_at in self._seeded:
            return []
        before = self.closed[index]
        part = Accumulator.reopened(before, self._ends.pop(open_at, None))
        part.add_late(trade)
        self._remember(part)
        after = part.kline(self._symbol, self.interval, closed=True, complete=before.complete, flat_at=before.close)
        self.closed[index] = after
        return [(before, after), *self._carry(index)]

    def seed(self, klines: Iterable[Kline], whole_since: int) -> list[Kline]:
        """Take history where ours is missing or incomplete; returns what is new, oldest first."""
        known = {kline.open_at: kline for kline in self.closed}
        fresh = []
        for kline in klines:
            self._check(kline)
            mine = known.get(kline.open_at)
            if not kline.closed or (mine is not None and mine.complete):
                continue
            if self.open and kline.open_at >= (self.closed_until or 0):
                if kline.open_at < whole_since:
                    self._presets[kline.open_at] = kline
                    self._seeded.add(kline.open_at)
                continue
            known[kline.open_at] = kline
            self._ends.pop(kline.open_at, None)
            self._seeded.add(kline.open_at)
            fresh.append(kline)
        if fresh:
            fresh.sort(key=_by_open)
            self.closed.replace(sorted(known.values(), key=_by_open)[-self._history :])
            self.closed_until = max(self.closed_until or 0, self.closed[-1].close_at)
            self._seeded.intersection_update([*self._presets, *(kline.open_at for kline in self.closed)])
        return fresh

    def complete_since(self, whole_since: int) -> list[Revision]:
        """Trades of a gap have been filled in: incomplete klines begun at or after `whole_since` are complete."""
        changed = []
        for index, kline in enumerate(self.closed):
            if kline.open_at >= whole_since and not kline.complete:
                whole = replace(kline, complete=True)
                self.closed[index] = whole
                changed.append((kline, whole))
        return changed

    def doubt_since(self, at: int) -> list[Revision]:
        """Nothing was heard after `at`: klines that closed later may lack trades."""
        changed: list[Revision] = []
        for index in range(len(self.closed) - 1, -1, -1):
            kline = self.closed[index]
            if kline.close_at <= at:
                break
            if kline.complete and kline.open_at not in self._seeded:
                doubtful = replace(kline, complete=False)
                self.closed[index] = doubtful
                changed.append((kline, doubtful))
        return changed

    @property
    def last_price(self) -> float | None:
        """Close of the newest closed kline, None before the first."""
        return self.closed[-1].close if self.closed else None

    def _next_to_close(self, open_at: int, until: int) -> int:
        """`open_at`, or later when there is nothing to make a kline of, or too much silence to keep."""
        if open_at in self.open or open_at in self._presets:
            return open_at
        nearest = min((begin for begin in (*self.open, *self._presets) if begin >= open_at), default=until)
        if not self.closed:
            return min(nearest, until)
        return max(open_at, min(nearest, until - self._history * self.length))

    def _carry(self, index: int) -> Iterator[Revision]:
        """Flat klines after `index` follow its close."""
        price = self.closed[index].close
        for after in range(index + 1, len(self.closed)):
            kline = self.closed[after]
            if kline.trade_count or kline.volume or kline.close == price:
                return
            carried = flat_kline(
                self._symbol, self.interval, kline.open_at, kline.close_at, price, closed=True, complete=kline.complete
            )
            self.closed[after] = carried
            yield kline, carried

    def _remember(self, part: Accumulator) -> None:
        if not part.trade_count:
            return
        self._ends[part.open_at] = (part.first_id, part.last_id)
        if len(self._ends) > _REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]

    def _index(self, open_at: int) -> int | None:
        for index in range(len(self.closed) - 1, -1, -1):
            if self.closed.open_at(index) <= open_at:
                return index if self.closed.open_at(index) == open_at else None
        return None

    def _check(self, kline: Kline) -> None:
        if kline.symbol != self._symbol:
            raise ConfigError("kline.symbol", kline.symbol, self._symbol)
        if kline.interval != self.interval:
            raise ConfigError("kline.interval", kline.interval, self.interval)
        if kline.open_at % self.length or kline.close_at - kline.open_at != self.length:
            accepted = f"multiples of {self.length} us, closing {self.length} us later"
            raise ConfigError("kline.open_at", (kline.open_at, kline.close_at), accepted)


def _by_open(kline: Kline) -> int:
    return kline.open_at
