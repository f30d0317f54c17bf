"""The kline builder: public trades of one market become klines of any intervals, in one pass.

What a kline is, exactly:

- It covers `[open_at, close_at)` by the trades' exchange stamps; open and close follow trade-id order; sums run in trade-id
  order. Klines up to `1m` sum trades; longer ones sum the minutes' sums in time order. So every kline has one value, the
  same whoever else asks for what, here and in `market.folding` (bit for bit).
- It closes when `advance` says that `close_at` + `close_delay_us` has come. Without `timer_only` a trade's stamp also
  counts as time, so that a script which only calls `process_trade` sees klines close.
- A quiet interval is flat at the close before, with no trades. Before the first price there are no klines.
- Trades arrive in any order: a repeated id is dropped, the newest `reorder` trades are put in id order before they count,
  and an older one still counts (open, close, high, low and counts exactly; sums take it last).
- A trade for a closed kline changes stored history and gives a `KlineRevised` with the next `advance` that has something to
  do, never another `KlineClosed`.
- A kline begun before the stream was whole (at the first trade, or at the last `stream_ready`) has `complete` False; history
  from `seed` takes its place.

The hot path is one append: trades wait in the inbox and are counted in blocks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import islice
from operator import attrgetter, lt
from typing import TYPE_CHECKING, Final

import msgspec

from flashscalper.market.accumulator import Accumulator
from flashscalper.market.binance_rows import to_binance
from flashscalper.market.kline_track import KlineTrack, Revision
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import INTERVALS_US, MINUTE_US, interval_us
from flashscalper.model.klines import Kline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flashscalper.model.klines import Trade

CLOSE_DELAY_US: Final = 250_000
_BLOCK: Final = 64
_NEVER: Final = 2**63
_by_id = attrgetter("id")


class KlineClosed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A kline closed; it never changes for whoever acts on it."""

    kline: Kline


