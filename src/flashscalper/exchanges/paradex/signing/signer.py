"""Who signs: what the client and the simulated server ask of signing, and the real thing on the curve.

`ParadexSigner` and `Verifier` are the two interfaces. `CurveSigner` and `CurveVerifier` are Paradex's own scheme; the keyed
hash of `keyed_hash` has the same layout without a curve, for simulations.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final, NoReturn, Protocol

import msgspec

from flashscalper.exchanges.paradex.signing.backends import Backend, default_backend
from flashscalper.exchanges.paradex.signing.keys import parse_private_key
from flashscalper.exchanges.paradex.signing.typed_data import (
    Messages,
    check_chain_id,
    order_amount,
    order_terms,
    parse_hex,
    subkey_registration,
    truncated_amount,
)
from flashscalper.model.errors import FlashScalperError, ProtocolError
from flashscalper.model.orders import OrderType, Side
from flashscalper.model.secrets import Secret

KEPT_ACCOUNTS: Final = 256


class ParadexSigner(Protocol):
    """Signs what Paradex wants signed. Every signature is the text that goes into a body or header: '["r","s"]', decimal.

    It is a `flashscalper.exchanges.base.Signer` by shape; the simulator, which may not know that module, shares this one.
    """

    @property
    def account(self) -> str:
        """The main account's address, 0x text without padding."""
        ...

    @property
    def public_key(self) -> str:
        """The key that signs (a registered subkey's or the main key's), 0x text without padding."""
        ...

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
        """Sign a new order, or, with `order_id`, a change to a live one.

        `price` None means no limit price; MARKET orders are signed at 0 whatever it is. Size and price with more than 8
        decimals are refused (ConfigError). `timestamp_ms` is the body's `signature_timestamp`.
        """
        ...

    def sign_auth(self, *, timestamp_s: int, expiration_s: int) -> str:
        """Sign a request for a token; both instants are the headers' unix seconds."""
        ...

    def sign_onboarding(self) -> str:
        """Sign the onboarding message."""
        ...

    def sign_subkey_registration(self, *, public_key: str, timestamp_s: int, expiry_s: int) -> str:
        """Vouch, with the main key, for a subkey to be registered."""
        ...


class Verifier(Protocol):
    """The server's side: each method says whether `signature` is good. Malformed input of any kind is simply not good.

    `public_key` is the registered key (main or subkey) to verify with, `account` the main account's address.
    Signatures are accepted with decimal and with 0x numbers.
    """

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
        """A new order, or with `order_id` a change. Decimals beyond the eighth are cut off, as the official SDK does."""
        ...

    def verify_auth(self, *, account: str, public_key: str, signature: str, timestamp_s: int, expiration_s: int) -> bool:
        """A request for a token."""
        ...

    def verify_onboarding(self, *, account: str, public_key: str, signature: str) -> bool:
        """The onboarding message."""
        ...

    def verify_subkey_registration(
        self, *, account: str, public_key: str, signature: str, subkey: str, timestamp_s: int, expiry_s: int
    ) -> bool:
        """The main key's word for a subkey."""
        ...


