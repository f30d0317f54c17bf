"""The wire of lock-step with weather on it: everything that a network, a proxy or a tired exchange does to messages.

Per HTTP request and per answer to a socket request the dice decide; what happens to whole connections is drawn once a
second (`second`). Within a connection and direction the order stays, as in TCP: a socket can stall, go silent or break, but
not shuffle. Whoever asks for calm gets a network that works from then on; what is already broken must be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify
from random import Random
from typing import Final

import msgspec

from flashscalper.exchanges.base import (
    Frame,
    HttpFailed,
    HttpRequest,
    HttpResponse,
    Incoming,
    OpenSocket,
    Outgoing,
    SocketClosed,
)
from flashscalper.model.instants import SECOND_US
from flashscalper.runtime.addresses import path_and_query
from flashscalper.runtime.wire import LatencyModel, ToClient, ToServer, Wire, _Pipe
from flashscalper.simulator.base import FrameOut, HttpAnswer, HttpArrived, ServerIncoming, ServerOutgoing, SocketLeft

PER_MESSAGE: Final = (
    "lose_request", "lose_answer", "slow_request", "slow_answer", "double_read", "refuse_connection", "http_error",
    "http_503_executed", "http_401", "http_429", "mute_reply", "lying_reply", "refuse_socket", "stale_read",
)  # fmt: skip
PER_SECOND: Final = ("cut", "cut_unnoticed", "half_open", "stall", "outage", "damage", "rest_down", "token_revoked")
READS: Final = {"/v1/orders": "", "/v1/positions": "", "/v1/fills": "page_size=1000"}
"""Lists that a lagging replica may answer, and what it is asked."""
_POLLS: Final = 3 * 10**15
_PATHS: Final = tuple(READS)

_ERRORS: Final = (
    (500, b'{"error":"INTERNAL_ERROR","message":"try later"}'),
    (502, b"<html><body>Bad Gateway</body></html>"),
    (503, b'{"error":"SERVICE_UNAVAILABLE","message":"try later"}'),
    (504, b""),
    (200, b"<html>a captive portal</html>"),
)
_RPC_ERROR: Final = (
    b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32603,"message":"Internal error"},"usIn":0,"usDiff":0,"usOut":0}'
)


class _Answer(msgspec.Struct):
    """As much of an answer on a socket as the network needs to lie about it."""

    id: int | None = None
    method: str | None = None


class FaultyWire(Wire):
    """A wire with faults at `rates` (kind -> probability), drawn from `dice`; each is told to `note`."""

    def __init__(
        self, latency: LatencyModel, rates: dict[str, float], dice: Random, note: Callable[[str, int], None]
    ) -> None:
        super().__init__(latency)
        self._rates = rates
        self._dice = dice
        self._note = note
        self._fates: dict[int, str] = {}
        self._deaf: set[_Pipe] = set()
        self._damage = False
        self._dark_until = self._rest_down_until = self._revoked_until = 0
        self._replica: dict[str, bytes] = {}
        self._lagging: set[str] = set()
        self._token = ""
        self._polls = 0
        self.calm = False

    # ---- what goes wrong now and then ----

    def _hit(self, kind: str, now: int) -> bool:
        rate = self._rates.get(kind)
        if not rate or self.calm or self._dice.random() >= rate:
            return False
        self._note(kind, now)
        return True

    def second(self, now: int) -> None:
        """Once a second: what happens to connections."""
        if self._hit("cut", now):
            self.cut(self._any_conn(), now)
        if self._hit("cut_unnoticed", now):
            self.cut(self._any_conn(), now, server_notices=False)
        if self._hit("half_open", now) and (conn := self._any_conn()):
            self._deaf.add(self._pipes[conn])
        if self._hit("stall", now) and (conn := self._any_conn()):
            pipe, lag = self._pipes[conn], self._lag()
            pipe.at_client = max(pipe.at_client, now + lag)
            pipe.at_server = max(pipe.at_server, now + lag)
        if self._hit("damage", now):
            self._damage = True
        if self._hit("rest_down", now):
            self._rest_down_until = now + int(self._dice.uniform(1.0, 12.0) * SECOND_US)
            self._note("rest_down", self._rest_down_until)
        if self._hit("token_revoked", now):
            self._revoked_until = now + int(self._dice.uniform(0.1, 3.0) * SECOND_US)
            self._note("token_revoked", self._revoked_until)
        if self._hit("outage", now):
            self.outage(now, int(self._dice.uniform(0.5, 25.0) * SECOND_US))

    def poll_replica(self, now: int) -> None:
        """What a read replica holds that lags behind: later reads may be answered with it."""
        if not (self._rates.get("stale_read") or self._rates.get("unseen_fill")) or self.calm or not self._token:
            return
        for path, query in READS.items():
            self._polls += 1
            headers = {"authorization": self._token}
            self._push(now, ToServer(HttpArrived(-_POLLS - self._polls, "GET", path, query, headers, b"")))

    def lag(self, paths: Iterable[str]) -> None:
        """The next read of each of these lists is answered by the replica, as it was when it was last polled."""
        self._lagging.update(path for path in paths if path in self._replica)

    def outage(self, now: int, length_us: int) -> None:
        """Nothing comes through for a while: connections go silent or catch up afterwards, requests are lost."""
        self._dark_until = max(self._dark_until, now + length_us)
        self._note("dark", self._dark_until)
        for pipe in self._pipes.values():
            if self._dice.random() < 0.6:
                self._deaf.add(pipe)
            else:
                pipe.at_client = max(pipe.at_client, self._dark_until)
                pipe.at_server = max(pipe.at_server, self._dark_until)

    def _lag(self) -> int:
        """Mostly under two seconds, sometimes minutes."""
        share = self._dice.random()
        low, high = (0.1, 2.0) if share < 0.7 else (2.0, 10.0) if share < 0.9 else (10.0, 360.0)
        return int(self._dice.uniform(low, high) * SECOND_US)

    @property
    def connections(self) -> list[str]:
        """The names of all connections."""
        return sorted(self._pipes)

    def _any_conn(self) -> str:
        names = self.connections
        return self._dice.choice(names) if names else ""

    def calm_down(self, now: int) -> None:
        """From now on nothing new goes wrong."""
        self.calm = True
        self._dark_until = min(self._dark_until, now)
        self._rest_down_until = self._revoked_until = 0
        self._lagging.clear()

    def deceives(self, now: int) -> bool:
        """Whether the client still believes in a connection that is dead or stuck."""
        late = now + SECOND_US
        return any(pipe in self._deaf or pipe.at_client > late for pipe in self._pipes.values())

    # ---- sockets ----

    def cut(self, conn: str, now: int, *, server_notices: bool = True) -> None:
        """Break a connection: what is on its way in it is lost, and the server may not notice for a long time."""
        pipe = self._pipes.get(conn)
        if pipe is None:
            return
        self._heap[:] = [item for item in self._heap if item.pipe is not pipe]
        heapify(self._heap)
        self._push(now + self._latency.draw(), ToClient(SocketClosed(conn, "connection reset")), pipe)
        if server_notices:
            self._push(now + self._latency.draw(), ToServer(SocketLeft(conn)), pipe)
        self._deaf.add(pipe)

    def client_died(self, now: int) -> None:
        """The process is gone: what it had sent still arrives, then its sockets end; nobody waits for answers."""
        self._waiting.clear()
        self._heap[:] = [item for item in self._heap if isinstance(item.item, ToServer)]
        heapify(self._heap)
        for conn, pipe in list(self._pipes.items()):
            self._to_server(pipe, SocketLeft(conn), now)
            del self._pipes[conn]

    def _to_server(self, pipe: _Pipe, message: ServerIncoming, now: int) -> None:
        if pipe not in self._deaf:
            super()._to_server(pipe, message, now)

    def _to_client(self, pipe: _Pipe, message: Incoming, now: int) -> None:
        if pipe not in self._deaf:
            super()._to_client(pipe, message, now)

    # ---- from the client ----

    def send(self, item: Outgoing, now: int) -> None:
        """As the transport does, unless something happens."""
        if isinstance(item, HttpRequest):
            self._request(item, now)
        elif isinstance(item, OpenSocket) and (now < self._dark_until or self._hit("refuse_socket", now)):
            pipe = self._pipes[item.conn] = _Pipe()
            self._push(now + self._latency.draw(), ToClient(SocketClosed(item.conn, "handshake refused", 503)), pipe)
        else:
            super().send(item, now)

    def _request(self, item: HttpRequest, now: int) -> None:
        self._waiting.add(item.id)
        late = HttpFailed(item.id, sent=True, reason=f"no answer within {item.timeout_s} s")
        self._push(now + int(item.timeout_s * SECOND_US), ToClient(late), patience=True)
        if now < self._dark_until or self._hit("lose_request", now):
            return
        at = now + self._latency.draw()
        instead = self._instead(item, now)
        if instead is not None:
            self._push(at + self._latency.draw(), ToClient(instead))
            return
        for kind in ("lose_answer", "http_503_executed", "slow_answer"):
            if self._hit(kind, now):
                self._fates[item.id] = kind
        if self._hit("slow_request", now):
            at += self._lag()
        path, query = path_and_query(item.url)
        headers = {name.lower(): value for name, value in item.headers}
        self._token = headers.get("authorization", self._token)
        arrived = HttpArrived(item.id, item.method, path, query, headers, item.body)
        self._push(at, ToServer(arrived))
        if item.method == "GET" and self._hit("double_read", now):
            self._push(at + self._latency.draw(), ToServer(msgspec.structs.replace(arrived, id=-item.id)))

    def _instead(self, item: HttpRequest, now: int) -> HttpResponse | HttpFailed | None:
        """An answer that some machine on the way gives, without the exchange having heard of the request."""
        if self._hit("refuse_connection", now):
            return HttpFailed(item.id, sent=False, reason="connection refused")
        if now < self._rest_down_until or self._hit("http_error", now):
            status, body = self._dice.choice(_ERRORS)
            return HttpResponse(item.id, status, {}, body)
        private = any(name == "Authorization" for name, _ in item.headers)
        if (private and now < self._revoked_until) or self._hit("http_401", now):
            return HttpResponse(item.id, 401, {}, b'{"error":"INVALID_TOKEN","message":"token is expired"}')
        if self._hit("http_429", now):
            return HttpResponse(item.id, 429, {"retry-after": "1"}, b'{"error":"RATE_LIMITED","message":"slow down"}')
        path = path_and_query(item.url)[0] if item.method == "GET" else ""
        stale = self._replica.get(path)
        if stale is not None and (path in self._lagging or self._hit("stale_read", now)):
            if path in self._lagging:
                self._note("stale_read", now)
                self._lagging.discard(path)
            return HttpResponse(item.id, 200, {}, stale)
        return None

    # ---- from the server ----

    def answer(self, item: ServerOutgoing, now: int) -> None:
        """As the transport does, unless something happens."""
        if isinstance(item, HttpAnswer):
            self._answer_http(item, now)
        elif isinstance(item, FrameOut) and not item.binary and (self._damage or self._reply_rates):
            self._answer_frame(item, now)
        else:
            super().answer(item, now)

    def _answer_http(self, item: HttpAnswer, now: int) -> None:
        if item.id < -_POLLS:
            if item.status == 200:
                self._replica[_PATHS[(-item.id - 1) % len(_PATHS)]] = item.body
            return
        fate = self._fates.pop(item.id, "")
        if fate == "lose_answer" or now < self._dark_until:
            return
        if fate == "http_503_executed":
            item = HttpAnswer(item.id, 503, (), b'{"error":"SERVICE_UNAVAILABLE","message":"timeout"}')
        if fate == "slow_answer":
            headers = {name.lower(): value for name, value in item.headers}
            answer = HttpResponse(item.id, item.status, headers, item.body)
            self._push(now + self._lag(), ToClient(answer))
            return
        super().answer(item, now)

    @property
    def _reply_rates(self) -> bool:
        return bool(self._rates.get("mute_reply") or self._rates.get("lying_reply"))

    def _answer_frame(self, item: FrameOut, now: int) -> None:
        if self._damage and b'"subscription"' in item.data:
            self._damage = False
            item = FrameOut(item.conn, item.data[: len(item.data) // 2])
        elif b'"result"' in item.data[:80] or b'"result"' in item.data:
            reply = msgspec.json.decode(item.data, type=_Answer)
            if reply.id is not None and reply.method is None:
                if self._hit("mute_reply", now):
                    return
                if self._hit("lying_reply", now):
                    item = FrameOut(item.conn, _RPC_ERROR % reply.id)
        super().answer(item, now)


def conn_of(message: Incoming) -> str | None:
    """The connection that a report is about; None for HTTP and timers."""
    return getattr(message, "conn", None)


__all__ = ["PER_MESSAGE", "PER_SECOND", "READS", "FaultyWire", "Frame", "conn_of"]
