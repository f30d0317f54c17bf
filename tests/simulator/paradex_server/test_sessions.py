"""Onboarding and login at the simulated exchange: signatures, times, keys, tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from flashscalper.exchanges.paradex.signing import CurveSigner, CurveVerifier
from flashscalper.model.secrets import Secret
from tests.shared import shared_data
from tests.simulator.paradex_server.bench import CHAIN, ETH, T0, Bench, keyed_signer


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, body, _ = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, body)]
    return decoded[0], decoded[1]


def vector_signer() -> CurveSigner:
    vectors = json.loads(shared_data("paradex_signing_vectors.json").read_text())
    account = vectors["accounts"][0]["per_l1_chain"]["testnet"]
    return CurveSigner(account["account_address"], Secret(account["stark_private_key"]), CHAIN)


@pytest.mark.parametrize("with_key", [True, False])
def test_a_real_stark_key_onboards_and_logs_in_by_either_url(*, with_key: bool) -> None:
    bench, signer = Bench(verify_signatures=CurveVerifier(CHAIN)), vector_signer()
    assert bench.onboard(signer).status == 200
    path = f"/auth/{signer.public_key}" if with_key else "/auth"
    answer = bench.request("POST", path, headers=bench.auth_headers(signer))
    assert answer.status == 200
    token = answer.json["jwt_token"]
    assert bench.get("/account", token).json["account_value"] == "10000"
    placed = bench.place(signer, token)  # no market data yet: the signature passes, the market refuses
    assert (placed.status, placed.json["error"]) == (400, "MARKET_NOT_OPEN")


def test_official_sdk_order_bodies_are_accepted_as_signed() -> None:
    vectors = json.loads(shared_data("paradex_signing_vectors.json").read_text())
    bench, signer = Bench(verify_signatures=CurveVerifier(CHAIN)), vector_signer()
    bench.open_market()
    bench.onboard(signer)
    token = bench.token(signer)
    tried = 0
    for order in vectors["orders"]:
        if order["account_address"] != signer.account or order["env"] != "testnet" or order["primary_type"] != "Order":
            continue
        tried += 1
        answer = bench.request("POST", "/orders", token=token, body=order["rest_body"])
        assert answer.json["error"] == "INVALID_TIMESTAMP"  # the signature passed; it was made long ago
        tampered = order["rest_body"] | {"size": "0.2"}
        refused = bench.request("POST", "/orders", token=token, body=tampered)
        assert refused.json["error"] == "INVALID_ORDER_SIGNATURE"
    assert tried == 2


def test_login_before_onboarding_is_refused_as_not_onboarded() -> None:
    bench, signer = Bench(), keyed_signer("nobody")
    answer = bench.request("POST", f"/auth/{signer.public_key}", headers=bench.auth_headers(signer))
    assert (answer.status, answer.json["error"]) == (400, "NOT_ONBOARDED")
    assert "never called /onboarding" in answer.json["message"]


def test_onboarding_is_idempotent_and_pays_once() -> None:
    bench, signer = Bench(), keyed_signer("alice")
    assert [bench.onboard(signer).status for _ in range(2)] == [200, 200]
    assert bench.get("/balance", bench.token(signer)).json["results"][0]["size"] == "10000"


def test_onboarding_names_what_is_wrong() -> None:
    bench, alice, bob = Bench(), keyed_signer("alice"), keyed_signer("bob")
    good = {
        "PARADEX-ETHEREUM-ACCOUNT": ETH,
        "PARADEX-STARKNET-ACCOUNT": alice.account,
        "PARADEX-STARKNET-SIGNATURE": alice.sign_onboarding(),
    }
    body = {"public_key": alice.public_key}

    def refusal(headers: dict[str, str], body: Any) -> str:
        answer = bench.request("POST", "/onboarding", headers=headers, body=body)
        assert answer.status == 400
        return str(answer.json["error"])

    assert refusal(good | {"PARADEX-ETHEREUM-ACCOUNT": ""}, body) == "INVALID_ETHEREUM_ADDRESS"
    assert refusal(good | {"PARADEX-STARKNET-ACCOUNT": "alice"}, body) == "INVALID_STARKNET_ADDRESS"
    assert refusal(good | {"PARADEX-STARKNET-SIGNATURE": "[1]"}, body) == "INVALID_STARKNET_SIGNATURE"
    assert refusal(good, {"public_key": "0xzz"}) == "PUBLIC_KEY_INVALID"
    assert refusal(good, {"public_key": bob.public_key}) == "STARKNET_SIGNATURE_VERIFICATION_FAILED"
    assert refusal(good, b"{") == "BINDING_ERROR"
    assert bench.request("POST", "/onboarding", headers=good, body=body).status == 200


def test_an_address_must_belong_to_its_key() -> None:
    bench, mallory = Bench(), keyed_signer("mallory")
    forged = type(mallory)(keyed_signer("alice").account, Secret("mallory"), CHAIN)
    answer = bench.onboard(forged)
    assert (answer.status, answer.json["error"]) == (400, "INVALID_STARKNET_ADDRESS")
    assert Bench(check_address=False).onboard(forged).status == 200


def test_lookup_tells_address_and_whether_it_is_there() -> None:
    bench, signer = Bench(), keyed_signer("alice")
    query = {"account_signer_type": "starknet", "public_key": signer.public_key}
    before = bench.get("/onboarding", **query).json
    bench.onboard(signer)
    after = bench.get("/onboarding", **query).json
    assert (before["address"], before["exists"], after["exists"]) == (signer.account, False, True)
    assert bench.get("/onboarding", account_signer_type="eip191", eth_address=ETH).json["error"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PARADEX-TIMESTAMP": ""}, "INVALID_TIMESTAMP"),
        ({"PARADEX-TIMESTAMP": "soon"}, "INVALID_TIMESTAMP"),
        ({"PARADEX-TIMESTAMP": "-5"}, "INVALID_TIMESTAMP"),
        ({"PARADEX-SIGNATURE-EXPIRATION": "1"}, "INVALID_TIMESTAMP"),
        ({"PARADEX-STARKNET-SIGNATURE": '["1","2"]'}, "STARKNET_SIGNATURE_VERIFICATION_FAILED"),
        ({"PARADEX-STARKNET-SIGNATURE": "x"}, "INVALID_STARKNET_SIGNATURE"),
        ({"PARADEX-STARKNET-ACCOUNT": "0x"}, "INVALID_STARKNET_ADDRESS"),
    ],
)
def test_login_names_what_is_wrong(changes: dict[str, str], code: str) -> None:
    bench, signer = Bench(), keyed_signer("alice")
    bench.onboard(signer)
    answer = bench.request("POST", "/auth", headers=bench.auth_headers(signer) | changes)
    assert (answer.status, answer.json["error"]) == (400, code)


@pytest.mark.parametrize(
    ("ahead_s", "life_s", "accepted"), [(0, 1, True), (29, 60, True), (31, 60, False), (-100, 50, False)]
)
def test_login_times_are_bounded(ahead_s: int, life_s: int, *, accepted: bool) -> None:
    bench, signer = Bench(), keyed_signer("alice")
    bench.onboard(signer)
    headers = bench.auth_headers(signer, timestamp=T0 // 1_000_000 + ahead_s, life=life_s)
    assert (bench.request("POST", "/auth", headers=headers).status == 200) is accepted


def test_login_signature_lives_at_most_a_week() -> None:
    bench, signer = Bench(), keyed_signer("alice")
    bench.onboard(signer)
    week = 7 * 86400
    assert bench.request("POST", "/auth", headers=bench.auth_headers(signer, life=week)).status == 200
    assert (
        bench.request("POST", "/auth", headers=bench.auth_headers(signer, life=week + 1)).json["error"]
        == "INVALID_TIMESTAMP"
    )


def test_login_without_expiration_counts_thirty_minutes() -> None:
    bench, signer = Bench(), keyed_signer("alice")
    bench.onboard(signer)
    headers = bench.auth_headers(signer, life=1800)
    del headers["PARADEX-SIGNATURE-EXPIRATION"]
    assert bench.request("POST", "/auth", headers=headers).status == 200


def test_tokens_are_readable_and_live_five_minutes() -> None:
    bench = Bench()
    signer, token = bench.trader()
    header, claims = claims_of(token)
    assert header["typ"] == "JWT"
    assert (claims["sub"], claims["typ"], claims["exp"] - claims["iat"]) == (signer.account, "at+JWT", 300)
    bench.pass_time(299_000_000)
    assert bench.get("/account", token).status == 200
    bench.pass_time(10_460_000)
    answer = bench.get("/account", token)
    assert (answer.status, answer.json) == (401, {"message": "missing or malformed jwt: token is expired by 9.46s"})


def test_an_old_token_in_the_header_does_not_hinder_a_new_login() -> None:
    bench = Bench()
    signer, token = bench.trader()
    bench.pass_time(400_000_000)
    headers = bench.auth_headers(signer)
    assert bench.request("POST", f"/auth/{signer.public_key}", headers=headers, token=token).status == 200


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x.y.z", "Basic abc", "Bearer é.b.c"])
def test_private_routes_want_a_genuine_token(authorization: str) -> None:
    bench = Bench()
    assert bench.request("GET", "/account", headers={"Authorization": authorization}).status == 401


def test_a_token_of_another_secret_is_refused() -> None:
    _, token = Bench(jwt_secret=Secret("other")).trader()
    bench = Bench()
    bench.trader()
    answer = bench.get("/account", token)
    assert (answer.status, answer.json["error"]) == (401, "INVALID_TOKEN")


def test_paths_outside_the_protocol_say_what_they_are() -> None:
    bench = Bench()
    assert bench.get("/nothing").json["error"] == "NOT_FOUND"
    assert bench.request("GET", "/v3/markets").status == 404
    for path in ("/vaults/balance", "/xp/summary", "/staking", "/rfqs", "/block-trades", "/account/profile/username"):
        answer = bench.get(path)
        assert (answer.status, answer.json["error"]) == (501, "REQUEST_NOT_ALLOWED")
        assert "not simulated" in answer.json["message"]
    assert bench.request("POST", "/v2/auth").status == 501
