"""The wire of a lock-step run: sockets and HTTP exchanges between one client and one server, in memory, with latency.

It does what the transport does on real sockets and nothing more: it keeps the order within a connection and direction,
answers pings, ends handshakes and requests that take too long, and drops what arrives at a closed end.
"""

from __future__ import annotations

from enum import IntEnum
from heapq import heappop, heappush
from typing import NamedTuple

from flashscalper.exchanges.base import (
    CloseSocket,
    Frame,
    HttpFailed,
    HttpRequest,
    HttpResponse,
    Incoming,
    OpenSocket,
    Outgoing,
    Pong,
    SendFrame,
    SocketClosed,
    SocketOpened,
)
from flashscalper.model.dice import Dice
from flashscalper.model.errors import ConfigError
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.addresses import path_and_query
from flashscalper.simulator.base import (
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    PingOut,
    PongArrived,
    ServerIncoming,
    ServerOutgoing,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)


class LatencyModel:
    """One way between client and exchange: `base_us` plus an exponential tail of mean `jitter_us`, from seeded dice."""

    def __init__(self, dice: Dice, *, base_us: int = 20_000, jitter_us: int = 2_000) -> None:
        if base_us < 0 or jitter_us < 0:
            raise ConfigError("latency", (base_us, jitter_us), "microseconds of zero or more")
        self._dice = dice
        self._base_us = base_us
        self._rate = 1 / jitter_us if jitter_us else 0.0

    def draw(self) -> int:
        """The next message's way in microseconds."""
        return self._base_us + (int(self._dice.expovariate(self._rate)) if self._rate else 0)


class _End(IntEnum):
    """What the client's end of a socket takes."""

    OPENING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class _Pipe:
    """One WebSocket: the state of its two ends, and when the last message of each direction arrives."""

    __slots__ = ("at_client", "at_server", "client", "server_open")

    def __init__(self) -> None:
        self.client = _End.OPENING
        self.server_open = False
        self.at_client = 0
        self.at_server = 0


class ToServer(NamedTuple):
    """Something that reached the server."""

    message: ServerIncoming


class ToClient(NamedTuple):
    """Something that reached the client."""

    message: Incoming


class _Travelling(NamedTuple):
    """One thing on the wire. A `patience` item is what the client is told if no answer has come until then."""

    due_at: int
    sequence: int
    item: ToServer | ToClient
    pipe: _Pipe | None
    patience: bool


