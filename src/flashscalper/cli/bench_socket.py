"""A real loopback socket for measurements: what is sent leaves as a WebSocket frame; the other end is only emptied.

With `tls` the frame is encrypted first, by the machine that a connection would use, after a real handshake in memory.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from typing import Final

_READ: Final = 1 << 20


class LoopbackSocket:
    """A TCP connection to ourselves on 127.0.0.1; use as a context manager. `empty` must be called now and then."""

    def __init__(self, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None) -> None:
        """`tls`: the client's context, which trusts `127.0.0.1` of the server's, and the server's."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._near = socket.create_connection(server.getsockname())
            self._far, _ = server.accept()
        self._near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._far.setblocking(False)
        self._cipher: ssl.SSLObject | None = None
        self._encrypted = ssl.MemoryBIO()
        if tls is not None:
            self._cipher = self._shake_hands(*tls)

    def send(self, data: bytes) -> None:
        """One text frame, masked as a client must, in one system call."""
        frame = masked(data)
        if self._cipher is not None:
            self._cipher.write(frame)
            frame = self._encrypted.read()
        self._near.sendall(frame)

    def empty(self) -> int:
        """Read and forget what has arrived; returns how many bytes."""
        try:
            return len(self._far.recv(_READ))
        except BlockingIOError:
            return 0

    def __enter__(self) -> LoopbackSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._near.close()
        self._far.close()

    def _shake_hands(self, client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
        to_client = ssl.MemoryBIO()
        near = client.wrap_bio(to_client, self._encrypted, server_hostname="127.0.0.1")
        far = server.wrap_bio(self._encrypted, to_client, server_side=True)
        done: set[ssl.SSLObject] = set()
        while len(done) < 2:
            for end in (near, far):
                try:
                    end.do_handshake()
                    done.add(end)
                except ssl.SSLWantReadError:
                    continue
        return near


def masked(data: bytes) -> bytes:
    """A whole text frame of a client (RFC 6455 section 5.2)."""
    size = len(data)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x81, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x81, 0xFF)) + size.to_bytes(8)
    mask = secrets.token_bytes(4)
    key = int.from_bytes((mask * (size // 4 + 1))[:size])
    return head + mask + (int.from_bytes(data) ^ key).to_bytes(size)