class CurveSigner:
    """Signs for one account with its main key or a subkey, on the Stark curve, with deterministic nonces."""

    __slots__ = ("_account", "_account_felt", "_backend", "_key", "_messages", "_public_key")

    def __init__(
        self,
        account: str,
        private_key: Secret,
        chain_id: str,
        *,
        backend: Backend | None = None,
        key_field: str = "private key",
    ) -> None:
        """`account` is the main account's 0x address, `chain_id` the `starknet_chain_id`. ConfigError on what is wrong."""
        self._backend = backend or default_backend()
        self._account_felt = parse_hex("account", account)
        self._account = f"{self._account_felt:#x}"
        self._key = parse_private_key(key_field, private_key)
        self._public_key = f"{self._backend.ecdsa.public_key_of(self._key):#x}"
        self._messages = Messages(self._account_felt, chain_id, self._backend.pedersen)

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
        """See `ParadexSigner.sign_order`."""
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
        return self._sign(self._messages.order(terms))

    def sign_auth(self, *, timestamp_s: int, expiration_s: int) -> str:
        """See `ParadexSigner.sign_auth`."""
        return self._sign(self._messages.auth(timestamp_s, expiration_s))

    def sign_onboarding(self) -> str:
        """See `ParadexSigner.sign_onboarding`."""
        return self._sign(self._messages.onboarding())

    def sign_subkey_registration(self, *, public_key: str, timestamp_s: int, expiry_s: int) -> str:
        """See `ParadexSigner.sign_subkey_registration`."""
        subkey = parse_hex("public key", public_key)
        return self._sign(subkey_registration(self._backend.pedersen, self._account_felt, subkey, timestamp_s, expiry_s))

    def _sign(self, message_hash: int) -> str:
        r, s = self._backend.ecdsa.sign(self._key, message_hash)
        return f'["{r}","{s}"]'

    def __repr__(self) -> str:
        return f"CurveSigner(account={self._account}, public_key={self._public_key})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer holds a private key and is not pickled")


class CurveVerifier:
    """Verifies on the Stark curve for one chain; keeps what is constant for the accounts and keys that it saw last."""

    def __init__(self, chain_id: str, *, backend: Backend | None = None) -> None:
        self._backend = backend or default_backend()
        engine = self._backend.pedersen
        check_chain_id(chain_id)
        self._messages = lru_cache(KEPT_ACCOUNTS)(lambda account: Messages(account, chain_id, engine))

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
            message = self._messages(parse_hex("account", account)).order(terms)
            return self._verify(public_key, message, signature)
        except (FlashScalperError, ValueError):
            return False

    def verify_auth(self, *, account: str, public_key: str, signature: str, timestamp_s: int, expiration_s: int) -> bool:
        """See `Verifier.verify_auth`."""
        try:
            message = self._messages(parse_hex("account", account)).auth(timestamp_s, expiration_s)
            return self._verify(public_key, message, signature)
        except (FlashScalperError, ValueError):
            return False

    def verify_onboarding(self, *, account: str, public_key: str, signature: str) -> bool:
        """See `Verifier.verify_onboarding`."""
        try:
            return self._verify(public_key, self._messages(parse_hex("account", account)).onboarding(), signature)
        except (FlashScalperError, ValueError):
            return False

    def verify_subkey_registration(
        self, *, account: str, public_key: str, signature: str, subkey: str, timestamp_s: int, expiry_s: int
    ) -> bool:
        """See `Verifier.verify_subkey_registration`."""
        try:
            owner, key = parse_hex("account", account), parse_hex("public key", subkey)
            message = subkey_registration(self._backend.pedersen, owner, key, timestamp_s, expiry_s)
            return self._verify(public_key, message, signature)
        except (FlashScalperError, ValueError):
            return False

    def _verify(self, public_key: str, message_hash: int, signature: str) -> bool:
        r, s = parse_signature(signature)
        return self._backend.ecdsa.verify(parse_hex("public key", public_key), message_hash, r, s)


def parse_signature(text: str) -> tuple[int, int]:
    """(r, s) of '["r","s"]' with decimal (official SDK) or 0x (ccxt) numbers. ProtocolError for anything else."""
    try:
        first, second = msgspec.json.decode(text, type=tuple[str, str])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise ProtocolError(
            "signature", "accepted: a JSON list of two number texts", text[:200].encode(errors="replace")
        ) from None
    return _signature_number(first), _signature_number(second)


def _signature_number(text: str) -> int:
    digits, base = (text[2:], 16) if text.startswith("0x") else (text, 10)
    if 0 < len(digits) <= 78 and digits.isascii() and digits.isalnum():
        try:
            return int(digits, base)
        except ValueError:
            pass
    raise ProtocolError("signature", "accepted: decimal or 0x numbers of at most 78 digits")
