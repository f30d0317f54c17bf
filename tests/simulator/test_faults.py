"""Each fault on request against the real simulated Paradex: what the client sees, and what the exchange did."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import Side
from flashscalper.simulator.base import (
    DropSocket,
    FrameArrived,
    FrameOut,
    HttpAnswer,
    HttpArrived,
    PingOut,
    ServerOutgoing,
    ServerTimerDue,
    SocketAnswer,
    SocketArrived,
    SocketLeft,
)
from flashscalper.simulator.control import to_fault
from flashscalper.simulator.fault_rules import Fault, FaultKind
from flashscalper.simulator.faults import FaultyServer
from flashscalper.simulator.feeds.base import FlowOrder
from tests.simulator.paradex_server.bench import Bench, keyed_signer

MS = 1_000
TRADES = "trades.BTC-USD-PERP"


class Stand:
    """A funded account's client of a faulty exchange: everything that reached it, in order."""

    def __init__(self, seed: int = 1) -> None:
        self.bench = Bench()
        self.bench.open_market()
        self.signer, self.token = self.bench.trader()
        self.server = FaultyServer(self.bench.server, random.Random(seed))
        self.got: list[ServerOutgoing] = []
        self._ids = 100

    @property
    def now(self) -> int:
        return self.bench.now

    def fault(self, kind: str, at: str = "", **fields: Any) -> int:
        return self.server.give(to_fault({"kind": kind, "at": at} | fields), self.now)

    def receive(self, message: Any) -> list[ServerOutgoing]:
        before = len(self.got)
        self.server.receive(message, self.now)
        self.got.extend(self.server.outgoing())
        return self.got[before:]

    def wait(self, duration_us: int) -> list[ServerOutgoing]:
        """Let time pass; what came meanwhile."""
        before, end = len(self.got), self.now + duration_us
        while (at := self.server.next_deadline()) is not None and at <= end:
            self.bench.now = max(self.now, at)
            self.receive(ServerTimerDue())
        self.bench.now = end
        self.receive(ServerTimerDue())
        return self.got[before:]

    def ask(self, method: str, path: str, body: Any = None, query: str = "") -> HttpAnswer | None:
        """One request with the account's token; None when nothing came back at once."""
        self._ids += 1
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}"}
        arrived = self.receive(HttpArrived(self._ids, method, f"/v1{path}", query, headers, data))
        return next((item for item in arrived if isinstance(item, HttpAnswer) and item.id == self._ids), None)

    def place(self, **changes: Any) -> HttpAnswer | None:
        return self.ask("POST", "/orders", self.bench.order_body(self.signer, **changes))

    def orders(self) -> int:
        """How many orders the exchange really has."""
        return len(self.bench.exchange.open_orders(self.signer.account))

    def connect(self, *channels: str) -> str:
        self._ids += 1
        conn = f"c{self._ids}"
        self.receive(SocketArrived(conn, "/v1", "", {}))
        self.call(conn, "auth", {"bearer": self.token})
        for channel in channels:
            self.call(conn, "subscribe", {"channel": channel})
        self.got.clear()
        return conn

    def call(self, conn: str, method: str, params: Any, id_: int = 7) -> list[dict[str, Any]]:
        data = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": id_}).encode()
        return [json.loads(item.data) for item in self.receive(FrameArrived(conn, data)) if isinstance(item, FrameOut)]

    def trade(self, size: int) -> list[bytes]:
        """A public trade of so many lots; the pushes about it that reached the client."""
        before = len(self.got)
        self._ids += 1
        self.server.feed(FlowOrder("BTCUSDT", 5_000_000 + self._ids, Side.BUY, None, size, taker=True), self.now)
        self.got.extend(self.server.outgoing())
        return frames(self.got[before:])


def frames(items: list[ServerOutgoing]) -> list[bytes]:
    return [item.data for item in items if isinstance(item, FrameOut)]


def sizes(data: list[bytes]) -> list[str]:
    return [json.loads(each)["params"]["data"]["size"] for each in data]


def test_a_dropped_request_is_not_executed_and_a_dropped_answer_is() -> None:
    stand = Stand()
    stand.fault("drop", "POST /v1/orders", stage="request")
    assert (stand.place(), stand.orders()) == (None, 0)
    stand.fault("drop", "POST /v1/orders")
    assert (stand.place(), stand.orders()) == (None, 1)
    answer = stand.place()
    assert answer is not None
    assert (answer.status, stand.orders()) == (201, 2)


def test_a_dropped_push_is_missing_and_the_next_one_comes() -> None:
    stand = Stand()
    stand.connect(TRADES)
    stand.fault("drop", "trades.*")
    assert stand.trade(1) == []
    assert sizes(stand.trade(2)) == ["0.00002"]


