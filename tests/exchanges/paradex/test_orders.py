from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from flashscalper.exchanges.base import Frame, HttpFailed
from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.model.commands import CancelOrder, ModifyOrder, PlaceOrder
from flashscalper.model.events import (
    ExchangeStatus,
    ExchangeStatusChanged,
    OrderUpdate,
    RequestKind,
    RequestOutcome,
    Verdict,
)
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from tests.exchanges.paradex.bench import START, Bench, order_json, push

ORDER_ID = "1767225600123201704028870000"


def place(**changes: Any) -> PlaceOrder:
    given: dict[str, Any] = {
        "client_id": "fs-a-1",
        "symbol": "ETHUSDT",
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "size": Decimal("0.500"),
        "price": Decimal("2400.00"),
        "role": OrderRole.ENTRY,
        "reason": "test",
    }
    return PlaceOrder(**{**given, **changes})


def stop(**changes: Any) -> PlaceOrder:
    return place(
        **{
            "side": Side.SELL,
            "type": OrderType.STOP_MARKET,
            "price": None,
            "trigger_price": Decimal(2300),
            "reduce_only": True,
            "role": OrderRole.STOP,
            **changes,
        }
    )


def submit(bench: Bench, command: Any) -> list[RequestOutcome]:
    bench.forget()
    bench.client.submit(command, bench.now)
    bench.settle()
    return bench.seen(RequestOutcome)


def test_a_socket_on_which_nothing_is_heard_after_an_order_is_given_up_in_three_seconds() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    dead = bench.conn("protection")
    bench.answer_rpc = bench.answer_pings = False
    submit(bench, stop())
    bench.wait(2.9)
    assert dead not in bench.closed
    bench.wait(0.2)
    assert dead in bench.closed


def test_a_socket_that_answers_pings_is_kept_although_an_order_is_not_answered() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    slow = bench.conn("protection")
    bench.answer_rpc = False
    submit(bench, stop())
    bench.wait(5)
    assert slow not in bench.closed
    assert [outcome.verdict for outcome in bench.seen(RequestOutcome)] == [Verdict.UNKNOWN]


def test_an_entry_leaves_signed_on_the_entries_socket_in_the_same_call() -> None:
    bench = Bench().started()
    bench.forget()
    bench.client.submit(place(time_in_force=TimeInForce.POST_ONLY), bench.now)
    (frame,) = bench.client.outgoing()
    message = json.loads(frame.data)  # type: ignore[union-attr]
    assert frame.conn == bench.conn("entries")  # type: ignore[union-attr]
    assert message["method"] == "order.create"
    body = message["params"]
    assert json.loads(body.pop("signature"))
    assert body == {
        "market": "ETH-USD-PERP",
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.5",
        "price": "2400",
        "instruction": "POST_ONLY",
        "signature_timestamp": START // 1000,
        "client_id": "fs-a-1",
        "recv_window": 5000,
    }


def test_a_stop_leaves_reduce_only_at_price_zero_on_the_protection_socket() -> None:
    bench = Bench().started()
    submit(bench, stop())
    ((conn, message),) = bench.frames
    assert conn == bench.conn("protection")
    assert message["params"]["price"] == "0"
    assert message["params"]["trigger_price"] == "2300"
    assert message["params"]["flags"] == ["REDUCE_ONLY"]
    assert message["params"]["instruction"] == "GTC"


def test_a_type_that_the_socket_does_not_list_goes_by_rest() -> None:
    bench = Bench().started()
    bench.routes["/orders"] = lambda request: (201, {**order_json(), **json.loads(request.body)})
    (outcome,) = submit(bench, stop(type=OrderType.TAKE_PROFIT_MARKET, role=OrderRole.TARGET))
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(bench.asked("POST", "/orders")) == 1


def test_an_accepted_order_is_told_with_its_id_and_its_state_without_a_stream_number() -> None:
    bench = Bench().started()
    (outcome,) = submit(bench, place())
    assert outcome == RequestOutcome(RequestKind.PLACE, "fs-a-1", Verdict.ACCEPTED, ORDER_ID)
    (update,) = bench.seen(OrderUpdate)
    assert update.order.remaining == Decimal("0.5")
    assert update.order.seq_no == 0


def test_silence_becomes_unknown_exactly_at_the_deadline_and_a_late_answer_changes_nothing() -> None:
    bench = Bench().started()
    bench.answer_rpc = False
    assert submit(bench, place()) == []
    conn, message = bench.frames[0]
    bench.wait(2.999)
    assert bench.seen(RequestOutcome) == []
    bench.wait(0.001)
    (outcome,) = bench.seen(RequestOutcome)
    assert outcome.verdict is Verdict.UNKNOWN
    bench.reply(conn, message)
    assert len(bench.seen(RequestOutcome)) == 1


def test_a_socket_that_dies_after_sending_leaves_every_open_request_unknown() -> None:
    bench = Bench().started()
    bench.answer_rpc = False
    for number in range(3):
        bench.client.submit(place(client_id=f"fs-a-{number}"), bench.now)
    bench.settle()
    bench.answer_rpc = True
    bench.cut("entries")
    outcomes = bench.seen(RequestOutcome)
    assert {outcome.client_id for outcome in outcomes} == {"fs-a-0", "fs-a-1", "fs-a-2"}
    assert {outcome.verdict for outcome in outcomes} == {Verdict.UNKNOWN}


