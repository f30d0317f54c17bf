"""Subkeys, long-lived tokens, Retail tokens, rate limits and TWAP orders."""

from __future__ import annotations

from typing import Any

import pytest

from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.secrets import Secret
from tests.simulator.paradex_server.bench import CHAIN, Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open_market()
    return bench


def subkey_of(signer: KeyedHashSigner, name: str = "sub") -> KeyedHashSigner:
    return KeyedHashSigner(signer.account, Secret(name), CHAIN)


def register(bench: Bench, token: str, subkey: KeyedHashSigner, **fields: Any) -> int:
    body = {"name": "bot", "public_key": subkey.public_key} | fields
    return bench.request("POST", "/account/keys/subkeys", token=token, body=body).status


def test_a_subkey_logs_in_and_signs_until_it_is_revoked(bench: Bench) -> None:
    signer, token = bench.trader()
    subkey = subkey_of(signer)
    refused = bench.request("POST", f"/auth/{subkey.public_key}", headers=bench.auth_headers(subkey))
    assert refused.json["error"] == "STARKNET_SIGNATURE_VERIFICATION_FAILED"
    assert register(bench, token, subkey) == 201
    assert register(bench, token, subkey) == 400
    sub_token = bench.token(subkey)
    assert bench.place(subkey, sub_token).status == 201
    assert bench.place(signer, sub_token).status == 201
    assert bench.request("DELETE", f"/account/keys/subkeys/{subkey.public_key}", token=sub_token).status == 403
    answer = bench.request("DELETE", f"/account/keys/subkeys/{subkey.public_key}", token=token)
    assert answer.json == {"public_key": subkey.public_key}
    assert bench.get("/account", sub_token).status == 401
    assert bench.place(subkey, token).json["error"] == "INVALID_ORDER_SIGNATURE"
    assert bench.get("/account/keys/subkeys", token).json["results"] == []
    revoked = bench.get("/account/keys/subkeys", token, with_revoked="true").json["results"]
    assert [(each["state"], each["revoked_at"]) for each in revoked] == [("revoked", bench.now * 1000)]


def test_a_pending_subkey_waits_for_its_activation(bench: Bench) -> None:
    signer, token = bench.trader()
    subkey = subkey_of(signer)
    register(bench, token, subkey, state="pending", encrypted_key="0xabc")
    assert bench.request("POST", f"/auth/{subkey.public_key}", headers=bench.auth_headers(subkey)).status == 400
    body = {"public_key": subkey.public_key}
    assert bench.request("POST", "/account/keys/subkeys/activate", token=token, body=body).json == {"encrypted_key": "0xabc"}
    assert (
        bench.request("POST", "/account/keys/subkeys/activate", token=token, body=body).json["error"]
        == "SUBKEY_NOT_ACTIVATABLE"
    )
    assert bench.token(subkey)


def test_a_registration_signature_is_verified_when_it_comes(bench: Bench) -> None:
    signer, token = bench.trader()
    subkey = subkey_of(signer)
    now = bench.now // 1_000_000
    text = signer.sign_subkey_registration(public_key=subkey.public_key, timestamp_s=now, expiry_s=now + 60)
    signature = [part.strip('"') for part in text.strip("[]").split(",")]
    fields = {"signature": signature, "signature_timestamp": now, "signature_expiry": now + 61}
    assert register(bench, token, subkey, **fields) == 400
    assert register(bench, token, subkey, **fields | {"signature_expiry": now + 60}) == 201


def test_subkeys_are_renamed_and_restricted_to_addresses(bench: Bench) -> None:
    signer, token = bench.trader()
    subkey = subkey_of(signer)
    register(bench, token, subkey, allowed_cidrs=["10.0.0.0/8"])
    path = f"/account/keys/subkeys/{subkey.public_key}"
    assert (
        bench.request("POST", f"/auth/{subkey.public_key}", headers=bench.auth_headers(subkey)).json["error"]
        == "IP_NOT_ALLOWED"
    )
    headers = bench.auth_headers(subkey)
    answer = bench.request("POST", f"/auth/{subkey.public_key}", headers=headers, peer="10.1.2.3")
    assert answer.status == 200
    refused = bench.request("GET", "/account", token=answer.json["jwt_token"])
    assert (refused.status, refused.json["error"]) == (403, "IP_NOT_ALLOWED")
    changed = bench.request("PUT", f"{path}/allowed-cidrs", token=token, body={"allowed_cidrs": ["127.0.0.1/32"]})
    assert changed.json["allowed_cidrs"] == ["127.0.0.1/32"]
    assert bench.token(subkey)
    assert bench.request("PUT", path, token=token, body={"name": "new"}).json["name"] == "new"
    assert bench.get(path, token).json["name"] == "new"
    assert bench.request("PUT", f"{path}/allowed-cidrs", token=token, body={"allowed_cidrs": ["home"]}).status == 400