def test_a_delayed_request_is_executed_later() -> None:
    stand = Stand()
    stand.fault("delay", "POST /v1/orders", stage="request", delay_ms=250)
    assert (stand.place(), stand.orders()) == (None, 0)
    assert stand.wait(249 * MS) == []
    assert stand.orders() == 0
    arrived = stand.wait(1 * MS)
    assert [type(item) for item in arrived] == [HttpAnswer]
    assert stand.orders() == 1


def test_a_delayed_answer_was_executed_at_once() -> None:
    stand = Stand()
    stand.fault("delay", "POST /v1/orders", delay_ms=250)
    assert (stand.place(), stand.orders()) == (None, 1)
    assert [item.status for item in stand.wait(250 * MS) if isinstance(item, HttpAnswer)] == [201]


def test_what_follows_a_delayed_push_on_its_socket_waits_behind_it() -> None:
    stand = Stand()
    slow, quick = stand.connect(TRADES), stand.connect("trades.ALL")
    stand.fault("delay", TRADES, delay_ms=100)
    stand.trade(1)
    stand.wait(50 * MS)
    stand.trade(2)
    arrived = {conn: [i.data for i in stand.got if isinstance(i, FrameOut) and i.conn == conn] for conn in (slow, quick)}
    assert (sizes(arrived[slow]), sizes(arrived[quick])) == ([], ["0.00001", "0.00002"])
    assert sizes(frames(stand.wait(50 * MS))) == ["0.00001", "0.00002"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=12), st.integers(0, 99))
def test_delays_lose_nothing_double_nothing_and_keep_the_order_of_a_socket(steps: list[tuple[int, bool]], seed: int) -> None:
    stand = Stand(seed)
    stand.connect(TRADES)
    stand.fault("delay", TRADES, probability=0.5, count=0, delay_ms=20, jitter_ms=80)
    for lots, (pause, twice) in enumerate(steps, 1):
        stand.trade(lots)
        if twice:
            stand.trade(lots + 100)
        stand.wait(pause * MS)
    stand.wait(10_000 * MS)
    sent = [size for lots, (_, twice) in enumerate(steps, 1) for size in ([lots, lots + 100] if twice else [lots])]
    got = [data for data in frames(stand.got) if b'"channel":"trades.' in data]
    assert [round(float(size) * 100_000) for size in sizes(got)] == sent


def test_a_duplicated_order_is_executed_twice_and_answered_once() -> None:
    stand = Stand()
    stand.fault("duplicate", "POST /v1/orders", stage="request")
    answer = stand.place()
    assert answer is not None
    assert (answer.status, stand.orders()) == (201, 2)
    stand.fault("duplicate", "POST /v1/orders", stage="request")
    answer = stand.place(client_id="once")
    assert answer is not None
    assert (answer.status, stand.orders()) == (400, 3)
    assert b"DUPLICATED_CLIENT_ID" in answer.body


def test_a_duplicated_push_comes_twice() -> None:
    stand = Stand()
    stand.connect(TRADES)
    stand.fault("duplicate", "trades.*")
    assert sizes(stand.trade(3)) == ["0.00003", "0.00003"]


def test_a_reordered_push_comes_after_the_next_one_or_after_its_delay() -> None:
    stand = Stand()
    stand.connect(TRADES)
    stand.fault("reorder", "trades.*")
    assert stand.trade(1) == []
    assert sizes(stand.trade(2)) == ["0.00002", "0.00001"]
    stand.fault("reorder", "trades.*", delay_ms=30)
    assert stand.trade(3) == []
    assert sizes(frames(stand.wait(30 * MS))) == ["0.00003"]
    assert sizes(stand.trade(4)) == ["0.00004"]


def test_reordered_requests_are_executed_the_other_way_round() -> None:
    stand = Stand()
    stand.fault("reorder", "POST /v1/orders", stage="request")
    assert stand.place(client_id="first") is None
    assert stand.place(client_id="second") is not None
    opened = stand.bench.exchange.open_orders(stand.signer.account)
    assert [order.client_id for order in opened] == ["second", "first"]


def test_a_half_open_socket_carries_nothing_and_is_found_by_its_ping_alone() -> None:
    stand = Stand()
    conn = stand.connect(TRADES, "orders.ALL")
    stand.call(conn, "order.cancel_on_disconnect", {"enabled": True})
    stand.call(conn, "order.create", stand.bench.order_body(stand.signer))
    stand.got.clear()
    stand.fault("half_open", TRADES)
    assert stand.trade(1) == []
    assert stand.trade(2) == []
    assert stand.call(conn, "subscribe", {"channel": "bbo.BTC-USD-PERP"}) == []
    assert stand.receive(SocketLeft(conn)) == []
    assert stand.orders() == 1
    stand.wait(61_000 * MS)
    assert not [item for item in stand.got if isinstance(item, PingOut | DropSocket)]
    assert stand.orders() == 0


