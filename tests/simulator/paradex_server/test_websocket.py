"""The WebSocket side: envelopes, login, subscriptions, order entry, pings, disconnects."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.model.orders import Side
from flashscalper.simulator.base import BacklogGrew
from flashscalper.simulator.rules import DisconnectScope, ExchangeRules
from tests.simulator.paradex_server.bench import Bench, Socket


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_market()
    return bench


def code(answer: dict[str, Any]) -> int:
    return int(answer["error"]["code"])


def trading_socket(bench: Bench, name: str = "alice") -> tuple[Any, str, Socket]:
    signer, token = bench.trader(name)
    socket = bench.connect()
    socket.login(token)
    return signer, token, socket


@pytest.mark.parametrize("id_", [1, 1767225600123456, "unsub-1", 1.5, None, [1], {"a": 1}])
def test_the_answer_carries_the_id_whatever_it_is(bench: Bench, id_: Any) -> None:
    answer = bench.connect().call("subscribe", {"channel": "trades.BTC-USD-PERP"}, id=id_)
    assert answer["id"] == id_
    assert answer["usIn"] == answer["usOut"] == bench.now


def test_a_request_without_id_gets_an_answer_without_id(bench: Bench) -> None:
    message = {"jsonrpc": "2.0", "method": "subscribe", "params": {"channel": "trades.BTC-USD-PERP"}}
    answer = bench.connect().send(json.dumps(message).encode())
    assert answer["result"] == {"channel": "trades.BTC-USD-PERP"}
    assert "id" not in answer


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b"[" * 3000, -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","method":"auth"}', -32600),
        (b'{"jsonrpc":"2.0","method":7}', -32600),
        (b'{"jsonrpc":"2.0","method":"order.destroy"}', -32601),
        (b'{"jsonrpc":"2.0","method":"subscribe"}', -32602),
        (b'{"jsonrpc":"2.0","method":"subscribe","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","method":"subscribe","params":{"channel":7}}', -32602),
    ],
)
def test_broken_requests_get_the_documented_error_code(bench: Bench, frame: bytes, expected: int) -> None:
    assert code(bench.connect().send(frame)) == expected


@given(frame=st.binary(max_size=200))
@settings(max_examples=60)
def test_noise_is_always_answered_with_an_error(frame: bytes) -> None:
    assert code(Bench().connect().send(frame)) in (-32700, -32600)


def test_login_refuses_what_is_no_token(bench: Bench) -> None:
    socket = bench.connect()
    assert code(socket.call("auth", {"bearer": "abc"})) == 40110
    answer = socket.call("auth", {"bearer": "a.b.c"})
    assert (code(answer), answer["error"]["message"]) == (40111, "invalid bearer token")
    _, token = bench.trader()
    bench.pass_time(301_000_000)
    bench.trader("bob")
    fresh = bench.connect()
    assert code(fresh.call("auth", {"bearer": token})) == 40111


def test_a_socket_stays_logged_in_when_its_token_expires(bench: Bench) -> None:
    signer, _, socket = trading_socket(bench)
    for _ in range(7):
        bench.pass_time(50_000_000)
        bench.pong(socket)
    assert "result" in socket.call("order.create", bench.order_body(signer))


def test_a_socket_belongs_to_one_account(bench: Bench) -> None:
    _, _, socket = trading_socket(bench)
    _, other = bench.trader("bob")
    assert code(socket.call("auth", {"bearer": other})) == -32600


@pytest.mark.parametrize(
    "channel", ["account", "positions", "orders.ALL", "fills.BTC-USD-PERP", "tradebusts", "funding_payments.ETH-USD-PERP"]
)
def test_private_channels_need_a_login(bench: Bench, channel: str) -> None:
    socket = bench.connect()
    answer = socket.call("subscribe", {"channel": channel})
    assert (code(answer), answer["error"]["message"]) == (-32600, "invalid subscribe request")
    _, token = bench.trader()
    socket.login(token)
    assert socket.call("subscribe", {"channel": channel})["result"] == {"channel": channel}


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "nothing",
        "trades",
        "trades.DOGE-USD-PERP",
        "account.BTC-USD-PERP",
        "orders",
        "rfq",
        "mmp",
        "order_book.BTC-USD-PERP",
        "order_book.BTC-USD-PERP.deltas@15@10ms",
        "order_book.BTC-USD-PERP.deltas@20@50ms",
        "order_book.BTC-USD-PERP.deltas@15@50ms@7",
        "order_book.DOGE-USD-PERP.deltas@15@50ms",
        "order_book.BTC-USD-PERP.full@15@50ms",
    ],
)
def test_unknown_channels_are_refused_by_name(bench: Bench, channel: str) -> None:
    _, _, socket = trading_socket(bench)
    answer = socket.call("subscribe", {"channel": channel})
    assert (code(answer), answer["error"]["message"]) == (-32600, "invalid subscribe request")
    assert answer["error"]["data"]


def test_subscribing_twice_is_an_error_and_unsubscribing_ends_the_stream(bench: Bench) -> None:
    socket = bench.connect()
    socket.subscribe("trades.BTC-USD-PERP")
    assert code(socket.call("subscribe", {"channel": "trades.BTC-USD-PERP"})) == -32600
    assert socket.call("unsubscribe", {"channel": "trades.BTC-USD-PERP"})["result"] == {"channel": "trades.BTC-USD-PERP"}
    assert code(socket.call("unsubscribe", {"channel": "trades.BTC-USD-PERP"})) == -32600
    bench.flow("BTCUSDT", Side.BUY, None, bench.exchange.market("BTCUSDT").size_step * 100)
    assert socket.take() == []


def test_orders_need_a_login(bench: Bench) -> None:
    signer, _ = bench.trader()
    assert code(bench.connect().call("order.create", bench.order_body(signer))) == 40300


def test_orders_over_the_socket_are_placed_changed_and_cancelled(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.subscribe("orders.BTC-USD-PERP")
    created = socket.call("order.create", bench.order_body(signer, client_id="c-1"))["result"]
    id_ = created["order"]["id"]
    assert (created["order"]["status"], created["created_at"]) == ("NEW", bench.now // 1000)
    assert [each["data"]["status"] for each in socket.pushes()] == ["NEW", "OPEN"]
    changed = socket.call("order.modify", bench.order_body(signer, id=id_, price="63000"))["result"]["order"]
    assert changed["id"] == id_
    assert bench.get(f"/orders/{id_}", token).json["price"] == "63000"
    cancelled = socket.call("order.cancel", {"id": id_})["result"]
    assert cancelled == {"order_id": id_, "status": "QUEUED_FOR_CANCELLATION"}
    assert socket.pushes()[-1]["data"]["cancel_reason"] == "USER_CANCELED"
    assert socket.call("order.cancel", {"id": id_})["error"]["data"] == "ORDER_IS_CLOSED"


def test_a_socket_cancel_by_client_id_needs_the_market(bench: Bench) -> None:
    signer, _, socket = trading_socket(bench)
    socket.call("order.create", bench.order_body(signer, client_id="c-1"))
    assert code(socket.call("order.cancel", {"client_id": "c-1"})) == -32602
    answer = socket.call("order.cancel", {"client_id": "c-1", "market": "BTC-USD-PERP"})
    assert answer["result"]["status"] == "QUEUED_FOR_CANCELLATION"


@pytest.mark.parametrize("bare", [True, False])
def test_batches_come_as_array_or_as_object(bench: Bench, *, bare: bool) -> None:
    signer, _, socket = trading_socket(bench)
    orders = [bench.order_body(signer, client_id="a"), bench.order_body(signer, price="64000.05")]
    results = socket.call("order.create_batch", orders if bare else {"orders": orders})["result"]["results"]
    assert results[0]["order"]["client_id"] == "a"
    assert results[1]["error"].startswith("VALIDATION_ERROR")
    cancelled = socket.call("order.cancel_batch", {"order_ids": [results[0]["order"]["id"], "9"]})["result"]["results"]
    assert [each["status"] for each in cancelled] == ["QUEUED_FOR_CANCELLATION", "NOT_FOUND"]
    assert "market" not in cancelled[1]


def test_cancel_all_over_the_socket(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.call("order.create", bench.order_body(signer))
    assert socket.call("order.cancel_all", {"market": "ETH-USD-PERP"})["result"] == {"status": "ok"}
    assert len(bench.get("/orders", token).json["results"]) == 1
    assert socket.call("order.cancel_all")["result"] == {"status": "ok"}
    assert bench.get("/orders", token).json["results"] == []


def test_refused_orders_carry_the_exchange_code(bench: Bench) -> None:
    signer, _, socket = trading_socket(bench)
    answer = socket.call("order.create", bench.order_body(signer, after={"size": "0.5"}))
    assert (code(answer), answer["error"]["data"]) == (100, "INVALID_ORDER_SIGNATURE")


def test_cancel_on_disconnect_is_off_until_asked_for(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.call("order.create", bench.order_body(signer, client_id="stays"))
    socket.close()
    _, token2 = signer, bench.token(signer)
    again = bench.connect()
    again.login(token2)
    assert again.call("order.cancel_on_disconnect", {"enabled": True})["result"] == {"enabled": True}
    again.call("order.create", bench.order_body(signer, client_id="goes"))
    again.close()
    assert [each["client_id"] for each in bench.get("/orders", token).json["results"]] == ["stays"]
    closed = bench.get("/orders-history", token, client_id="goes").json["results"][0]
    assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", "CANCEL_ON_DISCONNECT")


def test_cancel_on_disconnect_can_take_the_whole_account() -> None:
    bench = Bench(rules=ExchangeRules(disconnect_scope=DisconnectScope.ACCOUNT))
    bench.open_market()
    signer, token, socket = trading_socket(bench)
    bench.place(signer, token, client_id="rest")
    socket.call("order.cancel_on_disconnect", {"enabled": True})
    socket.close()
    assert bench.get("/orders", token).json["results"] == []


def test_an_unanswered_ping_drops_the_connection_with_its_orders(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.call("order.cancel_on_disconnect", {"enabled": True})
    socket.call("order.create", bench.order_body(signer))
    bench.pass_time(54_999_999)
    assert socket.pings == 0
    bench.pass_time(1)
    assert socket.pings == 1
    seen = []
    for step in (4_999_999, 1):
        bench.pass_time(step)
        seen.append(socket.dropped is not None)
    assert seen == [False, True]
    assert bench.get("/orders", token).json["results"] == []


def test_a_pong_keeps_the_connection_for_another_period(bench: Bench) -> None:
    socket = bench.connect()
    for expected in (1, 2, 3):
        bench.pass_time(55_000_000)
        assert socket.pings == expected
        bench.pong(socket)
    bench.pass_time(54_000_000)
    assert (socket.pings, socket.dropped) == (3, None)


def test_a_slow_reader_is_dropped_unless_switched_off() -> None:
    for limit, dropped in ((2_000, True), (0, False)):
        bench = Bench(slow_reader_limit=limit)
        socket = bench.connect()
        bench.receive(BacklogGrew(socket.conn, 1_999))
        assert socket.dropped is None
        bench.receive(BacklogGrew(socket.conn, 2_000))
        assert (socket.dropped is not None) is dropped


def test_private_pushes_reach_only_their_account(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    _, _, other = trading_socket(bench, "bob")
    for each in (socket, other):
        each.subscribe("orders.ALL", "fills.ALL", "positions", "account", "balance_events")
    bench.place(signer, token, type="MARKET", price=None, size="0.1")
    channels = [push["channel"] for push in socket.pushes()]
    assert channels == ["orders.ALL", "orders.ALL", "fills.ALL", "balance_events", "positions", "account"]
    assert other.pushes() == []


def test_balance_events_add_up(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.subscribe("balance_events")
    bench.place(signer, token, type="MARKET", price=None, size="3.3")
    bench.place(signer, token, type="MARKET", price=None, side="SELL", size="3.3")
    events = [push["data"] for push in socket.pushes()]
    assert len(events) == 8
    assert events[0]["settlement_asset_balance_before"] == "10000"
    for before, after in pairwise(events):
        assert before["settlement_asset_balance_after"] == after["settlement_asset_balance_before"]
    assert events[-1]["settlement_asset_balance_after"] == bench.get("/balance", token).json["results"][0]["size"]


def test_tradebusts_and_funding_payments_are_pushed_and_listed(bench: Bench) -> None:
    signer, token, socket = trading_socket(bench)
    socket.subscribe("tradebusts", "funding_payments.BTC-USD-PERP")
    bench.place(signer, token, type="MARKET", price=None, size="1")
    bench.pass_time(20_000_000)
    bench.place(signer, token, type="MARKET", price=None, side="SELL", size="1")
    fill = bench.get("/fills", token).json["results"][0]["id"]
    bench.server.bust(fill, bench.now)
    bench.pass_time(0)
    pushes = socket.pushes()
    payments = [each["data"] for each in pushes if each["channel"].startswith("funding_payments")]
    assert payments == bench.get("/funding/payments", token, market="BTC-USD-PERP").json["results"]
    assert payments[0]["payment"].startswith("-")
    assert [each["data"]["busted_fill_id"] for each in pushes if each["channel"] == "tradebusts"] == [fill]


def test_frames_of_unknown_connections_are_ignored(bench: Bench) -> None:
    socket = bench.connect()
    socket.close()
    with pytest.raises(AssertionError, match="no answer"):
        socket.call("subscribe", {"channel": "trades.ALL"})
