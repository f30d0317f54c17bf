"""Paradex's streams for scripts, as a machine: two links, the channels that somebody wants on them, what their frames mean.

Built of the trading client's own parts: `Link` reconnects and resubscribes, `TradeGaps` back-fills trades from REST by trade
id, the frame readers check every figure. Events go to the desk; `reconnected` and refusals are told apart here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from flashscalper.exchanges.base import Frame, Incoming, Pong, SocketClosed, SocketOpened
from flashscalper.exchanges.paradex import requests, responses, sbe, script_requests, wire
from flashscalper.exchanges.paradex.account_frames import CHANNELS, OPTIONAL_CHANNELS, AccountFrames
from flashscalper.exchanges.paradex.desk import Answer, Desk, Flow
from flashscalper.exchanges.paradex.link import Link, LinkState
from flashscalper.exchanges.paradex.market_frames import MarketFrames
from flashscalper.exchanges.paradex.rest import Rest
from flashscalper.exchanges.paradex.script_results import (
    PRIVATE_CHANNELS,
    FundingPayment,
    FundingPoint,
    Pushed,
    told,
    told_binary,
)
from flashscalper.exchanges.paradex.trade_gaps import TradeGaps
from flashscalper.market.book import BookVerdict, OrderBook
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.errors import ConfigError, ExchangeError, FlashScalperError, ProtocolError
from flashscalper.model.events import BestQuote, BookChange, StreamChanged
from flashscalper.model.klines import Trade

MARKET: Final = "market"
ACCOUNT: Final = "account"
_TRADES: Final = "trades"
_BOOK: Final = "order_book"
_SBE_FUNDING: Final = b"\x05\x00"

Told = FundingPoint | FundingPayment | Pushed
"""What channels say that only scripts subscribe; the rest is in `Event`."""


def is_private(channel: str) -> bool:
    """Whether a channel belongs on the account's connection."""
    return channel.partition(".")[0] in PRIVATE_CHANNELS


class EverySymbol(Mapping[str, str]):
    """Exchange name -> symbol for whatever market the mapper knows: account channels tell of all of them."""

    def __init__(self, symbols: SymbolMapper) -> None:
        self._symbols = symbols

    def __getitem__(self, name: str) -> str:
        try:
            return self._symbols.to_symbol(name)
        except ConfigError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (self._symbols.to_market(symbol) for symbol in self._symbols.symbols)

    def __len__(self) -> int:
        return len(self._symbols.symbols)