def test_an_entry_is_never_sent_without_cancel_on_disconnect() -> None:
    bench = Bench().started()
    bench.refuse_sockets = True
    bench.cut("entries")
    (outcome,) = submit(bench, place())
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "NOT_CONNECTED")
    assert bench.asked("POST", "/orders") == []


def test_protection_goes_by_rest_when_its_socket_is_down() -> None:
    bench = Bench().started()
    bench.refuse_sockets = True
    bench.cut("protection")
    bench.routes["/orders"] = lambda request: (201, {**order_json(), **json.loads(request.body)})
    (outcome,) = submit(bench, stop())
    assert outcome.verdict is Verdict.ACCEPTED
    assert "Bearer" in dict(bench.asked("POST", "/orders")[0].headers)["Authorization"]


def test_without_the_fallback_protection_is_told_unsent() -> None:
    bench = Bench(rest_fallback=False).started()
    bench.refuse_sockets = True
    bench.cut("protection")
    (outcome,) = submit(bench, stop())
    assert outcome.verdict is Verdict.UNSENT


def test_a_cancel_takes_the_other_socket_when_its_own_is_down() -> None:
    bench = Bench().started()
    bench.refuse_sockets = True
    bench.cut("entries")
    cancel = CancelOrder(client_id="fs-a-1", symbol="ETHUSDT", order_id="", role=OrderRole.ENTRY, reason="test")
    (outcome,) = submit(bench, cancel)
    assert outcome.verdict is Verdict.ACCEPTED
    assert bench.frames[0][1]["params"] == {"client_id": "fs-a-1", "market": "ETH-USD-PERP"}


@pytest.mark.parametrize(("code", "verdict"), [("ORDER_IS_CLOSED", Verdict.REJECTED), ("INTERNAL_ERROR", Verdict.UNKNOWN)])
def test_a_cancel_by_rest_is_judged_by_its_code(code: str, verdict: Verdict) -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/orders"] = (400, {"error": code, "message": ""})
    cancel = CancelOrder(client_id="fs-a-1", symbol="ETHUSDT", order_id=ORDER_ID, role=OrderRole.ENTRY, reason="test")
    (outcome,) = submit(bench, cancel)
    assert (outcome.request, outcome.verdict) == (RequestKind.CANCEL, verdict)
    assert len(bench.asked("DELETE", f"/orders/{ORDER_ID}")) == 1


def test_a_401_on_a_stop_renews_the_token_and_sends_the_same_client_id_once_more() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    seen: list[tuple[str, dict[str, Any]]] = []

    def answer(request: Any) -> tuple[int, Any]:
        body = json.loads(request.body)
        seen.append((dict(request.headers)["Authorization"], body))
        if len(seen) == 1:
            return 401, {"message": "missing or malformed jwt: token is expired by 9.46s"}
        return 201, {**order_json(), **body}

    bench.routes["/orders"] = answer
    (outcome,) = submit(bench, stop())
    assert outcome.verdict is Verdict.ACCEPTED
    assert [body["client_id"] for _, body in seen] == [stop().client_id] * 2
    assert seen[0][0] != seen[1][0]


def test_a_401_on_an_entry_renews_the_token_and_leaves_it_to_the_risk_gate_to_send_another() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/orders"] = (401, b"")
    (outcome,) = submit(bench, place())
    assert outcome.verdict is Verdict.REJECTED
    bench.wait(5)
    (sent,) = bench.asked("POST", "/orders")
    bench.routes["/orders"] = lambda request: (201, {**order_json(), **json.loads(request.body)})
    (outcome,) = submit(bench, place(client_id="fs-a-2"))
    assert outcome.verdict is Verdict.ACCEPTED
    (again,) = bench.asked("POST", "/orders")
    assert dict(again.headers)["Authorization"] != dict(sent.headers)["Authorization"]


def test_a_second_401_is_a_rejection() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/orders"] = (401, b"")
    (outcome,) = submit(bench, stop())
    assert outcome.verdict is Verdict.REJECTED
    assert len(bench.asked("POST", "/orders")) == 2


def test_an_unanswered_or_broken_order_request_by_rest_is_sent_once_only() -> None:
    for answer in (None, (503, b""), (502, b"<html>"), HttpFailed(0, sent=True, reason="reset")):
        bench = Bench(order_entry=OrderEntry.REST).started()
        bench.routes["/orders"] = answer
        submit(bench, place())
        bench.wait(30)
        assert [outcome.verdict for outcome in bench.seen(RequestOutcome)] == [Verdict.UNKNOWN]
        assert len(bench.asked("POST", "/orders")) == 1


