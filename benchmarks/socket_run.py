"""The trading process of `flashscalper.cli.bench_ticks` with its market frames on a real WebSocket, and its orders too.

The simulated exchange is joined in lock-step as there. Every market frame makes a way round: to a server in another process,
back over a WebSocket, and only then into the trader; what the trader sends leaves on the same WebSocket.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec

from flashscalper.cli.bench_ticks import TickRun
from flashscalper.exchanges.base import Frame, Incoming, OpenSocket, SendFrame, SocketOpened
from flashscalper.runtime.journal import Journal
from flashscalper.runtime.sockets import SocketShell
from flashscalper.runtime.tape import Tape

CONN = "market"


class SocketRun(TickRun):
    """`round_trip_ns`: for every order that a market frame caused, what the server measured."""

    def __init__(
        self,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        ports: dict[str, int],
        *,
        durable: bool,
        frames_per_second: float,
    ) -> None:
        self.round_trip_ns: list[int] = []
        self._loop = loop
        self._back: asyncio.Future[None] = loop.create_future()
        self._frame = Frame("", b"")
        self._now = 0
        self._shell = SocketShell(self._arrived)
        self._control = socket.create_connection(("127.0.0.1", ports["control"]))
        self._answers = self._control.makefile("rb")
        journal = Journal(folder / "journal.fsj", {"run": "bench"}, durable=durable)
        super().__init__(
            self._send_order, journal, Tape(folder / "tape", {"run": "bench"}), frames_per_second=frames_per_second
        )
        loop.run_until_complete(self._open(ports["ws"]))

    async def _open(self, port: int) -> None:
        self._shell.open(OpenSocket(CONN, f"ws://127.0.0.1:{port}"))
        await self._back

    def _take(self, frame: Frame, now: int) -> None:
        """Send the frame round; `_arrived` does the rest."""
        self._wait()
        self._frame, self._now = frame, now
        self._sent = 0
        self._back = self._loop.create_future()
        self._control.sendall((b"b" if frame.binary else b"t") + len(frame.data).to_bytes(4, "big") + frame.data)
        known = len(self.samples)
        self._loop.run_until_complete(self._back)
        if self._sent:
            taken_ns = int(self._answers.readline())
            if len(self.samples) > known:  # signed at this tick; an exit that was signed ahead is another matter
                self.round_trip_ns.append(taken_ns)

    def _arrived(self, message: Incoming) -> None:
        if type(message) is Frame:
            self._work(msgspec.structs.replace(message, conn=self._frame.conn), self._now)
        elif not isinstance(message, SocketOpened):
            raise RuntimeError(f"the server went away: {message}")
        self._back.set_result(None)

    def _send_order(self, data: bytes) -> None:
        if b'"order.create"' not in data or self._sent:
            return
        self._sent += 1
        self._shell.send(SendFrame(CONN, data))
