"""Paradex's own interface files as judges of every answer and push; what they must overlook stands here with its evidence.

The files mark no response field as required and forbid nothing, so the judges here are stricter than the files: a field that
a schema does not list is an error, and so is a documented field that is missing, but for the tables below.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.shared import SHARED

# Statuses that the OpenAPI file does not list for a route: status -> evidence.
STATUSES = {
    401: "paradex.md 4.1: JWT errors of every private route; 2.6: body without `error`",
    403: "paradex.md 4.1: IP_NOT_ALLOWED and token scope",
    404: "paradex.md 4.1: MARKET_NOT_FOUND, unknown routes",
    429: "paradex.md 7: over the limit",
    501: "ours: 'not simulated'",
    503: "paradex.md 4.1: maintenance and time-outs",
}

# Routes and schemas that the OpenAPI file lacks: route -> evidence.
ROUTES = {
    ("POST", "/auth/{public_key}"): "paradex.md appendix B: in prose and both SDK versions, not in the path list",
    ("GET", "/markets/klines"): "paradex.md 4.2: 200 schema not in the file; shape from ccxt",
}

# Documented fields that an answer may lack: schema title or route -> fields, with evidence.
ABSENT = {
    "MarketResp": "iv_bands_width option_cross_margin_params option_type strike_price",  # options only
    "MarketSummaryResp": "ask_iv bid_iv delta forward_rate future_funding_rate greeks last_iv mark_iv rolling_details "
    "risk_free_rate settlement_twap_estimate",  # options only, or filled only where `start`/`end` are asked
    "Fees": "commission_rate dated_option_maker_rate dated_option_taker_rate discount_rate perp_option_maker_rate "
    "perp_option_taker_rate spot_maker_rate spot_taker_rate",  # deprecated, or other products
    "OrderResp": "request_info",  # only after a modification
    "ApiError": "error data",  # 2.6: an expired token has no `error`; `data` may be absent (4.1)
    "ErrorResponse": "data",
    "SystemConfigResponse": "assets_limit_per_account dime_staking_contract_address starknet_gateway_url",  # not for signing
    "AccountProfileResp": "*",  # social profile: not simulated but for the slippage settings
    "CancelOrderResult": "*",  # paradex.md 4.4: an unknown id has only what was asked
    "PriceBookUpdate": "best_ask_api best_ask_interactive best_bid_api best_bid_interactive relative_spread",  # interactive
    "TraderPublicKeys": "*",
}

# Values that contradict the file: (file, schema, field) -> evidence.
OVERLOOKED = {
    ("openapi", "PaginatedAPIResults", "next"): "its own description: null if there are no records left",
    ("openapi", "PaginatedAPIResults", "prev"): "its own description: null if there are no records left",
    ("openrpc", "order", "status"): "UNTRIGGERED is missing in its enum; OpenAPI and AsyncAPI have it",
    ("openrpc", "order", "type"): "TP/SL types are missing in its enum; OpenAPI and AsyncAPI have them",
    ("openrpc", "order", "stp"): "not in its order; OpenAPI and AsyncAPI have it",
    ("openrpc", "order", "request_info"): "not in its order; OpenAPI and AsyncAPI have it",
}


@cache
def _openapi() -> dict[str, Any] | None:
    path = SHARED / "spec" / "paradex-openapi.json"
    return dict(json.loads(path.read_text())) if path.exists() else None


@cache
def _asyncapi() -> dict[str, Any] | None:
    path = SHARED / "spec" / "paradex-asyncapi.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(path.read_text(), Loader=loader)) if path.exists() else None


@cache
def _openrpc() -> dict[str, dict[str, Any]] | None:
    path = SHARED / "spec" / "paradex-openrpc.json"
    return {each["name"]: each for each in json.loads(path.read_text())["methods"]} if path.exists() else None


def available() -> bool:
    """Whether the interface files lie beside the checkout."""
    return _openapi() is not None and _asyncapi() is not None and _openrpc() is not None


def _strict(schema: dict[str, Any], document: dict[str, Any], file: str, title: str = "") -> dict[str, Any]:
    """The schema with references and allOf resolved, unknown fields forbidden and documented ones required."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        target = document["components"]["schemas"][name]
        return _strict(target, document, file, name.rsplit(".", 1)[-1].removeprefix("Responses"))
    if "allOf" in schema:
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            resolved = _strict(part, document, file, title)
            properties = merged.get("properties", {}) | resolved.get("properties", {})
            required = sorted({*merged.get("required", ()), *resolved.get("required", ())})
            merged |= resolved | ({"properties": properties, "required": required} if properties else {})
        return merged
    if schema.get("type") == "array":
        return schema | {"items": _strict(schema.get("items", {}), document, file, title)}
    if "properties" not in schema:
        extra = schema.get("additionalProperties")
        return schema | {"additionalProperties": _strict(extra, document, file)} if isinstance(extra, dict) else schema
    absent = ABSENT.get(title, "").split()
    properties = {}
    for name, value in schema["properties"].items():
        overlooked = (file, title or name, name) in OVERLOOKED
        properties[name] = {} if overlooked else _strict(value, document, file, name if file == "openrpc" else "")
    properties |= {name: {} for owner, schema_title, name in OVERLOOKED if (owner, schema_title) == (file, title)}
    required = [] if absent == ["*"] else [name for name in schema["properties"] if name not in absent]
    if file == "openrpc":
        required = [name for name in required if not (title == "results" or name == "stp")]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@cache