def test_a_socket_breaks_without_a_close_frame_and_the_exchange_knows() -> None:
    stand = Stand()
    conn = stand.connect(TRADES)
    stand.fault("break", TRADES)
    stand.trade(1)
    assert stand.got == [DropSocket(conn, 1006)]
    assert stand.trade(2) == []
    stand.got.clear()
    conn = stand.connect()
    stand.fault("break", "order.create", stage="request")
    assert stand.call(conn, "order.create", stand.bench.order_body(stand.signer)) == []
    assert (stand.got, stand.orders()) == ([DropSocket(conn, 1006)], 0)


def test_a_connection_breaks_before_or_after_the_request_was_executed() -> None:
    stand = Stand()
    for stage, orders in (("request", 0), ("answer", 1)):
        stand.fault("break", "POST /v1/orders", stage=stage)
        answer = stand.place()
        assert answer is not None
        assert (answer.broken, answer.body, stand.orders()) == (True, b"", orders)


def test_half_of_a_frame_and_half_of_a_body_arrive() -> None:
    stand = Stand()
    stand.connect(TRADES)
    stand.fault("cut", TRADES)
    [half] = stand.trade(1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(half)
    stand.fault("cut", "GET /v1/markets")
    answer = stand.ask("GET", "/markets")
    assert answer is not None
    assert answer.broken
    assert answer.body
    stand.fault("cut", "POST /v1/orders", stage="request")
    answer = stand.place()
    assert answer is not None
    assert (answer.status, stand.orders()) == (400, 0)


def test_an_error_at_the_request_executes_nothing_and_one_at_the_answer_did() -> None:
    stand = Stand()
    for stage, orders in (("request", 0), ("answer", 1)):
        stand.fault("error", "POST /v1/orders", stage=stage, status=503, code="SERVICE_UNAVAILABLE", retry_after_s=2)
        answer = stand.place()
        assert answer is not None
        assert (answer.status, stand.orders()) == (503, orders)
        assert json.loads(answer.body) == {"error": "SERVICE_UNAVAILABLE", "message": "fault on request"}
        assert ("Retry-After", "2") in answer.headers


def test_errors_may_be_html_and_handshakes_and_calls_have_errors_too() -> None:
    stand = Stand()
    stand.fault("error", "GET /v1/*", status=502, html=True)
    answer = stand.ask("GET", "/system/time")
    assert answer is not None
    assert (answer.status, answer.body[:6], answer.headers) == (502, b"<html>", (("Content-Type", "text/html"),))
    stand.fault("error", "SOCKET /v1", status=429, stage="request")
    assert stand.receive(SocketArrived("refused", "/v1", "", {})) == [SocketAnswer("refused", 429)]
    conn = stand.connect()
    for stage, orders in (("request", 0), ("answer", 1)):
        stand.fault("error", "order.create", stage=stage, code="-32603", message="internal error")
        [reply] = stand.call(conn, "order.create", stand.bench.order_body(stand.signer), id_=41)
        assert (reply["id"], reply["error"]) == (41, {"code": -32603, "message": "internal error"})
        assert stand.orders() == orders


def test_tokens_expire_on_request_and_a_new_login_is_fine() -> None:
    stand = Stand()
    conn = stand.connect("orders.ALL")
    stand.fault("expire_tokens")
    answer = stand.ask("GET", "/account")
    assert answer is not None
    assert answer.status == 401
    assert b"token is expired by" in answer.body
    assert "result" in stand.call(conn, "order.create", stand.bench.order_body(stand.signer))[0]
    stand.token = stand.bench.token(stand.signer)
    answer = stand.ask("GET", "/account")
    assert answer is not None
    assert answer.status == 200


def test_tokens_expire_at_the_very_request_that_is_addressed() -> None:
    stand = Stand()
    stand.fault("expire_tokens", "POST /v1/orders", stage="request", skip=1)
    statuses = [answer.status for answer in (stand.place(), stand.place(), stand.place()) if answer]
    assert statuses == [201, 401, 401]


def test_a_stale_read_repeats_what_was_answered_before() -> None:
    stand = Stand()
    before = stand.ask("GET", "/orders")
    stand.fault("stale", "GET /v1/orders", count=0, duration_s=5)
    stand.place()
    stale = stand.ask("GET", "/orders")
    assert before is not None
    assert stale is not None
    assert stale.body == before.body
    stand.wait(5_000_000)
    fresh = stand.ask("GET", "/orders")
    assert fresh is not None
    assert len(json.loads(fresh.body)["results"]) == 1


def test_stale_reads_never_mix_up_accounts() -> None:
    stand = Stand()
    stand.place()
    stand.ask("GET", "/orders")
    stand.fault("stale", "GET /v1/orders", count=0)
    signer = keyed_signer("bob")
    stand.bench.onboard(signer)
    stand.token = stand.bench.token(signer)
    answer = stand.ask("GET", "/orders")
    assert answer is not None
    assert json.loads(answer.body)["results"] == []


def test_an_emptied_list_has_no_rows_though_there_are_some() -> None:
    stand = Stand()
    stand.place()
    stand.fault("empty", "GET /v1/orders")
    counts = [
        len(json.loads(answer.body)["results"])
        for answer in (stand.ask("GET", "/orders"), stand.ask("GET", "/orders"))
        if answer
    ]
    assert counts == [0, 1]


def test_the_newest_fill_is_busted() -> None:
    stand = Stand()
    stand.connect("tradebusts")
    stand.place(type="MARKET", price=None, size="0.1")
    [fill] = stand.bench.exchange.fills(stand.signer.account)
    stand.got.clear()
    stand.fault("bust")
    stand.receive(ServerTimerDue())
    pushed = [json.loads(data)["params"]["data"] for data in frames(stand.got)]
    assert [each["busted_fill_id"] for each in pushed] == [fill.id]
    assert stand.bench.exchange.ledger(stand.signer.account).positions == ()


def test_a_mode_comes_at_its_time_and_goes_again() -> None:
    stand = Stand()
    stand.fault("mode", mode="cancel_only", start_s=2, duration_s=3)
    seen = []
    for _ in range(6):
        seen.append(stand.bench.exchange.status)
        stand.wait(1_000_000)
    ok, only = ExchangeStatus.OK, ExchangeStatus.CANCEL_ONLY
    assert seen == [ok, ok, only, only, only, ok]


def test_removing_all_faults_still_ends_a_mode_that_began() -> None:
    stand = Stand()
    stand.fault("mode", mode="maintenance", duration_s=1)
    stand.server.take_all_back()
    stand.wait(1_000_000)
    assert stand.bench.exchange.status is ExchangeStatus.OK


def test_the_same_seed_hits_the_same_messages_and_counts_them() -> None:
    def hits(seed: int) -> tuple[list[bool], int, int]:
        stand = Stand(seed)
        stand.fault("drop", "POST /v1/orders", probability=0.3, count=0)
        answered = [stand.place() is not None for _ in range(40)]
        [state] = stand.server.given()
        return answered, state.seen, state.hits

    first = hits(5)
    assert first == hits(5)
    assert first[0] != hits(6)[0]
    assert first[1:] == (40, 40 - sum(first[0]))
    assert 4 <= first[2] <= 22


def test_skip_count_and_duration_bound_a_rule() -> None:
    stand = Stand()
    stand.fault("error", "GET /v1/account", skip=1, count=2)
    statuses = [answer.status for _ in range(5) if (answer := stand.ask("GET", "/account"))]
    assert statuses == [200, 503, 503, 200, 200]
    stand.fault("error", "GET /v1/account", count=0, start_s=1, duration_s=1)
    timed = []
    for _ in range(5):
        answer = stand.ask("GET", "/account")
        assert answer is not None
        timed.append(answer.status)
        stand.wait(500 * MS)
    assert timed == [200, 200, 503, 503, 200]


def test_without_rules_a_faulty_server_is_the_server_itself() -> None:
    plain, stand = Bench(), Stand()
    plain.open_market()
    signer, token = plain.trader()
    answer = stand.place()
    assert answer is not None
    assert answer.status == plain.place(signer, token).status
    assert stand.server.next_deadline() == plain.server.next_deadline()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"kind": "drop"}, "at"),
        ({"kind": "explode", "at": "*"}, "fault"),
        ({"kind": "drop", "at": "*", "probability": 0}, "probability"),
        ({"kind": "drop", "at": "*", "probability": float("nan")}, "probability"),
        ({"kind": "error", "at": "*", "status": 200}, "status"),
        ({"kind": "stale", "at": "*", "stage": "request"}, "stage"),
        ({"kind": "delay", "at": "*", "delay_ms": -1}, "delay_ms"),
        ({"kind": "drop", "at": "*", "colour": "red"}, "fault"),
        ("drop", "fault"),
    ],
)
def test_a_fault_that_does_not_fit_is_refused_by_its_field(value: object, field: str) -> None:
    with pytest.raises(ConfigError) as refused:
        to_fault(value)
    assert refused.value.field == field


def test_every_kind_of_fault_has_a_test_here() -> None:
    source = Path(__file__).read_text()
    assert [kind for kind in FaultKind if f'"{kind.value}"' not in source] == []
    assert Fault(kind=FaultKind.DROP, at="*").count == 1
