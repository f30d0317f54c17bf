"""The simulated Paradex: takes requests, frames and time, answers and publishes. Synchronous, without sockets or a clock.

One path for everything that comes in: let it do its work, then publish what the exchange core says happened. Routes are in
`routes_*`, WebSocket methods in `rpc`, publication in `publisher`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast
from urllib.parse import parse_qsl

from msgspec.structs import replace

from flashscalper.exchanges.paradex.sbe_schema import SCHEMA_ID, VERSIONS
from flashscalper.exchanges.paradex.signing import AccountClasses, account_address
from flashscalper.model.dice import Dice
from flashscalper.model.errors import ExchangeError
from flashscalper.model.events import ExchangeStatus
from flashscalper.simulator.base import (
    BacklogGrew,
    FrameArrived,
    HttpAnswer,
    HttpArrived,
    PongArrived,
    ServerIncoming,
    ServerOutgoing,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import Refusal
from flashscalper.simulator.feeds.base import FeedEvent
from flashscalper.simulator.paradex_server import (
    routes_account,
    routes_algo,
    routes_keys,
    routes_orders,
    routes_public,
    routes_session,
)
from flashscalper.simulator.paradex_server.answers import JSON_ENCODER, JSON_TYPE, error_body, error_reply
from flashscalper.simulator.paradex_server.context import Context, Login, Request
from flashscalper.simulator.paradex_server.limits import Group, Verdict
from flashscalper.simulator.paradex_server.logins import login_of
from flashscalper.simulator.paradex_server.publisher import Publisher
from flashscalper.simulator.paradex_server.routing import Route, Router
from flashscalper.simulator.paradex_server.rpc import Rpc
from flashscalper.simulator.paradex_server.saved import ServerSaver, restore_protocol
from flashscalper.simulator.paradex_server.sessions import Session, Sessions
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.saved import Rows

PREFIX: Final = "/v1"
_POLICY_VIOLATION: Final = 1008
_GOING_AWAY: Final = 1001
_TOO_MANY: Final = error_reply(ExchangeError("", "rate limit exceeded", status=429))
ROUTES: Final = (
    *routes_public.ROUTES,
    *routes_session.ROUTES,
    *routes_account.ROUTES,
    *routes_keys.ROUTES,
    *routes_orders.ROUTES,
    *routes_algo.ROUTES,
)


class ParadexServer:
    """One simulated Paradex; implements `simulator.base.ExchangeServer`. `now` is the simulation's clock, microseconds."""

    def __init__(self, exchange: Exchange, settings: ServerSettings, dice: Dice, now: int) -> None:
        self.exchange = exchange
        self._context = Context(exchange, settings, dice, now)
        self._sessions = Sessions(settings)
        self._publisher = Publisher(self._context, self._sessions)
        self._rpc = Rpc(self._context, self._sessions, self._publisher)
        self._router = Router(ROUTES)
        self._saver: ServerSaver | None = None

    # --- ExchangeServer ---------------------------------------------------------------------------------------------------

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Take one thing from a client, or the deadline."""
        self.exchange.advance(now)
        self._publish(now)
        if isinstance(message, HttpArrived):
            self._sessions.outbox.append(self._answer(message, now))
            if self._saver is not None and message.method != "GET":
                self._saver.touch()
        elif isinstance(message, FrameArrived):
            session = self._sessions.find(message.conn)
            if session is not None:
                self._rpc.receive(session, message.data, now)
        elif isinstance(message, SocketArrived):
            self._sessions.outbox.append(self._greet(message, now))
        elif isinstance(message, PongArrived):
            session = self._sessions.find(message.conn)
            if session is not None:
                self._sessions.pong(session, now)
        elif isinstance(message, SocketLeft):
            self._leave(message.conn, now)
        elif isinstance(message, BacklogGrew):
            self._check_backlog(message.conn, message.unread, now)
        self._run_due(now)

    def feed(self, event: object, now: int) -> None:
        """Take one event of the market feed that drives this exchange."""
        self.exchange.feed(cast("FeedEvent", event), now)
        self._run_due(now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """Everything to be sent now, in order; drained by the call."""
        sent, self._sessions.outbox = self._sessions.outbox, []
        return sent

    def next_deadline(self) -> int | None:
        """When the server wants `ServerTimerDue` next."""
        parts = (
            self.exchange.next_deadline,
            self._sessions.next_ping,
            self._publisher.next_due,
            self._context.algos.next_due,
        )
        return min((at for part in parts if (at := part()) is not None), default=None)

    # --- for whoever runs the simulation ----------------------------------------------------------------------------------

    def keep(self, rows: Mapping[str, bytes]) -> None:
        """Go on from the rows of an earlier process (none at its first start), and from now on say what changed.

        Only before anything happened here. Raises ConfigError.
        """
        saver = ServerSaver(self._context, self.exchange.saver())
        if rows:
            self.exchange.restore(rows)
            restore_protocol(self._context, rows)
            saver.mark_saved(rows)
        self._saver = saver

    def unsaved(self) -> Rows:
        """Rows that changed since the last call, to be stored before what is in `outgoing` leaves."""
        return {} if self._saver is None else self._saver.rows()

    def announce(self, base_url: str) -> None:
        """Where the server can be reached, for `/system/config`; known only when a free port was taken."""
        self._context.settings = replace(self._context.settings, base_url=base_url)

    def enroll(self, public_key: str, ethereum: str, balance: Decimal, now: int) -> str:
        """Onboard the account of a key without a request, with that much USDC; its address."""
        settings = self._context.settings
        address = account_address(public_key, AccountClasses(settings.account_hash, settings.proxy_hash))
        if self._context.members.add(address, public_key, ethereum, now):
            self.exchange.open_account(address, balance, now)
            self._run_due(now)
            if self._saver is not None:
                self._saver.touch()
        return address

    def set_status(self, status: ExchangeStatus, now: int) -> None:
        """Change the system mode."""
        self.exchange.set_status(status, now)
        self._run_due(now)

    def bust(self, fill_id: str, now: int) -> Refusal | None:
        """Take a fill back, the newest that still stands if `fill_id` is empty."""
        refusal = self.exchange.bust(fill_id or self.exchange.newest_fill(), now)
        self._run_due(now)
        return refusal

    def expire_tokens(self, now: int) -> None:
        """Every session token issued so far is over; sockets that are logged in stay so, as at the real exchange."""
        self._context.expire_tokens(now)
        if self._saver is not None:
            self._saver.touch()

    # --- inside -----------------------------------------------------------------------------------------------------------

    def _check_backlog(self, conn: str, unread: int, now: int) -> None:
        """Too many unread messages drop a client (paradex.md 5.4)."""
        session, limit = self._sessions.find(conn), self._context.settings.slow_reader_limit
        if session is not None and limit and unread >= limit:
            self._drop(session, _POLICY_VIOLATION, "slow reader", now)

    def _run_due(self, now: int) -> None:
        self._publish(now)
        self._context.algos.run_due(now)
        self._publish(now)
        self._publisher.run_due(now)
        for session in self._sessions.run_pings(now):
            self._drop(session, _GOING_AWAY, "pong timeout", now)

    def _publish(self, now: int) -> None:
        facts = self.exchange.drain()
        if facts:
            if self._saver is not None:
                self._saver.note(facts)
            self._context.algos.note(facts)
            self._publisher.publish(facts, now)

    def _greet(self, message: SocketArrived, now: int) -> SocketAnswer:
        """Accept a connection in the encoding its URL asks for, or refuse with 400 (paradex.md 5.9)."""
        if message.path.rstrip("/") != PREFIX:
            return _no_socket(message, 404, "NOT_FOUND", f"WebSocket is at {PREFIX}")
        if not self._context.limits.take(Group.CONNECTS, message.peer, now).allowed:
            return SocketAnswer(message.conn, 429)
        query = dict(parse_qsl(message.query, keep_blank_values=True))
        schema, version = query.get("sbeSchemaId"), query.get("sbeSchemaVersion")
        if schema is None and version is None:
            if self._context.settings.require_sbe:
                return _no_socket(message, 400, "INVALID_REQUEST_PARAMETER", "sbeSchemaId and sbeSchemaVersion are required")
            self._sessions.open(message.conn, message.peer, None, now)
        elif schema == str(SCHEMA_ID) and version is not None and version in [str(each) for each in VERSIONS]:
            self._sessions.open(message.conn, message.peer, int(version), now)
        else:
            return _no_socket(message, 400, "INVALID_REQUEST_PARAMETER", f"SBE {schema}:{version} is not supported")
        return SocketAnswer(message.conn)

    def _leave(self, conn: str, now: int) -> None:
        session = self._sessions.find(conn)
        if session is None:
            return
        names = list(session.channels)
        self._sessions.close(conn)
        for name in names:
            self._publisher.books.forget(name)
        if session.cancel_on_disconnect and session.account:
            self.exchange.cancel_connection(session.account, conn, now)

    def _drop(self, session: Session, code: int, reason: str, now: int) -> None:
        self._sessions.drop(session, code, reason)
        self._leave(session.conn, now)
        self._publish(now)

    def _answer(self, message: HttpArrived, now: int) -> HttpAnswer:
        verdict: Verdict | None = None
        try:
            route, parameters = self._route(message)
            login = login_of(self._context, message.headers, message.peer, now) if route.private else None
            verdict = self._count(route, login, message.peer, now)
            request = _request(message, route, parameters, login, now)
            reply = route.handler(self._context, request) if verdict.allowed else _TOO_MANY
        except ExchangeError as refused:
            reply = error_reply(refused)
        verdict = verdict or self._context.limits.look(Group.PUBLIC, message.peer, now)
        headers = (*verdict.headers(), *((JSON_TYPE,) if reply.body else ()), *reply.headers)
        return HttpAnswer(message.id, reply.status, headers, reply.body)

    def _route(self, message: HttpArrived) -> tuple[Route, dict[str, str]]:
        if message.path.startswith("/v2/"):
            raise ExchangeError("REQUEST_NOT_ALLOWED", f"not simulated: {message.path} (EVM accounts)", status=501)
        if not message.path.startswith(PREFIX + "/"):
            raise ExchangeError("NOT_FOUND", f"no route {message.method} {message.path}", status=404)
        return self._router.find(message.method, message.path[len(PREFIX) :].rstrip("/"))

    def _count(self, route: Route, login: Login | None, peer: str, now: int) -> Verdict:
        """Count the request. Reads count for the account and, over all accounts, for the address."""
        limits = self._context.limits
        if login is None:
            return limits.take(route.group, peer, now)
        if route.group is Group.READS:
            shared = limits.take(Group.ALL_PRIVATE, peer, now)
            if not shared.allowed:
                return shared
        return limits.take(route.group, login.member.address, now)


def _request(message: HttpArrived, route: Route, parameters: dict[str, str], login: Login | None, now: int) -> Request:
    return Request(
        method=route.method,
        path=route.path,
        parameters=parameters,
        query=dict(parse_qsl(message.query, keep_blank_values=True)),
        headers=message.headers,
        body=message.body,
        peer=message.peer,
        now=now,
        login=login,
    )


def _no_socket(message: SocketArrived, status: int, code: str, why: str) -> SocketAnswer:
    body: dict[str, Any] = error_body(ExchangeError(code, why, status=status))
    return SocketAnswer(message.conn, status, JSON_ENCODER.encode(body))