def test_a_read_only_token_reads_and_nothing_else(bench: Bench) -> None:
    signer, token = bench.trader()
    body = {"name": "watcher", "token_type": "readonly", "expiry_duration": 3600}
    made = bench.request("POST", "/account/tokens", token=token, body=body).json
    reader, lookup = made["token"], made["api_token"]["lookup_id"]
    assert made["api_token"]["expiry_at"] == (bench.now + 3_600_000_000) * 1000
    bench.pass_time(600_000_000)
    assert bench.get("/account", reader).status == 200
    for method, path in (("POST", "/orders"), ("DELETE", "/orders"), ("POST", "/account/margin/BTC-USD-PERP")):
        refused = bench.request(
            method, path, token=reader, body=bench.order_body(signer) | {"leverage": 1, "margin_type": "CROSS"}
        )
        assert (refused.status, refused.json["error"]) == (403, "INVALID_TOKEN_SCOPE")
    socket = bench.connect()
    socket.login(reader)
    socket.subscribe("orders.ALL")
    assert socket.call("order.create", bench.order_body(signer))["error"]["code"] == 40300
    token = bench.token(signer)
    assert (
        bench.request(
            "PUT", f"/account/tokens/{lookup}/allowed-cidrs", token=token, body={"allowed_cidrs": ["10.0.0.0/8"]}
        ).status
        == 200
    )
    assert bench.get("/account", reader).status == 403
    assert bench.request("DELETE", f"/account/tokens/{lookup}", token=token).json == {"lookup_id": lookup}
    assert bench.get("/account", reader).status == 401
    assert bench.get("/account/tokens", token).json["results"] == []
    assert len(bench.get("/account/tokens", token, with_invalid="true").json["results"]) == 1


@pytest.mark.parametrize(
    "fields", [{"expiry_duration": 59}, {"expiry_duration": 31_536_001}, {"name": ""}, {"token_type": None}]
)
def test_token_requests_are_checked(bench: Bench, fields: dict[str, Any]) -> None:
    _, token = bench.trader()
    body = {"name": "x", "token_type": "readonly", "expiry_duration": 60} | fields
    assert bench.request("POST", "/account/tokens", token=token, body=body).json["error"] == "VALIDATION_ERROR"


def test_leverage_is_set_per_market_and_isolated_margin_refused(bench: Bench) -> None:
    _, token = bench.trader()
    path = "/account/margin/BTC-USD-PERP"
    answer = bench.request("POST", path, token=token, body={"leverage": 5, "margin_type": "CROSS"})
    assert answer.json["leverage"] == 5
    config = bench.get("/account/margin", token, market="BTC-USD-PERP").json
    assert (config["configs"][0]["leverage"], config["margin_methodology"]) == (5, "cross_margin")
    for body in ({"leverage": 51, "margin_type": "CROSS"}, {"leverage": 5}, {"margin_type": "CROSS"}):
        assert bench.request("POST", path, token=token, body=body).json["error"] == "VALIDATION_ERROR"
    isolated = bench.request("POST", path, token=token, body={"leverage": 5, "margin_type": "ISOLATED"})
    assert isolated.json["error"] == "MARKET_MARGIN_RESTRICTED"
    assert bench.get("/account/margin", token, market="X").status == 404
    assert bench.get("/account/margin", token).status == 400


def test_every_answer_tells_the_rate_limit(bench: Bench) -> None:
    before, after = bench.get("/system/time").headers, bench.get("/system/time").headers
    assert int(after["x-ratelimit-remaining"]) == int(before["x-ratelimit-remaining"]) - 1
    assert (after["x-ratelimit-limit"], after["x-ratelimit-window"], after["retry-after"]) == ("1500", "60", "0")
    assert "x-ratelimit-reset" in bench.get("/nothing").headers


def test_too_many_requests_are_refused_until_the_bucket_refills(bench: Bench) -> None:
    statuses = [bench.get("/system/time").status for _ in range(1501)]
    assert statuses == [200] * 1500 + [429]
    refused = bench.get("/system/time")
    assert (refused.status, refused.headers["retry-after"], refused.json) == (429, "1", {"message": "rate limit exceeded"})
    assert bench.request("GET", "/system/time", peer="10.0.0.9").status == 200
    bench.now += 40_000
    assert [bench.get("/system/time").status for _ in range(2)] == [200, 429]


def test_limits_can_be_switched_off() -> None:
    bench = Bench(rate_limits=False)
    assert {bench.get("/system/time").status for _ in range(1600)} == {200}


