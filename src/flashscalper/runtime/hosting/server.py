"""The shell of a simulated exchange: binds an `ExchangeServer` to one host and port, over real sockets.

REST and WebSocket share the port; an upgrade at exactly `/v1` is the socket. The machine is called synchronously from the
event loop; its market feed and its deadlines share one timer on the exchange's clock. The machine is told how far a reader
that the transport waits for has fallen behind, and decides; the shell itself only bounds what it keeps for it.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Final, Protocol, cast

from aiohttp import WSMsgType, web

from flashscalper.model.errors import ConfigError
from flashscalper.runtime.addresses import is_loopback
from flashscalper.runtime.clock import Clock
from flashscalper.runtime.hosting.pump import FeedPump
from flashscalper.simulator.base import (
    BacklogGrew,
    DropSocket,
    ExchangeServer,
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    PingOut,
    PongArrived,
    ServerIncoming,
    ServerOutgoing,
    ServerTimerDue,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)

SOCKET_PATH: Final = "/v1"
QUEUED_FRAMES: Final = 20_000
"""Frames that may wait for one reader whatever the machine says: beyond that its connection is broken."""

BROKEN: Final = 1006
"""The close code of a connection that ends without a close frame (RFC 6455, 7.1.5)."""

_FEED_BATCH: Final = 256
_ANSWER_LIMIT_S: Final = 120.0
_FRAME_LIMIT: Final = 4 * 1024 * 1024


class _Socket:
    """One client's socket as the shell holds it: what waits to be written, and the machine's word on the handshake.

    `stalled` is true while the transport waits for the client to read.
    """

    def __init__(self, conn: str, loop: asyncio.AbstractEventLoop) -> None:
        self.conn = conn
        self.answer: asyncio.Future[SocketAnswer] = loop.create_future()
        self.queue: deque[FrameOut | PingOut | DropSocket] = deque()
        self.filled = asyncio.Event()
        self.stalled = False
        self.broken = False
        self.transport: asyncio.Transport | None = None

    def put(self, item: FrameOut | PingOut | DropSocket) -> None:
        """Queue one thing to write. A close frame would never reach a reader that does not read: its connection breaks."""
        if self.broken:
            return
        dropped = isinstance(item, DropSocket) and (item.code == BROKEN or self.stalled)
        if self.transport is not None and (dropped or len(self.queue) >= QUEUED_FRAMES):
            self.broken = True
            self.queue.clear()
            self.transport.abort()
        else:
            self.queue.append(item)
            self.filled.set()


class Relay(Protocol):
    """Somebody else who answers some of the requests, and may wait for it: a mirrored exchange's own history."""

    def wants(self, request: HttpArrived) -> bool:
        """Whether it answers this one."""
        ...

    async def answer(self, request: HttpArrived) -> HttpAnswer:
        """Its answer."""
        ...


