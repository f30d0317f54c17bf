"""Vectors of our own, made by `scripts/make_signing_vectors.py`, so that a clone without `../shared` is judged as well."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flashscalper.exchanges.paradex.signing import CurveSigner, CurveVerifier, backend
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors_signing.json").read_text())
NAMES = ["gmpy2", "python"]
QUANTUM = Decimal("0.00000001")


@pytest.mark.parametrize("name", NAMES)
def test_pedersen_hashes_are_those_of_the_sdks_wheel(name: str) -> None:
    for left, right, expected in VECTORS["pedersen"]:
        assert backend(name).pedersen.hash(int(left, 16), int(right, 16)) == int(expected, 16)


@pytest.mark.parametrize("name", NAMES)
def test_public_keys_are_those_of_the_sdks_wheel(name: str) -> None:
    for private, public in VECTORS["public_keys"]:
        assert backend(name).ecdsa.public_key_of(int(private, 16)) == int(public, 16)


def order_fields(fields: list[Any]) -> dict[str, Any]:
    timestamp, market, side, order_type, size, price, *order_id = fields
    return {
        "timestamp_ms": timestamp,
        "market": market,
        "side": Side.BUY if side == 1 else Side.SELL,
        "order_type": OrderType(order_type.lower()),
        "size": size * QUANTUM,
        "price": price * QUANTUM,
        "order_id": str(order_id[0]) if order_id else "",
    }


def signature_of(signer: CurveSigner, label: str, fields: list[Any]) -> str:
    if label == "onboarding":
        return signer.sign_onboarding()
    if label == "auth":
        return signer.sign_auth(timestamp_s=fields[3], expiration_s=fields[4])
    return signer.sign_order(**order_fields(fields))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("message", VECTORS["messages"], ids=[message["label"] for message in VECTORS["messages"]])
def test_signatures_are_those_of_the_sdks_wheel(name: str, message: dict[str, Any]) -> None:
    for signed in message["signed"]:
        signer = CurveSigner(VECTORS["account"], Secret(signed["private_key"]), VECTORS["chain_id"], backend=backend(name))
        assert signature_of(signer, message["label"], message["fields"]) == signed["signature"]


def test_the_sdks_signatures_verify_and_not_for_the_next_message() -> None:
    verifier = CurveVerifier(VECTORS["chain_id"])
    orders = [message for message in VECTORS["messages"] if message["label"] not in ("auth", "onboarding")]
    keys = dict(VECTORS["public_keys"])
    for message, other in zip(orders, orders[1:] + orders[:1], strict=True):
        for signed in message["signed"]:
            who = {
                "account": VECTORS["account"],
                "public_key": keys[signed["private_key"]],
                "signature": signed["signature"],
            }
            assert verifier.verify_order(**who, **order_fields(message["fields"]))
            assert not verifier.verify_order(**who, **order_fields(other["fields"]))
