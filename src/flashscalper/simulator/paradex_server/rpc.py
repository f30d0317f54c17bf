"""The JSON-RPC methods of a WebSocket connection: login, subscriptions, order entry (paradex.md 5.1 to 5.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from flashscalper.model.errors import AuthError, ExchangeError, RateLimitError
from flashscalper.simulator.facts import Refusal, SimOrder
from flashscalper.simulator.paradex_server import channels, routes_orders, views
from flashscalper.simulator.paradex_server.answers import JSON_ENCODER
from flashscalper.simulator.paradex_server.context import Context, Login
from flashscalper.simulator.paradex_server.limits import Group
from flashscalper.simulator.paradex_server.logins import login_with
from flashscalper.simulator.paradex_server.order_requests import ModifyRequest, OrderRequest
from flashscalper.simulator.paradex_server.publisher import Publisher
from flashscalper.simulator.paradex_server.sessions import Session, Sessions

T = TypeVar("T")

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
NO_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
METHOD_ERROR: Final = 100
MALFORMED_BEARER: Final = 40110
INVALID_BEARER: Final = 40111
NO_PERMISSION: Final = 40300
RATE_LIMITED: Final = 42901


class RpcError(Exception):
    """A refused call: code, message and detail of the error answer."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"{code} {message}: {data}")


class Envelope(msgspec.Struct):
    """A request as it comes; `id` may be of any type or absent."""

    jsonrpc: Any = None
    method: Any = None
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: Any = msgspec.UNSET


class AuthParams(msgspec.Struct):
    """`auth`."""

    bearer: str


class ChannelParams(msgspec.Struct):
    """`subscribe`, `unsubscribe` and `modify_subscription`."""

    channel: str
    markets: list[str] | None = None
    base_asset: str | None = None
    add: list[str] | None = None
    remove: list[str] | None = None


class CancelParams(msgspec.Struct):
    """`order.cancel`: by `id`, or by `client_id` and `market`."""

    id: str | None = None
    client_id: str | None = None
    market: str | None = None


class CancelBatchParams(msgspec.Struct):
    """`order.cancel_batch`."""

    order_ids: list[str]


class CancelAllParams(msgspec.Struct):
    """`order.cancel_all`."""

    market: str | None = None


class EnabledParams(msgspec.Struct):
    """`order.cancel_on_disconnect`."""

    enabled: bool


class BatchParams(msgspec.Struct):
    """`order.create_batch` as specified; the official SDK sends the bare array."""

    orders: list[OrderRequest]


Result = dict[str, Any]