class KlineRevised(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A later trade belonged to a closed kline; stored history is corrected, decisions stand."""

    before: Kline
    after: Kline


KlineEvent = KlineClosed | KlineRevised


class KlineBuilder:
    """Klines of one symbol in several intervals.

    `intervals` are names of `model.instants.INTERVALS_US`; only these are built. `history` closed klines are kept of each.
    `started_at` (microseconds) says that the stream is whole from then on; otherwise it is from the first trade. The last
    `remembered_ids` trade ids are known; an unknown id older than all of them counts as repeated.
    Raises ConfigError for an unknown interval, none at all, or a number out of range.
    """

    def __init__(
        self,
        symbol: str,
        intervals: Sequence[str],
        history: int = 100,
        *,
        started_at: int | None = None,
        close_delay_us: int = CLOSE_DELAY_US,
        timer_only: bool = False,
        reorder: int = 64,
        remembered_ids: int = 512,
    ) -> None:
        _check_range("history", history, 1)
        _check_range("close_delay_us", close_delay_us, 0)
        _check_range("reorder", reorder, 0)
        _check_range("remembered_ids", remembered_ids, 1)
        self.symbol = symbol
        self.repeated_count = 0
        self.late_count = 0
        self.ignored_count = 0
        self._delay = close_delay_us
        self._timer_only = timer_only
        self._reorder = reorder
        self._tracks = _tracks(symbol, intervals, history)
        self._direct = [track for track in self._tracks.values() if track.length <= MINUTE_US]
        self._longer = [track for track in self._tracks.values() if track.length > MINUTE_US]
        self._minutes = self._tracks.get("1m") or KlineTrack(symbol, "1m", MINUTE_US, 1)
        if self._longer and self._minutes not in self._direct:
            self._direct.append(self._minutes)
        self._inbox: list[Trade] = []
        self._room = 1
        self._begun = False
        self._waiting: list[Trade] = []
        self._waiting_ids: list[int] = []
        self._folded_id = self._forgotten_id = -1
        self._known_ids: list[int] = []
        self._remembered_ids = remembered_ids
        self._newest_at = self._clock = -1
        self._whole_since = self._held_since = _NEVER
        self._closed: deque[KlineEvent] = deque(maxlen=4 * history * len(self._tracks))
        self._revisions: dict[tuple[int, int], Revision] = {}
        self._closes_at = self._due = _NEVER
        if started_at is not None:
            self.stream_ready(started_at)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The intervals built, shortest first."""
        return tuple(self._tracks)

    def process_trade(self, trade: Trade) -> None:
        """Take one public trade of this symbol, in any order."""
        inbox = self._inbox
        inbox.append(trade)
        if len(inbox) >= self._room:
            self._make_room()

    def advance(self, now: int) -> list[KlineEvent]:
        """The exchange clock says `now`: close what is due. Revisions first, then closed klines by time, short before long.

        Costs next to nothing before `next_close_at`.
        """
        if now < self._due:
            return []
        self._clock = max(self._clock, now)
        self._sort_inbox()
        self._close_until(now - self._delay)
        events: list[KlineEvent] = [KlineRevised(*self._revisions[key]) for key in sorted(self._revisions)]
        events += self._closed
        self._revisions.clear()
        self._closed.clear()
        self._reschedule()
        return events

    def next_close_at(self) -> int | None:
        """When `advance` has something to say next; None before anything is known, a past instant when it has already."""
        return self._due if self._due < _NEVER else None

    def stream_ready(self, at: int, *, gapless: bool = False) -> None:
        """The trade stream is whole from `at` on.

        `gapless`: trades missed since `stream_lost` have been processed, so klines of that time are complete after all.
        """
        if gapless and self._held_since < _NEVER:
            self._whole_since = self._held_since
            for track in self._tracks.values():
                self._note(track, track.complete_since(self._whole_since))
        else:
            self._whole_since = at
            self._begin(at)
        self._held_since = _NEVER
        self._reschedule()

    def stream_lost(self) -> None:
        """Trades may be missing since the newest one that came: klines closed after it, which nobody could tell from quiet
        ones, and klines that close from now on are not complete until `stream_ready`."""
        if self._whole_since < _NEVER:
            self._held_since, self._whole_since = self._whole_since, _NEVER
            self._sort_inbox()
            for track in self._tracks.values():
                self._note(track, track.doubt_since(self._newest()))

    def seed(self, interval: str, klines: Iterable[Kline]) -> list[Kline]:
        """Take closed klines of the exchange's history where ours are missing or incomplete; the stream keeps the rest.

        Returns what was taken, oldest first (so that a strategy can be warmed), without the one that is still open here:
        that one closes with history's numbers. Raises ConfigError naming the field of a kline that is not of this builder.
        """
        track = self._track(interval)
        self._sort_inbox()
        self._fold(len(self._waiting))
        fresh = track.seed(klines, self._whole_since)
        self._reschedule()
        return fresh

    def get_klines(self, interval: str, *, include_current: bool = False) -> list[Kline]:
        """Closed klines, oldest first; with `include_current` also those not closed yet, as they stand."""
        track = self._look(interval)
        return [*track.closed, *self._unclosed(track)] if include_current else list(track.closed)

    def get_current_kline(self, interval: str) -> Kline | None:
        """The newest kline as it stands, an immutable copy with `closed` False; None before the first price."""
        unclosed = self._unclosed(self._look(interval))
        return unclosed[-1] if unclosed else None

    def has_enough_data(self, interval: str, count: int) -> bool:
        """Whether the newest `count` closed klines are there without a hole between them."""
        track = self._look(interval)
        if len(track.closed) < count or count < 1:
            return count < 1
        return track.closed.open_at(-1) - track.closed.open_at(-count) == (count - 1) * track.length

    def get_kline_count(self, interval: str) -> int:
        """How many closed klines are kept."""
        return len(self._look(interval).closed)

    @staticmethod
    def to_binance(kline: Kline) -> list[int | str]:
        """The 12-field row that Binance gives, all fields filled; see `market.binance_rows`."""
        return to_binance(kline)

    def _begin(self, at: int) -> None:
        for track in (*self._tracks.values(), self._minutes):
            track.begin(at)

    def _make_room(self) -> None:
        if not self._begun:
            self._begun = True
            first_at = self._inbox[0].traded_at
            if self._whole_since == self._held_since == _NEVER:
                self._whole_since = first_at + 1
            self._begin(first_at)
            self._reschedule()
        self._sort_inbox()
        self._room = _BLOCK
        self._fold(len(self._waiting) - self._reorder)
        if self._newest_at >= self._closes_at and not self._timer_only:
            self._close_until(self._newest_at - self._delay)
            self._reschedule()

    def _sort_inbox(self) -> None:
        """Move what has come to the waiting trades: those are in strict id order and newer than all that is counted."""
        inbox = self._inbox
        if not inbox:
            return
        self._room -= len(inbox)  # so that looking in between does not change when trades are counted
        ids = [trade.id for trade in inbox]
        newest_id = self._waiting_ids[-1] if self._waiting_ids else self._folded_id
        if ids[0] > newest_id and all(map(lt, ids, islice(ids, 1, None))):
            self._waiting += inbox
            self._waiting_ids += ids
        else:
            self._merge(inbox)
        inbox.clear()

    def _merge(self, trades: list[Trade]) -> None:
        known = dict(zip(self._waiting_ids, self._waiting, strict=True))
        for trade in trades:
            if trade.id <= self._folded_id:
                self._take_late(trade)
            elif trade.id in known:
                self.repeated_count += 1
            else:
                known[trade.id] = trade
        self._waiting = sorted(known.values(), key=_by_id)
        self._waiting_ids = [trade.id for trade in self._waiting]

    def _fold(self, count: int) -> None:
        """Count the first `count` waiting trades."""
        if count <= 0:
            return
        trades, ids = self._waiting[:count], self._waiting_ids[:count]
        del self._waiting[:count], self._waiting_ids[:count]
        times = [trade.traded_at for trade in trades]
        self._folded_id = ids[-1]
        self._know(ids)
        ascending = sorted(times) == times
        self._newest_at = max(self._newest_at, times[-1] if ascending else max(times))
        for track in self._direct:
            for trade in track.fold(trades, times, ascending=ascending):
                self._late(track, trade)

    def _know(self, ids: list[int]) -> None:
        known = self._known_ids
        known += ids
        spare = len(known) - self._remembered_ids
        if spare > self._remembered_ids:
            self._forgotten_id = known[spare - 1]
            del known[:spare]

    def _take_late(self, trade: Trade) -> None:
        """A trade whose place in id order has passed: new to us, or repeated."""
        place = bisect_left(self._known_ids, trade.id)
        if trade.id <= self._forgotten_id or self._known_ids[place] == trade.id:
            self.repeated_count += 1
            return
        self._known_ids.insert(place, trade.id)
        self.late_count += 1
        for track in self._direct:
            self._late(track, trade)

    def _late(self, track: KlineTrack, trade: Trade) -> None:
        open_at = track.floor(trade.traded_at)
        if track.closed_until is None or open_at >= track.closed_until:
            track.part(open_at).add_late(trade)
            return
        revisions = track.revise(trade)
        if track.interval in self._tracks:
            self.ignored_count += revisions is None
            self._note(track, revisions or ())
        if track is self._minutes:
            for longer in self._longer:
                self._late(longer, trade)

    def _note(self, track: KlineTrack, revisions: Iterable[Revision]) -> None:
        for before, after in revisions:
            key = (after.close_at, track.length)
            first, _ = self._revisions.get(key, (before, after))
            self._revisions[key] = (first, after)
        self._reschedule()

    def _close_until(self, until: int) -> None:
        cut = max(track.floor(until) for track in self._direct)
        waiting = self._waiting
        self._fold(next((count for count in range(len(waiting), 0, -1) if waiting[count - 1].traded_at < cut), 0))
        closed: list[Kline] = []
        for track in self._direct:
            for kline, part in track.close(until, self._whole_since):
                if track is self._minutes and part.trade_count:
                    for longer in self._longer:
                        longer.part(longer.floor(part.open_at)).add_part(part)
                if track.interval in self._tracks:
                    closed.append(kline)
        for longer in self._longer:
            if longer.closed_until is not None and longer.closed_until + longer.length <= until:
                closed.extend(kline for kline, _ in longer.close(until, self._whole_since))
        closed.sort(key=_by_close)
        self._closed.extend(map(KlineClosed, closed))

    def _reschedule(self) -> None:
        ends = [track.closed_until + track.length for track in self._tracks.values() if track.closed_until is not None]
        self._closes_at = min(ends) + self._delay if ends else _NEVER
        self._due = min(self._closes_at, self._clock) if self._closed or self._revisions else self._closes_at

    def _newest(self) -> int:
        return max([self._newest_at, *[trade.traded_at for trade in self._waiting]])

    def _track(self, interval: str) -> KlineTrack:
        track = self._tracks.get(interval)
        if track is None:
            raise ConfigError("interval", interval, ", ".join(self._tracks))
        return track

    def _look(self, interval: str) -> KlineTrack:
        """The track to read from, with everything counted that has come."""
        track = self._track(interval)
        self._sort_inbox()
        newest = self._newest()
        if newest >= self._closes_at and not self._timer_only:
            self._close_until(newest - self._delay)
            self._reschedule()
        return track

    def _unclosed(self, track: KlineTrack) -> list[Kline]:
        newest = max(self._newest(), self._clock)
        if track.closed_until is None or newest < track.closed_until:
            return []
        last = track.floor(newest)
        klines: list[Kline] = []
        price = track.last_price
        for open_at in range(max(track.closed_until, last - (track.closed.limit) * track.length), last + 1, track.length):
            part = self._peek(track, open_at)
            if part.trade_count or price is not None:
                complete = open_at >= self._whole_since
                kline = part.kline(self.symbol, track.interval, closed=False, complete=complete, flat_at=price or 0.0)
                price = kline.close
                klines.append(kline)
        return klines

    def _peek(self, track: KlineTrack, open_at: int) -> Accumulator:
        """A copy of the kline under construction, with what waits in the inbox and in open minutes."""
        known = track.open.get(open_at)
        part = known.copy() if known else Accumulator(open_at, open_at + track.length)
        waiting = [trade for trade in self._waiting if open_at <= trade.traded_at < part.close_at]
        if track.length <= MINUTE_US:
            if waiting:
                part.add(waiting)
            return part
        begun = {minute for minute in self._minutes.open if open_at <= minute < part.close_at}
        for minute in sorted(begun.union(self._minutes.floor(trade.traded_at) for trade in waiting)):
            part.add_part(self._peek(self._minutes, minute))
        return part


def _tracks(symbol: str, intervals: Sequence[str], history: int) -> dict[str, KlineTrack]:
    if not intervals or isinstance(intervals, str):
        raise ConfigError("intervals", intervals, f"a sequence of {', '.join(INTERVALS_US)}")
    lengths = sorted({interval_us(name): name for name in intervals}.items())
    return {name: KlineTrack(symbol, name, length, history) for length, name in lengths}


def _by_close(kline: Kline) -> tuple[int, int]:
    return kline.close_at, -kline.open_at


def _check_range(field: str, number: int, least: int) -> None:
    if number < least:
        raise ConfigError(field, number, f"a whole number from {least} on")
