"""A WebSocket server that does one thing: send prepared market frames of Paradex as fast as the other side takes them.

It answers every subscription. On a second port it takes lines `KIND COUNT` (`trades` or `mixed`) and then sends so many
frames to the newest connection, the last one a trade at the price `LAST_PRICE`. Frames leave in writes of 64, so that the
fastest reader is busy all the time and not measured waking up. Prints both ports as JSON when it is ready.
"""

from __future__ import annotations

import asyncio
import json

import picows

LAST_PRICE = "9999.9"
MARKET = "ETH-USD-PERP"
STARTED_MS = 1_767_225_610_000
FRAMES_A_WRITE = 64
FIRST_SEQ = 4_000_000_000_000_000


class Frames:
    """Frames in the exchange's own spelling; ids and times go on from one blast to the next."""

    def __init__(self) -> None:
        self._id = 0
        self._seq = FIRST_SEQ

    def make(self, kind: str, count: int) -> list[bytes]:
        return [
            self._book() if kind == "mixed" and number % 2 and number < count - 1 else self._trade(last=number == count - 1)
            for number in range(count)
        ]

    def _push(self, channel: str, data: dict[str, object]) -> bytes:
        push = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
        return json.dumps(push, separators=(",", ":")).encode()

    def _trade(self, *, last: bool) -> bytes:
        self._id += 1
        at = STARTED_MS + self._id * 5
        data = {
            "id": f"{at}2017040288{self._id:08d}", "market": MARKET, "side": "BUY" if self._id % 3 else "SELL",
            "size": f"0.{self._id % 900 + 100}", "price": LAST_PRICE if last else f"{3_000 + self._id % 50 / 10:.1f}",
            "created_at": at, "trade_type": "FILL",
        }  # fmt: skip
        return self._push(f"trades.{MARKET}", data)

    def _book(self) -> bytes:
        self._seq += 1
        mid = 3_000 + self._seq % 5
        inserts = [
            {"side": side, "price": f"{mid + sign * level / 10:.1f}", "size": f"{(self._seq * level) % 97 + 1}.5"}
            for side, sign in (("BUY", -1), ("SELL", 1))
            for level in range(1, 16)
        ]
        data = {
            "seq_no": self._seq, "market": MARKET, "last_updated_at": STARTED_MS + self._id * 5, "update_type": "s",
            "inserts": inserts, "updates": [], "deletes": [],
        }  # fmt: skip
        return self._push(f"order_book.{MARKET}.snapshot@15@100ms", data)


def framed(payload: bytes) -> bytes:
    """A whole text frame of a server (RFC 6455 section 5.2)."""
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else bytes((0x81, 126)) + size.to_bytes(2)
    return head + payload


class Listener(picows.WSListener):
    newest: picows.WSTransport | None = None
    drained = asyncio.Event()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        Listener.newest = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            request = json.loads(frame.get_payload_as_bytes())
            answer = {"jsonrpc": "2.0", "result": request.get("params", {}), "usIn": 1, "usDiff": 1, "id": request.get("id")}
            transport.send(picows.WSMsgType.TEXT, json.dumps(answer, separators=(",", ":")).encode())
        elif frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()

    def pause_writing(self) -> None:
        Listener.drained.clear()

    def resume_writing(self) -> None:
        Listener.drained.set()


async def main() -> None:
    frames = Frames()
    Listener.drained.set()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            kind, count = line.decode().split()
            made = [framed(payload) for payload in frames.make(kind, int(count))]
            writer.write(b"go\n")
            await writer.drain()
            assert Listener.newest is not None
            for number in range(0, len(made), FRAMES_A_WRITE):
                Listener.newest.underlying_transport.write(b"".join(made[number : number + FRAMES_A_WRITE]))
                await asyncio.sleep(0)
                await Listener.drained.wait()

    server = await picows.ws_create_server(lambda _: Listener(), "127.0.0.1", 0)
    orders = await asyncio.start_server(control, "127.0.0.1", 0)
    ports = {"ws": server.sockets[0].getsockname()[1], "control": orders.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    await asyncio.gather(server.serve_forever(), orders.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