class Rpc:
    """Answers requests of all connections."""

    def __init__(self, context: Context, sessions: Sessions, publisher: Publisher) -> None:
        self._context = context
        self._sessions = sessions
        self._publisher = publisher
        self._after: list[Callable[[], None]] = []
        self._methods: dict[str, Callable[[Session, msgspec.Raw, int], Result]] = {
            "auth": self._auth,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "modify_subscription": self._modify_subscription,
            "order.create": self._create,
            "order.create_batch": self._create_batch,
            "order.modify": self._modify,
            "order.cancel": self._cancel,
            "order.cancel_batch": self._cancel_batch,
            "order.cancel_all": self._cancel_all,
            "order.cancel_on_disconnect": self._cancel_on_disconnect,
        }

    def receive(self, session: Session, data: bytes, now: int) -> None:
        """Answer one message; what a new subscription gets at once follows the answer."""
        id_: Any = msgspec.UNSET
        method = ""
        try:
            envelope = self._envelope(data)
            id_, method = envelope.id, str(envelope.method)
            answer: Result = {"result": self._call(session, envelope, now)}
        except RpcError as refused:
            error: Result = {"code": refused.code, "message": refused.message}
            answer = {"error": error | ({"data": refused.data} if refused.data else {})}
        self._send(session, answer, method, id_, now)
        while self._after:
            self._after.pop()()

    def _send(self, session: Session, answer: Result, method: str, id_: Any, now: int) -> None:
        message: Result = {"jsonrpc": "2.0", **answer, "usIn": now, "usOut": now, "usDiff": 0}
        if id_ is not msgspec.UNSET:
            message["id"] = id_
        self._sessions.send_text(session, JSON_ENCODER.encode(message), method)

    def _envelope(self, data: bytes) -> Envelope:
        try:
            return msgspec.json.decode(data, type=Envelope)
        except msgspec.ValidationError as refused:
            raise RpcError(INVALID_REQUEST, "invalid request", str(refused)) from refused
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as broken:
            raise RpcError(PARSE_ERROR, "parse error", str(broken)) from broken

    def _call(self, session: Session, envelope: Envelope, now: int) -> Result:
        if envelope.jsonrpc != "2.0" or not isinstance(envelope.method, str):
            raise RpcError(INVALID_REQUEST, "invalid request", 'jsonrpc must be "2.0" and method a text')
        method = self._methods.get(envelope.method)
        if method is None:
            raise RpcError(NO_METHOD, "method does not exist", envelope.method)
        try:
            return method(session, envelope.params, now)
        except RateLimitError as refused:
            raise RpcError(RATE_LIMITED, refused.message) from refused
        except AuthError as refused:
            code = NO_PERMISSION if refused.code == "INVALID_TOKEN_SCOPE" else INVALID_BEARER
            raise RpcError(code, "invalid bearer token" if code == INVALID_BEARER else refused.message) from refused
        except ExchangeError as refused:
            code = INVALID_PARAMS if refused.code == "BINDING_ERROR" else METHOD_ERROR
            raise RpcError(code, refused.message, refused.code) from refused

    # --- session ----------------------------------------------------------------------------------------------------------

    def _auth(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        bearer = _params(params, AuthParams).bearer
        if bearer.count(".") != 2:
            raise RpcError(MALFORMED_BEARER, "malformed bearer token")
        login = login_with(self._context, bearer, session.peer, now)
        if session.login is not None and session.account != login.member.address:
            raise RpcError(INVALID_REQUEST, "invalid request", "the connection belongs to another account")
        session.login = login
        return {"node_id": self._context.node_id}

    def _subscribe(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        asked = _params(params, ChannelParams)
        channel = self._channel(asked, "invalid subscribe request")
        if channel.private and session.login is None:
            raise RpcError(INVALID_REQUEST, "invalid subscribe request", "channel requires authentication")
        if channel.name in session.channels:
            raise RpcError(INVALID_REQUEST, "invalid subscribe request", "already subscribed")
        if channel.name == "markets_summary":
            session.scope = None if asked.markets is None else self._scope(asked.markets)
        self._sessions.subscribe(session, channel.name, private=channel.private)
        self._after.append(lambda: self._publisher.greet(session, channel, now))
        return {"channel": channel.name}

    def _unsubscribe(self, session: Session, params: msgspec.Raw, now: int) -> Result:  # noqa: ARG002 - one shape
        name = _params(params, ChannelParams).channel
        if name not in session.channels:
            raise RpcError(INVALID_REQUEST, "invalid unsubscribe request", "not subscribed")
        self._sessions.unsubscribe(session, name)
        self._publisher.books.forget(name)
        return {"channel": name}

    def _modify_subscription(self, session: Session, params: msgspec.Raw, now: int) -> Result:  # noqa: ARG002 - one shape
        asked = _params(params, ChannelParams)
        if asked.channel != "markets_summary" or asked.channel not in session.channels or session.scope is None:
            raise RpcError(INVALID_REQUEST, "invalid modify_subscription request", "no scoped markets_summary subscription")
        session.scope = (session.scope | self._scope(asked.add or [])) - self._scope(asked.remove or [])
        return {"channel": asked.channel, "add": asked.add or [], "remove": asked.remove or []}

    def _channel(self, asked: ChannelParams, refusal: str) -> channels.Channel:
        try:
            return channels.parse(asked.channel, asked.base_asset or "", self._context.names)
        except ExchangeError as refused:
            raise RpcError(INVALID_REQUEST, refusal, refused.message) from refused

    def _scope(self, markets: list[str]) -> set[str]:
        return {self._context.names.symbol(market) for market in markets}

    # --- orders -----------------------------------------------------------------------------------------------------------

    def _trader(self, session: Session, now: int) -> Login:
        """The login, counted against the limit that REST shares."""
        if session.login is None:
            raise RpcError(NO_PERMISSION, "permission denied", "authentication required")
        verdict = self._context.limits.take(Group.ORDERS, session.account, now)
        if not verdict.allowed:
            raise RateLimitError("rate limit exceeded", retry_after_s=verdict.retry_us / 1e6)
        return session.login

    def _create(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        login = self._trader(session, now)
        order = routes_orders.place(self._context, login, _params(params, OrderRequest), now, session.conn)
        return self._created(order, now)

    def _created(self, order: SimOrder, now: int) -> Result:
        view = routes_orders.order_view(self._context, order, now)
        return {"order": view, "created_at": views.ms(order.created_at), "received_at": views.ms(order.received_at)}

    def _create_batch(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        login = self._trader(session, now)
        bare = bytes(params).lstrip()[:1] == b"["
        requests = _params(params, list[OrderRequest]) if bare else _params(params, BatchParams).orders
        outcomes = routes_orders.place_batch(self._context, login, requests, now, session.conn)
        return {
            "results": [
                {"error": f"{each.code}: {each.message}"} if isinstance(each, Refusal) else self._created(each, now)
                for each in outcomes
            ]
        }

    def _modify(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        login = self._trader(session, now)
        order = routes_orders.modify(self._context, login, _params(params, ModifyRequest), now)
        return {"order": routes_orders.order_view(self._context, order, now)}

    def _cancel(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        login = self._trader(session, now)
        asked = _params(params, CancelParams)
        order_id = asked.id or ""
        if not order_id:
            if not (asked.client_id and asked.market):
                raise RpcError(INVALID_PARAMS, "invalid params", "id, or client_id and market")
            symbol = self._context.names.symbol(asked.market)
            order_id = routes_orders.by_client_id(self._context, session.account, asked.client_id, symbol).order_id
        routes_orders.cancel(self._context, login, order_id, now)
        return {"order_id": order_id, "status": "QUEUED_FOR_CANCELLATION"}

    def _cancel_batch(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        login = self._trader(session, now)
        outcomes = routes_orders.cancel_each(self._context, login, _params(params, CancelBatchParams).order_ids, now)
        shown = ("id", "market", "status")
        return {"results": [{name: each[name] for name in shown if name in each} for each in outcomes]}

    def _cancel_all(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        self._trader(session, now).asker()
        symbol = self._context.names.optional_symbol(_params(params, CancelAllParams).market or "")
        self._context.exchange.cancel_all(session.account, symbol, now)
        return {"status": "ok"}

    def _cancel_on_disconnect(self, session: Session, params: msgspec.Raw, now: int) -> Result:
        self._trader(session, now).asker()
        session.cancel_on_disconnect = _params(params, EnabledParams).enabled
        return {"enabled": session.cancel_on_disconnect}


def _params(raw: msgspec.Raw, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as refused:
        raise RpcError(INVALID_PARAMS, "invalid params", str(refused)) from refused
