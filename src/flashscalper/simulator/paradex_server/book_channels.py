"""Order book channels: at most one message per rate and channel, whole books or differences (paradex.md 5.6)."""

from __future__ import annotations

from decimal import Decimal

from flashscalper.model.amounts import plain
from flashscalper.model.orders import Side
from flashscalper.simulator.facts import Depth, Quote
from flashscalper.simulator.paradex_server import sbe_frames, views
from flashscalper.simulator.paradex_server.channels import BOOK_DEPTH, BookChannel
from flashscalper.simulator.paradex_server.context import Context
from flashscalper.simulator.paradex_server.depth import grouped
from flashscalper.simulator.paradex_server.fanout import Fanout, Frames
from flashscalper.simulator.paradex_server.sessions import Session, Sessions

Levels = dict[Decimal, Decimal]
_ALL_LEVELS = 1_000


class _Stream:
    """One channel that somebody listens to: the book as its listeners hold it, and when it may be sent again."""

    __slots__ = ("asks", "bids", "channel", "depth", "due_at", "name", "not_before", "sent")

    def __init__(self, name: str, channel: BookChannel, depth: int) -> None:
        self.name = name
        self.channel = channel
        self.depth = depth
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.sent: Depth | None = None
        self.not_before = 0
        self.due_at: int | None = None


class BookChannels:
    """All order book channels with listeners."""

    def __init__(self, context: Context, sessions: Sessions, fanout: Fanout) -> None:
        self._context = context
        self._sessions = sessions
        self._fanout = fanout
        self._streams: dict[str, _Stream] = {}
        self._by_symbol: dict[str, list[_Stream]] = {}

    def greet(self, session: Session, name: str, channel: BookChannel, now: int) -> None:
        """A new listener gets the whole book at once: as the others hold it, so that differences fit."""
        stream = self._streams.get(name)
        if stream is None:
            depth = self._context.settings.deltas_depth if channel.feed == "deltas" else BOOK_DEPTH
            stream = self._streams[name] = _Stream(name, channel, depth)
            self._by_symbol.setdefault(channel.symbol, []).append(stream)
        if stream.sent is None:
            self._keep(stream, self._read(stream), now)
        assert stream.sent is not None
        self._fanout.to_one(session, stream.name, self._whole(stream, stream.sent, now))

    def forget(self, name: str) -> None:
        """A channel lost a listener; without any it stops."""
        stream = self._streams.get(name)
        if stream is not None and not self._sessions.has_listeners(name):
            del self._streams[name]
            self._by_symbol[stream.channel.symbol].remove(stream)

    def touched(self, symbol: str, now: int) -> None:
        """The book of a market changed: send now, or as soon as the rate allows."""
        for stream in self._by_symbol.get(symbol, ()):
            if now >= stream.not_before:
                self._publish(stream, now)
            elif stream.due_at is None:
                stream.due_at = stream.not_before

    def run_due(self, now: int) -> None:
        """Send what was held back and may go now."""
        for stream in self._streams.values():
            if stream.due_at is not None and now >= stream.due_at:
                self._publish(stream, now)

    def next_due(self) -> int | None:
        """When `run_due` has something to do next."""
        return min((stream.due_at for stream in self._streams.values() if stream.due_at is not None), default=None)

    def _read(self, stream: _Stream) -> Depth:
        exchange, channel = self._context.exchange, stream.channel
        read = exchange.interactive_book if channel.feed == "interactive" else exchange.book
        if channel.tick is None:
            return read(channel.symbol, stream.depth)
        return grouped(read(channel.symbol, _ALL_LEVELS), channel.tick, stream.depth)

    def _publish(self, stream: _Stream, now: int) -> None:
        stream.due_at = None
        before_bids, before_asks = stream.bids, stream.asks
        book = self._read(stream)
        if stream.sent is not None and (book.bids, book.asks) == (stream.sent.bids, stream.sent.asks):
            return
        self._keep(stream, book, now)
        if stream.channel.feed == "deltas":
            changes = _changes(Side.BUY, before_bids, stream.bids), _changes(Side.SELL, before_asks, stream.asks)
            self._fanout.to_all(stream.name, self._difference(stream, book, changes, now))
        else:
            self._fanout.to_all(stream.name, self._whole(stream, book, now))

    def _keep(self, stream: _Stream, book: Depth, now: int) -> None:
        stream.bids, stream.asks = dict(book.bids), dict(book.asks)
        stream.sent = book
        stream.not_before = now + stream.channel.rate_us

    def _whole(self, stream: _Stream, book: Depth, now: int) -> Frames:
        symbol, name = stream.channel.symbol, self._context.market_name(stream.channel.symbol)
        api = self._context.exchange.quote(symbol)
        interactive = self._context.exchange.interactive_quote(symbol) if stream.channel.feed == "interactive" else None
        view = _update(book, name, "s")
        view["inserts"] = [_level(Side.BUY, *each) for each in book.bids] + [_level(Side.SELL, *each) for each in book.asks]
        if interactive is not None:
            view |= _interactive_extras(api, interactive)

        def frame(version: int) -> bytes:
            return sbe_frames.book(book, name, version, now, snapshot=True, api=api, interactive=interactive)

        return Frames(lambda: view, frame)

    def _difference(self, stream: _Stream, book: Depth, changes: tuple[_Changes, _Changes], now: int) -> Frames:
        name = self._context.market_name(stream.channel.symbol)
        bids, asks = changes

        def json_view() -> views.View:
            view = _update(book, name, "d")
            for kind in ("inserts", "updates", "deletes"):
                view[kind] = [_level(each.side, *level) for each in changes for level in getattr(each, kind)]
            return view

        changed = Depth(bids.levels(), asks.levels(), book.seq_no, book.at)
        return Frames(json_view, lambda version: sbe_frames.book(changed, name, version, now, snapshot=False))


