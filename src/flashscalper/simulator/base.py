"""What every simulated exchange's server is: the mirror image of `exchanges.base`, a machine that never waits.

A shell in `runtime` binds it to real sockets, a lock-step driver joins it to a client in memory; both move the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from flashscalper.model.secrets import header_names, without_token


class HttpArrived(msgspec.Struct, frozen=True):
    """One whole HTTP request; exactly one `HttpAnswer` with this `id` follows. Header names are lower case."""

    id: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    peer: str = "127.0.0.1"

    def __repr__(self) -> str:
        what = f"{self.id}, {self.method!r}, {self.path!r}, {self.query!r}, headers={header_names(self.headers.items())}"
        return f"HttpArrived({what}, body={without_token(self.body)}, peer={self.peer!r})"


class SocketArrived(msgspec.Struct, frozen=True):
    """A WebSocket handshake; exactly one `SocketAnswer` follows. `conn` is the shell's name for it, never reused."""

    conn: str
    path: str
    query: str
    headers: dict[str, str]
    peer: str = "127.0.0.1"

    def __repr__(self) -> str:
        what = f"{self.conn!r}, {self.path!r}, {self.query!r}, headers={header_names(self.headers.items())}"
        return f"SocketArrived({what}, peer={self.peer!r})"


class FrameArrived(msgspec.Struct, frozen=True, gc=False):
    """One whole message of a client."""

    conn: str
    data: bytes
    binary: bool = False

    def __repr__(self) -> str:
        return f"FrameArrived({self.conn!r}, {without_token(self.data)}, binary={self.binary})"


class PongArrived(msgspec.Struct, frozen=True):
    """The client answered our ping."""

    conn: str


class SocketLeft(msgspec.Struct, frozen=True):
    """The client's socket is gone."""

    conn: str


class BacklogGrew(msgspec.Struct, frozen=True):
    """`unread` messages wait on our side because the client does not read; told each time that there are more."""

    conn: str
    unread: int


class ServerTimerDue(msgspec.Struct, frozen=True):
    """The server's `next_deadline` has come."""


ServerIncoming = HttpArrived | SocketArrived | FrameArrived | PongArrived | SocketLeft | BacklogGrew | ServerTimerDue


class HttpAnswer(msgspec.Struct, frozen=True):
    """The answer to one request. `broken`: the connection breaks after half of the body, or at once if there is none."""

    id: int
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broken: bool = False

    def __repr__(self) -> str:
        what = f"{self.id}, {self.status}, {self.headers!r}, {without_token(self.body)}"
        return f"HttpAnswer({what}, broken={self.broken})"


class SocketAnswer(msgspec.Struct, frozen=True):
    """Accept the handshake (status 101) or refuse it with an HTTP status and a body."""

    conn: str
    status: int = 101
    body: bytes = b""


class FrameOut(msgspec.Struct, frozen=True, gc=False):
    """Send one message: binary (SBE) or text (JSON). `topic` is the channel of a push or the method that it answers."""

    conn: str
    data: bytes
    binary: bool = False
    topic: str = ""

    def __repr__(self) -> str:
        return f"FrameOut({self.conn!r}, {without_token(self.data)}, binary={self.binary}, topic={self.topic!r})"


class PingOut(msgspec.Struct, frozen=True):
    """Send a protocol-level ping."""

    conn: str


class DropSocket(msgspec.Struct, frozen=True):
    """Close the client's socket; `SocketLeft` need not follow. Code 1006: break it without a close frame (RFC 6455)."""

    conn: str
    code: int = 1000
    reason: str = ""


ServerOutgoing = HttpAnswer | SocketAnswer | FrameOut | PingOut | DropSocket


class ExchangeServer(Protocol):
    """One simulated exchange as its clients see it. Synchronous; `now` is the simulation's clock, microseconds."""

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Take one thing from a client, or the deadline."""
        ...

    def feed(self, event: object, now: int) -> None:
        """Take one event of the market feed that drives this exchange."""
        ...

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """Everything to be sent now, in order; drained by the call. Ask after every `receive` and `feed`."""
        ...

    def next_deadline(self) -> int | None:
        """When the server wants `ServerTimerDue` next."""
        ...
