"""Key management as we say it, checked against Paradex's own specification file and the main key's signature."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from flashscalper.exchanges.paradex import key_requests
from flashscalper.exchanges.paradex.requests import Call
from flashscalper.exchanges.paradex.signing import CurveSigner, CurveVerifier
from flashscalper.model.secrets import Secret
from tests.shared import shared_spec

CHAIN = "PRIVATE_SN_POTC_SEPOLIA"
SIGNER = CurveSigner("0x129c", Secret("0x1234"), CHAIN)
AT_S = 1_767_225_600
REGISTRATION = key_requests.register_subkey(SIGNER, "0xabc", "bot", ("203.0.113.7/32",), AT_S)

CALLS = {
    "/onboarding": key_requests.onboarded("0xabc"),
    "/account/keys/subkeys": key_requests.subkeys(with_revoked=True),
    "/account/keys/subkeys/{public_key}": key_requests.revoke_subkey("0xabc"),
}


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared_spec("paradex-openapi.json").read_text())
    return loaded


@pytest.mark.parametrize(("path", "call"), [*CALLS.items(), ("/account/keys/subkeys", REGISTRATION)])
def test_every_call_is_documented(path: str, call: Call, openapi: dict[str, Any]) -> None:
    operation = openapi["paths"][path][call.method.lower()]
    named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
    given = {part.split("=")[0] for part in call.query.split("&") if part}
    assert given <= named
    assert path.split("{", maxsplit=1)[0].rstrip("/") in call.path


def test_the_registration_fits_the_specification(openapi: dict[str, Any]) -> None:
    body = json.loads(REGISTRATION.body)
    schema = {**openapi["components"]["schemas"]["requests.CreateSubkey"], "components": openapi["components"]}
    jsonschema.validate(body, schema)
    assert set(body) <= set(schema["properties"])


def test_the_registration_carries_the_main_keys_word_for_exactly_this_key() -> None:
    body = json.loads(REGISTRATION.body)

    def genuine(**changes: Any) -> bool:
        told = {
            "account": SIGNER.account,
            "public_key": SIGNER.public_key,
            "signature": json.dumps(body["signature"]),
            "subkey": body["public_key"],
            "timestamp_s": body["signature_timestamp"],
            "expiry_s": body["signature_expiry"],
        }
        return CurveVerifier(CHAIN).verify_subkey_registration(**{**told, **changes})

    assert genuine()
    assert not genuine(subkey="0xabd")
    assert not genuine(expiry_s=body["signature_expiry"] + 1)
    assert body["signature_expiry"] - AT_S == 300


def test_without_networks_no_allow_list_is_sent() -> None:
    assert "allowed_cidrs" not in json.loads(key_requests.register_subkey(SIGNER, "0xabc", "bot", (), AT_S).body)
    assert json.loads(REGISTRATION.body)["allowed_cidrs"] == ["203.0.113.7/32"]