class Streams:
    """The public and the private link and what is wanted on them. Every call is synchronous; nothing here waits."""

    def __init__(self, desk: Desk, rest: Rest, symbols: SymbolMapper) -> None:
        self._desk = desk
        self._rest = rest
        desk.market_of.clear()
        desk.symbol_of.clear()
        self._market_frames = MarketFrames(desk.symbol_of)
        self._account_frames = AccountFrames(EverySymbol(symbols))
        self._gaps = TradeGaps(desk, rest)
        self.books: dict[str, OrderBook] = {}
        self.wanted: dict[str, str] = {}
        """Channel -> symbol (empty for all markets), in the order of asking."""
        self.cancel_on_disconnect = False
        """What the private connection is told before it counts as ready."""
        self.on_told: Callable[[Told], None] = _nobody
        self.subscribed: set[str] = set()
        self.refused: dict[str, ExchangeError] = {}
        """Channels that the exchange does not serve, with its words."""
        self._resyncing: set[str] = set()
        self._were_ready: set[str] = set()
        self.public = Link(desk, MARKET, desk.settings.socket_url, data_counts=True)
        self.public.set_up = self._set_up_public
        self.public.on_lost = self._lost_public
        self.private = Link(desk, ACCOUNT, desk.settings.socket_url, data_counts=False)
        self.private.set_up = self._set_up_private
        self.private.on_lost = self._lost_private

    # what is wanted

    def want(self, channel: str, symbol: str, market: str) -> None:
        """Keep `channel` subscribed, now and after every reconnect."""
        self.wanted[channel] = symbol
        self.refused.pop(channel, None)
        if symbol:
            self._desk.market_of[symbol] = market
            self._desk.symbol_of[market] = symbol
        if channel.startswith(_BOOK):
            self.books[symbol] = OrderBook(symbol)

    def forget(self, channel: str) -> None:
        """Do not subscribe `channel` again."""
        symbol = self.wanted.pop(channel, "")
        self.subscribed.discard(channel)
        if channel.startswith(_BOOK):
            self.books.pop(symbol, None)

    def link_of(self, channel: str) -> Link:
        """The connection that a channel belongs on."""
        return self.private if is_private(channel) else self.public

    def was_ready(self, name: str) -> bool:
        """Whether this stream was whole at least once and is still wanted."""
        return name in self._were_ready

    def forget_private(self) -> None:
        """The account's connection is closed on purpose: nothing on it is wanted any more."""
        self._were_ready.discard(ACCOUNT)
        for channel in self._wanted_on(self.private):
            self.forget(channel)

    def _wanted_on(self, link: Link) -> list[str]:
        return [channel for channel in self.wanted if self.link_of(channel) is link]

    # reports

    def take(self, message: Incoming, now: int) -> None:
        """One report of a socket."""
        for link in (self.public, self.private):
            if isinstance(message, Frame | SocketOpened | SocketClosed | Pong) and message.conn == link.conn:
                self._take(link, message, now)

    def _take(self, link: Link, message: Frame | SocketOpened | SocketClosed | Pong, now: int) -> None:
        if isinstance(message, Frame):
            self._frame(link, message, now)
        elif isinstance(message, SocketOpened):
            link.opened(now)
        elif isinstance(message, SocketClosed):
            link.closed(message.reason, message.status, now)
        else:
            link.pong(now)

    def _frame(self, link: Link, frame: Frame, now: int) -> None:
        try:
            if link is self.public:
                self._public_frame(frame, now)
            elif frame.binary:
                link.heard_at = now
                self._desk.events.extend(self._account_frames.read_binary(frame.data))
            else:
                self._control_frame(link, frame.data, now)
        except ProtocolError as error:
            link.heard_at = now
            self._desk.trouble(link.name, error)
            link.close(now, f"damaged frame: {error}")

    def _public_frame(self, frame: Frame, now: int) -> None:
        reader = self._market_frames.read_binary if frame.binary else self._market_frames.read_json
        event = reader(frame.data)
        if event is None:
            if frame.binary or self._market_frames.is_push(frame.data):
                self.public.heard_at = now
                if frame.binary and frame.data[2:4] == _SBE_FUNDING:
                    self._funding_frame(frame.data)
            else:
                self._control_frame(self.public, frame.data, now)
            return
        self.public.heard_at = now
        if isinstance(event, Trade):
            self._gaps.take(event)
        elif isinstance(event, BookChange):
            self._book(event, now)
        elif not isinstance(event, BestQuote) or f"bbo.{self._desk.market_of[event.symbol]}" in self.wanted:
            self._desk.events.append(event)  # quotes of the busy market come whether or not anybody wants them

    def _control_frame(self, link: Link, data: bytes, now: int) -> None:
        """Acknowledgements, errors and account pushes."""
        envelope = responses.decode("frame", wire.Envelope, data)
        if envelope.method == "subscription" and envelope.params is not None:
            link.heard_at = now
            channel = envelope.params.channel
            if link is self.private:
                self._desk.events.extend(self._account_frames.read(channel, bytes(envelope.params.data)))
            if channel in self.wanted:
                self.on_told(told(channel, envelope.params.data, self.wanted[channel]))
        elif not link.answered(envelope, now) and envelope.error is not None:
            self._desk.trouble(link.name, f"error frame: {envelope.error.code} {envelope.error.message}")

    def _funding_frame(self, data: bytes) -> None:
        message = sbe.decode_frame(data)
        symbol = self._desk.symbol_of.get(message.market) if isinstance(message, sbe.SbeFunding) else None
        if isinstance(message, sbe.SbeFunding) and symbol is not None:
            self.on_told(told_binary(message, symbol))

    # books

    def _book(self, change: BookChange, now: int) -> None:
        book = self.books.get(change.symbol)
        if book is None or change.symbol in self._resyncing:
            return
        behind = not change.snapshot and book.is_synced and change.seq_no < book.seq_no
        verdict = book.apply(change)
        if behind or verdict is BookVerdict.CROSSED:
            self._desk.trouble("book", f"{change.symbol}: {verdict} at seq_no {change.seq_no}; subscribing anew")
            self._resyncing.add(change.symbol)
            self._desk.run(self._resync(change.symbol), now)
        elif verdict is BookVerdict.APPLIED:
            self._desk.events.append(change)

    def _resync(self, symbol: str) -> Flow:
        conn = self.public.conn
        channel = next((name for name, of in self.wanted.items() if of == symbol and name.startswith(_BOOK)), "")
        params = requests.channel_params(channel)
        yield [self.public.ask("unsubscribe", params)]
        if self.public.conn != conn or not channel:
            return
        self.books[symbol].clear()
        self._resyncing.discard(symbol)
        (answer,), now = yield [self.public.ask("subscribe", params)]
        if isinstance(answer, FlashScalperError) and self.public.conn == conn:
            self.public.close(now, f"{channel}: {answer}")

    # set-up

    def _busy_channel(self) -> str:
        """Quotes of a busy market, so that a quiet one is told from a dead connection."""
        return f"bbo.{self._desk.settings.busy_market}"

    def _set_up_public(self, now: int) -> Flow:
        conn = self.public.conn
        self.subscribed.difference_update(self._wanted_on(self.public))
        self._resyncing.clear()
        for book in self.books.values():
            book.clear()
        self._gaps.begin(symbol for channel, symbol in self.wanted.items() if channel.startswith(_TRADES))
        asked = list(dict.fromkeys((*self._wanted_on(self.public), self._busy_channel())))
        answers, now = yield [self.public.ask("subscribe", requests.channel_params(channel)) for channel in asked]
        if self.public.conn != conn:
            return
        for channel, answer in zip(asked, answers, strict=True):
            if not self._settled(self.public, channel, answer, now):
                return
        self.public.prolong(now, self._gaps.longest_s)
        now = yield from self._gaps.fill(now)
        if self.public.conn == conn and self.public.state is LinkState.SETTING_UP:
            self._ready(self.public, now)

    def _settled(self, link: Link, channel: str, answer: Answer, now: int) -> bool:
        """Note what became of a subscription; a refusal is remembered, anything else that failed ends the connection."""
        if isinstance(answer, ExchangeError):
            if channel in self.wanted:
                self.refused[channel] = answer
                self.forget(channel)
            self._desk.trouble(link.name, f"{channel} is refused: {answer}")
        elif isinstance(answer, FlashScalperError):
            link.close(now, f"{channel}: {answer}")
            return False
        else:
            self.subscribed.add(channel)
        return True

    def _set_up_private(self, now: int) -> Flow:
        conn = self.private.conn
        tokens = self._rest.tokens
        assert tokens is not None
        (token,), now = yield [tokens.need]
        if isinstance(token, FlashScalperError):
            self.private.close(now, f"no token: {token}")
            return
        (answer,), now = yield [self.private.ask("auth", msgspec.json.encode({"bearer": token.decode()}))]
        if isinstance(answer, ExchangeError):
            tokens.reject(token.decode(), now)
        extra = [channel for channel in self._wanted_on(self.private) if channel not in (*CHANNELS, *OPTIONAL_CHANNELS)]
        self.subscribed.difference_update(extra)
        channels = (*CHANNELS, *OPTIONAL_CHANNELS, *extra)
        if self.cancel_on_disconnect and not isinstance(answer, FlashScalperError):
            (answer,), now = yield [self.private.ask(*script_requests.disconnect_rule(enabled=True))]
        answers: list[Answer] = [answer]
        if not isinstance(answer, FlashScalperError):
            answers, now = yield [self.private.ask("subscribe", requests.channel_params(each)) for each in channels]
        if self.private.conn != conn:
            return
        failed = [answer for answer in answers[: len(CHANNELS)] if isinstance(answer, FlashScalperError)]
        if failed:
            self.private.close(now, str(failed[0]))
            return
        for channel, each in zip(channels[len(CHANNELS) :], answers[len(CHANNELS) :], strict=True):
            if channel in extra and not self._settled(self.private, channel, each, now):
                return
        if self.private.state is LinkState.SETTING_UP:
            self._ready(self.private, now)

    # readiness

    def _ready(self, link: Link, now: int) -> None:
        link.became_ready(now)
        again = "reconnected" if link.name in self._were_ready else ""
        self._were_ready.add(link.name)
        self._desk.events.append(StreamChanged(link.name, ready=True, reason=again))

    def _lost_public(self, reason: str, now: int) -> None:  # noqa: ARG002 - a listener's shape
        self._gaps.drop()
        self.subscribed.difference_update(self._wanted_on(self.public))
        self._desk.events.append(StreamChanged(MARKET, ready=False, reason=reason))

    def _lost_private(self, reason: str, now: int) -> None:  # noqa: ARG002 - a listener's shape
        self.subscribed.difference_update(self._wanted_on(self.private))
        self._desk.events.append(StreamChanged(ACCOUNT, ready=False, reason=reason))


def _nobody(said: Told) -> None:
    """Listen to nothing."""
