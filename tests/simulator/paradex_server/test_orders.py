"""Orders over REST: shapes, signatures, client ids, cancels, batches, modification, history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flashscalper.model.events import ExchangeStatus
from flashscalper.model.orders import Side
from flashscalper.simulator.facts import Refusal
from tests.simulator.paradex_server.bench import Answer, Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_market()
    return bench


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]


def test_a_limit_order_answers_new_and_rests(bench: Bench) -> None:
    signer, token = bench.trader()
    answer = bench.place(signer, token, client_id="c-1")
    assert answer.status == 201
    order = answer.json
    assert (order["status"], order["client_id"], order["price"], order["remaining_size"]) == ("NEW", "c-1", "64000", "0.01")
    assert order["timestamp"] == bench.now // 1000
    resting = bench.get("/orders", token, market="BTC-USD-PERP").json["results"]
    assert [(each["id"], each["status"]) for each in resting] == [(order["id"], "OPEN")]
    assert bench.get("/orders", token, market="ETH-USD-PERP").json["results"] == []
    assert bench.get(f"/orders/{order['id']}", token).json["status"] == "OPEN"
    assert bench.get("/orders/by_client_id/c-1", token).json["id"] == order["id"]


def test_a_market_order_without_price_fills_and_is_history(bench: Bench) -> None:
    signer, token = bench.trader()
    answer = bench.place(signer, token, type="MARKET", price=None, instruction="", client_id="", size="0.5")
    assert (answer.status, answer.json["price"]) == (201, "0")
    done = bench.get(f"/orders/{answer.json['id']}", token).json
    assert (done["status"], done["remaining_size"], done["cancel_reason"], done["avg_fill_price"]) == (
        "CLOSED",
        "0",
        "",
        "65000.5",
    )
    fill = bench.get("/fills", token).json["results"][0]
    assert (fill["price"], fill["fee"], fill["liquidity"], fill["side"]) == ("65000.5", "14.6251125", "TAKER", "BUY")
    position = bench.get("/positions", token).json["results"][0]
    assert (position["size"], position["side"], position["status"]) == ("0.5", "LONG", "OPEN")
    account = bench.get("/account", token).json
    assert account["total_collateral"] == "9985.3748875"
    assert bench.get("/balance", token).json["results"][0]["size"] == "9985.3748875"


def test_a_short_position_has_a_negative_size(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, type="MARKET", price="0", side="SELL", size="0.5")
    position = bench.get("/positions", token).json["results"][0]
    assert (position["size"], position["side"], position["cost"]) == ("-0.5", "SHORT", "-32499.75")


@pytest.mark.parametrize(
    "after",
    [
        {"size": "0.02"},
        {"price": "64000.1"},
        {"side": "SELL"},
        {"market": "ETH-USD-PERP"},
        {"signature_timestamp": 5},
        {"type": "STOP_LIMIT"},
    ],
)
def test_every_signed_field_is_verified(bench: Bench, after: dict[str, Any]) -> None:
    signer, token = bench.trader()
    assert refusal(bench.place(signer, token, after=after)) == (400, "INVALID_ORDER_SIGNATURE")


def test_another_account_cannot_sign(bench: Bench) -> None:
    _, token = bench.trader("alice")
    bob, _ = bench.trader("bob")
    assert refusal(bench.place(bob, token)) == (400, "INVALID_ORDER_SIGNATURE")


@pytest.mark.parametrize(
    ("after", "code", "named"),
    [
        ({"market": "DOGE-USD-PERP"}, "MARKET_NOT_FOUND", "BTC-USD-PERP"),
        ({"side": "LONG"}, "VALIDATION_ERROR", "side"),
        ({"type": "ICEBERG"}, "VALIDATION_ERROR", "type"),
        ({"instruction": "FOK"}, "VALIDATION_ERROR", "instruction"),
        ({"size": "NaN"}, "VALIDATION_ERROR", "size"),
        ({"size": "-1"}, "VALIDATION_ERROR", "size"),
        ({"size": "1e400"}, "VALIDATION_ERROR", "size"),
        ({"size": 0.1}, "BINDING_ERROR", "size"),
        ({"price": ""}, "VALIDATION_ERROR", "price"),
        ({"price": "Infinity"}, "VALIDATION_ERROR", "price"),
        ({"stp": "MAYBE"}, "VALIDATION_ERROR", "stp"),
        ({"flags": ["REDUCE_MOSTLY"]}, "VALIDATION_ERROR", "flags"),
        ({"client_id": "x" * 65}, "VALIDATION_ERROR", "client_id"),
        ({"signature": ""}, "VALIDATION_ERROR", "signature"),
        ({"signature": "[]"}, "INVALID_ORDER_SIGNATURE", "signature"),
        ({"recv_window": "5"}, "BINDING_ERROR", "recv_window"),
        ({"on_behalf_of_account": "0x1"}, "ISOLATED_MARKET_ACCOUNT_MISMATCH", "isolated"),
    ],
)
def test_bad_orders_are_refused_by_name(bench: Bench, after: dict[str, Any], code: str, named: str) -> None:
    signer, token = bench.trader()
    answer = bench.place(signer, token, after=after)
    assert refusal(answer) == (400, code)
    assert named in answer.json["message"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"market":1}', b"\xff", b"[" * 5000])
def test_bodies_that_are_no_order_are_refused(bench: Bench, body: bytes) -> None:
    _, token = bench.trader()
    assert refusal(bench.request("POST", "/orders", token=token, body=body))[1] in ("BINDING_ERROR", "VALIDATION_ERROR")


@pytest.mark.parametrize("field", ["market", "side", "type", "size", "price", "signature", "signature_timestamp"])
def test_missing_fields_are_named(bench: Bench, field: str) -> None:
    signer, token = bench.trader()
    body = bench.order_body(signer)
    del body[field]
    answer = bench.request("POST", "/orders", token=token, body=body)
    assert answer.status == 400
    assert field in answer.json["message"]


def test_nulls_and_unknown_fields_are_tolerated(bench: Bench) -> None:
    signer, token = bench.trader()
    lenient = {"stp": None, "recv_window": None, "client_id": "", "instruction": "", "flags": None, "surprise": {"a": 1}}
    assert bench.place(signer, token, after=lenient).status == 201


def test_off_grid_sizes_and_prices_have_the_exchange_codes(bench: Bench) -> None:
    signer, token = bench.trader()
    assert refusal(bench.place(signer, token, size="0.000001")) == (400, "INVALID_ORDER_SIZE")
    assert refusal(bench.place(signer, token, size="0.0001", price="64000")) == (400, "INVALID_ORDER_SIZE")
    assert refusal(bench.place(signer, token, price="64000.05")) == (400, "VALIDATION_ERROR")


def test_a_client_id_is_unique_among_open_orders(bench: Bench) -> None:
    signer, token = bench.trader()
    first = bench.place(signer, token, client_id="c-1").json["id"]
    assert refusal(bench.place(signer, token, client_id="c-1")) == (400, "DUPLICATED_CLIENT_ID")
    assert bench.request("DELETE", f"/orders/{first}", token=token).status == 204
    assert bench.place(signer, token, client_id="c-1").status == 201


def test_an_order_outside_its_receive_window_is_refused(bench: Bench) -> None:
    signer, token = bench.trader()
    late = bench.order_body(signer, recv_window=5000)
    bench.now += 5_001_000
    assert refusal(bench.request("POST", "/orders", token=token, body=late)) == (400, "INVALID_TIMESTAMP")
    assert bench.place(signer, token, recv_window=5000).status == 201


def test_cancels_answer_204_without_a_body(bench: Bench) -> None:
    signer, token = bench.trader()
    order = bench.place(signer, token, client_id="c-1").json["id"]
    answer = bench.request("DELETE", f"/orders/{order}", token=token)
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    assert bench.get(f"/orders/{order}", token).json["cancel_reason"] == "USER_CANCELED"
    assert refusal(bench.request("DELETE", f"/orders/{order}", token=token)) == (400, "ORDER_IS_CLOSED")
    assert refusal(bench.request("DELETE", "/orders/77", token=token)) == (400, "ORDER_ID_NOT_FOUND")
    bench.place(signer, token, client_id="c-2")
    query = {"market": "BTC-USD-PERP", "clientOrderId": "c-2"}
    assert bench.request("DELETE", "/orders/by_client_id/c-2", token=token, query=query).status == 204
    gone = bench.request("DELETE", "/orders/by_client_id/c-2", token=token)
    assert refusal(gone) == (400, "CLIENT_ORDER_ID_NOT_FOUND")


def test_client_ids_in_paths_are_unquoted(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, client_id="a/b c")
    assert bench.get("/orders/by_client_id/a%2Fb%20c", token).json["client_id"] == "a/b c"


def test_cancel_all_answers_200_and_can_be_limited_to_a_market(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token)
    bench.place(signer, token, market="ETH-USD-PERP", price="3400", size="1")
    assert bench.request("DELETE", "/orders", token=token, query={"market": "ETH-USD-PERP"}).status == 200
    assert [each["market"] for each in bench.get("/orders", token).json["results"]] == ["BTC-USD-PERP"]
    assert bench.request("DELETE", "/orders", token=token).status == 200
    assert bench.get("/orders", token).json["results"] == []


def test_accounts_do_not_see_each_other(bench: Bench) -> None:
    alice, token = bench.trader("alice")
    _, other = bench.trader("bob")
    order = bench.place(alice, token, client_id="c").json["id"]
    assert refusal(bench.get(f"/orders/{order}", other)) == (400, "ORDER_ID_NOT_FOUND")
    assert refusal(bench.request("DELETE", f"/orders/{order}", token=other)) == (400, "ORDER_ID_NOT_FOUND")
    assert bench.get("/orders-history", other).json["results"] == []


def test_a_batch_takes_what_it_can_and_says_what_it_cannot(bench: Bench) -> None:
    signer, token = bench.trader()
    good, off_grid = bench.order_body(signer, client_id="a"), bench.order_body(signer, price="64000.05")
    answer = bench.request("POST", "/orders/batch", token=token, body=[good, off_grid])
    assert answer.status == 201
    assert [each["client_id"] for each in answer.json["orders"]] == ["a"]
    assert [each["error"] for each in answer.json["errors"]] == ["VALIDATION_ERROR"]


def test_one_bad_signature_refuses_the_whole_batch(bench: Bench) -> None:
    signer, token = bench.trader()
    bodies = [bench.order_body(signer, client_id="a"), bench.order_body(signer, after={"size": "5"})]
    assert refusal(bench.request("POST", "/orders/batch", token=token, body=bodies)) == (400, "INVALID_ORDER_SIGNATURE")
    assert bench.get("/orders", token).json["results"] == []


@pytest.mark.parametrize("count", [0, 11])
def test_batches_have_one_to_ten_orders(bench: Bench, count: int) -> None:
    signer, token = bench.trader()
    answer = bench.request("POST", "/orders/batch", token=token, body=[bench.order_body(signer)] * count)
    assert refusal(answer) == (400, "BATCH_SIZE_OUT_OF_RANGE")


def test_a_batch_cancel_reports_each(bench: Bench) -> None:
    signer, token = bench.trader()
    closed, live, named = (bench.place(signer, token, client_id=name).json["id"] for name in ("c-1", "c-2", "c-3"))
    bench.request("DELETE", f"/orders/{closed}", token=token)
    body = {"order_ids": [closed, live, "9"], "client_order_ids": ["c-3", "c-9"]}
    results = bench.request("DELETE", "/orders/batch", token=token, body=body).json["results"]
    assert [each["status"] for each in results] == [
        "ALREADY_CLOSED",
        "QUEUED_FOR_CANCELLATION",
        "NOT_FOUND",
        "QUEUED_FOR_CANCELLATION",
        "NOT_FOUND",
    ]
    assert results[3]["id"] == named
    assert bench.get("/orders", token).json["results"] == []


def test_a_modification_is_signed_with_the_order_id_and_keeps_it(bench: Bench) -> None:
    signer, token = bench.trader()
    order = bench.place(signer, token).json["id"]
    body = bench.order_body(signer, id=order, price="63000", size="0.02")
    answer = bench.request("PUT", f"/orders/{order}", token=token, body=body)
    assert (answer.status, answer.json["id"], answer.json["request_info"]["status"]) == (200, order, "PENDING")
    changed = bench.get(f"/orders/{order}", token).json
    assert (changed["price"], changed["size"], changed["request_info"]["status"]) == ("63000", "0.02", "SUCCESS")


def test_modifications_are_verified_too(bench: Bench) -> None:
    signer, token = bench.trader()
    order, other = (bench.place(signer, token).json["id"] for _ in range(2))
    as_new_order = bench.order_body(signer, price="63000") | {"id": order}
    assert refusal(bench.request("PUT", f"/orders/{order}", token=token, body=as_new_order)) == (
        400,
        "INVALID_ORDER_SIGNATURE",
    )
    for_other = bench.order_body(signer, id=other, price="63000")
    assert refusal(bench.request("PUT", f"/orders/{order}", token=token, body=for_other)) == (400, "VALIDATION_ERROR")


def test_a_stop_waits_untriggered_and_fires_on_the_mark(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, type="MARKET", price=None, size="0.5")
    stop = bench.place(
        signer,
        token,
        type="STOP_LOSS_MARKET",
        side="SELL",
        size="0.5",
        price="0",
        trigger_price="64000",
        flags=["REDUCE_ONLY"],
    ).json
    assert bench.get(f"/orders/{stop['id']}", token).json["status"] == "UNTRIGGERED"
    assert bench.get("/orders", token).json["results"][0]["trigger_price"] == "64000"
    bench.mark("BTCUSDT", "63990")
    assert bench.get(f"/orders/{stop['id']}", token).json["status"] == "CLOSED"
    assert bench.get("/positions", token).json["results"][0]["status"] == "CLOSED"


def test_history_is_filtered_and_paged_in_both_directions(bench: Bench) -> None:
    signer, token = bench.trader()
    placed = [bench.place(signer, token, client_id=f"c-{number}").json["id"] for number in range(5)]
    first = bench.get("/orders-history", token, page_size=2).json
    second = bench.get("/orders-history", token, page_size=2, cursor=first["next"]).json
    third = bench.get("/orders-history", token, page_size=2, cursor=second["next"]).json
    assert [each["id"] for page in (first, second, third) for each in page["results"]] == placed[::-1]
    assert (first["prev"], third["next"]) == (None, None)
    assert bench.get("/orders-history", token, page_size=2, cursor=third["prev"]).json["results"] == second["results"]
    assert [each["id"] for each in bench.get("/orders-history", token, client_id="c-3").json["results"]] == [placed[3]]
    assert bench.get("/orders-history", token, status="CLOSED").json["results"] == []
    assert refusal(bench.get("/orders-history", token, status="GONE")) == (400, "VALIDATION_ERROR")
    assert refusal(bench.get("/orders-history", token, cursor="abc")) == (400, "INVALID_REQUEST_PARAMETER")
    assert refusal(bench.get("/orders-history", token, page_size=0)) == (400, "VALIDATION_ERROR")


def test_a_cursor_of_another_list_is_refused(bench: Bench) -> None:
    signer, token = bench.trader()
    for _ in range(2):
        bench.place(signer, token, type="MARKET", price=None, size="0.01")
    cursor = bench.get("/fills", token, page_size=1).json["next"]
    assert bench.get("/fills", token, page_size=1, cursor=cursor).status == 200
    assert refusal(bench.get("/trades", market="BTC-USD-PERP", cursor=cursor)) == (400, "INVALID_REQUEST_PARAMETER")
    assert refusal(bench.get("/orders-history", token, cursor=cursor)) == (400, "INVALID_REQUEST_PARAMETER")


def test_new_items_do_not_shift_a_page(bench: Bench) -> None:
    signer, token = bench.trader()
    placed = [bench.place(signer, token).json["id"] for _ in range(4)]
    first = bench.get("/orders-history", token, page_size=2).json
    bench.place(signer, token)
    second = bench.get("/orders-history", token, page_size=2, cursor=first["next"]).json
    assert [each["id"] for each in second["results"]] == placed[1::-1]


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        (ExchangeStatus.CANCEL_ONLY, 400, "SYSTEM_STATUS_CANCEL_ONLY"),
        (ExchangeStatus.POST_ONLY, 400, "SYSTEM_STATUS_POST_ONLY"),
        (ExchangeStatus.MAINTENANCE, 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_system_modes_refuse_orders_with_their_codes(bench: Bench, mode: ExchangeStatus, status: int, code: str) -> None:
    signer, token = bench.trader()
    bench.server.set_status(mode, bench.now)
    assert bench.get("/system/state").json == {"status": mode.value}
    assert refusal(bench.place(signer, token, price="64999.5")) == (status, code)
    bench.server.set_status(ExchangeStatus.OK, bench.now)
    assert bench.place(signer, token).status == 201


def test_an_account_slippage_setting_caps_market_orders(bench: Bench) -> None:
    signer, token = bench.trader()
    path = "/account/profile/market_max_slippage/BTC-USD-PERP"
    assert refusal(bench.request("POST", path, token=token, body={"max_slippage": "2"})) == (400, "VALIDATION_ERROR")
    answer = bench.request("POST", path, token=token, body={"max_slippage": "0.00001"})
    assert answer.json["market_max_slippage"] == {"BTC-USD-PERP": "0.00001"}
    order = bench.place(signer, token, type="MARKET", price=None, size="5").json["id"]
    done = bench.get(f"/orders/{order}", token).json
    assert Decimal(0) < Decimal(done["remaining_size"]) < 5
    assert done["cancel_reason"] == "SLIPPAGE_LIMIT"


def test_a_busted_fill_is_listed(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, type="MARKET", price=None, size="0.5")
    fill = bench.get("/fills", token).json["results"][0]["id"]
    assert bench.server.bust(fill, bench.now) is None
    assert isinstance(bench.server.bust("77", bench.now), Refusal)
    busts = bench.get("/tradebusts", token).json["results"]
    assert [each["busted_fill_id"] for each in busts] == [fill]
    assert bench.get("/positions", token).json["results"][0]["size"] == "0"


def test_maker_fills_come_from_the_flow(bench: Bench) -> None:
    signer, token = bench.trader()
    bench.place(signer, token, price="64999.9", size="0.3")
    bench.flow("BTCUSDT", Side.SELL, None, Decimal("0.2"))
    fill = bench.get("/fills", token, market="BTC-USD-PERP").json["results"][0]
    assert (fill["liquidity"], fill["size"], fill["remaining_size"]) == ("MAKER", "0.2", "0.1")


@pytest.mark.parametrize("kind", ["pnl", "value", "volume", "fee_savings"])
def test_a_curve_of_the_account_has_one_point_for_a_day_with_fills(bench: Bench, kind: str) -> None:
    signer, token = bench.trader()
    for side in ("BUY", "SELL"):
        bench.place(signer, token, side=side, type="MARKET", price=None, size="0.02")
        bench.pass_time(1_000_000)
    fills = bench.exchange.fills(signer.account)
    expected = {
        "pnl": sum(fill.realized_pnl + fill.funding - fill.fee for fill in fills),
        "value": bench.exchange.account_summary(signer.account).account_value,
        "volume": sum(fill.price * fill.size for fill in fills),
        "fee_savings": 0,
    }
    curve = bench.get("/account/history", token, type=kind).json
    assert curve["data"] == [float(expected[kind])]
    assert len(curve["timestamps"]) == 1
    assert expected["pnl"] < 0 < expected["volume"]


def test_an_unknown_curve_is_refused_by_name(bench: Bench) -> None:
    _, token = bench.trader()
    answer = bench.get("/account/history", token, type="sharpe")
    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert "pnl, value, volume, fee_savings" in answer.json["message"]
