"""The soak's other half: reconnects over real loopback sockets. Are files and tasks back where they began?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from flashscalper.runtime.clock import ScaledClock
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.live import LiveDriver
from flashscalper.simulator.base import DropSocket, ExchangeServer, ServerIncoming, ServerOutgoing, SocketArrived, SocketLeft
from tests.campaigns.soak import START, Bot, descriptors

PATIENCE_S: Final = 120.0
SLACK: Final = 8
"""Requests that happen to be under way: connections of HTTP, each with a task on the exchange's side."""


class Hosted(NamedTuple):
    """What reconnects over loopback sockets came to: open files and tasks early and late in the run, and after it."""

    reconnects: int
    early: tuple[int, int]
    late: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]


class Cutter:
    """A simulated exchange whose connections can be dropped from its side."""

    def __init__(self, inner: ExchangeServer) -> None:
        self._inner = inner
        self._open: list[str] = []
        self._cut: list[ServerOutgoing] = []

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Know which connections there are."""
        if isinstance(message, SocketArrived):
            self._open.append(message.conn)
        elif isinstance(message, SocketLeft) and message.conn in self._open:
            self._open.remove(message.conn)
        self._inner.receive(message, now)

    def feed(self, event: object, now: int) -> None:
        """The market goes on."""
        self._inner.feed(event, now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """What the exchange says, and connections that break."""
        cut, self._cut = self._cut, []
        return [*self._inner.outgoing(), *cut]

    def next_deadline(self) -> int | None:
        """The exchange's."""
        return self._inner.next_deadline()

    def cut(self, dice: Random, now: int) -> None:
        """Drop one of the connections that are open."""
        conn = dice.choice(self._open)
        self._open.remove(conn)
        self._cut.append(DropSocket(conn, 1001, "going away"))
        self._inner.receive(SocketLeft(conn), now)


async def over_sockets(folder: Path, reconnects: int, *, speed: float = 5.0) -> Hosted:
    """The same bot over loopback WebSockets and HTTP, at `speed` times the wall: cut a connection, wait until every stream
    is ready again, and so on. Much faster, and a busy machine misses the client's own patience for a connection."""
    # What the loop opens once for itself: libuv keeps a spare descriptor for a listening socket that runs out of them.
    (await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)).close()
    before, early = _held(), (0, 0)
    with ExitStack() as stack:
        clock, bot, dice = ScaledClock(START, speed), Bot(folder, stack), Random("cuts")
        server, seen = Cutter(bot.box.server), 0
        async with ServerShell(server, clock, FeedPump(bot.feed, bot.box.exchange, server)) as shell:
            trader = bot.trader(f"{shell.http_url}/v1", shell.ws_url)
            async with LiveDriver(trader, clock) as driver:
                await _ready(driver, bot)
                while bot.counts.reconnects < reconnects:
                    seen = bot.counts.reconnects
                    server.cut(dice, clock.now())
                    shell.wake()
                    await _ready(driver, bot, seen + 1)
                    if early == (0, 0) and bot.counts.reconnects >= reconnects // 10:
                        early = _held()
                late = _held()
    return Hosted(bot.counts.reconnects, early, late, before, _held())


async def _ready(driver: LiveDriver, bot: Bot, reconnects: int = 0) -> None:
    """Until there were so many reconnects and every stream is ready."""

    def ready() -> bool:
        return bot.counts.reconnects >= reconnects and all(ready for _, ready in bot.engine.status().streams)

    assert await driver.wait(ready, PATIENCE_S), bot.engine.status().streams


def _held() -> tuple[int, int]:
    return descriptors(), len(asyncio.all_tasks())


def left_over(hosted: Hosted) -> list[str]:
    """What did not return to where it began, in sentences."""
    found = []
    if hosted.after != hosted.before:
        found.append(f"descriptors and tasks were {hosted.before} before and are {hosted.after} after")
    if any(late > early + SLACK for early, late in zip(hosted.early, hosted.late, strict=True)):
        found.append(
            f"descriptors and tasks were {hosted.early} early and {hosted.late} after {hosted.reconnects} reconnects"
        )
    return found
