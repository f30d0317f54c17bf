"""Every vector of `../shared/data/paradex_signing_vectors.json`, which the official SDK made."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from flashscalper.exchanges.paradex.signing import (
    AccountClasses,
    CurveSigner,
    CurveVerifier,
    Verifier,
    backend,
    derive_account,
    eth_address_of,
    evm_account_address,
    parse_signature,
    public_key_of,
    sign,
    verify,
)
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER
from flashscalper.exchanges.paradex.signing.pedersen import hash_chain, plain_pedersen
from flashscalper.exchanges.paradex.signing.typed_data import (
    DOMAIN_TYPE,
    Messages,
    OrderTerms,
    felt,
    short_string,
    starknet_keccak,
)
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret
from tests.shared import shared_data

ENGINE = backend("gmpy2").pedersen
L1_CHAINS = {"testnet": 11155111, "prod": 1}


@cache
def vectors() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shared_data("paradex_signing_vectors.json").read_text())
    return data


def number(text: str) -> int:
    return int(text, 16)


def chain_id(env: str) -> str:
    name: str = vectors()["domains"][env]["chainId"]
    return name


def classes() -> AccountClasses:
    config = vectors()["config_used"]
    return AccountClasses(
        config["paraclear_account_hash"], config["paraclear_account_proxy_hash"], config["paraclear_evm_account_hash"]
    )


def private_keys() -> dict[str, str]:
    """Private keys by public key."""
    keys = {
        chain["stark_public_key"]: chain["stark_private_key"]
        for account in vectors()["accounts"]
        for chain in account["per_l1_chain"].values()
    }
    subkey = vectors()["subkey"]
    return {**keys, subkey["subkey_public_key"]: subkey["subkey_private_key"]}


def assert_signed_like_the_sdk(case: dict[str, Any]) -> None:
    message, expected = number(case["message_hash"]), case["sdk_signature"]
    r, s = int(expected["r"]), int(expected["s"])
    assert verify(number(case["signer_public_key"]), message, r, s)
    key = private_keys().get(case["signer_public_key"])
    if key is not None:
        assert sign(number(key), message) == (r, s)


def signer_of(case: dict[str, Any]) -> CurveSigner | None:
    key = private_keys().get(case["signer_public_key"])
    return CurveSigner(case["account_address"], Secret(key), chain_id(case["env"])) if key else None


def test_ethereum_keys_become_the_same_stark_keys_and_addresses() -> None:
    for account in vectors()["accounts"]:
        for env, expected in account["per_l1_chain"].items():
            derived = derive_account(Secret(account["eth_private_key"]), L1_CHAINS[env], classes())
            assert derived.eth_address == account["eth_address"]
            assert derived.private_key.reveal() == expected["stark_private_key"]
            assert derived.public_key == expected["stark_public_key"]
            assert derived.address == expected["account_address"]


def test_a_leading_zero_byte_in_r_is_dropped_before_grinding() -> None:
    case = vectors()["account_r_leading_zero_byte"]
    derived = derive_account(Secret(case["eth_private_key"]), int(case["l1_chain_id"]), classes())
    assert derived.private_key.reveal() == case["stark_private_key"]
    assert derived.private_key.reveal() != case["wrong_key_if_seed_padded_to_32_bytes"]
    assert (derived.public_key, derived.address, derived.eth_address) == (
        case["stark_public_key"],
        case["account_address"],
        case["eth_address"],
    )


def test_evm_accounts_have_the_same_addresses() -> None:
    for case in vectors()["evm_accounts"]:
        assert evm_account_address(case["eth_address"], classes()) == case["account_address_eip191"]
    for account in vectors()["accounts"]:
        assert eth_address_of(Secret(account["eth_private_key"])) == account["eth_address"]


def test_subkey_has_the_same_public_key() -> None:
    case = vectors()["subkey"]
    assert f"{public_key_of(number(case['subkey_private_key'])):#x}" == case["subkey_public_key"]


def test_type_hashes_are_the_same() -> None:
    for case in vectors()["type_hashes"].values():
        assert starknet_keccak(case["encoded"]) == number(case["sn_keccak"])


def test_domain_hashes_are_the_same() -> None:
    for case in vectors()["domains"].values():
        assert short_string(case["chainId"]) == number(case["chainId_felt"])
        struct = [starknet_keccak(DOMAIN_TYPE), felt(case["name"]), felt(case["chainId"]), felt(case["version"])]
        assert hash_chain(ENGINE, struct) == number(case["domain_struct_hash"])


def test_primitives_are_the_same() -> None:
    primitives = vectors()["primitives"]
    for left, right in ((0, 0), (1, 2)):
        expected = number(primitives[f"pedersen({left},{right})"])
        assert ENGINE.hash(left, right) == plain_pedersen(left, right) == expected
    assert hash_chain(ENGINE, []) == number(primitives["hash_on_elements([])"])
    assert hash_chain(ENGINE, [1, 2, 3]) == number(primitives["hash_on_elements([1,2,3])"])
    assert public_key_of(1) == number(primitives["public_key_of_1"])
    assert number(primitives["EC_ORDER"]) == CURVE_ORDER
    for name, expected in primitives.items():
        if name.startswith("shortstring("):
            assert short_string(name[13:-2]) == number(expected), name
        elif name.startswith("felt('"):
            assert felt(name[6:-2]) == number(expected), name
    assert felt("") == number(primitives['felt("") (auth body)'])


def test_auth_messages_hash_and_sign_like_the_sdk() -> None:
    for case in vectors()["auth"]:
        messages = Messages(number(case["account_address"]), chain_id(case["env"]), ENGINE)
        assert messages.auth(case["timestamp"], case["expiration"]) == number(case["message_hash"])
        assert_signed_like_the_sdk(case)
        signer = signer_of(case)
        if signer:
            wire = signer.sign_auth(timestamp_s=case["timestamp"], expiration_s=case["expiration"])
            assert wire == case["sdk_signature"]["wire"]


def test_onboarding_messages_hash_and_sign_like_the_sdk() -> None:
    for case in vectors()["onboarding"]:
        messages = Messages(number(case["account_address"]), chain_id(case["env"]), ENGINE)
        assert messages.onboarding() == number(case["message_hash"])
        assert_signed_like_the_sdk(case)
        signer = signer_of(case)
        if signer:
            assert signer.sign_onboarding() == case["sdk_signature"]["wire"]


@pytest.mark.parametrize("name", ["gmpy2", "python"])
def test_order_and_modify_messages_hash_like_the_sdk_in_every_backend(name: str) -> None:
    for case in vectors()["orders"]:
        fields = case["message"]
        terms = OrderTerms(
            timestamp_ms=int(fields["timestamp"]),
            market=fields["market"],
            side=Side.BUY if fields["side"] == "1" else Side.SELL,
            order_type=OrderType(fields["orderType"].lower()),
            size=int(fields["size"]),
            price=int(fields["price"]),
            order_id=fields.get("id", ""),
        )
        messages = Messages(number(case["account_address"]), chain_id(case["env"]), backend(name).pedersen)
        assert messages.order(terms) == number(case["message_hash"]), case["label"]


def test_orders_sign_like_the_sdk() -> None:
    for case in vectors()["orders"]:
        assert_signed_like_the_sdk(case)


def order_fields(body: dict[str, Any]) -> dict[str, Any]:
    """The signed fields of a REST body, as our interfaces take them."""
    return {
        "market": body["market"],
        "side": Side(body["side"].lower()),
        "order_type": OrderType(body["type"].lower()),
        "size": Decimal(body["size"]),
        "price": Decimal(body["price"]) if "price" in body else None,
        "timestamp_ms": body["signature_timestamp"],
        "order_id": body.get("id", ""),
    }


def test_the_sdks_request_bodies_verify_and_ours_are_equal() -> None:
    bodies = [case for case in vectors()["orders"] if "rest_body" in case]
    assert len(bodies) > 8
    for case in bodies:
        fields = order_fields(case["rest_body"])
        verifier: Verifier = CurveVerifier(chain_id(case["env"]))
        assert verifier.verify_order(
            account=case["account_address"],
            public_key=case["signer_public_key"],
            signature=case["rest_body"]["signature"],
            **fields,
        ), case["label"]
        signer = signer_of(case)
        if signer and "truncation" not in case["label"]:
            assert signer.sign_order(**fields) == case["rest_body"]["signature"]


def test_negative_vectors_do_not_verify() -> None:
    for case in vectors()["negative"]:
        r, s = parse_signature(case["signature"])
        assert not verify(number(case["public_key"]), number(case["message_hash"]), r, s), case["why"]