def test_order_requests_of_rest_and_socket_share_one_limit(bench: Bench) -> None:
    signer, token = bench.trader()
    socket = bench.connect()
    socket.login(token)
    for _ in range(800):
        bench.request("DELETE", "/orders", token=token)
    assert socket.call("order.cancel_all")["error"]["code"] == 42901
    assert bench.place(signer, token).status == 429
    bench.now += 2_000
    assert socket.call("order.cancel_all")["result"] == {"status": "ok"}


def test_connections_are_limited_per_address(bench: Bench) -> None:
    assert [bench.connect().status for _ in range(21)] == [101] * 20 + [429]
    assert bench.connect(peer="10.0.0.9").status == 101


def test_an_interactive_token_is_retail_free_of_fees_and_slowed_down(bench: Bench) -> None:
    signer, _ = bench.trader()
    retail = bench.token(signer, interactive=True)
    order = bench.place(signer, retail, type="MARKET", price=None, size="0.1").json["id"]
    assert bench.get(f"/orders/{order}", retail).json["status"] == "NEW"
    bench.pass_time(300_000)
    assert bench.get(f"/orders/{order}", retail).json["status"] == "CLOSED"
    fill = bench.get("/fills", retail).json["results"][0]
    assert (fill["fee"], fill["flags"]) == ("0", ["interactive"])


def test_beyond_its_limits_a_retail_order_counts_as_pro(bench: Bench) -> None:
    signer, _ = bench.trader()
    retail = bench.token(signer, interactive=True)
    for _ in range(4):
        bench.place(signer, retail, type="MARKET", price=None, size="0.1")
    bench.pass_time(300_000)
    fees = [each["fee"] for each in bench.get("/fills", retail).json["results"]]
    assert sorted(fee == "0" for fee in fees) == [False, True, True, True]


def twap(bench: Bench, signer: KeyedHashSigner, token: str, **after: Any) -> Any:
    fields = {"algo_type": "TWAP", "duration_seconds": 90} | after
    body = bench.order_body(signer, type="MARKET", price=None, size="0.3", instruction=None, after=fields)
    return bench.request("POST", "/algo/orders", token=token, body=body)


def test_a_twap_trades_equal_parts_over_its_time(bench: Bench) -> None:
    signer, token = bench.trader()
    answer = twap(bench, signer, token)
    assert (answer.status, answer.json["status"], answer.json["remaining_size"]) == (201, "NEW", "0.3")
    id_ = answer.json["id"]
    remaining = []
    for _ in range(3):
        remaining.append(bench.get(f"/algo/orders/{id_}", token).json["remaining_size"])
        bench.pass_time(30_000_000)
    assert remaining == ["0.2", "0.1", "0"]
    assert bench.get("/algo/orders", token).json["results"] == []
    assert bench.get(f"/algo/orders/{id_}", token).status == 404
    done = bench.get("/algo/orders-history", token).json["results"][0]
    assert (done["status"], done["cancel_reason"], done["remaining_size"], done["avg_fill_price"]) == (
        "CLOSED",
        "",
        "0",
        "65000.5",
    )
    assert bench.get("/positions", token).json["results"][0]["size"] == "0.3"


def test_a_twap_is_cancelled_with_204_and_keeps_what_it_did(bench: Bench) -> None:
    signer, token = bench.trader()
    id_ = twap(bench, signer, token).json["id"]
    assert bench.request("DELETE", f"/algo/orders/{id_}", token=token).status == 204
    assert bench.request("DELETE", f"/algo/orders/{id_}", token=token).status == 404
    bench.pass_time(90_000_000)
    done = bench.get("/algo/orders-history", token).json["results"][0]
    assert (done["cancel_reason"], done["remaining_size"]) == ("USER_CANCELED", "0.2")


@pytest.mark.parametrize(
    ("after", "code"),
    [
        ({"algo_type": "VWAP"}, "VALIDATION_ERROR"),
        ({"duration_seconds": 45}, "VALIDATION_ERROR"),
        ({"duration_seconds": 86_430}, "VALIDATION_ERROR"),
        ({"frequency": 7}, "VALIDATION_ERROR"),
        ({"size": "0.4"}, "INVALID_ORDER_SIGNATURE"),
    ],
)
def test_bad_twaps_are_refused(bench: Bench, after: dict[str, Any], code: str) -> None:
    signer, token = bench.trader()
    answer = twap(bench, signer, token, **after)
    assert (answer.status, answer.json["error"]) == (400, code)


def test_twap_parts_below_the_minimum_are_refused(bench: Bench) -> None:
    signer, token = bench.trader()
    answer = twap(bench, signer, token, duration_seconds=86_400)
    assert answer.json["error"] == "VALIDATION_ERROR"
    assert "10 USD" in answer.json["message"]
