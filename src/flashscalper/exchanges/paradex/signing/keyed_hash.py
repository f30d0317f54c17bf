"""A stand-in for the curve in simulations: signatures of the same layout, made and checked by a keyed hash.

NOT SECURE, on purpose: whoever knows the public key can sign, because the verifier knows nothing else. It binds the same
fields as the real scheme (account, chain, every signed field of the message) in a few microseconds, so that a simulation
of an hour spends its time on the engine. Anything that leaves the process uses `CurveSigner`.
"""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import NoReturn

from flashscalper.exchanges.paradex.signing.signer import parse_signature
from flashscalper.exchanges.paradex.signing.typed_data import (
    check_chain_id,
    order_amount,
    order_terms,
    parse_hex,
    truncated_amount,
)
from flashscalper.model.errors import FlashScalperError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret


class KeyedHashSigner:
    """Signs like `CurveSigner`, with a keyed hash. The public key is a hash of the private one."""

    __slots__ = ("_account", "_chain_id", "_public_key")

    def __init__(self, account: str, private_key: Secret, chain_id: str) -> None:
        self._account = f"{parse_hex('account', account):#x}"
        self._chain_id = check_chain_id(chain_id)
        self._public_key = keyed_public_key(private_key)

    @property
    def account(self) -> str:
        """The account's address, unpadded."""
        return self._account

    @property
    def public_key(self) -> str:
        """The key that signs."""
        return self._public_key

    def sign_order(
        self,
        *,
        market: str,
        side: Side,
        order_type: OrderType,
        size: Decimal,
        price: Decimal | None,
        timestamp_ms: int,
        order_id: str = "",
    ) -> str:
        """See `ParadexSigner.sign_order`; the same amounts are refused."""
        terms = order_terms(
            order_amount,
            timestamp_ms=timestamp_ms,
            market=market,
            side=side,
            order_type=order_type,
            size=size,
            price=price,
            order_id=order_id,
        )
        return self._sign("order", *terms)

    def sign_auth(self, *, timestamp_s: int, expiration_s: int) -> str:
        """See `ParadexSigner.sign_auth`."""
        return self._sign("auth", timestamp_s, expiration_s)

    def sign_onboarding(self) -> str:
        """See `ParadexSigner.sign_onboarding`."""
        return self._sign("onboarding")

    def sign_subkey_registration(self, *, public_key: str, timestamp_s: int, expiry_s: int) -> str:
        """See `ParadexSigner.sign_subkey_registration`."""
        return self._sign("subkey", parse_hex("public key", public_key), timestamp_s, expiry_s)

    def _sign(self, *fields: str | int) -> str:
        r, s = _keyed_hash(self._public_key, self._chain_id, self._account, fields)
        return f'["{r}","{s}"]'

    def __repr__(self) -> str:
        return f"KeyedHashSigner(account={self._account}, public_key={self._public_key})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled")


class KeyedHashVerifier:
    """Verifies what `KeyedHashSigner` signed on the same chain."""

    def __init__(self, chain_id: str) -> None:
        self._chain_id = check_chain_id(chain_id)

    def verify_order(
        self,
        *,
        account: str,
        public_key: str,
        signature: str,
        market: str,
        side: Side,
        order_type: OrderType,
        size: Decimal,
        price: Decimal | None,
        timestamp_ms: int,
        order_id: str = "",
    ) -> bool:
        """See `Verifier.verify_order`."""
        try:
            terms = order_terms(
                truncated_amount,
                timestamp_ms=timestamp_ms,
                market=market,
                side=side,
                order_type=order_type,
                size=size,
                price=price,
                order_id=order_id,
            )
        except FlashScalperError:
            return False
        return self._verify(account, public_key, signature, ("order", *terms))

    def verify_auth(self, *, account: str, public_key: str, signature: str, timestamp_s: int, expiration_s: int) -> bool:
        """See `Verifier.verify_auth`."""
        return self._verify(account, public_key, signature, ("auth", timestamp_s, expiration_s))

    def verify_onboarding(self, *, account: str, public_key: str, signature: str) -> bool:
        """See `Verifier.verify_onboarding`."""
        return self._verify(account, public_key, signature, ("onboarding",))

    def verify_subkey_registration(
        self, *, account: str, public_key: str, signature: str, subkey: str, timestamp_s: int, expiry_s: int
    ) -> bool:
        """See `Verifier.verify_subkey_registration`."""
        try:
            key = parse_hex("public key", subkey)
        except FlashScalperError:
            return False
        return self._verify(account, public_key, signature, ("subkey", key, timestamp_s, expiry_s))

    def _verify(self, account: str, public_key: str, signature: str, fields: tuple[str | int, ...]) -> bool:
        try:
            owner = f"{parse_hex('account', account):#x}"
            key = f"{parse_hex('public key', public_key):#x}"
            return parse_signature(signature) == _keyed_hash(key, self._chain_id, owner, fields)
        except FlashScalperError:
            return False


def keyed_public_key(private_key: Secret) -> str:
    """The public key that a `KeyedHashSigner` of this private key shows."""
    return "0x" + hashlib.sha256(b"keyed-hash public key" + private_key.reveal().encode()).hexdigest()[:62].lstrip("0")


def _keyed_hash(public_key: str, chain_id: str, account: str, fields: tuple[str | int, ...]) -> tuple[int, int]:
    """(r, s), each 248 bits, from HMAC-SHA512 over every field with its length: no two messages share their bytes."""
    texts = [str(field) for field in (chain_id, account, *fields)]
    message = "".join(f"{len(text)}:{text}," for text in texts)
    digest = hmac.digest(public_key.encode(), message.encode(), "sha512")
    return int.from_bytes(digest[:31], "big"), int.from_bytes(digest[32:63], "big")
