"""Every request to Paradex, word by word: what is asked is a contract, and a letter that changes is a mistake."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from flashscalper.exchanges.paradex import requests
from flashscalper.exchanges.paradex.requests import Call, Group
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from flashscalper.model.secrets import Secret
from tests.exchanges.paradex.bench import CHAIN

ETH = "ETH-USD-PERP"
AT = 1_767_225_600_123_456
MS = "1767225600123"
SIGNER = KeyedHashSigner("0x123abc", Secret("0x1"), CHAIN)
MARKET_ORDERS = [OrderType.MARKET, OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET, OrderType.STOP_LOSS_MARKET]
LIMIT_ORDERS = [kind for kind in OrderType if kind not in MARKET_ORDERS]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (requests.system_config(), "GET /system/config public"),
        (requests.system_time(), "GET /system/time public"),
        (requests.system_state(), "GET /system/state public"),
        (requests.markets(), "GET /markets public"),
        (
            requests.klines(ETH, 5, AT, AT + 1_000),
            f"GET /markets/klines public symbol={ETH} resolution=5 start_at={MS} end_at=1767225600124",
        ),
        (
            requests.klines(ETH, 1, AT, AT, "mark"),
            f"GET /markets/klines public symbol={ETH} resolution=1 start_at={MS} end_at={MS} price_kind=mark",
        ),
        (requests.trades(ETH, AT), f"GET /trades public market={ETH} start_at={MS} page_size=1000"),
        (requests.trades(ETH, AT, "n"), f"GET /trades public market={ETH} start_at={MS} page_size=1000 cursor=n"),
        (requests.account(), "GET /account read"),
        (requests.account_info(), "GET /account/info read"),
        (requests.positions(), "GET /positions read"),
        (requests.margin(ETH), f"GET /account/margin read market={ETH}"),
        (requests.fills(AT), f"GET /fills read start_at={MS} page_size=1000"),
        (requests.fills(AT, ETH, "n"), f"GET /fills read start_at={MS} page_size=1000 market={ETH} cursor=n"),
        (requests.tradebusts(AT), f"GET /tradebusts read start_at={MS} page_size=1000"),
        (requests.open_orders(), "GET /orders read"),
        (requests.order_by_client_id("a/b"), "GET /orders/by_client_id/a%2Fb read"),
        (requests.orders_history("a", ETH), f"GET /orders-history read client_id=a market={ETH}"),
        (requests.cancel_order("7/8", "a", ETH), "DELETE /orders/7%2F8 order"),
        (requests.cancel_order("", "a/b", ETH), f"DELETE /orders/by_client_id/a%2Fb order market={ETH}"),
    ],
)
def test_a_request_without_a_body_is_exactly_this(call: Call, expected: str) -> None:
    asked = [call.method, call.path, call.group.value, *(f"{name}={value}" for name, value in parse_qsl(call.query))]
    assert " ".join(asked) == expected
    assert (call.body, call.headers) == (b"", ())
    assert call.private is (call.group.value in ("read", "order"))


def test_the_limits_have_the_names_of_the_document() -> None:
    assert [group.value for group in Group] == ["public", "auth", "read", "order"]
    assert requests.MAX_KLINES == 1_000


def test_requests_with_a_body_are_exactly_these() -> None:
    assert requests.place_order(b"{}") == Call("POST", "/orders", Group.ORDER, body=b"{}")
    assert requests.modify_order("7/8", b"{}") == Call("PUT", "/orders/7%2F8", Group.ORDER, body=b"{}")
    for isolated, mode in ((True, "ISOLATED"), (False, "CROSS")):
        call = requests.set_margin(ETH, 7, isolated=isolated)
        assert call == Call("POST", f"/account/margin/{ETH}", Group.READ, body=call.body)
        assert json.loads(call.body) == {"leverage": 7, "margin_type": mode}


def test_a_request_cannot_be_changed_after_it_was_made() -> None:
    call = requests.account()
    with pytest.raises(AttributeError):
        call.path = "/orders"  # type: ignore[misc]
    assert hash(call) == hash(requests.account())
    for body in (requests.OrderBody(*("x",) * 7, 1, "x", 1), requests.ModifyBody(*("x",) * 7, 1)):
        with pytest.raises(AttributeError):
            body.size = "2"  # type: ignore[misc]


@pytest.mark.parametrize(("interactive", "query"), [(False, ""), (True, "token_usage=interactive")])
def test_a_token_is_asked_for_with_the_account_the_signature_and_half_an_hour(interactive: bool, query: str) -> None:
    call = requests.auth(SIGNER, 1_000, interactive=interactive)
    assert (call.method, call.path, call.group, call.query) == ("POST", f"/auth/{SIGNER.public_key}", Group.AUTH, query)
    assert call.body == b""
    assert not call.private
    assert dict(call.headers) == {
        "PARADEX-STARKNET-ACCOUNT": "0x123abc",
        "PARADEX-STARKNET-SIGNATURE": SIGNER.sign_auth(timestamp_s=1_000, expiration_s=2_800),
        "PARADEX-TIMESTAMP": "1000",
        "PARADEX-SIGNATURE-EXPIRATION": "2800",
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [("0xabc", "0xabc"), ("", "0x" + "123abc".zfill(40))],
)
def test_onboarding_names_an_ethereum_account_the_given_one_or_the_end_of_ours(given: str, sent: str) -> None:
    call = requests.onboarding(SIGNER, given)
    assert (call.method, call.path, call.group, call.query) == ("POST", "/onboarding", Group.AUTH, "")
    assert json.loads(call.body) == {"public_key": SIGNER.public_key}
    assert dict(call.headers) == {
        "PARADEX-ETHEREUM-ACCOUNT": sent,
        "PARADEX-STARKNET-ACCOUNT": "0x123abc",
        "PARADEX-STARKNET-SIGNATURE": SIGNER.sign_onboarding(),
    }


def test_of_a_long_account_the_last_twenty_bytes_stand_in_for_the_ethereum_one() -> None:
    long = KeyedHashSigner("0x4" + "a" * 20 + "b" * 40, Secret("0x1"), CHAIN)
    assert dict(requests.onboarding(long, "").headers)["PARADEX-ETHEREUM-ACCOUNT"] == "0x" + "b" * 40


@pytest.mark.parametrize("kind", MARKET_ORDERS)
def test_a_market_type_says_price_zero_and_gtc_and_must_be_free_to_take(kind: OrderType) -> None:
    assert requests.wire_price(kind, Decimal(5)) == requests.wire_price(kind, None) == "0"
    for free in (TimeInForce.GTC, TimeInForce.IOC):
        assert requests.wire_instruction(kind, free) == "GTC"
    for resting in (TimeInForce.POST_ONLY, TimeInForce.RPI):
        with pytest.raises(ValueError, match=f"time_in_force: saw {resting}; accepted for {kind}: gtc, ioc"):
            requests.wire_instruction(kind, resting)


@pytest.mark.parametrize("kind", LIMIT_ORDERS)
def test_a_limit_type_says_its_price_and_its_instruction(kind: OrderType) -> None:
    assert requests.wire_price(kind, Decimal("2400.50")) == "2400.5"
    with pytest.raises(ValueError, match=f"price: saw None; accepted: a price, because {kind} has a limit"):
        requests.wire_price(kind, None)
    said = [requests.wire_instruction(kind, each) for each in TimeInForce]
    assert said == [each.value.upper() for each in TimeInForce]


def order(**changes: Any) -> PlaceOrder:
    plain = PlaceOrder(
        client_id="c", symbol="ETHUSDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal("1.50"), price=Decimal("2E+3"),
        role=OrderRole.ENTRY, reason="",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def test_an_order_s_body_is_exactly_this_and_what_is_not_set_is_left_out() -> None:
    body = {
        "market": ETH, "side": "BUY", "type": "LIMIT", "size": "1.5", "price": "2000", "instruction": "GTC",
        "signature": "s", "signature_timestamp": 11, "client_id": "c", "recv_window": 12,
    }  # fmt: skip
    assert json.loads(requests.order_body(order(), ETH, "s", 11, 12)) == body
    stop = order(side=Side.SELL, type=OrderType.STOP_MARKET, price=None, trigger_price=Decimal("1900.0"), reduce_only=True)
    body |= {"side": "SELL", "type": "STOP_MARKET", "price": "0", "trigger_price": "1900", "flags": ["REDUCE_ONLY"]}
    assert json.loads(requests.order_body(stop, ETH, "s", 11, 12)) == body


def test_a_change_s_body_is_exactly_this() -> None:
    change = ModifyOrder(
        client_id="c", order_id="7", symbol="ETHUSDT", side=Side.SELL, type=OrderType.LIMIT, size=Decimal("1.50"),
        price=Decimal("2E+3"), role=OrderRole.ENTRY, reason="",
    )  # fmt: skip
    body = {
        "id": "7", "market": ETH, "side": "SELL", "type": "LIMIT", "size": "1.5", "price": "2000", "signature": "s",
        "signature_timestamp": 11,
    }  # fmt: skip
    assert json.loads(requests.modify_body(change, ETH, "s", 11)) == body
    changed = msgspec.structs.replace(change, trigger_price=Decimal("1900.0"))
    assert json.loads(requests.modify_body(changed, ETH, "s", 11)) == body | {"trigger_price": "1900"}


def test_what_goes_over_the_socket_is_exactly_this() -> None:
    assert json.loads(requests.cancel_params("7", "c", ETH)) == {"id": "7"}
    assert json.loads(requests.cancel_params("", "c", ETH)) == {"client_id": "c", "market": ETH}
    assert json.loads(requests.channel_params("fills.ALL")) == {"channel": "fills.ALL"}
    assert json.loads(requests.rpc("auth", b'{"a":1}', 9)) == {
        "jsonrpc": "2.0", "method": "auth", "params": {"a": 1}, "id": 9,
    }  # fmt: skip


def test_the_socket_takes_the_four_types_that_the_document_lists_and_no_other() -> None:
    listed = {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.STOP_MARKET}
    assert listed == requests.SOCKET_TYPES
    assert set(MARKET_ORDERS) == requests.MARKET_TYPES