class Wire:
    """Everything that is on its way. `send` and `answer` put something on it, `deliver` takes the next thing off."""

    def __init__(self, latency: LatencyModel) -> None:
        self._latency = latency
        self._heap: list[_Travelling] = []
        self._sequence = 0
        self._pipes: dict[str, _Pipe] = {}
        self._waiting: set[int] = set()

    def next_at(self) -> int | None:
        """When the next thing arrives; None when nothing is on its way."""
        return self._heap[0].due_at if self._heap else None

    def deliver(self) -> ToServer | ToClient | None:
        """Take the next thing off the wire; None when it reached a closed end."""
        travelling = heappop(self._heap)
        item = travelling.item
        if isinstance(item, ToServer):
            return item if travelling.pipe is None or _reaches_server(item.message, travelling.pipe) else None
        if travelling.pipe is None:
            return item if self._is_awaited(item.message) else None
        if travelling.patience and travelling.pipe.client is not _End.OPENING:
            return None
        return item if self._reaches_client(item.message, travelling) else None

    def send(self, item: Outgoing, now: int) -> None:
        """Do what the client asks of its transport."""
        if isinstance(item, SendFrame):
            self._send_frame(item, now)
        elif isinstance(item, HttpRequest):
            path, query = path_and_query(item.url)
            headers = {name.lower(): value for name, value in item.headers}
            self._waiting.add(item.id)
            self._push(
                now + self._latency.draw(), ToServer(HttpArrived(item.id, item.method, path, query, headers, item.body))
            )
            late = HttpFailed(item.id, sent=True, reason=f"no answer within {item.timeout_s} s")
            self._push(now + int(item.timeout_s * SECOND_US), ToClient(late), patience=True)
        elif isinstance(item, OpenSocket):
            self._open(item, now)
        else:
            self._close(item, now)

    def answer(self, item: ServerOutgoing, now: int) -> None:
        """Do what the server asks of its transport."""
        if isinstance(item, HttpAnswer) and item.broken:
            self._push(now + self._latency.draw(), ToClient(HttpFailed(item.id, sent=True, reason="connection broken")))
            return
        if isinstance(item, HttpAnswer):
            headers = {name.lower(): value for name, value in item.headers}
            answer = HttpResponse(item.id, item.status, headers, item.body)
            self._push(now + self._latency.draw(), ToClient(answer))
            return
        pipe = self._pipes.get(item.conn)
        if pipe is None or not pipe.server_open:
            return
        if isinstance(item, FrameOut):
            self._to_client(pipe, Frame(item.conn, item.data, item.binary), now)
        elif isinstance(item, PingOut):
            self._to_server(pipe, PongArrived(item.conn), now + self._latency.draw())
        elif isinstance(item, SocketAnswer) and item.status == 101:
            self._to_client(pipe, SocketOpened(item.conn), now)
        elif isinstance(item, SocketAnswer):
            pipe.server_open = False
            self._to_client(pipe, SocketClosed(item.conn, f"handshake refused with {item.status}", item.status), now)
        else:
            pipe.server_open = False
            self._to_client(pipe, SocketClosed(item.conn, f"{item.code} {item.reason}".strip()), now)

    def _open(self, item: OpenSocket, now: int) -> None:
        if item.conn in self._pipes:
            raise ValueError(f"the client used the socket name {item.conn!r} twice")
        pipe = self._pipes[item.conn] = _Pipe()
        path, query = path_and_query(item.url)
        self._to_server(
            pipe, SocketArrived(item.conn, path, query, {name.lower(): value for name, value in item.headers}), now
        )
        late = SocketClosed(item.conn, f"no handshake within {item.timeout_s} s")
        self._push(now + int(item.timeout_s * SECOND_US), ToClient(late), pipe, patience=True)

    def _close(self, item: CloseSocket, now: int) -> None:
        pipe = self._pipes.get(item.conn)
        if pipe is not None and pipe.client in (_End.OPENING, _End.OPEN):
            pipe.client = _End.CLOSING
            self._push(now, ToClient(SocketClosed(item.conn, item.reason or "closed by us")), pipe)
            self._to_server(pipe, SocketLeft(item.conn), now)

    def _send_frame(self, item: SendFrame, now: int) -> None:
        pipe = self._pipes.get(item.conn)
        if pipe is None or pipe.client is not _End.OPEN:
            return
        if item.ping:
            self._to_client(pipe, Pong(item.conn), now + self._latency.draw())
        else:
            self._to_server(pipe, FrameArrived(item.conn, item.data), now)

    def _to_server(self, pipe: _Pipe, message: ServerIncoming, now: int) -> None:
        pipe.at_server = max(pipe.at_server, now + self._latency.draw())
        self._push(pipe.at_server, ToServer(message), pipe)

    def _to_client(self, pipe: _Pipe, message: Incoming, now: int) -> None:
        pipe.at_client = max(pipe.at_client, now + self._latency.draw())
        self._push(pipe.at_client, ToClient(message), pipe)

    def _push(self, due_at: int, item: ToServer | ToClient, pipe: _Pipe | None = None, *, patience: bool = False) -> None:
        self._sequence += 1
        heappush(self._heap, _Travelling(due_at, self._sequence, item, pipe, patience))

    def _is_awaited(self, message: Incoming) -> bool:
        """Whether the request that this answers is still open; it is not afterwards."""
        if isinstance(message, HttpResponse | HttpFailed) and message.id in self._waiting:
            self._waiting.remove(message.id)
            return True
        return False

    def _reaches_client(self, message: Incoming, travelling: _Travelling) -> bool:
        pipe = travelling.pipe
        assert pipe is not None
        if isinstance(message, SocketOpened):
            opened, pipe.client = pipe.client is _End.OPENING, max(pipe.client, _End.OPEN)
            return opened
        if isinstance(message, SocketClosed):
            reported, pipe.client = pipe.client is _End.CLOSED, _End.CLOSED
            self._pipes.pop(message.conn, None)
            if travelling.patience:
                self._to_server(pipe, SocketLeft(message.conn), travelling.due_at)
            return not reported
        return pipe.client is _End.OPEN


def _reaches_server(message: ServerIncoming, pipe: _Pipe) -> bool:
    if isinstance(message, SocketArrived):
        pipe.server_open = True
        return True
    reached = pipe.server_open
    if isinstance(message, SocketLeft):
        pipe.server_open = False
    return reached
