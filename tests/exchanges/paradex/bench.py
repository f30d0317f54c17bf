"""A workbench for the client: plays the other side by hand, one answer at a time, so that tests can make it misbehave."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from flashscalper.exchanges.base import (
    CloseSocket,
    Frame,
    HttpFailed,
    HttpRequest,
    HttpResponse,
    OpenSocket,
    Outgoing,
    Pong,
    SendFrame,
    SocketClosed,
    SocketOpened,
    TimerDue,
)
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.responses import claims_from
from flashscalper.exchanges.paradex.settings import BookFeed, Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import Event
from flashscalper.model.secrets import Secret

START = 1_767_225_600_000_000
SECOND = 1_000_000
CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
REST = "http://127.0.0.1:8787/v1"

ETH_RULES = {
    "symbol": "ETH-USD-PERP",
    "base_currency": "ETH",
    "quote_currency": "USD",
    "settlement_currency": "USDC",
    "price_tick_size": "0.01",
    "order_size_increment": "0.001",
    "min_notional": "10",
    "max_order_size": "100",
    "position_limit": "300",
    "asset_kind": "PERP",
}


def settings(**changes: Any) -> ParadexSettings:
    """Settings of a client against a loopback simulator, JSON on the public socket."""
    given: dict[str, Any] = {
        "environment": Environment.SIMULATOR,
        "rest_url": REST,
        "ws_url": "ws://127.0.0.1:8787/v1",
        "markets": (("ETHUSDT", "ETH-USD-PERP"),),
        "sbe": False,
        "busy_market": "",
        "onboard": True,
        "book": BookFeed.DELTAS,
    }
    return ParadexSettings(**{**given, **changes})


def signer() -> KeyedHashSigner:
    """A signer of simulations."""
    return KeyedHashSigner("0x123abc", Secret("0x1"), CHAIN)


def token(now: int, life_s: int = 300, serial: int = 0) -> str:
    """A readable JWT, unsigned."""
    import base64

    claims = json.dumps({"exp": now // SECOND + life_s, "iat": now // SECOND, "n": serial}).encode()
    return "e30." + base64.urlsafe_b64encode(claims).rstrip(b"=").decode() + ".sig"


def order_json(**changes: Any) -> dict[str, Any]:
    """An order as the exchange writes it."""
    given: dict[str, Any] = {
        "id": "1767225600123201704028870000",
        "account": "0x123abc",
        "market": "ETH-USD-PERP",
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.5",
        "remaining_size": "0.5",
        "price": "2400",
        "status": "NEW",
        "created_at": START // 1000,
        "last_updated_at": START // 1000,
        "client_id": "fs-a-1",
        "instruction": "GTC",
        "seq_no": 77,
        "flags": [],
        "cancel_reason": "",
        "avg_fill_price": "",
        "trigger_price": "0",
    }
    return {**given, **changes}


def fill_json(**changes: Any) -> dict[str, Any]:
    """A fill as the exchange writes it."""
    given: dict[str, Any] = {
        "id": "f1",
        "order_id": "1767225600123201704028870000",
        "client_id": "fs-a-1",
        "market": "ETH-USD-PERP",
        "side": "BUY",
        "liquidity": "TAKER",
        "price": "2400",
        "size": "0.5",
        "fee": "0.54",
        "fee_currency": "USDC",
        "realized_pnl": "0",
        "realized_funding": "0",
        "fill_type": "FILL",
        "created_at": START // 1000,
    }
    return {**given, **changes}


ACCOUNT_JSON = {
    "account": "0x123abc",
    "account_value": "10000",
    "total_collateral": "10000",
    "free_collateral": "10000",
    "initial_margin_requirement": "0",
    "maintenance_margin_requirement": "0",
    "status": "ACTIVE",
    "updated_at": START // 1000,
    "seq_no": 5,
}


def trade_push(trade_id: int, price: str = "2400.5", at_ms: int = START // 1000, market: str = "ETH-USD-PERP") -> bytes:
    """A public trade as pushed."""
    return push(f"trades.{market}", trade_json(trade_id, price, at_ms, market))


def trade_json(
    trade_id: int, price: str = "2400.5", at_ms: int = START // 1000, market: str = "ETH-USD-PERP"
) -> dict[str, Any]:
    """A public trade as the exchange writes it."""
    return {
        "id": str(trade_id),
        "market": market,
        "side": "BUY",
        "size": "0.25",
        "price": price,
        "created_at": at_ms,
        "trade_type": "FILL",
    }


def push(channel: str, data: Any) -> bytes:
    """A push frame, compact."""
    message = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return json.dumps(message, separators=(",", ":")).encode()


Handler = Callable[[HttpRequest], "tuple[int, Any] | HttpFailed | None"]


class Bench:
    """Drives one client. `routes` maps a path prefix to an answer (status, body), a function, or None for silence."""

    def __init__(self, **changes: Any) -> None:
        private = changes.get("private", True)
        self.client = ParadexClient(settings(**changes), random.Random(1), signer=signer() if private else None)
        self.now = START
        self.events: list[Event] = []
        self.requests: list[HttpRequest] = []
        self.late: list[HttpRequest] = []
        self.frames: list[tuple[str, dict[str, Any]]] = []
        self.open: dict[str, str] = {}
        self.closed: list[str] = []
        self.refuse_sockets = False
        self.answer_pings = True
        self.answer_rpc = True
        self.rpc_errors: dict[str, dict[str, Any]] = {}
        self.tokens = 0
        self.routes: dict[str, Any] = {
            "/system/config": (200, {"starknet_chain_id": CHAIN, "paraclear_decimals": 8}),
            "/system/time": lambda _: (200, {"server_time": str(self.now // 1000)}),
            "/system/state": (200, {"status": "ok"}),
            "/markets": (200, {"results": [ETH_RULES]}),
            "/auth": self._auth,
            "/account/info": (
                200,
                {"results": [{"account": "0x1", "fees": {"maker_rate": "0.00003", "taker_rate": "0.0004"}}]},
            ),
            "/account/margin": (
                200,
                {"configs": [{"market": "ETH-USD-PERP", "leverage": 10, "margin_type": "CROSS"}]},
            ),
            "/account": (200, ACCOUNT_JSON),
            "/orders": (200, {"results": []}),
            "/fills": (200, {"results": [], "next": None}),
            "/positions": (200, {"results": []}),
            "/tradebusts": (200, {"results": []}),
            "/trades": (200, {"results": [], "next": None}),
        }

    def _auth(self, _: HttpRequest) -> tuple[int, Any]:
        self.tokens += 1
        return 200, {"jwt_token": token(self.now, serial=self.tokens)}

    # ---- driving ----

    def started(self) -> Bench:
        """Start and let everything settle."""
        self.client.start(self.now)
        self.settle()
        return self

    def settle(self) -> None:
        """Execute what the client wants until it wants nothing more now."""
        for _ in range(10_000):
            out = list(self.client.outgoing())
            due = self.client.next_deadline()
            if not out and (due is None or due > self.now):
                return
            for wish in out:
                self._do(wish)
            if due is not None and due <= self.now:
                self.take(TimerDue())
        raise AssertionError("the client never settles")

    def take(self, message: Any) -> list[Event]:
        """Hand the client one report and keep its events."""
        events = list(self.client.receive(message, self.now))
        self.events += events
        return events

    def frame(self, stream: str, data: bytes, *, binary: bool = False) -> list[Event]:
        """A frame on the socket of `stream`."""
        return self.take(Frame(self.conn(stream), data, binary))

    def wait(self, seconds: float) -> None:
        """Let time pass, with every deadline in its turn."""
        until = self.now + int(seconds * SECOND)
        while (due := self.client.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.take(TimerDue())
            self.settle()
        self.now = until

    def cut(self, stream: str, reason: str = "reset") -> None:
        """The socket of `stream` dies."""
        conn = self.conn(stream)
        del self.open[conn]
        self.take(SocketClosed(conn, reason))

    def conn(self, stream: str) -> str:
        """The open socket of `stream`."""
        return next(conn for conn in self.open if conn.startswith(stream))

    # ---- seeing ----

    def seen(self, kind: type[Any]) -> list[Any]:
        """Events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        """Start a new page."""
        self.events.clear()
        self.requests.clear()
        self.frames.clear()

    def asked(self, method: str, path: str) -> list[HttpRequest]:
        """HTTP requests to a path below /v1."""
        wanted = REST + path
        return [request for request in self.requests if request.method == method and request.url.split("?")[0] == wanted]

    def sent(self, method: str) -> list[dict[str, Any]]:
        """RPC frames of one method."""
        return [message for _, message in self.frames if message["method"] == method]

    # ---- the other side ----

    def _do(self, wish: Outgoing) -> None:
        match wish:
            case OpenSocket():
                if self.refuse_sockets:
                    self.take(SocketClosed(wish.conn, "refused", 503))
                else:
                    self.open[wish.conn] = wish.url
                    self.take(SocketOpened(wish.conn))
            case CloseSocket():
                self.closed.append(wish.conn)
                if self.open.pop(wish.conn, None) is not None:
                    self.take(SocketClosed(wish.conn, "closed by us"))
            case SendFrame():
                self._answer_frame(wish)
            case HttpRequest():
                self.requests.append(wish)
                self._answer_http(wish)

    def _answer_frame(self, wish: SendFrame) -> None:
        if wish.ping:
            if self.answer_pings:
                self.take(Pong(wish.conn))
            return
        message = json.loads(wish.data)
        self.frames.append((wish.conn, message))
        if wish.conn in self.open and self.answer_rpc:
            self.reply(wish.conn, message)

    def reply(self, conn: str, message: dict[str, Any]) -> None:
        """Answer one RPC frame as the exchange would, or with the error set for its method or channel."""
        method, params = message["method"], message["params"]
        error = self.rpc_errors.get(str(params.get("channel", ""))) or self.rpc_errors.get(method)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if error is not None:
            answer["error"] = error
        elif method in ("order.create", "order.modify"):
            answer["result"] = {"order": order_json(client_id=params.get("client_id", "fs-a-1"), type=params["type"])}
        else:
            answer["result"] = {"channel": params.get("channel", "")}
        self.take(Frame(conn, json.dumps(answer, separators=(",", ":")).encode()))

    def _note_late(self, request: HttpRequest) -> None:
        """Keep requests that carry a token past its end."""
        bearer = dict(request.headers).get("Authorization", "").removeprefix("Bearer ")
        try:
            late = bool(bearer) and claims_from(bearer).exp * SECOND <= self.now
        except ProtocolError:  # an opaque token says nothing about its end
            return
        if late:
            self.late.append(request)

    def _answer_http(self, request: HttpRequest) -> None:
        self._note_late(request)
        path = request.url.removeprefix(REST).split("?")[0]
        best = max((prefix for prefix in self.routes if path.startswith(prefix)), key=len, default="")
        route = self.routes.get(best, (404, {"error": "NOT_FOUND", "message": path}))
        answer = route(request) if callable(route) else route
        if answer is None:
            return
        if isinstance(answer, HttpFailed):
            self.take(HttpFailed(request.id, answer.sent, answer.reason))
            return
        status, body = answer[0], answer[1]
        headers = answer[2] if len(answer) > 2 else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.take(HttpResponse(request.id, status, headers, data))
