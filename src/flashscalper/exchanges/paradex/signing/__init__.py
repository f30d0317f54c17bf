"""Paradex's cryptography: Stark curve, Pedersen hashes, typed data, keys and signatures. No input, no output.

Client side: `CurveSigner`. Server side: `CurveVerifier`. Simulations may swap in `KeyedHashSigner` and `KeyedHashVerifier`.
Plain functions: `sign`, `verify`, `public_key_of` on integers, and key derivation on `Secret` texts.
"""

from __future__ import annotations

from flashscalper.exchanges.paradex.signing.backends import BACKENDS, Backend, backend, default_backend
from flashscalper.exchanges.paradex.signing.keyed_hash import KeyedHashSigner, KeyedHashVerifier, keyed_public_key
from flashscalper.exchanges.paradex.signing.keys import (
    L1_CHAIN_IDS,
    TESTNET_CLASSES,
    AccountClasses,
    DerivedAccount,
    KeyRole,
    account_address,
    derive_account,
    derive_stark_key,
    eth_address_of,
    evm_account_address,
    key_role,
    new_private_key,
    parse_private_key,
)
from flashscalper.exchanges.paradex.signing.signer import (
    CurveSigner,
    CurveVerifier,
    ParadexSigner,
    Verifier,
    parse_signature,
)
from flashscalper.exchanges.paradex.signing.typed_data import CHAIN_IDS

__all__ = [
    "BACKENDS",
    "CHAIN_IDS",
    "L1_CHAIN_IDS",
    "TESTNET_CLASSES",
    "AccountClasses",
    "Backend",
    "CurveSigner",
    "CurveVerifier",
    "DerivedAccount",
    "KeyRole",
    "KeyedHashSigner",
    "KeyedHashVerifier",
    "ParadexSigner",
    "Verifier",
    "account_address",
    "backend",
    "default_backend",
    "derive_account",
    "derive_stark_key",
    "eth_address_of",
    "evm_account_address",
    "key_role",
    "keyed_public_key",
    "new_private_key",
    "parse_private_key",
    "parse_signature",
    "public_key_of",
    "sign",
    "verify",
]


def sign(private_key: int, message_hash: int) -> tuple[int, int]:
    """(r, s) of a message hash below 2^251, the same for the same input, equal to the official SDK's."""
    return default_backend().ecdsa.sign(private_key, message_hash)


def verify(public_key: int, message_hash: int, r: int, s: int) -> bool:
    """Whether (r, s) signs the hash under the public key with this x coordinate."""
    return default_backend().ecdsa.verify(public_key, message_hash, r, s)


def public_key_of(private_key: int) -> int:
    """x coordinate of the public key."""
    return default_backend().ecdsa.public_key_of(private_key)
