"""The real exchange's public data for a simulated one: our own client in public mode listens, a feed of ours repeats.

The client reconnects, fills gaps and reads the state; here it is driven, its events go into the mirror feed, and requests
for public history are passed on. When nothing was heard for 5 s the simulated exchange goes into maintenance and says
nothing more until something is heard again: it never makes anything up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from flashscalper.exchanges.base import HttpRequest, HttpResponse, Incoming, Outgoing, TimerDue
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.market.symbols import SymbolMapper
from flashscalper.model.commands import FetchKlines
from flashscalper.model.errors import ConfigError, TransportError
from flashscalper.model.events import (
    BestQuote,
    BookChange,
    Event,
    ExchangeStatus,
    ExchangeStatusChanged,
    KlineHistory,
    MarketsListed,
    MarkPrice,
    TradeHistory,
    Trouble,
)
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Trade
from flashscalper.model.markets import Market
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.clock import Clock
from flashscalper.runtime.http import HttpShell
from flashscalper.runtime.live import LiveDriver
from flashscalper.simulator.base import HttpAnswer, HttpArrived
from flashscalper.simulator.feeds.mirror import MirrorEvent, MirrorFeed

PREFIX: Final = "paradex:"
SILENT_AFTER_US: Final = 5 * SECOND_US
LATENCY_MS: Final = 50.0
"""What orders pay each way, unless told otherwise: the real exchange is not on loopback."""

HISTORY_MINUTES: Final = 24 * 60
READY_WITHIN_S: Final = 45.0
_LOOK_EVERY_S: Final = 0.25
_RELAYED: Final = frozenset({"/v1/markets/klines", "/v1/trades", "/v1/funding/data"})
_DROPPED_HEADERS: Final = frozenset(
    {"connection", "content-encoding", "content-length", "date", "server", "transfer-encoding"}
)
_ACCEPTED: Final = "paradex:prod, paradex:testnet, or http://HOST:PORT of a simulator on loopback"


def mirror_settings(name: str, symbols: Sequence[str]) -> ParadexSettings:
    """The public client's settings for `paradex:prod`, `paradex:testnet` or a simulator's base URL. Raises ConfigError."""
    mapper = SymbolMapper()
    markets = tuple((mapper.to_symbol(symbol), mapper.to_market(symbol)) for symbol in symbols)
    environment = name.removeprefix(PREFIX)
    if name.startswith(PREFIX) and environment in (Environment.PROD, Environment.TESTNET):
        return ParadexSettings.for_environment(environment, markets, private=False)
    parts = urlsplit(name)
    if parts.scheme != "http" or not is_loopback(parts.hostname or "") or parts.path not in ("", "/"):
        raise ConfigError("mirror", name, _ACCEPTED)
    base = name.rstrip("/")
    urls = {"rest_url": f"{base}/v1", "ws_url": f"ws{base.removeprefix('http')}/v1"}
    return ParadexSettings.for_environment(Environment.SIMULATOR, markets, private=False, **urls)


class _Listener:
    """The public client as something to be driven: whatever it reports is handed on."""

    def __init__(self, client: ParadexClient, heard: Callable[[Event, int], None]) -> None:
        self._client = client
        self._heard = heard

    def start(self, now: int) -> None:
        """Begin."""
        self._client.start(now)

    def incoming(self, message: Incoming, now: int) -> None:
        """Take one report of the outside world."""
        for event in self._client.receive(message, now):
            self._heard(event, now)

    def tell(self, event: Event, now: int) -> None:
        """Something that came from elsewhere is heard like the rest."""
        self._heard(event, now)

    def due(self, now: int) -> None:
        """The deadline has come."""
        deadline = self._client.next_deadline()
        if deadline is not None and deadline <= now:
            self.incoming(TimerDue(), now)

    def next_deadline(self) -> int | None:
        """When `due` should be called next."""
        return self._client.next_deadline()

    def outgoing(self) -> Sequence[Outgoing]:
        """What is to be done now."""
        return self._client.outgoing()

    def sent(self) -> None:
        """Nothing is measured here."""

    def stop(self, now: int) -> None:
        """Close every socket for good."""
        self._client.stop(now)


class Mirror:
    """Listens for as long as its `async with` block lasts; entering it waits until every market was heard of.

    Then `feed` has markets, history, quotes and marks. `attach` says whom to wake when something was heard and whom to tell
    the mode. Raises TransportError when the exchange is not heard within 45 s, ConfigError when it does not have a market.
    """

    def __init__(self, settings: ParadexSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client = ParadexClient(settings, Random("mirror"))  # noqa: S311 - backoff jitter, not secrets
        self._driver = LiveDriver(_Listener(self._client, self._hear), clock)
        self._http = HttpShell(_nobody)
        self._stack = AsyncExitStack()
        self._markets: tuple[Market, ...] = ()
        self._klines: dict[str, KlineHistory] = {}
        self._early: list[tuple[MirrorEvent, int]] = []
        self._feed: MirrorFeed | None = None
        self._status = ExchangeStatus.OK
        self._told: ExchangeStatus | None = None
        self._heard_at = 0
        self._wake: Callable[[], None] = _nothing
        self._tell_mode: Callable[[ExchangeStatus, int], None] = _no_mode
        self._relayed = 0
        self._watching: asyncio.Task[None] | None = None
        self._trouble = "nothing was heard"

    @property
    def feed(self) -> MirrorFeed:
        """What was heard, as a feed; once the block was entered."""
        assert self._feed is not None, "the mirror was not entered"
        return self._feed

    async def __aenter__(self) -> Mirror:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._http.aclose)
            await stack.enter_async_context(self._driver)
            await self._until(lambda: bool(self._markets), "its markets")
            now = self._clock.now()
            for market in self._markets:
                self._client.submit(
                    FetchKlines(symbol=market.symbol, interval="1m", count=HISTORY_MINUTES, until_at=now), now
                )
            self._driver.poke()
            await self._until(lambda: len(self._klines) == len(self._markets), "their klines")
            self._feed = MirrorFeed(self._markets, {symbol: each.klines for symbol, each in self._klines.items()})
            for event, at in self._early:
                self._feed.take(event, at)
            self._early.clear()
            await self._until(lambda: self.feed.complete, "a quote and a mark of every market")
            self._watching = asyncio.create_task(self._watch())
            stack.callback(self._watching.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def attach(self, wake: Callable[[], None], tell_mode: Callable[[ExchangeStatus, int], None]) -> None:
        """From now on call `wake` when the feed has something, and `tell_mode` when the exchange's mode changes."""
        self._wake, self._tell_mode, self._told = wake, tell_mode, None
        self._follow(self._clock.now())

    async def wait(self) -> None:
        """For ever, or until listening itself went wrong; raises that."""
        assert self._watching is not None, "the mirror was not entered"
        await asyncio.shield(self._watching)

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        if not await self._driver.wait(lambda: done() or bool(self._client.refused), READY_WITHIN_S):
            raise TransportError(
                f"{self._settings.rest_url} did not tell {what} within {READY_WITHIN_S:.0f} s: {self._trouble}"
            )
        if self._client.refused:
            raise TransportError(f"{self._settings.rest_url} cannot be mirrored: {self._client.refused}")

    # --- what is heard ----------------------------------------------------------------------------------------------------

    def _hear(self, event: Event, now: int) -> None:
        if isinstance(event, Trade | TradeHistory | BestQuote | BookChange | MarkPrice):
            self._heard_at = now
            if self._feed is None:
                self._early.append((event, now))
            else:
                self._feed.take(event, now)
                self._follow(now)
                self._wake()
        elif isinstance(event, ExchangeStatusChanged):
            self._status = event.status
            self._follow(now)
        elif isinstance(event, MarketsListed):
            self._markets = self._markets or event.markets
        elif isinstance(event, KlineHistory):
            self._klines[event.symbol] = event
        elif isinstance(event, Trouble):
            self._trouble = f"{event.where}: {event.detail}"

    def _follow(self, now: int) -> None:
        """Tell the simulated exchange the mode it is in: the mirrored one's, or maintenance when that one is silent."""
        mode = ExchangeStatus.MAINTENANCE if self._is_silent(now) else self._status
        if mode is not self._told:
            self._told = mode
            self._tell_mode(mode, now)
            self._wake()

    def _is_silent(self, now: int) -> bool:
        return now - self._heard_at > SILENT_AFTER_US

    async def _watch(self) -> None:
        """Silence makes no event, so look at the clock."""
        while self._driver.failure is None:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._follow(self._clock.now())
        raise self._driver.failure

    # --- public history, passed on ----------------------------------------------------------------------------------------

    def wants(self, request: HttpArrived) -> bool:
        """Whether a request is about the mirrored exchange's own past."""
        return request.method == "GET" and request.path in _RELAYED

    async def answer(self, request: HttpArrived) -> HttpAnswer:
        """What the mirrored exchange says to it; 503 when it says nothing."""
        if self._is_silent(self._clock.now()):
            return _no_answer(request)
        self._relayed += 1
        query = f"?{request.query}" if request.query else ""
        url = f"{self._settings.rest_url}{request.path.removeprefix('/v1')}{query}"
        said = await self._http.exchange(HttpRequest(self._relayed, "GET", url, timeout_s=self._settings.read_timeout_s))
        if not isinstance(said, HttpResponse):
            return _no_answer(request)
        headers = tuple((name, value) for name, value in said.headers.items() if name not in _DROPPED_HEADERS)
        return HttpAnswer(request.id, said.status, headers, said.body)


def _no_answer(request: HttpArrived) -> HttpAnswer:
    body = b'{"error":"SERVICE_UNAVAILABLE","message":"the mirrored exchange does not answer"}'
    return HttpAnswer(request.id, 503, (("Content-Type", "application/json; charset=utf-8"),), body)


def _nobody(message: Incoming) -> None:
    """Answers are waited for, not reported."""


def _nothing() -> None:
    """Nobody is attached yet."""


def _no_mode(status: ExchangeStatus, now: int) -> None:
    """Nobody is attached yet."""
