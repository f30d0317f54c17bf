"""WebSockets as a client opens them: executes `OpenSocket`, `SendFrame` and `CloseSocket`, reports what comes.

Frames are reported synchronously from the transport's own callback and sent synchronously, so nothing stands between a frame
and the order that answers it. Off loopback there is TLS with certificate and host name verified, or no connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import cache
from typing import Final

import picows

from flashscalper.exchanges.base import (
    CloseSocket,
    Frame,
    Incoming,
    OpenSocket,
    Pong,
    SendFrame,
    SocketClosed,
    SocketOpened,
)
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.addresses import plain_text_reason

FRAME_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one message; a longer one closes the socket."""

_LINGER_S: Final = 2.0
"""How long a closed socket may go on delivering our last bytes before it is cut."""

_TEXT: Final = picows.WSMsgType.TEXT
_BINARY: Final = picows.WSMsgType.BINARY

Report = Callable[[Incoming], None]


class _Listener(picows.WSListener):
    """One socket's callbacks. `silent` is set once the end has been reported: nothing is said after it."""

    def __init__(self, conn: str, report: Report) -> None:
        self.conn = conn
        self.transport: picows.WSTransport | None = None
        self._report = report
        self._parts: list[bytes] = []
        self._parts_size = 0
        self._parts_binary = False
        self.reason = "connection lost"
        self.silent = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """The handshake is done; nobody waits for it any more if the end has been reported already."""
        self.transport = transport
        if self.silent:
            transport.disconnect()
        else:
            self._say(SocketOpened(self.conn))

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """One frame: whole messages are reported, continued ones are put together first."""
        kind = frame.msg_type
        if kind is _TEXT or kind is _BINARY:
            binary = kind is _BINARY
            if frame.fin:
                if not self.silent:
                    self._report(Frame(self.conn, frame.get_payload_as_bytes(), binary))
            else:
                self._parts, self._parts_size, self._parts_binary = [], 0, binary
                self._take_part(transport, frame)
        elif kind is picows.WSMsgType.CONTINUATION:
            self._take_part(transport, frame)
        elif kind is picows.WSMsgType.PONG:
            self._say(Pong(self.conn))
        elif kind is picows.WSMsgType.CLOSE:
            code = frame.get_close_code()
            self.reason = f"{getattr(code, 'value', code)} {frame.get_close_reason() or ''}".strip()
            transport.send_close()
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:  # noqa: ARG002 - picows calls it so
        """The socket is gone."""
        self.end(self.reason)

    def end(self, reason: str, status: int = 0) -> None:
        """Report the end, once; nothing is reported afterwards."""
        if not self.silent:
            self.silent = True
            self._report(SocketClosed(self.conn, reason, status))

    def give_up(self, timeout_s: float) -> None:
        """The handshake has taken too long."""
        if self.transport is None:
            self.end(f"no handshake within {timeout_s} s")

    def _take_part(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        part = frame.get_payload_as_bytes()
        self._parts.append(part)
        self._parts_size += len(part)
        if self._parts_size > FRAME_LIMIT:
            self.reason = f"a message of more than {FRAME_LIMIT} bytes"
            transport.send_close(picows.WSCloseCode.MESSAGE_TOO_BIG)
            transport.disconnect()
        elif frame.fin:
            data, self._parts = b"".join(self._parts), []
            self._say(Frame(self.conn, data, self._parts_binary))

    def _say(self, message: Incoming) -> None:
        if not self.silent:
            self._report(message)


class SocketShell:
    """Every WebSocket of one client. `report` is called with what comes, always from the event loop and never from inside
    `open`, `send` or `close`.

    `tls` replaces the system's certificate authorities (a test's own); one that does not verify is refused.
    """

    def __init__(self, report: Report, tls: ssl.SSLContext | None = None) -> None:
        self._report = report
        self._tls = verifying(tls)
        self._listeners: dict[str, _Listener] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, item: OpenSocket) -> None:
        """Begin a handshake; `SocketOpened` or `SocketClosed` follows."""
        listener = self._listeners[item.conn] = _Listener(item.conn, self._report)
        task = asyncio.get_running_loop().create_task(self._run(item, listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, item: SendFrame) -> None:
        """Send now; a socket that is not open is left alone, its `SocketClosed` says so."""
        listener = self._listeners.get(item.conn)
        if listener is None or listener.transport is None or listener.silent:
            return
        if item.ping:
            listener.transport.send_ping(item.data)
        else:
            listener.transport.send(picows.WSMsgType.TEXT, item.data)

    def close(self, item: CloseSocket) -> None:
        """Say goodbye and close; `SocketClosed` follows at once, whatever the other side does."""
        listener = self._listeners.get(item.conn)
        if listener is None:
            return
        loop = asyncio.get_running_loop()
        listener.reason = item.reason or "closed by us"
        if listener.transport is not None:
            listener.transport.send_close(picows.WSCloseCode.OK)
            listener.transport.disconnect()
            loop.call_later(_LINGER_S, listener.transport.disconnect, False)
        loop.call_soon(listener.end, listener.reason)

    async def aclose(self) -> None:
        """Close everything without a further word to `report`."""
        for listener in self._listeners.values():
            listener.silent = True
            if listener.transport is not None:
                listener.transport.disconnect(False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, item: OpenSocket, listener: _Listener) -> None:
        """One socket from handshake to end."""
        patience = asyncio.get_running_loop().call_later(item.timeout_s, listener.give_up, item.timeout_s)
        try:
            await self._connect(item, listener)
        except picows.WSHandshakeError as error:
            status = int(error.response.status) if error.response is not None else 0
            listener.end(f"handshake refused: {error}", status)
        except (OSError, picows.WSError, TimeoutError) as error:
            listener.end(f"{type(error).__name__}: {error}")
        finally:
            patience.cancel()
            self._listeners.pop(item.conn, None)
        listener.end(listener.reason)

    async def _connect(self, item: OpenSocket, listener: _Listener) -> None:
        unsafe = plain_text_reason(item.url)
        if unsafe:
            raise ConnectionRefusedError(f"{item.url} is not used; accepted: {unsafe}")
        transport, _ = await picows.ws_connect(
            lambda: listener,
            item.url,
            ssl_context=self._tls,
            websocket_handshake_timeout=item.timeout_s,
            enable_auto_pong=True,
            max_frame_size=FRAME_LIMIT,
            extra_headers=item.headers,
            max_redirects=0,
        )
        await transport.wait_disconnected()


def verifying(tls: ssl.SSLContext | None) -> ssl.SSLContext:
    """The TLS context to use: the given one if it verifies certificate and host name, the system's if none is given."""
    if tls is None:
        return _system_authorities()
    if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
        raise ConfigError("tls", "a context that does not verify", "one that verifies certificate and host name")
    return tls


@cache
def _system_authorities() -> ssl.SSLContext:
    """Reading the system's certificates takes tens of milliseconds, so it is done once."""
    return ssl.create_default_context()
