"""A tiny exchange and a tiny trading machine: real implementations of the protocols, small enough to see through.

The server broadcasts a `price` frame for every feed event, echoes frames, takes orders at `POST /v1/orders` and pings each
socket every 5 s. The client keeps one socket open, opens it again a second after it is lost, and orders by HTTP. The engine
places an order on every fifth trade.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from flashscalper.exchanges.base import (
    CloseSocket,
    Frame,
    HttpFailed,
    HttpRequest,
    HttpResponse,
    Incoming,
    OpenSocket,
    Outgoing,
    Pong,
    SendFrame,
    SocketClosed,
    SocketOpened,
    TimerDue,
)
from flashscalper.model.commands import Command, PlaceOrder
from flashscalper.model.events import (
    Event,
    OperatorAsked,
    RequestKind,
    RequestOutcome,
    StreamChanged,
    TimePassed,
    Trouble,
    Verdict,
)
from flashscalper.model.instants import SECOND_US
from flashscalper.model.klines import Kline, Trade
from flashscalper.model.markets import Market
from flashscalper.model.orders import OrderRole, OrderType, Side
from flashscalper.model.records import Note
from flashscalper.runtime.journal import Output
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
from flashscalper.simulator.feeds.base import ExchangeView, FeedEvent, IndexMoved

START = 1_700_000_000_000_000


class TinyFeed:
    """One price every `every_us`, `count` of them."""

    def __init__(self, count: int, every_us: int = 100_000, start_at: int = START) -> None:
        self._left = count
        self._every_us = every_us
        self._at = start_at + every_us

    @property
    def markets(self) -> tuple[Market, ...]:
        return ()

    @property
    def recorded(self) -> frozenset[str]:
        return frozenset()

    def history(self, until_at: int) -> Mapping[str, Sequence[Kline]]:
        return {}

    def next_at(self) -> int | None:
        return self._at if self._left else None

    def pop(self, view: ExchangeView) -> FeedEvent:
        self._left -= 1
        self._at += self._every_us
        price = Decimal(100 + self._left % 7)
        return IndexMoved("ETHUSDT", price, price)


class NoView:
    """A book without orders."""

    def touch(self, symbol: str) -> tuple[int | None, int | None]:
        return None, None

    def touch_lots(self, symbol: str, side: Side) -> int:
        return 0

    def level_count(self, symbol: str, side: Side) -> int:
        return 0

    def crowd_order(self, symbol: str, side: Side, *, best: bool) -> int | None:
        return None


class TinyServer:
    def __init__(self, now: int, *, pings: bool = True, answers: bool = True) -> None:
        self.seen: list[ServerIncoming] = []
        self.sockets: set[str] = set()
        self.orders: list[str] = []
        self.trades = 0
        self.pings = pings
        self.answers = answers
        self._out: deque[ServerOutgoing] = deque()
        self._ping_at = now + 5 * SECOND_US

    def receive(self, message: ServerIncoming, now: int) -> None:
        self.seen.append(message)
        match message:
            case HttpArrived():
                if self.answers:
                    self._http(message)
            case SocketArrived(conn=conn, path="/v1"):
                self.sockets.add(conn)
                self._out.append(SocketAnswer(conn))
                self._out.append(FrameOut(conn, b"welcome"))
            case SocketArrived(conn=conn):
                self._out.append(SocketAnswer(conn, 404, b"no such page"))
            case FrameArrived(conn=conn, data=b"drop me"):
                self.sockets.discard(conn)
                self._out.append(DropSocket(conn, 1008, "as you wish"))
            case FrameArrived(conn=conn, data=data, binary=binary):
                self._out.append(FrameOut(conn, data, binary))
            case SocketLeft(conn=conn):
                self.sockets.discard(conn)
            case ServerTimerDue():
                self._ping_at = now + 5 * SECOND_US
                self._out.extend(PingOut(conn) for conn in sorted(self.sockets))

    def _http(self, message: HttpArrived) -> None:
        if (message.method, message.path) == ("POST", "/v1/orders"):
            self.orders.append(msgspec.json.decode(message.body)["client_id"])
            body = msgspec.json.encode({"id": f"x{len(self.orders)}"})
            self._out.append(HttpAnswer(message.id, 201, (("Content-Type", "application/json"), ("X-Left", "7")), body))
        else:
            body = msgspec.json.encode({"path": message.path, "query": message.query, "body": message.body.decode()})
            self._out.append(HttpAnswer(message.id, 200, (("Content-Type", "application/json"),), body))

    def feed(self, event: object, now: int) -> None:
        self.trades += 1
        assert isinstance(event, IndexMoved)
        data = msgspec.json.encode({"price": float(event.mark), "id": self.trades, "at": now})
        self._out.extend(FrameOut(conn, data) for conn in sorted(self.sockets))

    def outgoing(self) -> Sequence[ServerOutgoing]:
        out = tuple(self._out)
        self._out.clear()
        return out

    def next_deadline(self) -> int | None:
        return self._ping_at if self.pings else None

    def pongs(self) -> int:
        return sum(isinstance(message, PongArrived) for message in self.seen)


class TinyClient:
    def __init__(
        self, http_url: str = "http://127.0.0.1:1", ws_url: str = "ws://127.0.0.1:1/v1", timeout_s: float = 5.0
    ) -> None:
        self.http_url = http_url
        self.ws_url = ws_url
        self.timeout_s = timeout_s
        self.seen: list[Incoming] = []
        self.conn = ""
        self._number = 0
        self._requests: dict[int, str] = {}
        self._out: deque[Outgoing] = deque()
        self._reopen_at: int | None = None
        self._stopped = False

    def start(self, now: int) -> None:
        self._number += 1
        self.conn = f"main-{self._number}"
        self._out.append(OpenSocket(self.conn, self.ws_url, (("X-Who", "tiny"),), self.timeout_s))

    def receive(self, message: Incoming, now: int) -> Sequence[Event]:
        self.seen.append(message)
        match message:
            case SocketOpened():
                return [StreamChanged("market", ready=True)]
            case SocketClosed(reason=reason):
                self._reopen_at = None if self._stopped else now + SECOND_US
                return [StreamChanged("market", ready=False, reason=reason)]
            case Frame(data=data) if data.startswith(b'{"price"'):
                fields = msgspec.json.decode(data)
                return [Trade("ETHUSDT", fields["id"], Side.BUY, fields["price"], 1.0, fields["at"])]
            case HttpResponse(id=request, body=body):
                order_id = msgspec.json.decode(body)["id"]
                return [RequestOutcome(RequestKind.PLACE, self._requests.pop(request), Verdict.ACCEPTED, order_id)]
            case HttpFailed(id=request, sent=sent, reason=reason):
                verdict = Verdict.UNKNOWN if sent else Verdict.UNSENT
                return [RequestOutcome(RequestKind.PLACE, self._requests.pop(request), verdict, message=reason)]
            case TimerDue():
                self._reopen_at = None
                self.start(now)
        return []

    def submit(self, command: Command, now: int) -> None:
        assert isinstance(command, PlaceOrder)
        self._number += 1
        self._requests[self._number] = command.client_id
        body = msgspec.json.encode({"client_id": command.client_id})
        url = f"{self.http_url}/v1/orders?n={self._number}"
        self._out.append(
            HttpRequest(self._number, "POST", url, (("Content-Type", "application/json"),), body, self.timeout_s)
        )

    def say(self, data: bytes, *, ping: bool = False) -> None:
        self._out.append(SendFrame(self.conn, data, ping))

    def request(self, request: HttpRequest) -> None:
        self._out.append(request)

    def close(self) -> None:
        self._out.append(CloseSocket(self.conn, "enough"))

    def outgoing(self) -> Sequence[Outgoing]:
        out = tuple(self._out)
        self._out.clear()
        return out

    def next_deadline(self) -> int | None:
        return self._reopen_at

    def stop(self, now: int) -> None:
        self._stopped = True
        self._reopen_at = None
        self._out.clear()
        self.close()

    def pongs(self) -> int:
        return sum(isinstance(message, Pong) for message in self.seen)


class TinyEngine:
    """Places an order on every fifth trade until it is told to stop; wakes once a second to say that time passed."""

    def __init__(self, now: int) -> None:
        self.events: list[Event] = []
        self.accepted: list[str] = []
        self.stopped = False
        self._trades = 0
        self._orders = 0
        self._wake_at = now + SECOND_US

    def handle(self, event: Event, now: int) -> Sequence[Output]:
        self.events.append(event)
        match event:
            case Trade(id=number):
                self._trades += 1
                if self._trades % 5 == 0 and not self.stopped:
                    self._orders += 1
                    return [Note("decided", f"trade {number}", now), self._order()]
            case RequestOutcome(client_id=client_id, verdict=verdict):
                if verdict is Verdict.ACCEPTED:
                    self.accepted.append(client_id)
                return [Note("answered", f"{client_id} {verdict}", now)]
            case OperatorAsked():
                self.stopped = True
                return [Note("stopped", event.reason, now)]
            case TimePassed():
                self._wake_at = now + SECOND_US
            case Trouble():
                return [Note("trouble", event.detail, now)]
        return []

    def wake_at(self) -> int | None:
        return self._wake_at

    @property
    def open_orders(self) -> int:
        return self._orders - len(self.accepted)

    @property
    def orders(self) -> int:
        return self._orders

    def _order(self) -> PlaceOrder:
        return PlaceOrder(
            client_id=f"fs-t-{self._orders}",
            symbol="ETHUSDT",
            side=Side.BUY,
            type=OrderType.MARKET,
            size=Decimal("0.1"),
            role=OrderRole.ENTRY,
            reason="every fifth trade",
        )
