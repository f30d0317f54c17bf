"""Signers and verifiers as client and simulated server use them, both kinds: on the curve and by keyed hash."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.base import Signer
from flashscalper.exchanges.paradex.signing import (
    CHAIN_IDS,
    CurveSigner,
    CurveVerifier,
    KeyedHashSigner,
    KeyedHashVerifier,
    ParadexSigner,
    Verifier,
    keyed_public_key,
    parse_signature,
)
from flashscalper.model.errors import ConfigError, ProtocolError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret

ACCOUNT = "0x129c135ed63df9353885e292be4426b8ed6122b13c6c0e1bb787288a1f5adfa"
OTHER_ACCOUNT = "0x1d2a3359cf96bd7d14e156196b8a27fd9c0464895bfb006b5a059c18fc54909"
KEY, OTHER_KEY = Secret("0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"), Secret("0x77")
CHAIN, OTHER_CHAIN = "PRIVATE_SN_POTC_SEPOLIA", "PRIVATE_SN_PARACLEAR_MAINNET"

MakeSigner = Callable[[str, Secret, str], ParadexSigner]
MakeVerifier = Callable[[str], Verifier]
KINDS: list[tuple[MakeSigner, MakeVerifier]] = [(CurveSigner, CurveVerifier), (KeyedHashSigner, KeyedHashVerifier)]
both_kinds = pytest.mark.parametrize(("make_signer", "make_verifier"), KINDS, ids=["curve", "keyed hash"])

ORDER: dict[str, Any] = {
    "market": "ETH-USD-PERP",
    "side": Side.BUY,
    "order_type": OrderType.LIMIT,
    "size": Decimal("0.1"),
    "price": Decimal(1500),
    "timestamp_ms": 1634736000000,
    "order_id": "",
}
CHANGES: dict[str, Any] = {
    "market": "BTC-USD-PERP",
    "side": Side.SELL,
    "order_type": OrderType.STOP_LIMIT,
    "size": Decimal("0.10000001"),
    "price": Decimal("1500.00000001"),
    "timestamp_ms": 1634736000001,
    "order_id": "1706868899123201704028870000",
}


@both_kinds
def test_a_signed_order_verifies_and_any_changed_field_does_not(
    make_signer: MakeSigner, make_verifier: MakeVerifier
) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    who: dict[str, Any] = {"account": signer.account, "public_key": signer.public_key}
    signature = signer.sign_order(**ORDER)
    assert verifier.verify_order(**who, signature=signature, **ORDER)
    for field, value in CHANGES.items():
        assert not verifier.verify_order(**who, signature=signature, **{**ORDER, field: value}), field
    stranger = make_signer(ACCOUNT, OTHER_KEY, CHAIN)
    assert not verifier.verify_order(account=ACCOUNT, public_key=stranger.public_key, signature=signature, **ORDER)
    assert not verifier.verify_order(account=OTHER_ACCOUNT, public_key=signer.public_key, signature=signature, **ORDER)
    assert not make_verifier(OTHER_CHAIN).verify_order(**who, signature=signature, **ORDER)


@both_kinds
def test_a_change_of_a_live_order_is_signed_with_its_id(make_signer: MakeSigner, make_verifier: MakeVerifier) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    change = {**ORDER, "order_id": "1706868899123201704028870000"}
    signature = signer.sign_order(**change)
    who: dict[str, Any] = {"account": ACCOUNT, "public_key": signer.public_key, "signature": signature}
    assert verifier.verify_order(**who, **change)
    assert not verifier.verify_order(**who, **{**change, "order_id": "1706868899123201704028870001"})
    assert not verifier.verify_order(**who, **ORDER)


@both_kinds
def test_auth_onboarding_and_subkey_registration_verify_for_their_own_fields_only(
    make_signer: MakeSigner, make_verifier: MakeVerifier
) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    who: dict[str, Any] = {"account": ACCOUNT, "public_key": signer.public_key}
    auth = signer.sign_auth(timestamp_s=1706868900, expiration_s=1706955300)
    assert verifier.verify_auth(**who, signature=auth, timestamp_s=1706868900, expiration_s=1706955300)
    assert not verifier.verify_auth(**who, signature=auth, timestamp_s=1706868900, expiration_s=1706955301)
    assert not verifier.verify_onboarding(**who, signature=auth)
    onboarding = signer.sign_onboarding()
    assert verifier.verify_onboarding(**who, signature=onboarding)
    assert not verifier.verify_onboarding(account=OTHER_ACCOUNT, public_key=signer.public_key, signature=onboarding)
    subkey = signer.sign_subkey_registration(public_key="0x66", timestamp_s=5, expiry_s=6)
    assert verifier.verify_subkey_registration(**who, signature=subkey, subkey="0x66", timestamp_s=5, expiry_s=6)
    assert not verifier.verify_subkey_registration(**who, signature=subkey, subkey="0x67", timestamp_s=5, expiry_s=6)
    assert not verifier.verify_subkey_registration(**who, signature=subkey, subkey="key", timestamp_s=5, expiry_s=6)


@both_kinds
def test_signatures_are_the_same_every_time_and_verify_in_decimal_and_in_hexadecimal(
    make_signer: MakeSigner, make_verifier: MakeVerifier
) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    decimal = signer.sign_order(**ORDER)
    assert make_signer(ACCOUNT, KEY, CHAIN).sign_order(**ORDER) == decimal
    r, s = (int(text) for text in json.loads(decimal))
    assert decimal == f'["{r}","{s}"]'
    for signature in (f'["{r:#x}","{s:#x}"]', f'["{r:#x}", "{s}"]'):
        assert verifier.verify_order(account=ACCOUNT, public_key=signer.public_key, signature=signature, **ORDER)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "[]",
        "{}",
        "null",
        '["1"]',
        '["1","2","3"]',
        "[1,2]",
        '["",""]',
        '["-1","2"]',
        '["0x","2"]',
        '["1.5","2"]',
        '["1e5","2"]',
        '["1_0","2"]',
        '["+1","2"]',
        '["１","2"]',
        '["' + "9" * 79 + '","2"]',
        '["1","2"',
        "\ud800",
    ],
)
def test_malformed_signatures_are_refused_by_parser_and_verifiers(signature: str) -> None:
    with pytest.raises(ProtocolError, match="signature"):
        parse_signature(signature)
    for make_signer, make_verifier in KINDS:
        key = make_signer(ACCOUNT, KEY, CHAIN).public_key
        verifier = make_verifier(CHAIN)
        assert not verifier.verify_order(account=ACCOUNT, public_key=key, signature=signature, **ORDER)
        assert not verifier.verify_onboarding(account=ACCOUNT, public_key=key, signature=signature)
        assert not verifier.verify_auth(account=ACCOUNT, public_key=key, signature=signature, timestamp_s=1, expiration_s=2)


@both_kinds
@settings(max_examples=15, deadline=None)
@given(text=st.text(max_size=40))
def test_foreign_text_anywhere_is_simply_not_good(make_signer: MakeSigner, make_verifier: MakeVerifier, text: str) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    signature = signer.sign_order(**ORDER)
    assert not verifier.verify_order(account=text, public_key=signer.public_key, signature=signature, **ORDER)
    assert not verifier.verify_order(account=ACCOUNT, public_key=text, signature=signature, **ORDER)
    assert not verifier.verify_order(account=ACCOUNT, public_key=signer.public_key, signature=text, **ORDER)
    for field in ("market", "order_id"):
        changed = {**ORDER, field: text or "x"}
        assert not verifier.verify_order(account=ACCOUNT, public_key=signer.public_key, signature=signature, **changed)


@both_kinds
def test_market_orders_are_signed_at_zero_whatever_the_price_says(
    make_signer: MakeSigner, make_verifier: MakeVerifier
) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    market = {**ORDER, "order_type": OrderType.MARKET, "price": None}
    signature = signer.sign_order(**market)
    assert (
        signature
        == signer.sign_order(**{**market, "price": Decimal(5)})
        == signer.sign_order(**{**market, "price": Decimal(0)})
    )
    for price in (None, Decimal(0), Decimal(1500)):
        assert verifier.verify_order(
            account=ACCOUNT, public_key=signer.public_key, signature=signature, **{**market, "price": price}
        )


@both_kinds
@pytest.mark.parametrize("field", ["size", "price"])
@pytest.mark.parametrize("amount", ["0.123456789", "-1", "NaN", "Infinity", "1e30", "1." + "0" * 40 + "1"])
def test_amounts_that_cannot_be_signed_exactly_are_refused_by_name(
    make_signer: MakeSigner, make_verifier: MakeVerifier, field: str, amount: str
) -> None:
    signer = make_signer(ACCOUNT, KEY, CHAIN)
    with pytest.raises(ConfigError, match=f"^{field}: "):
        signer.sign_order(**{**ORDER, field: Decimal(amount)})


@both_kinds
def test_the_server_cuts_off_what_the_official_sdk_cuts_off(make_signer: MakeSigner, make_verifier: MakeVerifier) -> None:
    signer, verifier = make_signer(ACCOUNT, KEY, CHAIN), make_verifier(CHAIN)
    signature = signer.sign_order(**{**ORDER, "size": Decimal("0.12345678"), "price": Decimal("3000.12345678")})
    body = {**ORDER, "size": Decimal("0.123456789"), "price": Decimal("3000.123456789")}
    assert verifier.verify_order(account=ACCOUNT, public_key=signer.public_key, signature=signature, **body)
    for wrong in ("NaN", "Infinity", "-1"):
        broken = {**ORDER, "size": Decimal(wrong)}
        assert not verifier.verify_order(account=ACCOUNT, public_key=signer.public_key, signature=signature, **broken)


@both_kinds
@settings(max_examples=15, deadline=None)
@given(quanta=st.integers(0, 10**20), zeros=st.integers(0, 5))
def test_amounts_are_signed_by_value_not_by_spelling(
    make_signer: MakeSigner, make_verifier: MakeVerifier, quanta: int, zeros: int
) -> None:
    signer = make_signer(ACCOUNT, KEY, CHAIN)
    amount = Decimal(quanta).scaleb(-8)
    spelled = Decimal(f"{amount:.8f}" + "0" * zeros)
    assert signer.sign_order(**{**ORDER, "size": amount}) == signer.sign_order(**{**ORDER, "size": spelled})


@both_kinds
def test_signers_show_account_and_public_key_and_never_the_private_one(
    make_signer: MakeSigner, make_verifier: MakeVerifier
) -> None:
    signer: Signer = make_signer("0x0" + ACCOUNT[2:], KEY, CHAIN)
    assert signer.account == ACCOUNT
    assert KEY.reveal()[2:] not in f"{signer!r} {signer}"
    assert signer.public_key in repr(signer)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(signer)


def test_keyed_hash_public_keys_differ_by_private_key() -> None:
    assert keyed_public_key(KEY) != keyed_public_key(OTHER_KEY)
    assert keyed_public_key(KEY) == KeyedHashSigner(ACCOUNT, KEY, CHAIN).public_key


@pytest.mark.parametrize("chain", ["", "SN_MAIN", "PRIVATE_SN_POTC_SEPOLIA "])
def test_an_unknown_chain_is_refused_naming_the_known_ones(chain: str) -> None:
    for make_signer, make_verifier in KINDS:
        with pytest.raises(ConfigError, match=CHAIN_IDS[0]):
            make_signer(ACCOUNT, KEY, chain)
        with pytest.raises(ConfigError, match=CHAIN_IDS[0]):
            make_verifier(chain)


def test_a_wrong_account_or_key_is_refused_by_field_name() -> None:
    with pytest.raises(ConfigError, match=r"^account: "):
        CurveSigner("ETH", KEY, CHAIN)
    with pytest.raises(ConfigError, match=r"^PARADEX_SECRET_KEY: saw \*\*\*"):
        CurveSigner(ACCOUNT, Secret("swordfish"), CHAIN, key_field="PARADEX_SECRET_KEY")


def test_a_market_name_too_long_to_sign_is_refused_by_field_name() -> None:
    with pytest.raises(ConfigError, match=r"^market: "):
        CurveSigner(ACCOUNT, KEY, CHAIN).sign_order(**{**ORDER, "market": "X" * 32})
