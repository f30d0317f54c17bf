"""The judges themselves: they know the routes, and they refuse answers that differ from the exchange's interface files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import ValidationError

from flashscalper.simulator.paradex_server.server import ROUTES
from tests.shared import shared_spec
from tests.simulator.paradex_server import specs
from tests.simulator.paradex_server.bench import Bench

# Trading routes of the OpenAPI file that are answered "not simulated", with the reason.
LEFT_OUT = {
    "/account/compliance": "not trading",
    "/account/paradigm/enable": "RFQ",
    "/account/profile/notifications": "not trading",
    "/account/profile/notifications/last_seen": "not trading",
    "/account/profile/referral_code": "not trading",
    "/account/profile/refresh_inventory": "not trading",
    "/account/profile/size_currency_display": "not trading",
    "/account/profile/username": "not trading",
    "/account/referrer": "not trading",
    "/account/settings": "not trading",
    "/account/settings/trading_value_display": "not trading",
    "/account/terminal-token": "not trading",
    "/markets/settlement-price": "options",
    "/system/portfolio-margin-config": "portfolio margin",
    "/v2/auth": "EVM accounts",
    "/v2/onboarding": "EVM accounts",
}


def test_every_trading_route_of_the_openapi_file_is_served() -> None:
    document = json.loads(shared_spec("paradex-openapi.json").read_text())
    documented = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith(("/vaults", "/xp", "/staking", "/referrals", "/rfqs", "/block-trades"))
        and method != "parameters"
    }
    served = {(route.method, route.path) for route in ROUTES}
    missing = {(method, path) for method, path in documented - served if path not in LEFT_OUT}
    # A parameter may have another name here.
    assert missing <= {("PUT", "/account/profile")}
    assert served - documented == {("POST", "/auth/{public_key}")}


@pytest.mark.parametrize(
    "damage",
    [{"status": "FILLED"}, {"created_at": "1767225600000"}, {"size": 0.1}, {"surprise": 1}, {"flags": ["MAYBE"]}],
)
def test_the_rest_judge_refuses_wrong_fields(damage: dict[str, Any]) -> None:
    shared_spec("paradex-openapi.json")
    bench = Bench()
    bench.open_market()
    signer, token = bench.trader()
    order = bench.place(signer, token).json
    specs.judge_http("POST", "/orders", 201, json.dumps(order).encode())
    with pytest.raises(ValidationError):
        specs.judge_http("POST", "/orders", 201, json.dumps(order | damage).encode())


def test_the_rest_judge_refuses_missing_fields_and_undocumented_statuses() -> None:
    shared_spec("paradex-openapi.json")
    with pytest.raises(ValidationError):
        specs.judge_http("GET", "/system/time", 200, b"{}")
    with pytest.raises(AssertionError):
        specs.judge_http("GET", "/system/time", 418, b"{}")
    with pytest.raises(AssertionError):
        specs.judge_http("DELETE", "/orders/7", 204, b'{"status":"ok"}')


def test_the_push_and_rpc_judges_refuse_wrong_shapes() -> None:
    shared_spec("paradex-asyncapi.yaml")
    with pytest.raises(ValidationError):
        specs.judge_push("tradebusts", {"account": "0x1", "busted_fill_id": 7, "created_at": 1})
    message = {"jsonrpc": "2.0", "usIn": 1, "usOut": 1, "usDiff": 0, "result": {"channel": 7}}
    with pytest.raises(ValidationError):
        specs.judge_rpc("subscribe", message)
