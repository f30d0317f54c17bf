"""The exchange in a box on a loopback port, for tests that keep promises: real sockets, real protocol, nobody's money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, TypeVar

import msgspec

from flashscalper.exchanges.paradex.signing import new_private_key
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.rest_client import ParadexRestClient, scripted_settings
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient
from flashscalper.runtime.clock import Clock, ScaledClock, WallClock
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.hosting.box import Box, box_settings, open_box
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.base import (
    DropSocket,
    ExchangeServer,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    ServerIncoming,
    ServerOutgoing,
    SocketAnswer,
    SocketLeft,
)
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets

SYMBOLS = ("ETHUSDT", "BTCUSDT")
PATIENCE_S = 20.0
T = TypeVar("T")
_keys = count(1)

Before = Callable[[HttpArrived], HttpAnswer | None]
After = Callable[[HttpArrived, HttpAnswer], HttpAnswer | None]


class Interposer:
    """Stands between the shell and the simulated exchange and does to its traffic what a bad day does.

    `before` may answer a request in the exchange's place; `after` may change or swallow (None) its answer. `mute` keeps all
    frames back, so that every socket is half-open.
    """

    def __init__(self, inner: ExchangeServer) -> None:
        self._inner = inner
        self._extra: list[ServerOutgoing] = []
        self._asked: dict[int, HttpArrived] = {}
        self.sockets: set[str] = set()
        self.before: Before = lambda request: None
        self.after: After = lambda request, answer: answer
        self.mute = False
        self.requests: list[HttpArrived] = []

    def receive(self, message: ServerIncoming, now: int) -> None:
        if isinstance(message, HttpArrived):
            self.requests.append(message)
            self._asked[message.id] = message
            answer = self.before(message)
            if answer is not None:
                self._extra.append(answer)
                return
        elif isinstance(message, SocketLeft):
            self.sockets.discard(message.conn)
        self._inner.receive(message, now)

    def feed(self, event: object, now: int) -> None:
        self._inner.feed(event, now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        extra, self._extra = self._extra, []
        return [*extra, *(kept for item in self._inner.outgoing() if (kept := self._passed(item)) is not None)]

    def next_deadline(self) -> int | None:
        return self._inner.next_deadline()

    def drop_sockets(self) -> None:
        """Close every client's socket; takes effect with the next thing that happens."""
        self._extra.extend(DropSocket(conn, 1012, "restart") for conn in sorted(self.sockets))
        self.sockets.clear()

    def _passed(self, item: ServerOutgoing) -> ServerOutgoing | None:
        if isinstance(item, HttpAnswer):
            return self.after(self._asked.pop(item.id), item)
        if isinstance(item, SocketAnswer):
            self.sockets.add(item.conn)
        if isinstance(item, FrameOut) and self.mute:
            return None
        return item

    def paths(self) -> list[str]:
        """Method and path of every request so far."""
        return [f"{request.method} {request.path}" for request in self.requests]


def refuse(request: HttpArrived, status: int, code: str = "", headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
    """An answer as the exchange, or a proxy in front of it, gives when it will not."""
    body = b'{"error":"%b","message":"no"}' % code.encode() if code else b"<html>bad gateway</html>"
    return HttpAnswer(request.id, status, headers, body)


class Served:
    """A running box: its parts, its addresses, and an account that nobody else has."""

    def __init__(self, box: Box, interposer: Interposer, clock: Clock, open_shell: Callable[[int], ServerShell]) -> None:
        self.clock = clock
        self.exchange = box.exchange
        self.server = box.server
        self.interposer = interposer
        self._shell = open_shell
        self.shell = open_shell(0)
        self.key: Secret = new_private_key(Random(next(_keys)).randbytes(32))

    @property
    def rest_url(self) -> str:
        return f"{self.shell.http_url}/v1"

    @property
    def ws_url(self) -> str:
        return self.shell.ws_url

    @property
    def credentials(self) -> Credentials:
        return Credentials(secret_key=self.key)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that trades here."""
        return {
            "EXCHANGE": "paradex",
            "PARADEX_ENVIRONMENT": "simulator",
            "PARADEX_REST_URL": self.rest_url,
            "PARADEX_WS_URL": self.ws_url,
            "PARADEX_SECRET_KEY": self.key.reveal(),
        }

    def rest(self, credentials: Credentials | None = None) -> ParadexRestClient:
        settings = scripted_settings("simulator", rest_url=self.rest_url, ws_url=self.ws_url)
        return ParadexRestClient(settings, credentials or self.credentials, clock=self.clock)

    def public(self) -> ParadexRestClient:
        return self.rest(Credentials())

    def streams(self, credentials: Credentials | None = None, **changes: Any) -> ParadexWebSocketClient:
        """A streaming client that reconnects without dawdling."""
        quick = {"backoff_base_s": 0.01, "backoff_cap_s": 0.05, **changes}
        settings = scripted_settings("simulator", rest_url=self.rest_url, ws_url=self.ws_url, **quick)
        return ParadexWebSocketClient(settings, credentials or self.credentials, clock=self.clock)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Nobody at the port while it lasts; then the same exchange is back."""
        port = int(self.shell.http_url.rpartition(":")[2])
        await self.shell.close()
        try:
            yield
        finally:
            self.shell = self._shell(port)
            await self.shell.start()


@asynccontextmanager
async def served(seed: int = 1, *, speed: float = 1.0, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Served]:
    """A box with two synthetic markets, whose time begins now and runs `speed` times as fast as ours, or is `clock`'s.

    `changes` are fields of the server's settings.
    """
    clock = clock or ScaledClock(WallClock().now(), speed)
    now = clock.now()
    feed = SyntheticFeed(choose_markets(SYMBOLS), Random(seed), now)
    settings = box_settings(seed=seed, base_url="http://127.0.0.1", balance=Decimal(10_000))
    box = open_box(feed, msgspec.structs.replace(settings, **changes), seed=seed, started_at=now)
    interposer = Interposer(box.server)
    pump = FeedPump(feed, box.exchange, interposer)
    running = Served(box, interposer, clock, lambda port: ServerShell(interposer, clock, pump, port=port))
    await running.shell.start()
    try:
        yield running
    finally:
        await running.shell.close()


def in_box(test: Callable[[Served], Coroutine[Any, Any, T]], *, speed: float = 1.0) -> T:
    """Run one test against a box of its own."""

    async def main() -> T:
        async with asyncio.timeout(PATIENCE_S), served(speed=speed) as box:
            return await test(box)

    return run_loop(main())


async def until(done: Callable[[], bool]) -> None:
    """Until something is so that has no event of its own; `in_box` bounds the wait."""
    while not done():  # noqa: ASYNC110 - see above
        await asyncio.sleep(0.005)