class ServerShell:
    """Serves one simulated exchange. `port` 0 takes any free one; use it as an async context manager.

    Raises ConfigError for a port in use or a host that is not this machine (unless `allow_remote`), naming the field.
    """

    def __init__(
        self,
        server: ExchangeServer,
        clock: Clock,
        pump: FeedPump | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        tls: SSLContext | None = None,
        relay: Relay | None = None,
    ) -> None:
        if not allow_remote:
            check_host(host)
        self._server = server
        self._clock = clock
        self._pump = pump
        self._host = host
        self._port = port
        self._tls = tls
        self._relay = relay
        self._count = 0
        self._sockets: dict[str, _Socket] = {}
        self._behind: dict[str, _Socket] = {}
        self._answers: dict[int, asyncio.Future[HttpAnswer]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: int | None = None
        self._runner: web.ServerRunner | None = None
        self._ended: asyncio.Future[None] | None = None

    @property
    def http_url(self) -> str:
        """Base of the REST paths, without `/v1`."""
        return f"{'https' if self._tls else 'http'}://{self._address()}"

    @property
    def ws_url(self) -> str:
        """The socket's URL."""
        return f"{'wss' if self._tls else 'ws'}://{self._address()}{SOCKET_PATH}"

    async def start(self) -> None:
        """Bind, and let the market's time begin."""
        self._ended = asyncio.get_running_loop().create_future()
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port, ssl_context=self._tls, reuse_address=True)
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise self._bind_error(error) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._after_machine()

    def wake(self) -> None:
        """Somebody asked something of the machine, or fed it, without the shell: send what it says and look at the time."""
        if self._runner is not None:
            self._after_machine()

    async def wait(self) -> None:
        """Until `close`; raises what went wrong in the machine, if anything did."""
        if self._ended is not None:
            await asyncio.shield(self._ended)

    async def close(self) -> None:
        """Drop every socket and free the port; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._stop_timer()
        for socket in list(self._sockets.values()):
            socket.put(DropSocket(socket.conn, 1001, "the exchange is going away"))
        for answer in self._answers.values():
            answer.cancel()
        await runner.cleanup()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def __aenter__(self) -> ServerShell:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if error is None:
            await self.wait()

    # the machine

    def _receive(self, message: ServerIncoming) -> None:
        if self._runner is None:
            return
        try:
            self._server.receive(message, self._clock.now())
            self._after_machine()
        except Exception as error:  # noqa: BLE001 - a defect of the machine ends the exchange, whichever it is
            self._fail(error)

    def _tick(self) -> None:
        """The market's time has come for something: a batch of feed events, the machine's deadline, or both."""
        self._timer_at = None
        try:
            self._release_due()
            deadline = self._server.next_deadline()
            now = self._clock.now()
            if deadline is not None and deadline <= now:
                self._server.receive(ServerTimerDue(), now)
            self._after_machine()
        except Exception as error:  # noqa: BLE001 - see _receive
            self._fail(error)

    def _release_due(self) -> None:
        """Release what is due, but let the sockets have their turn after a batch."""
        if self._pump is None:
            return
        for _ in range(_FEED_BATCH):
            now, at = self._clock.now(), self._pump.next_at()
            if at is None or at > now:
                return
            self._pump.release(now)
            self._dispatch_all()

    def _after_machine(self) -> None:
        self._dispatch_all()
        feed_at = self._pump.next_at() if self._pump else None
        deadline = self._server.next_deadline()
        at = min((at for at in (feed_at, deadline) if at is not None), default=None)
        if at == self._timer_at:
            return
        self._stop_timer()
        if at is not None:
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(self._clock.wait_s(at), self._tick)

    def _dispatch_all(self) -> None:
        for item in self._server.outgoing():
            self._dispatch(item)
        if self._behind:
            behind, self._behind = self._behind, {}
            for socket in behind.values():
                self._server.receive(BacklogGrew(socket.conn, len(socket.queue)), self._clock.now())
            for item in self._server.outgoing():
                self._dispatch(item)

    def _dispatch(self, item: ServerOutgoing) -> None:
        if isinstance(item, HttpAnswer):
            answer = self._answers.pop(item.id, None)
            if answer is not None and not answer.done():
                answer.set_result(item)
            return
        socket = self._sockets.get(item.conn)
        if socket is None:
            return
        if isinstance(item, SocketAnswer):
            if not socket.answer.done():
                socket.answer.set_result(item)
        else:
            socket.put(item)
            if socket.stalled and not socket.broken:
                self._behind[socket.conn] = socket

    def _fail(self, error: Exception) -> None:
        self._stop_timer()
        for answer in self._answers.values():
            answer.cancel()
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(error)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = None

    # HTTP

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == SOCKET_PATH and request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._handle_socket(request)
        body = await request.read()
        self._count += 1
        path, _, query = request.raw_path.partition("?")
        arrived = HttpArrived(self._count, request.method, path, query, _headers(request), body, _peer(request))
        if self._relay is not None and self._relay.wants(arrived):
            relayed = await self._relay.answer(arrived)
            return web.Response(status=relayed.status, headers=relayed.headers, body=relayed.body)
        answer: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
        self._answers[self._count] = answer
        self._receive(arrived)
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                item = await answer
        except TimeoutError:
            return web.Response(status=504)
        finally:
            self._answers.pop(arrived.id, None)
        if item.broken:
            return await _break_off(request, item)
        return web.Response(status=item.status, headers=item.headers, body=item.body)

    # WebSocket

    async def _handle_socket(self, request: web.BaseRequest) -> web.StreamResponse:
        self._count += 1
        socket = _Socket(f"s{self._count}", asyncio.get_running_loop())
        self._sockets[socket.conn] = socket
        self._receive(
            SocketArrived(socket.conn, SOCKET_PATH, request.raw_path.partition("?")[2], _headers(request), _peer(request))
        )
        try:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                answer = await socket.answer
            if answer.status != 101:
                return web.Response(status=answer.status, body=answer.body)
            ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_FRAME_LIMIT, timeout=1.0)
            await ws.prepare(request)
            socket.transport = cast("asyncio.Transport", request.transport)  # uvloop's is none by class, only by behaviour
            await self._talk(ws, socket)
        finally:
            del self._sockets[socket.conn]
            self._receive(SocketLeft(socket.conn))
        return ws

    async def _talk(self, ws: web.WebSocketResponse, socket: _Socket) -> None:
        """Read and write until either end closes; the writer ends the reader by closing the socket."""
        writer = asyncio.create_task(self._write(ws, socket))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._receive(FrameArrived(socket.conn, message.data.encode()))
                elif message.type is WSMsgType.BINARY:
                    self._receive(FrameArrived(socket.conn, message.data, binary=True))
                elif message.type is WSMsgType.PONG:
                    self._receive(PongArrived(socket.conn))
                elif message.type is WSMsgType.PING:
                    await ws.pong(message.data)
        except ConnectionError:
            return  # the client is gone; SocketLeft follows either way
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer

    async def _write(self, ws: web.WebSocketResponse, socket: _Socket) -> None:
        while True:
            await socket.filled.wait()
            socket.filled.clear()
            while socket.queue:
                item = socket.queue.popleft()
                socket.stalled = True  # while this task is suspended below, the transport waits for the client
                if isinstance(item, FrameOut):
                    await ws.send_frame(item.data, WSMsgType.BINARY if item.binary else WSMsgType.TEXT)
                elif isinstance(item, PingOut):
                    await ws.ping()
                else:
                    await ws.close(code=item.code, message=item.reason.encode())
                    return
                socket.stalled = False

    def _address(self) -> str:
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def _bind_error(self, error: OSError) -> ConfigError:
        if error.errno == errno.EADDRINUSE:
            return ConfigError("port", self._port, "a free port (this one is in use), or 0 for any")
        if error.errno in (errno.EACCES, errno.EPERM):
            return ConfigError("port", self._port, "a port that this user may open, 1024 or higher")
        return ConfigError("host", self._host, f"an address of this machine ({error.strerror})")


def check_host(host: str) -> str:
    """The host, when it can only be this machine; raises ConfigError otherwise."""
    if not is_loopback(host):
        raise ConfigError("host", host, "a loopback address: 127.0.0.1, ::1 or localhost")
    return host


def _headers(request: web.BaseRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _peer(request: web.BaseRequest) -> str:
    return request.remote or ""


async def _break_off(request: web.BaseRequest, item: HttpAnswer) -> web.StreamResponse:
    """Announce the whole body, send half of it (or nothing at all if it is empty), and break the connection."""
    response = web.StreamResponse(status=item.status, headers=item.headers)
    if item.body:
        response.content_length = len(item.body)
        await response.prepare(request)
        await response.write(item.body[: len(item.body) // 2])
    if request.transport is not None:
        request.transport.close() if item.body else request.transport.abort()
    return response