def _route_of(method: str, path: str) -> str | None:
    document = _openapi()
    assert document is not None
    exact = [each for each in document["paths"] if each == path]
    patterns = [each for each in document["paths"] if re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", each), path)]
    found = [each for each in (*exact, *patterns) if method.lower() in document["paths"][each]]
    return found[0] if found else None


@cache
def _http_validator(method: str, route: str, status: int) -> Draft202012Validator | None:
    document = _openapi()
    assert document is not None
    responses = document["paths"][route][method.lower()]["responses"]
    if str(status) not in responses:
        assert status in STATUSES, f"{method} {route} answered {status}, documented are {sorted(responses)}"
        schema = {"$ref": "#/components/schemas/responses.ApiError"}
    else:
        content = responses[str(status)].get("content")
        if not content:
            return None
        schema = next(iter(content.values()))["schema"]
    return Draft202012Validator(_strict(schema, document, "openapi"))


def judge_http(method: str, path: str, status: int, body: bytes) -> None:
    """Check one REST answer; `path` is below /v1."""
    if not available():
        return
    route = _route_of(method, path)
    if route is None:
        known = any(re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", each), path) for verb, each in ROUTES if verb == method)
        assert known or status in (404, 501), f"{method} {path} is not in the OpenAPI file"
        return
    if (method, route) in ROUTES and status == 200:
        return
    validator = _http_validator(method, route, status)
    if validator is not None:
        validator.validate(json.loads(body))
    else:
        assert body in (b"", b"{}"), f"{method} {route} {status} documents no body"


_CHANNELS = {
    "trades": "TradeResult",
    "bbo": "BBOResp",
    "order_book": "PriceBookUpdate",
    "markets_summary": "MarketSummaryResp",
    "markets": "MarketEvent",
    "funding_data": "FundingDataResult",
    "account": "AccountSummaryResponse",
    "balance_events": "BalanceEventResponse",
    "positions": "PositionResp",
    "orders": "OrderResp",
    "fills": "FillResult",
    "funding_payments": "FundingPayment",
    "tradebusts": "TradebustResult",
}


@cache
def _push_validator(kind: str) -> Draft202012Validator:
    document = _asyncapi()
    assert document is not None
    return Draft202012Validator(_strict({"$ref": f"#/components/schemas/Responses{_CHANNELS[kind]}"}, document, "asyncapi"))


def judge_push(channel: str, data: Any) -> None:
    """Check one push of a channel."""
    if available():
        _push_validator(channel.split(".", 1)[0]).validate(data)


@cache
def _rpc_validator(method: str) -> Draft202012Validator:
    methods = _openrpc()
    assert methods is not None
    return Draft202012Validator(_strict(methods[method]["result"]["schema"], {}, "openrpc"))


def judge_rpc(method: str, message: dict[str, Any]) -> None:
    """Check one answer of a WebSocket method: result, or an error code that the file or paradex.md 5.3 lists."""
    if not available():
        return
    methods = _openrpc()
    assert methods is not None
    assert message["jsonrpc"] == "2.0"
    assert all(isinstance(message[name], int) for name in ("usIn", "usOut", "usDiff"))
    if "error" in message:
        listed = {each["code"] for each in methods.get(method, {"errors": []})["errors"]}
        assert message["error"]["code"] in listed | {100, -32700, -32600, -32601}
        assert set(message["error"]) <= {"code", "message", "data"}
    else:
        _rpc_validator(method).validate(message["result"])
