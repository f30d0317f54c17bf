"""The exchange's end of a stopwatch: sends market frames on a WebSocket and tells how long after the last one an order came.

On a control port it takes `b` (binary) or `t` (text), four bytes of length, and the frame, and sends that to the newest
WebSocket at once. The first `order.create` on that WebSocket after it, or POST whose path ends in `/orders`, is the order:
the nanoseconds since the frame left are written to the control port as a line. Subscriptions are answered. It prints its
ports as JSON when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

import picows

ORDER = {
    "id": "1", "account": "0x1", "market": "ETH-USD-PERP", "side": "BUY", "type": "LIMIT", "size": "0.1", "price": "3000",
    "remaining_size": "0.1", "status": "NEW", "created_at": 1, "last_updated_at": 1, "timestamp": 1, "cancel_reason": "",
    "flags": [], "client_id": "fs-1-1", "instruction": "IOC", "avg_fill_price": "", "stp": "", "received_at": 1,
    "published_at": 1, "trigger_price": "0", "seq_no": 1,
}  # fmt: skip


class Stopwatch:
    """Started by every frame that is sent, read by the first order after it."""

    sent_ns = 0
    control: asyncio.StreamWriter | None = None

    @classmethod
    def order(cls) -> None:
        came_ns = time.perf_counter_ns()
        if cls.sent_ns and cls.control is not None:
            cls.control.write(b"%d\n" % (came_ns - cls.sent_ns))
            cls.sent_ns = 0


class Listener(picows.WSListener):
    newest: picows.WSTransport | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        Listener.newest = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            data = frame.get_payload_as_bytes()
            if b'"order.create"' in data:
                Stopwatch.order()
                return
            request = json.loads(data)
            answer = {"jsonrpc": "2.0", "result": request.get("params", {}), "usIn": 1, "usDiff": 1, "id": request.get("id")}
            transport.send(picows.WSMsgType.TEXT, json.dumps(answer).encode())
        elif frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()


async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    Stopwatch.control = writer
    while kind := await reader.read(1):
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
        assert Listener.newest is not None
        Stopwatch.sent_ns = time.perf_counter_ns()
        Listener.newest.send(picows.WSMsgType.BINARY if kind == b"b" else picows.WSMsgType.TEXT, data)


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Enough HTTP for an order over a connection that stays open, until the other end is gone."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await _answer(reader, writer)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = json.dumps(ORDER).encode()
    while line := await reader.readline():
        size = 0
        while (header := await reader.readline()) not in (b"\r\n", b""):
            name, _, rest = header.partition(b":")
            size = int(rest) if name.lower() == b"content-length" else size
        await reader.readexactly(size)
        if line.startswith(b"POST") and line.split()[1].endswith(b"/orders"):
            Stopwatch.order()
        writer.write(
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )


async def main() -> None:
    servers = [
        await picows.ws_create_server(lambda _: Listener(), "127.0.0.1", 0),
        await asyncio.start_server(control, "127.0.0.1", 0),
        await asyncio.start_server(http, "127.0.0.1", 0),
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(json.dumps(dict(zip(("ws", "control", "http"), ports, strict=True))), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
