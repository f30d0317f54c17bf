"""Whatever the other side sends: no exception, no hang, no event with a figure that is not finite."""

from __future__ import annotations

import json
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.paradex.sbe import encode
from flashscalper.model.commands import FetchKlines, QueryOrder, Reconcile, SetLeverage
from flashscalper.model.events import AccountSnapshot, KlineHistory, OrderFound
from tests.exchanges.paradex.bench import (
    ACCOUNT_JSON,
    ETH_RULES,
    START,
    Bench,
    fill_json,
    order_json,
    push,
    token,
    trade_json,
)
from tests.shared import shared_data

AT = START // 1000
QUOTE = {
    "market": "ETH-USD-PERP",
    "bid": "1.5",
    "bid_size": "2",
    "ask": "2",
    "ask_size": "1",
    "seq_no": 4,
    "last_updated_at": AT,
}
LEVEL = {"side": "BUY", "price": "2400", "size": "1"}
BOOK = {
    "market": "ETH-USD-PERP",
    "seq_no": 9,
    "last_updated_at": AT,
    "update_type": "s",
    "inserts": [LEVEL],
    "updates": [LEVEL],
}
SUMMARY = {
    "symbol": "ETH-USD-PERP",
    "mark_price": "2400",
    "underlying_price": "2399",
    "funding_rate": "0.0001",
    "created_at": AT,
}
POSITION = {"market": "ETH-USD-PERP", "side": "LONG", "size": "1", "average_entry_price": "5", "last_updated_at": AT}
PUSHES: list[tuple[str, str, dict[str, Any]]] = [
    ("market", "trades.ETH-USD-PERP", trade_json(9)),
    ("market", "bbo.ETH-USD-PERP", QUOTE),
    ("market", "order_book.ETH-USD-PERP.deltas@15@50ms", BOOK),
    ("market", "markets_summary.ETH-USD-PERP", SUMMARY),
    ("entries", "orders.ALL", order_json(request_info={"id": "1", "request_type": "MODIFY_ORDER", "status": "REJECTED"})),
    ("entries", "fills.ALL", fill_json()),
    ("entries", "positions", POSITION),
    ("entries", "account", ACCOUNT_JSON),
    ("entries", "tradebusts", {"busted_fill_id": "f1", "created_at": AT}),
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        [],
        {},
        [[]],
        "",
        " ",
        "NaN",
        "-Infinity",
        "1e999",
        "-1",
        "0",
        -1,
        0,
        10**40,
        -(10**40),
        1e308,
        1.5,
        "1" * 400,
        "HALF",
        "\u0000",
        "\ud83d\ude00",
        {"error": "x"},
    ]
)


