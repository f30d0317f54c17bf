"""The public socket: trades, best quotes, books and marks of our markets, and what to do when any of it is damaged.

READY means: every subscription acknowledged and every trade gap filled. One busy market's quotes ride on the same socket,
so that a quiet market is told from a dead feed (paradex.md sections 5.4 to 5.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.books import BookDoor, BookVerdict
from flashscalper.exchanges.paradex.link import Link, LinkState
from flashscalper.exchanges.paradex.market_frames import MarketFrames, channel_of, template_channel
from flashscalper.exchanges.paradex.settings import BookFeed
from flashscalper.exchanges.paradex.trade_gaps import TradeGaps
from flashscalper.model.errors import ExchangeError, FlashScalperError, ProtocolError
from flashscalper.model.events import BestQuote, BookChange, StreamChanged
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade

if TYPE_CHECKING:
    from collections.abc import Callable

    from flashscalper.exchanges.paradex.desk import Desk, Flow, SubFlow
    from flashscalper.exchanges.paradex.rest import Rest

STREAM: Final = "market"
INTERACTIVE: Final = "interactive"
_REPAIR_EVERY_US: Final = SECOND_US


class MarketFeed:
    """Owner of the public link."""

    def __init__(self, desk: Desk, rest: Rest) -> None:
        self._desk = desk
        self._frames = MarketFrames(desk.symbol_of)
        self._gaps = TradeGaps(desk, rest)
        self._doors = {symbol: BookDoor() for symbol in desk.market_of}
        self._resyncing: set[str] = set()
        self._repaired_at: dict[str, int] = {}
        self._told_ready = False
        self._told_last: dict[str, int] = {}
        self.link = Link(desk, STREAM, desk.settings.socket_url, data_counts=True)
        self.link.set_up = self._set_up
        self.link.on_lost = self._lost
        self.on_lost: Callable[[int], None] = _nobody
        """Told whenever the stream breaks, or does not come up."""

    # ---- frames (hot) ----

    def take(self, data: bytes, binary: bool, now: int) -> None:  # noqa: FBT001 - the frame's own field
        """One frame of the public socket; its events go to the desk. Damage becomes Trouble and a repair."""
        try:
            event = self._frames.read_binary(data) if binary else self._frames.read_json(data)
        except ProtocolError as error:
            self.link.heard_at = now
            self._damaged(template_channel(data) if binary else channel_of(data), error, now)
            return
        if event is None:
            self._other(data, binary, now)
            return
        self.link.heard_at = now
        if type(event) is Trade:
            self._gaps.take(event)
        elif type(event) is BookChange:
            self._take_book(event, now)
        else:
            self._desk.events.append(event)

    def _take_book(self, change: BookChange, now: int) -> None:
        symbol = change.symbol
        if symbol in self._resyncing:
            return
        if self._desk.settings.interactive and self._take_interactive(change):
            return
        verdict = self._doors[symbol].judge(change)
        if verdict is BookVerdict.TAKE:
            self._desk.events.append(change)
        elif verdict is BookVerdict.RESYNC:
            self.resync(symbol, f"seq_no {change.seq_no} goes back or the snapshot crosses", now)

    def _take_interactive(self, change: BookChange) -> bool:
        """A whole book as Retail takers meet it: its best prices are the quote, for there is no interactive `bbo` channel.

        It may be crossed, because RPI orders wait for Retail takers only; then there is no book to be traded on (True).
        """
        bid, bid_size = max(change.bids, default=(None, 0.0))
        ask, ask_size = min(change.asks, default=(None, 0.0))
        quote = BestQuote(change.symbol, bid, bid_size, ask, ask_size, change.changed_at, change.seq_no)
        self._desk.events.append(quote)
        return bid is not None and ask is not None and bid >= ask

    def _other(self, data: bytes, binary: bool, now: int) -> None:  # noqa: FBT001
        """Acknowledgements, errors, and pushes of markets that are not ours (the busy one)."""
        if binary or self._frames.is_push(data):
            self.link.heard_at = now
            return
        try:
            envelope = responses.decode("frame", wire.Envelope, data)
        except ProtocolError as error:
            self._damaged(channel_of(data), error, now)
            return
        if envelope.method == "subscription" and envelope.params is not None:
            self._spaced(envelope.params, now)
        elif not self.link.answered(envelope, now) and envelope.error is not None:
            self._desk.trouble(STREAM, f"error frame: {envelope.error.code} {envelope.error.message}")

    def _spaced(self, params: wire.PushParams, now: int) -> None:
        """A push that the peek did not recognise (other spacing or order of fields): rewrite it and read it again."""
        channel = params.channel.encode()
        if b'"' in channel or b"\\" in channel:
            return
        data = b'{"params":{"channel":"%b","data":%b}}' % (channel, bytes(params.data))
        if self._frames.is_push(data):
            self.take(data, False, now)
        else:
            self.link.heard_at = now

    # ---- damage ----

    def _damaged(self, channel: str, error: ProtocolError, now: int) -> None:
        self._desk.trouble(STREAM, error)
        kind, _, rest = channel.partition(".")
        symbol = self._desk.symbol_of.get(rest.split(".", 1)[0])
        symbols = [symbol] if symbol is not None else list(self._desk.market_of)
        if now - self._repaired_at.get(kind, -_REPAIR_EVERY_US) < _REPAIR_EVERY_US or not self.link.ready:
            return
        self._repaired_at[kind] = now
        if kind == "order_book":
            for each in symbols:
                self.resync(each, "a damaged frame", now)
        elif kind == "trades":
            self._gaps.begin(symbols)
            self._desk.run(self._gaps.refill(now), now)

    def resync(self, symbol: str, reason: str, now: int) -> None:
        """Subscribe the book of `symbol` anew; its changes are dropped until the new snapshot."""
        settings = self._desk.settings
        if (settings.book is BookFeed.NONE and not settings.interactive) or symbol not in self._doors:
            self._desk.trouble("book", f"{symbol}: there is no book to resync ({reason})")
            return
        if symbol in self._resyncing or not self.link.ready:
            return
        self._desk.trouble("book", f"{symbol}: resync ({reason})")
        self._resyncing.add(symbol)
        self._doors[symbol].reset()
        self._desk.run(self._resubscribe(symbol, now), now)

    def _resubscribe(self, symbol: str, now: int) -> Flow:
        conn = self.link.conn
        params = requests.channel_params(self._book_channel(self._desk.market_of[symbol]))
        _, now = yield [self.link.ask("unsubscribe", params)]
        if self.link.conn != conn:
            return
        self._resyncing.discard(symbol)
        (answer,), now = yield [self.link.ask("subscribe", params)]
        if isinstance(answer, FlashScalperError) and self.link.conn == conn:
            self.link.close(now, f"book of {symbol} could not be subscribed: {answer}")

    # ---- set-up ----

    def _book_channel(self, market: str) -> str:
        settings = self._desk.settings
        return f"order_book.{market}.{INTERACTIVE if settings.interactive else settings.book}@15@50ms"

    def channels(self) -> list[str]:
        """Every channel of the public socket but the busy market's; a Retail run is quoted by the interactive book."""
        settings, channels = self._desk.settings, list[str]()
        for market in self._desk.market_of.values():
            channels += [f"trades.{market}", f"markets_summary.{market}"]
            if not settings.interactive:
                channels.append(f"bbo.{market}")
            if settings.interactive or settings.book is not BookFeed.NONE:
                channels.append(self._book_channel(market))
        return channels

    def _busy_channel(self) -> list[str]:
        busy = self._desk.settings.busy_market
        return [f"bbo.{busy}"] if busy and busy not in self._desk.symbol_of else []

    def _set_up(self, now: int) -> Flow:
        conn = self.link.conn
        self._resyncing.clear()
        for door in self._doors.values():
            door.reset()
        self._gaps.begin(self._desk.market_of)
        wanted = self.channels()
        asked = [*wanted, *self._busy_channel()]
        answers, now = yield [self.link.ask("subscribe", requests.channel_params(channel)) for channel in asked]
        if self.link.conn != conn:
            return
        for channel, answer in zip(asked, answers, strict=True):
            if isinstance(answer, ExchangeError) and channel not in wanted:
                self._desk.trouble(STREAM, f"the busy market is not there: {channel}: {answer}")
            elif isinstance(answer, FlashScalperError):
                self.link.close(now, f"{channel}: {answer}")
                return
        self.link.prolong(now, self._gaps.longest_s)
        now = yield from self._gaps.fill(now)
        if self.link.conn == conn and self.link.state is LinkState.SETTING_UP:
            self.link.became_ready(now)
            self._gaps.streams()
            self._told_ready = True
            self._desk.events.append(StreamChanged(STREAM, ready=True))

    # ---- without the stream ----

    def take_polled(self, data: bytes) -> None:
        """A quote or mark that was read, in the form of a push. Nothing of the stream is touched by it."""
        try:
            event = self._frames.read_json(data)
        except ProtocolError as error:
            self._desk.trouble(STREAM, error)
            return
        if event is not None and not isinstance(event, Trade | BookChange):
            self._desk.events.append(event)

    def catch_up(self, now: int) -> SubFlow:
        """Report the trades since the last one by reading them."""
        return (yield from self._gaps.catch_up(now))

    def _lost(self, reason: str, now: int) -> None:
        """Told also when the stream broke before it was whole, if trades had come of it: more may be missing."""
        self._gaps.drop()
        last = self._gaps.last_ids()
        if self._told_ready or last != self._told_last:
            self._told_ready, self._told_last = False, last
            self._desk.events.append(StreamChanged(STREAM, ready=False, reason=reason))
        self.on_lost(now)


def _nobody(now: int) -> None:
    """Listen to nothing."""
