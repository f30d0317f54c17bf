"""A simulated Paradex on the bench: real request bytes in, real answers out, every answer judged by the specification."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from flashscalper.exchanges.paradex.sbe import SbeMessage, decode_frame
from flashscalper.exchanges.paradex.signing import (
    AccountClasses,
    KeyedHashSigner,
    KeyedHashVerifier,
    ParadexSigner,
    account_address,
)
from flashscalper.exchanges.paradex.signing.keyed_hash import keyed_public_key
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from flashscalper.simulator.base import (
    DropSocket,
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    PingOut,
    PongArrived,
    ServerIncoming,
    ServerOutgoing,
    ServerTimerDue,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.feeds.base import FlowCancel, FlowOrder, IndexMoved
from flashscalper.simulator.paradex_server.server import ParadexServer
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.rules import ExchangeRules
from tests.simulator.paradex_server import specs

T0 = 1_767_225_600_000_000
CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
ETH = "0x511671d631CEA1E4C66f8b93bc467646C8e994B9"
CLASSES = AccountClasses(
    "0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e",
    "0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9",
)
MARKETS = (
    Market(
        symbol="BTCUSDT",
        market="BTC-USD-PERP",
        base="BTC",
        price_tick=Decimal("0.1"),
        size_step=Decimal("0.00001"),
        min_notional=Decimal(10),
        max_order_size=Decimal(100),
        position_limit=Decimal(300),
    ),
    Market(
        symbol="ETHUSDT",
        market="ETH-USD-PERP",
        base="ETH",
        price_tick=Decimal("0.01"),
        size_step=Decimal("0.001"),
        min_notional=Decimal(10),
        max_order_size=Decimal(1000),
        position_limit=Decimal(3000),
    ),
)


def keyed_signer(name: str) -> KeyedHashSigner:
    """A signer of the simulations' keyed hash; its account is the address that belongs to its key."""
    secret = Secret(name)
    return KeyedHashSigner(account_address(keyed_public_key(secret), CLASSES), secret, CHAIN)


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Socket:
    """One WebSocket connection of a test."""

    bench: Bench
    conn: str
    status: int
    inbox: list[bytes] = field(default_factory=list)
    dropped: DropSocket | None = None
    pings: int = 0

    def call(self, method: str, params: Any = None, **envelope: Any) -> dict[str, Any]:
        """Send a request; the answer is the first message that is no push."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "id": 1} | envelope
        if params is not None:
            message["params"] = params
        answer = self.send(json.dumps(message).encode())
        specs.judge_rpc(method, answer)
        return answer

    def send(self, data: bytes) -> dict[str, Any]:
        before = len(self.inbox)
        self.bench.receive(FrameArrived(self.conn, data))
        for raw in self.inbox[before:]:
            message = json.loads(raw) if raw[:1] == b"{" else {}
            if "result" in message or "error" in message:
                self.inbox.remove(raw)
                return dict(message)
        raise AssertionError("no answer")

    def login(self, token: str) -> None:
        assert self.call("auth", {"bearer": token})["result"]["node_id"]

    def subscribe(self, *channels: str) -> None:
        for channel in channels:
            assert self.call("subscribe", {"channel": channel})["result"] == {"channel": channel}

    def take(self) -> list[bytes]:
        """Everything that came since the last look."""
        taken, self.inbox[:] = list(self.inbox), []
        return taken

    def pushes(self, channel: str = "") -> list[dict[str, Any]]:
        """JSON pushes since the last look, `params` only; of one channel if given."""
        found = [json.loads(raw)["params"] for raw in self.take() if raw[:1] == b"{"]
        return [each for each in found if channel in ("", each["channel"])]

    def binary(self) -> list[SbeMessage | None]:
        """SBE frames since the last look."""
        return [decode_frame(raw) for raw in self.take() if raw[:1] != b"{"]

    def close(self) -> None:
        self.bench.receive(SocketLeft(self.conn))


class Bench:
    """The server with its clock and its clients."""

    def __init__(self, *, rules: ExchangeRules | None = None, exchange: Exchange | None = None, **settings: Any) -> None:
        self.now = T0
        self.exchange = exchange or Exchange(MARKETS, rules or ExchangeRules(), T0)
        basics: dict[str, Any] = {"jwt_secret": Secret("bench"), "verify_signatures": KeyedHashVerifier(CHAIN)}
        self.settings = ServerSettings(**(basics | settings))
        self.server = ParadexServer(self.exchange, self.settings, random.Random(1), T0)
        self.sockets: dict[str, Socket] = {}
        self._http: dict[int, HttpAnswer] = {}
        self._ids = 0
        self._flow = 1_000_000

    # --- transport --------------------------------------------------------------------------------------------------------

    def receive(self, message: ServerIncoming) -> None:
        self.server.receive(message, self.now)
        self._deliver()

    def _deliver(self) -> None:
        for out in self.server.outgoing():
            self._deliver_one(out)

    def _deliver_one(self, out: ServerOutgoing) -> None:
        if isinstance(out, HttpAnswer):
            self._http[out.id] = out
        elif isinstance(out, SocketAnswer):
            self.sockets[out.conn].status = out.status
        elif isinstance(out, FrameOut):
            assert out.binary == (out.data[:1] != b"{")
            self.sockets[out.conn].inbox.append(out.data)
            if not out.binary and b'"method":"subscription"' in out.data[:60]:
                push = json.loads(out.data)["params"]
                specs.judge_push(push["channel"], push["data"])
        elif isinstance(out, PingOut):
            self.sockets[out.conn].pings += 1
        else:
            self.sockets[out.conn].dropped = out

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
        token: str = "",
        peer: str = "127.0.0.1",
    ) -> Answer:
        """One HTTP request below /v1."""
        self._ids += 1
        all_headers = {name.lower(): value for name, value in (headers or {}).items()}
        if token:
            all_headers["authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        path = path if path.startswith("/v") and path[2:3].isdigit() else f"/v1{path}"
        self.receive(HttpArrived(self._ids, method, path, urlencode(query or {}), all_headers, data, peer))
        answer = self._http.pop(self._ids)
        if path.startswith("/v1/"):
            specs.judge_http(method, path[3:], answer.status, answer.body)
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    def get(self, path: str, token: str = "", **query: Any) -> Answer:
        return self.request("GET", path, query=query, token=token)

    def connect(self, query: str = "", peer: str = "127.0.0.1", path: str = "/v1") -> Socket:
        conn = f"c{len(self.sockets) + 1}"
        self.sockets[conn] = Socket(self, conn, 0)
        self.receive(SocketArrived(conn, path, query, {}, peer))
        return self.sockets[conn]

    def pong(self, socket: Socket) -> None:
        self.receive(PongArrived(socket.conn))

    def pass_time(self, duration_us: int) -> None:
        """Let time pass, waking the server at every deadline on the way."""
        end = self.now + duration_us
        while True:
            at = self.server.next_deadline()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            self.receive(ServerTimerDue())
        self.now = end
        self.receive(ServerTimerDue())

    # --- clients ----------------------------------------------------------------------------------------------------------

    def onboard(self, signer: ParadexSigner) -> Answer:
        headers = {
            "PARADEX-ETHEREUM-ACCOUNT": ETH,
            "PARADEX-STARKNET-ACCOUNT": signer.account,
            "PARADEX-STARKNET-SIGNATURE": signer.sign_onboarding(),
        }
        return self.request("POST", "/onboarding", headers=headers, body={"public_key": signer.public_key})

    def auth_headers(self, signer: ParadexSigner, *, timestamp: int | None = None, life: int = 1800) -> dict[str, str]:
        timestamp = self.now // 1_000_000 if timestamp is None else timestamp
        return {
            "PARADEX-STARKNET-ACCOUNT": signer.account,
            "PARADEX-STARKNET-SIGNATURE": signer.sign_auth(timestamp_s=timestamp, expiration_s=timestamp + life),
            "PARADEX-TIMESTAMP": str(timestamp),
            "PARADEX-SIGNATURE-EXPIRATION": str(timestamp + life),
        }

    def token(self, signer: ParadexSigner, *, interactive: bool = False) -> str:
        query = {"token_usage": "interactive"} if interactive else {}
        answer = self.request("POST", f"/auth/{signer.public_key}", headers=self.auth_headers(signer), query=query)
        assert answer.status == 200, answer.body
        return str(answer.json["jwt_token"])

    def trader(self, name: str = "alice") -> tuple[KeyedHashSigner, str]:
        """An onboarded account with a token."""
        signer = keyed_signer(name)
        assert self.onboard(signer).status == 200
        return signer, self.token(signer)

    def order_body(self, signer: ParadexSigner, **changes: Any) -> dict[str, Any]:
        """A signed order request; what is changed in `after` is changed after signing."""
        after = changes.pop("after", {})
        body: dict[str, Any] = {
            "market": "BTC-USD-PERP",
            "side": "BUY",
            "type": "LIMIT",
            "size": "0.01",
            "price": "64000",
            "instruction": "GTC",
            "signature_timestamp": self.now // 1000,
        } | changes
        price = body.get("price")
        body["signature"] = signer.sign_order(
            market=body["market"],
            side=Side(body["side"].lower()),
            order_type=OrderType(body["type"].lower()),
            size=Decimal(body["size"]),
            price=None if price is None else Decimal(price),
            timestamp_ms=body["signature_timestamp"],
            order_id=body.get("id", ""),
        )
        return {name: value for name, value in (body | after).items() if value is not None}

    def place(self, signer: ParadexSigner, token: str, **changes: Any) -> Answer:
        return self.request("POST", "/orders", token=token, body=self.order_body(signer, **changes))

    # --- the market -------------------------------------------------------------------------------------------------------

    def feed(self, event: object) -> None:
        self.server.feed(event, self.now)
        self._deliver()

    def flow(self, symbol: str, side: Side, price: Decimal | None, size: Decimal) -> int:
        """A background order; returns its id."""
        market = self.exchange.market(symbol)
        self._flow += 1
        tick = None if price is None else int(price / market.price_tick)
        self.feed(FlowOrder(symbol, self._flow, side, tick, int(size / market.size_step)))
        return self._flow

    def unflow(self, symbol: str, id_: int) -> None:
        self.feed(FlowCancel(symbol, id_))

    def mark(self, symbol: str, price: str) -> None:
        self.feed(IndexMoved(symbol, Decimal(price), Decimal(price)))

    def open_market(self) -> None:
        """A book around 65,000 (BTC) and 3,500 (ETH), marks in the middle."""
        for symbol, middle, step, size in (("BTCUSDT", "65000", "0.5", "1"), ("ETHUSDT", "3500", "0.05", "20")):
            self.mark(symbol, middle)
            for away in range(1, 21):
                self.flow(symbol, Side.BUY, Decimal(middle) - away * Decimal(step), Decimal(size))
                self.flow(symbol, Side.SELL, Decimal(middle) + away * Decimal(step), Decimal(size))
