"""A recorded market as a feed: Binance-shaped combined-stream lines (Aster's have the same shape) become market events.

A line is `<recorder's ns> <JSON>`; the JSON is one combined-stream message (`trade`, `bookTicker`, `depthUpdate`) or a
depth snapshot without a stream. The whole recording is read and checked before anything trades, so that damage is one
clear error and nothing is half-written: `ConfigError` names the source, the line, the field, what was seen and what is
accepted. Trades keep the exchange's ids and instants; the feed's clock is the largest exchange instant so far, because
streams overtake each other.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import MILLISECOND_US
from flashscalper.model.klines import Kline
from flashscalper.model.markets import Market
from flashscalper.model.orders import Side
from flashscalper.simulator.feeds.base import (
    ExchangeView,
    FeedEvent,
    FundingFixed,
    RecordedDepth,
    RecordedQuote,
    RecordedTrade,
)
from flashscalper.simulator.feeds.grid import Grid
from flashscalper.simulator.feeds.lines import DepthData, Message, QuoteData, TradeData

LINE = "a line '<recorder ns> <combined-stream JSON>'"
RECENT_DEPTH = 1_000
"""Depth messages kept for a snapshot that arrives after them."""
KINDS = "trade, bookTicker, depthUpdate, or a depth snapshot"


class _Depth(msgspec.Struct, gc=False):
    """A book change kept compactly: (tick, lots) pairs, flat, bids first."""

    snapshot: bool
    bid_levels: int
    levels: array[int]


_Kept = RecordedTrade | RecordedQuote | _Depth


class RecordingFeed:
    """One recorded market. Mark and index are the mid; the funding rate is the given one, 0 by default."""

    def __init__(self, market: Market, events: Sequence[tuple[int, _Kept]], funding_rate: Decimal) -> None:
        """Use `read_recording`."""
        self._market = market
        self._events = events
        self._funding_rate = funding_rate
        self._next = -1
        self.start_at = events[0][0]
        self.end_at = events[-1][0]

    @property
    def markets(self) -> tuple[Market, ...]:
        """The one market."""
        return (self._market,)

    @property
    def recorded(self) -> frozenset[str]:
        """Its book is shown, not matched."""
        return frozenset({self._market.symbol})

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:  # noqa: ARG002
        """A recording knows nothing from before its first line."""
        return {}

    def next_at(self) -> int | None:
        """When the next recorded event happened, in the feed's time."""
        index = max(self._next, 0)
        return self._events[index][0] if index < len(self._events) else None

    def pop(self, view: ExchangeView) -> FeedEvent:  # noqa: ARG002
        """The next recorded event; before the first one, the funding rate."""
        self._next += 1
        if not self._next:
            return FundingFixed(self._market.symbol, self._funding_rate)
        kept = self._events[self._next - 1][1]
        if not isinstance(kept, _Depth):
            return kept
        pairs = tuple(zip(kept.levels[::2], kept.levels[1::2], strict=True))
        return RecordedDepth(self._market.symbol, kept.snapshot, pairs[: kept.bid_levels], pairs[kept.bid_levels :])


def read_recording(
    lines: Iterable[bytes],
    *,
    source: str,
    markets: Sequence[Market],
    start_at: int | None = None,
    funding_rate: Decimal = ZERO,
) -> RecordingFeed:
    """Read and check a whole recording.

    `source` names it in errors; its symbol must be one of `markets`. With `start_at` every instant is shifted by one
    constant so that the first event happens then. Raises ConfigError.
    """
    reader = _Reader(source, {market.symbol: market for market in markets})
    for number, line in enumerate(lines, 1):
        reader.read(number, line)
    return reader.finish(start_at, funding_rate)


