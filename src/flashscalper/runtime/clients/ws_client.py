"""Paradex's streams for scripts: handlers by event name, and `async for event in client`.

    async with ParadexWebSocketClient.for_environment("testnet") as client:
        client.on("trade", print)
        await client.subscribe_trades("ETHUSDT")
        async for event in client: ...

Reconnects, resubscribes and back-fills by itself. A handler that fails is reported as `error` and never ends the stream.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from enum import StrEnum
from random import SystemRandom
from types import TracebackType
from typing import Any, Final, Self

from flashscalper.exchanges.base import CloseSocket, Incoming, OpenSocket, Outgoing, SendFrame
from flashscalper.exchanges.paradex import requests, script_requests
from flashscalper.exchanges.paradex.link import Link, LinkState
from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.market.book import OrderBook
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.errors import ConfigError, DeadlineError, FlashScalperError, TransportError
from flashscalper.model.events import BookChange, Event, StreamChanged, TradeHistory, Trouble
from flashscalper.model.klines import Trade
from flashscalper.runtime.clients.paradex_rest import ParadexRest
from flashscalper.runtime.clients.paradex_streams import ACCOUNT, MARKET, Streams, Told
from flashscalper.runtime.clients.rest_client import scripted_settings
from flashscalper.runtime.clients.scripted import CancelOutcome, OrderRequest, ScriptedOrder
from flashscalper.runtime.clients.ws_orders import SocketOrders
from flashscalper.runtime.clock import Clock, WallClock
from flashscalper.runtime.credentials import (
    DEFAULT_ENVIRONMENT,
    ENVIRONMENT_VARIABLE,
    Credentials,
    check_acknowledged,
    paradex_credentials,
    value_of,
)
from flashscalper.runtime.sockets import SocketShell

EVENTS_KEPT: Final = 10_000
"""Events that wait for a slow `async for`; the oldest go first, and an `error` says how many."""

_OWN_METHODS: Final = {
    "trades": "subscribe_trades",
    "bbo": "subscribe_best_quote",
    "order_book": "subscribe_order_book",
    "markets_summary": "subscribe_mark_price",
    "funding_data": "subscribe_funding",
    "funding_payments": "subscribe_funding_payments",
    **dict.fromkeys(("orders", "fills", "positions", "account", "tradebusts"), "subscribe_account"),
}

Handler = Callable[[Any], None]


class StreamEvent(StrEnum):
    """What `on` listens to, and what the handler gets.

    `trade`: a Trade. `orderbook`: the market's OrderBook, kept by the client, after each change. `channel`: every event of
    every subscription. `error`: a FlashScalperError. `reconnected` and `max_reconnect_attempts`: which stream, and why.
    """

    TRADE = "trade"
    ORDERBOOK = "orderbook"
    CHANNEL = "channel"
    ERROR = "error"
    RECONNECTED = "reconnected"
    MAX_RECONNECT_ATTEMPTS = "max_reconnect_attempts"


class ParadexWebSocketClient:
    """Public streams of Paradex, and one account's when there are credentials. An async context manager.

    `subscribe_*` return the channel's name once the exchange has acknowledged it; they raise ExchangeError when it refuses
    and DeadlineError when it does not answer. `max_reconnect_attempts` in the settings: 0 tries for ever.
    """

    def __init__(
        self,
        settings: ParadexSettings,
        credentials: Credentials | None = None,
        *,
        symbols: SymbolMapper | None = None,
        clock: Clock | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        settings.validate()
        self._symbols = symbols or SymbolMapper()
        self._io = ParadexRest(settings, credentials or Credentials(), clock or WallClock(), SystemRandom(), tls)
        self._io.on_outgoing = self._execute
        self._io.on_event = self._event
        self._streams = Streams(self._io.desk, self._io.rest, self._symbols)
        self._streams.on_told = self._deliver
        self._sockets = SocketShell(self._report, tls)
        self._orders = SocketOrders(settings, self._symbols, self._io, self._streams.private)
        self._handlers: dict[StreamEvent, list[Handler]] = defaultdict(list)
        self._queue: deque[Event | Told] = deque()
        self._dropped = 0
        self._iterating = False
        self._closed = False
        self._gave_up = ""
        self._changed = asyncio.Event()
        self._subscribing = asyncio.Lock()

    @classmethod
    def for_environment(
        cls,
        environment: str = "testnet",
        credentials: Credentials | None = None,
        *,
        rest_url: str = "",
        ws_url: str = "",
        symbols: SymbolMapper | None = None,
        **changes: Any,
    ) -> ParadexWebSocketClient:
        """A client of `testnet`, `prod` or `simulator` (which needs its addresses); `changes` are fields of the settings."""
        settings = scripted_settings(environment, rest_url=rest_url, ws_url=ws_url, **changes)
        return cls(settings, credentials, symbols=symbols)

    @classmethod
    def from_env(cls, variables: Mapping[str, str] | None = None, **changes: Any) -> ParadexWebSocketClient:
        """A client as the environment says, by the variables of `ExchangeFactory.create_from_env`; so is its account."""
        variables = os.environ if variables is None else variables
        environment = value_of(variables, ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT
        credentials = paradex_credentials(variables)
        check_acknowledged(credentials, environment, variables.get("LIVE_ACK", ""))
        return cls.for_environment(
            environment,
            credentials,
            rest_url=value_of(variables, "PARADEX_REST_URL"),
            ws_url=value_of(variables, "PARADEX_WS_URL"),
            **changes,
        )

    # life

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    @property
    def connected(self) -> bool:
        """Whether the public stream is up, acknowledged and without gaps."""
        return self._streams.public.ready

    async def connect(self) -> None:
        """Open the public stream and wait until it is ready. Raises DeadlineError, after which it is disconnected."""
        try:
            await self._bring_up(self._streams.public)
        except FlashScalperError:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """Say goodbye on every socket and end for good: nothing reconnects, `async for` ends after what it holds."""
        if self._closed:
            return
        self._closed = True
        for link in (self._streams.public, self._streams.private):
            link.shut()
        self._io.after()
        self._pulse()
        await self._io.aclose()
        await self._sockets.aclose()

    # subscriptions

    async def subscribe_trades(self, symbol: str) -> str:
        """Public trades of one market, by trade id without gaps or repetitions."""
        return await self._subscribe(f"trades.{self._symbols.to_market(symbol)}", symbol)

    async def subscribe_best_quote(self, symbol: str) -> str:
        """Best bid and ask of one market (`channel` events)."""
        return await self._subscribe(f"bbo.{self._symbols.to_market(symbol)}", symbol)

    async def subscribe_order_book(self, symbol: str) -> str:
        """The book of one market: a snapshot, then every change, kept in `order_book`."""
        return await self._subscribe(f"order_book.{self._symbols.to_market(symbol)}.deltas@15@50ms", symbol)

    async def subscribe_mark_price(self, symbol: str) -> str:
        """Mark and index price, funding rate and open interest of one market (`channel` events)."""
        return await self._subscribe(f"markets_summary.{self._symbols.to_market(symbol)}", symbol)

    async def subscribe_funding(self, symbol: str) -> str:
        """Funding rate, premium and index of one market, tick by tick (`channel` gets a FundingPoint)."""
        return await self._subscribe(f"funding_data.{self._symbols.to_market(symbol)}", symbol)

    async def subscribe_funding_payments(self, symbol: str) -> str:
        """Funding settled for the account in one market (`channel` gets a FundingPayment); opens the account's stream."""
        return await self._subscribe(f"funding_payments.{self._symbols.to_market(symbol)}", symbol)

    async def subscribe_channel(self, channel: str) -> str:
        """Any other JSON channel by Paradex's name for it, such as `balance_events`, `markets` or `transfers`.

        `channel` gets a Pushed with the data as it came. Channels of the account open the account's stream. Raises
        ConfigError for a channel that has a method of its own here.
        """
        kind = channel.partition(".")[0]
        if kind in _OWN_METHODS:
            raise ConfigError("channel", channel, f"{_OWN_METHODS[kind]}, which checks what comes")
        return await self._subscribe(channel, "")

    async def subscribe_account(self) -> str:
        """Orders, fills, positions and margin of the account (`channel` events). Raises AuthError without credentials."""
        await self._io.sign_in()
        await self._bring_up(self._streams.private)
        return ACCOUNT

    # orders

    async def place_order(self, wanted: OrderRequest) -> ScriptedOrder:
        """Send an order over the account's socket: market, limit and plain stops (the other types go over REST).

        Promises what `ParadexRestClient.place_order` does: sent once; `unknown` when no answer came; no risk gate. While the
        socket is lost it raises TransportError at once instead of sending an old order later.
        """
        await self._entry_open()
        return await self._orders.place_order(wanted)

    async def cancel_order(self, symbol: str, *, order_id: str = "", client_id: str = "") -> CancelOutcome:
        """Cancel an order by either id over the account's socket."""
        await self._entry_open()
        return await self._orders.cancel_order(symbol, order_id=order_id, client_id=client_id)

    async def cancel_all_orders(self, symbol: str = "") -> None:
        """Cancel every open order, of one market or of all, over the account's socket."""
        await self._entry_open()
        await self._orders.cancel_all_orders(symbol)

    async def cancel_on_disconnect(self, enabled: bool = True) -> None:  # noqa: FBT001, FBT002 - an on and off switch
        """Whether the exchange cancels what was entered on this socket when it is lost; armed anew after a reconnect."""
        await self._entry_open()
        self._streams.cancel_on_disconnect = enabled
        await self._io.answer(self._streams.private.ask(*script_requests.disconnect_rule(enabled=enabled)))

    async def unsubscribe(self, channel: str) -> None:
        """End what a `subscribe_*` call returned. Raises ConfigError for a channel that is not subscribed."""
        async with self._subscribing:
            if channel == ACCOUNT and self._streams.private.state is not LinkState.DOWN:
                self._streams.forget_private()
                self._streams.private.shut()
                self._io.after()
                return
            if channel not in self._streams.wanted:
                raise ConfigError("channel", channel, ", ".join(self._streams.wanted) or "none: nothing is subscribed")
            was_subscribed = channel in self._streams.subscribed
            self._streams.forget(channel)
            link = self._streams.link_of(channel)
            if was_subscribed and link.ready:
                await self._io.answer(link.ask("unsubscribe", requests.channel_params(channel)))

    def order_book(self, symbol: str) -> OrderBook:
        """The book kept for a subscribed market; it changes under your hands. Raises ConfigError when not subscribed."""
        name = self._symbols.to_symbol(symbol)
        if name not in self._streams.books:
            raise ConfigError("symbol", symbol, ", ".join(self._streams.books) or "none: no book is subscribed")
        return self._streams.books[name]

    # listening

    def on(self, event: str, handler: Handler) -> None:
        """Call `handler` for every `event` (see `StreamEvent`), in the order of registration, from the event loop."""
        try:
            self._handlers[StreamEvent(event)].append(handler)
        except ValueError:
            raise ConfigError("event", event, ", ".join(StreamEvent)) from None

    def off(self, event: str, handler: Handler) -> None:
        """Undo one `on`; a handler that is not registered is ignored."""
        handlers = self._handlers.get(StreamEvent(event), [])
        if handler in handlers:
            handlers.remove(handler)

    async def __aiter__(self) -> AsyncIterator[Event | Told]:
        """Every event of every subscription, oldest first, until `disconnect` or until reconnecting was given up."""
        if self._iterating:
            raise RuntimeError("one `async for` at a time: events are not handed out twice")
        self._iterating = True
        try:
            while True:
                while self._queue:
                    yield self._queue.popleft()
                if self._dropped:
                    count, self._dropped = self._dropped, 0
                    self._emit(StreamEvent.ERROR, TransportError(f"the reader was too slow: {count} events were dropped"))
                if self._closed or self._gave_up:
                    return
                await self._changed.wait()
        finally:
            self._iterating = False

    # the machine

    async def _subscribe(self, channel: str, symbol: str) -> str:
        async with self._subscribing:
            self._check_open()
            streams = self._streams
            if channel in streams.wanted:
                return channel
            link = streams.link_of(channel)
            private = link is streams.private
            if private:
                await self._io.sign_in()
            streams.want(
                channel,
                self._symbols.to_symbol(symbol) if symbol else "",
                self._symbols.to_market(symbol) if symbol else "",
            )
            try:
                if private:
                    link.open(self._io.now())
                    self._io.after()
                await self._until(lambda: channel in streams.subscribed or channel in streams.refused or link.ready)
                if channel not in streams.subscribed and channel not in streams.refused:
                    await self._io.answer(link.ask("subscribe", requests.channel_params(channel)))
                    streams.subscribed.add(channel)
            except FlashScalperError:
                streams.forget(channel)
                raise
            if channel in streams.refused:
                raise streams.refused.pop(channel)
            return channel

    async def _entry_open(self) -> None:
        """Open the account's stream for the first order; one that was lost is not waited for."""
        self._check_open()
        if not self._streams.was_ready(ACCOUNT):
            await self.subscribe_account()

    async def _bring_up(self, link: Link) -> None:
        self._check_open()
        link.open(self._io.now())
        self._io.after()
        await self._until(lambda: link.ready)

    async def _until(self, done: Callable[[], bool]) -> None:
        limit_s = self._io.settings.connect_timeout_s + self._io.settings.handshake_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                while not done():
                    await self._changed.wait()
                    self._check_open()
        except TimeoutError:
            raise DeadlineError(f"not ready within {limit_s} s") from None

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError("the client is disconnected")
        if self._gave_up:
            raise TransportError(self._gave_up)

    def _execute(self, item: Outgoing) -> None:
        if isinstance(item, SendFrame):
            self._sockets.send(item)
        elif isinstance(item, OpenSocket):
            self._sockets.open(item)
        elif isinstance(item, CloseSocket):
            self._sockets.close(item)

    def _report(self, message: Incoming) -> None:
        if not self._closed:
            self._streams.take(message, self._io.now())
            self._io.after()
            self._pulse()

    def _pulse(self) -> None:
        """Wake whoever waits, once; they look for themselves whether it concerns them."""
        self._changed.set()
        self._changed.clear()

    def _event(self, event: Event) -> None:
        if isinstance(event, Trouble):
            self._trouble(event)
        elif isinstance(event, StreamChanged):
            self._stream_changed(event)
        elif isinstance(event, TradeHistory):
            for trade in event.trades:
                self._deliver(trade)
            if not event.gapless:
                self._emit(
                    StreamEvent.ERROR, TransportError(f"trades of {event.symbol} may be missing after an interruption")
                )
        else:
            self._deliver(event)

    def _deliver(self, event: Event | Told) -> None:
        if isinstance(event, Trade):
            self._emit(StreamEvent.TRADE, event)
        elif isinstance(event, BookChange):
            self._emit(StreamEvent.ORDERBOOK, self._streams.books[event.symbol])
        self._emit(StreamEvent.CHANNEL, event)
        self._keep(event)

    def _keep(self, event: Event | Told) -> None:
        if len(self._queue) >= EVENTS_KEPT:
            self._queue.popleft()
            self._dropped += self._iterating
        self._queue.append(event)

    def _trouble(self, event: Trouble) -> None:
        if event.where == "max_reconnect_attempts":
            self._gave_up = event.detail
            self._emit(StreamEvent.MAX_RECONNECT_ATTEMPTS, event)
        else:
            self._emit(StreamEvent.ERROR, TransportError(f"{event.where}: {event.detail}"))

    def _stream_changed(self, event: StreamChanged) -> None:
        if event.ready and event.reason:
            self._emit(StreamEvent.RECONNECTED, event)
        if event.stream in (MARKET, ACCOUNT):
            self._keep(event)

    def _emit(self, kind: StreamEvent, what: object) -> None:
        for handler in tuple(self._handlers.get(kind, ())):
            try:
                handler(what)
            except Exception as error:
                if kind is StreamEvent.ERROR:
                    logging.getLogger(__name__).exception("a handler of `error` failed")
                else:
                    self._emit(StreamEvent.ERROR, FlashScalperError(f"a handler of `{kind}` failed: {error!r}"))