def finite(value: Any) -> bool:
    """Whether every figure in an event is finite."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, msgspec.Struct):
        return all(finite(getattr(value, field)) for field in value.__struct_fields__)
    if isinstance(value, tuple):
        return all(finite(each) for each in value)
    return True


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [prefix] if prefix else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += paths(inner, (*prefix, key))
    return found


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy with something odd at one place."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return copy


def steady() -> Bench:
    bench = Bench().started()
    bench.forget()
    return bench


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PUSHES), st.data())
def test_a_push_with_one_odd_field_gives_finite_events_or_trouble(what: tuple[str, str, dict[str, Any]], data: Any) -> None:
    stream, channel, good = what
    bench = steady()
    odd = put(good, data.draw(st.sampled_from(paths(good))), data.draw(ODD))
    events = bench.frame(stream, push(channel, odd))
    assert all(finite(event) for event in events)
    bench.settle()
    bench.wait(2)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PUSHES), st.integers(0, 400), st.binary(max_size=3))
def test_a_cut_or_overwritten_frame_gives_finite_events_or_trouble(
    what: tuple[str, str, dict[str, Any]], at: int, junk: bytes
) -> None:
    stream, channel, good = what
    bench = steady()
    frame = push(channel, good)
    at = min(at, len(frame))
    for damaged in (frame[:at] + junk, frame[:at] + junk + frame[at + len(junk) :]):
        if not any(conn.startswith(stream) for conn in bench.open):
            bench.wait(1)
        events = bench.frame(stream, damaged)
        assert all(finite(event) for event in events)
        bench.settle()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["market", "entries", "protection"]), st.binary(max_size=200), st.booleans())
def test_any_bytes_at_all_are_survived(stream: str, junk: bytes, binary: bool) -> None:
    bench = steady()
    assert all(finite(event) for event in bench.frame(stream, junk, binary=binary))
    bench.settle()
    bench.wait(1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["id", "result", "error", "method", "params", "jsonrpc"]), JSON))
def test_any_control_frame_is_survived(message: dict[str, Any]) -> None:
    bench = steady()
    for stream in ("market", "protection"):
        bench.frame(stream, json.dumps(message).encode())
    bench.settle()


def test_every_binary_vector_cut_at_every_byte_and_with_flipped_bytes_is_survived() -> None:
    frames = json.loads(shared_data("paradex_sbe_vectors.json").read_text())["frames"]
    bench = Bench(markets=(("ETHUSDT", "ETH-USD-PERP"), ("BTCUSDT", "BTC-USD-PERP")))
    bench.routes["/markets"] = (200, {"results": [ETH_RULES, {**ETH_RULES, "symbol": "BTC-USD-PERP"}]})
    bench.started()
    for frame in frames:
        raw = bytes.fromhex(frame["hex"])
        for at in range(len(raw)):
            flipped = bytearray(raw)
            flipped[at] ^= 0xFF
            for damaged in (raw[:at], bytes(flipped)):
                assert all(finite(event) for event in bench.frame("market", damaged, binary=True))
            bench.settle()


def test_a_binary_zero_mark_price_is_refused() -> None:
    bench = steady()
    names = ("mark_price", "index_price", "last_price", "volume_24h", "open_interest", "funding_rate", "total_volume")
    values: dict[str, Any] = {**dict.fromkeys(names, Decimal(0)), "price_change_rate_24h": Decimal(0)}
    record = {"sent_at": START, "seq_no": 1, "market": "ETH-USD-PERP", **values}
    (trouble,) = bench.frame("market", encode(4, 2, record), binary=True)
    assert "markPrice" in trouble.detail  # type: ignore[union-attr]


BODIES: dict[str, Any] = {
    "/system/config": {"starknet_chain_id": "PRIVATE_SN_POTC_SEPOLIA", "paraclear_decimals": 8},
    "/system/time": {"server_time": str(AT)},
    "/system/state": {"status": "ok"},
    "/markets": {"results": [{**ETH_RULES, "fee_config": {"api_fee": {"maker_fee": {"fee": "0.1"}}}}]},
    "/auth": {"jwt_token": token(START)},
    "/account/info": {"results": [{"account": "0x1", "fees": {"maker_rate": "0.1", "taker_rate": "0.1"}}]},
    "/account/margin": {"configs": [{"market": "ETH-USD-PERP", "leverage": 5, "margin_type": "CROSS"}]},
    "/account": ACCOUNT_JSON,
    "/orders": {"results": [order_json(status="OPEN")]},
    "/orders/by_client_id": order_json(status="OPEN"),
    "/fills": {"results": [fill_json()], "next": None},
    "/positions": {"results": [POSITION]},
    "/trades": {"results": [trade_json(12), trade_json(1)], "next": None},
    "/markets/klines": {"results": [[AT - AT % 60_000 - 60_000, 1, 1, 1, 1, 1]]},
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BODIES)), st.data())
def test_an_answer_with_one_odd_field_is_survived_and_every_question_is_answered(path: str, data: Any) -> None:
    good = BODIES[path]
    body = put(good, data.draw(st.sampled_from(paths(good))), data.draw(ODD))
    if data.draw(st.booleans()):
        body = json.dumps(body).encode()[: data.draw(st.integers(0, 60))]
    bench = Bench(dead_feed_s=1e6)
    bench.routes[path] = (200, body)
    bench.started()
    if any(conn.startswith("market") for conn in bench.open):
        bench.frame("market", json.dumps({}).encode())
    for command in (
        Reconcile(fills_since=0),
        QueryOrder(client_id="fs-a-1", symbol="ETHUSDT"),
        FetchKlines(symbol="ETHUSDT", interval="1m", count=1, until_at=START),
        SetLeverage(symbol="ETHUSDT", leverage=5),
    ):
        bench.client.submit(command, bench.now)
    bench.settle()
    bench.wait(12)
    assert all(finite(event) for event in bench.events)
    for kind in (AccountSnapshot, OrderFound, KlineHistory):
        assert len(bench.seen(kind)) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"null", b"[]", b'{"error":5}', b"\xff\xfe"])
def test_any_status_with_any_body_on_every_route_is_survived(status: int, body: bytes) -> None:
    bench = Bench(dead_feed_s=1e6)
    good = dict(bench.routes)
    for path in bench.routes:
        bench.routes[path] = (status, body, {"retry-after": "nonsense"})
    bench.started()
    bench.wait(20)
    assert not bench.client.refused
    bench.routes.update(good)
    bench.wait(70)
    assert [conn for conn in bench.open if conn.startswith("entries")]