class _Reader:
    """The state of one pass over the lines."""

    def __init__(self, source: str, markets: Mapping[str, Market]) -> None:
        self._source = source
        self._markets = markets
        self._number = 0
        self._decode = msgspec.json.Decoder(Message).decode
        self._market: Market | None = None
        self._price = self._size = Grid(Decimal(1))
        self._at = 0
        self._events: list[tuple[int, _Kept]] = []
        self._trade_id: int | None = None
        self._book_update: int | None = None
        self._depth_update: int | None = None
        self._recent: deque[tuple[int, int, tuple[array[int], array[int]]]] = deque(maxlen=RECENT_DEPTH)

    def read(self, number: int, line: bytes) -> None:
        """One line becomes at most one event."""
        self._number = number
        stamp, space, payload = line.partition(b" ")
        if not space or not stamp.isdigit():
            raise self._error("", _shown(line), LINE)
        try:
            message = self._decode(payload)
        except msgspec.ValidationError as error:
            raise self._wrong_shape(payload, error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._error("", _shown(line), f"{LINE}; this one is cut or damaged") from None
        match message.data:
            case TradeData() as trade:
                self._trade(trade)
            case QuoteData() as quote:
                self._quote(quote)
            case DepthData() as depth:
                self._changes(depth)
            case None:
                self._snapshot(message)

    def _trade(self, data: TradeData) -> None:
        market = self._known(data.symbol)
        if self._trade_id is not None and data.id <= self._trade_id:
            raise self._error("t", data.id, f"a trade id above {self._trade_id}: trades in order, none twice")
        self._trade_id = data.id
        side = Side.SELL if data.m else Side.BUY
        tick, lots = self._tick("p", data.p), self._lots("q", data.q)
        at = self._instant(data.at)
        self._events.append((at, RecordedTrade(market.symbol, data.id, side, tick, lots, data.at * MILLISECOND_US)))

    def _quote(self, data: QuoteData) -> None:
        market = self._known(data.symbol)
        bid, ask = self._tick("b", data.bid), self._tick("a", data.ask)
        if bid >= ask:
            raise self._error("b", data.bid, f"a best bid below the best ask {data.ask}")
        bid_lots, ask_lots = self._lots("B", data.bid_size, zero=True), self._lots("A", data.ask_size, zero=True)
        self._events.append((self._instant(data.at), RecordedQuote(market.symbol, bid, bid_lots, ask, ask_lots)))

    def _changes(self, data: DepthData) -> None:
        """Depth messages must follow each other without a gap; those from before the first snapshot wait for it."""
        self._known(data.symbol)
        if self._depth_update not in (None, data.previous):
            raise self._error("pu", data.previous, f"{self._depth_update}, the last update before: depth without a gap")
        self._depth_update = data.last
        levels = self._levels("b", data.bids), self._levels("a", data.asks)
        self._recent.append((data.previous, data.last, levels))
        at = self._instant(data.at)
        if self._book_update is None or data.last < self._book_update:
            return
        if data.previous > self._book_update:
            raise self._error("pu", data.previous, f"at most {self._book_update}: the snapshot and what follows it")
        self._book_update = data.last
        self._events.append((at, _Depth(False, len(data.bids), levels[0] + levels[1])))

    def _snapshot(self, message: Message) -> None:
        """A snapshot is older than what streamed while it was on its way: those changes are applied to it."""
        last, at, bids, asks = message.last_update, message.at, message.bids, message.asks
        if last is None or at is None or bids is None or asks is None:
            raise self._error("", sorted(_present(message)), KINDS)
        if self._market is None:
            raise self._error("", "a depth snapshot", "a line that names its symbol first")
        sides = [_pairs(self._levels("bids", bids)), _pairs(self._levels("asks", asks))]
        newer = [(previous, update, levels) for previous, update, levels in self._recent if update >= last]
        if newer and newer[0][0] > last:
            raise self._error(
                "lastUpdateId", last, f"at least {newer[0][0]}: the snapshot is older than the depth kept for it"
            )
        for _, update, levels in newer:
            last = update
            for side, changes in zip(sides, levels, strict=True):
                side.update(_pairs(changes))
        flat = array("q", (number for side in sides for level in side.items() if level[1] for number in level))
        self._book_update = last
        bid_levels = sum(1 for lots in sides[0].values() if lots)
        self._events.append((self._instant(at), _Depth(True, bid_levels, flat)))

    def _known(self, symbol: str) -> Market:
        market = self._markets.get(symbol)
        if self._market is None and market is not None:
            self._market, self._price, self._size = market, Grid(market.price_tick), Grid(market.size_step)
        if market is None or market is not self._market:
            accepted = ", ".join(self._markets) if self._market is None else f"{self._market.symbol}, one symbol a recording"
            raise self._error("s", symbol, accepted)
        return market

    def _instant(self, at_ms: int) -> int:
        if at_ms <= 0:
            raise self._error("T", at_ms, "milliseconds since 1970")
        self._at = max(self._at, at_ms * MILLISECOND_US)
        return self._at

    def _tick(self, field: str, text: str) -> int:
        return self._on_grid(field, text, self._price, zero=False)

    def _lots(self, field: str, text: str, *, zero: bool = False) -> int:
        return self._on_grid(field, text, self._size, zero=zero)

    def _on_grid(self, field: str, text: str, grid: Grid, *, zero: bool) -> int:
        count = grid.count(text)
        if count is None or (not count and not zero):
            raise self._error(
                field, text, f"a {'number' if zero else 'number above zero'} that is a multiple of {grid.step}"
            )
        return count

    def _levels(self, field: str, levels: list[tuple[str, str]]) -> array[int]:
        flat = array("q")
        ticks, lots = self._price.known, self._size.known
        for price, size in levels:
            flat.append(ticks.get(price) or self._tick(field, price))
            flat.append(lots.get(size) or self._lots(field, size, zero=True))
        return flat

    def _wrong_shape(self, payload: bytes, error: msgspec.ValidationError) -> ConfigError:
        """Which field has which wrong value, in the words of the recording."""
        text, _, path = str(error).partition(" - at `$")
        try:
            seen: object = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._error("", _shown(payload), f"{LINE}; this one is cut or damaged")
        keys = path.rstrip("`").replace("[", ".").replace("]", "").split(".")[1:]
        for key in keys:
            inner = seen.get(key) if isinstance(seen, dict) else None
            if isinstance(seen, list) and key.isdigit() and int(key) < len(seen):
                inner = seen[int(key)]
            seen = inner
        return self._error(".".join(keys), seen, f"{KINDS} ({text})")

    def _error(self, field: str, seen: object, accepted: str) -> ConfigError:
        where = f"feed {self._source} line {self._number}"
        return ConfigError(f"{where} field {field}" if field else where, seen, accepted)

    def finish(self, start_at: int | None, funding_rate: Decimal) -> RecordingFeed:
        """The feed, shifted; a recording without a trade and a quote is refused."""
        kinds = {type(kept) for _, kept in self._events}
        if self._market is None or not {RecordedTrade, RecordedQuote} <= kinds:
            raise ConfigError(f"feed {self._source}", f"{self._number} lines", "a recording with trades and best quotes")
        events = self._events
        if start_at is not None:
            shift = start_at - events[0][0]
            events = [(at + shift, _shifted(kept, shift)) for at, kept in events]
        return RecordingFeed(self._market, events, funding_rate)


def _shifted(kept: _Kept, shift: int) -> _Kept:
    if isinstance(kept, RecordedTrade):
        return msgspec.structs.replace(kept, traded_at=kept.traded_at + shift)
    return kept


def _pairs(flat: array[int]) -> dict[int, int]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _present(message: Message) -> list[str]:
    return [name for name in message.__struct_fields__ if getattr(message, name) is not None]


def _shown(line: bytes) -> str:
    """The beginning of a line, for an error."""
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return text if len(text) <= 80 else text[:77] + "..."
