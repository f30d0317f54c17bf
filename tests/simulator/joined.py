"""The real client and the real simulated server joined in memory without latency; the test may cut, refuse and swallow."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

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
from flashscalper.exchanges.paradex.client import ParadexClient
from flashscalper.exchanges.paradex.settings import Environment, ParadexSettings
from flashscalper.exchanges.paradex.signing import KeyedHashSigner, KeyedHashVerifier, ParadexSigner
from flashscalper.model.commands import Command
from flashscalper.model.events import BestQuote, Event
from flashscalper.model.secrets import Secret
from flashscalper.simulator.base import (
    DropSocket,
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    PingOut,
    PongArrived,
    ServerOutgoing,
    ServerTimerDue,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import DEFAULT_MARKETS
from flashscalper.simulator.paradex_server.server import ParadexServer
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.rules import ExchangeRules

START = 1_767_225_600_000_000
SECOND = 1_000_000
CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
ACCOUNT = "0x1d2a3359cf96bd7d14e156196b8a27fd9c0464895bfb006b5a059c18fc54909"


class Joined:
    """One client, one server, one synthetic market (ETH and BTC), one clock."""

    def __init__(
        self,
        *,
        server: dict[str, Any] | None = None,
        signer: ParadexSigner | None = None,
        rules: ExchangeRules | None = None,
        **client: Any,
    ) -> None:
        self.now = START
        markets = [market for market in DEFAULT_MARKETS if market.base in ("ETH", "BTC")]
        self.feed = SyntheticFeed(markets, random.Random(7), START)
        self.exchange = Exchange.for_feed(self.feed, rules or ExchangeRules(), START)
        settings = ServerSettings(
            jwt_secret=Secret("a secret of tests"),
            **{"check_address": False, "verify_signatures": KeyedHashVerifier(CHAIN), **(server or {})},
        )
        self.server = ParadexServer(self.exchange, settings, random.Random(8), START)
        given: dict[str, Any] = {
            "environment": Environment.SIMULATOR,
            "rest_url": "http://127.0.0.1:8787/v1",
            "ws_url": "ws://127.0.0.1:8787/v1",
            "markets": (("ETHUSDT", "ETH-USD-PERP"),),
            "onboard": True,
        }
        signer = signer or KeyedHashSigner(ACCOUNT, Secret("0x5"), CHAIN)
        self.client = ParadexClient(ParadexSettings(**{**given, **client}), random.Random(9), signer=signer)
        self.events: list[Event] = []
        self.requests: list[HttpRequest] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.open: set[str] = set()
        self.unreachable = False
        self.swallow: Callable[[ServerOutgoing], bool] = lambda _: False
        self._quotes: dict[str, BestQuote] = {}

    # ---- driving ----

    def start(self) -> Joined:
        """Start the client and let it settle for two seconds."""
        self.client.start(self.now)
        self.run(2.0)
        return self

    def submit(self, command: Command) -> None:
        """Hand the client a command and let everything settle."""
        self.client.submit(command, self.now)
        self.settle()

    def run(self, seconds: float) -> None:
        """Let market time pass."""
        until = self.now + int(seconds * SECOND)
        self.settle()
        while (due := self._next_due()) <= until:
            self.now = max(self.now, due)
            if (at := self.feed.next_at()) is not None and at <= self.now:
                self.server.feed(self.feed.pop(self.exchange), self.now)
            if (at := self.server.next_deadline()) is not None and at <= self.now:
                self.server.receive(ServerTimerDue(), self.now)
            if (at := self.client.next_deadline()) is not None and at <= self.now:
                self._tell(TimerDue())
            self.settle()
        self.now = until

    def _next_due(self) -> int:
        dues = (self.feed.next_at(), self.server.next_deadline(), self.client.next_deadline())
        return min(due for due in dues if due is not None)

    def settle(self) -> None:
        """Move bytes until neither side has any."""
        for _ in range(100_000):
            out, answers = list(self.client.outgoing()), list(self.server.outgoing())
            if not out and not answers:
                return
            for answer in answers:
                self._to_client(answer)
            for wish in out:
                self._to_server(wish)
        raise AssertionError("the two never settle")

    def cut(self, stream: str) -> None:
        """The connection of `stream` dies under both ends."""
        for conn in [conn for conn in self.open if conn.startswith(stream)]:
            self.open.discard(conn)
            self.server.receive(SocketLeft(conn), self.now)
            self._tell(SocketClosed(conn, "cut"))
        self.settle()

    # ---- seeing ----

    def seen(self, kind: type[Any]) -> list[Any]:
        """Events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        """Start a new page."""
        self.events.clear()
        self.requests.clear()
        self.sent.clear()

    def quote(self) -> BestQuote:
        """The last best quote of ETH."""
        return self._quotes["ETHUSDT"]

    # ---- bytes ----

    def _tell(self, message: Incoming) -> None:
        events = self.client.receive(message, self.now)
        self.events.extend(events)
        self._quotes.update({event.symbol: event for event in events if isinstance(event, BestQuote)})

    def _to_server(self, wish: Outgoing) -> None:
        match wish:
            case HttpRequest():
                self.requests.append(wish)
                if self.unreachable:
                    self._tell(HttpFailed(wish.id, sent=False, reason="unreachable"))
                    return
                url = urlsplit(wish.url)
                headers = {name.lower(): value for name, value in wish.headers}
                arrived = HttpArrived(wish.id, wish.method, url.path, url.query, headers, wish.body)
                self.server.receive(arrived, self.now)
            case OpenSocket():
                if self.unreachable:
                    self._tell(SocketClosed(wish.conn, "unreachable"))
                    return
                url = urlsplit(wish.url)
                self.server.receive(SocketArrived(wish.conn, url.path, url.query, dict(wish.headers)), self.now)
            case CloseSocket():
                if wish.conn in self.open:
                    self.open.discard(wish.conn)
                    self.server.receive(SocketLeft(wish.conn), self.now)
                self._tell(SocketClosed(wish.conn, "closed by us"))
            case SendFrame():
                self._frame_to_server(wish)

    def _frame_to_server(self, wish: SendFrame) -> None:
        if wish.conn not in self.open:
            return
        if wish.ping:
            self._tell(Pong(wish.conn))
            return
        self.sent.append((wish.conn, json.loads(wish.data)))
        self.server.receive(FrameArrived(wish.conn, wish.data), self.now)

    def _to_client(self, answer: ServerOutgoing) -> None:
        if self.swallow(answer):
            return
        match answer:
            case HttpAnswer():
                headers = {name.lower(): value for name, value in answer.headers}
                self._tell(HttpResponse(answer.id, answer.status, headers, answer.body))
            case SocketAnswer():
                if answer.status == 101:
                    self.open.add(answer.conn)
                    self._tell(SocketOpened(answer.conn))
                else:
                    self._tell(SocketClosed(answer.conn, answer.body.decode(), answer.status))
            case FrameOut():
                if answer.conn in self.open:
                    self._tell(Frame(answer.conn, answer.data, answer.binary))
            case PingOut():
                if answer.conn in self.open:
                    self.server.receive(PongArrived(answer.conn), self.now)
            case DropSocket():
                if answer.conn in self.open:
                    self.open.discard(answer.conn)
                    self._tell(SocketClosed(answer.conn, answer.reason))


def price(value: float) -> Decimal:
    """A price on ETH's grid."""
    return Decimal(str(value)).quantize(Decimal("0.01"))
