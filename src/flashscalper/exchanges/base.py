"""What every exchange client is: a machine that never waits. Where the connection happens: `runtime`, not here.

The runtime reports `Incoming` (a socket opened, a frame came, an answer came, a deadline is due) and executes `Outgoing`
(open a socket, send a frame, make a request). Everything clever (login, reconnect, resubscription, back-fill, token
refresh, time-outs, rate budget, clock offset) is in the machine, so simulations test it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from flashscalper.model.commands import Command
from flashscalper.model.events import Event
from flashscalper.model.secrets import header_names, without_token


class OpenSocket(msgspec.Struct, frozen=True):
    """Open a WebSocket. `conn` is the client's own name for it and is never reused for another socket."""

    conn: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 5.0

    def __repr__(self) -> str:
        return f"OpenSocket({self.conn!r}, {self.url!r}, headers={header_names(self.headers)})"


class CloseSocket(msgspec.Struct, frozen=True):
    """Close it; `SocketClosed` still follows."""

    conn: str
    reason: str = ""


class SendFrame(msgspec.Struct, frozen=True, gc=False):
    """Send one text frame (`data` is UTF-8) on an open socket; `ping` True sends a protocol-level ping instead."""

    conn: str
    data: bytes
    ping: bool = False

    def __repr__(self) -> str:
        return f"SendFrame({self.conn!r}, {without_token(self.data)}, ping={self.ping})"


class HttpRequest(msgspec.Struct, frozen=True):
    """Make one HTTP request. Exactly one `HttpResponse` or `HttpFailed` with this `id` follows."""

    id: int
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        what = f"{self.id}, {self.method!r}, {self.url!r}, headers={header_names(self.headers)}"
        return f"HttpRequest({what}, body={without_token(self.body)}, timeout_s={self.timeout_s})"


Outgoing = OpenSocket | CloseSocket | SendFrame | HttpRequest


class SocketOpened(msgspec.Struct, frozen=True):
    """The WebSocket handshake succeeded."""

    conn: str


class SocketClosed(msgspec.Struct, frozen=True):
    """The socket is gone, or never came up (`status` is the handshake's HTTP status, 0 if none)."""

    conn: str
    reason: str
    status: int = 0


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One whole message. `binary` tells SBE from JSON."""

    conn: str
    data: bytes
    binary: bool = False


class Pong(msgspec.Struct, frozen=True):
    """The other side answered our ping."""

    conn: str


class HttpResponse(msgspec.Struct, frozen=True):
    """A complete HTTP answer of any status; header names are lower case."""

    id: int
    status: int
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpResponse({self.id}, {self.status}, {self.headers!r}, {without_token(self.body)})"


class HttpFailed(msgspec.Struct, frozen=True):
    """No complete answer. `sent` False: no byte of the request left us; True: it may have been executed."""

    id: int
    sent: bool
    reason: str


class TimerDue(msgspec.Struct, frozen=True):
    """The machine's `next_deadline` has come."""


Incoming = SocketOpened | SocketClosed | Frame | Pong | HttpResponse | HttpFailed | TimerDue


class ExchangeClient(Protocol):
    """One account on one exchange. Every call is synchronous; `now` is the exchange-side clock handed in, microseconds."""

    def start(self, now: int) -> None:
        """Begin: load rules, log in, open sockets, subscribe. Results come as events from `receive`."""
        ...

    def receive(self, message: Incoming, now: int) -> Sequence[Event]:
        """Take one report from the runtime; return what it means. Never raises for what the other side sent."""
        ...

    def submit(self, command: Command, now: int) -> None:
        """Take one command; its bytes appear in `outgoing()`. A refusal of ours comes as an event at the next `receive`."""
        ...

    def outgoing(self) -> Sequence[Outgoing]:
        """Everything to be done now, in order; drained by the call. Ask after every `start`, `receive` and `submit`."""
        ...

    def next_deadline(self) -> int | None:
        """When the machine wants `TimerDue` next; None when it waits for nothing."""
        ...

    def stop(self, now: int) -> None:
        """Close every socket for good; nothing is sent or opened afterwards."""
        ...


class Signer(Protocol):
    """Signs for one account; simulations may put a keyed hash of the same layout behind it."""

    @property
    def account(self) -> str:
        """The account's address as the exchange writes it."""
        ...

    @property
    def public_key(self) -> str:
        """The key that signs, as 0x hex (a registered subkey's or the main key's)."""
        ...
