"""Connections of clients: who is logged in, what is subscribed, pings, slow readers, and what is on its way out.

The protocol's methods are in `rpc`, what goes out on channels in `publisher` and `book_channels` (paradex.md 5.1 to 5.5).
"""

from __future__ import annotations

from collections.abc import Iterable

from flashscalper.simulator.base import DropSocket, FrameOut, PingOut, ServerOutgoing
from flashscalper.simulator.paradex_server.context import Login
from flashscalper.simulator.paradex_server.settings import ServerSettings

_EMPTY: dict[str, Session] = {}


class Session:
    """One WebSocket connection. `sbe_version` None means JSON; `scope` filters the bare `markets_summary` channel."""

    __slots__ = ("cancel_on_disconnect", "channels", "conn", "login", "peer", "ping_at", "pong_by", "sbe_version", "scope")

    def __init__(self, conn: str, peer: str, sbe_version: int | None, ping_at: int) -> None:
        self.conn = conn
        self.peer = peer
        self.sbe_version = sbe_version
        self.login: Login | None = None
        self.channels: dict[str, tuple[str, str]] = {}
        self.scope: set[str] | None = None
        self.cancel_on_disconnect = False
        self.ping_at = ping_at
        self.pong_by: int | None = None

    @property
    def account(self) -> str:
        """The logged-in account, "" before `auth`."""
        return self.login.member.address if self.login else ""


class Sessions:
    """Every open connection, who listens to what, and the queue to the shell."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._open: dict[str, Session] = {}
        self._listeners: dict[tuple[str, str], dict[str, Session]] = {}
        self.outbox: list[ServerOutgoing] = []

    def open(self, conn: str, peer: str, sbe_version: int | None, now: int) -> Session:
        """A connection was accepted."""
        session = self._open[conn] = Session(conn, peer, sbe_version, now + self._settings.ping_every_us)
        return session

    def find(self, conn: str) -> Session | None:
        """The open connection of that name."""
        return self._open.get(conn)

    def close(self, conn: str) -> Session | None:
        """The connection is gone; its subscriptions end. None when it was gone already."""
        session = self._open.pop(conn, None)
        if session is not None:
            for channel in list(session.channels):
                self.unsubscribe(session, channel)
        return session

    def drop(self, session: Session, code: int, reason: str) -> None:
        """Close a client's connection from our side."""
        self.outbox.append(DropSocket(session.conn, code, reason))

    # --- subscriptions ----------------------------------------------------------------------------------------------------

    def subscribe(self, session: Session, channel: str, *, private: bool) -> None:
        """Add a channel; private ones are kept by account."""
        key = (session.account if private else "", channel)
        session.channels[channel] = key
        self._listeners.setdefault(key, {})[session.conn] = session

    def unsubscribe(self, session: Session, channel: str) -> None:
        """Remove a subscribed channel."""
        key = session.channels.pop(channel)
        listeners = self._listeners[key]
        del listeners[session.conn]
        if not listeners:
            del self._listeners[key]

    def listeners(self, channel: str, account: str = "") -> Iterable[Session]:
        """Who listens to a channel (of an account), in order of subscription."""
        return self._listeners.get((account, channel), _EMPTY).values()

    def has_listeners(self, channel: str, account: str = "") -> bool:
        """Whether anybody listens."""
        return (account, channel) in self._listeners

    # --- out --------------------------------------------------------------------------------------------------------------

    def send_text(self, session: Session, data: bytes, topic: str) -> None:
        """Queue a JSON message on a channel, or in answer to a method."""
        self.outbox.append(FrameOut(session.conn, data, topic=topic))

    def send_binary(self, session: Session, data: bytes, topic: str) -> None:
        """Queue an SBE message on a channel."""
        self.outbox.append(FrameOut(session.conn, data, binary=True, topic=topic))

    # --- liveness ---------------------------------------------------------------------------------------------------------

    def pong(self, session: Session, now: int) -> None:
        """The client answered; the next ping is a full period away."""
        session.pong_by = None
        session.ping_at = now + self._settings.ping_every_us

    def run_pings(self, now: int) -> list[Session]:
        """Send due pings; the sessions whose pong did not come in time."""
        late: list[Session] = []
        for session in self._open.values():
            if session.pong_by is not None and now >= session.pong_by:
                late.append(session)
            elif session.pong_by is None and now >= session.ping_at:
                session.pong_by = now + self._settings.pong_within_us
                self.outbox.append(PingOut(session.conn))
        return late

    def next_ping(self) -> int | None:
        """When `run_pings` has something to do next."""
        return min((s.ping_at if s.pong_by is None else s.pong_by for s in self._open.values()), default=None)
