"""What we say, checked against Paradex's own specification files."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pytest

from flashscalper.exchanges.paradex import key_requests, requests, script_requests
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.script_results import HISTORY_KINDS
from flashscalper.model.commands import ModifyOrder, PlaceOrder
from flashscalper.model.orders import OrderRole, OrderType, Side, TimeInForce
from tests.exchanges.paradex.bench import START, Bench, signer
from tests.shared import shared_spec

MARKET = "ETH-USD-PERP"
SIGNATURE = '["1","2"]'

UNDOCUMENTED = {("POST", "/auth/{public_key}")}
"""In the prose and in both versions of the official SDK, but not in the OpenAPI file (protocol page, appendix B)."""


def order(kind: OrderType, **changes: Any) -> PlaceOrder:
    limited = not kind.value.endswith("market")
    given: dict[str, Any] = {
        "client_id": "fs-a-1",
        "symbol": "ETHUSDT",
        "side": Side.SELL,
        "type": kind,
        "size": Decimal("0.500"),
        "price": Decimal("2400.10") if limited else None,
        "trigger_price": None if kind in (OrderType.LIMIT, OrderType.MARKET) else Decimal(2300),
        "reduce_only": True,
        "role": OrderRole.EXIT,
        "reason": "test",
    }
    return PlaceOrder(**{**given, **changes})


def changed(kind: OrderType) -> ModifyOrder:
    new = order(kind)
    return ModifyOrder(
        client_id=new.client_id,
        order_id="17672",
        symbol=new.symbol,
        side=new.side,
        type=kind,
        size=new.size,
        price=new.price,
        trigger_price=new.trigger_price,
        role=new.role,
        reason="test",
    )


CALLS = [
    requests.system_config(),
    requests.system_time(),
    requests.system_state(),
    requests.markets(),
    requests.klines(MARKET, 1, START, START),
    requests.trades(MARKET, START, "c"),
    requests.auth(signer(), 5, interactive=True),
    requests.onboarding(signer(), ""),
    requests.account(),
    requests.account_info(),
    requests.positions(),
    requests.tradebusts(1_000_000),
    requests.margin(MARKET),
    requests.set_margin(MARKET, 5, isolated=True),
    requests.fills(START, MARKET, "c"),
    requests.open_orders(),
    requests.order_by_client_id("fs-a-1"),
    requests.orders_history("fs-a-1", MARKET),
    requests.place_order(b"{}"),
    requests.modify_order("17672", b"{}"),
    requests.cancel_order("17672", "", MARKET),
    requests.cancel_order("", "fs-a-1", MARKET),
    requests.klines(MARKET, 60, START, START, "mark"),
    script_requests.market_summary(MARKET),
    script_requests.best_quote(MARKET),
    script_requests.order_book(MARKET, 5, interactive=False),
    script_requests.order_book(MARKET, 5, interactive=True),
    script_requests.impact_price(MARKET, Decimal(2)),
    script_requests.trades(MARKET, START, START, "c"),
    script_requests.funding_data(MARKET, START, START, "c"),
    script_requests.account_summaries(),
    *(script_requests.account_history(kind) for kind in HISTORY_KINDS),
    script_requests.balances(),
    script_requests.funding_payments(MARKET, START, START, "c"),
    script_requests.tradebusts(START, START, "c"),
    script_requests.liquidations(START, START),
    script_requests.open_orders(MARKET),
    script_requests.order_by_id("17672"),
    script_requests.orders_history(MARKET, "fs-a-1", "c", start_at=START, end_at=START),
    script_requests.cancel_all(MARKET),
    script_requests.place_batch([b"{}"]),
    script_requests.cancel_batch(["17672"], ["fs-a-1"]),
    script_requests.place_twap(b"{}"),
    script_requests.twaps(),
    script_requests.twap("7"),
    script_requests.twap_history(MARKET, "c"),
    script_requests.cancel_twap("7"),
    key_requests.onboarded("0x1"),
    key_requests.subkeys(with_revoked=True),
    key_requests.register_subkey(signer(), "0x2", "name", ("203.0.113.0/24",), 5),
    key_requests.revoke_subkey("0x2"),
    key_requests.tokens(with_invalid=True),
    key_requests.create_token("name", "jwt", 60, ("203.0.113.0/24",)),
    key_requests.revoke_token("lookup-1"),
]


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared_spec("paradex-openapi.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def openrpc() -> dict[str, Any]:
    loaded = json.loads(shared_spec("paradex-openrpc.json").read_text())
    return {method["name"]: method for method in loaded["methods"]}


def matches(template: str, path: str) -> bool:
    ours, theirs = path.split("/"), template.split("/")
    return len(ours) == len(theirs) and all(b == a or b.startswith("{") for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_every_call_is_documented_with_its_query_and_headers(call: Call, openapi: dict[str, Any]) -> None:
    if any(call.method == method and matches(template, call.path) for method, template in UNDOCUMENTED):
        operation = openapi["paths"]["/auth"]["post"]
    else:
        exact = [path for path in openapi["paths"] if path == call.path]
        (template,) = exact or [path for path in openapi["paths"] if matches(path, call.path)]
        operation = openapi["paths"][template][call.method.lower()]
    named = {(each["in"], each["name"]) for each in operation.get("parameters", [])}
    extra = {("query", "token_usage")} if "/auth" in call.path else set()
    assert {("query", key) for key in parse_qs(call.query)} - extra <= named
    required = {each["name"] for each in operation.get("parameters", []) if each.get("required") and each["in"] != "path"}
    given = set(parse_qs(call.query)) | {name for name, _ in call.headers}
    assert required - {"body"} <= given


def schema(openapi: dict[str, Any], name: str) -> dict[str, Any]:
    return {**openapi["components"]["schemas"][name], "components": openapi["components"]}


def schema_name(openapi: dict[str, Any], path: str, method: str) -> str:
    content = openapi["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    return str(content["$ref"]).rsplit("/", 1)[1]


@pytest.mark.parametrize("kind", list(OrderType))
def test_every_order_body_fits_the_specification(kind: OrderType, openapi: dict[str, Any]) -> None:
    body = json.loads(requests.order_body(order(kind), MARKET, SIGNATURE, START // 1000, 5000))
    jsonschema.validate(body, schema(openapi, schema_name(openapi, "/orders", "post")))
    assert set(body) <= set(schema(openapi, schema_name(openapi, "/orders", "post"))["properties"])
    assert body["price"] == ("0" if kind.value.endswith("market") else "2400.1")
    assert body["size"] == "0.5"


@pytest.mark.parametrize("kind", list(OrderType))
def test_every_modify_body_fits_the_specification(kind: OrderType, openapi: dict[str, Any]) -> None:
    body = json.loads(requests.modify_body(changed(kind), MARKET, SIGNATURE, START // 1000))
    jsonschema.validate(body, schema(openapi, schema_name(openapi, "/orders/{order_id}", "put")))


@pytest.mark.parametrize("time_in_force", list(TimeInForce))
def test_every_instruction_is_documented(time_in_force: TimeInForce, openapi: dict[str, Any]) -> None:
    body = json.loads(
        requests.order_body(order(OrderType.LIMIT, time_in_force=time_in_force), MARKET, SIGNATURE, START // 1000, 5000)
    )
    jsonschema.validate(body, schema(openapi, schema_name(openapi, "/orders", "post")))


def twap_call() -> Call:
    signed: dict[str, Any] = {"signature": SIGNATURE, "signed_ms": START // 1000, "window_ms": 5000}
    body = script_requests.twap_body(MARKET, Side.SELL, Decimal(2), duration_s=60, every_s=30, **signed)
    return script_requests.place_twap(body)


@pytest.mark.parametrize(
    "call",
    [
        script_requests.place_batch([requests.order_body(order(OrderType.LIMIT), MARKET, SIGNATURE, 1, 5000)] * 2),
        script_requests.cancel_batch(["17672"], ["fs-a-1"]),
        twap_call(),
        requests.set_margin(MARKET, 5, isolated=True),
        requests.onboarding(signer(), ""),
        key_requests.register_subkey(signer(), "0x2", "name", ("203.0.113.0/24",), 5),
        key_requests.create_token("name", "jwt", 60, ("203.0.113.0/24",)),
    ],
    ids=lambda call: f"{call.method} {call.path}",
)
def test_every_other_body_fits_the_specification(call: Call, openapi: dict[str, Any]) -> None:
    (template,) = [path for path in openapi["paths"] if path == call.path] or [
        path for path in openapi["paths"] if matches(path, call.path)
    ]
    documented = openapi["paths"][template][call.method.lower()]["requestBody"]
    if "$ref" in documented:
        documented = openapi["components"]["requestBodies"][documented["$ref"].rsplit("/", 1)[1]]
    wanted = documented["content"]["application/json"]["schema"]
    body = json.loads(call.body)
    jsonschema.validate(body, {**wanted, "components": openapi["components"]})
    named = wanted["items"]["$ref"] if wanted.get("type") == "array" else wanted["$ref"]
    known = set(openapi["components"]["schemas"][named.rsplit("/", 1)[1]]["properties"])
    for each in body if isinstance(body, list) else [body]:
        assert set(each) <= known


def test_every_function_that_builds_a_request_is_among_those_that_are_checked() -> None:
    """A new endpoint of the client is checked against the specification, or this test says that it is not."""
    source = Path(__file__).read_text()
    for module in (requests, script_requests, key_requests):
        for name, function in vars(module).items():
            if getattr(function, "__annotations__", {}).get("return") == "Call" and function.__module__ == module.__name__:
                assert f"{module.__name__.rpartition('.')[2]}.{name}(" in source, name


def check_rpc(method: dict[str, Any], params: dict[str, Any]) -> None:
    known = {each["name"]: each for each in method["params"]}
    assert set(params) <= set(known)
    assert {name for name, each in known.items() if each.get("required")} <= set(params)
    for name, value in params.items():
        wanted = known[name]["schema"]
        if wanted["type"] == "array" and "enum" in wanted:
            # The file puts the enum of `flags` on the array, where no array can meet it; it means the items.
            wanted = {"type": "array", "items": {**wanted["items"], "enum": wanted["enum"]}}
        jsonschema.validate(value, wanted)


@pytest.mark.parametrize("kind", sorted(requests.SOCKET_TYPES))
def test_every_socket_order_fits_the_specification(kind: OrderType, openrpc: dict[str, Any]) -> None:
    body = json.loads(requests.order_body(order(kind), MARKET, SIGNATURE, START // 1000, 5000))
    check_rpc(openrpc["order.create"], body)
    check_rpc(openrpc["order.modify"], json.loads(requests.modify_body(changed(kind), MARKET, SIGNATURE, START // 1000)))
    check_rpc(openrpc["order.cancel"], json.loads(requests.cancel_params("", "fs-a-1", MARKET)))
    check_rpc(openrpc["order.cancel"], json.loads(requests.cancel_params("17672", "fs-a-1", MARKET)))


def test_the_socket_requests_of_scripts_fit_the_specification(openrpc: dict[str, Any]) -> None:
    for enabled in (True, False):
        method, params = script_requests.disconnect_rule(enabled=enabled)
        check_rpc(openrpc[method], json.loads(params))
    for named in ({}, {"market": MARKET}):
        check_rpc(openrpc["order.cancel_all"], named)
    for channel in ("funding_payments.ETH-USD-PERP", "balance_events"):
        for method in ("subscribe", "unsubscribe"):
            check_rpc(openrpc[method], json.loads(requests.channel_params(channel)))


def test_every_frame_of_a_start_fits_the_specification(openrpc: dict[str, Any]) -> None:
    bench = Bench().started()
    assert {message["method"] for _, message in bench.frames} == {"auth", "subscribe", "order.cancel_on_disconnect"}
    for _, message in bench.frames:
        assert message["jsonrpc"] == "2.0"
        check_rpc(openrpc[message["method"]], message["params"])