class _Changes:
    """What turns one side of a book into another."""

    __slots__ = ("deletes", "inserts", "side", "updates")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.inserts: list[tuple[Decimal, Decimal]] = []
        self.updates: list[tuple[Decimal, Decimal]] = []
        self.deletes: list[tuple[Decimal, Decimal]] = []

    def levels(self) -> tuple[tuple[Decimal, Decimal], ...]:
        """All of them as SBE has it: size 0 deletes."""
        return (*self.inserts, *self.updates, *self.deletes)


def _changes(side: Side, before: Levels, after: Levels) -> _Changes:
    changes = _Changes(side)
    for price, size in after.items():
        known = before.get(price)
        if known is None:
            changes.inserts.append((price, size))
        elif known != size:
            changes.updates.append((price, size))
    changes.deletes = [(price, Decimal(0)) for price in before if price not in after]
    return changes


def _level(side: Side, price: Decimal, size: Decimal) -> dict[str, str]:
    return {"side": side.value.upper(), "price": plain(price), "size": plain(size)}


def _update(book: Depth, name: str, kind: str) -> views.View:
    return {
        "seq_no": book.seq_no,
        "market": name,
        "last_updated_at": views.ms(book.at),
        "update_type": kind,
        "inserts": [],
        "updates": [],
        "deletes": [],
    }


def _interactive_extras(api: Quote, interactive: Quote) -> views.View:
    """Best prices of both kinds, and the relative spread (ask - bid) / midpoint where there is one."""
    extras: views.View = {}
    for suffix, quote in (("api", api), ("interactive", interactive)):
        if quote.bid is not None:
            extras[f"best_bid_{suffix}"] = _level(Side.BUY, quote.bid, quote.bid_size)
        if quote.ask is not None:
            extras[f"best_ask_{suffix}"] = _level(Side.SELL, quote.ask, quote.ask_size)
    if interactive.bid is not None and interactive.ask is not None:
        spread = (interactive.ask - interactive.bid) * 2 / (interactive.ask + interactive.bid)
        extras["relative_spread"] = plain(spread.quantize(Decimal("0.00000001")))
    return extras