def test_an_order_refused_for_the_exchanges_status_has_it_read_at_once() -> None:
    bench = Bench(state_poll_s=60.0, dead_feed_s=1e6).started()
    bench.routes["/system/state"] = (200, {"status": "post_only"})
    bench.rpc_errors["order.create"] = {"code": -32000, "message": "", "data": {"error": "SYSTEM_STATUS_POST_ONLY"}}
    (outcome,) = submit(bench, stop())
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "SYSTEM_STATUS_POST_ONLY")
    bench.wait(0.5)
    assert [change.status for change in bench.seen(ExchangeStatusChanged)] == [ExchangeStatus.POST_ONLY]


def test_while_orders_are_refused_the_status_is_read_every_second() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    bench.routes["/system/state"] = (200, {"status": "cancel_only"})
    bench.wait(5.5)
    bench.forget()
    bench.routes["/system/state"] = (200, {"status": "ok"})
    bench.wait(1.1)
    assert [change.status for change in bench.seen(ExchangeStatusChanged)] == [ExchangeStatus.OK]


def test_a_refused_login_on_the_socket_sends_a_stop_once_more_by_rest_but_not_an_entry() -> None:
    bench = Bench().started()
    bench.routes["/orders"] = lambda request: (201, {**order_json(), **json.loads(request.body)})
    bench.rpc_errors["order.create"] = {"code": 40111, "message": "invalid bearer token"}
    (outcome,) = submit(bench, stop())
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(bench.asked("POST", "/orders")) == 1
    (outcome,) = submit(bench, place(client_id="fs-a-2"))
    assert outcome.verdict is Verdict.REJECTED
    assert bench.asked("POST", "/orders") == []


@pytest.mark.parametrize(
    "command",
    [
        place(size=Decimal("0.0005")),
        place(size=Decimal(0)),
        place(size=Decimal(-1)),
        place(size=Decimal("NaN")),
        place(size=Decimal("1E+40")),
        place(price=Decimal("2400.005")),
        place(price=None),
        place(price=Decimal("Infinity")),
        stop(trigger_price=Decimal("2300.001")),
        place(type=OrderType.MARKET, price=None, time_in_force=TimeInForce.POST_ONLY),
        place(symbol="DOGEUSDT"),
        place(client_id=""),
        place(client_id="x" * 65),
    ],
)
def test_figures_off_the_grid_never_leave_us(command: PlaceOrder) -> None:
    bench = Bench().started()
    (outcome,) = submit(bench, command)
    assert outcome.verdict is Verdict.UNSENT
    assert outcome.message
    assert bench.frames == []


def test_a_modify_is_signed_with_the_order_id_and_a_later_refusal_is_told_once() -> None:
    bench = Bench().started()
    modify = ModifyOrder(
        client_id="fs-a-1",
        order_id=ORDER_ID,
        symbol="ETHUSDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        size=Decimal(1),
        price=Decimal(2399),
        role=OrderRole.STOP,
        reason="test",
    )
    (outcome,) = submit(bench, modify)
    assert (outcome.request, outcome.verdict) == (RequestKind.MODIFY, Verdict.ACCEPTED)
    assert bench.frames[0][1]["params"]["id"] == ORDER_ID
    info = {"id": "r1", "message": "too late", "request_type": "MODIFY_ORDER", "status": "REQUEST_STATUS_REJECTED"}
    refused = push("orders.ETH-USD-PERP", order_json(status="OPEN", request_info=info))
    events = bench.frame("entries", refused)
    assert RequestOutcome(RequestKind.MODIFY, "fs-a-1", Verdict.REJECTED, ORDER_ID, "MODIFY_REJECTED", "too late") in events
    assert [type(event) for event in bench.frame("entries", refused)] == [OrderUpdate]


def test_an_answer_about_another_order_proves_nothing() -> None:
    bench = Bench().started()
    bench.answer_rpc = False
    submit(bench, place())
    conn, message = bench.frames[0]
    other = {"jsonrpc": "2.0", "id": message["id"], "result": {"order": order_json(client_id="somebody")}}
    bench.take(Frame(conn, json.dumps(other).encode()))
    (outcome,) = bench.seen(RequestOutcome)
    assert outcome.verdict is Verdict.UNKNOWN


def test_a_429_stops_order_requests_until_its_retry_after() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/orders"] = (429, b"", {"retry-after": "2"})
    (outcome,) = submit(bench, place())
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "RATE_LIMITED")
    bench.routes["/orders"] = lambda request: (201, {**order_json(), **json.loads(request.body)})
    (outcome,) = submit(bench, place(client_id="fs-a-2"))
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "RATE_BUDGET")
    bench.wait(2.0)
    (outcome,) = submit(bench, place(client_id="fs-a-3"))
    assert outcome.verdict is Verdict.ACCEPTED


def test_a_client_that_only_reads_refuses_orders() -> None:
    bench = Bench(read_only=True).started()
    (outcome,) = submit(bench, place())
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "READ_ONLY")


def test_after_stop_nothing_leaves_and_nothing_comes_back() -> None:
    bench = Bench().started()
    bench.client.stop(bench.now)
    bench.settle()
    assert bench.open == {}
    (outcome,) = submit(bench, place())
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "STOPPED")
    bench.wait(120)
    assert bench.open == {}
    assert bench.requests == []
    assert bench.client.next_deadline() is None
